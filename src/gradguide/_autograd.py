"""Walks the graph that autograd recorded, without changing or unpacking it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.nn.parameter import is_lazy

Parents = tuple[tuple[Node | None, int], ...]
"""What a node was computed from: nodes, and which of their outputs."""


Loss: TypeAlias = Tensor | list[Any] | tuple[Any, ...] | dict[Any, Any] | deque[Any]
"""A tensor, or a tuple, list or dict of tensors, which may be nested."""


def tensors_in(value: object) -> Iterator[Tensor]:
    """Yield the tensors in a tensor or in nested tuples, lists and dicts of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, (tuple, list, deque)):
        for part in value:
            yield from tensors_in(part)


def grad_fn(tensor: Tensor) -> Node | None:
    """Return ``grad_fn``; None too for a refused view, where PyTorch raises."""
    return None if is_refused(tensor) else tensor.grad_fn


def is_refused(tensor: Tensor) -> bool:
    """Whether PyTorch refuses to use a view.

    It does so for a view made under no_grad whose base was written to in place later.
    """
    try:
        tensor.grad_fn  # noqa: B018 raises for such a view
    except RuntimeError:
        return True
    return False


def is_dead_view(tensor: Tensor) -> bool:
    """Whether a tensor reports requires_grad=True, but its history is lost."""
    if not tensor.requires_grad or grad_fn(tensor) is not None:
        return False
    # PyTorch has no public name for the base of a view.
    base = tensor._base  # noqa: SLF001
    return base is not None and base.requires_grad


def is_inference(tensor: Tensor) -> bool:
    """Whether a tensor was made under inference_mode."""
    # A lazy parameter raises for any question until it has a shape.
    return not is_lazy(tensor) and tensor.is_inference()


def walk(roots: Iterable[Tensor]) -> dict[Node, Parents]:
    """Return each node behind some tensors, the nearest first, with its parents."""
    return walk_from(node for node in map(grad_fn, roots) if node is not None)


def walk_from(start: Iterable[Node]) -> dict[Node, Parents]:
    """Return some nodes and each one behind them, the nearest first, with parents."""
    reached = list(dict.fromkeys(start))
    seen = set(reached)
    parents: list[Parents] = []
    for node in reached:  # appended to while iterating
        parents.append(node.next_functions)
        for parent, _ in parents[-1]:
            if parent is not None and parent not in seen:
                seen.add(parent)
                reached.append(parent)
    return dict(zip(reached, parents, strict=True))


def nodes(roots: Iterable[Tensor]) -> list[Node]:
    """Return each node behind some tensors once, the nearest first."""
    return list(walk(roots))


def leaf(node: Node) -> Tensor | None:
    """Return the leaf tensor in which a node accumulates its gradient, or None."""
    # The type of the node is not public; ``getattr`` on all other nodes would be slow.
    if type(node).__name__ != "AccumulateGrad":
        return None
    variable: Tensor | None = getattr(node, "variable", None)
    return variable


def leaves(nodes: Iterable[Node]) -> list[Tensor]:
    """Return the leaf tensors in which nodes accumulate gradients."""
    return [tensor for node in nodes if (tensor := leaf(node)) is not None]


def saved_tensors(nodes: Iterable[Node]) -> tuple[list[Tensor], list[Node], bool]:
    """Return the saved tensors, as they are packed, the node of each, and ``freed``.

    ``freed`` tells whether a backward has freed some of them. PyTorch's notes on
    autograd describe the attributes ``_saved_``. The attributes ``_raw_saved_`` return
    the packed tensors; the others would run unpack hooks, and that of a checkpoint
    recomputes its forward.
    """
    tensors: list[Tensor] = []
    owners: list[Node] = []
    freed = False
    for node in nodes:
        names, read = _reader(type(node))
        if not names:
            continue
        try:
            stored = read(node)
        except RuntimeError:  # a list of tensors, after a backward
            freed = True
            continue
        for place, raw in enumerate(stored):  # appended to while iterating
            if raw is None:
                continue
            if isinstance(raw, tuple):
                stored += raw
                continue
            value = raw.data
            if isinstance(value, Tensor):
                tensors.append(value)
                owners.append(node)
            elif value is not None:
                parts = list(tensors_in(value))
                tensors += parts
                owners += [node] * len(parts)
            elif raw.unpack_hook is None and place < len(names):
                freed = freed or _is_freed(node, names[place])
    return tensors, owners, freed


def saves_tensors(kind: type[Node]) -> bool:
    """Whether a kind of node saves tensors for its backward."""
    return bool(_reader(kind)[0])


def shape_of(tensor: Tensor) -> str:
    """Write the shape of a tensor; of a nested one, only the number of its parts."""
    if tensor.is_nested and tensor.layout is torch.strided:
        return f"({tensor.size(0)}, nested)"
    return str(tuple(tensor.shape))


def is_number(tensor: Tensor) -> bool:
    """Whether PyTorch made a tensor of a number in the code, as of the 2 in ``x * 2``.

    Such a tensor does not take part in type promotion: it gives way to any other type
    of the same kind.
    """
    smaller = _SMALLER.get(tensor.dtype) if tensor.dim() == 0 else None
    if smaller is None:
        return False
    return torch.result_type(tensor, torch.zeros((), dtype=smaller)) == smaller


_SMALLER = {
    torch.int64: torch.uint8,
    torch.float64: torch.float16,
    torch.complex128: torch.complex64,
}


@lru_cache(maxsize=1000)
def _reader(
    kind: type[Node],
) -> tuple[list[str], Callable[[Node], list[Any]]]:
    """Return the names of saved tensors of a kind of node, and a fast way to read."""
    names = [name for name in dir(kind) if name.startswith("_raw_saved_")]
    if names[1:]:
        read = attrgetter(*names)
        return names, lambda node: list(read(node))
    return names, lambda node: [getattr(node, names[0])]


def _is_freed(node: Node, name: str) -> bool:
    """Whether a saved tensor that is not there was freed by a backward.

    If not, it is an optional input that the operation did not get. Without an unpack
    hook, no code of the caller runs here.
    """
    try:
        getattr(node, name.removeprefix("_raw"))
    except RuntimeError:
        return True
    return False
