"""Remembers where tensors were frozen, and where that was undone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from gradguide._origins.where import Place, here, line_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


class Flags:
    """The changes of ``requires_grad`` that were seen."""

    def __init__(self) -> None:
        self._frozen: dict[int, Place | None] = {}
        self._first: dict[int, tuple[ref[Tensor], Place | None]] = {}
        self._unfrozen: dict[int, Place | None] = {}

    def note(self, tensor: Tensor, *, called: bool, ran: bool) -> None:
        """Note a change of a tensor.

        ``called`` tells whether a forward has begun, and ``ran`` whether a backward
        has.
        """
        key = id(tensor)
        known, _ = self._first.get(key, (None, None))
        is_known = known is not None and known() is tensor
        if not tensor.requires_grad:
            self._frozen[key] = here()
            if not called and not is_known:
                self._first[key] = (ref(tensor), line_here())
            if not ran:
                self._unfrozen.pop(key, None)
        elif is_known and not ran:
            self._unfrozen[key] = line_here()

    def was_frozen(self, tensor: Tensor) -> bool:
        """Whether a tensor was seen to be frozen."""
        return id(tensor) in self._frozen

    def frozen_at(self, tensor: Tensor) -> Place | None:
        """Return where a tensor was frozen at last."""
        return self._frozen.get(id(tensor))

    def undone(self) -> Iterator[tuple[int, Place | None, Place | None]]:
        """Yield a number of tensors, where they were frozen, and where unfrozen.

        They were frozen before any forward and unfrozen before any backward, and so
        was all that the same line froze: to unfreeze a part of it is a common way to
        freeze the rest.
        """
        at: dict[Place | None, list[int]] = {}
        for key, (tensor, place) in self._first.items():
            if tensor() is not None:
                at.setdefault(place, []).append(key)
        for frozen, keys in at.items():
            if all(key in self._unfrozen for key in keys):
                yield len(keys), frozen, self._unfrozen[keys[-1]]
