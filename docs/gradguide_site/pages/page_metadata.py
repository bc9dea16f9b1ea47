"""Tell search engines, and whoever shares a link, what a page is.

A description, the tags of OpenGraph with a picture for each language, and structured
data after schema.org; ``page.html`` has the tags.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any

from docutils import nodes
from lxml.html import fromstring
from sphinx.application import Sphinx
from sphinx.locale import _

from gradguide_site.chinese import CHINESE
from gradguide_site.project import GALLERY, language

LENGTH = 160
"""Columns of a description; a Chinese character takes two."""

ARTICLES = (f"{GALLERY}/", "guide/", "start/")


def description(doctree: nodes.document | None) -> str:
    """Return the first paragraph of a page, or as much of it as search engines show."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if isinstance(paragraph.parent, nodes.section):
            return _shortened(" ".join(paragraph.astext().split()))
    return _("How to freeze PyTorch networks and steer gradients, shown by real runs.")


def _shortened(text: str) -> str:
    if CHINESE.search(text):
        fits = len(text) <= LENGTH // 2
        return text if fits else f"{text[: LENGTH // 2 - 1]}…"
    return textwrap.shorten(text, LENGTH, placeholder=" …")


def _add_metadata(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    base = app.config.html_baseurl
    context["description"] = description(doctree)
    tag = language(app.config.language).tag
    context["card"] = f"{base}_static/cards/{tag}.png" if doctree else None
    data = {
        "@context": "https://schema.org",
        "@type": "TechArticle" if pagename.startswith(ARTICLES) else "WebPage",
        "headline": fromstring(f"<p>{context.get('title', '')}</p>").text_content(),
        "description": context["description"],
        "inLanguage": tag,
        "url": f"{base}{app.builder.get_target_uri(pagename)}",
        "image": context["card"],
        "dateModified": context["last_updated"],
        "author": {"@type": "Organization", "name": app.config.author},
        "isPartOf": {"@type": "WebSite", "name": app.config.project, "url": base},
    }
    text = json.dumps({key: data[key] for key in data if data[key]}, ensure_ascii=False)
    context["structured_data"] = text.replace("<", "\\u003c")  # can't end the element


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _add_metadata)
