"""Plant every fault, run its check, and print which ones were caught."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults import (
    browser,
    module,
    pages,
    project,
    scripts,
    translations,
    watch,
)
from tests.faults.fault import Fault, PlantError
from tests.faults.workspace import Outcome, Workspace

FAULTS: tuple[Fault, ...] = (
    *(scripts.FAULTS + translations.FAULTS + pages.FAULTS),
    *(browser.FAULTS + module.FAULTS + watch.FAULTS + project.FAULTS),
)
TITLES = ("kind", "fault", "check", "caught", "seconds")
TAIL = 25
"""How many of the last lines of a check are shown when it doesn't do as it should."""


@dataclass(frozen=True)
class Result:
    """A fault, and how its check ended."""

    fault: Fault
    outcome: Outcome

    @property
    def caught(self) -> str:
        """``yes``, or ``no`` and why not."""
        if self.outcome.code is None:
            return "no: stopped"
        if self.outcome.code == 0:
            return "no: passed"
        said = re.search(self.fault.pattern, self.outcome.said)
        return "yes" if said else "no: other words"

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        one, seconds = self.fault, f"{self.outcome.seconds:.1f}"
        return one.kind, one.name, one.check.name, self.caught, seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit code."""
    options = _parser().parse_args(arguments)
    words = options.k.lower()
    chosen = [f for f in FAULTS if words in f"{f.kind}: {f.name}".lower()]
    if not chosen:
        print(f"no fault has {options.k!r} in its name: see --list", file=sys.stderr)
        return 2
    if options.list:
        print(*(f"{fault.kind}: {fault.name}" for fault in chosen), sep="\n")
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix="gradguide faults ") as folder:
            results = run(chosen, Path(folder))
    except PlantError as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    caught = sum(result.caught == "yes" for result in results)
    total = f"{len(results)} faults, {caught} caught"
    rows = [TITLES, *(result.cells for result in results)]
    print("", *aligned(rows), total, sep="\n")
    if options.write:
        options.write.write_text("\n".join([*markdown(rows), "", total, ""]), "utf-8")
    return int(caught < len(results))


def run(faults: Sequence[Fault], folder: Path) -> list[Result]:
    """Run each check without a fault, and then once for each of its faults.

    Raises:
        PlantError: A check doesn't pass without a fault, a fault can't be planted, or
            something is left of one.
    """
    print(f"copying the project to {folder}", flush=True)
    workspace = Workspace(folder, {fault.check.place for fault in faults})
    for check in dict.fromkeys(fault.check for fault in faults):
        outcome = workspace.run(check)
        print(f"{outcome.seconds:6.1f} s  without a fault: {check.name}", flush=True)
        if outcome.code != 0:
            raise PlantError(f"it fails without a fault:\n{_tail(outcome)}")
    results = []
    for fault in faults:
        try:
            with workspace.planted(fault.check.place, fault.edits):
                result = Result(fault, workspace.run(fault.check))
        except PlantError as error:
            raise PlantError(f"{fault.kind}: {fault.name}: {error}") from None
        results.append(result)
        said = f"{result.outcome.seconds:6.1f} s  {result.caught}: {fault.name}"
        print(said, flush=True)
        if result.caught != "yes":
            print(f"wanted: {fault.words}\n{_tail(result.outcome)}", flush=True)
    return results


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines of plain text, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as the lines of a table in Markdown."""
    lines = ["| " + " | ".join(row).replace("[", "\\[") + " |" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


def _tail(outcome: Outcome) -> str:
    return "\n".join(outcome.said.rstrip().splitlines()[-TAIL:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("-k", default="", help="only faults with this in their name")
    parser.add_argument("--list", action="store_true", help="show names, run nothing")
    parser.add_argument("--write", type=Path, help="write the table in Markdown, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
