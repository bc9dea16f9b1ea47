"""Add the size of each picture to the pages, so that no text moves when they load.

Sphinx and sphinx-gallery add no size to an SVG. The thumbnails of the gallery, of which
there are many on one page, are loaded only when they come into view.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PICTURE = re.compile(r'<img (?=[^>]*?src="([^"]+\.svg)")')
SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"')
POINT = 4 / 3  # in CSS pixels
THUMBNAIL = (160, 112)  # the largest size that sphinx-gallery shows, in CSS pixels


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
    match = SIZE.search(picture.read_text("utf-8"))
    if match is None:
        return ""
    width, height = (float(points) * POINT for points in match.groups())
    if not picture.stem.endswith("_thumb"):
        return f'width="{width:.0f}" height="{height:.0f}" '
    scale = min(1, THUMBNAIL[0] / width, THUMBNAIL[1] / height)
    size = f'width="{width * scale:.0f}" height="{height * scale:.0f}"'
    return f'{size} loading="lazy" '
