"""Finds why an operation drops the history of its input, and at which line."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradguide._origins.operations import CUTS, pretty
from gradguide._origins.where import (
    Place,
    call_of,
    grad_mode_block,
    here,
    inference_block,
    is_in_deepcopy,
    running_function,
)


class Cause(NamedTuple):
    """Why an operation passed data on without its history, and the line of it."""

    why: str
    where: Place | None = None
    inconclusive: bool = False
    """Whether backward may reach the data by a path that is not recorded."""


class Blame:
    """Follows the grad mode, to name the block or call that switched it off.

    It also remembers the line that called each custom autograd function.
    """

    def __init__(self) -> None:
        """Start in the current grad mode."""
        self._off_cause = None if torch.is_grad_enabled() else Cause("no_grad")
        self._outer: dict[int, Cause | None] = {}
        self.calls: dict[type, Place | None] = {}

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
            self._off_cause = None if now else Cause("no_grad", here())
        return result

    def cause(
        self,
        name: str,
        source: Tensor,
        comes_from: Callable[[Tensor, list[Tensor]], bool],
    ) -> Cause | None:
        """Return why an operation drops the history of ``source``, or None.

        ``comes_from`` tells whether the data of a tensor comes from some others.
        """
        inference = torch.is_inference_mode_enabled()
        if not torch.is_grad_enabled() and self._off_cause is None and not inference:
            return self._function_cause(source, comes_from)
        if name in CUTS:
            if name in _COPIES and is_in_deepcopy():
                return Cause(COPY, here())
            return Cause(CUTS[name], here())
        if inference:
            return Cause("inference_mode", inference_block())
        if not torch.is_grad_enabled():
            return self._off_cause
        return Cause(f"{pretty(name)} is not differentiable", here())

    def _function_cause(
        self, source: Tensor, comes_from: Callable[[Tensor, list[Tensor]], bool]
    ) -> Cause | None:
        """Return why a tensor that a custom function reads loses its history, or None.

        PyTorch switches the grad mode off in C++ before it calls ``forward``, so the
        switch is not seen by a ``TorchFunctionMode``.
        """
        function = running_function()
        if function is None:
            why = "gradients were switched off unseen"
            return Cause(why, here(), inconclusive=True)
        if function.kind not in self.calls:
            self.calls[function.kind] = call_of(function.frame)
        inputs = [value for value in function.inputs if isinstance(value, Tensor)]
        # As in a handwritten checkpoint, backward of the function may run the
        # operation again with gradients. PyTorch calls it only if an input requires
        # grad.
        inconclusive = any(tensor.requires_grad for tensor in inputs)
        if function.kind is torch.utils.checkpoint.CheckpointFunction:
            where = call_of(function.frame)
            return Cause("reentrant checkpoint", where, inconclusive)
        if any(tensor is source for tensor in inputs) or comes_from(source, inputs):
            return None  # backward of the function computes its gradient
        why = "custom autograd.Function, of which it is no input"
        return Cause(why, here(), inconclusive)


COPY = "copy.deepcopy() made other parameters"
_COPIES = {"data", "detach"}
