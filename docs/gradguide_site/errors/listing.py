"""List the pages of errors, and keep the addresses that their sections had before.

The directive ``errors`` takes a line for each page: its name, and the anchors that led
to its section when all errors were on one page. From such an anchor
``old_addresses.js`` goes on to the page; without JavaScript, it leads to the link::

    ```{errors}
    cant_optimize_a_non_leaf_tensor: the-tensor-is-no-leaf the-tensor-is-not-a-leaf
    ```

The sidebar does not list these pages: they would make every page of the site longer.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from lxml.html import fragment_fromstring, tostring
from sphinx.addnodes import toctree
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gradguide_site.errors.messages import INDEX, link


class ErrorsDirective(SphinxDirective):
    """Show a list of links to pages of errors."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        rows, pages = nodes.bullet_list(classes=["errors"]), []
        for line in self.content:
            name, _, anchors = line.partition(":")
            pages.append(f"{INDEX}/{name}")
            text = nodes.paragraph("", "", link(pages[-1], self.env.docname))
            rows += nodes.list_item("", text, ids=anchors.split())
        order = toctree()
        order.attributes |= {
            "includefiles": pages,
            "entries": [(None, page) for page in pages],
            "parent": self.env.docname,
            "hidden": True,
            "maxdepth": 1,
            "caption": None,
            **dict.fromkeys(("glob", "includehidden", "numbered", "titlesonly"), 0),
        }
        return [rows, nodes.compound("", order, classes=["toctree-wrapper"])]


def _shorten_sidebar(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Leave the pages of errors out of the tree that Furo makes the sidebar of."""
    whole = context["toctree"]
    index = app.builder.get_relative_uri(page, INDEX) or "#"

    def shortened(**options: Any) -> str:
        tree = fragment_fromstring(whole(**options), create_parent="div")
        for pages in tree.xpath(".//li[a[@href=$index]]/ul", index=index):
            pages.drop_tree()
        return "".join(tostring(child, encoding="unicode") for child in tree)

    context["toctree"] = shortened


def setup(app: Sphinx) -> None:
    app.add_directive("errors", ErrorsDirective)
    app.connect("html-page-context", _shorten_sidebar, priority=400)  # before Furo
