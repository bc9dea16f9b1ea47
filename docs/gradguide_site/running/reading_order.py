"""Sort chapters and pages in the order that their header lists.

The header of a gallery or chapter, ``GALLERY_HEADER.rst``, ends with a comment::

    .. reading order:
       first_page
       second_page
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.errors import ConfigError

COMMENT = re.compile(r"^\.\. reading order:\n((?: +\S+\n?)+)", re.MULTILINE)


def read(folder: Path) -> list[str]:
    """Return the names that the header of a folder lists."""
    header = folder / "GALLERY_HEADER.rst"
    match = COMMENT.search(header.read_text("utf-8"))
    if not match:
        raise ConfigError(f"{header} has no comment `.. reading order:`; add one.")
    return match[1].split()


def chapter(folder: str) -> int:
    """Return the sort key of a chapter for sphinx-gallery."""
    path = Path(folder)
    return _position(path.parent, path.name)


class Pages:
    """Sort key of a script; sphinx-gallery makes one object for each chapter."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def __call__(self, script: str) -> int:
        return _position(self.folder, Path(script).stem)


def _position(folder: Path, name: str) -> int:
    listed = read(folder)
    if name not in listed:
        raise ConfigError(
            f"{folder.name}/GALLERY_HEADER.rst: add {name!r} to its reading order."
        )
    return listed.index(name)
