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
    """What is said of a tensor, with the reason and the place of its cause.

    ``is_normal`` says that it is normal at the start of a training.
    """

    verdict: str
    why: str = ""
    where: Place | None = None
    is_normal: bool = False


class _Exit(NamedTuple):
    """Data of sources that left PyTorch, and whether it was that of a source itself."""

    mask: int
    cause: Cause
    is_of_source: bool

    @property
    def is_in_module(self) -> bool:
        """Whether a method of a module ran."""
        return bool(self.cause.where and self.cause.where.modules)


class Uses:
    """The uses of sources, which are given as masks of their bits.

    Attributes:
        time: How many uses were noted.
        read_at: When each source itself was read for the last time, by the length of
            its bit. Numbers with a single bit make bad keys: they have 61 hashes.
        leaves_made: The leaves that the running code has made.
    """

    def __init__(self) -> None:
        self.leaves_made: list[ref[Tensor]] = []
        self.time = 0
        self.read_at: dict[int, int] = {}
        self._last: dict[tuple[bool, int, int], tuple[int, str, Place | None]] = {}
        self._exits: list[_Exit] = []
        self._left: dict[bool, int] = {}
        self._hidden: list[tuple[int, Cause]] = []
        self._inside = 0

    def note(self, name: str, mask: int) -> None:
        """Note that an operation read data of sources."""
        self.time += 1
        key = (torch.is_grad_enabled(), mask.bit_length(), mask)
        self._last[key] = (self.time, name, line_here())

    def note_exit(self, name: str, mask: int, *, is_of_source: bool) -> None:
        """Note data that left PyTorch, of a source itself or of a result of it."""
        if not mask & ~self._left.get(is_of_source, 0):
            return
        self._left[is_of_source] = self._left.get(is_of_source, 0) | mask
        self._exits.append(_Exit(mask, Cause(EXITS[name], here()), is_of_source))

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
            for (is_with_grad, _, mask), use in self._last.items()
            if mask & bit
        ]
        exits = [exit_ for exit_ in self._exits if exit_.mask & bit]
        # That a parameter itself is read outside of a module, as for a log, says less
        # than its other uses.
        exits.sort(key=lambda exit_: (not exit_.is_in_module, exit_.is_of_source))
        if exits and not (last and exits[0].is_of_source and not exits[0].is_in_module):
            cause = exits[0].cause
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
