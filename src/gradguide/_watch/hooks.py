"""The hooks of PyTorch by which an observer learns of forwards and steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol
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

from gradguide._explain.optimizer import is_of_torch
from gradguide._origins.where import caller
from gradguide._watch.fingerprint import Fingerprint, fingerprint
from gradguide._watch.internals import is_last, unseen

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.utils.hooks import RemovableHandle

    from gradguide._watch.steps import Steps


class Seen(Protocol):
    """What is told what the hooks learn."""

    thread: int
    is_over: bool
    saw_threads: bool
    steps: Steps
    after_step: Callable[[Optimizer], None]

    def note_call(self, module: nn.Module) -> None:
        """Note that an outermost module is called."""

    def step_begins(self, optimizer: Optimizer) -> bool:
        """Note that a step begins; return whether it is part of another of its own."""

    def on_trouble(self, error: Exception) -> None:
        """Note an error of this package."""


def _guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """Keep an error of this package from the run that is observed."""

    @wraps(hook)
    def run(self: Hooks, *args: object) -> None:
        seen = self._seen
        if threading.get_ident() == seen.thread and not seen.is_over:
            self._runs = True
            try:
                hook(self, *args)
            except Exception as error:  # noqa: BLE001
                seen.on_trouble(error)
            finally:
                self._runs = False
        elif not seen.is_over:
            seen.saw_threads = True

    return run


class Hooks:
    """The hooks of one observer.

    Attributes:
        buffers: The fingerprints of buffers before the first forward of their module.
    """

    def __init__(self, seen: Seen) -> None:
        self.buffers: dict[int, tuple[ref[Tensor], Fingerprint]] = {}
        self._seen = seen
        self._runs = False
        self._depth = 0
        self._torch_steps: list[int] = []
        """The ids of the frames that called the steps of PyTorch that run."""
        self._handles: list[RemovableHandle] = []

    def register(self) -> None:
        """Begin to be called."""
        self._handles = [
            register_module_forward_pre_hook(self._forward_begins),
            register_module_forward_hook(self._forward_ends, always_call=True),
            register_optimizer_step_pre_hook(self._step_begins),
            register_optimizer_step_post_hook(self._step_ends),
        ]

    def remove(self) -> RemovableHandle | None:
        """Remove the hooks; return the handle of one that can't be removed just now.

        A dictionary of hooks can't change while it is iterated over.
        """
        handles, self._handles = self._handles, []
        for handle in handles:
            is_after_steps = handle is handles[-1]
            if is_after_steps and self._runs and not is_last(handle):
                return handle
            handle.remove()
        return None

    @property
    def in_forward(self) -> bool:
        """Whether a module runs its forward."""
        return self._depth > 0

    def is_of_step(self, func: Callable[..., Any]) -> bool:
        """Whether an operation is part of a step of PyTorch, not of its closure."""
        if not self._torch_steps or torch.is_grad_enabled():
            return False
        if func is torch._C._set_grad_enabled:  # noqa: SLF001 it has no public name
            return False
        return caller() == self._torch_steps[-1]

    @_guarded
    def _forward_begins(self, module: nn.Module, _: object) -> None:
        if not self._depth:
            self._seen.note_call(module)
        self._depth += 1
        for buffer in module._buffers.values():  # noqa: SLF001 buffers() is slow
            if buffer is not None and id(buffer) not in self.buffers:
                with unseen():
                    self.buffers[id(buffer)] = (ref(buffer), fingerprint(buffer))

    @_guarded
    def _forward_ends(self, *_: object) -> None:
        self._depth = max(0, self._depth - 1)

    @_guarded
    def _step_begins(self, optimizer: Optimizer, *_: object) -> None:
        is_nested = self._seen.step_begins(optimizer)
        if not is_nested and is_of_torch(type(optimizer)):
            self._torch_steps.append(caller())

    @_guarded
    def _step_ends(self, optimizer: Optimizer, *_: object) -> None:
        with unseen():
            is_outermost = self._seen.steps.end(optimizer)
        if self._seen.steps.is_running(optimizer):
            return  # that was the step of its base class
        if self._torch_steps and is_of_torch(type(optimizer)):
            self._torch_steps.pop()
        if is_outermost:
            self._seen.after_step(optimizer)
