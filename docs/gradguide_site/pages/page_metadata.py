"""Add the metadata of each page to the context of the page template.

The metadata is a description, a picture for OpenGraph, structured data (schema.org) and
the address of the page in each language. ``page.html`` writes it into the page.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any

from docutils import nodes
from lxml.html import fromstring
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util.osutil import relative_uri

from gradguide_site.chinese import CHINESE
from gradguide_site.project import ENGLISH, GALLERY, LANGUAGES, Language, language

LENGTH = 160
"""Columns of a description; a Chinese character takes two."""

ARTICLES = (f"{GALLERY}/", "guide/", "reference/errors/", "start/")


def description(doctree: nodes.document | None) -> str:
    """Return the first paragraph of a page, cut to the length that is shown."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if isinstance(paragraph.parent, nodes.section):
            return _shortened(" ".join(paragraph.astext().split()))
    return _("How to freeze PyTorch networks and steer gradients, shown by real runs.")


def _shortened(text: str) -> str:
    if CHINESE.search(text):
        fits = len(text) <= LENGTH // 2
        return text if fits else f"{text[: LENGTH // 2 - 1]}…"
    return textwrap.shorten(text, LENGTH, placeholder=" …")


def _twins(base: str, page_language: Language, target: str) -> list[dict[str, Any]]:
    """Return the page in each language: its name, link and published address."""
    root = base.removesuffix(f"{page_language.url}/")
    return [
        {
            "tag": twin.tag,
            "name": twin.name,
            "link": relative_uri(
                f"{page_language.url}/{target}", f"{twin.url}/{target}"
            ),
            "address": f"{root}{twin.url}/{target}",
            "is_default": twin == ENGLISH,
            "is_here": twin == page_language,
        }
        for twin in LANGUAGES
    ]


def _add_metadata(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    base = app.config.html_baseurl
    page_language = language(app.config.language)
    tag = page_language.tag
    target = app.builder.get_target_uri(page)
    context["language"] = tag  # Sphinx has set it to its own spelling of the language
    context["twins"] = _twins(base, page_language, target)
    context["description"] = description(doctree)
    context["card"] = f"{base}_static/cards/{tag}.png" if doctree else None
    data = {
        "@context": "https://schema.org",
        "@type": "TechArticle" if page.startswith(ARTICLES) else "WebPage",
        "headline": fromstring(f"<p>{context.get('title', '')}</p>").text_content(),
        "description": context["description"],
        "inLanguage": tag,
        "url": f"{base}{target}",
        "image": context["card"],
        "dateModified": context["last_updated"],
        "author": {"@type": "Organization", "name": app.config.author},
        "isPartOf": {"@type": "WebSite", "name": app.config.project, "url": base},
    }
    text = json.dumps({key: data[key] for key in data if data[key]}, ensure_ascii=False)
    # Without "<", no text of a page can end the script element that holds the data.
    context["structured_data"] = text.replace("<", "\\u003c")


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _add_metadata)
