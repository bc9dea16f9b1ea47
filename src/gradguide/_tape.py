"""Records how data flows from parameters through a run, and where it is cut."""

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
    """Values, by number, whose data went into other values; the cause if it was cut."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    cause: Cause | None
    is_detour: bool = False
    """Whether data was written into a parameter, which stays a leaf of its own."""


class Tape(TorchFunctionMode):
    """Watches every call on tensors, above autograd, while it is the mode.

    Tensors are held weakly, so that nothing lives longer. Only what parameters flow
    into is on the tape.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        where: Where,
        before_write: Callable[[Tensor], None],
        place_of: Callable[[Tensor], int | None] | None = None,
    ) -> None:
        """Follow ``parameters``; call ``before_write`` before each write in place.

        ``place_of`` says which of them a parameter that is none of them stands for,
        where FSDP2 puts others in their place.
        """
        super().__init__()
        self.flows: list[Flow] = []
        self.exits: dict[int, Cause] = {}
        self.read: set[int] = set()
        self.made: list[ref[Tensor]] = []
        self._where = where
        self._before_write = before_write
        self._place_of = place_of
        self._values = Values(parameters)
        self._blame = Blame(where)

    def values(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the values that a tensor holds now; none if it is not on the tape."""
        return self._values.of(tensor) or self._found(tensor)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 it is whatever the operation returns
        """Run an operation, and put it on the tape."""
        kwargs = kwargs or {}
        name = operations.name_of(func)
        if name == "_set_grad_enabled":
            return self._blame.switch(func, args)
        if not all(issubclass(kind, Tensor) for kind in types):
            with self:  # it may do anything with the tensors in it
                return func(*args, **kwargs)
        inputs = operations.tensors_of(args, kwargs)
        if operations.only_looks(func, name):
            return self._look(func, name, inputs, args, kwargs)
        plain = operations.is_plain(name) and "out" not in kwargs
        if not plain:
            for tensor in operations.may_touch(name, args, kwargs):
                self._before_write(tensor)
        if _in_transform():
            self._hide(inputs)
            return func(*args, **kwargs)
        # What is read is held for the time of the call, no longer.
        reads = {
            id(tensor): _Read(tensor, values, tensor.requires_grad)
            for tensor in inputs
            if (values := self.values(tensor))
        }
        result = func(*args, **kwargs)
        if name in _ALIASES:
            self._values.detach(result, self._blame.cause(name, inputs[0]))
        if not reads:
            self._begin(inputs, result)
        elif plain:
            targets = operations.tensors_of((result,), {})
            self._record(name, list(reads.values()), targets, in_place=False)
        else:
            parts = operations.flows(name, args, kwargs, result)
            self._record_parts(name, reads, parts)
        self._note(name, reads.values(), result, kwargs)
        return result

    def _look(
        self,
        func: Callable[..., Any],
        name: str,
        inputs: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> object:
        """Run what takes no data, and note who is told to require grad."""
        result = func(*args, **kwargs)
        if name in {"requires_grad_", "requires_grad="}:
            self.made.append(ref(inputs[0]))
        elif name in operations.LOOKS:
            self._begin(inputs, result)
            self._note(name, (), result, kwargs)
        return result

    def _note(
        self,
        name: str,
        reads: Collection["_Read"],
        result: object,
        kwargs: dict[str, Any],
    ) -> None:
        """Note what was read for no tensor, what left, and what was made a leaf."""
        if kwargs.get("requires_grad") and isinstance(result, Tensor):
            self.made.append(ref(result))
        values = [value for read in reads for value in read.values]
        if name in operations.EXITS and values:
            cause = Cause(operations.EXITS[name], self._where.here())
            for value in values:
                self.exits.setdefault(value, cause)
        elif not isinstance(result, Tensor):
            self.read.update(values)

    def _begin(self, inputs: list[Tensor], result: object) -> None:
        """Forget what was in the memory that a tensor took which is made of nothing."""
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
        """Put on the tape what goes where in an operation that is not plain."""
        for sources, targets, in_place in flows:
            found = [reads[id(source)] for source in sources if id(source) in reads]
            self._record(name, found, targets, in_place=in_place)

    def _record(
        self, name: str, reads: list["_Read"], targets: list[Tensor], *, in_place: bool
    ) -> None:
        """Put on the tape that what was read went into ``targets``."""
        for target in targets:
            if not in_place and name != "detach_":
                if any(target is read.tensor for read in reads):
                    continue  # it returned what it was given
                if not reads:
                    continue
            flows: dict[Cause | None, tuple[int, ...]] = {}
            for read in reads:
                cause = self._fate(name, read, target, in_place=in_place)
                flows[cause] = flows.get(cause, ()) + read.values
            is_detour = in_place and self._values.is_in_parameter(target)
            value = self._values.new(target)
            for cause, values in flows.items():
                self.flows.append(Flow(values, (value,), cause, is_detour))
            if in_place:
                self._write(target, value, reads)

    def _fate(
        self, name: str, read: "_Read", target: Tensor, *, in_place: bool
    ) -> Cause | None:
        """Say why the history of what was read does not go on in ``target``, if so."""
        needs = target.requires_grad
        if in_place and read.tensor is target and needs:
            return None  # what it was before is still a part of it
        if read.needs_grad:
            lost = not needs or grad_fn(target) is None
            # In place, a target may have a history that is not that of the source.
            if lost or (in_place and not torch.is_grad_enabled()):
                return self._blame.cause(name, read.tensor)
        elif self._values.is_parameter(read.values[-1]):
            why = "requires_grad was False when it was read"
            return Cause(why, self._where.here())
        return None

    def _hide(self, inputs: list[Tensor]) -> None:
        """Note which data goes into a transform, where the tape can't follow."""
        for tensor in map(_unwrapped, inputs):
            known = self._values.of(tensor) or (self._values.in_memory(tensor),)
            for value in known:
                exit_ = self.exits.get(-1 if value is None else value)
                if value is not None and not (exit_ and exit_.hides):
                    here = self._where.here()
                    self.exits[value] = Cause("torch.func", here, hides=True)

    def _write(self, target: Tensor, value: int, reads: list["_Read"]) -> None:
        """Note that all tensors with the same memory have another value now."""
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
        # The others keep what they had, and get what was written, without its history.
        memory = self._values.next()
        is_detour = self._values.is_in_parameter(target)
        if before is not None:
            self.flows.append(Flow((before.memory,), (memory,), None))
        for read in reads:
            if read.tensor is not target:
                self.flows.append(Flow(read.values, (memory,), cause, is_detour))
        self._values.write(target, Written(value, memory))

    def _found(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the value of a tensor that was made where no mode sees it, if known.

        A new parameter is made without a call. What script functions and extensions
        return, and a tensor turned into one of another class, tell by their graph.
        """
        if isinstance(tensor, nn.Parameter):
            return self._unwrap(tensor)
        if grad_fn(tensor) is None:
            return self._unwrap_unseen(tensor)
        numbers = map(self._values.of_leaf, leaves(nodes([tensor])))
        known = tuple(number for number in numbers if number is not None)
        if not known:
            return ()
        value = self._values.new(tensor)
        self.flows.append(Flow(known, (value,), None))
        return (value,)

    def _unwrap_unseen(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the value of a tensor whose memory another one has, as Variable()."""
        shared = self._values.in_memory(tensor)
        if shared is None or self._place_of:  # FSDP2 moves memory about itself
            return ()
        value = self._values.new(tensor)
        why = "shares memory with what was computed from it, but not its history"
        cause = Cause(why, self._where.here(), hides=True)
        self.flows.append(Flow((shared,), (value,), cause))
        return (value,)

    def _unwrap(self, parameter: nn.Parameter) -> tuple[int, ...]:
        """Return the value that is in a new parameter."""
        place = self._place_of(parameter) if self._place_of else None
        if place is not None:
            self._values.stand_in(parameter, place)
            return (place,)
        wrapped = self._values.in_memory(parameter)
        if wrapped is None:
            return ()
        value = self._values.new(parameter)
        cause = Cause("nn.Parameter()", self._where.here())
        self.flows.append(Flow((wrapped,), (value,), cause))
        return (value,)


class _Read(NamedTuple):
    """A tensor that an operation reads: what it held, and whether it required grad."""

    tensor: Tensor
    values: tuple[int, ...]
    needs_grad: bool


_ALIASES = {"detach", "data"}


# The public torch.func can't be asked whether a transform is running, and on what.
_functorch = torch._C._functorch  # noqa: SLF001


def _in_transform() -> bool:
    return _functorch.peek_interpreter_stack() is not None


def _unwrapped(tensor: Tensor) -> Tensor:
    """Return the tensor that the transforms around an operation were given."""
    while _functorch.is_functorch_wrapped_tensor(tensor):
        tensor = _functorch.get_unwrapped(tensor)
    return tensor
