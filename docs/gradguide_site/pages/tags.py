"""Tag the cards of the gallery, so that ``tags.js`` can filter them.

The tags of a script are derived from its code, so they are correct, and the same in
every language.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
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
"""The name of each tag, and a pattern of code that gets it."""

INDEX = f"{GALLERY}/index"
"""The page with the cards of all scripts."""

CARD = '<div class="sphx-glr-thumbcontainer"'

EMPTY_LIST = "sphx-glr-tag-list"
"""The class of sphinx-gallery's empty tag lists, which have the same ``id``."""


def tags(script: str) -> list[str]:
    """Return the tags of a script. Docstrings and comments don't count."""
    code = re.sub(r'^"""(?s:.*?)"""|^ *#.*$', "", script, flags=re.MULTILINE)
    return [tag for tag, pattern in TAGS.items() if re.search(pattern, code)]


class TagCards(SphinxPostTransform):
    """Add the tags to each card, and a button for each tag above the chapters."""

    default_priority = 800  # Sphinx has resolved the links of the cards
    builders = ("html",)

    def run(self, **_: object) -> None:
        if self.env.docname != INDEX:
            return
        card, used = None, set()
        for node in list(self.document.findall()):
            if isinstance(node, nodes.raw) and CARD in node.astext():
                card = node
            elif isinstance(node, nodes.raw) and EMPTY_LIST in node.astext():
                node.parent.remove(node)
            elif isinstance(node, nodes.reference) and card:
                linked = PurePosixPath(GALLERY, node["refuri"]).with_suffix("")
                names = self.env.tags[str(linked)]  # type: ignore[attr-defined]
                used.update(names)
                value = escape(" ".join(names))
                tagged = card.astext().replace(CARD, f'{CARD} data-tags="{value}"')
                card.parent.replace(card, nodes.raw("", tagged, format="html"))
                card = None
        page, *chapters = self.document.findall(nodes.section)
        if chapters:
            buttons = nodes.raw("", self._filter(used), format="html")
            page.insert(page.index(chapters[0]), buttons)

    def _filter(self, used: set[str]) -> str:
        buttons = "\n".join(
            f'<button type="button" aria-pressed="false">{escape(tag)}</button>'
            for tag in TAGS
            if tag in used
        )
        label = escape(_("Show the pages whose code uses"))
        count = escape(_("Pages shown:"))
        return (
            f'<div class="tags" role="group" aria-label="{label}">\n'
            f"<p>{label}</p>\n{buttons}\n"
            f'<p role="status"><span>{count}</span> <output></output></p>\n</div>'
        )


def _find_tags(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], _: set[str]
) -> list[str]:
    """Find the tags of new and changed scripts; return the gallery if one changed."""
    old = getattr(env, "tags", {})
    new = dict(old)
    for page in added | changed:
        script = Path(app.srcdir, page.replace(GALLERY, SCRIPTS, 1)).with_suffix(".py")
        if page.startswith(f"{GALLERY}/") and script.exists():
            new[page] = tags(script.read_text("utf-8"))
    env.tags = new  # type: ignore[attr-defined]
    return [INDEX] if new != old else []


def setup(app: Sphinx) -> None:
    app.add_post_transform(TagCards)
    app.connect("env-get-outdated", _find_tags)
