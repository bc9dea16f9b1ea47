"""Fold the code of the cells that a script tags with ``hide-input``.

Jupytext and Jupyter Book use the same tag::

    # %% tags=["hide-input"]
    # The figure shows ...
    import matplotlib.pyplot as plt

The text and the output of such a cell stay visible. The code is in a closed
``details`` element, which opens without JavaScript.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.transforms.post_transforms import SphinxPostTransform

from gradguide_site.project import script_of, staged_as

LINES = re.compile(r"GENERATED FROM PYTHON SOURCE LINES (\d+)-\d+")
"""The comment that sphinx-gallery writes before each block of a script."""
TAGGED = re.compile(r"""# ?%%.*tags=\[[^]]*["']hide-input["']""")


class FoldedCode(SphinxPostTransform):
    """Put the code of tagged cells into ``details`` elements, on the site only."""

    default_priority = 4  # sphinx-gallery puts links into the code at 5
    builders = ("html",)

    def run(self, **_kwargs: object) -> None:
        script = script_of(self.env.docname)
        if not script:
            return
        path = Path(self.env.srcdir, staged_as(Path(f"{script}.py")))
        lines = path.read_text("utf-8").split("\n")
        for comment in list(self.document.findall(nodes.comment)):
            place = LINES.match(comment.astext())
            block = comment.next_node(siblings=True, descend=False)
            if place and isinstance(block, nodes.literal_block):
                above = (line for line in reversed(lines[: int(place[1])]))
                header = next((line for line in above if line.startswith("# %%")), "")
                if TAGGED.match(header):
                    _fold(block)


def _fold(block: nodes.literal_block) -> None:
    count = len(block.astext().strip().split("\n"))
    label = escape(_("Show the code (%(count)d lines)") % {"count": count})
    opening = f'<details class="folded"><summary>{label}</summary>'
    place = block.parent.index(block)
    closing = nodes.raw("", "</details>", format="html")
    block.parent.insert(place + 1, closing)
    block.parent.insert(place, nodes.raw("", opening, format="html"))


def setup(app: Sphinx) -> None:
    app.add_post_transform(FoldedCode)
