"""Follows the gradients of each optimizer: whether they are cleared, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

from gradguide._memory import is_zero
from gradguide._origins.values import address_of
from gradguide._origins.where import Place, here
from gradguide._watch.ledger import held_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor
    from torch.optim import Optimizer

OFTEN = 2
"""How many times something must happen to be reported."""


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


class _Followed:
    """The gradient of one tensor of an optimizer, which stands for all of them.

    Attributes:
        name: The class of the optimizer.
        where: The line of its last step.
        steps: How many steps found a gradient.
        uncleared: After how many steps in a row it was not cleared.
        lost: After how many backwards it was cleared before any step or other write.
        foreign: The line of a step of another optimizer, if this one's last step also
            applied what a backward before that line had added.
        idle: The line of a step that found no gradient at all.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.name = type(optimizer).__name__
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

    def after_step(self, optimizer: Optimizer, place: Place | None) -> None:
        """Note a step of the optimizer."""
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


class Leftovers:
    """The gradients of all optimizers that step."""

    def __init__(self) -> None:
        """Know no optimizer."""
        self._followed: dict[int, _Followed] = {}

    def after_step(self, optimizer: Optimizer) -> None:
        """Note a step."""
        place = here()
        for key, other in self._followed.items():
            if key != id(optimizer):
                other.after_step_of_another(place)
        mine = self._followed.setdefault(id(optimizer), _Followed(optimizer))
        mine.after_step(optimizer, place)

    def before_backward(self) -> None:
        """Note that a backward begins."""
        for one in self._followed.values():
            one.before_backward()

    def after_backward(self) -> None:
        """Note that a backward has ended."""
        for one in self._followed.values():
            one.after_backward()

    def never_cleared(self) -> Iterator[_Followed]:
        """Yield the optimizers whose steps apply all gradients since the first one."""
        for one in self._followed.values():
            if one.uncleared >= OFTEN and one.uncleared == one.steps - 1:
                yield one

    def mixed(self) -> Iterator[_Followed]:
        """Yield the optimizers whose steps apply what was meant for another one.

        One that steps less often may accumulate gradients, which is no mistake.
        """
        most = max((one.steps for one in self._followed.values()), default=0)
        for one in self._followed.values():
            if one.foreign is not None and one.steps > 1 and one.steps >= most - 1:
                yield one

    def idle(self) -> Iterator[_Followed]:
        """Yield the optimizers of which some steps found a gradient and others none."""
        for one in self._followed.values():
            if one.idle is not None and one.steps:
                yield one

    def lost(self) -> Iterator[_Followed]:
        """Yield the optimizers whose gradients were cleared before they were used."""
        for one in self._followed.values():
            if one.lost >= OFTEN:
                yield one


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
