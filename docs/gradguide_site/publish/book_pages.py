"""Adapt pages that were written for the site to the book.

The cards of the gallery become plain links, and each page states its language, which
the style sheet needs. The table of contents, which Sphinx names in English, has a title
in the language of the book. Sections that only the site needs are left out: they have
the class ``site-only``. A directive ``only`` can't hold them, because MyST puts their
headings behind it.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from gradguide_site.project import language

CARD_CLASSES = ("sphx-glr-thumb", "sg-tag-list", "</div>")


class SiteOnly(SphinxTransform):
    """Mark the sections of the site, for the page and for the table of contents."""

    default_priority = 800  # behind the anchors (600), before the contents (880)

    def apply(self) -> None:
        for section in list(self.document.findall(nodes.section)):
            if "site-only" in section["classes"]:
                only = addnodes.only(expr="builder_html")
                section.replace_self(only)
                only += section


class PlainLinks(SphinxPostTransform):
    """Remove the thumbnails and the HTML of the cards, which EPUB does not allow."""

    default_priority = 400
    builders = ("epub",)

    def run(self, **_options: object) -> None:
        for node in list(self.document.findall(nodes.raw)):
            text = node.astext().strip()
            if text.startswith(("<div", "</div")) and any(
                name in text for name in CARD_CLASSES
            ):
                node.parent.remove(node)
        for image in list(self.document.findall(nodes.image)):
            if "/thumb/" in image["uri"]:
                image.parent.remove(image)


def _state_language(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if app.builder.name == "epub":
        tag = language(app.config.language).tag
        html_tag = f'<html lang="{tag}" xml:lang="{tag}"'
        context["html_tag"] = context["html_tag"].replace("<html", html_tag)


def _translate_contents(app: Sphinx) -> None:
    if app.builder.name == "epub":
        titles = app.builder.guide_titles  # type: ignore[attr-defined]
        app.builder.guide_titles = titles | {  # type: ignore[attr-defined]
            "toc": _("Table of Contents")
        }


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _translate_contents)
    app.add_transform(SiteOnly)
    app.add_post_transform(PlainLinks)
    app.connect("html-page-context", _state_language)
