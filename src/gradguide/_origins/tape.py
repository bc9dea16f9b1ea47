"""Sees the calls on tensors, and follows the data of sources through them."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gradguide._origins import operations
from gradguide._origins.blame import Blame
from gradguide._origins.flow import Flow, Read
from gradguide._origins.uses import Uses
from gradguide._origins.values import Origins, mask_of


class Call(NamedTuple):
    """A call of an operation, with the tensors in its arguments."""

    name: str
    inputs: list[Tensor]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def is_plain(self) -> bool:
        """Whether it makes new tensors from the data of all its inputs."""
        return operations.is_plain(self.name) and "out" not in self.kwargs


class Tape(TorchFunctionMode):
    """Follows data from sources through the calls on tensors while it is the mode.

    Nothing is kept of a call but the origins of its results, so the memory that it
    needs does not grow with the run. Tensors are referred to weakly, so that they are
    freed as without it. What is a source is decided by ``find_source`` when a tensor is
    first read.

    Attributes:
        blame: Knows the causes of cuts.
        uses: Knows which operations used the data of each source.
        flow: Knows where the data of tensors comes from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blame = Blame()
        self.uses = Uses()
        self.flow = Flow(self.blame, self.uses, self.find_source)
        self._count = 0

    def add_source(self, tensor: Tensor, origins: Origins | None = None) -> int:
        """Follow the data of a tensor from now on, and return its bit."""
        bit = 1 << self._count
        self._count += 1
        self.flow.values.add_source(tensor, bit, origins or {})
        return bit

    def add_alias(self, tensor: Tensor, bit: int) -> None:
        """Let a tensor stand for a source, as an unsharded parameter of FSDP2 does."""
        self.flow.values.add_source(tensor, bit, {})

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
        return self.flow.origins(tensor)

    def is_copy(self, tensor: Tensor) -> bool:
        """Whether ``copy.deepcopy`` made a parameter of a source."""
        return any(copy is tensor for copy, _, _ in self.flow.copies())

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
        call = Call(name, operations.tensors_of(args, kwargs), args, kwargs)
        if operations.reads_only_metadata(func, name):
            return self._read_metadata(func, call)
        reads = None
        try:
            reads = self._before(call)
        except Exception as error:  # noqa: BLE001
            self.on_trouble(error)
        result = func(*args, **kwargs)
        if reads is not None:
            try:
                self.after(call, result, reads)
            except Exception as error:  # noqa: BLE001
                self.on_trouble(error)
        return result

    def _before(self, call: Call) -> dict[int, Read] | None:
        """Return the tensors with origins that a call reads; None inside vmap.

        The tensors are kept alive only until the call is noted.
        """
        if not call.is_plain:
            for tensor in operations.may_touch(call.name, call.args, call.kwargs):
                self.before_write(tensor)
        if _in_transform():
            self._mark_inconclusive(call.inputs)
            return None
        return {
            id(tensor): Read(tensor, origins, tensor.requires_grad)
            for tensor in call.inputs
            if (origins := self.flow.origins(tensor))
        }

    def after(self, call: Call, result: object, reads: dict[int, Read]) -> None:
        """Note where the results of a call come from."""
        name, inputs, args, kwargs = call
        if name in operations.ALIASES and isinstance(result, Tensor):
            cause = self.blame.cause(name, inputs[0], self.flow.comes_from)
            self.flow.values.detach(result, cause)
        if not reads:
            self.flow.forget_reused_memory(inputs, result)
        elif call.is_plain:
            targets = operations.tensors_of((result,), {})
            self.flow.note(name, list(reads.values()), targets, in_place=False)
        else:
            for sources, targets, in_place in operations.flows(
                name, args, kwargs, result
            ):
                read = [reads[id(source)] for source in sources if id(source) in reads]
                self.flow.note(name, read, targets, in_place=in_place)
        if kwargs.get("requires_grad") and isinstance(result, Tensor):
            self.uses.note_leaf(result)
        for one in reads.values() if name in operations.EXITS else ():
            is_source = self.flow.values.is_in_source(one.tensor)
            self.uses.note_exit(name, mask_of(one.origins), is_of_source=is_source)

    def _read_metadata(self, func: Callable[..., Any], call: Call) -> object:
        """Run an operation that reads no data, and note new leaves."""
        name, inputs, args, kwargs = call
        if name == "backward":
            return self.backward(func, args, kwargs)
        result = func(*args, **kwargs)
        try:
            if name in {"requires_grad_", "requires_grad="}:
                self.uses.note_leaf(inputs[0])
                self.flag_changed(inputs[0])
            elif name in operations.METADATA_ONLY:
                self.flow.forget_reused_memory(inputs, result)
                if kwargs.get("requires_grad") and isinstance(result, Tensor):
                    self.uses.note_leaf(result)
        except Exception as error:  # noqa: BLE001
            self.on_trouble(error)
        return result

    def _mark_inconclusive(self, inputs: list[Tensor]) -> None:
        """Note the sources that a torch.func transform reads.

        Inside a transform tensors are wrapped, and cuts can't be seen.
        """
        for tensor in map(_unwrapped, inputs):
            origins = self.origins(tensor) or self.flow.values.in_memory(tensor)
            if origins:
                self.uses.note_inconclusive(mask_of(origins), "torch.func")


# torch.func has no public way to ask whether a transform is running.
_functorch = torch._C._functorch  # noqa: SLF001


def _in_transform() -> bool:
    return _functorch.peek_interpreter_stack() is not None


def _unwrapped(tensor: Tensor) -> Tensor:
    """Return the tensor inside the wrappers of the transforms around an operation."""
    while _functorch.is_functorch_wrapped_tensor(tensor):
        tensor = _functorch.get_unwrapped(tensor)
    return tensor
