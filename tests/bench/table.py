"""Writes what was measured as a table, with the machine it was measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

import cpuinfo
import torch


class Entry(NamedTuple):
    """One call, what it is measured against, and the limit that it keeps."""

    call: str
    network: str
    seconds: float
    against: str
    reference: float | None
    limit: str


def table(entries: list[Entry]) -> str:
    """Return the table as text; labels only, as it is shown in every language."""
    titles = ("call", "network", "ms", "against", "ms", "ratio", "limit")
    rows = [titles, *map(_cells, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*_machine(), "", *lines, ""])


def _cells(entry: Entry) -> tuple[str, ...]:
    own, other = entry.seconds, entry.reference
    compared = ("", "") if other is None else (_ms(other), f"{own / other:.2f}")
    return entry.call, entry.network, _ms(own), entry.against, *compared, entry.limit


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    numbers = {2, 4, 5}
    return [
        cell.rjust(width) if column in numbers else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _machine() -> list[str]:
    names = ("torch", "torchinfo", "torchviz")
    versions = [f"{name} {version(name)}" for name in names]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        f"date    {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"cpu     {cpuinfo.get_cpu_info()['brand_raw']}",
        f"cores   {os.cpu_count()}, torch.get_num_threads() {torch.get_num_threads()}",
        f"os      {platform.system()} {platform.machine()}",
        f"python  {python}",
        f"torch   {', '.join(versions).removeprefix('torch ')}",
    ]
