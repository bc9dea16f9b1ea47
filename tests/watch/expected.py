"""Reads from the docstring of a program what a right report says of it."""

import ast
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple


class Expected(NamedTuple):
    """A row of a right report."""

    verdict: str
    names: str
    why: str
    lines: frozenset[str]
    is_problem: bool
    is_required: bool = True

    def fits(self, row: dict[str, Any]) -> bool:
        """Whether a row says this."""
        place = row["where"].partition(" in ")[0]
        return (
            row["verdict"] == self.verdict
            and row["is_problem"] == self.is_problem
            and fnmatchcase(row["name"], self.names)
            and self.why in row["why"]
            and (not self.lines or place in self.lines)
        )


def expected(script: Path) -> list[Expected]:
    """Return the rows that the lines ``Expect:`` and ``Expect row:`` describe."""
    text = ast.get_docstring(ast.parse(script.read_text("utf-8"))) or ""
    rows = []
    for line in text.splitlines():
        head, _, rest = line.partition(":")
        if head in {"Expect", "Expect row", "Allow"}:
            verdict, names, why, *marker = [part.strip() for part in rest.split(";")]
            lines = _marked(script, marker[0]) if marker and marker[0] else ()
            rows.append(
                Expected(
                    verdict,
                    names,
                    why,
                    frozenset(lines),
                    is_problem=head != "Expect row",
                    is_required=head != "Allow",
                )
            )
    return rows


def raises(script: Path) -> str:
    """Return the words of the error that a program ends with, or an empty text."""
    return _words(script, "Raises:")


def note(script: Path) -> str:
    """Return the words of a note of a right report, or an empty text."""
    return _words(script, "Note:")


def _words(script: Path, head: str) -> str:
    text = ast.get_docstring(ast.parse(script.read_text("utf-8"))) or ""
    lines = [line for line in text.splitlines() if line.startswith(head)]
    return lines[0].removeprefix(head).strip() if lines else ""


def _marked(script: Path, marker: str) -> list[str]:
    """Return the lines that end with a marker, in a program and what it imports."""
    found = []
    folder = script.parent
    for file in sorted(folder.rglob("*.py")):
        if file != script and "\nExpect" in file.read_text("utf-8"):
            continue  # another program
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.rstrip().endswith(marker):
                found += [f"{file.name}:{number}"]
                found += [f"{file.relative_to(folder).as_posix()}:{number}"]
    return found


def compare(script: Path, rows: list[dict[str, Any]]) -> None:
    """Assert that a report has each row that is expected, and no other problem."""
    right = expected(script)
    for one in (one for one in right if one.is_required):
        assert any(one.fits(row) for row in rows), (one, rows)
    for row in rows:
        if row["is_problem"]:
            assert any(one.fits(row) for one in right), row
