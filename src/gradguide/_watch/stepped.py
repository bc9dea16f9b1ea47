"""Follows an optimizer: its rates, and whether and when its gradients are cleared."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

from gradguide._explain.optimizer import held_by
from gradguide._memory import is_zero
from gradguide._origins.values import address_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from gradguide._origins.where import Place

OFTEN = 2
"""How many times something must happen to be reported."""

TINY = 1e-4
"""The part of its largest rate with which an optimizer hardly moves anything."""

LONG = 0.2
"""The part of all steps for which a schedule may end with such a rate."""


class _Gradient(NamedTuple):
    """A gradient as it was at a moment."""

    grad: ref[Tensor]
    version: int

    def is_of(self, tensor: Tensor | None) -> bool:
        """Whether it is still the gradient of a tensor, and was not written to."""
        grad = self.grad()
        if tensor is None or grad is None or tensor.grad is not grad:
            return False
        return _version(grad) == self.version


class Stepped:
    """An optimizer that has stepped, and the gradient of one of its tensors.

    This gradient stands for those of all its tensors.

    Attributes:
        optimizer: The optimizer.
        name: The name of its class.
        first: The number of its first step among the steps of all optimizers.
        last: The number of its last step.
        rates: The largest learning rate of each step.
        where: The line of its last step that found a gradient.
        steps: How many steps found a gradient.
        uncleared: After how many steps in a row it was not cleared.
        lost: After how many backwards it was cleared before any step or other write.
        foreign: The line of a step of another optimizer, if this one's last step also
            applied what a backward before that line had added.
        idle: The line of a step that found no gradient at all.
    """

    def __init__(self, optimizer: Optimizer, number: int) -> None:
        """Know an optimizer whose first step has this number."""
        self.optimizer = ref(optimizer)
        self.name = type(optimizer).__name__
        self.first = self.last = number
        self.rates: list[float] = []
        self.where: Place | None = None
        self.steps = self.uncleared = self.lost = 0
        self.foreign: Place | None = None
        self.idle: Place | None = None
        self._tensor: ref[Tensor] | None = None
        self._applied: _Gradient | None = None
        self._is_kept: bool | None = None
        self._added: tuple[int, int] | None = None
        self._before_other: tuple[_Gradient, Place | None] | None = None
        self._mixed: Place | None = None

    @property
    def is_never_cleared(self) -> bool:
        """Whether each step applies all gradients since the first one."""
        return self.uncleared >= OFTEN and self.uncleared == self.steps - 1

    @property
    def is_often_lost(self) -> bool:
        """Whether gradients were cleared before they were used."""
        return self.lost >= OFTEN

    @property
    def falls(self) -> bool:
        """Whether it has stepped for long with hardly any learning rate."""
        largest = max(self.rates)
        tiny = takewhile(lambda rate: rate <= TINY * largest, reversed(self.rates))
        return largest > 0 and len(list(tiny)) > max(2, LONG * len(self.rates))

    def mixes(self, most: int) -> bool:
        """Whether it applies what was meant for another optimizer.

        ``most`` is the largest number of steps of any optimizer. One that steps less
        often may accumulate gradients, which is no mistake.
        """
        return self.foreign is not None and self.steps > 1 and self.steps >= most - 1

    @property
    def tensor(self) -> Tensor | None:
        """The tensor that is followed."""
        return self._tensor() if self._tensor is not None else None

    def before_backward(self) -> None:
        """Note whether a backward adds to gradients that are there already."""
        tensor = self.tensor
        if tensor is None:
            return
        is_clear = tensor.grad is None or is_zero(tensor.grad)
        if self._applied is not None:
            is_kept = not is_clear and self._applied.is_of(tensor)
            self._is_kept = self._is_kept is not False and is_kept
        if self._before_other is not None and self._before_other[0].is_of(tensor):
            self._mixed = self._before_other[1]
        if is_clear:
            self._mixed = self._before_other = None
            self.lost += self._added == _state_of(tensor)
        self._added = None

    def after_backward(self) -> None:
        """Note whether a backward gave it a gradient."""
        tensor = self.tensor
        if tensor is not None and tensor.grad is not None:
            is_old = self._applied is not None and self._applied.is_of(tensor)
            self._added = None if is_old else _state_of(tensor)

    def after_step(
        self, optimizer: Optimizer, number: int, place: Place | None
    ) -> None:
        """Note a step, and its number and line."""
        # A new optimizer may have the id of one that is gone.
        self.optimizer, self.name = ref(optimizer), type(optimizer).__name__
        self.last = number
        rates = [float(group.get("lr") or 0) for group in optimizer.param_groups]
        self.rates.append(max(rates, default=0))
        if all(held.tensor.grad is None for held in held_by(optimizer)):
            self.idle = self.idle or place
            return
        self.steps += 1
        self.where = place
        self.uncleared = self.uncleared + 1 if self._is_kept else 0
        self.foreign = self._mixed or self.foreign
        self._is_kept = self._before_other = self._mixed = None
        self._added = None
        tensor = _with_gradient(optimizer)
        self._tensor = ref(tensor) if tensor is not None else None
        self._applied = _gradient(tensor)

    def after_step_of_another(self, place: Place | None) -> None:
        """Note that another optimizer has applied what the last backwards gave."""
        self._added = None
        tensor = self.tensor
        if tensor is None or (self._applied and self._applied.is_of(tensor)):
            return
        gradient = _gradient(tensor)
        if gradient is not None and self._before_other is None:
            self._before_other = gradient, place


def _with_gradient(optimizer: Optimizer) -> Tensor | None:
    for held in held_by(optimizer):
        grad = held.tensor.grad
        if grad is not None and held.tensor.requires_grad and not is_zero(grad):
            return held.tensor
    return None


def _state_of(tensor: Tensor) -> tuple[int, int]:
    """Return what changes if a tensor is written to, as by hand."""
    return address_of(tensor), _version(tensor)


def _version(tensor: Tensor) -> int:
    """Return how often a tensor was written to; 0 for one that doesn't count."""
    return 0 if tensor.is_inference() else tensor._version  # noqa: SLF001


def _gradient(tensor: Tensor | None) -> _Gradient | None:
    """Return the gradient of a tensor; None if there is none, or if it is zero."""
    grad = tensor.grad if tensor is not None else None
    if grad is None or is_zero(grad):
        return None
    return _Gradient(ref(grad), _version(grad))
