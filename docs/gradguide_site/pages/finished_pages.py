"""Parse the HTML pages that Sphinx has written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import html
from lxml.html import HtmlElement

OUTPUTS = "//div[contains(concat(' ', @class, ' '), ' sphx-glr-script-out ')]//pre"
"""The XPath of what the script of a page printed."""


def parse(page: Path) -> HtmlElement:
    """Return the root element of a page."""
    return html.parse(page, html.HTMLParser(encoding="utf-8")).getroot()


def navigation(page: HtmlElement) -> Iterator[HtmlElement]:
    """Yield the captions (``p``) and links (``a``) of the sidebar, in order."""
    return page.find_class("sidebar-tree")[0].iter("p", "a")
