"""Leave out of a page the scripts and styles that nothing on it uses.

Extensions add theirs to every page. Most pages hold no cards, no tabs and no tables of
a notebook, and a reader on a phone need not wait for what styles them.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

NEEDED_FOR = {
    "copybutton": "highlight",
    "clipboard": "highlight",
    "copy_all": "page-bar",
    "design-tabs": "sd-tab",
    "documentation_options": "highlight",  # the copy button reads them
    "sg_gallery-dataframe": "output_html",
    "sg_gallery-rendered-html": "output_html",
    "sg_gallery.css": "sphx-glr",
    "sphinx-design": "sd-",
    "tags.js": "data-tags",
}
"""What stands on a page that needs a file, by a part of the file's name."""

NEVER_NEEDED = (
    "doctools",  # the keys of Sphinx's own search
    "sg-tags",
    "sg_gallery-binder",
    "sphinx_highlight",
    "translations",
)


def _leave_out(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    if app.builder.name != "html":
        return
    body = context.get("body", "")

    def is_needed(file: object) -> bool:
        name = str(getattr(file, "filename", file))
        return not any(part in name for part in NEVER_NEEDED) and all(
            mark in body for part, mark in NEEDED_FOR.items() if part in name
        )

    for kind in ("css_files", "script_files"):
        context[kind] = [file for file in context[kind] if is_needed(file)]


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _leave_out, priority=900)  # all files are there
