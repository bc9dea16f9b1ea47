"""Watches a real iteration, and says what became of each parameter."""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.optim import Optimizer

from gradguide._report.report import Report
from gradguide._watch.judge import rows
from gradguide._watch.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

CALLS = 3
"""How many calls of a decorated function are watched."""


class watch:  # noqa: N801 it is used like a function
    """Watch real iterations, and report what became of each parameter, and why.

    What got a gradient and what moved is observed, at each ``step()`` and ``backward()``
    in the block. Only the cause, why the rest did not, is told from the operations on
    tensors. Nothing of the run is changed, and nothing is left behind: values, random
    numbers and gradients are those of a run that is not watched. Code that
    ``torch.compile`` has compiled runs without compilation meanwhile, which is equal up
    to rounding.

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
        observer.expect(self._objects)
        self._watching.append((observer, report))
        observer.start()
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
        observer.look_for_names()
        observer.stop()
        report.fill(rows(observer), notes(observer))

    def __call__(self, step: Callable[P, T]) -> Callable[P, T]:
        """Return a training step whose first calls are watched."""
        observer, calls = Observer(), 0

        @wraps(step)
        def watched(*args: P.args, **kwargs: P.kwargs) -> T:
            nonlocal calls
            if calls >= CALLS:
                return step(*args, **kwargs)
            observer.expect(self._objects)
            observer.start()
            try:
                return step(*args, **kwargs)
            finally:
                calls += 1
                observer.look_for_names()
                observer.stop()
                if calls == CALLS:
                    print(Report(rows(observer), notes(observer)), file=sys.stderr)

        return watched


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
