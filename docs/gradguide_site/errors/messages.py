"""Show each error and warning that the scripts printed, with an explanation.

The directive ``message`` shows all messages that contain its argument::

    ```{message} a leaf Variable that requires grad
    Why it is raised, and what to do.
    ```

The full text of the messages comes from the outputs of this build. Sphinx warns of a
directive that finds no message, and of a message that no directive on the page shows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from gradguide_site.project import GALLERY

OUTPUT = re.compile(
    r"^\.\. rst-class:: sphx-glr-script-out\n\n \.\. code-block:: none\n\n"
    r"((?:    .*\n|\n)+)",
    re.MULTILINE,
)
START = re.compile(r"(?:\S+\.py:\d+: )?(?=[A-Z]\w*(?:Error|Exception|Warning): \S)")
"""The part before the class of a message: nothing, or a file and a line number."""

logger = logging.getLogger(__name__)


class MessageDirective(SphinxDirective):
    """Show all messages that contain some words."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        words = " ".join(self.arguments[0].split())
        gallery = Path(self.env.srcdir, GALLERY)
        for source in gallery.glob("*/*.rst"):
            self.env.note_dependency(str(source))
        matching = {
            text: pages for text, pages in printed(gallery).items() if words in text
        }
        # The gettext builder runs no script, so there are no messages to find.
        if not matching and self.env.app.builder.name != "gettext":
            logger.warning(
                "no script printed a message with the words %r",
                words,
                location=self.get_location(),
                type="messages",
            )
        blocks = [
            nodes.literal_block(text, text, language="none", classes=["wraps"])
            for text in matching
        ]
        pages = sorted(set(chain(*matching.values())))
        label = nodes.inline("", _("Printed by: "))
        links, _messages = self.parse_inline(
            _(", ").join(f"{{doc}}`/{page}`" for page in pages)
        )
        parts = [
            *blocks,
            *self.parse_content_to_nodes(),
            nodes.paragraph("", "", label, *links),
        ]
        return [nodes.container("", *parts, classes=["message"], texts=list(matching))]


def printed(gallery: Path) -> dict[str, list[str]]:
    """Return each message that a script printed, with the pages that show it."""
    pages_of: dict[str, list[str]] = defaultdict(list)
    for path in sorted(gallery.glob("*/*.rst")):
        page = f"{GALLERY}/{path.parent.name}/{path.stem}"
        for output in OUTPUT.findall(path.read_text("utf-8")):
            lines = [line.removeprefix(" " * 4).rstrip() for line in output.split("\n")]
            for message in messages(lines):
                if page not in pages_of[message.text]:
                    pages_of[message.text].append(page)
    return pages_of


@dataclass(frozen=True)
class Message:
    """An error or a warning in an output.

    Attributes:
        text: Its text, without the file and line that a warning begins with.
        lines: The numbers of its first line and of the line after its last.
        is_warning: Whether it is a warning.
    """

    text: str
    lines: tuple[int, int]
    is_warning: bool


def messages(lines: list[str]) -> Iterator[Message]:
    """Yield the messages in the lines of one output.

    A warning begins with a file and a line number and ends with that line of code.
    Any other message is one line.
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


def _warn_of_unexplained(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of each message that is missing on a page of messages."""
    containers = doctree.findall(nodes.container)
    explained: set[str] = set().union(*(node.get("texts", ()) for node in containers))
    if not explained:
        return
    for text, pages in printed(Path(app.srcdir, GALLERY)).items():
        if text not in explained:
            logger.warning(
                "%s printed a message that is not explained: %s",
                pages[0],
                text,
                location=doctree,
                type="messages",
            )


def setup(app: Sphinx) -> None:
    app.add_directive("message", MessageDirective)
    app.connect("doctree-read", _warn_of_unexplained)
