"""Search with Pagefind in place of Sphinx.

Sphinx cuts Chinese into words when it indexes a page but never cuts the query, so
冻结参数 finds nothing. Pagefind reads the finished HTML: see ``search.index``.
"""

from __future__ import annotations

from sphinx.application import Sphinx


def _leave_out_index(app: Sphinx) -> None:
    app.builder.search = False  # type: ignore[attr-defined]


def _search_page(app: Sphinx) -> list[tuple[str, dict[str, str], str]]:
    return [("search", {}, "search.html")] if app.builder.name == "html" else []


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _leave_out_index)
    app.connect("html-collect-pages", _search_page)
