"""Make a book of pages that were written for a site.

The cards of the gallery become plain links, and each page says its language, by which
the style sheet goes.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from gradguide_site.project import language

BOXES = ("sphx-glr-thumb", "sg-tag-list", "</div>")


class PlainLinks(SphinxPostTransform):
    """Remove the boxes of the cards, whose HTML is not that of a book, and pictures."""

    default_priority = 400
    builders = ("epub",)

    def run(self, **_: object) -> None:
        for node in list(self.document.findall(nodes.raw)):
            text = node.astext().strip()
            if text.startswith(("<div", "</div")) and any(box in text for box in BOXES):
                node.parent.remove(node)
        for image in list(self.document.findall(nodes.image)):
            if "/thumb/" in image["uri"]:
                image.parent.remove(image)


def _say_language(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    if app.builder.name == "epub":
        tag = language(app.config.language).tag
        spoken = f'<html lang="{tag}" xml:lang="{tag}"'
        context["html_tag"] = context["html_tag"].replace("<html", spoken)


def setup(app: Sphinx) -> None:
    app.add_post_transform(PlainLinks)
    app.connect("html-page-context", _say_language)
