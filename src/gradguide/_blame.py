"""Says why the history of data ends at an operation, and where."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradguide._operations import CUTS, pretty
from gradguide._where import Where, grad_mode_block, running_function


class Cause(NamedTuple):
    """Why data went on without its history, and where."""

    why: str
    where: str
    hides: bool = False
    """Whether a backward may find a way that the tape can't see."""


class Blame:
    """Knows who switched gradients off, and so what cuts."""

    def __init__(self, where: Where) -> None:
        """Begin in the grad mode of the moment."""
        self._where = where
        self._off = None if torch.is_grad_enabled() else Cause("no_grad", "")
        self._outer: dict[int, Cause | None] = {}

    def switch(self, func: Callable[..., Any], args: tuple[Any, ...]) -> object:
        """Switch the grad mode, and remember who switched it off."""
        was = torch.is_grad_enabled()
        result = func(*args)
        now = torch.is_grad_enabled()
        block, leaves = grad_mode_block()
        if leaves:
            self._off = None if now else self._outer.pop(block, self._off)
            return result
        if was != now or block not in self._outer:
            self._outer[block] = self._off
        if was != now:
            self._off = None if now else Cause("no_grad", self._where.here())
        return result

    def cause(self, name: str, source: Tensor) -> Cause | None:
        """Say why the history of ``source`` ends at an operation, if it does."""
        inference = torch.is_inference_mode_enabled()
        if not torch.is_grad_enabled() and self._off is None and not inference:
            return _function_cause(source, self._where)
        if name in CUTS:
            return Cause(CUTS[name], self._where.here())
        if inference:
            return Cause("inference_mode", self._where.inference_block())
        if not torch.is_grad_enabled():
            return self._off
        why = f"{pretty(name)} is not differentiable"
        return Cause(why, self._where.here())


def _function_cause(source: Tensor, where: Where) -> Cause | None:
    """Say what a custom function does to the history of what it reads.

    Gradients are off inside of it, which no mode sees being done.
    """
    frame = running_function()
    if frame is None:
        return Cause("gradients were switched off unseen", where.here(), hides=True)
    inputs = [arg for arg in frame.f_locals["args"] if isinstance(arg, Tensor)]
    if frame.f_locals["cls"].__name__ == "CheckpointFunction":
        hides = any(tensor.requires_grad for tensor in inputs)
        return Cause("reentrant checkpoint", where.call_of(frame), hides)
    if any(tensor is source for tensor in inputs):
        return None  # the function itself takes care of its gradient
    # Its backward may run this again and go on from there, if it is ever called.
    hides = any(tensor.requires_grad for tensor in inputs)
    why = "custom autograd.Function, of which it is no input"
    return Cause(why, where.here(), hides)
