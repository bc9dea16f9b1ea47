"""Make an EPUB of the pages of each language, to read without a network.

It is built from the source tree of the site, so no script runs again.
"""

from __future__ import annotations

import zipfile

from gradguide_site.project import Language, Project
from gradguide_site.running.sphinx_builds import Build, settings

NAME = "gradguide.epub"


def book(project: Project, language: Language) -> Build:
    """Return the Sphinx build of the book in a language."""
    return Build(
        "epub",
        project.built / "book" / language.code,
        {
            "templates_path": [],  # the templates of the site extend Furo
            # the build of the site has made the gallery
            "sphinx_gallery_conf.examples_dirs": [],
            "sphinx_gallery_conf.gallery_dirs": [],
            "sphinx_gallery_conf.backreferences_dir": None,
            "epub_language": language.tag,
            "epub_identifier": settings(project, language)["epub_uid"],
            "epub_show_urls": "no",  # don't print the address behind each link
            "epub_description": project.metadata["description"],
            "epub_contributor": project.metadata["authors"][0]["name"],
        },
    )


def add_book(project: Project, language: Language) -> None:
    """Copy the book to the pages, without the dates of its files.

    Without the dates, equal pages give an equal book.
    """
    dated_book = book(project, language).output / NAME
    target = project.pages(language) / NAME
    with zipfile.ZipFile(dated_book) as source, zipfile.ZipFile(target, "w") as copy:
        for entry in source.infolist():
            undated = zipfile.ZipInfo(entry.filename)  # dated 1980
            undated.compress_type = entry.compress_type  # EPUB requires it
            undated.external_attr = 0o644 << 16
            copy.writestr(undated, source.read(entry))
