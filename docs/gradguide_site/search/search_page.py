"""Search with Pagefind in place of Sphinx.

Sphinx splits Chinese text into words when it indexes a page, but not the query, so a
query like 冻结参数 finds nothing. Pagefind indexes the finished HTML: see
``search.index``.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def _disable_sphinx_index(app: Sphinx) -> None:
    app.builder.search = False  # type: ignore[attr-defined]


def _search_page(app: Sphinx) -> list[tuple[str, dict[str, str], str]]:
    return [("search", {}, "search.html")] if app.builder.name == "html" else []


def _offer_reports(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Tell the panel where an error that the guide doesn't have can be reported."""
    context["issues"] = f"{app.config.project_urls['Source']}/issues/new"


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _offer_reports)
    app.connect("builder-inited", _disable_sphinx_index)
    app.connect("html-collect-pages", _search_page)
