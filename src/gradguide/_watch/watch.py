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
    """Watch real iterations, and report what happened to each parameter, and why.

    At each ``step()`` and each ``backward()`` in the block, it observes which
    parameters got a gradient and which values changed. Why the others did not is
    concluded from the operations on tensors. The run itself is not changed: values,
    random numbers and gradients are those of a run that is not watched, and no hooks
    are left. There is one exception: code that ``torch.compile`` has compiled runs
    without compilation in the block, and its results are equal up to rounding.

    The block needs at least one whole iteration: forward, backward and step. Code in
    other threads makes a verdict ``unknown``. Other processes are not seen.

    As a decorator of a training step, it watches the first three calls and prints the
    report to stderr. Later calls run as if they were not decorated.

    Args:
        *objects: Modules, optimizers and tensors to watch. Those that the block uses
            are found without being passed. A module that you pass is also reported if
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
