"""Notices code that runs in other threads, where no mode of PyTorch sees a read."""

import sys
import threading
from types import FrameType, TracebackType
from typing import Self

import torch
from torch import nn


class Threads:
    """Notices, while entered, threads that start, and modules that run in others.

    What a thread does that was there before, without calling a module, stays unseen.
    """

    def __init__(self, model: nn.Module) -> None:
        self.seen = False
        self._model = model
        self._here = threading.get_ident()
        self.has_ended = False

    def __enter__(self) -> Self:
        self.before = threading.getprofile()
        # Not one hook for all modules: torch.compile warns of that.
        self._hooks = [
            module.register_forward_pre_hook(_Hook(self))
            for module in self._model.modules()
            if not isinstance(module, torch.jit.ScriptModule)
        ]
        threading.setprofile(self._thread_starts)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.has_ended = True
        # One that was entered later, in another thread, may end later, too.
        while (last := _watcher(threading.getprofile())) and last.has_ended:
            threading.setprofile(last.before)
        for hook in self._hooks:
            hook.remove()

    def note_module(self) -> None:
        """Note that a module runs now."""
        if threading.get_ident() != self._here:
            self.seen = True

    def _thread_starts(self, _frame: FrameType, _event: str, _arg: object) -> None:
        """Be the profiler of a new thread, once; then leave it to whoever was it."""
        self.seen = True
        sys.setprofile(self.before)


class _Hook:
    """Tells that a module runs; its copies, in a copied module, tell nobody."""

    def __init__(self, threads: Threads | None = None) -> None:
        self._threads = threads

    def __call__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.note_module()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return _Hook, ()


def _watcher(profile: object) -> Threads | None:
    """Return whose method a profiler is, if that is one of these."""
    owner = getattr(profile, "__self__", None)
    return owner if isinstance(owner, Threads) else None
