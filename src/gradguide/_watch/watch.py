"""Watches a real iteration, and says what became of each parameter."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.optim import Optimizer

from gradguide._report.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import ParamSpec, TypeVar

    from gradguide._watch.observer import Observer

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
        # Imported when it is used: it needs longer than all the rest of the package.
        from gradguide._watch.observation import begin

        observer, report = begin(self._objects), Report()
        self._watching.append((observer, report))
        return report

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End watching, and fill the report."""
        from gradguide._watch.observation import end_of

        observer, report = self._watching.pop()
        observer.failed = isinstance(error, Exception)
        report.fill(*end_of(observer))

    def __call__(self, step: Callable[P, T]) -> Callable[P, T]:
        """Return a training step whose first calls are watched."""
        observer: Observer | None = None
        calls, runs = 0, False

        @wraps(step)
        def watched(*args: P.args, **kwargs: P.kwargs) -> T:
            nonlocal calls, runs, observer
            if calls == CALLS or runs:
                return step(*args, **kwargs)
            from gradguide._watch.observation import begin, end_of, pause

            runs = True
            observer = begin(self._objects, observer)
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
