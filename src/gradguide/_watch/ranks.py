"""Reports once for all processes that ``torchrun`` has started."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

from gradguide._report.report import Report

WAIT = timedelta(seconds=60)
"""How long the first process waits for the reports of the others, and they for it."""


def together(text: str, report: Report) -> None:
    """Print a report; of several processes only the first prints.

    It also names what is different in others. They exchange their reports by the store
    of ``torchrun``.
    """
    rank, count = (
        int(os.environ.get("RANK", "0")),
        int(os.environ.get("WORLD_SIZE", "1")),
    )
    if count == 1 or "TORCHELASTIC_RUN_ID" not in os.environ:
        print(text, file=sys.stderr, flush=True)
        return
    said = {row.name: [row.verdict, row.why] for row in report}
    # torchrun starts all processes once more after one has failed.
    key = f"gradguide/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    if not rank:
        print(text, file=sys.stderr, flush=True)
    try:
        store = _store()
        if rank:
            store.set(f"{key}/{rank}", json.dumps(said))
            store.wait([f"{key}/printed"], WAIT)
            return
        for other in range(1, count):
            try:
                store.wait([f"{key}/{other}"], WAIT)
            except Exception:  # noqa: BLE001 its type depends on the version
                print(f"gradguide: rank {other} sent no report", file=sys.stderr)
                continue
            _compare(said, json.loads(store.get(f"{key}/{other}")), other)
        store.set(f"{key}/printed", "1")
    except Exception as error:  # noqa: BLE001 a report is worth more than its ranks
        if rank:
            print(f"gradguide: rank 0 has not reported; rank {rank}:", file=sys.stderr)
            print(text, file=sys.stderr, flush=True)
        else:
            print(f"gradguide: other ranks are unknown: {error}", file=sys.stderr)


def _store() -> Any:  # noqa: ANN401 a TCPStore
    from torch.distributed import TCPStore

    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return TCPStore(address, port, is_master=False, timeout=WAIT)


def _compare(
    first: dict[str, list[str]], other: dict[str, list[str]], rank: int
) -> None:
    for name in first | other:
        if first.get(name) != other.get(name):
            verdict = " ".join(filter(None, other.get(name, ["not there"])))
            print(f"gradguide: on rank {rank}: {name}: {verdict}", file=sys.stderr)
    sys.stderr.flush()
