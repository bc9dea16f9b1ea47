"""Holds what ``explain`` found: a row for each tensor, and the report they make."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from gradguide._fold import Line, fold


class Row(NamedTuple):
    """What is said about one tensor.

    Attributes:
        name: The name, as in ``named_parameters()`` or ``named_buffers()``; for a
            tensor of the optimizer or of nobody, the path to it.
        verdict: One word of a fixed list, such as ``trains`` or ``cut``.
        why: The reason; empty if there is nothing to say.
        where: File and line, and the module the line lies in; empty if unknown.
        numel: How many numbers the tensor holds.
        kind: ``parameter``, ``buffer``, ``optimizer`` or ``tensor``.
    """

    name: str
    verdict: str
    why: str = ""
    where: str = ""
    numel: int = 0
    kind: str = "parameter"


class Report(tuple[Row, ...]):
    """Rows in the model's order; printed, rows that say the same are one line."""

    __slots__ = ()

    @property
    def problems(self) -> Report:
        """Return the rows that surprise, which is all but ``trains`` and ``frozen``."""
        return Report(row for row in self if row.verdict not in {"trains", "frozen"})

    def __str__(self) -> str:
        """Show one line for each group of rows that say the same, aligned."""
        cells = [_cells(line) for line in fold(self)]
        widths = [max((len(row[i]) for row in cells), default=0) for i in range(3)]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    row[1].ljust(widths[1]),
                    row[2].rjust(widths[2]),
                    row[3],
                ]
            ).rstrip()
            for row in cells
        ]
        return "\n".join([_summary(self), *lines])

    def __repr__(self) -> str:
        """Show what ``print`` shows."""
        return str(self)

    def _repr_html_(self) -> str:
        """Show a table in a notebook."""
        from html import escape

        head = "".join(f"<th>{title}</th>" for title in _TITLES)
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(line))}</tr>"
            for line in fold(self)
        )
        return (
            f"<table><caption>{escape(_summary(self))}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


_TITLES = ("verdict", "name", "numbers", "why")


def _cells(line: Line) -> tuple[str, str, str, str]:
    row = line.row
    why = f"{row.why}, {row.where}" if row.why and row.where else row.why or row.where
    return row.verdict, line.names, f"{line.numel:,}", why


def _summary(rows: Report) -> str:
    """Count what the rows say, the parameters that train first."""
    parameters = [row for row in rows if row.kind == "parameter"]
    training = sum(row.verdict == "trains" for row in parameters)
    noun = "parameter trains" if len(parameters) == 1 else "parameters train"
    text = f"{training} of {len(parameters)} {noun}"
    others = Counter(row.verdict for row in rows if row.verdict != "trains")
    counts = [f"{count} {verdict}" for verdict, count in others.items()]
    return ": ".join([text, ", ".join(counts)]) if counts else text
