"""Show on the page of an error its full text, in the words of each version.

The name of such a page is a part of the message, in lower case and with underscores:
``cant_optimize_a_non_leaf_tensor``. The last section of the page has all messages that
fit its name: those that the scripts printed, with links to them, and those of other
versions. Sphinx warns of a page whose name fits no message, and of a message that fits
no page.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.locale import _
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from gradguide_site.errors.texts import messages, slug
from gradguide_site.project import ERRORS, chapters, script_of
from gradguide_site.running.packages import missing
from gradguide_site.running.record import new_messages, other_words, spans

INDEX = f"reference/{ERRORS}"
"""The page that lists all errors."""

OUTPUT = re.compile(
    r"^\.\. rst-class:: sphx-glr-script-out\n\n \.\. code-block:: none\n\n"
    r"((?:    .*\n|\n)+)",
    re.MULTILINE,
)
logger = logging.getLogger(__name__)


class ShowMessages(SphinxTransform):
    """Add the messages to the end of a page that explains them."""

    default_priority = 390  # before the outputs of the page are marked, at 400

    def apply(self) -> None:
        folder, _slash, name = (script_of(self.env.docname) or "").partition("/")
        if folder == ERRORS:
            parts = self._messages(name)
            if parts:
                title = nodes.title("", _("The message in each version"))
                page = next(self.document.findall(nodes.section))
                page += nodes.section("", title, *parts, ids=["messages"])

    def _messages(self, name: str) -> list[nodes.Element]:
        found = _of(name, self.env.messages)  # type: ignore[attr-defined]
        elsewhere = {t: v for t, v in new_messages().items() if name in slug(t)}
        script = Path(self.env.srcdir, ERRORS, f"{name}.py")
        # The gettext builder runs no script, and no build runs one that lacks a
        # package, so there are no messages to find.
        ran = self.env.app.builder.name != "gettext" and not missing(script)
        if ran and not found and not elsewhere:
            logger.warning(
                "no script printed a message of this name",
                location=self.env.docname,
                type="messages",
            )
        parts = [block for text in found for block in _shown(text)]
        for text, versions in elsewhere.items():
            if text not in found:
                parts += _of_versions(text, versions)
        if found and len(parts) > len(found):  # some have the name of a version
            built = {"version": self.config.html_context["torch_version"]}
            rest = _("Where no version is named, it is PyTorch %(version)s.") % built
            parts.insert(0, nodes.paragraph("", rest))
        pages = sorted({*chain(*found.values())} - {self.env.docname})
        if pages:
            parts.append(self._links(pages))
        return parts

    def _links(self, pages: list[str]) -> nodes.paragraph:
        """Name the other pages that print a message."""
        paragraph = nodes.paragraph("", _("Printed by: "))
        for number, page in enumerate(pages):
            if number:
                paragraph += nodes.Text(_(", "))
            paragraph += link(page, self.env.docname)
        return paragraph


def link(page: str, here: str) -> pending_xref:
    """Return a link from a page to another, which Sphinx gives its title."""
    return pending_xref(
        "",
        nodes.inline("", page, classes=["doc"]),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{page}",
        refdoc=here,
        refexplicit=False,
        refwarn=True,
    )


def _shown(text: str) -> Iterator[nodes.Element]:
    """Show a message, and the words that other versions have for it."""
    yield nodes.literal_block(text, text, language="none", classes=["wraps"])
    for words, versions in other_words(text).items():
        yield from _of_versions(words, versions)


def _of_versions(text: str, versions: list[str]) -> list[nodes.Element]:
    """Show a message of other versions, or that they give none."""
    named = {"versions": spans(versions)}
    if not text:
        none = _("PyTorch %(versions)s: no such message.") % named
        return [nodes.paragraph("", none)]
    label = _("PyTorch %(versions)s:") % named
    block = nodes.literal_block(text, text, language="none", classes=["wraps"])
    return [nodes.paragraph("", label), block]


def printed(tree: Path) -> dict[str, list[str]]:
    """Return each message that a script of a source tree printed, with its pages."""
    pages_of: dict[str, list[str]] = defaultdict(list)
    for path in (p for folder in chapters(tree) for p in sorted(folder.glob("*.rst"))):
        page = path.relative_to(tree).with_suffix("").as_posix()
        for output in OUTPUT.findall(path.read_text("utf-8")):
            lines = [line.removeprefix(" " * 4).rstrip() for line in output.split("\n")]
            for message in messages(lines):
                if page not in pages_of[message.text]:
                    pages_of[message.text].append(page)
    return pages_of


def _of(name: str, printed: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the messages that the page of this name explains."""
    return {text: pages for text, pages in printed.items() if name in slug(text)}


def _find_messages(
    app: Sphinx, env: BuildEnvironment, *_changes: set[str]
) -> list[str]:
    """Find all messages; return the pages of errors that show others than before."""
    old = getattr(env, "messages", {})
    env.messages = printed(Path(app.srcdir))  # type: ignore[attr-defined]
    return [
        page
        for page in env.all_docs
        if page.startswith(f"{INDEX}/")
        and _of(PurePosixPath(page).name, old)
        != _of(PurePosixPath(page).name, env.messages)  # type: ignore[attr-defined]
    ]


def _warn_of_unexplained(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each message that no page of an error explains."""
    names = [path.stem for path in Path(app.srcdir, ERRORS).glob("*.py")]
    for text, pages in env.messages.items():  # type: ignore[attr-defined]
        if names and not any(name in slug(text) for name in names):
            logger.warning(
                "%s printed a message that is not explained: %s",
                *(pages[0], text),
                type="messages",
            )


def setup(app: Sphinx) -> None:
    app.add_transform(ShowMessages)
    app.connect("env-get-outdated", _find_messages)
    app.connect("env-check-consistency", _warn_of_unexplained)
