"""Carries with each tensor from which sources its data came, and where it was cut."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gradguide._autograd import grad_fn, leaves, nodes, tensors_in
from gradguide._origins import operations
from gradguide._origins.blame import COPY, Blame, Cause
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


class Tape(TorchFunctionMode):
    """Follows data from sources through the calls on tensors while it is the mode.

    Nothing is kept of a call but the origins of its results, so the memory that it
    needs does not grow with the run. Tensors are referred to weakly, so that they are
    freed as without it. What is a source is decided by ``find_source`` when a tensor is
    first read.

    Attributes:
        blame: Knows the causes of cuts.
        uses: Knows which operations used the data of each source.
        copies: The parameters that ``copy.deepcopy`` made of sources.
    """

    def __init__(self) -> None:
        """Follow no source yet."""
        super().__init__()
        self.blame = Blame()
        self.uses = Uses()
        self.copies: list[tuple[ref[Tensor], int, Cause]] = []
        self._values = Values()
        self._count = 0

    def add_source(self, tensor: Tensor, origins: Origins | None = None) -> int:
        """Follow the data of a tensor from now on, and return its bit."""
        bit = 1 << self._count
        self._count += 1
        self._values.add_source(tensor, bit, origins or {})
        return bit

    def add_alias(self, tensor: Tensor, bit: int) -> None:
        """Let a tensor stand for a source, as an unsharded parameter of FSDP2 does."""
        self._values.add_source(tensor, bit, {})

    def find_source(self, tensor: Tensor, origins: Origins) -> int:  # noqa: ARG002
        """Return the bit of a leaf that is read for the first time; 0 if it has none.

        ``origins`` are those of the data that it has.
        """
        return 0

    def before_write(self, tensor: Tensor) -> None:
        """Do something before the memory of a tensor is written to."""

    def flag_changed(self, tensor: Tensor) -> None:
        """Do something after ``requires_grad`` of a tensor was set."""

    def on_trouble(self, error: Exception) -> None:
        """Handle an error of this package; here it is raised."""
        raise error

    def backward(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> object:
        """Run ``Tensor.backward``."""
        return func(*args, **kwargs)

    def origins(self, tensor: Tensor) -> Origins:
        """Return where the data of a tensor comes from, by which ways."""
        known = self._values.of(tensor) or self._find(tensor)
        if not known:
            return {}
        origins, bit = known
        if not bit:
            if origins or not tensor.requires_grad or not tensor.is_leaf:
                return origins
            known = self._find(tensor)  # a leaf that requires grad now
            if not known or not known[1]:
                return origins
            origins, bit = known
        way = UNCUT
        if not tensor.requires_grad:
            way = Way(Cause("requires_grad was False when it was read", here()))
        return merged((origins, {way: bit}))

    def is_copy(self, tensor: Tensor) -> bool:
        """Whether ``copy.deepcopy`` made a parameter of a source."""
        return any(copy() is tensor for copy, _, _ in self.copies)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 it is whatever the operation returns
        """Run an operation, and note where its results come from."""
        kwargs = kwargs or {}
        name = operations.name_of(func)
        if name == "_set_grad_enabled":
            return self.blame.switch(func, args)
        if not all(issubclass(kind, Tensor) for kind in types):
            with self:  # a tensor-like class: follow the operations inside
                return func(*args, **kwargs)
        inputs = operations.tensors_of(args, kwargs)
        if operations.reads_only_metadata(func, name):
            return self._read_metadata(func, name, inputs, args, kwargs)
        reads = None
        try:
            reads = self._prepare(name, inputs, args, kwargs)
        except Exception as error:  # noqa: BLE001
            self.on_trouble(error)
        result = func(*args, **kwargs)
        if reads is not None:
            try:
                self._finish(name, inputs, args, kwargs, result, reads)
            except Exception as error:  # noqa: BLE001
                self.on_trouble(error)
        return result

    def _prepare(
        self,
        name: str,
        inputs: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> dict[int, "_Read"] | None:
        """Return the tensors with origins that an operation reads; None inside vmap.

        The tensors are kept alive only until the call is noted.
        """
        if not operations.is_plain(name) or "out" in kwargs:
            for tensor in operations.may_touch(name, args, kwargs):
                self.before_write(tensor)
        if _in_transform():
            self._mark_inconclusive(inputs)
            return None
        return {
            id(tensor): _Read(tensor, origins, tensor.requires_grad)
            for tensor in inputs
            if (origins := self.origins(tensor))
        }

    def _finish(
        self,
        name: str,
        inputs: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: object,
        reads: dict[int, "_Read"],
    ) -> None:
        """Note where the results of an operation come from."""
        if name in _ALIASES and isinstance(result, Tensor):
            cause = self.blame.cause(name, inputs[0], self._comes_from)
            self._values.detach(result, cause)
        if not reads:
            self._forget_reused_memory(inputs, result)
        elif operations.is_plain(name) and "out" not in kwargs:
            targets = operations.tensors_of((result,), {})
            self._note(name, list(reads.values()), targets, in_place=False)
        else:
            for sources, targets, in_place in operations.flows(
                name, args, kwargs, result
            ):
                read = [reads[id(source)] for source in sources if id(source) in reads]
                self._note(name, read, targets, in_place=in_place)
        if kwargs.get("requires_grad") and isinstance(result, Tensor):
            self.uses.note_leaf(result)
        for read in reads.values() if name in operations.EXITS else ():
            is_source = self._values.is_in_source(read.tensor)
            mask = mask_of(read.origins)
            self.uses.note_exit(name, mask, is_source=is_source)

    def _read_metadata(
        self,
        func: Callable[..., Any],
        name: str,
        inputs: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> object:
        """Run an operation that reads no data, and note new leaves."""
        if name == "backward":
            return self.backward(func, args, kwargs)
        result = func(*args, **kwargs)
        try:
            if name in {"requires_grad_", "requires_grad="}:
                self.uses.note_leaf(inputs[0])
                self.flag_changed(inputs[0])
            elif name in operations.METADATA_ONLY:
                self._forget_reused_memory(inputs, result)
                if kwargs.get("requires_grad") and isinstance(result, Tensor):
                    self.uses.note_leaf(result)
        except Exception as error:  # noqa: BLE001
            self.on_trouble(error)
        return result

    def _forget_reused_memory(self, inputs: list[Tensor], result: object) -> None:
        """Forget what was at an address at which a new tensor was allocated."""
        shared = {address_of(tensor) for tensor in inputs}
        for tensor in tensors_in(result):
            if address_of(tensor) not in shared:
                self._values.forget(tensor)

    def _note(
        self, name: str, reads: list["_Read"], targets: list[Tensor], *, in_place: bool
    ) -> None:
        """Note that ``targets`` were computed from ``reads``."""
        for target in targets:
            if not in_place and name != "detach_":
                if any(target is read.tensor for read in reads):
                    continue  # it returned its own input, as x.to(x.dtype) does
                if not reads:
                    continue
            is_detour = in_place and self._values.is_in_source(target)
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
            if not is_detour and name not in _ALIASES:
                self.uses.note(name, mask_of(origins))
            if in_place:
                self._write(target, origins, reads)
            else:
                self._values.set(target, origins)

    def _cause(
        self, name: str, read: "_Read", target: Tensor, *, in_place: bool
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
            return self.blame.cause(name, read.tensor, self._comes_from)
        return None

    def _comes_from(self, tensor: Tensor, inputs: list[Tensor]) -> bool:
        """Whether all data of a tensor comes from sources behind some inputs."""
        mask = mask_of(merged(self.origins(one) for one in inputs))
        return not mask_of(self.origins(tensor)) & ~mask

    def _mark_inconclusive(self, inputs: list[Tensor]) -> None:
        """Note the sources that a torch.func transform reads.

        Inside a transform tensors are wrapped, and cuts can't be seen.
        """
        for tensor in map(_unwrapped, inputs):
            origins = self.origins(tensor) or self._values.in_memory(tensor)
            if origins:
                self.uses.note_inconclusive(mask_of(origins), "torch.func")

    def _write(self, target: Tensor, origins: Origins, reads: list["_Read"]) -> None:
        """Note that all tensors that share the memory of ``target`` have changed."""
        address = address_of(target)
        if not address:
            self._values.set(target, origins)  # on the meta device
            return
        before = self._values.written(address) or {}
        cause = self._values.detached_by(target)
        memory = origins
        if cause is not None:
            # The target was detached. Tensors that share its memory keep their history
            # and get the new data without its history.
            is_detour = self._values.is_in_source(target)
            added = [
                through(read.origins, cause, is_detour=is_detour)
                for read in reads
                if read.tensor is not target
            ]
            memory = merged((before, *added))
        elif before and not covers_its_memory(target):
            memory = origins = merged((before, origins))
        self._values.set(target, origins)
        self._values.write(target, memory)

    def _find(self, tensor: Tensor) -> tuple[Origins, int] | None:
        """Return what is known of a tensor that no call has returned.

        ``nn.Parameter()`` makes a tensor without a call that the mode sees. The results
        of scripts, extensions and ``as_subclass`` are found by their graph.
        """
        if grad_fn(tensor) is not None:
            return self._by_graph(tensor)
        origins: Origins = {}
        shared = self._values.in_memory(tensor)
        if shared and isinstance(tensor, nn.Parameter):
            copied = {way.cut for way in shared if way.cut and way.cut.why == COPY}
            if copied:
                self.copies.append((ref(tensor), mask_of(shared), copied.pop()))
            else:
                cause = Cause("nn.Parameter()", here())
                origins = through(shared, cause)
        bit = self.find_source(tensor, origins)
        if bit:
            return self._values.of(tensor)
        written = self._values.written(address_of(tensor))
        if written is not None:
            return written, 0
        if shared and not isinstance(tensor, nn.Parameter):  # as Variable() makes one
            why = "shares memory with what was computed from it, but not its history"
            cause = Cause(why, here(), inconclusive=True)
            origins = through(shared, cause)
        self._values.set(tensor, origins)
        return origins, 0

    def _by_graph(self, tensor: Tensor) -> tuple[Origins, int] | None:
        known = [self._values.of(leaf) for leaf in leaves(nodes([tensor]))]
        mask = 0
        for entry in known:
            mask |= entry[1] if entry else 0
        if not mask:
            return None
        origins = {UNCUT: mask}
        self._values.set(tensor, origins)
        return origins, 0


class _Read(NamedTuple):
    """A tensor that an operation reads, its origins, and whether it required grad."""

    tensor: Tensor
    origins: Origins
    needs_grad: bool


_ALIASES = {"detach", "data"}


# torch.func has no public way to ask whether a transform is running.
_functorch = torch._C._functorch  # noqa: SLF001


def _in_transform() -> bool:
    return _functorch.peek_interpreter_stack() is not None


def _unwrapped(tensor: Tensor) -> Tensor:
    """Return the tensor inside the wrappers of the transforms around an operation."""
    while _functorch.is_functorch_wrapped_tensor(tensor):
        tensor = _functorch.get_unwrapped(tensor)
    return tensor
