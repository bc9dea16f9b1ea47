"""Stops a script that was watched, also one that does not let itself be stopped."""

from __future__ import annotations

import _thread
import itertools
import multiprocessing
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from torch.optim.optimizer import register_optimizer_step_pre_hook

if TYPE_CHECKING:
    from torch.optim import Optimizer

GRACE = 30.0
"""The seconds that a script has to end after it was stopped."""


class Enough(BaseException):
    """Stops the script. It is no ``Exception``, so that libraries let it through."""


def insist(code: int) -> None:
    """End the process if the script goes on although ``Enough`` stopped it.

    It may catch the exception, as ``except:`` does, and make another step.
    """
    stopped = itertools.count(1)

    def step_begins(*_: Optimizer | object) -> None:
        if next(stopped) > _TRIES:
            _end(code, "the script catches the exception that stops it")
        raise Enough

    register_optimizer_step_pre_hook(step_begins)


_TRIES = 2


def end_later(code: int) -> None:
    """End the process some time from now, if it has not ended by itself.

    It may have threads or processes that wait for it.
    """

    def end() -> None:
        if not threading.Event().wait(GRACE):
            _end(code, "threads or processes of the script go on")

    _thread.start_new_thread(end, ())


def _end(code: int, why: str) -> NoReturn:
    """End the process, and those that it has started, at once."""
    with suppress(OSError, ValueError):
        print(f"gradguide: {why}; ended", file=sys.stderr, flush=True)
        sys.stdout.flush()
    for process in multiprocessing.active_children():
        process.terminate()
    os._exit(code)
