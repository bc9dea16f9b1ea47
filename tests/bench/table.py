"""Writes the measurements as a table, with the machine they were made on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import zip_longest
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
    """Return the table as text; labels only, as it is shown in every language.

    The ratio is on the left, where a phone shows it without scrolling. To leave room
    for it, the name of the network is in a line above the calls.
    """
    networks = dict.fromkeys(entry.network for entry in entries)
    rows: list[tuple[str, ...]] = [("call", "ratio", "limit", "ms", "base ms", "base")]
    for network in networks:
        rows += [("",), (network,)] if network else [("",)]
        rows += [_cells(entry) for entry in entries if entry.network == network]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    lines[1] = "-" * max(map(len, lines))
    return "\n".join([*_machine(), "", *lines, ""])


def _cells(entry: Entry) -> tuple[str, ...]:
    own, base = entry.seconds, entry.reference
    ratio, base_ms = ("", "") if base is None else (f"{own / base:.2f}", _ms(base))
    return f"  {entry.call}", ratio, entry.limit, _ms(own), base_ms, entry.against


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    numbers = {1, 3, 4}
    return [
        cell.rjust(width) if column in numbers else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=False))
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
