"""Find the prose in reStructuredText and replace it with its translation.

A translation has the **same number of lines** as its source. Line 12 of a script is
line 12 of its translation, so a warning or a traceback names the same line in every
language.

A text may have titles, paragraphs, lists with ``-``, and comments. Any other block is
an error, because this module can't tell its prose from its markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise

from docutils.utils import column_width

from gradguide_site.project import PipelineError

Translate = Callable[[str], str]

RULE = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{2,}\s*$")
COMMENT = re.compile(r"\.\. (?!_|\[|\||[\w:.+-]+::)")
REFUSED = re.compile(
    r"\s|\.\. |>>> |\| |\+[-=]|=+ +=|:[^:`\s][^:`]*:(?:\s|$)|[*+•] |\(?[\d#]+[.)] "
)
"""The beginning of a block that is not a title, a paragraph, a list or a comment."""


def rewrite(lines: Sequence[str], translate: Translate) -> list[str]:
    """Translate each title, paragraph and list item of a text.

    Args:
        lines: The text, without line ends.
        translate: Called with each message, in order; a paragraph is one message on
            one line. If it returns the message itself, the lines are not changed.

    Returns:
        The translated text, with the same number of lines.

    Raises:
        PipelineError: The text has markup of another kind.
    """
    new: list[str] = []
    while len(new) < len(lines):
        rest = lines[len(new) :]
        if not rest[0].strip():
            new.append(rest[0])
        elif COMMENT.match(rest[0]):
            new += rest[: 1 + _indented(rest[1:])]
        elif rest[0].startswith("- "):
            new += _list_item(rest[: 1 + _indented(rest[1:])], translate)
        elif is_title(*rest[:2]):
            new += _title(rest[0], rest[1], translate)
        else:
            new += _paragraph(rest, translate)
    return new


@contextmanager
def collected() -> Iterator[tuple[list[str], Translate]]:
    """Yield a list of messages and a ``Translate`` function that fills it.

    The function returns each message unchanged.
    """
    messages: list[str] = []

    def collect(message: str) -> str:
        if has_words(message):
            messages.append(message)
        return message

    yield messages, collect


def messages(lines: Sequence[str]) -> list[str]:
    """Return the messages of a text, in order."""
    with collected() as (found, translate):
        rewrite(lines, translate)
    return found


def has_words(text: str) -> bool:
    """Whether a text has a letter; if not, there is nothing to translate."""
    return any(character.isalpha() for character in text)


def headings(lines: Sequence[str]) -> list[str]:
    """Return the section titles of a text, in order."""
    return [line.strip() for line, below in pairwise(lines) if is_title(line, below)]


def is_title(line: str, below: str = "") -> bool:
    """Whether a line is a title, which has a rule on the line below."""
    starts_text = bool(line.strip()) and not line[0].isspace()
    return starts_text and bool(RULE.match(below)) and not RULE.match(line)


def wrap(text: str, count: int) -> list[str]:
    """Break a text into at most ``count`` lines of about the same width.

    Lines are broken at spaces and after Chinese punctuation, but not inside inline
    markup. A short text gets fewer lines; one that can't be broken stays on one line.
    """
    pieces = _breakable(text)
    whole = column_width(text)
    for width in range(max(30, whole // count), whole):
        if len(filled := _fill(pieces, width)) <= count:
            return filled
    return [text]


def _list_item(lines: Sequence[str], translate: Translate) -> list[str]:
    first, *others = rewrite([line[2:] for line in lines], translate)
    return [f"- {first}", *(f"  {line}".rstrip() for line in others)]


def _title(text: str, rule: str, translate: Translate) -> list[str]:
    translated = translate(text.strip())
    if translated == text.strip():
        return [text, rule]
    return [translated, rule.strip()[0] * column_width(translated)]


def _paragraph(lines: Sequence[str], translate: Translate) -> list[str]:
    size = next((n for n, line in enumerate(lines) if not line.strip()), len(lines))
    text = " ".join(line.strip() for line in lines[:size])
    is_refused = REFUSED.match(lines[0]) or RULE.match(lines[0]) or text.endswith("::")
    if is_refused or any(line[:1].isspace() for line in lines[:size]):
        raise PipelineError(
            f"this kind of block can't be translated: {lines[0]!r}. Use titles, "
            "paragraphs, lists with `- ` and comments."
        )
    translated = translate(text)
    if translated == text:
        return list(lines[:size])
    new = wrap(translated, size)
    return new + [""] * (size - len(new))


def _indented(lines: Sequence[str]) -> int:
    """Count the indented lines at the beginning, with the blank lines between them."""
    size = 0
    for number, line in enumerate(lines, 1):
        if line.strip():
            if not line[0].isspace():
                break
            size = number
    return size


MARKUP = re.compile(r"(?::[\w-]+:)?(?:``.+?``|`[^`]+`_{0,2})|\*\*.+?\*\*|\*\S.*?\*")
BREAK = re.compile(r" |(?<=[，。；：、！？）」])")


def _breakable(text: str) -> list[str]:
    """Cut a text where a line may end; a space stays at the end of its piece."""
    unbroken = [range(*match.span()) for match in MARKUP.finditer(text)]
    cuts = {
        match.end()
        for match in BREAK.finditer(text)
        if not any(match.start() in span and match.end() in span for span in unbroken)
    }
    ends = sorted(cuts | {0, len(text)})
    return [text[a:b] for a, b in pairwise(ends)]


_columns = cache(column_width)


def _fill(pieces: Sequence[str], width: int) -> list[str]:
    """Join pieces to lines of at most ``width`` columns."""
    lines, used = [""], 0
    for piece in pieces:
        is_full = used + _columns(piece.rstrip()) > width
        # docutils could read a line of punctuation alone as the rule of a title.
        has_text = any(character.isalnum() for character in piece)
        if lines[-1] and is_full and has_text:
            lines.append("")
            used = 0
        lines[-1] += piece
        used += _columns(piece)
    return [line.rstrip() for line in lines]
