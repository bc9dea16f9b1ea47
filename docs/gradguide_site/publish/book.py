"""Make a book (EPUB) of each language's pages, to read without a network.

It is made of the source tree that the site is made of, so no script runs again.
"""

from __future__ import annotations

import zipfile

from gradguide_site.project import Language, Project
from gradguide_site.running.sphinx_builds import Build, settings

NAME = "gradguide.epub"


def book(project: Project, language: Language) -> Build:
    """Return the build of a language's book."""
    return Build(
        "epub",
        project.built / "book" / language.code,
        {
            "templates_path": [],  # those of the site are for its theme
            "epub_language": language.tag,
            "epub_identifier": settings(project, language)["epub_uid"],
            "epub_show_urls": "no",  # a link is enough
            "epub_description": project.metadata["description"],
            "epub_contributor": project.metadata["authors"][0]["name"],
        },
    )


def add_book(project: Project, language: Language) -> None:
    """Put the book beside the pages, without the times of its parts.

    So the book has the same bytes every time.
    """
    made = book(project, language).output / NAME
    target = project.pages(language) / NAME
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(target, "w") as copy:
        for entry in source.infolist():
            undated = zipfile.ZipInfo(entry.filename)  # dated 1980
            undated.compress_type = entry.compress_type  # EPUB prescribes that
            undated.external_attr = 0o644 << 16
            copy.writestr(undated, source.read(entry))
