"""List the pages of errors, and keep the addresses that their sections had before.

The directive ``errors`` takes a line for each page: its name, and the anchors that led
to its section when all errors were on one page. From such an anchor
``old_addresses.js`` goes on to the page; without JavaScript, it leads to the link::

    ```{errors}
    cant_optimize_a_non_leaf_tensor: the-tensor-is-no-leaf the-tensor-is-not-a-leaf
    ```
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gradguide_site.errors.messages import link
from gradguide_site.project import ERRORS


class ErrorsDirective(SphinxDirective):
    """Show a list of links to pages of errors."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        rows = nodes.bullet_list(classes=["errors"])
        for line in self.content:
            name, _, anchors = line.partition(":")
            page = link(f"reference/{ERRORS}/{name}", self.env.docname)
            row = nodes.list_item("", nodes.paragraph("", "", page))
            row["ids"] = anchors.split()
            rows += row
        return [rows]


def setup(app: Sphinx) -> None:
    app.add_directive("errors", ErrorsDirective)
