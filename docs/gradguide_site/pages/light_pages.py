"""Leave out of a page the scripts, style sheets and texts that nothing on it uses.

Sphinx extensions add their files to every page, but most pages have no cards, no tabs
and no tables from a notebook. Without these files a page loads faster on a phone.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

NEEDED_FOR = {
    "copybutton": "highlight",
    "clipboard": "highlight",
    "copy_all": "page-bar",
    "design-tabs": "sd-tab",
    "errors/old_addresses": 'class="errors',
    "documentation_options": "highlight",  # the script of the copy button reads them
    "sg_gallery-dataframe": "output_html",
    "sg_gallery-rendered-html": "output_html",
    "sg_gallery.css": "sphx-glr",
    "sphinx-design": 'class="sd-',
    "tags.js": "data-tags",
}
"""Part of a file's name, and the text in the HTML of every page that needs the file."""

NEVER_NEEDED = (
    "doctools",  # keyboard shortcuts of Sphinx's own search
    "sg-tags",
    "sg_gallery-binder",
    "sphinx_highlight",
    "translations",
)


OTHER_CHAPTER = re.compile(
    r'(<li class="toctree-l2) has-children(">.*?</a>)<input.*?<ul>.*?</ul>', re.DOTALL
)
"""A chapter in the sidebar that the page is not in, and the list of its pages."""


def _leave_out(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if app.builder.name != "html":
        return
    body = context.get("body", "")

    def is_needed(file: object) -> bool:
        name = str(getattr(file, "filename", file))
        return not any(part in name for part in NEVER_NEEDED) and all(
            mark in body for part, mark in NEEDED_FOR.items() if part in name
        )

    if page.startswith("reference/"):
        # The cards below a function; those of the gallery show the text on hovering.
        context["body"] = re.sub(r' tooltip="[^"]*"', "", body)

    if page != app.config.root_doc:  # its tree is also the list of all pages
        tree = context["furo_navigation_tree"]
        context["furo_navigation_tree"] = OTHER_CHAPTER.sub(r"\1\2", tree)

    for kind in ("css_files", "script_files"):
        context[kind] = [file for file in context[kind] if is_needed(file)]


def setup(app: Sphinx) -> None:
    # The late priority lets every extension add its files first.
    app.connect("html-page-context", _leave_out, priority=900)
