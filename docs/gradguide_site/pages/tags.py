"""Filter the cards of the gallery by what their scripts use.

A script's tags are not typed: they are the names that occur in its code. So they are
the same in every language, and right. ``tags.js`` does the filtering.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.transforms.post_transforms import SphinxPostTransform

from gradguide_site.project import GALLERY, SCRIPTS

TAGS = {
    "requires_grad_()": r"\brequires_grad_\(",
    "detach()": r"\.detach_?\(",
    "no_grad()": r"\bno_grad\b",
    "inference_mode()": r"\binference_mode\b",
    "eval()": r"\.eval\(\)",
    "clone()": r"\.clone\(",
    "autograd.grad": r"\bautograd\.grad\(",
    "autograd.Function": r"\bautograd\.Function\b",
    "optim": r"\boptim\.\w",
    "weight_decay": r"\bweight_decay\b",
    "zero_grad()": r"\bzero_grad\(",
    "state_dict()": r"\.state_dict\(",
    "hooks": r"_hooks?\(|\bremove_hook\b",
    "BatchNorm": r"BatchNorm",
    "Dropout": r"\b[Dd]ropout",
    "Embedding": r"Embedding",
    "Transformer": r"Transformer|Attention",
    "distributed": r"\bdistributed\b",
    "torch.func": r"\bfunc\b",
    "torch.compile": r"\btorch\.(?:compile|jit|export|fx)\b",
    "gradguide": r"\bgradguide\b",
    "RuntimeError": r"\bRuntimeError\b",
}
"""What a tag is called, and the code that earns it."""

CARD = '<div class="sphx-glr-thumbcontainer"'

EMPTY = "sphx-glr-tag-list"
"""The class of sphinx-gallery's own place for buttons, whose id is there twice."""


def tags(script: str) -> list[str]:
    """Return the tags that the code of a script earns."""
    code = re.sub(r'^"""(?s:.*?)"""|^ *#.*$', "", script, flags=re.MULTILINE)
    return [tag for tag, pattern in TAGS.items() if re.search(pattern, code)]


class TagCards(SphinxPostTransform):
    """Tell each card its tags, and put a button for each tag above the chapters."""

    default_priority = 800  # when the links of the cards are known
    builders = ("html",)

    def run(self, **_: object) -> None:
        if self.env.docname != f"{GALLERY}/index":
            return
        card, given = None, set()
        for node in list(self.document.findall()):
            if isinstance(node, nodes.raw) and CARD in node.astext():
                card = node
            elif isinstance(node, nodes.raw) and EMPTY in node.astext():
                node.parent.remove(node)
            elif isinstance(node, nodes.reference) and card:
                page = PurePosixPath(node["refuri"]).with_suffix(".py")
                found = tags(Path(self.env.srcdir, SCRIPTS, page).read_text("utf-8"))
                given.update(found)
                words = escape(" ".join(found))
                tagged = card.astext().replace(CARD, f'{CARD} data-tags="{words}"')
                card.parent.replace(card, nodes.raw("", tagged, format="html"))
                card = None
        chapters = list(self.document.findall(nodes.section))[1:]
        if chapters:
            chapters[0].parent.insert(
                chapters[0].parent.index(chapters[0]),
                nodes.raw("", self._filter(given), format="html"),
            )

    def _filter(self, given: set[str]) -> str:
        buttons = "\n".join(
            f'<button type="button" aria-pressed="false">{escape(tag)}</button>'
            for tag in TAGS
            if tag in given
        )
        label = escape(_("Show the pages whose code uses"))
        found = escape(_("Pages shown:"))
        return (
            f'<div class="tags" role="group" aria-label="{label}">\n'
            f"<p>{label}</p>\n{buttons}\n"
            f'<p role="status"><span>{found}</span> <output></output></p>\n</div>'
        )


def setup(app: Sphinx) -> None:
    app.add_post_transform(TagCards)
