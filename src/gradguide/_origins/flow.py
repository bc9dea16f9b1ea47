"""Follows the data of sources from the inputs of operations to their results."""

from collections.abc import Callable, Iterator
from typing import NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn

from gradguide._autograd import grad_fn, leaves, nodes, tensors_in
from gradguide._origins.blame import COPY, Blame, Cause
from gradguide._origins.operations import ALIASES
from gradguide._origins.uses import Uses
from gradguide._origins.values import (
    UNCUT,
    Origins,
    Values,
    Way,
    address_of,
    covers_its_memory,
    mask_of,
    merged,
    through,
)
from gradguide._origins.where import here


class Read(NamedTuple):
    """A tensor that an operation reads, its origins, and whether it required grad."""

    tensor: Tensor
    origins: Origins
    needs_grad: bool


class Flow:
    """Knows the origins of tensors, and finds those of results.

    Attributes:
        values: The origins of tensors and of memory.
    """

    def __init__(
        self, blame: Blame, uses: Uses, find_source: Callable[[Tensor, Origins], int]
    ) -> None:
        """Ask ``find_source`` for the bit of a new leaf; it returns 0 for no source."""
        self.values = Values()
        self._copies: list[tuple[ref[Tensor], int, Cause]] = []
        self._blame = blame
        self._uses = uses
        self._find_source = find_source

    def origins(self, tensor: Tensor) -> Origins:
        """Return where the data of a tensor comes from, by which ways."""
        known = self.values.of(tensor) or self._find(tensor)
        if not known:
            return {}
        origins, bit = known
        if not bit:
            if not tensor.requires_grad or not tensor.is_leaf:
                return origins
            bit = self._find_source(tensor, origins)  # a leaf that requires grad now
            if not bit:
                return origins
        self._uses.read_at[bit.bit_length()] = self._uses.time
        way = UNCUT
        if not tensor.requires_grad:
            way = Way(Cause("requires_grad was False when it was read", here()))
        return merged((origins, {way: bit}))

    def note(
        self, name: str, reads: list[Read], targets: list[Tensor], *, in_place: bool
    ) -> None:
        """Note that ``targets`` were computed from ``reads``."""
        for target in targets:
            is_new = not in_place and name != "detach_"
            # An operation may return its own input, as x.to(x.dtype) does.
            if is_new and (not reads or any(target is read.tensor for read in reads)):
                continue
            is_detour = in_place and self.values.is_in_source(target)
            causes = [
                self._cause(name, read, target, in_place=in_place) for read in reads
            ]
            is_discrete = not (target.is_floating_point() or target.is_complex())
            origins = merged(
                through(
                    read.origins, cause, is_detour=is_detour, is_discrete=is_discrete
                )
                for read, cause in zip(reads, causes, strict=True)
            )
            if not is_detour and name not in ALIASES:
                self._uses.note(name, mask_of(origins))
            if in_place:
                self._write(target, origins, reads)
            else:
                self.values.set(target, origins)

    def _cause(
        self, name: str, read: Read, target: Tensor, *, in_place: bool
    ) -> Cause | None:
        """Return why the history of ``read`` does not go on in ``target``, or None."""
        if not read.needs_grad:
            return None
        needs = target.requires_grad
        if in_place and read.tensor is target and needs:
            return None  # its own history goes on
        lost = not needs or grad_fn(target) is None
        # After a write in place the history may be that of the target alone.
        if lost or (in_place and not torch.is_grad_enabled()):
            return self._blame.cause(name, read.tensor, self.comes_from)
        return None

    def forget_reused_memory(self, inputs: list[Tensor], result: object) -> None:
        """Forget what was at an address at which a new tensor was allocated."""
        shared = {address_of(tensor) for tensor in inputs}
        for tensor in tensors_in(result):
            if address_of(tensor) not in shared:
                self.values.forget(tensor)

    def copies(self) -> Iterator[tuple[Tensor, int, Cause]]:
        """Yield the parameters that ``copy.deepcopy`` made of sources.

        Each comes with the mask of its sources, and the cause.
        """
        for copy, mask, cause in self._copies:
            tensor = copy()
            if tensor is not None:
                yield tensor, mask, cause

    def comes_from(self, tensor: Tensor, inputs: list[Tensor]) -> bool:
        """Whether all data of a tensor comes from sources behind some inputs."""
        mask = mask_of(merged(self.origins(one) for one in inputs))
        return not mask_of(self.origins(tensor)) & ~mask

    def _write(self, target: Tensor, origins: Origins, reads: list[Read]) -> None:
        """Note that all tensors that share the memory of ``target`` have changed."""
        address = address_of(target)
        if not address:
            self.values.set(target, origins)  # on the meta device
            return
        before = self.values.written(address) or {}
        cause = self.values.detached_by(target)
        memory = origins
        if cause is not None:
            # The target was detached. Tensors that share its memory keep their history
            # and get the new data without its history.
            is_detour = self.values.is_in_source(target)
            added = [
                through(read.origins, cause, is_detour=is_detour)
                for read in reads
                if read.tensor is not target
            ]
            memory = merged((before, *added))
        elif before and not covers_its_memory(target):
            memory = origins = merged((before, origins))
        self.values.set(target, origins)
        self.values.write(target, memory)

    def _find(self, tensor: Tensor) -> tuple[Origins, int] | None:
        """Return what is known of a tensor that no call has returned.

        ``nn.Parameter()`` makes a tensor without a call that the mode sees. The results
        of scripts, extensions and ``as_subclass`` are found by their graph.
        """
        if grad_fn(tensor) is not None:
            return self._by_graph(tensor)
        origins: Origins = {}
        shared = self.values.in_memory(tensor)
        if shared and isinstance(tensor, nn.Parameter):
            copied = {way.cut for way in shared if way.cut and way.cut.why == COPY}
            if copied:
                alive = [copy for copy in self._copies if copy[0]() is not None]
                self._copies = [*alive, (ref(tensor), mask_of(shared), copied.pop())]
            else:
                cause = Cause("nn.Parameter()", here())
                origins = through(shared, cause)
        bit = self._find_source(tensor, origins)
        if bit:
            return self.values.of(tensor)
        written = self.values.written(address_of(tensor))
        if written is not None:
            return written, 0
        if shared and not isinstance(tensor, nn.Parameter):  # as Variable() makes one
            why = "shares memory with what was computed from it, but not its history"
            cause = Cause(why, here(), inconclusive=True)
            origins = through(shared, cause)
        self.values.set(tensor, origins)
        return origins, 0

    def _by_graph(self, tensor: Tensor) -> tuple[Origins, int] | None:
        mask = 0
        for leaf in leaves(nodes([tensor])):
            known = self.values.of(leaf)
            mask |= known[1] if known else 0
        if not mask:
            return None
        origins = {UNCUT: mask}
        self.values.set(tensor, origins)
        return origins, 0
