"""Remembers which operations used the data of each source, and what becomes of it."""

from collections.abc import Iterable
from typing import NamedTuple
from weakref import ref

import torch
from torch import Tensor

from gradguide._origins.blame import Cause
from gradguide._origins.operations import EXITS, pretty
from gradguide._origins.values import Origins
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
        self._read = 0
        self._last: dict[tuple[bool, int], tuple[int, str, Place | None]] = {}
        self._exits: list[tuple[int, Cause]] = []
        self._left = 0
        self._read_out: list[tuple[int, Cause]] = []
        self._hidden: list[tuple[int, Cause]] = []
        self._inside = 0

    def note(self, name: str, mask: int) -> None:
        """Note that an operation read data of sources."""
        self._time += 1
        self._read |= mask
        key = (torch.is_grad_enabled(), mask)
        self._last[key] = (self._time, name, line_here())

    def note_exit(self, name: str, mask: int, *, is_source: bool) -> None:
        """Note data that left PyTorch; of a source itself or of a result of it.

        That a parameter itself is read, as for a log, says less than its other uses.
        """
        self._read |= mask
        if is_source:
            self._read_out.append((mask, Cause(EXITS[name], here())))
            del self._read_out[:-100]
        elif mask & ~self._left:
            self._left |= mask
            self._exits.append((mask, Cause(EXITS[name], here())))

    def note_inconclusive(self, mask: int, why: str) -> None:
        """Note that sources were read where nothing can be seen."""
        self._read |= mask
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
            way = max(ways, key=lambda way: way.rank)
            cut = way.cut
            if cut is None:
                return Verdict("unknown", "no cut was seen on its way to the loss")
            return Verdict("unknown" if cut.inconclusive else "cut", cut.why, cut.where)
        for mask, cause in copies:
            if mask & bit:
                return Verdict("cut", cause.why, cause.where)
        for mask, cause in self._hidden:
            if mask & bit:
                return Verdict("unknown", cause.why, cause.where)
        for mask, cause in self._exits:
            if mask & bit:
                why = f"its result left PyTorch by {cause.why}"
                return Verdict("unused", why, cause.where)
        if not self._read & bit:
            return Verdict("unused", "never read in the forward")
        last = max(
            (
                (with_grad, *use)
                for (with_grad, mask), use in self._last.items()
                if mask & bit
            ),
            default=None,
        )
        if last is not None:
            why = f"its result never reaches the loss; last used by {pretty(last[2])}"
            return Verdict("unused", why, last[3])
        for mask, cause in self._read_out:
            if mask & bit:
                why = f"its result left PyTorch by {cause.why}"
                return Verdict("unused", why, cause.where)
        return Verdict("unused", "its result never reaches the loss")
