"""Say on each page how large its pictures are, so that no text moves when they load.

Neither Sphinx nor sphinx-gallery says it of an SVG. The small pictures of the cards,
of which the gallery's index has many, are loaded only when they come into view.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PICTURE = re.compile(r'<img (?=[^>]*?src="([^"]+\.svg)")')
SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"')
POINT = 4 / 3  # in CSS pixels
CARD = (160, 112)  # what sphinx-gallery's style leaves a small picture, in CSS pixels


def give_sizes(site: Path) -> None:
    """Add the size of every picture to the pages of a site."""
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")

        def sized(tag: re.Match[str], page: Path = page) -> str:
            return tag[0] + _attributes(page.parent.joinpath(tag[1]).resolve())

        changed = PICTURE.sub(sized, text)
        if changed != text:
            page.write_text(changed, "utf-8")


@cache
def _attributes(picture: Path) -> str:
    found = SIZE.search(picture.read_text("utf-8"))
    if found is None:
        return ""
    width, height = (float(points) * POINT for points in found.groups())
    if not picture.stem.endswith("_thumb"):
        return f'width="{width:.0f}" height="{height:.0f}" '
    scale = min(1, CARD[0] / width, CARD[1] / height)
    size = f'width="{width * scale:.0f}" height="{height * scale:.0f}"'
    return f'{size} loading="lazy" '
