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
from sphinx.builders import Builder
from sphinx.locale import _
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from gradguide_site.project import language

CARD_CLASSES = ("sphx-glr-thumb", "sg-tag-list", "</div>")


class SiteOnly(SphinxTransform):
    """Mark the sections of the site before Sphinx collects the table of contents."""

    default_priority = 900  # after all that looks for sections and their anchors

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


def _shorten_contents(app: Sphinx, builder: Builder) -> None:
    """Leave the sections of the site out of the table of contents, too.

    Sphinx does not look at ``only`` when it makes this table for a book. It has saved
    the environment already, so that the site keeps its own table.
    """
    if builder.name == "epub":
        for contents in app.env.tocs.values():
            for only in list(contents.findall(addnodes.only)):
                is_kept = builder.tags.eval_condition(only["expr"])
                only.replace_self(only.children if is_kept else [])


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
    app.connect("write-started", _shorten_contents)
    app.connect("html-page-context", _state_language)
