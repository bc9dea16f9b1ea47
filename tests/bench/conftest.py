"""Collects the measurements of the benchmarks, and writes the table of the docs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from .table import Entry, table

ENTRIES = pytest.StashKey[list[Entry]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that ``nox -s bench`` gives."""
    parser.addoption(
        "--write-table", type=Path, help="where to write the table, if all passes"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start without entries."""
    config.stash[ENTRIES] = []


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the table of a run in which every limit was kept."""
    path = session.config.getoption("--write-table")
    if path and exitstatus == pytest.ExitCode.OK:
        path.write_text(table(session.config.stash[ENTRIES]), encoding="utf-8")


@pytest.fixture
def note(pytestconfig: pytest.Config) -> Callable[[Entry], None]:
    """Put an entry into the table."""
    return pytestconfig.stash[ENTRIES].append


@pytest.fixture(autouse=True, scope="session")
def threads() -> Iterator[None]:
    """Give PyTorch every core, whatever ``OMP_NUM_THREADS`` says.

    With fewer threads the bare forward would be slower, and the ratio to it smaller.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)
