"""Put chapters and pages in the order that their header gives.

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
    """Return what the header of a folder lists."""
    header = folder / "GALLERY_HEADER.rst"
    found = COMMENT.search(header.read_text("utf-8"))
    if not found:
        raise ConfigError(f"{header} has no comment `.. reading order:`; add one.")
    return found[1].split()


def chapter(folder: str) -> int:
    """Return the place of a chapter; the key that sphinx-gallery sorts them by."""
    path = Path(folder)
    return _place(path.parent, path.name)


class Pages:
    """Give the place of each script in its chapter; made once for each chapter."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def __call__(self, script: str) -> int:
        return _place(self.folder, Path(script).stem)


def _place(folder: Path, name: str) -> int:
    listed = read(folder)
    if name not in listed:
        raise ConfigError(
            f"{folder.name}/GALLERY_HEADER.rst: add {name!r} to its reading order."
        )
    return listed.index(name)
