"""Reports once for all processes that ``torchrun`` has started."""

from __future__ import annotations

import _thread
import json
import os
import sys
import threading
from datetime import timedelta
from typing import Any

from gradguide._report.report import Report

WAIT = timedelta(seconds=60)
"""How long the first process waits for the reports of the others, and they for it."""


class Ranks:
    """The processes of a run, of which only the first prints its report.

    It also names what is different in others. They exchange their reports by the store
    of ``torchrun``. None waits for another one before its script has ended, as the
    others may wait for it in a collective operation.
    """

    def __init__(self) -> None:
        """Find out which process this is."""
        self._rank = int(os.environ.get("RANK", "0"))
        self._count = int(os.environ.get("WORLD_SIZE", "1"))
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            self._rank, self._count = 0, 1
        # torchrun starts all processes once more after one has failed.
        self._key = f"gradguide/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
        self._text = ""
        self._compared = threading.Event()

    def tell(self, text: str, report: Report, *, is_for_all: bool = False) -> None:
        """Print a report, or send it to the first process.

        ``is_for_all`` prints it in any case, and compares nothing.
        """
        self._text = text
        if is_for_all or not self._rank:
            print(text, file=sys.stderr, flush=True)
        if self._count == 1:
            return
        said = (
            None if is_for_all else {row.name: [row.verdict, row.why] for row in report}
        )
        try:
            if self._rank:
                _store().set(f"{self._key}/{self._rank}", json.dumps(said))
            else:
                _thread.start_new_thread(self._compare_all, (said,))
        except Exception as error:  # noqa: BLE001 its type depends on the version
            self._warn(error)

    def meet(self) -> None:
        """Wait until the first process has compared all reports, before this one ends.

        Else ``torchrun`` might end the first process, as it does if another one fails.
        """
        if self._count == 1 or not self._text:
            return
        if not self._rank:
            self._compared.wait(WAIT.total_seconds() * self._count)
            return
        try:
            _store().wait([f"{self._key}/printed"], WAIT)
        except Exception:  # noqa: BLE001 its type depends on the version
            print(
                f"gradguide: rank 0 has not reported; rank {self._rank}:{self._text}",
                file=sys.stderr,
                flush=True,
            )

    def _compare_all(self, said: dict[str, list[str]] | None) -> None:
        """Print what is different in the other processes."""
        try:
            store = _store()
            for other in range(1, self._count):
                key = f"{self._key}/{other}"
                try:
                    store.wait([key], WAIT)
                except Exception:  # noqa: BLE001 its type depends on the version
                    print(f"gradguide: rank {other} sent no report", file=sys.stderr)
                    continue
                _compare(said, json.loads(store.get(key)), other)
            sys.stderr.flush()
            store.set(f"{self._key}/printed", "1")
        except Exception as error:  # noqa: BLE001 a report is worth more than its ranks
            self._warn(error)
        self._compared.set()

    def _warn(self, error: Exception) -> None:
        print(f"gradguide: other ranks are unknown: {error}", file=sys.stderr)


def _store() -> Any:  # noqa: ANN401 a TCPStore
    from torch import distributed

    stores: Any = distributed
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return stores.TCPStore(address, port, is_master=False, timeout=WAIT)


def _compare(
    first: dict[str, list[str]] | None, other: dict[str, list[str]] | None, rank: int
) -> None:
    if first is None or other is None:
        return
    for name in first | other:
        if first.get(name) != other.get(name):
            verdict = " ".join(filter(None, other.get(name, ["not there"])))
            print(f"gradguide: on rank {rank}: {name}: {verdict}", file=sys.stderr)
