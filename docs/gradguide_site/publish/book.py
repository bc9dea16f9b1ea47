"""Make a book (EPUB) of each language's pages, to read without a network.

It is made of the trees that the site was just built from, so no script runs again, and
made anew only if a page has changed.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from gradguide_site.running import sphinx_process as sphinx
from gradguide_site.project import Language, PipelineError, Project

NAME = "gradguide.epub"


def make_books(
    project: Project, languages: Sequence[Language], *, strict: bool = True
) -> None:
    """Write the book of each language into the folder of its pages.

    Args:
        project: The checkout.
        languages: The languages, each with its pages built.
        strict: Whether a warning of Sphinx is an error.

    Raises:
        PipelineError: Sphinx can't make a book, or has warned.
    """
    outdated = [one for one in languages if not _is_current(project, one)]
    processes = [_start(project, language, strict=strict) for language in outdated]
    for language, process in zip(outdated, processes, strict=True):
        said, _ = process.communicate()
        lines = [line for line in said.splitlines() if "progress: " not in line]
        if process.returncode:
            complaints = sphinx.complaints(lines, project.staged(language))
            raise PipelineError("\n".join(["The book can't be made:", *complaints]))
        made = _folder(project, language) / NAME
        _copy_undated(made, project.pages(language) / NAME)
        _record(project, language).write_text(_fingerprint(project, language))


def _start(project: Project, language: Language, *, strict: bool) -> sphinx.Process:
    shutil.rmtree(_folder(project, language), ignore_errors=True)  # pages that are gone
    return sphinx.start(
        project,
        "epub",
        project.staged(language),
        _folder(project, language),
        *(("-W", "--keep-going") if strict else ()),
        *sphinx.settings(project, language),
        *("-D", "templates_path="),  # those of the site are for its theme
        *("-D", f"epub_language={language.tag}"),
        *("-D", f"epub_identifier={sphinx.identifier(language)}"),
        *("-D", "epub_show_urls=no"),  # a link is enough
        *("-D", f"epub_description={project.metadata['description']}"),
        *("-D", f"epub_contributor={project.metadata['authors'][0]['name']}"),
    )


def _copy_undated(book: Path, target: Path) -> None:
    """Copy a book without the times of its parts: the same bytes every time."""
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(target, "w") as copy:
        for entry in source.infolist():
            undated = zipfile.ZipInfo(entry.filename)  # dated 1980
            undated.compress_type = entry.compress_type  # EPUB prescribes that
            undated.external_attr = 0o644 << 16
            copy.writestr(undated, source.read(entry))


def _is_current(project: Project, language: Language) -> bool:
    record, book = _record(project, language), project.pages(language) / NAME
    known = book.exists() and record.exists() and record.read_text()
    return known == _fingerprint(project, language)


def _fingerprint(project: Project, language: Language) -> str:
    """Return a digest of all pages and pictures."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(project.pages(language).rglob("*")):
        if path.suffix in {".html", ".svg", ".css"}:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _folder(project: Project, language: Language) -> Path:
    return project.built / "book" / language.code


def _record(project: Project, language: Language) -> Path:
    return _folder(project, language) / "made-of.txt"
