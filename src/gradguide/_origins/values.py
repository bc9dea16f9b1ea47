"""Remembers for each tensor where its data came from, also through shared memory."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import NamedTuple
from weakref import ref

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from gradguide._memory import pieces
from gradguide._origins.blame import Cause


class Way(NamedTuple):
    """How data came from a source: by which first cut, and whether by a detour.

    A way is a detour if data was written in place into a parameter on it. That
    parameter has its own, direct way, whose cut is the one to report. A way is a dead
    end if the data became integers after the cut, as indices do: without the cut,
    there would be no gradient either.
    """

    cut: Cause | None = None
    is_detour: bool = False
    is_dead_end: bool = False

    def through(
        self, cause: Cause | None, *, is_detour: bool, is_discrete: bool
    ) -> "Way":
        """Return the way after one more operation.

        Its cut is the first one, unless that is inconclusive and there is a later one.
        """
        cut = self.cut
        if cause is not None and (cut is None or cut.inconclusive):
            cut = cause
        is_dead_end = self.is_dead_end or (is_discrete and self.cut is not None)
        return Way(cut, self.is_detour or is_detour, is_dead_end)

    @property
    def rank(self) -> int:
        """How much the way counts if there are several; an inconclusive one, most."""
        if self.cut is None:
            return 0
        return 4 if self.cut.inconclusive else 3 - self.is_detour - self.is_dead_end


UNCUT = Way()

Origins = Mapping[Way, int]
"""Where data came from: for each way the sources, as a mask of their bits.

