"""Records the operations on data of the parameters, and where history is cut."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gradguide import _operations as operations
from gradguide._autograd import grad_fn, leaves, nodes, tensors_in
from gradguide._blame import Blame, Cause
from gradguide._values import Values, Written, address_of, covers_its_memory
from gradguide._where import Where


class Flow(NamedTuple):
    """The numbers of the values that an operation read and made, and why it cuts."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    cause: Cause | None
    is_detour: bool = False
    """Whether data was written in place into a parameter, which remains a leaf."""


class Tape(TorchFunctionMode):
    """Records the calls on tensors while it is the active mode.

    Tensors are referred to weakly, so that they are freed as without it. Only tensors
    that are computed from parameters are recorded.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        where: Where,
        before_write: Callable[[Tensor], None],
        index_of: Callable[[Tensor], int | None] | None = None,
    ) -> None:
        """Follow ``parameters``; call ``before_write`` before each write in place.

        ``index_of`` returns the index of the parameter that an unsharded parameter of
        FSDP2 replaces; without FSDP2 it is None.
        """
        super().__init__()
        self.flows: list[Flow] = []
        self.exits: dict[int, Cause] = {}
        self.read: set[int] = set()
        self.new_leaves: list[ref[Tensor]] = []
        self._where = where
        self._before_write = before_write
        self._index_of = index_of
        self._values = Values(parameters)
        self._blame = Blame(where)

    def values(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the numbers of the values that a tensor holds, if it is recorded."""
        return self._values.of(tensor) or self._values_of_untaped(tensor)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 it is whatever the operation returns
        """Run an operation, and record it."""
        kwargs = kwargs or {}
        name = operations.name_of(func)
        if name == "_set_grad_enabled":
            return self._blame.switch(func, args)
        if not all(issubclass(kind, Tensor) for kind in types):
            with self:  # a tensor-like class: record the operations inside
                return func(*args, **kwargs)
        inputs = operations.tensors_of(args, kwargs)
        if operations.reads_only_metadata(func, name):
            return self._read_metadata(func, name, inputs, args, kwargs)
        plain = operations.is_plain(name) and "out" not in kwargs
        if not plain:
            for tensor in operations.may_touch(name, args, kwargs):
                self._before_write(tensor)
        if _in_transform():
            self._mark_inconclusive(inputs)
            return func(*args, **kwargs)
        # The tensors that are read are kept alive only until the call is recorded.
        reads = {
            id(tensor): _Read(tensor, values, tensor.requires_grad)
            for tensor in inputs
            if (values := self.values(tensor))
        }
        result = func(*args, **kwargs)
        if name in _ALIASES:
            self._values.detach(result, self._blame.cause(name, inputs[0]))
        if not reads:
            self._forget_reused_memory(inputs, result)
        elif plain:
            targets = operations.tensors_of((result,), {})
            self._record(name, list(reads.values()), targets, in_place=False)
        else:
            parts = operations.flows(name, args, kwargs, result)
            self._record_parts(name, reads, parts)
        self._note_use(name, reads.values(), result, kwargs)
        return result

    def _read_metadata(
        self,
        func: Callable[..., Any],
        name: str,
        inputs: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> object:
        """Run an operation that reads no data, and note new leaves."""
        result = func(*args, **kwargs)
        if name in {"requires_grad_", "requires_grad="}:
            self.new_leaves.append(ref(inputs[0]))
        elif name in operations.METADATA_ONLY:
            self._forget_reused_memory(inputs, result)
            self._note_use(name, (), result, kwargs)
        return result

    def _note_use(
        self,
        name: str,
        reads: Collection["_Read"],
        result: object,
        kwargs: dict[str, Any],
    ) -> None:
        """Note reads without a result on the tape, data that left, and new leaves."""
        if kwargs.get("requires_grad") and isinstance(result, Tensor):
            self.new_leaves.append(ref(result))
        values = [value for read in reads for value in read.values]
        if name in operations.EXITS and values:
            cause = Cause(operations.EXITS[name], self._where.here())
            for value in values:
                self.exits.setdefault(value, cause)
        elif not isinstance(result, Tensor):
            self.read.update(values)

    def _forget_reused_memory(self, inputs: list[Tensor], result: object) -> None:
        """Forget the values at an address at which a new tensor was allocated."""
        shared = {address_of(tensor) for tensor in inputs}
        for tensor in tensors_in(result):
            if address_of(tensor) not in shared:
                self._values.forget(tensor)

    def _record_parts(
        self,
        name: str,
        reads: dict[int, "_Read"],
        flows: Iterable[tuple[list[Tensor], list[Tensor], bool]],
    ) -> None:
        """Record an operation whose results do not depend on all of its inputs."""
        for sources, targets, in_place in flows:
            read = [reads[id(source)] for source in sources if id(source) in reads]
            self._record(name, read, targets, in_place=in_place)

    def _record(
        self, name: str, reads: list["_Read"], targets: list[Tensor], *, in_place: bool
    ) -> None:
        """Record that ``targets`` were computed from ``reads``."""
        for target in targets:
            if not in_place and name != "detach_":
                if any(target is read.tensor for read in reads):
                    continue  # it returned its own input, as x.to(x.dtype) does
                if not reads:
                    continue
            flows: dict[Cause | None, tuple[int, ...]] = {}
            for read in reads:
                cause = self._cause(name, read, target, in_place=in_place)
                flows[cause] = flows.get(cause, ()) + read.values
            is_detour = in_place and self._values.is_in_parameter(target)
            value = self._values.new(target)
            for cause, values in flows.items():
                self.flows.append(Flow(values, (value,), cause, is_detour))
            if in_place:
                self._write(target, value, reads)

    def _cause(
        self, name: str, read: "_Read", target: Tensor, *, in_place: bool
    ) -> Cause | None:
        """Return why the history of ``read`` does not go on in ``target``, or None."""
        needs = target.requires_grad
        if in_place and read.tensor is target and needs:
            return None  # its own history goes on
        if read.needs_grad:
            lost = not needs or grad_fn(target) is None
            # After a write in place the history may be that of the target alone.
            if lost or (in_place and not torch.is_grad_enabled()):
                return self._blame.cause(name, read.tensor)
        elif self._values.is_parameter(read.values[-1]):
            why = "requires_grad was False when it was read"
            return Cause(why, self._where.here())
        return None

    def _mark_inconclusive(self, inputs: list[Tensor]) -> None:
        """Note the values that a torch.func transform reads.

        Inside a transform tensors are wrapped, and cuts can't be seen.
        """
        for tensor in map(_unwrapped, inputs):
            known = self._values.of(tensor) or (self._values.in_memory(tensor),)
            for value in known:
                exit_ = self.exits.get(-1 if value is None else value)
                if value is not None and not (exit_ and exit_.inconclusive):
                    here = self._where.here()
                    self.exits[value] = Cause("torch.func", here, inconclusive=True)

    def _write(self, target: Tensor, value: int, reads: list["_Read"]) -> None:
        """Record that all tensors that share the memory of ``target`` have changed."""
        address = address_of(target)
        if not address:
            return  # on the meta device
        before = self._values.written(address)
        cause = self._values.detached_by(target)
        if cause is None:
            if before is not None and not covers_its_memory(target):
                self.flows.append(Flow((before.memory,), (value,), None))
            self._values.write(target, Written(value, value))
            return
        # The target was detached. Tensors that share its memory keep their history and
        # get the new data without its history.
        memory = self._values.next()
        is_detour = self._values.is_in_parameter(target)
        if before is not None:
            self.flows.append(Flow((before.memory,), (memory,), None))
        for read in reads:
            if read.tensor is not target:
                self.flows.append(Flow(read.values, (memory,), cause, is_detour))
        self._values.write(target, Written(value, memory))

    def _values_of_untaped(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the values of a tensor that no recorded call returned, if known.

        ``nn.Parameter()`` makes a tensor without a call that the mode sees. The results
        of scripts, extensions and ``as_subclass`` are found by their graph.
        """
        if isinstance(tensor, nn.Parameter):
            return self._values_of_new_parameter(tensor)
        if grad_fn(tensor) is None:
            return self._values_of_alias(tensor)
        numbers = map(self._values.of_leaf, leaves(nodes([tensor])))
        known = tuple(number for number in numbers if number is not None)
        if not known:
            return ()
        value = self._values.new(tensor)
        self.flows.append(Flow(known, (value,), None))
        return (value,)

    def _values_of_alias(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the value of a tensor that shares memory, as Variable() makes one."""
        shared = self._values.in_memory(tensor)
        if shared is None or self._index_of:  # FSDP2 reuses memory for its buffers
            return ()
        value = self._values.new(tensor)
        why = "shares memory with what was computed from it, but not its history"
        cause = Cause(why, self._where.here(), inconclusive=True)
        self.flows.append(Flow((shared,), (value,), cause))
        return (value,)

    def _values_of_new_parameter(self, parameter: nn.Parameter) -> tuple[int, ...]:
        """Return the value that was wrapped in a new parameter."""
        place = self._index_of(parameter) if self._index_of else None
        if place is not None:
            self._values.set_parameter(parameter, place)
            return (place,)
        wrapped = self._values.in_memory(parameter)
        if wrapped is None:
            return ()
        value = self._values.new(parameter)
        cause = Cause("nn.Parameter()", self._where.here())
        self.flows.append(Flow((wrapped,), (value,), cause))
        return (value,)


class _Read(NamedTuple):
    """A tensor that an operation reads, its values, and whether it required grad."""

    tensor: Tensor
    values: tuple[int, ...]
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
