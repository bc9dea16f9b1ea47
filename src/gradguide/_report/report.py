"""Defines the report of ``explain`` and of ``watch``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import overload

from gradguide._report.fold import Line, fold
from gradguide._report.row import Row


class Report(Sequence[Row]):
    """A sequence of rows, in the model's order.

    ``print`` shows rows with the same verdict and reason as one line. A report is equal
    to a tuple of the same rows.

    Attributes:
        notes: Further lines of the report, such as how many iterations were watched.
    """

    def __init__(self, rows: Iterable[Row] = (), notes: Iterable[str] = ()) -> None:
        """Report rows."""
        self.fill(rows, notes)

    def fill(self, rows: Iterable[Row], notes: Iterable[str] = ()) -> None:
        """Set the rows, as at the end of a watch."""
        self._rows = tuple(rows)
        self.notes = tuple(notes)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...

    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        """Return a row, or a tuple of rows."""
        return self._rows[index]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        """Whether another report or tuple has the same rows."""
        if isinstance(other, Report):
            return self._rows == other._rows
        return self._rows == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        """Return a hash of the rows."""
        return hash(self._rows)

    @property
    def problems(self) -> Report:
        """Return the rows that need your attention.

        These are all rows except ``trains``, ``frozen``, ``unknown``, and a few that
        are normal at the start of a training.
        """
        problems = _Problems(row for row in self if row.is_problem)
        problems.whole = self._whole()
        return problems

    def __str__(self) -> str:
        """Show one line for each group of rows with the same verdict and reason."""
        cells = [_cells(line) for line in self._lines()]
        a, b, c = (max((len(row[i]) for row in cells), default=0) for i in range(3))
        lines = [
            f"{verdict:<{a}}  {names:<{b}}  {numel:>{c}}  {why}".rstrip()
            for verdict, names, numel, why in cells
        ]
        return "\n".join([self._summary(), *lines, *self.notes])

    def __repr__(self) -> str:
        """Show what ``print`` shows."""
        return str(self)

    def _repr_html_(self) -> str:
        """Show a table in a notebook."""
        from html import escape

        def row(tag: str, cells: Iterable[str]) -> str:
            return "".join(
                f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
                for cell, side in zip(cells, _SIDES, strict=True)
            )

        rows = "".join(f"<tr>{row('td', _cells(line))}</tr>" for line in self._lines())
        return (
            f'<table><caption style="text-align: left">{escape(self._summary())}'
            f"</caption><thead><tr>{row('th', _TITLES)}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def _lines(self) -> list[Line]:
        return fold(self, self._whole())

    def _whole(self) -> Report:
        """Return the report that these rows were taken from, or this report."""
        return self

    def _summary(self) -> str:
        """Count the verdicts of parameters, then the verdicts of all other tensors."""
        parameters = [row for row in self if row.kind == "parameter"]
        training = sum(row.verdict == "trains" for row in parameters)
        noun = "parameter trains" if len(parameters) == 1 else "parameters train"
        text = f"{training} of {len(parameters)} {noun}"
        if training < len(parameters):
            text += f": {_counts(r for r in parameters if r.verdict != 'trains')}"
        if len(parameters) < len(self):
            text += f"; besides: {_counts(r for r in self if r.kind != 'parameter')}"
        return text


class _Problems(Report):
    """The problems of a report; the summary counts them as problems."""

    whole: Report

    def _whole(self) -> Report:
        return self.whole

    def _summary(self) -> str:
        noun = "problem" if len(self) == 1 else "problems"
        return f"{len(self)} {noun}: {_counts(self)}" if self else "no problems"


_TITLES = ("verdict", "name", "numbers", "why")
_SIDES = ("left", "left", "right", "left")


def _cells(line: Line) -> tuple[str, str, str, str]:
    row = line.row
    why = f"{row.why} at {row.where}" if row.why and row.where else row.why or row.where
    return row.verdict, line.names, f"{line.numel:,}", why


def _counts(rows: Iterable[Row]) -> str:
    """Count the verdicts, as ``2 frozen, 1 cut``."""
    counts = Counter(row.verdict for row in rows)
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
