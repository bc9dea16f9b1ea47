"""Folds rows with the same verdict into lines, as ``layers.{0-31}.q_proj.*``."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gradguide._report.row import Row


class Line(NamedTuple):
    """One printed line: the folded names, the first of their rows, the sum."""

    names: str
    row: Row
    numel: int


def fold(rows: Sequence[Row], whole: Sequence[Row] = ()) -> list[Line]:
    """Return the lines for some rows, in the order in which each group begins.

    The rows of a group have the same kind, verdict, reason and line. A module whose
    rows of a kind are all in one group is written ``module.*``; names that differ in
    one number are written ``{0-31}``. If the rows are a part of a report, ``whole`` is
    that report.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = (row.kind, row.verdict, row.why, row.where)
        groups.setdefault(key, []).append(row)
    total = _count(whole or rows)
    lines = []
    for members in groups.values():
        starred = _star(members, total)
        lines += [
            Line(name, members[0], sum(row.numel for row in part))
            for name, part in _number(starred)
        ]
    return lines


def _count(rows: Iterable[Row]) -> dict[tuple[str, str], int]:
    """Count the rows of each kind in each module."""
    return Counter((row.kind, prefix) for row in rows for prefix in _prefixes(row.name))


def _star(
    members: list[Row], total: dict[tuple[str, str], int]
) -> dict[str, list[Row]]:
    """Group rows under the largest modules that hold no other rows of their kind."""
    count = _count(members)
    starred: dict[str, list[Row]] = {}
    for row in members:
        name, held = row.name, 1
        for prefix in _prefixes(row.name):
            key = (row.kind, prefix)
            if count[key] != total[key]:
                break
            # A report has a row for each parameter, but not for each buffer or tensor,
            # so only parameters make up the whole model.
            if row.kind == "parameter" and count[key] > 1:
                name = f"{prefix}.*" if prefix else "*"
            elif row.kind == "tensor" and ("parameter", prefix) in total:
                break  # the module has parameters that the rows are not about
            elif prefix and count[key] > held:
                name, held = f"{prefix}.*", count[key]
        starred.setdefault(name, []).append(row)
    return starred


def _number(starred: dict[str, list[Row]]) -> list[tuple[str, list[Row]]]:
    """Join names that differ in one number only, the outermost such number first."""
    lines = [(re.split(r"([.\[\]])", name), rows) for name, rows in starred.items()]
    depth = max((len(parts) for parts, _ in lines), default=0)
    for index in range(depth):
        joined: dict[tuple[str, ...], tuple[list[str], list[int], list[Row]]] = {}
        for parts, rows in lines:
            is_number = index < len(parts) and parts[index].isdecimal()
            key = (*parts[:index], "{}", *parts[index + 1 :]) if is_number else parts
            _, numbers, all_rows = joined.setdefault(tuple(key), (parts, [], []))
            if is_number:
                numbers.append(int(parts[index]))
            all_rows += rows
        lines = [
            (_with_numbers(parts, index, numbers), rows)
            for parts, numbers, rows in joined.values()
        ]
    return [("".join(parts), rows) for parts, rows in lines]


def _with_numbers(parts: list[str], index: int, numbers: list[int]) -> list[str]:
    if len(numbers) < 2:  # noqa: PLR2004 one number is no series
        return parts
    return [*parts[:index], f"{{{_ranges(numbers)}}}", *parts[index + 1 :]]


def _ranges(numbers: Iterable[int]) -> str:
    """Write numbers as ``0-3,5``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(
        f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs
    )


def _prefixes(name: str) -> Iterable[str]:
    """Yield the modules around a name, from the inside out; the root is empty."""
    while name:
        name = name.rpartition(".")[0]
        yield name