It is never changed, so that tensors can share it.
"""


def through(
    origins: Origins,
    cause: Cause | None,
    *,
    is_detour: bool = False,
    is_discrete: bool = False,
) -> Origins:
    """Return origins after one more operation."""
    if cause is None and not is_detour and not is_discrete:
        return origins
    after: dict[Way, int] = {}
    for way, mask in origins.items():
        new = way.through(cause, is_detour=is_detour, is_discrete=is_discrete)
        after[new] = after.get(new, 0) | mask
    return after


def merged(parts: Iterable[Origins]) -> Origins:
    """Return the origins of data that was computed from several tensors."""
    result: Origins = {}
    for part in parts:
        if not result or result is part:
            result = part
            continue
        both = dict(result)
        for way, mask in part.items():
            both[way] = both.get(way, 0) | mask
        result = both
    return result


def mask_of(origins: Origins) -> int:
    """Return the sources on any way."""
    return reduce(or_, origins.values(), 0)


class _Known(NamedTuple):
    """What is known of a tensor; ``bit`` is not 0 if it is a source itself."""

    tensor: ref[Tensor]
    origins: Origins
    time: int
    address: int
    bit: int


class _Memory(NamedTuple):
    """What was put into a storage at last, by a new tensor or by a write in place."""

    storage: StorageWeakRef
    origins: Origins
    time: int


class Values:
    """The origins of tensors and of memory; both are referred to weakly."""

    def __init__(self) -> None:
        self._tensors: dict[int, _Known] = {}
        self._limit = 1000
        self._put: dict[int, _Memory] = {}
        self._written: dict[int, _Memory] = {}
        self._aliases: dict[int, tuple[ref[Tensor], Cause | None]] = {}
        self._source_addresses: set[int] = set()
        self._time = 0

    def add_source(self, tensor: Tensor, bit: int, origins: Origins) -> None:
        """Make a tensor a source; ``origins`` are those of the data that it has."""
        address = address_of(tensor)
        self._remember(tensor, origins, address, bit)
        if address:
            self._source_addresses.add(address)
            both = merged((origins, {UNCUT: bit}))
            self._put[address] = _Memory(_weak(tensor), both, self._time)

    def of(self, tensor: Tensor) -> tuple[Origins, int] | None:
        """Return the origins of a tensor, and its own bit; None if it is unknown."""
        known = self._tensors.get(id(tensor))
        if known is None or known.tensor() is not tensor:
            return None
        origins = known.origins
        # A tensor that shares its memory may have been written to since.
        memory = self._written.get(known.address)
        if memory and memory.time > known.time and not _is_gone(memory.storage):
            origins = merged((origins, memory.origins))
        return origins, known.bit

    def in_memory(self, tensor: Tensor) -> Origins | None:
        """Return the origins of what another tensor put into this memory, or None."""
        return _origins_at(address_of(tensor), self._put)

    def written(self, address: int) -> Origins | None:
        """Return the origins of what was written at an address, or None."""
        return _origins_at(address, self._written)

    def is_in_source(self, tensor: Tensor) -> bool:
        """Whether a tensor is a source or shares memory with one."""
        known = self._tensors.get(id(tensor))
        if known is not None and known.bit and known.tensor() is tensor:
            return True
        return address_of(tensor) in self._source_addresses

    def set(self, tensor: Tensor, origins: Origins) -> None:
        """Set the origins of the content of a tensor."""
        known = self._tensors.get(id(tensor))
        bit = known.bit if known is not None and known.tensor() is tensor else 0
        address = address_of(tensor)
        self._remember(tensor, origins, address, bit)
        if address:
            self._put[address] = _Memory(_weak(tensor), origins, self._time)

    def write(self, tensor: Tensor, origins: Origins) -> None:
        """Set the origins of what all tensors with the memory of this one hold now."""
        self._written[address_of(tensor)] = _Memory(_weak(tensor), origins, self._time)

    def detach(self, tensor: Tensor, cause: Cause | None) -> None:
        """Note that a tensor shares memory with others but not their history."""
        self._aliases[id(tensor)] = (ref(tensor), cause)

    def detached_by(self, tensor: Tensor) -> Cause | None:
        """Return what detached a tensor from others with the same memory, or None."""
        held = self._aliases.get(id(tensor))
        if held and held[0]() is tensor:
            return held[1]
        # A view of a detached tensor is detached too. PyTorch has no public name for
        # the base of a view.
        base = tensor._base  # noqa: SLF001
        return None if base is None else self.detached_by(base)

    def forget(self, tensor: Tensor) -> None:
        """Forget what was at the address that a new tensor has got."""
        address = address_of(tensor)
        self._written.pop(address, None)
        self._put.pop(address, None)

    def _remember(
        self, tensor: Tensor, origins: Origins, address: int, bit: int
    ) -> None:
        self._time += 1
        known = _Known(ref(tensor), origins, self._time, address, bit)
        self._tensors[id(tensor)] = known
        if len(self._tensors) > self._limit:
            self._forget_freed()

    def _forget_freed(self) -> None:
        """Forget tensors and memory that were freed, whenever their number doubles."""
        self._tensors = {
            key: known
            for key, known in self._tensors.items()
            if known.tensor() is not None
        }
        self._aliases = {
            key: alias for key, alias in self._aliases.items() if alias[0]() is not None
        }
        for memories in (self._put, self._written):
            for address in [a for a, m in memories.items() if _is_gone(m.storage)]:
                del memories[address]
        self._limit = max(1000, 2 * len(self._tensors))


def address_of(tensor: Tensor) -> int:
    """Return the address of the memory of a tensor; 0 if it has none."""
    storages = pieces(tensor)
    return storages[0].data_ptr() if storages else 0


def covers_its_memory(tensor: Tensor) -> bool:
    """Whether a tensor fills its storage."""
    return pieces(tensor)[0].nbytes() <= tensor.numel() * tensor.element_size()


def _weak(tensor: Tensor) -> StorageWeakRef:
    # An address alone may belong to another storage later.
    return StorageWeakRef(pieces(tensor)[0])  # type: ignore[no-untyped-call]


def _origins_at(address: int, memories: Mapping[int, _Memory]) -> Origins | None:
    memory = memories.get(address)
    return memory.origins if memory and not _is_gone(memory.storage) else None


def _is_gone(memory: StorageWeakRef) -> bool:
    return bool(memory.expired())  # type: ignore[no-untyped-call]
