"""Reads what PyTorch has no public way to tell: frames of its code, and its modes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import overrides
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

_overrides: Any = overrides


def starts_backward() -> bool:
    """Whether ``torch.autograd.backward`` makes the gradient of a root just now.

    It does so by ``ones_like``. No mode is told of the call itself.
    """
    code = sys._getframe(2).f_code  # noqa: SLF001 of the caller of the mode
    return code.co_name == "_make_grads" and code.co_filename == torch.autograd.__file__


def skipped_optimizer() -> Any:  # noqa: ANN401 an Optimizer, or None
    """Return the optimizer whose step a ``GradScaler`` skips, if ``item()`` is its."""
    frame = sys._getframe(2)  # noqa: SLF001 of the caller of the mode
    for around in (frame, frame.f_back):
        if around is not None and around.f_code.co_name == "_maybe_opt_step":
            return around.f_locals["optimizer"]
    return None


@contextmanager
def unseen() -> Iterator[None]:
    """Hide the operations of this package from the modes that are active."""
    with torch._C.DisableTorchFunction():  # noqa: SLF001 it has no public name
        yield


def is_last(handle: RemovableHandle) -> bool:
    """Whether a hook was registered after all others."""
    return next(reversed(handle.hooks_dict_ref() or {}), None) == handle.id


def leave(mode: TorchFunctionMode) -> bool:
    """Leave a mode, which need not be the innermost one.

    Return whether it was there.
    """
    above = []
    is_there = False
    while not is_there and _overrides._len_torch_function_stack():  # noqa: SLF001
        top = _overrides._pop_mode()  # noqa: SLF001
        is_there = top is mode
        if not is_there:
            above.append(top)
    for other in reversed(above):
        _overrides._push_mode(other)  # noqa: SLF001
    return is_there


def leave_later(
    mode: TorchFunctionMode, thread: int, handle: RemovableHandle | None
) -> None:
    """Leave a mode, and remove a hook, when a thread calls the next module."""

    def leave_now(*_: object) -> None:
        if threading.get_ident() == thread:
            leave(mode)
            own.remove()
            if handle is not None:
                handle.remove()

    own = register_module_forward_pre_hook(leave_now)
