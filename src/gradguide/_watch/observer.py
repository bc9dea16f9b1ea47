"""Observes a real iteration by the public hooks of PyTorch, and by the tape."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from gradguide._autograd import tensors_in
from gradguide._explain.evidence import eager
from gradguide._origins import operations
from gradguide._origins.tape import Tape
from gradguide._origins.values import Origins, mask_of, merged
from gradguide._origins.where import Place, caller, here, runs_compiled
from gradguide._watch.failures import (
    Failure,
    failure_of,
    frozen_that_grad_was_asked_for,
    functions_without_gradient,
)
from gradguide._watch.fingerprint import Fingerprint, fingerprint
from gradguide._watch.ledger import Ledger, held_by
from gradguide._watch.names import Names, alive, outermost
from gradguide._watch.steps import Steps

if TYPE_CHECKING:
    from types import FrameType

    from torch.optim import Optimizer


def _guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """Keep an error of this package from the run that is observed."""

    @wraps(hook)
    def run(self: Observer, *args: object) -> None:
        if threading.get_ident() == self._thread and not self.is_over:  # noqa: SLF001
            try:
                hook(self, *args)
            except Exception as error:  # noqa: BLE001
                self.on_trouble(error)
        elif not self.is_over:
            self.saw_threads = True

    return run


class Observer(Tape):
    """Observes forwards, backwards and steps of this thread.

    Attributes:
        ledger: What became of each tensor.
        steps: The steps of each optimizer.
        names: The variables that modules and tensors are in.
        called: The outermost modules whose forward ran.
        buffers: The fingerprints of buffers before the first forward of their module.
        reached: Where the data of all losses came from.
        reached_before: The same of the losses before the steps of an optimizer.
        backwards: How many backwards ran.
        failures: The backwards that raised.
        behind: For each source, those whose data it was multiplied with.
        without: Leaves without a gradient, and the function that gave None.
        frozen_at: Where tensors were frozen while they were watched.
        failed: Whether the run ended by an error.
        saw_threads: Whether a module ran in another thread.
        ran_eagerly: Whether compiled code ran without compilation.
        trouble: The error of this package after which it observed no more, or None.
        after_step: Is called after each step, and after each that was skipped.
        after_backward: Is called after each backward.
    """

    def __init__(self) -> None:
        """Observe nothing yet."""
        super().__init__()
        self.ledger = Ledger()
        self.steps = Steps(self.ledger)
        self.names = Names()
        self.called: dict[int, ref[nn.Module]] = {}
        self.buffers: dict[int, tuple[ref[Tensor], Fingerprint]] = {}
        self.reached: Origins = {}
        self.reached_before: dict[int, Origins] = {}
        self._since_step: Origins = {}
        self._has_stepped = False
        self.backwards = 0
        self.failures: list[Failure] = []
        self.behind: dict[int, int] = {}
        self.without: dict[int, tuple[str, Place | None]] = {}
        self.frozen_at: dict[int, tuple[ref[Tensor], Place | None]] = {}
        self.saw_threads = False
        self.failed = False
        self.ran_eagerly = False
        self.is_over = False
        self.trouble: Exception | None = None
        self._expected: list[nn.Module] = []
        self.after_step: Callable[[Optimizer], None] = lambda _: None
        self.after_backward: Callable[[], None] = lambda: None
        self._thread = threading.get_ident()
        self._depth = 0
        self._in_backward = False
        self._torch_steps: list[int] = []
        """The ids of the frames that called the steps of PyTorch that run."""
        self._sharded: dict[
            tuple[int, str], tuple[ref[nn.Module], ref[nn.Parameter]]
        ] = {}
        self._kept: dict[str, object] = {}
        self._handles: list[Any] = []
        self._stance = ExitStack()
        self._has_stance = False

    def expect(self, objects: Iterable[nn.Module | Optimizer | Tensor]) -> None:
        """Report some objects also if they do not take part."""
        for one in objects:
            if isinstance(one, nn.Module):
                self.called.setdefault(id(one), ref(one))
            elif isinstance(one, Tensor):
                self.ledger.of(one)
            else:
                for tensor, _ in held_by(one.param_groups):
                    self.ledger.of(tensor).holder = id(one)

    def start(self) -> None:
        """Begin to observe, perhaps once more."""
        self.is_over = self.trouble is not None
        self._handles = [
            register_module_forward_pre_hook(self._forward_begins),
            register_module_forward_hook(self._forward_ends, always_call=True),
            register_optimizer_step_pre_hook(self._step_begins),
            register_optimizer_step_post_hook(self._step_ends),
        ]
        self.__enter__()

    def stop(self) -> None:
        """Observe no more, and leave nothing behind."""
        self.ledger.compare()
        self.is_over = True
        for handle in self._handles:
            handle.remove()
        self._handles = []
        _leave(self)
        self._stance.close()
        self._has_stance = False

    def roots(self, modules: list[nn.Module] | None = None) -> list[nn.Module]:
        """Return the outermost modules that were called or whose tensors are held.

        ``modules`` are all that are alive, if they are known.
        """
        if modules is None:
            modules = alive().modules
        found = [module() for module in self.called.values()]
        called = [module for module in found if module is not None]
        inside = {id(p) for module in called for p in module.parameters()}
        owners = [
            module
            for module in modules
            for p in module._parameters.values()  # noqa: SLF001
            if p is not None
            and id(p) not in inside
            and (record := self.ledger.get(p))
            and record.holder
        ]
        return outermost([*called, *owners], modules)

    def has_iterated(self, *, by_hand: bool) -> bool:
        """Whether a step ran, or, where updates are made by hand, two backwards."""
        if self.steps.counts:
            return True
        return by_hand and self.backwards > 1 and not self.failures and not self.failed

    # What the tape calls

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 as in the base class
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 it is whatever the operation returns
        """Run an operation, and note where its results come from."""
        if self.is_over or (self._torch_steps and self._is_of_step(func)):
            return func(*args, **(kwargs or {}))
        if "torch._dynamo" in sys.modules and not self._has_stance:
            self._has_stance = True
            self._stance.enter_context(eager())
        if func is torch.autograd.grad:
            return self._autograd_grad(func, args, kwargs or {})
        if func is torch.ones_like and not self._in_backward:
            self._look_for_backward(args)
        result = super().__torch_function__(func, types, args, kwargs)
        if func is Tensor.item and result:
            self._look_for_scaler()
        return result

    def _is_of_step(self, func: Callable[..., Any]) -> bool:
        """Whether an operation is part of a step of PyTorch, not of its closure."""
        if torch.is_grad_enabled() or func is torch._C._set_grad_enabled:  # noqa: SLF001
            return False
        return caller() == self._torch_steps[-1]

    def _finish(
        self,
        name: str,
        inputs: list[Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: object,
        reads: dict[int, Any],
    ) -> None:
        super()._finish(name, inputs, args, kwargs, result, reads)
        factors = operations.factors(name, inputs) if len(reads) > 1 else []
        for factor in factors:
            record = self.ledger.get(factor) if factor.is_leaf else None
            if record is not None and record.bit:
                behind = self.behind.get(record.bit, 0)
                for read in reads.values():
                    behind |= mask_of(read.origins)
                self.behind[record.bit] = behind & ~record.bit

    def find_source(self, tensor: Tensor, origins: Origins) -> int:
        """Follow each leaf that requires grad, from when it is first read on."""
        if not tensor.requires_grad or not tensor.is_leaf:
            if isinstance(tensor, nn.Parameter):
                record = self.ledger.of(tensor)
                record.read_frozen = record.read_frozen or here()
            return 0
        self.ran_eagerly = self.ran_eagerly or runs_compiled()
        record = self.ledger.of(self._sharded_of(tensor))
        record.required_grad = True
        if record.bit:
            self.add_alias(tensor, record.bit)
        else:
            record.bit = self.add_source(tensor, origins)
        return record.bit

    def before_write(self, tensor: Tensor) -> None:
        """Note that something is written to by hand."""
        self.ledger.before_write(tensor, in_forward=self._depth > 0)

    def flag_changed(self, tensor: Tensor) -> None:
        """Note where a tensor was frozen."""
        if not tensor.requires_grad:
            self.frozen_at[id(tensor)] = (ref(tensor), here())

    def on_trouble(self, error: Exception) -> None:
        """Observe no more after an error of this package, which costs no run."""
        self.is_over, self.trouble = True, error

    def backward(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> object:
        """Run a backward, and note from where it ran and what got a gradient."""
        if self._in_backward or func is not Tensor.backward:
            return func(*args, **kwargs)
        roots = list(args[:1])
        self._note_roots(roots)
        self._in_backward = True
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            self.names.look_for(frozen_that_grad_was_asked_for(error), None)
            failure = failure_of(error, roots, self.blame.calls, self.name_of)
            if failure is not None:
                self.failures.append(failure)
            raise
        finally:
            self._in_backward = False
        self.ledger.note_gradients()
        self._find_lost_gradients(roots)
        self.after_backward()
        return result

    def _note_roots(self, roots: list[Tensor]) -> None:
        here_reached = merged(self.origins(root) for root in roots)
        self.reached = merged((self.reached, here_reached))
        if self._has_stepped:
            self._has_stepped, self._since_step = False, {}
        self._since_step = merged((self._since_step, here_reached))
        if not self.backwards:
            self.ledger.forget_writes()
            self.look_for_names()
        self.backwards += 1

    def _find_lost_gradients(self, roots: list[Tensor]) -> None:
        """Find the custom functions whose backward gave None to a parameter."""
        mask = 0
        for way, part in self.reached.items():
            mask |= part if way.cut is None else 0
        lost = {
            id(tensor)
            for tensor, record in self.ledger
            if record.bit & mask and not record.has_gradient
        }
        if lost:
            self.without |= functions_without_gradient(roots, lost, self.blame.calls)

    def _autograd_grad(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:  # noqa: ANN401 the gradients
        """Run ``torch.autograd.grad``, and note what got a gradient."""
        inputs = list(tensors_in(kwargs.get("inputs", args[1:2])))
        roots = list(tensors_in(kwargs.get("outputs", args[:1])))
        records = [(one, self.ledger.get(one)) for one in inputs]
        if not self._in_backward and any(record for _, record in records):
            self._note_roots(roots)
        grads = super().__torch_function__(func, (), args, kwargs)
        for (_, record), grad in zip(records, grads, strict=False):
            if record is not None and isinstance(grad, Tensor):
                record.note_gradient(grad)
        return grads

    def _look_for_backward(self, args: tuple[Any, ...]) -> None:
        """Notice a call of ``torch.autograd.backward``, of which no mode is told.

        It makes the gradient of each root by ``ones_like``.
        """
        code = sys._getframe(2).f_code  # noqa: SLF001
        if code.co_name == "_make_grads" and code.co_filename == _AUTOGRAD_FILE:
            self._note_roots(list(args[:1]))

    def _look_for_scaler(self) -> None:
        """Notice that a ``GradScaler`` has found a gradient that is inf or nan."""
        frame = sys._getframe(2)  # noqa: SLF001
        for around in (frame, frame.f_back):
            if around is not None and around.f_code.co_name == "_maybe_opt_step":
                with _unseen():
                    self.steps.skip(around.f_locals["optimizer"])
                self.after_step(around.f_locals["optimizer"])
                return

    def _sharded_of(self, tensor: Tensor) -> Tensor:
        """Return the parameter of FSDP2 that an unsharded one replaces, or itself."""
        if not self._sharded or not isinstance(tensor, nn.Parameter):
            return tensor
        for (_, name), (module, parameter) in self._sharded.items():
            owner = module()
            if owner is not None and owner._parameters.get(name) is tensor:  # noqa: SLF001
                sharded = parameter()
                return tensor if sharded is None else sharded
        return tensor

    # What hooks of modules and optimizers call

    @_guarded
    def _forward_begins(self, module: nn.Module, _: object) -> None:
        if not self._depth and not self._in_backward:
            self.called.setdefault(id(module), ref(module))
            if "torch.distributed.fsdp" in sys.modules:
                self._note_shards(module)
        self._depth += 1
        for buffer in module._buffers.values():  # noqa: SLF001 buffers() is slow
            if buffer is not None and id(buffer) not in self.buffers:
                with _unseen():
                    self.buffers[id(buffer)] = (ref(buffer), fingerprint(buffer))

    def _note_shards(self, root: nn.Module) -> None:
        for module in root.modules():
            for name, parameter in module._parameters.items():  # noqa: SLF001
                if parameter is not None and hasattr(parameter, "to_local"):
                    self._sharded[id(module), name] = ref(module), ref(parameter)

    @_guarded
    def _forward_ends(self, *_: object) -> None:
        self._depth = max(0, self._depth - 1)

    @_guarded
    def _step_begins(self, optimizer: Optimizer, *_: object) -> None:
        with _unseen():
            if id(optimizer) not in self.steps.counts:
                self.look_for_names()
            self.ledger.note_gradients()
            is_nested = self.steps.is_running(optimizer)
            self.steps.begin(optimizer)
            parts = self.reached_before.get(id(optimizer), {}), self._since_step
            self.reached_before[id(optimizer)] = merged(parts)
            self._has_stepped = True
        if not is_nested:
            if _is_of_torch(optimizer):
                self._torch_steps.append(caller())

    @_guarded
    def _step_ends(self, optimizer: Optimizer, *_: object) -> None:
        with _unseen():
            is_outermost = self.steps.end(optimizer)
        if self.steps.is_running(optimizer):
            return  # that was the step of its base class
        if self._torch_steps and _is_of_torch(optimizer):
            self._torch_steps.pop()
        if is_outermost:
            self.after_step(optimizer)

    # Names

    def look_for_names(self, frame: FrameType | None = None) -> None:
        """Look for the variables that modules and tensors are in.

        ``frame`` is the innermost one to look into, or else the running one.
        """
        frame = frame or sys._getframe(1)  # noqa: SLF001
        roots = self.roots()
        for root in roots:
            for parameter in root.parameters():
                self.ledger.of(parameter)
        inside = {id(p) for root in roots for p in root.parameters()}
        bare = [tensor for tensor, _ in self.ledger if id(tensor) not in inside]
        self.names.look_for([*roots, *bare], frame)
        # Until the report, what has a name is kept, as a function that returns would
        # free it. Of the copies that a loop makes, this is the last one.
        for one in [*roots, *bare]:
            if name := self.names.get(one):
                self._kept[name] = one

    def name_of(self, tensor: Tensor) -> str:
        """Return the name of a tensor, by its module or its variable."""
        for root in self.roots():
            for path, parameter in root.named_parameters():
                if parameter is tensor:
                    return f"{self.names.get(root) or type(root).__name__}.{path}"
        return self.names.get(tensor) or f"a tensor of shape {tuple(tensor.shape)}"


_AUTOGRAD_FILE = torch.autograd.__file__


def _is_of_torch(optimizer: Optimizer) -> bool:
    return type(optimizer).__module__.startswith("torch.optim")


@contextmanager
def _unseen() -> Iterator[None]:
    """Hide the operations of this package from the modes that are active."""
    with torch._C.DisableTorchFunction():  # noqa: SLF001 it has no public name
        yield


def _leave(mode: Tape) -> None:
    """Leave a mode, which need not be the innermost one."""
    above = []
    while torch.overrides._len_torch_function_stack():  # noqa: SLF001
        top = torch.overrides._pop_mode()  # noqa: SLF001
        if top is mode:
            break
        above.append(top)
    for other in reversed(above):
        torch.overrides._push_mode(other)  # noqa: SLF001
