"""Lay out a Sphinx source tree for each language, with translated scripts.

A file whose content is the same keeps its time of modification, so that Sphinx and
sphinx-gallery process only changed files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from gradguide_site.project import (
    SCRIPTS,
    Language,
    Project,
    is_generated,
    staged_as,
)
from gradguide_site.running import reruns
from gradguide_site.translation import catalogues, gallery

NOT_STAGED = {"_build", "gradguide_site", "locale", "__pycache__"}
"""Folders of ``docs`` that have no sources of pages."""

HEADINGS = "headings.json"
"""The file of a tree that holds the English titles; anchors are made of them."""


def stage(
    project: Project, language: Language, tree: Path, *, strict: bool = True
) -> None:
    """Update the source tree of a language.

    Without ``strict``, messages without translation stay in English.

    Raises:
        PipelineError: A script can't be translated, or a catalogue is malformed or,
            with ``strict``, incomplete.
    """
    sources = gallery.sources(project)
    scripts = gallery.translated(project, sources, language, strict=strict)
    headings = {source.page: source.headings() for source in sources}
    contents = {
        **_pages(project),
        **_catalogues(project, language),
        **{Path(staged_as(path)): text for path, text in scripts.items()},
        Path(HEADINGS): json.dumps(headings, indent=1).encode(),
    }
    executed = {path: text for path, text in scripts.items() if path.suffix == ".py"}
    reruns.forget_outdated(project, tree, executed)
    for path, content in contents.items():
        write(tree / path, content)
    for path in files(tree):
        if not is_generated(path) and path not in contents and path.suffix != ".mo":
            (tree / path).unlink()


def write(path: Path, content: bytes) -> None:
    """Replace a file unless it has this content already.

    The content is written to another file first, so that an interrupted build leaves no
    incomplete file.
    """
    if not (path.exists() and path.read_bytes() == content):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(content)
        new.replace(path)


def _pages(project: Project) -> dict[Path, bytes]:
    return {
        path: (project.docs / path).read_bytes()
        for path in files(project.docs, NOT_STAGED)
    }


def _catalogues(project: Project, language: Language) -> dict[Path, bytes]:
    """Return the catalogues of pages, which Sphinx compiles and applies."""
    root = project.catalogues(language)
    target = Path("locale") / language.code / "LC_MESSAGES"
    contents = {}
    for path in sorted(root.rglob("*.po")):
        if (relative := path.relative_to(root)).parts[0] != SCRIPTS:
            catalogues.read(path, language)  # raises an error if it is malformed
            contents[target / relative] = path.read_bytes()
    return contents


def files(root: Path, without: Collection[str] = ()) -> Iterator[Path]:
    """Yield the path of each file in a folder, relative to it, in a fixed order.

    Folders with a name in ``without`` are left out.
    """
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders).difference(without))
        for name in sorted(names):
            yield Path(folder, name).relative_to(root)
