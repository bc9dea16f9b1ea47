"""Translate a Python script: its comments and its docstring, never its code.

A script is laid out as sphinx-gallery reads it: comments below a ``# %%`` line are
prose in reStructuredText; all others are remarks on the code around them.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from gradguide_site.project import PipelineError
from gradguide_site.translation import rest

CELL = re.compile(r"# ?%%")
SETTING = re.compile(
    r"#(?:!| ?-\*-|\s*(?:sphinx_gallery_|type:|noqa|fmt:|ruff:|mypy:|pragma))"
)
"""Comments that are read by programs."""


@dataclass(frozen=True)
class Passage:
    """Lines of a script that hold prose, and how that prose is written there."""

    first: int
    """Index of its first line."""
    texts: tuple[str, ...]
    """The prose on each of its lines, without the markup around it."""
    before: tuple[str, ...]
    """What stands before the prose on each line: code, indentation, ``#``."""
    after: str = ""
    """What stands behind the prose on the last line: the quotes of a docstring."""
    is_rest: bool = False
    """Whether it is reStructuredText, or one remark."""

    def rewritten(self, translate: rest.Translate) -> Iterator[str]:
        """Yield its lines with other prose."""
        if self.is_rest:
            texts = rest.rewrite(self.texts, translate)
        else:
            texts = _rewrite_remark(self.texts, translate)
        for n, (before, old, new) in enumerate(
            zip(self.before, self.texts, texts, strict=True), 1
        ):
            line = before + new
            kept = line if new == old else line.rstrip()
            yield kept + (self.after if n == len(texts) else "")


def translate(source: str, gettext: rest.Translate, name: str) -> str:
    """Return a script with its prose translated, line for line.

    Args:
        source: The script.
        gettext: Called with each message, in order; see ``rest.rewrite``.
        name: What to call the script in an error.

    Raises:
        PipelineError: The script can't be parsed, or a translation would change its
            code.
    """
    lines = source.split("\n")
    for passage in _passages(source, name):
        place = slice(passage.first, passage.first + len(passage.texts))
        try:
            lines[place] = passage.rewritten(gettext)
        except PipelineError as error:
            raise PipelineError(f"{name}: {error}") from None
    translated = "\n".join(lines)
    if _code(source, name) != _code(translated, name):
        raise PipelineError(
            f"{name}: a translation changes its code: look for quotes or a backslash "
            "in the catalogue's docstring messages."
        )
    return translated


def messages(source: str, name: str) -> list[str]:
    """Return what there is to translate in a script, in order."""
    with rest.collected() as (found, gettext):
        translate(source, gettext, name)
    return found


def headings(source: str, name: str) -> list[str]:
    """Return the section titles of a script, in order."""
    return [
        title
        for passage in _passages(source, name)
        if passage.is_rest
        for title in rest.headings(passage.texts)
    ]


def _code(source: str, name: str) -> str:
    """Return all that a script does, with the position of each piece."""
    tree = _parse(source, name)
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    return ast.dump(tree, include_attributes=True)


def _parse(source: str, name: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise PipelineError(
            f"{name}, line {error.lineno}: {error.msg}. Correct the script."
        ) from None


def _passages(source: str, name: str) -> list[Passage]:
    """Find the prose of a script, in order."""
    tree = _parse(source, name)
    if ast.get_docstring(tree) is None:
        raise PipelineError(
            f"{name}: it has no docstring. Begin it with one that holds the title, "
            "a rule of = below it, and the claim."
        )
    return [_docstring(source, tree), *_comments(source)]


def _docstring(source: str, tree: ast.Module) -> Passage:
    node = tree.body[0]
    lines = source.split("\n")[node.lineno - 1 : node.end_lineno]
    opening = re.match(r"""[rRuU]?(?:\"\"\"|'''|"|')""", lines[0])
    assert opening  # it is a string: ast says so
    quotes = opening[0].lstrip("rRuU")
    before = (opening[0],) + ("",) * (len(lines) - 1)
    lines[-1] = lines[-1][: lines[-1].rindex(quotes)]
    lines[0] = lines[0].removeprefix(opening[0])
    return Passage(node.lineno - 1, tuple(lines), before, quotes, is_rest=True)


def _comments(source: str) -> Iterator[Passage]:
    """Yield runs of comment lines, and each comment behind code."""
    lines = source.split("\n")
    run: list[tuple[int, str, str]] = []  # index of the line, before "#", comment
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
            if not SETTING.match(token.string):
                yield from _passage([(index, before, token.string)], is_rest=False)
        elif SETTING.match(token.string):
            yield from _passage(run, is_rest=in_cell_text)
            run = []
        else:
            run.append((index, before, token.string))
    yield from _passage(run, is_rest=in_cell_text)


def _passage(run: list[tuple[int, str, str]], *, is_rest: bool) -> Iterator[Passage]:
    if is_rest:
        run = run[1:]  # the line of the cell mark itself
    if run:
        texts, before = [], []
        for _, margin, comment in run:
            mark = "# " if comment.startswith("# ") else "#"
            texts.append(comment.removeprefix(mark))
            before.append(margin + mark)
        yield Passage(run[0][0], tuple(texts), tuple(before), is_rest=is_rest)


def _rewrite_remark(texts: tuple[str, ...], gettext: rest.Translate) -> list[str]:
    """Translate a remark as one message, on as many lines."""
    message = " ".join(text.strip() for text in texts)
    translated = gettext(message)
    if translated == message:
        return list(texts)
    lines = rest.wrap(translated, len(texts))
    return lines + [""] * (len(texts) - len(lines))
