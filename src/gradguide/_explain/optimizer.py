"""Predicts what the next step of an optimizer does to a parameter."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import LBFGS, Optimizer, Rprop

from gradguide._changed import same_values
from gradguide._memory import is_zero


class Held(NamedTuple):
    """A tensor that an optimizer holds, its name there, and its group."""

    tensor: Tensor
    name: str
    group: dict[str, Any]


def held_by(optimizer: Optimizer) -> Iterator[Held]:
    """Yield the tensors in the groups of an optimizer."""
    for group in optimizer.param_groups:
        tensors: list[Tensor] = list(group["params"])
        names = group.get("param_names")
        name = str(group.get("name", ""))
        for index, tensor in enumerate(tensors):
            if isinstance(names, (list, tuple)) and len(names) == len(tensors):
                yield Held(tensor, str(names[index]), group)
            else:
                yield Held(tensor, name if len(tensors) == 1 else "", group)


def remembered(optimizer: Optimizer, tensor: Tensor) -> Iterator[Tensor]:
    """Yield what an optimizer has for each entry of a tensor, such as its momentum."""
    for value in optimizer.state.get(tensor, {}).values():
        if isinstance(value, Tensor) and value.shape == tensor.shape:
            yield value


class HeldTensors:
    """The tensors that an optimizer holds, by identity, with their groups."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._groups = {id(held.tensor): held.group for held in held_by(optimizer)}

    def __contains__(self, tensor: Tensor) -> bool:
        """Whether the optimizer holds a tensor."""
        return id(tensor) in self._groups

    def has_zero_rate(self, tensor: Tensor) -> bool:
        """Whether the learning rate of a tensor is 0."""
        # Adafactor may have the rate None. Rprop adapts a step size for each number,
        # and ASGD uses the rate "eta" that it computed in the step before.
        rate = self._groups[id(tensor)].get("lr")
        if rate is None or isinstance(self._optimizer, Rprop):
            return False
        before = self._optimizer.state.get(tensor, {}).get("eta", 0)
        return float(rate) == float(before) == 0

    def named(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each tensor with its name in the optimizer, or else its path there."""
        for number, group in enumerate(self._optimizer.param_groups):
            names = group.get("param_names")
            for index, tensor in enumerate(group["params"]):
                path = f"param_groups[{number}]['params'][{index}]"
                yield names[index] if names else path, tensor

    def frozen_but_updated(self, frozen: Iterable[Tensor]) -> dict[int, str]:
        """Return, by ``id``, why ``step()`` updates frozen tensors that it updates."""
        if isinstance(self._optimizer, LBFGS) and self._optimizer.state:
            why = "frozen, but LBFGS moves all that it holds by its history"
            return {id(tensor): why for tensor in frozen if tensor in self}
        stale = [t for t in frozen if t in self and t.grad is not None]
        kind = type(self._optimizer)
        after = rehearse(kind, self._optimizer, stale) if stale else []
        if after is not None:
            pairs = zip(stale, after, strict=True)
            stale = [tensor for tensor, new in pairs if not same_values(new, tensor)]
        return {
            id(t): _reason_of_move(self._optimizer, t, self._groups[id(t)])
            for t in stale
        }


def rehearse(
    kind: type[Optimizer],
    optimizer: Optimizer,
    tensors: list[Tensor],
    dtype: torch.dtype | None = None,
) -> list[Tensor] | None:
    """Take the step of a class of optimizers with copies of tensors; return the copies.

    With a ``dtype``, the copies and their state have that type. Return None if the step
    can't be taken: an optimizer that is not PyTorch's own may refer to the model beside
    its groups, and would change it.
    """
    if not is_of_torch(kind) or kind in {LBFGS, Optimizer}:
        return None
    copies = {id(tensor): _copy(tensor, dtype) for tensor in tensors}
    twin = object.__new__(kind)
    twin.__dict__.update(optimizer.__dict__)
    twin.__dict__.pop("step", None)  # a scheduler counts the steps in it
    # The hooks of the caller must not run. PyTorch has no public list of them.
    for hooks in ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"):
        twin.__dict__[hooks] = {}
    twin.state = defaultdict(dict)
    for tensor in tensors:
        if tensor in optimizer.state:
            state = deepcopy(optimizer.state[tensor])
            for name, value in state.items():
                if isinstance(value, Tensor) and value.dtype == tensor.dtype:
                    state[name] = value.to(dtype or value.dtype)
            twin.state[copies[id(tensor)]] = state
    twin.param_groups = [
        {**group, "params": [copies[id(p)] for p in group["params"] if id(p) in copies]}
        for group in optimizer.param_groups
    ]
    try:
        _without_hooks(kind.step)(twin)
    except RuntimeError:  # the real step will raise it, too
        return None
    return list(copies.values())


def is_of_torch(kind: type) -> bool:
    """Whether a class of optimizers is PyTorch's own."""
    return kind.__module__.startswith("torch.optim")


def _reason_of_move(optimizer: Optimizer, tensor: Tensor, group: dict[str, Any]) -> str:
    """Return why the step of an optimizer moves a frozen tensor that has a gradient."""
    state = optimizer.state.get(tensor, {})
    also = []
    if group.get("weight_decay"):
        also.append("weight decay")
    if any(_is_moving(state.get(name)) for name in _MOMENTA):
        also.append("momentum")
    if tensor.grad is not None and not is_zero(tensor.grad):
        return ", ".join(["frozen, but its stale .grad is applied by step()", *also])
    force = " and ".join(also) or "step()"
    return f"frozen, but {force} can move it: .grad is 0, not None"


def _without_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``step`` without the wrapper that calls the hooks of all optimizers."""
    inner: Callable[..., Any] = getattr(step, "__wrapped__", step)
    return inner if getattr(step, "hooked", False) else step


_MOMENTA = ("momentum_buffer", "exp_avg", "mu", "ax")


def _copy(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    copy = tensor.detach().to(dtype or tensor.dtype, copy=True)
    if tensor.grad is not None:
        copy.grad = tensor.grad.detach().to(copy.dtype, copy=True)
    return copy


def _is_moving(momentum: object) -> bool:
    return isinstance(momentum, Tensor) and not is_zero(momentum)
