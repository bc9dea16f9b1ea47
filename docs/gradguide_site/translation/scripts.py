"""Translate the comments and the docstring of a Python script, never its code.

sphinx-gallery reads the comments below a ``# %%`` line as reStructuredText. All other
comments are remarks in plain text.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType

from gradguide_site.project import PipelineError
from gradguide_site.translation import rest

CELL = re.compile(r"# ?%%")
DIRECTIVE = re.compile(
    r"#(?:!| ?-\*-|\s*(?:sphinx_gallery_|type:|noqa|fmt:|ruff:|mypy:|pragma))"
)
"""The beginning of a comment that a program reads, which must not be translated."""


@dataclass(frozen=True)
class Passage:
    """Consecutive lines of a script that hold prose.

    Attributes:
        first: Index of the first line.
        texts: The prose on each line.
        before: What precedes the prose on each line: code, indentation, ``#``.
        after: What follows the prose on the last line: the quotes of a docstring.
        is_rest: Whether the prose is reStructuredText; otherwise it is one remark.
    """

    first: int
    texts: tuple[str, ...]
    before: tuple[str, ...]
    after: str = ""
    is_rest: bool = False

    def translated(self, gettext: rest.Translate) -> list[str]:
        """Return the lines with their prose translated."""
        rewrite = rest.rewrite if self.is_rest else _rewrite_remark
        texts = rewrite(self.texts, gettext)
        lines = [
            before + new if new == old else (before + new).rstrip()
            for before, old, new in zip(self.before, self.texts, texts, strict=True)
        ]
        lines[-1] += self.after
        return lines


def translate(source: str, gettext: rest.Translate, name: str) -> str:
    """Return a script with its prose translated; lines keep their numbers.

    ``gettext`` is called with each message, in order, as in ``rest.rewrite``. ``name``
    is the name of the script in error messages.

    Raises:
        PipelineError: The script can't be parsed, or a translation would change its
            code.
    """
    translated = _rewritten(source, gettext, name)
    if _code(source, name) != _code(translated, name):
        raise PipelineError(
            f"{name}: a translation changes its code: look for quotes or a backslash "
            "in the catalogue's docstring messages."
        )
    return translated


def messages(source: str, name: str) -> list[str]:
    """Return the messages of a script, in order."""
    with rest.collected() as (found, gettext):
        _rewritten(source, gettext, name)
    return found


def headings(source: str, name: str) -> list[str]:
    """Return the section titles of a script, in order."""
    return [
        title
        for passage in _passages(source, name)
        if passage.is_rest
        for title in rest.headings(passage.texts)
    ]


def _rewritten(source: str, gettext: rest.Translate, name: str) -> str:
    """Return a script with its prose translated; its code has not been compared."""
    lines = source.split("\n")
    for passage in _passages(source, name):
        place = slice(passage.first, passage.first + len(passage.texts))
        try:
            lines[place] = passage.translated(gettext)
        except PipelineError as error:
            raise PipelineError(f"{name}: {error}") from None
    return "\n".join(lines)


def _code(source: str, name: str) -> tuple[CodeType, list[tuple[int, int, int | None]]]:
    """Return the bytecode of a script without its docstring, and the line numbers."""
    tree = _parse(source, name)
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    code = compile(tree, name, "exec")
    return code, list(code.co_lines())


def _parse(source: str, name: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise PipelineError(
            f"{name}, line {error.lineno}: {error.msg}. Correct the script."
        ) from None


@cache
def _passages(source: str, name: str) -> tuple[Passage, ...]:
    """Find the prose of a script, in order."""
    tree = _parse(source, name)
    if ast.get_docstring(tree) is None:
        raise PipelineError(
            f"{name}: it has no docstring. Begin it with one that holds the title, "
            "a rule of = below it, and the claim."
        )
    return _docstring(source, tree), *_comments(source)


def _docstring(source: str, tree: ast.Module) -> Passage:
    node = tree.body[0]
    lines = source.split("\n")[node.lineno - 1 : node.end_lineno]
    opening = re.match(r"""[rRuU]?(?:\"\"\"|'''|"|')""", lines[0])
    assert opening  # ast has found a string here
    quotes = opening[0].lstrip("rRuU")
    before = (opening[0],) + ("",) * (len(lines) - 1)
    lines[-1] = lines[-1][: lines[-1].rindex(quotes)]
    lines[0] = lines[0].removeprefix(opening[0])
    return Passage(node.lineno - 1, tuple(lines), before, quotes, is_rest=True)


def _comments(source: str) -> Iterator[Passage]:
    """Yield each run of comment lines and each comment that follows code."""
    lines = source.split("\n")
    run: list[tuple[int, str, str]] = []  # line index, text before "#", comment
    in_cell_text = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        index = token.start[0] - 1
        before = lines[index][: token.start[1]]
        follows = run and index == run[-1][0] + 1 and before == run[-1][1]
        if not follows or CELL.match(token.string):
            yield from _passage(run, is_rest=in_cell_text)
            run, in_cell_text = [], False
        if CELL.match(token.string) and not before:
            in_cell_text = True
            run.append((index, before, ""))
        elif before.strip():
            if not DIRECTIVE.match(token.string):
                yield from _passage([(index, before, token.string)], is_rest=False)
        elif DIRECTIVE.match(token.string):
            yield from _passage(run, is_rest=in_cell_text)
            run = []
        else:
            run.append((index, before, token.string))
    yield from _passage(run, is_rest=in_cell_text)


def _passage(run: list[tuple[int, str, str]], *, is_rest: bool) -> Iterator[Passage]:
    if is_rest:
        run = run[1:]  # without the line "# %%"
    if run:
        texts, before = [], []
        for _, margin, comment in run:
            mark = "# " if comment.startswith("# ") else "#"
            texts.append(comment.removeprefix(mark))
            before.append(margin + mark)
        yield Passage(run[0][0], tuple(texts), tuple(before), is_rest=is_rest)


def _rewrite_remark(texts: Sequence[str], gettext: rest.Translate) -> list[str]:
    """Translate a remark as one message, with the same number of lines."""
    message = " ".join(text.strip() for text in texts)
    translated = gettext(message)
    if translated == message:
        return list(texts)
    lines = rest.wrap(translated, len(texts))
    return lines + [""] * (len(texts) - len(lines))
