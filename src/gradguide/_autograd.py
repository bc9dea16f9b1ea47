"""Walks the graph that autograd recorded, without changing or unpacking anything."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, UntypedStorage, nn
from torch.autograd.graph import Node
from torch.nn.parameter import is_lazy


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
    """Return the node that made a tensor; None too where PyTorch refuses to say."""
    return None if is_refused(tensor) else tensor.grad_fn


def is_refused(tensor: Tensor) -> bool:
    """Whether a tensor views, from under no_grad, a base that was then written to."""
    try:
        tensor.grad_fn  # noqa: B018 asking is enough
    except RuntimeError:
        return True
    return False


def is_dead_view(tensor: Tensor) -> bool:
    """Whether a tensor reports requires_grad=True, but its history is lost."""
    if not tensor.requires_grad or grad_fn(tensor) is not None:
        return False
    # No public name tells a view's base; this one is in PyTorch's notes on views.
    base = tensor._base  # noqa: SLF001
    return base is not None and base.requires_grad


def is_inference(tensor: Tensor) -> bool:
    """Whether a tensor was made under inference_mode."""
    # A lazy parameter refuses every question until its shape is known.
    return not is_lazy(tensor) and tensor.is_inference()


def is_zero(tensor: Tensor) -> bool:
    """Whether a tensor has values, and all of them are zero."""
    if tensor.layout == torch.sparse_coo:
        tensor = tensor.coalesce().values()
    return not tensor.is_meta and not tensor.count_nonzero()


def nodes(roots: Iterable[Tensor]) -> list[Node]:
    """Return every node behind some tensors once, those nearest to them first."""
    found = [node for node in map(grad_fn, roots) if node is not None]
    found = list(dict.fromkeys(found))
    seen = set(found)
    for node in found:  # which grows as it is walked
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    return found


def leaf(node: Node) -> Tensor | None:
    """Return the leaf tensor whose gradient ends in a node, if that's what it does."""
    # By name, as its type is not public; asking all others for a variable is slow.
    if type(node).__name__ != "AccumulateGrad":
        return None
    variable: Tensor | None = getattr(node, "variable", None)
    return variable


def leaves(nodes: Iterable[Node]) -> list[Tensor]:
    """Return the leaf tensors whose gradients end in some of these nodes."""
    return [tensor for node in nodes if (tensor := leaf(node)) is not None]


def saved_tensors(nodes: Iterable[Node]) -> tuple[list[Tensor], list[Node], bool]:
    """Return the tensors that nodes saved, as packed, and the node of each.

    And whether some were freed. PyTorch's notes on autograd name these attributes. The
    ``_raw_`` ones give what is stored; the others would run unpack hooks, and a
    checkpoint's recomputes.
    """
    found: list[Tensor] = []
    keepers: list[Node] = []
    freed = False
    for node in nodes:
        ask = _asker(type(node))
        if ask is None:
            continue
        try:
            stored = ask(node)
        except RuntimeError:  # a custom Function's, after a backward
            freed = True
            continue
        for one in stored:  # which grows as it is walked
            if one is None:
                continue
            if isinstance(one, tuple):
                stored += one
                continue
            value = one.data
            if isinstance(value, Tensor):
                found.append(value)
                keepers.append(node)
            elif value is not None:
                parts = list(tensors_in(value))
                found += parts
                keepers += [node] * len(parts)
            elif one.unpack_hook is None:
                freed = freed or _is_freed(one)
    return found, keepers, freed


def shape_of(tensor: Tensor) -> str:
    """Write the shape of a tensor; a nested one has as many as it has parts."""
    if tensor.is_nested and tensor.layout is torch.strided:
        return f"({tensor.size(0)}, nested)"
    return str(tuple(tensor.shape))


def storages(tensor: Tensor) -> list[tuple[int, int]]:
    """Return the address and the bytes of each piece of memory behind a tensor."""
    return [(piece.data_ptr(), piece.nbytes()) for piece in pieces(tensor)]


def pieces(tensor: Tensor) -> list[UntypedStorage]:
    """Return the storages behind a tensor that have memory."""
    plain = type(tensor) in _PLAIN and tensor.layout is torch.strided
    found = []
    for part in (tensor,) if plain else _parts(tensor):
        try:
            storage = part.untyped_storage()
            has_memory = storage.data_ptr() != 0
        except (NotImplementedError, RuntimeError):  # of vmap, or a wrapper
            continue
        if has_memory:  # empty tensors and those on the meta device have none
            found.append(storage)
    return found


def memory(
    tensors: list[Tensor],
) -> tuple[Iterable[int], list[int], list[UntypedStorage]]:
    """Return, of each storage behind some tensors, its tensor's place and its address.

    And the storages themselves. Asked all at once, plain tensors answer in a third of
    the time; then what has no memory has a storage, too, at the address 0.
    """
    if _PLAIN.issuperset(map(type, tensors)):
        try:
            found = list(map(Tensor.untyped_storage, tensors))
            addresses = list(map(UntypedStorage.data_ptr, found))
        except (NotImplementedError, RuntimeError):  # one is sparse, or of vmap
            pass
        else:
            return range(len(found)), addresses, found
    parts = [pieces(tensor) for tensor in tensors]
    places = [place for place, found in enumerate(parts) for _ in found]
    found = [piece for found in parts for piece in found]
    return places, list(map(UntypedStorage.data_ptr, found)), found


def is_number(tensor: Tensor) -> bool:
    """Whether a tensor stands for a number in the code, as the 2 in ``x * 2``.

    Such a number yields to any other type of its kind, and a tensor does not.
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
def _asker(kind: type[Node]) -> Callable[[Node], list[Any]] | None:
    """Return what asks a kind of node for all that it stored: at once, that's fast."""
    names = [name for name in dir(kind) if name.startswith("_raw_saved_")]
    if not names:
        return None
    if names[1:]:
        ask = attrgetter(*names)
        return lambda node: list(ask(node))
    return lambda node: [getattr(node, names[0])]


def _is_freed(raw: Any) -> bool:  # noqa: ANN401 PyTorch exports no type for it
    try:
        raw.unpack()
    except RuntimeError:
        return True
    return False  # an optional tensor that the operation did not get


_PLAIN = {Tensor, nn.Parameter, nn.Buffer}


def _parts(tensor: Tensor) -> Iterator[Tensor]:
    """Yield the strided tensors that a sparse or sharded one consists of."""
    if is_lazy(tensor):
        return
    if hasattr(tensor, "to_local"):
        yield from _parts(tensor.to_local())
    elif tensor.layout == torch.sparse_coo:
        yield from (tensor._indices(), tensor._values())  # noqa: SLF001 uncoalesced
    elif tensor.layout in {torch.sparse_csr, torch.sparse_bsr}:
        yield from (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.layout in {torch.sparse_csc, torch.sparse_bsc}:
        yield from (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
    else:
        yield tensor
