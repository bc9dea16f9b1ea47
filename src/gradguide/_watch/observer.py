"""Observes a real iteration by the public hooks of PyTorch, and by the tape."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from gradguide._autograd import tensors_in
from gradguide._explain.evidence import eager
from gradguide._explain.sharding import Shards
from gradguide._origins.flow import Read
from gradguide._origins.tape import Call, Tape
from gradguide._origins.values import Origins
from gradguide._origins.where import here, runs_compiled
from gradguide._watch.backwards import Backwards
from gradguide._watch.factors import Factors
from gradguide._watch.flags import Flags
from gradguide._watch.hooks import Hooks
from gradguide._watch.internals import (
    leave,
    leave_later,
    skipped_optimizer,
    starts_backward,
    unseen,
)
from gradguide._watch.ledger import Ledger
from gradguide._watch.roots import Roots
from gradguide._watch.scaling import SCALES, Scaling
from gradguide._watch.steps import Steps
from gradguide._watch.terms import Terms

if TYPE_CHECKING:
    from torch.optim import Optimizer


class Observer(Tape):
    """Observes forwards, backwards and steps of this thread.

    Attributes:
        thread: The thread that is observed.
        ledger: What became of each tensor.
        steps: The steps of each optimizer.
        roots: The outermost modules, and the names of modules and tensors.
        hooks: The hooks of modules and optimizers.
        forwards: How many forwards of outermost modules ran.
        backwards: What the backwards reached.
        factors: What each source was multiplied with.
        terms: The terms of losses that give no gradient, or one for nothing.
        flags: Where tensors were frozen and unfrozen.
        scaling: Where gradients were clipped that are still scaled.
        failed: Whether the run ended by an error.
        ended: Whether the script that was watched came to its end.
        saw_threads: Whether a module ran in another thread.
        ran_eagerly: Whether compiled code ran without compilation.
        trouble: The error of this package after which it observed no more, or None.
        after_step: Is called after each step, and after each that was skipped.
        after_backward: Is called after each backward.
        after_trouble: Is called after an error of this package.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.steps = Steps(self.ledger)
        self.roots = Roots(self.ledger)
        self.hooks = Hooks(self)
        self.forwards = 0
        self.backwards = Backwards(self, self.ledger, self.roots)
        self.factors = Factors()
        self.terms = Terms()
        self.flags = Flags()
        self.scaling = Scaling()
        self.saw_threads = False
        self.failed = False
        self.ended = False
        self.ran_eagerly = False
        self.is_over = False
        self.trouble: Exception | None = None
        self.after_step: Callable[[Optimizer], None] = lambda _: None
        self.after_backward: Callable[[], None] = lambda: None
        self.after_trouble: Callable[[], None] = lambda: None
        self.thread = threading.get_ident()
        self._in_backward = False
        self._shards = Shards()
        self._stance: ExitStack | None = None

    def start(self) -> None:
        """Begin to observe, perhaps once more."""
        self.is_over = self.trouble is not None
        self.thread = threading.get_ident()
        _observing.add(self)
        self.hooks.register()
        self.__enter__()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Observe no more, and leave nothing behind."""
        with self.noting(), unseen():
            self.ledger.compare()
        self.is_over = True
        _observing.discard(self)
        after_steps = self.hooks.remove()
        if not leave(self) or after_steps:  # a mode can't be left in a call of it
            leave_later(self, self.thread, after_steps)
        if self._stance is not None:
            self._stance.close()
            self._stance = None

    def has_iterated(self, *, by_hand: bool) -> bool:
        """Whether a step ran, or two backwards where no step is to be expected."""
        if self.steps.count:
            return True
        has_more = self.backwards.count > 1 and not self.backwards.failures
        return (by_hand or self.ended) and has_more and not self.failed

    # What the tape calls

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 as in the base class
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 it is whatever the operation returns
        """Run an operation, and note where its results come from."""
        if self.is_over or self.hooks.is_of_step(func):
            return func(*args, **(kwargs or {}))
        if self._stance is None and "torch._dynamo" in sys.modules:
            self._stance = eager()
        if func in SCALES:
            with self.noting():
                self.scaling.note(func, args)
        if func in _COPIES or func == _SET_GRAD:
            with self.noting():
                copied = args[:1] if func in _COPIES else args[1:]
                self.ledger.note_own_gradients(tensors_in(copied))
                if func is Tensor.copy_:
                    self.ledger.note_copy(*tensors_in(args[:2]))
        if func is torch.autograd.grad:
            return self._autograd_grad(func, args, kwargs or {})
        if func is torch.ones_like and not self._in_backward and starts_backward():
            with self.noting():
                self._backward_begins(list(args[:1]))
        result = super().__torch_function__(func, types, args, kwargs)
        if func is Tensor.item and result:
            with self.noting():
                skipped = skipped_optimizer()
                if skipped is not None:
                    with unseen():
                        self.steps.skip(skipped)
                    self.after_step(skipped)
        return result

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Keep an error of this package from the run that is observed."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self.on_trouble(error)

    def after(self, call: Call, result: object, reads: dict[int, Read]) -> None:
        """Note the results of a call, and what its sources were multiplied with."""
        super().after(call, result, reads)
        if len(reads) > 1:
            self.terms.note(call, result, reads.values())
            self.factors.note(call, reads.values())

    def find_source(self, tensor: Tensor, origins: Origins) -> int:
        """Follow each leaf that requires grad, from when it is first read on."""
        if not tensor.requires_grad or not tensor.is_leaf:
            if isinstance(tensor, nn.Parameter):
                record = self.ledger.of(tensor)
                record.read_frozen = record.read_frozen or here()
            return 0
        self.ran_eagerly = self.ran_eagerly or runs_compiled()
        record = self.ledger.of(self._shards.behind(tensor))
        record.required_grad = True
        if record.bit:
            self.add_alias(tensor, record.bit)
        else:
            record.bit = self.add_source(tensor, origins)
            record.read = here()
        return record.bit

    def before_write(self, tensor: Tensor) -> None:
        """Note that something is written to by hand."""
        self.ledger.before_write(tensor, in_forward=self.hooks.in_forward)
        self.steps.zeroed.before_write(tensor)

    def flag_changed(self, tensor: Tensor) -> None:
        """Note where a tensor was frozen or unfrozen."""
        self.flags.note(tensor, called=self.forwards > 0, ran=self.backwards.count > 0)

    def on_trouble(self, error: Exception) -> None:
        """Observe no more after an error of this package, which costs no run."""
        if self.trouble is None:
            self.is_over, self.trouble = True, error
            self.after_trouble()

    def backward(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> object:
        """Run a backward, and note from where it ran and what got a gradient."""
        if self._in_backward or func is not Tensor.backward:
            return func(*args, **kwargs)
        roots = list(args[:1])
        with self.noting():
            self._backward_begins(roots)
        self._in_backward = True
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            with self.noting():
                self.backwards.fail(roots, error)
            raise
        finally:
            self._in_backward = False
        with self.noting():
            with unseen():
                self.steps.after_backward()
            self.backwards.end(roots)
            self.after_backward()
        return result

    def _backward_begins(self, roots: list[Tensor]) -> None:
        with unseen():
            self.steps.before_backward()
        self.terms.before_backward(roots)
        self.backwards.begin(roots)

    def _autograd_grad(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:  # noqa: ANN401 the gradients
        """Run ``torch.autograd.grad``, and note what got a gradient."""
        inputs = list(tensors_in(kwargs.get("inputs", args[1:2])))
        roots = list(tensors_in(kwargs.get("outputs", args[:1])))
        records = [(one, self.ledger.get(one)) for one in inputs]
        if not self._in_backward and any(record for _, record in records):
            with self.noting():
                self.backwards.begin(roots)
        grads = super().__torch_function__(func, (), args, kwargs)
        with self.noting():
            for (_, record), grad in zip(records, grads, strict=False):
                if record is not None and isinstance(grad, Tensor):
                    record.note_gradient(grad)
        return grads

    # What the hooks call

    def note_call(self, module: nn.Module) -> None:
        """Note that an outermost module is called."""
        if not self._in_backward:
            self.forwards += 1
            self.roots.note_call(module)
            self._shards.note(module)

    def step_begins(self, optimizer: Optimizer) -> bool:
        """Note that a step begins; return whether it is part of another of its own."""
        with unseen():
            is_first = id(optimizer) not in self.steps.optimizers
            if is_first and not self.roots.knows(optimizer):
                self.roots.look_for_names()
            self.backwards.before_step(id(optimizer))
            is_nested = self.steps.is_running(optimizer)
            self.steps.begin(optimizer)
            self.terms.before_step(self.steps.sources_of(optimizer))
        return is_nested


_COPIES = {Tensor.copy_, torch._foreach_copy_}
_GRAD: Any = Tensor.grad  # a property in C
_SET_GRAD = _GRAD.__set__

_observing: WeakSet[Observer] = WeakSet()


def _stop_in_child() -> None:
    """Observe nothing in a forked process, which may be one that loads data."""
    for observer in _observing:
        observer.is_over = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stop_in_child)
