"""Link names in code after all other steps, and only on the site.

sphinx-gallery replaces code by a node for each token, before all other steps. Each of
them would go through these nodes, which takes a third of the time of a book. The links
lead to the network, so the book does without them.
"""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx_gallery._doctree_links import CodeLinksTransform


def _leave_out_of_the_book(app: Sphinx) -> None:
    if app.builder.name == "epub":
        app.registry.post_transforms.remove(CodeLinksTransform)


def setup(app: Sphinx) -> None:
    CodeLinksTransform.default_priority = 950
    app.connect("builder-inited", _leave_out_of_the_book)
