"""Find the prose in reStructuredText, and put other prose in its place.

Only the prose changes: indentation, bullets, directives and code stay, and so does the
**number of lines**. Line 12 of a script is line 12 of its translation, so a warning or
a traceback names the same line in every language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from docutils.utils import column_width

from gradguide_site.project import PipelineError

Translate = Callable[[str], str]

ADORNMENT = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{2,}\s*$")
BULLET = re.compile(r"(?:[-*+•]|\d+[.)]|\(\d+\)|#\.|[A-Za-z][.)])(?:\s+|$)")
DIRECTIVE = re.compile(r"\.\. (?P<name>[\w:.+-]+)::(?P<argument>.*)$")
EXPLICIT = re.compile(r"\.\.(?:\s|$)")
FIELD = re.compile(r":[^:\s`][^:`]*:(?:\s+|$)")
OPTION = re.compile(r"\s+:[\w-]+:")
SIMPLE_TABLE = re.compile(r"=+(?: +=+)+\s*$")
GRID_TABLE = re.compile(r"\+[-=+]+\+\s*$")

VERBATIM = frozenset(
    (
        *("code", "code-block", "csv-table", "default-role", "doctest", "highlight"),
        *("image", "include", "literalinclude", "math", "only", "parsed-literal"),
        *("raw", "sourcecode", "testcode", "toctree"),
    )
)
"""Directives that hold no prose."""

TITLED = frozenset(("admonition", "dropdown", "list-table", "rubric", "table", "topic"))
"""Directives whose argument is prose; other arguments are names or addresses."""

ADMONITIONS = frozenset(
    (
        *("attention", "caution", "danger", "error", "hint", "important", "note"),
        *("seealso", "tip", "warning"),
    )
)
"""Directives whose first paragraph may begin on their own line."""


def rewrite(lines: Sequence[str], translate: Translate) -> list[str]:
    """Translate each title, paragraph, list item and table of a text.

    Args:
        lines: The text, without line ends.
        translate: Called with each message, in order: a paragraph as one line, a
            table with its line ends. What it returns takes the place of the message;
            the message itself leaves its lines as they are.

    Returns:
        As many lines.

    Raises:
        PipelineError: A translated table has another number of lines.
    """
    out: list[str] = []
    while len(out) < len(lines):
        rest = lines[len(out) :]
        out += next(filter(None, (take(rest, translate) for take in _BLOCKS)))
    return out


@contextmanager
def collected() -> Iterator[tuple[list[str], Translate]]:
    """Yield a list, and a translation that changes nothing and fills it."""
    found: list[str] = []

    def collect(message: str) -> str:
        if says_something(message):
            found.append(message)
        return message

    yield found, collect


def messages(lines: Sequence[str]) -> list[str]:
    """Return the messages of a text, in order."""
    with collected() as (found, translate):
        rewrite(lines, translate)
    return found


def says_something(text: str) -> bool:
    """Tell whether there is a word in a text: something to translate."""
    return any(character.isalpha() for character in text)


def headings(lines: Sequence[str]) -> list[str]:
    """Return the section titles of a text, in order."""
    return [line.strip() for line, below in pairwise(lines) if _is_title(line, below)]


def wrap(text: str, count: int) -> list[str]:
    """Break a text into at most ``count`` lines of about the same width.

    A line ends at a space or after Chinese punctuation, never inside inline markup.
    A text too short for that many lines gets fewer; one that can't be broken stays
    whole, however long.
    """
    pieces = _breakable(text)
    whole = column_width(text)
    for width in range(max(30, whole // count), whole):
        if len(filled := _fill(pieces, width)) <= count:
            return filled
    return [text]


# Each function below takes the remaining lines and returns the new lines of the block
# that they begin with, or nothing if they begin with another kind of block.


def _blank(lines: Sequence[str], translate: Translate) -> list[str]:
    return [] if lines[0].strip() else [lines[0]]


def _doctest(lines: Sequence[str], translate: Translate) -> list[str]:
    return _paragraph_lines(lines) if lines[0].lstrip().startswith(">>> ") else []


def _table(lines: Sequence[str], translate: Translate) -> list[str]:
    if GRID_TABLE.match(lines[0].lstrip()):
        taken = _paragraph_lines(lines)
    elif SIMPLE_TABLE.match(lines[0].lstrip()):
        borders = [
            n for n, line in enumerate(lines) if SIMPLE_TABLE.match(line.strip())
        ]
        ends = [
            n for n in borders[1:] if n + 1 == len(lines) or not lines[n + 1].strip()
        ]
        taken = list(lines[: ends[0] + 1]) if ends else _paragraph_lines(lines)
    else:
        return []
    margin = _margin(lines[0])
    table = "\n".join(line[margin:] for line in taken)
    translated = translate(table)
    if translated == table:
        return taken
    if translated.count("\n") != table.count("\n"):
        raise PipelineError(
            f"a table of {len(taken)} lines is translated to "
            f"{translated.count(chr(10)) + 1}: keep one line for each line.\n{table}"
        )
    return [(" " * margin + line).rstrip() for line in translated.split("\n")]


def _explicit(lines: Sequence[str], translate: Translate) -> list[str]:
    if not EXPLICIT.match(lines[0].lstrip()):
        return []
    margin = _margin(lines[0])
    size = 1 + _hanging(lines[1:], margin)
    directive = DIRECTIVE.match(lines[0].lstrip())
    if not directive or directive["name"] in VERBATIM:
        return list(lines[:size])
    head, argument = lines[0], directive["argument"].strip()
    prefix = head[: len(head) - len(directive["argument"])] + " "
    if argument and directive["name"] in ADMONITIONS:
        return _item(lines[:size], len(prefix), translate)
    if argument and directive["name"] in TITLED:
        head = _put(head, prefix, argument, translate)
    options = 1
    while options < size and OPTION.match(lines[options]):
        options += 1
    return [head, *lines[1:options], *rewrite(lines[options:size], translate)]


def _item(lines: Sequence[str], prefix: int, translate: Translate) -> list[str]:
    """Rewrite a block whose first line begins with ``prefix`` columns of markup."""
    indent = min((_margin(line) for line in lines[1:] if line.strip()), default=prefix)
    first = " " * indent + lines[0][prefix:]
    body = rewrite([first, *lines[1:]], translate)
    return [lines[0][:prefix] + body[0][indent:], *body[1:]]


def _bullet(lines: Sequence[str], translate: Translate) -> list[str]:
    margin = _margin(lines[0])
    match = BULLET.match(lines[0][margin:]) or FIELD.match(lines[0][margin:])
    if not match:
        return []
    size = 1 + _hanging(lines[1:], margin)
    if not lines[0][margin + match.end() :].strip():
        return [lines[0], *rewrite(lines[1:size], translate)]
    return _item(lines[:size], margin + match.end(), translate)


def _title(lines: Sequence[str], translate: Translate) -> list[str]:
    overlined = _is_overlined(lines)
    if not overlined and not _is_title(*lines[:2]):
        return []
    text, line = lines[int(overlined)].strip(), lines[int(overlined) + 1]
    size = 3 if overlined else 2
    translated = translate(text)
    if translated == text:
        return list(lines[:size])
    rule = line.strip()[0] * column_width(translated)
    return [rule, translated, rule][-size:]


def _transition(lines: Sequence[str], translate: Translate) -> list[str]:
    alone = len(lines) == 1 or not lines[1].strip()
    return [lines[0]] if alone and ADORNMENT.match(lines[0]) else []


def _line_block(lines: Sequence[str], translate: Translate) -> list[str]:
    margin = _margin(lines[0])
    if not lines[0][margin:].startswith("| "):
        return []
    before, text = lines[0][: margin + 2], lines[0][margin + 2 :].strip()
    return [_put(lines[0], before, text, translate)]


def _term(lines: Sequence[str], translate: Translate) -> list[str]:
    """Take the term of a definition list: one line, and deeper ones right below."""
    margin = _margin(lines[0])
    below = "".join(lines[1:2])
    if not below.strip() or _margin(below) <= margin:
        return []
    return [_put(lines[0], " " * margin, lines[0].strip(), translate)]


def _paragraph(lines: Sequence[str], translate: Translate) -> list[str]:
    margin = _margin(lines[0])
    taken = _paragraph_lines(lines)
    text = " ".join(line.strip() for line in taken)
    translated = translate(text)
    out = list(taken)
    if translated != text:
        out = [" " * margin + line for line in wrap(translated, len(taken))]
        out += [""] * (len(taken) - len(out))
    if text.endswith("::"):  # a literal block follows
        out += lines[len(taken) : len(taken) + _hanging(lines[len(taken) :], margin)]
    return out


_BLOCKS = (
    _blank,
    _doctest,
    _table,
    _explicit,
    _title,
    _transition,
    _bullet,
    _line_block,
    _term,
    _paragraph,
)


def _put(line: str, before: str, text: str, translate: Translate) -> str:
    """Put the translation of a text in its place on a line, if there is one."""
    translated = translate(text)
    return line if translated == text else before + translated


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_title(line: str, below: str = "") -> bool:
    return bool(
        line.strip()
        and not line[0].isspace()
        and not ADORNMENT.match(line)
        and ADORNMENT.match(below)
        and not EXPLICIT.match(line)
    )


def _is_overlined(lines: Sequence[str]) -> bool:
    above, text, below = (*lines[:3], "", "")[:3]
    return bool(
        ADORNMENT.match(above) and above.strip() == below.strip() and text.strip()
    )


def _paragraph_lines(lines: Sequence[str]) -> list[str]:
    """Take lines up to the next blank one, or one that is indented otherwise."""
    size = 1
    while (
        size < len(lines)
        and lines[size].strip()
        and _margin(lines[size]) == _margin(lines[0])
    ):
        size += 1
    return list(lines[:size])


def _hanging(lines: Sequence[str], margin: int) -> int:
    """Count the lines indented more than ``margin``, and blanks between them."""
    size = 0
    for number, line in enumerate(lines, 1):
        if line.strip():
            if _margin(line) <= margin:
                break
            size = number
    return size


MARKUP = re.compile(r"(?::[\w-]+:)?(?:``.+?``|`[^`]+`_{0,2})|\*\*.+?\*\*|\*\S.*?\*")
BREAK = re.compile(r" |(?<=[，。；：、！？）」])")


def _breakable(text: str) -> list[str]:
    """Cut a text at each place where a line may end; a space stays with its left."""
    whole = [range(*match.span()) for match in MARKUP.finditer(text)]
    cuts = {
        match.end()
        for match in BREAK.finditer(text)
        if not any(match.start() in span and match.end() in span for span in whole)
    }
    ends = sorted(cuts | {0, len(text)})
    return [text[a:b] for a, b in pairwise(ends)]


def _fill(pieces: Sequence[str], width: int) -> list[str]:
    """Put pieces on lines; a new line begins where one would exceed ``width``."""
    out = [""]
    for piece in pieces:
        # A line of punctuation alone could be read as the rule below a title.
        says_something = any(character.isalnum() for character in piece)
        if (
            out[-1]
            and says_something
            and column_width(out[-1] + piece.rstrip()) > width
        ):
            out.append("")
        out[-1] += piece
    return [line.rstrip() for line in out]
