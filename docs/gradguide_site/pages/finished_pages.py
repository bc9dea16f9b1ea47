"""Parse the HTML pages that Sphinx has written."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from lxml import html
from lxml.html import HtmlElement

from gradguide_site import digest_of_code
from gradguide_site.running.stage import write

OUTPUTS = "//div[contains(concat(' ', @class, ' '), ' sphx-glr-script-out ')]//pre"
"""The XPath of what the script of a page printed."""

Result = TypeVar("Result")


def parse(page: Path) -> HtmlElement:
    """Return the root element of a page."""
    return html.parse(page, html.HTMLParser(encoding="utf-8")).getroot()


def navigation(page: HtmlElement) -> Iterator[HtmlElement]:
    """Yield the captions (``p``) and links (``a``) of the sidebar, in order."""
    return page.find_class("sidebar-tree")[0].iter("p", "a")


def read_each(
    pages: Iterable[Path], read: Callable[[Path], Result], kept: Path
) -> dict[Path, Result]:
    """Return what a function returns for each page; it is called for changed pages.

    The file ``kept`` has the results of the last build, for each content of a page. It
    begins with a digest of the code that made them.
    """
    code = digest_of_code()
    content = kept.read_bytes() if kept.exists() else b""
    old = {}
    if content.startswith(code):
        old = pickle.loads(content[len(code) :])  # noqa: S301 (a build wrote it)
    results, new = {}, {}
    for page in pages:
        digest = hashlib.sha256(page.read_bytes()).digest()
        new[digest] = results[page] = old[digest] if digest in old else read(page)
    write(kept, code + pickle.dumps(new))
    return results
