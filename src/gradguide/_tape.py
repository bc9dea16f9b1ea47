"""Records how data flows from parameters through a run, and where it is cut."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gradguide import _operations as operations
from gradguide._autograd import grad_fn, storages, tensors_in
from gradguide._where import Where, is_leaving_block, running_function


class Cause(NamedTuple):
    """Why data went on without its history, and where."""

    why: str
    where: str
    hides: bool = False
    """Whether a backward may find a way that the tape can't see."""


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
    ) -> None:
        """Follow ``parameters``; call ``before_write`` before each write in place."""
        super().__init__()
        self.flows: list[Flow] = []
        self.exits: dict[int, Cause] = {}
        self.made: list[ref[Tensor]] = []
        self._where = where
        self._before_write = before_write
        self._values: dict[int, tuple[ref[Tensor], int]] = {}
        self._count = 0
        self._memory: dict[int, int] = {}
        self._writes: dict[int, tuple[int, int]] = {}
        self._aliases: dict[int, Cause] = {}
        self._off = None if torch.is_grad_enabled() else Cause("no_grad", "")
        self._outer: list[Cause | None] = []
        for parameter in parameters:
            self._new_value(parameter)
        self._parameters = self._count

    def values(self, tensors: Iterable[Tensor]) -> Iterator[int]:
        """Yield the values that tensors hold now, if they are on the tape."""
        for tensor in tensors:
            value = self._held(tensor)
            if self._writes:
                # Another tensor with the same memory may have been written since.
                written, memory = self._writes.get(_address(tensor), (-1, -1))
                if written > value:
                    yield memory
            if value >= 0:
                yield value

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
            return self._switch(func, args)
        is_getter = getattr(func, "__name__", "") == "__get__"
        if name in operations.LOOKS or (is_getter and name not in operations.GETTERS):
            result = func(*args, **kwargs)
            if name == "requires_grad_":
                self.made.append(ref(result))
            return result
        for tensor in operations.may_touch(name, args, kwargs):
            self._before_write(tensor)
        inputs = list(tensors_in(args)) + (list(tensors_in(kwargs)) if kwargs else [])
        need = {id(t) for t in inputs if t.requires_grad}
        self._find_wrapped(inputs)
        before = {id(t): list(self.values([t])) for t in inputs}
        result = func(*args, **kwargs)
        if any(before.values()):
            call = _Call(name, before, need)
            for sources, targets, in_place in operations.flows(
                name, args, kwargs, result
            ):
                self._record(call, sources, targets, in_place=in_place)
            self._record_exit(call)
        else:
            self._forget_reused(inputs, result)
        return result

    def _record(
        self,
        call: "_Call",
        sources: list[Tensor],
        targets: list[Tensor],
        *,
        in_place: bool,
    ) -> None:
        """Put on the tape that ``sources`` went into ``targets``."""
        for target in targets:
            own = any(target is source for source in sources)
            if own and not in_place and call.name != "detach_":
                continue  # it returned what it was given
            flows: dict[Cause | None, list[int]] = {}
            for source in sources:
                if values := call.values.get(id(source)):
                    cause = self._fate(call, source, target, in_place=in_place)
                    flows.setdefault(cause, []).extend(values)
            if not (flows or in_place):
                continue
            old = self._held(target)
            value = self._new_value(target)
            for cause, values in flows.items():
                self.flows.append(Flow(tuple(values), (value,), cause))
            if in_place:
                self._write(target, old, value)
            elif call.name in {"detach", "data"}:
                self._aliases[value] = next(filter(None, flows), None) or Cause(
                    operations.CUTS[call.name], self._where.here()
                )

    def _fate(
        self, call: "_Call", source: Tensor, target: Tensor, *, in_place: bool
    ) -> Cause | None:
        """Say why the history of ``source`` does not go on in ``target``, if so."""
        if in_place and source is target and target.requires_grad:
            return None  # what it was before is still a part of it
        if id(source) in call.need:
            lost = not target.requires_grad or grad_fn(target) is None
            # In place, a target may have a history that is not that of the source.
            if lost or (in_place and not torch.is_grad_enabled()):
                return self._cause(call.name, source)
        elif call.values[id(source)][-1] < self._parameters:
            why = "requires_grad was False when it was read"
            return Cause(why, self._where.here())
        return None

    def _record_exit(self, call: "_Call") -> None:
        """Note where data goes that the tape can't follow."""
        if call.name in operations.EXITS:
            cause = Cause(operations.EXITS[call.name], self._where.here())
        elif _in_transform():
            cause = Cause("torch.func", self._where.here(), hides=True)
        else:
            return
        for values in call.values.values():
            for value in values:
                if cause.hides or value not in self.exits:
                    self.exits[value] = cause

    def _write(self, target: Tensor, old: int, value: int) -> None:
        """Note that all tensors with the same memory have another value now."""
        base = target._base  # noqa: SLF001 there is no public name
        cause = self._aliases.get(old)
        if cause is None and base is not None:
            cause = self._aliases.get(self._held(base))
        memory = value
        if cause is not None:
            self._aliases[value] = cause
            memory = self._next()
            self.flows.append(Flow((value,), (memory,), cause))
        if address := _address(target):
            self._writes[address] = (value, memory)

    def _find_wrapped(self, inputs: list[Tensor]) -> None:
        """Find the values that were wrapped in new parameters, which nothing calls."""
        for tensor in inputs:
            if isinstance(tensor, nn.Parameter) and self._held(tensor) < 0:
                wrapped = self._memory.get(_address(tensor))
                if wrapped is not None:
                    cause = Cause("nn.Parameter()", self._where.here())
                    value = self._new_value(tensor)
                    self.flows.append(Flow((wrapped,), (value,), cause))

    def _cause(self, name: str, source: Tensor) -> Cause | None:
        """Say why the history of ``source`` ends at an operation, if it does."""
        inference = torch.is_inference_mode_enabled()
        if not torch.is_grad_enabled() and self._off is None and not inference:
            return _function_cause(source, self._where)
        if name in operations.CUTS:
            return Cause(operations.CUTS[name], self._where.here())
        if inference:
            return Cause("inference_mode", self._where.inference_block())
        if not torch.is_grad_enabled():
            return self._off
        why = f"{operations.pretty(name)} is not differentiable"
        return Cause(why, self._where.here())

    def _switch(self, func: Callable[..., Any], args: tuple[Any, ...]) -> object:
        """Switch the grad mode, and remember who switched it off."""
        was = torch.is_grad_enabled()
        result = func(*args)
        now = torch.is_grad_enabled()
        if was == now:
            return result
        if is_leaving_block():
            self._off = self._outer.pop() if self._outer else None
        else:
            self._outer.append(self._off)
            self._off = None if now else Cause("no_grad", self._where.here())
        return result

    def _forget_reused(self, inputs: list[Tensor], result: object) -> None:
        """Forget what memory held where a new tensor has taken the place of an old."""
        shared = {_address(tensor) for tensor in inputs}
        for tensor in tensors_in(result):
            if (address := _address(tensor)) not in shared:
                self._writes.pop(address, None)
                self._memory.pop(address, None)

    def _held(self, tensor: Tensor) -> int:
        held = self._values.get(id(tensor))
        return held[1] if held and held[0]() is tensor else -1

    def _next(self) -> int:
        self._count += 1
        return self._count - 1

    def _new_value(self, tensor: Tensor) -> int:
        value = self._next()
        self._values[id(tensor)] = (ref(tensor), value)
        if address := _address(tensor):
            self._memory[address] = value
        return value


class _Call(NamedTuple):
    """A call of an operation: what its inputs held, and which required grad."""

    name: str
    values: dict[int, list[int]]
    need: set[int]


def _function_cause(source: Tensor, where: Where) -> Cause | None:
    """Say what a custom function does to the history of what it reads.

    Gradients are off inside of it, which no mode sees being done.
    """
    frame = running_function()
    if frame is None:
        return Cause("gradients were switched off unseen", where.here(), hides=True)
    inputs = [arg for arg in frame.f_locals["args"] if isinstance(arg, Tensor)]
    if frame.f_locals["cls"].__name__ == "CheckpointFunction":
        hides = any(tensor.requires_grad for tensor in inputs)
        return Cause("reentrant checkpoint", where.call_of(frame), hides)
    if any(tensor is source for tensor in inputs):
        return None  # the function itself takes care of its gradient
    return Cause("custom autograd.Function, of which it is no input", where.here())


def _in_transform() -> bool:
    # The public torch.func has no way to ask whether a transform is running.
    return torch._C._functorch.peek_interpreter_stack() is not None  # noqa: SLF001


def _address(tensor: Tensor) -> int:
    found = storages(tensor)
    return found[0][0] if found else 0
