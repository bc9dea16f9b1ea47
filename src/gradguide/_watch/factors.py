"""Remembers what each parameter was multiplied with, as zero times all is zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradguide._origins import operations
from gradguide._origins.values import mask_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gradguide._origins.flow import Read
    from gradguide._origins.tape import Call
    from gradguide._watch.ledger import Ledger


class Factors:
    """The sources whose data was multiplied with other sources, by their bits."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._behind: dict[int, int] = {}

    def note(self, call: Call, reads: Iterable[Read]) -> None:
        """Note what the factors of a product were multiplied with."""
        for factor in operations.factors(call.name, call.inputs):
            record = self._ledger.get(factor) if factor.is_leaf else None
            if record is not None and record.bit:
                behind = self._behind.get(record.bit, 0)
                for read in reads:
                    behind |= mask_of(read.origins)
                self._behind[record.bit] = behind & ~record.bit

    def of(self, bit: int) -> Iterator[int]:
        """Yield the bits of the sources that a source was multiplied with."""
        for factor, behind in self._behind.items():
            if behind & bit:
                yield factor
