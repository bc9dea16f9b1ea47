"""Search with Pagefind in place of Sphinx.

Sphinx cuts Chinese into words when it indexes a page but never cuts the query, so
冻结参数 finds nothing. Pagefind reads the finished HTML: see ``pipeline.search``.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

UNUSED = {"_static/sphinx_highlight.js", "_static/translations.js"}
"""Scripts that only what Sphinx's own search finds would need."""


def _leave_out_index(app: Sphinx) -> None:
    app.builder.search = False  # type: ignore[attr-defined]


def _leave_out_scripts(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    context["script_files"] = [
        script for script in context["script_files"] if script.filename not in UNUSED
    ]


def _search_page(app: Sphinx) -> list[tuple[str, dict[str, str], str]]:
    return [("search", {}, "search.html")] if app.builder.name == "html" else []


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _leave_out_index)
    app.connect("html-page-context", _leave_out_scripts)
    app.connect("html-collect-pages", _search_page)
