"""Removes the frames that watching adds to the traceback of an error."""

from __future__ import annotations

import dis
import os
from functools import cache
from pathlib import Path
from types import CodeType, TracebackType

import torch
from torch.nn.modules import module as modules

_OWN = f"{Path(__file__).parent.parent}{os.sep}"
_OVERRIDES = torch.overrides.__file__


def without_own_frames(error: BaseException) -> BaseException:
    """Return an error whose traceback, and that of its causes, is as without us."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _cleaned(one.__traceback__)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return error


def _cleaned(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without our frames, and without PyTorch's calls of them.

    A function of PyTorch that is written in Python calls ``handle_torch_function``,
    which calls our mode, which calls the function once more. A module with a hook calls
    its forward in a function ``inner``.
    """
    frames = list(_entries(trace))
    kept: list[TracebackType] = []
    for index, entry in enumerate(frames):
        code = entry.tb_frame.f_code
        after = frames[index + 1] if index + 1 < len(frames) else None
        if _is_own(entry):
            continue
        if code.co_filename == _OVERRIDES and after is not None and _is_own(after):
            if kept:
                kept.pop()  # the function that called it, and is called once more
        elif _calls_forward_for_us(kept, code):
            kept[-1] = _without_hooks(kept[-1])
        else:
            kept.append(entry)
    result: TracebackType | None = None
    for entry in reversed(kept):
        entry.tb_next = result
        result = entry
    return result


def _entries(trace: TracebackType | None) -> list[TracebackType]:
    found = []
    while trace is not None:
        found.append(trace)
        trace = trace.tb_next
    return found


def _is_own(entry: TracebackType) -> bool:
    return entry.tb_frame.f_code.co_filename.startswith(_OWN)


def _calls_forward_for_us(kept: list[TracebackType], code: CodeType) -> bool:
    """Whether a module calls its forward in ``inner`` only because of our hooks."""
    if not kept or code.co_name != "inner" or code.co_filename != modules.__file__:
        return False
    called = kept[-1].tb_frame
    if called.f_code is not modules.Module._call_impl.__code__:  # noqa: SLF001
        return False
    owner = called.f_locals["self"]
    hooks = [getattr(owner, name) for name in _HOOKS]
    hooks += [getattr(modules, f"_global{name}") for name in _HOOKS]
    return _direct_call() is not None and all(
        getattr(hook, "__module__", "").startswith("gradguide.")
        for kind in hooks
        for hook in kind.values()
    )


_HOOKS = (
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks",
    "_forward_pre_hooks",
)


def _without_hooks(entry: TracebackType) -> TracebackType:
    """Return the entry of a call of a module at the line for one without hooks."""
    offset, line = _direct_call() or (entry.tb_lasti, entry.tb_lineno)
    return TracebackType(None, entry.tb_frame, offset, line)


@cache
def _direct_call() -> tuple[int, int] | None:
    """Return the offset and line at which a module without hooks calls its forward."""
    for one in dis.get_instructions(modules.Module._call_impl):  # noqa: SLF001
        if one.opname == "CALL_FUNCTION_EX" and one.positions and one.positions.lineno:
            return one.offset, one.positions.lineno
    return None
