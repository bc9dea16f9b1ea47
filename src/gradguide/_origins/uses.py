"""Remembers which operations used the data of each source, and what becomes of it."""

from collections.abc import Iterable
from typing import NamedTuple
from weakref import ref

import torch
from torch import Tensor

from gradguide._origins.blame import Cause
from gradguide._origins.operations import EXITS, pretty
from gradguide._origins.values import Origins, Way
from gradguide._origins.where import Place, here, line_here


class Verdict(NamedTuple):
    """The verdict on a source, with its reason and the place of its cause."""

    verdict: str
    why: str = ""
    where: Place | None = None


class Uses:
    """The uses of sources, which are given as masks of their bits."""

    def __init__(self) -> None:
        """Know no use."""
        self.leaves_made: list[ref[Tensor]] = []
        self._time = 0
        self._last: dict[tuple[bool, int], tuple[int, str, Place | None]] = {}
        self._exits: list[tuple[int, Cause]] = []
        self._left = 0
        self._read_out: list[tuple[int, Cause]] = []
        self._hidden: list[tuple[int, Cause]] = []
        self._inside = 0

    def note(self, name: str, mask: int) -> None:
        """Note that an operation read data of sources."""
        self._time += 1
        key = (torch.is_grad_enabled(), mask)
        self._last[key] = (self._time, name, line_here())

    def note_exit(self, name: str, mask: int, *, is_source: bool) -> None:
        """Note data that left PyTorch; of a source itself or of a result of it.

        That a parameter itself is read, as for a log, says less than its other uses.
        """
        if is_source:
            self._read_out.append((mask, Cause(EXITS[name], here())))
            del self._read_out[:-100]
        elif mask & ~self._left:
            self._left |= mask
            self._exits.append((mask, Cause(EXITS[name], here())))

    def note_inconclusive(self, mask: int, why: str) -> None:
        """Note that sources were read where nothing can be seen."""
        if mask & ~self._inside:
            self._inside |= mask
            self._hidden.append((mask, Cause(why, here(), inconclusive=True)))

    def note_leaf(self, tensor: Tensor) -> None:
        """Note a leaf that the running code has made."""
        self.leaves_made.append(ref(tensor))

    def verdict(
        self,
        bit: int,
        reached: Origins,
        copies: Iterable[tuple[int, Cause]] = (),
    ) -> Verdict:
        """Return why backward does not reach a source.

        ``reached`` are the origins of its roots, and ``copies`` the sources whose
        copies it reaches.
        """
        ways = [way for way, mask in reached.items() if mask & bit]
        if ways:
            return _of_way(max(ways, key=lambda way: way.rank))
        for mask, cause in copies:
            if mask & bit:
                return Verdict("cut", cause.why, cause.where)
        for mask, cause in self._hidden:
            if mask & bit:
                return Verdict("unknown", cause.why, cause.where)
        return self._unused(bit)

    def _unused(self, bit: int) -> Verdict:
        """Say how the data of a source was used, which reaches no loss."""
        last = [
            (is_with_grad, *use)
            for (is_with_grad, mask), use in self._last.items()
            if mask & bit
        ]
        exits = self._exits if last else [*self._exits, *self._read_out]
        for mask, cause in exits:
            if mask & bit:
                why = f"its result left PyTorch by {cause.why}"
                return Verdict("unused", why, cause.where)
        if last:
            _, _, name, where = max(last)
            why = f"its result never reaches the loss; last used by {pretty(name)}"
            return Verdict("unused", why, where)
        return Verdict("unused", "never read in the forward")


def _of_way(way: Way) -> Verdict:
    """Return the verdict on a source whose data reaches the loss by a way."""
    cut = way.cut
    if cut is None:
        return Verdict("unknown", "no cut was seen on its way to the loss")
    return Verdict("unknown" if cut.inconclusive else "cut", cut.why, cut.where)
