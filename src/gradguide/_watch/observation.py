"""One observation: begun, paused and ended, so that an error here costs no run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradguide._alive import Alive, alive
from gradguide._watch.internals import unseen
from gradguide._watch.observer import Observer
from gradguide._watch.remarks import remarks
from gradguide._watch.rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from gradguide._report.row import Row


def begin(
    objects: Iterable[nn.Module | Optimizer | Tensor] = (),
    observer: Observer | None = None,
) -> Observer:
    """Begin to observe, or go on with an observer that was paused."""
    observer = observer or Observer()
    with observer.noting():
        observer.roots.expect(objects)
        observer.start()
    return observer


def pause(observer: Observer, frame: FrameType | None = None) -> Alive | None:
    """Stop observing, perhaps not for good; an error of this package is noted.

    Return the modules and optimizers of the process, unless there was an error.
    """
    everything = None
    # Another watch around this one must not see what is read here.
    with observer.noting(), unseen():
        everything = alive()
        observer.roots.look_for_names(frame, everything.modules)
    observer.stop()
    return everything


def end_of(
    observer: Observer, frame: FrameType | None = None
) -> tuple[list[Row], list[str]]:
    """Stop observing; return the rows, and what else there is to say.

    After an error of this package there are no rows, as what was seen is not all.
    """
    found: list[Row] = []
    everything = None
    with observer.noting():
        everything = pause(observer, frame)
        if everything is not None and observer.trouble is None:
            with unseen():
                found = rows(observer, everything)
    notes = _notes(observer, everything.modules if everything else [])
    observer.roots.release()
    return found, notes


def _notes(observer: Observer, modules: list[nn.Module]) -> list[str]:
    """Return what else there is to say of a watch."""
    found: list[str] = []
    with observer.noting(), unseen():
        found += remarks(observer, modules)
    if observer.ran_eagerly:
        found.append("compiled code ran without compilation while it was watched")
    trouble = observer.trouble
    if trouble is not None:
        found.append(
            "gradguide itself failed, and stopped watching: "
            f"{type(trouble).__name__}: {trouble}"
        )
    return found
