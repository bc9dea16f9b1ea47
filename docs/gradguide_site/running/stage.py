"""Lay out a complete Sphinx source tree for each language, its scripts translated.

A file that would not change keeps its time of modification, so that Sphinx and
sphinx-gallery do again only what has to be done again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from gradguide_site.project import GALLERY, SCRIPTS, Language, Project
from gradguide_site.running import reruns
from gradguide_site.translation import catalogues, gallery

NOT_STAGED = {"_build", "gradguide_site", "locale", "__pycache__"}
"""Folders of ``docs`` that are no source of a page."""

HEADINGS = "headings.json"
"""The file of a tree that holds the English titles; anchors are made of them."""


def stage(
    project: Project, language: Language, tree: Path, *, strict: bool = True
) -> None:
    """Bring a source tree up to date.

    Args:
        project: The checkout to read.
        language: The language of the tree.
        tree: The folder of the tree.
        strict: Whether a message without translation is an error; otherwise it stays
            in English.

    Raises:
        PipelineError: A script or a catalogue can't be used, or isn't complete.
    """
    sources = gallery.sources(project)
    scripts = gallery.translated(project, sources, language, strict=strict)
    headings = {source.page: source.headings() for source in sources}
    wanted = {
        **_pages(project),
        **_catalogues(project, language),
        **{SCRIPTS / path: text for path, text in scripts.items()},
        Path(HEADINGS): json.dumps(headings, indent=1).encode(),
    }
    run = {path: text for path, text in scripts.items() if path.suffix == ".py"}
    reruns.forget_outdated(project, tree, run)
    for path, content in wanted.items():
        _write(tree / path, content)
    for path in _files(tree):
        if path.parts[0] != GALLERY and path not in wanted and path.suffix != ".mo":
            (tree / path).unlink()


def _pages(project: Project) -> dict[Path, bytes]:
    return {
        path: (project.docs / path).read_bytes()
        for path in _files(project.docs)
        if not NOT_STAGED.intersection(path.parts)
    }


def _catalogues(project: Project, language: Language) -> dict[Path, bytes]:
    """Return the catalogues of pages; Sphinx compiles and applies them."""
    root = project.catalogues(language)
    place = Path("locale") / language.code / "LC_MESSAGES"
    found = {}
    for path in sorted(root.rglob("*.po")):
        if (relative := path.relative_to(root)).parts[0] != SCRIPTS:
            catalogues.read(path, language)  # a malformed one is reported here
            found[place / relative] = path.read_bytes()
    return found


def _files(root: Path) -> Iterator[Path]:
    """Yield each file below a folder, relative to it."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path.relative_to(root)


def _write(path: Path, content: bytes) -> None:
    """Write a file, unless it says the same already."""
    if not (path.exists() and path.read_bytes() == content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
