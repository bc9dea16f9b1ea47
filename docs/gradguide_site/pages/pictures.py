"""Give each picture of a page its size, so that no text moves when the picture loads.

Sphinx and sphinx-gallery add no size to an SVG. The thumbnails of the gallery, of which
there are many on one page, are loaded only when they come into view.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from sphinx.application import Sphinx

PICTURE = re.compile(r'<img (?=[^>]*?src="([^"]+\.svg)")')
SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"')
POINT = 4 / 3  # in CSS pixels
THUMBNAIL = (160, 112)  # the largest size that sphinx-gallery shows, in CSS pixels


def _give_sizes(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if app.builder.name != "html":
        return
    sources = {name: path for path, name in app.builder.images.items()}
    # sphinx-gallery has copied its pictures already, Sphinx copies them at the end
    copies = Path(app.outdir, app.builder.imagedir)

    def sized(tag: re.Match[str]) -> str:
        name = PurePosixPath(tag[1]).name
        known = Path(app.srcdir, sources[name]) if name in sources else copies / name
        return tag[0] + _attributes(known)

    context["body"] = PICTURE.sub(sized, context.get("body", ""))


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


def setup(app: Sphinx) -> None:
    # The late priority keeps the sizes out of the Markdown twins.
    app.connect("html-page-context", _give_sizes, priority=900)
