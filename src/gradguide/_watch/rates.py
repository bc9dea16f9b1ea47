"""Follows the learning rates of optimizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.optim import Optimizer

TINY = 1e-4
"""The part of its largest rate with which an optimizer hardly moves anything."""

LONG = 0.2
"""The part of all steps for which a schedule may end with such a rate."""


class Fall(NamedTuple):
    """A learning rate that falls too early: the class of the optimizer, and numbers."""

    optimizer: str
    largest: float
    last: float
    steps: int


class Rates:
    """The largest learning rate of each step."""

    def __init__(self) -> None:
        """Know no step."""
        self._rates: dict[int, tuple[str, list[float]]] = {}

    def after_step(self, optimizer: Optimizer) -> None:
        """Note the rate of a step."""
        rate = max((float(g.get("lr") or 0) for g in optimizer.param_groups), default=0)
        kind = type(optimizer).__name__
        self._rates.setdefault(id(optimizer), (kind, []))[1].append(rate)

    def falls(self) -> Iterator[Fall]:
        """Yield the optimizers that have stepped for long with hardly any rate."""
        for kind, rates in self._rates.values():
            largest = max(rates)
            tiny = 0
            for rate in reversed(rates):
                if rate > TINY * largest:
                    break
                tiny += 1
            if largest and tiny > max(2, LONG * len(rates)):
                yield Fall(kind, largest, rates[-1], len(rates))
