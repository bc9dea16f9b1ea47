"""Records how data flows from parameters through a run, and where it is cut."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gradguide import _operations as operations
from gradguide._autograd import grad_fn, storages, tensors_in
from gradguide._blame import Blame, Cause
from gradguide._where import Where


class Flow(NamedTuple):
    """Values, by number, whose data went into other values; the cause if it was cut."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    cause: Cause | None


class Tape(TorchFunctionMode):
    """Watches every call on tensors, above autograd, while it is the mode.

    A value is what a tensor holds at one time: an operation in place makes a new one.
    Values are numbers, those of the parameters first; tensors are held weakly, so that
    nothing lives longer. Only what parameters flow into is on the tape.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        where: Where,
        before_write: Callable[[Tensor], None],
        place_of: Callable[[Tensor], int | None],
    ) -> None:
        """Follow ``parameters``; call ``before_write`` before each write in place.

        ``place_of`` says which of them a parameter that is none of them stands for.
        """
        super().__init__()
        self.flows: list[Flow] = []
        self.exits: dict[int, Cause] = {}
        self.made: list[ref[Tensor]] = []
        self._where = where
        self._before_write = before_write
        self._place_of = place_of
        self._values: dict[int, tuple[ref[Tensor], int, int]] = {}
        self._count = 0
        self._memory: dict[int, int] = {}
        self._writes: dict[int, tuple[int, int]] = {}
        self._aliases: dict[int, tuple[ref[Tensor], Cause | None]] = {}
        self._blame = Blame(where)
        for parameter in parameters:
            self._new_value(parameter)
        self._parameters = self._count

    def values(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the values that a tensor holds now; none if it is not on the tape."""
        held = self._values.get(id(tensor))
        if held is not None and held[0]() is tensor:
            _, value, address = held
        else:
            value, address = -1, _address(tensor) if self._writes else 0
        # Another tensor with the same memory may have been written since.
        written, memory = self._writes.get(address, (-1, -1))
        if written > value:
            return (memory, value) if value >= 0 else (memory,)
        return (value,) if value >= 0 else ()

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
        if operations.only_looks(func, name):
            return self._look(func, name, args, kwargs)
        plain = operations.is_plain(name) and "out" not in kwargs
        if not plain:
            for tensor in operations.may_touch(name, args, kwargs):
                self._before_write(tensor)
        inputs = operations.tensors_of(args, kwargs)
        if _in_transform():
            self._hide(inputs)
            return func(*args, **kwargs)
        reads = self._read(inputs)
        result = func(*args, **kwargs)
        if name in _ALIASES:
            cause = self._blame.cause(name, inputs[0])
            self._aliases[id(result)] = (ref(result), cause)
        if not reads:
            self._begin(inputs, result, kwargs)
            return result
        if plain:
            targets = operations.tensors_of((result,), {})
            self._record(name, list(reads.values()), targets, in_place=False)
        else:
            parts = operations.flows(name, args, kwargs, result)
            self._record_parts(name, reads, parts)
        if name in operations.EXITS:
            self._record_exit(operations.EXITS[name], reads.values())
        return result

    def _look(
        self,
        func: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> object:
        """Run what takes no data, and note who is told to require grad."""
        result = func(*args, **kwargs)
        if name in {"requires_grad_", "requires_grad="}:
            self.made.append(ref(args[0]))
        return result

    def _read(self, inputs: list[Tensor]) -> dict[int, "_Read"]:
        """Return what is read; it is held for the time of the call, no longer."""
        return {
            id(tensor): _Read(tensor, values, tensor.requires_grad)
            for tensor in inputs
            if (values := self.values(tensor) or self._unwrap(tensor))
        }

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
            value = self._new_value(target)
            for cause, values in flows.items():
                self.flows.append(Flow(values, (value,), cause))
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
        elif read.values[-1] < self._parameters:
            why = "requires_grad was False when it was read"
            return Cause(why, self._where.here())
        return None

    def _record_exit(self, why: str, reads: Iterable["_Read"]) -> None:
        """Note where data leaves PyTorch."""
        cause = Cause(why, self._where.here())
        for read in reads:
            for value in read.values:
                self.exits.setdefault(value, cause)

    def _hide(self, inputs: list[Tensor]) -> None:
        """Note which data goes into a transform, where the tape can't follow."""
        for tensor in map(_unwrapped, inputs):
            known = self.values(tensor) or (self._memory.get(_address(tensor), -1),)
            for value in known:
                exit_ = self.exits.get(value)
                if value >= 0 and not (exit_ and exit_.hides):
                    here = self._where.here()
                    self.exits[value] = Cause("torch.func", here, hides=True)

    def _write(self, target: Tensor, value: int, reads: list["_Read"]) -> None:
        """Note that all tensors with the same memory have another value now."""
        address = _address(target)
        if not address:
            return  # on the meta device
        # A view of a detached tensor is detached too; its base has no public name.
        base = target._base  # noqa: SLF001
        cause = self._alias(target) or (None if base is None else self._alias(base))
        if cause is None:
            self._writes[address] = (value, value)
            return
        # The others keep what they had, and get what was written, without its history.
        memory = self._next()
        self._writes.setdefault(address, (memory, memory))
        before = self._writes[address][1]
        self.flows.append(Flow((before,), (memory,), None))
        for read in reads:
            if read.tensor is not target:
                self.flows.append(Flow(read.values, (memory,), cause))
        self._writes[address] = (value, memory)

    def _alias(self, tensor: Tensor) -> Cause | None:
        """Return what detached a tensor from others with the same memory, if any."""
        held = self._aliases.get(id(tensor))
        return held[1] if held and held[0]() is tensor else None

    def _unwrap(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the value that is in a new parameter, which is made without a call."""
        if not isinstance(tensor, nn.Parameter):
            return ()
        place = self._place_of(tensor)
        if place is not None:
            self._values[id(tensor)] = (ref(tensor), place, _address(tensor))
            return (place,)
        wrapped = self._memory.get(_address(tensor))
        if wrapped is None:
            return ()
        value = self._new_value(tensor)
        cause = Cause("nn.Parameter()", self._where.here())
        self.flows.append(Flow((wrapped,), (value,), cause))
        return (value,)

    def _begin(
        self, inputs: list[Tensor], result: object, kwargs: dict[str, Any]
    ) -> None:
        """Note a tensor that is made of nothing on the tape.

        Where it took the memory of another one, forget what that held.
        """
        if kwargs.get("requires_grad") and isinstance(result, Tensor):
            self.made.append(ref(result))
        shared = {_address(tensor) for tensor in inputs}
        for tensor in tensors_in(result):
            if (address := _address(tensor)) not in shared:
                self._writes.pop(address, None)
                self._memory.pop(address, None)

    def _next(self) -> int:
        self._count += 1
        return self._count - 1

    def _new_value(self, tensor: Tensor) -> int:
        value = self._next()
        address = _address(tensor)
        self._values[id(tensor)] = (ref(tensor), value, address)
        if address:
            self._memory[address] = value
        return value


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


def _address(tensor: Tensor) -> int:
    found = storages(tensor)
    return found[0][0] if found else 0
