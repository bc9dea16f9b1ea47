"""Finds the terms of a loss that give no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from gradguide._origins.where import Place, line_here

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gradguide._origins.flow import Read
    from gradguide._origins.tape import Call

_SUMS = {"add", "add_", "sub", "sub_", "__radd__", "__rsub__", "rsub"}


class Terms:
    """The sums in which only some terms have a graph, though others could have one."""

    def __init__(self) -> None:
        """Know no sum."""
        self.cut: dict[tuple[Place, str], Place | None] = {}
        """For the line of a sum and the reason of a cut, the line of the cut."""

    def note(self, call: Call, result: object, reads: Iterable[Read]) -> None:
        """Note what cuts a number off that is added to a number with a graph."""
        if call.name not in _SUMS or not isinstance(result, Tensor):
            return
        if result.dim() or not result.requires_grad or not result.is_floating_point():
            return
        place = line_here()
        for read in reads:
            ways = () if read.needs_grad or read.tensor.dim() else read.origins
            for cut in (way.cut for way in ways if not way.is_dead_end):
                if place is not None and cut is not None and not cut.inconclusive:
                    self.cut.setdefault((place, cut.why), cut.where)
