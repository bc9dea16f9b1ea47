"""Notices code in other threads, as a mode of PyTorch is active in one thread only."""

import sys
import threading
from types import FrameType, TracebackType
from typing import Self

import torch
from torch import nn


class Threads:
    """Notices, while entered, new threads, and modules that run in other threads.

    A thread that started before and calls no module of the model is not noticed.
    """

    def __init__(self, model: nn.Module) -> None:
        self.seen = False
        self._model = model
        self._here = threading.get_ident()
        self.has_ended = False

    def __enter__(self) -> Self:
        self.before = threading.getprofile()
        # One hook for each module, as torch.compile warns of a global module hook.
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
        # Two may overlap in two threads. The one that was entered last is the profiler;
        # it restores the earlier one, so it stays until it has ended itself.
        while (last := _watcher(threading.getprofile())) and last.has_ended:
            threading.setprofile(last.before)
        for hook in self._hooks:
            hook.remove()

    def note_module(self) -> None:
        """Note that a module of the model is called."""
        if threading.get_ident() != self._here:
            self.seen = True

    def _thread_starts(self, _frame: FrameType, _event: str, _arg: object) -> None:
        """Note the new thread that calls this, and give it the earlier profiler."""
        self.seen = True
        sys.setprofile(self.before)


class _Hook:
    """Reports that a module is called; its copies, in copied modules, do not."""

    def __init__(self, threads: Threads | None = None) -> None:
        self._threads = threads

    def __call__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.note_module()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return _Hook, ()


def _watcher(profile: object) -> Threads | None:
    """Return the ``Threads`` whose method a profiler is, or None."""
    owner = getattr(profile, "__self__", None)
    return owner if isinstance(owner, Threads) else None
