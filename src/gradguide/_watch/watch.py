"""Watches a real iteration, and says what became of each parameter."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.optim import Optimizer

from gradguide._report.report import Report
from gradguide._watch.observer import Observer
from gradguide._watch.rows import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType, TracebackType
    from typing import ParamSpec, TypeVar

    from gradguide._report.row import Row

    P = ParamSpec("P")
    T = TypeVar("T")

CALLS = 3
"""How many calls of a decorated function are watched."""


class watch:  # noqa: N801 it is used like a function
    """Watch real iterations, and report what became of each parameter, and why.

    What got a gradient and what moved is observed, at each ``step()`` and each
    ``backward()`` in the block. Only the cause, why the rest did not, is told from the
    operations on tensors. Nothing of the run is changed, and nothing is left behind:
    values, random numbers and gradients are those of a run that is not watched. Code
    that ``torch.compile`` has compiled runs without compilation meanwhile, which is
    equal up to rounding.

    The block needs at least one whole iteration: forward, backward and step. What runs
    in other threads or other processes is not seen; then a verdict is ``unknown``.

    As a decorator of a training step, it watches the first three calls and prints the
    report to stderr; later calls run as if it were not there.

    Args:
        *objects: Modules, optimizers and tensors to watch. All that takes part in the
            block is found without them. A module that is given is reported also if
            its forward does not run.

    Raises:
        TypeError: If one of the objects is something else.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> import gradguide
        >>> encoder, head = nn.Linear(4, 8), nn.Linear(8, 1)
        >>> parameters = [*encoder.parameters(), *head.parameters()]
        >>> optimizer = torch.optim.SGD(parameters, lr=0.1)
        >>> with gradguide.watch() as report:
        ...     features = encoder(torch.ones(2, 4)).detach()
        ...     head(features).square().sum().backward()
        ...     optimizer.step()
        >>> [(row.name, row.verdict, row.why) for row in report.problems]
        [('encoder.weight', 'cut', 'detach()'), ('encoder.bias', 'cut', 'detach()')]

        Something that can't be watched:

        >>> gradguide.watch("model")
        Traceback (most recent call last):
        ...
        TypeError: watch: expected modules, optimizers and tensors, got str; pass \
objects that the training uses, or nothing
    """

    def __init__(self, *objects: nn.Module | Optimizer | Tensor) -> None:
        for one in objects:
            if not isinstance(one, (nn.Module, Optimizer, Tensor)):
                msg = (
                    "watch: expected modules, optimizers and tensors, got "
                    f"{type(one).__name__}; pass objects that the training uses, or "
                    "nothing"
                )
                raise TypeError(msg)
        self._objects = objects
        self._watching: list[tuple[Observer, Report]] = []

    def __enter__(self) -> Report:
        """Begin to watch; the report is filled at the end of the block."""
        observer, report = Observer(), Report()
        self._watching.append((observer, report))
        _begin(observer, self._objects)
        return report

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End watching, and fill the report."""
        observer, report = self._watching.pop()
        observer.failed = isinstance(error, Exception)
        report.fill(*end_of(observer))

    def __call__(self, step: Callable[P, T]) -> Callable[P, T]:
        """Return a training step whose first calls are watched."""
        observer: Observer | None = Observer()
        calls, runs = 0, False

        @wraps(step)
        def watched(*args: P.args, **kwargs: P.kwargs) -> T:
            nonlocal calls, runs, observer
            if observer is None or runs:
                return step(*args, **kwargs)
            runs = True
            _begin(observer, self._objects)
            try:
                return step(*args, **kwargs)
            finally:
                runs = False
                calls += 1
                if calls < CALLS:
                    pause(observer)
                else:
                    report = Report(*end_of(observer))
                    self._objects, observer = (), None
                    with suppress(OSError, ValueError):
                        print(report, file=sys.stderr)

        return watched


def _begin(
    observer: Observer, objects: Iterable[nn.Module | Optimizer | Tensor]
) -> None:
    try:
        observer.roots.expect(objects)
        observer.start()
    except Exception as error:  # noqa: BLE001 it must not cost the run
        observer.on_trouble(error)


def pause(observer: Observer, frame: FrameType | None = None) -> None:
    """Stop observing, perhaps not for good; an error of this package is noted."""
    try:
        observer.roots.look_for_names(frame)
    except Exception as error:  # noqa: BLE001 it must not cost the run
        observer.on_trouble(error)
    observer.stop()


def end_of(
    observer: Observer, frame: FrameType | None = None
) -> tuple[list[Row], list[str]]:
    """Stop observing; return the rows, and what else there is to say.

    After an error of this package there are no rows, as what was seen is not all.
    """
    found: list[Row] = []
    try:
        pause(observer, frame)
        if observer.trouble is None:
            found = rows(observer)
    except Exception as error:  # noqa: BLE001 it must not cost the run
        observer.on_trouble(error)
    observer.roots.release()
    return found, notes(observer)


def notes(observer: Observer) -> list[str]:
    """Return what else there is to say of a watch."""
    found = []
    if observer.ran_eagerly:
        found.append("compiled code ran without compilation while it was watched")
    if observer.trouble is not None:
        error = observer.trouble
        found.append(
            f"gradguide itself failed, and stopped watching: {type(error).__name__}: "
            f"{error}"
        )
    return found
