"""Show each error and warning that the scripts printed, with an explanation.

The directive ``message`` shows all messages that contain its argument::

    ```{message} a leaf Variable that requires grad
    Why it is raised, and what to do.
    ```

The full text of the messages comes from the outputs of this build, the words of other
versions from the record. With ``:elsewhere:``, a message that only other versions give
is enough. Sphinx warns of a directive that finds no message, and of a message that no
directive on the page shows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from gradguide_site.errors.texts import messages
from gradguide_site.project import GALLERY
from gradguide_site.running.record import new_messages, other_words, spans

OUTPUT = re.compile(
    r"^\.\. rst-class:: sphx-glr-script-out\n\n \.\. code-block:: none\n\n"
    r"((?:    .*\n|\n)+)",
    re.MULTILINE,
)
logger = logging.getLogger(__name__)


class MessageDirective(SphinxDirective):
    """Show all messages that contain some words."""

    required_arguments = 1
    option_spec: ClassVar = {"elsewhere": directives.flag}
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
        elsewhere = new_messages(words) if "elsewhere" in self.options else {}
        # The gettext builder runs no script, so there are no messages to find.
        is_run = self.env.app.builder.name != "gettext"
        if is_run and not matching and not elsewhere:
            logger.warning(
                "no script printed a message with the words %r",
                words,
                location=self.get_location(),
                type="messages",
            )
        blocks = [block for text in matching for block in _shown(text)]
        for text, versions in elsewhere.items():
            if text not in matching:
                blocks += _of_versions(text, versions)
        parts = [*blocks, *self.parse_content_to_nodes()]
        pages = sorted(set(chain(*matching.values())))
        if pages:
            label = nodes.inline("", _("Printed by: "))
            links, _messages = self.parse_inline(
                _(", ").join(f"{{doc}}`/{page}`" for page in pages)
            )
            parts.append(nodes.paragraph("", "", label, *links))
        return [nodes.container("", *parts, classes=["message"], texts=list(matching))]


def _shown(text: str) -> Iterator[nodes.Element]:
    """Show a message, and the words that other versions have for it."""
    yield nodes.literal_block(text, text, language="none", classes=["wraps"])
    for words, versions in other_words(text).items():
        yield from _of_versions(words, versions)


def _of_versions(text: str, versions: list[str]) -> list[nodes.Element]:
    """Show a message of other versions, or that they give none."""
    named = {"versions": spans(versions)}
    if not text:
        missing = _("PyTorch %(versions)s: no such message.") % named
        return [nodes.paragraph("", missing)]
    label = _("PyTorch %(versions)s:") % named
    block = nodes.literal_block(text, text, language="none", classes=["wraps"])
    return [nodes.paragraph("", label), block]


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
