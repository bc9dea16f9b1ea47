"""Finds why an operation drops the history of its input, and at which line."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradguide._operations import CUTS, pretty
from gradguide._where import Where, grad_mode_block, running_function


class Cause(NamedTuple):
    """Why an operation passed data on without its history, and the line of it."""

    why: str
    where: str
    inconclusive: bool = False
    """Whether backward may reach the data by a path that is not recorded."""


class Blame:
    """Follows the grad mode, to name the block or call that switched it off."""

    def __init__(self, where: Where) -> None:
        """Start in the current grad mode."""
        self._where = where
        self._off_cause = None if torch.is_grad_enabled() else Cause("no_grad", "")
        self._outer: dict[int, Cause | None] = {}

    def switch(self, func: Callable[..., Any], args: tuple[Any, ...]) -> object:
        """Switch the grad mode, and remember the line where it was switched off."""
        was = torch.is_grad_enabled()
        result = func(*args)
        now = torch.is_grad_enabled()
        block, leaves = grad_mode_block()
        if leaves:
            self._off_cause = None if now else self._outer.pop(block, self._off_cause)
            return result
        if was != now or block not in self._outer:
            self._outer[block] = self._off_cause
        if was != now:
            self._off_cause = None if now else Cause("no_grad", self._where.here())
        return result

    def cause(self, name: str, source: Tensor) -> Cause | None:
        """Return why an operation drops the history of ``source``, or None."""
        inference = torch.is_inference_mode_enabled()
        if not torch.is_grad_enabled() and self._off_cause is None and not inference:
            return _function_cause(source, self._where)
        if name in CUTS:
            return Cause(CUTS[name], self._where.here())
        if inference:
            return Cause("inference_mode", self._where.inference_block())
        if not torch.is_grad_enabled():
            return self._off_cause
        why = f"{pretty(name)} is not differentiable"
        return Cause(why, self._where.here())


def _function_cause(source: Tensor, where: Where) -> Cause | None:
    """Return why a tensor that a custom function reads loses its history, or None.

    PyTorch switches the grad mode off in C++ before it calls ``forward``, so the switch
    is not seen by a ``TorchFunctionMode``.
    """
    frame = running_function()
    if frame is None:
        return Cause(
            "gradients were switched off unseen", where.here(), inconclusive=True
        )
    inputs = [arg for arg in frame.f_locals["args"] if isinstance(arg, Tensor)]
    if frame.f_locals["cls"].__name__ == "CheckpointFunction":
        inconclusive = any(tensor.requires_grad for tensor in inputs)
        return Cause("reentrant checkpoint", where.call_of(frame), inconclusive)
    if any(tensor is source for tensor in inputs):
        return None  # backward of the function computes its gradient
    # As in a handwritten checkpoint, backward of the function may run the operation
    # again with gradients. PyTorch calls it only if an input requires grad.
    inconclusive = any(tensor.requires_grad for tensor in inputs)
    why = "custom autograd.Function, of which it is no input"
    return Cause(why, where.here(), inconclusive)
