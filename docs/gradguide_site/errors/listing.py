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

from docutils import nodes
from sphinx.addnodes import toctree
from sphinx.application import Sphinx
from sphinx.builders import Builder
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


def _shorten_sidebar(app: Sphinx, builder: Builder) -> None:
    """Leave the pages of errors out of the tree that Furo makes the sidebar of.

    The book is made of the environment that Sphinx saved before, so it has them.
    """
    if builder.name == "html":
        for order in list(app.env.tocs[INDEX].findall(toctree)):
            order.parent.remove(order)


def setup(app: Sphinx) -> None:
    app.add_directive("errors", ErrorsDirective)
    app.connect("write-started", _shorten_sidebar)
