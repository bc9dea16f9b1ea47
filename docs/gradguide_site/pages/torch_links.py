"""Link to PyTorch's documentation by name: ``:torch:`torch.no_grad```.

The name is that of a page in the folder ``generated/``. A role with a title and a path,
``:torch:`Autograd mechanics <notes/autograd.html>```, links to any other page. The
setting ``torch_docs`` is the address that all these links begin with.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import ReferenceRole


def address(base: str, target: str) -> str:
    """Return the address of a name, or of the page with this path."""
    return base + (target if ".html" in target else f"generated/{target}.html")


class TorchRole(ReferenceRole):
    """Link a name, shown as code, or a title."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        is_name = re.fullmatch(r"[\w.]+(?:\(.*\))?", self.title, re.ASCII)
        title = nodes.literal(text=self.title) if is_name else nodes.Text(self.title)
        uri = address(self.config.torch_docs, self.target)
        return [nodes.reference("", "", title, refuri=uri, internal=False)], []


def _link_type(
    app: Sphinx,
    env: BuildEnvironment,
    node: addnodes.pending_xref,
    contnode: nodes.TextElement,
) -> nodes.Node | None:
    """Link a PyTorch type in a signature to the documentation of PyTorch."""
    target = re.sub(r"^torch\.nn\.modules\.\w+", "torch.nn", node.get("reftarget", ""))
    if not target.startswith("torch."):
        return None
    page = "tensors.html#torch.Tensor" if target == "torch.Tensor" else target
    uri = address(app.config.torch_docs, page)
    return nodes.reference("", "", contnode, refuri=uri, internal=False)


def setup(app: Sphinx) -> None:
    app.add_config_value("torch_docs", "", "env", types=[str])
    app.add_role("torch", TorchRole())
    app.connect("missing-reference", _link_type)
