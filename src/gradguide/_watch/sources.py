"""Finds what a tensor was copied or averaged from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradguide._origins.values import mask_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from gradguide._watch.observer import Observer


def source_of(tensor: Tensor, seen: Observer, name_of: Callable[[Tensor], str]) -> str:
    """Return the name of what gets gradients that a tensor was computed from; or "".

    For two tensors of one name in two modules it is that of the module, as in
    ``online.*``.
    """
    own = seen.ledger.get(tensor)
    mask = mask_of(seen.origins(tensor)) & ~(own.bit if own else 0)
    for copy, origin, _ in seen.flow.copies():
        mask |= origin if copy is tensor else 0
    for other, known in seen.ledger if mask else ():
        if known.bit & mask and (known.trained or known.nonzero):
            return _module_of(name_of(other), name_of(tensor))
    return ""


def _module_of(name: str, other: str) -> str:
    """Return the part of a name before what it has in common with the end of another.

    >>> _module_of("online.head.weight", "target.head.weight")
    'online.*'
    """
    mine, theirs = name.split("."), other.split(".")
    while mine and theirs and mine[-1] == theirs[-1]:
        mine, theirs = mine[:-1], theirs[:-1]
    is_whole = not mine or len(mine) == len(name.split("."))
    return name if is_whole else ".".join([*mine, "*"])
