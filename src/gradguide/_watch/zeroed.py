"""Finds entries whose gradient the script sets to zero, and that a step moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

import torch
from torch import Tensor

from gradguide._explain.optimizer import held_by, remembered
from gradguide._memory import has_memory
from gradguide._origins.values import address_of
from gradguide._origins.where import Place, line_here

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch.optim import Optimizer

SAMPLE = 1 << 16
"""About how many entries of a tensor are looked at."""

FEW = 0.01
"""The part of these entries that may become zero by chance, as by underflow."""


class Moved(NamedTuple):
    """Entries without a gradient that a step has moved.

    Attributes:
        tensor: The tensor.
        optimizer: The class of the optimizer.
        force: By what it moves them.
        place: The line that set the gradient to zero; None for a hook.
    """

    tensor: ref[Tensor]
    optimizer: str
    force: str
    place: Place | None


class _Write(NamedTuple):
    """The first write of the script to a gradient.

    ``had`` tells which of its entries were not zero before.
    """

    had: Tensor
    place: Place | None


class _Entries(NamedTuple):
    """Entries whose gradient was set to zero, and their values before a step."""

    tensor: Tensor
    chosen: Tensor
    values: Tensor
    moved: Moved


class Zeroed:
    """The gradients that the script writes to between a backward and a step.

    Attributes:
        moved: What steps moved all the same, by the id of the tensor.
    """

    def __init__(self) -> None:
        self.moved: dict[int, Moved] = {}
        self._by_address: dict[int, ref[Tensor]] = {}
        self._writes: dict[int, _Write] = {}
        self._entries: list[_Entries] = []

    def after_backward(self, tensors: Iterable[Tensor]) -> None:
        """Note which gradients there are now."""
        self._by_address = {
            address_of(grad): ref(tensor)
            for tensor in tensors
            if (grad := _plain_grad(tensor)) is not None
        }
        self._writes = {}

    def before_write(self, written: Tensor) -> None:
        """Note which entries a gradient has before it is written to."""
        known = self._by_address.get(address_of(written)) if self._by_address else None
        tensor = known() if known is not None else None
        if tensor is None or id(tensor) in self._writes:
            return
        grad = _plain_grad(tensor)
        if grad is not None:
            self._writes[id(tensor)] = _Write(_sample(grad) != 0, line_here())

    def before_step(self, optimizer: Optimizer) -> None:
        """Note the entries of its tensors whose gradient was set to zero."""
        self._entries = []
        with_grad = [
            (tensor, grad, group)
            for tensor, _, group in held_by(optimizer)
            if (grad := _plain_grad(tensor)) is not None
        ]
        every = all(tensor._backward_hooks for tensor, _, _ in with_grad)  # noqa: SLF001
        for tensor, grad, group in with_grad:
            write = self._writes.get(id(tensor))
            is_masked = tensor._backward_hooks and not every  # noqa: SLF001
            if id(tensor) in self.moved or (write is None and not is_masked):
                continue
            is_zero = _sample(grad) == 0
            chosen = is_zero if write is None else is_zero & write.had
            if FEW <= float(chosen.float().mean()) < 1:
                place = write.place if write is not None else None
                values = _sample(tensor)[chosen].clone()
                decays = group.get("weight_decay") and values.any()
                forces = ["weight decay"] if decays else []
                old = remembered(optimizer, tensor)
                if not decays or any(_sample(one)[chosen].any() for one in old):
                    forces.append("momentum")
                force = " and ".join(forces)
                moved = Moved(ref(tensor), type(optimizer).__name__, force, place)
                self._entries.append(_Entries(tensor, chosen, values, moved))

    def after_step(self) -> None:
        """Note which of these entries have moved."""
        for tensor, chosen, values, moved in self._entries:
            if not torch.equal(_sample(tensor)[chosen], values):
                self.moved[id(tensor)] = moved
        self._entries = []


def _plain_grad(tensor: Tensor) -> Tensor | None:
    """Return the gradient if its entries can be chosen by their place in memory."""
    grad = tensor.grad
    if grad is None or hasattr(grad, "to_local") or grad.layout is not torch.strided:
        return None
    return None if grad.is_nested or not has_memory(grad) else grad


def _sample(tensor: Tensor) -> Tensor:
    """Return entries of a tensor, at equal distances."""
    flat = tensor.detach().reshape(-1)
    return flat[:: max(1, len(flat) // SAMPLE)]
