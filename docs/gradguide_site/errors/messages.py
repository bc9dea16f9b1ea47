"""Show the errors and warnings that the scripts printed, each beside what to do.

On a page, the directive ``message`` finds all messages that have its words::

    ```{message} a leaf Variable that requires grad
    Why it is raised, and what to do.
    ```

So their text is collected from this build, and whole. A message that no directive on
the page finds is a warning, and so is a directive that finds none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

GALLERY = "gallery"
OUTPUT = re.compile(
    r"^\.\. rst-class:: sphx-glr-script-out\n\n \.\. code-block:: none\n\n"
    r"((?:    .*\n|\n)+)",
    re.MULTILINE,
)
START = re.compile(r"(?:\S+\.py:\d+: )?(?=[A-Z]\w*(?:Error|Exception|Warning): \S)")
"""What a message begins with, before the name of its class."""

logger = logging.getLogger(__name__)


class MessageDirective(SphinxDirective):
    """Show all messages in which some words occur."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        words = " ".join(self.arguments[0].split())
        gallery = Path(self.env.srcdir, GALLERY)
        for source in gallery.glob("*/*.rst"):
            self.env.note_dependency(str(source))
        places = printed(gallery)
        found = {text: pages for text, pages in places.items() if words in text}
        if not found:
            self._warn(f"no script printed a message with the words {words!r}")
        shown = [
            nodes.literal_block(text, text, language="none", classes=["wraps"])
            for text in found
        ]
        pages = sorted({page for pages in found.values() for page in pages})
        where = nodes.paragraph("", "", nodes.inline("", _("Printed by: ")))
        for number, page in enumerate(pages):
            where += [nodes.Text(_(", "))] if number else []
            where += self._link(page)
        parts = [*shown, *self.parse_content_to_nodes(), where]
        return [nodes.container("", *parts, classes=["message"], texts=list(found))]

    def _link(self, page: str) -> nodes.Node:
        words = nodes.inline(classes=["xref", "std", "std-doc"])
        return addnodes.pending_xref(
            "",
            words,
            refdomain="std",
            reftype="doc",
            reftarget=f"/{page}",
            refdoc=self.env.docname,
            refexplicit=False,
            refwarn=True,
        )

    def _warn(self, problem: str) -> None:
        if self.env.app.builder.name != "gettext":  # which runs no script
            logger.warning("%s", problem, location=self.get_location(), type="messages")


def printed(gallery: Path) -> dict[str, list[str]]:
    """Return each message that a script printed, with the pages that show it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(gallery.glob("*/*.rst")):
        page = PurePosixPath(GALLERY, path.parent.name, path.stem)
        for output in OUTPUT.findall(path.read_text("utf-8")):
            lines = [line.removeprefix(" " * 4).rstrip() for line in output.split("\n")]
            for message in messages(lines):
                if str(page) not in found[message.text]:
                    found[message.text].append(str(page))
    return found


@dataclass(frozen=True)
class Message:
    """An error or a warning in an output.

    Attributes:
        text: What it says, without the place that it was given for.
        lines: Where it stands: the first line, and the one after the last.
        is_warning: Whether it is one.
    """

    text: str
    lines: tuple[int, int]
    is_warning: bool


def messages(lines: list[str]) -> Iterator[Message]:
    """Yield the messages among the lines of one output.

    A warning that Python shows begins with a place and ends with the line of code that
    it was given for. Any other message is one line.
    """
    for number, line in enumerate(lines):
        start = START.match(line)
        if not start:
            continue
        end = quoted = number + 1
        if start[0]:
            while end < len(lines) and not lines[end].startswith("  "):
                end += 1
            quoted = min(end + 1, len(lines))
        text = "\n".join([line[start.end() :], *lines[number + 1 : end]])
        yield Message(text, (number, quoted), "Warning: " in line)


def _warn_of_others(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of each message that a page of messages lacks."""
    explained = [
        node["texts"] for node in doctree.findall(nodes.container) if "texts" in node
    ]
    shown = set().union(*explained)
    if not shown:
        return
    for text, pages in printed(Path(app.srcdir, GALLERY)).items():
        if text not in shown:
            logger.warning(
                "%s printed a message that is not explained: %s",
                pages[0],
                text,
                location=doctree,
                type="messages",
            )


def setup(app: Sphinx) -> None:
    app.add_directive("message", MessageDirective)
    app.connect("doctree-read", _warn_of_others)
