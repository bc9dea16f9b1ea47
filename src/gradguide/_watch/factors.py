"""Remembers what each parameter was multiplied with, as zero times all is zero."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from gradguide._origins import operations
from gradguide._origins.values import mask_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gradguide._origins.flow import Read
    from gradguide._origins.tape import Call


class Factors:
    """The sources of factors, and of what these were multiplied with, as masks."""

    def __init__(self) -> None:
        self._behind: dict[int, int] = {}

    def note(self, call: Call, reads: Iterable[Read]) -> None:
        """Note what the factors of a product were multiplied with."""
        factors = operations.factors(call.name, call.inputs)
        if not factors:
            return
        masks = [(read.tensor, mask_of(read.origins)) for read in reads]
        for tensor, mask in masks:
            if mask and any(factor is tensor for factor in factors):
                behind = self._behind.get(mask, 0)
                for other, sources in masks:
                    behind |= sources if other is not tensor else 0
                self._behind[mask] = behind & ~mask

    def of(self, bit: int) -> int:
        """Return the sources of all factors that a source was multiplied with."""
        factors = (mask for mask, behind in self._behind.items() if behind & bit)
        return reduce(or_, factors, 0)
