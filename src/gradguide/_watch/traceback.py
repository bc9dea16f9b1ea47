"""Removes the frames that watching adds to the traceback of an error."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import torch

_OWN = str(Path(__file__).parent.parent)
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
    return error


def _cleaned(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without our frames, and without PyTorch's calls of them.

    A function of PyTorch that is written in Python calls ``handle_torch_function``, and
    then itself once more.
    """
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    kept: list[TracebackType] = []
    for frame in frames:
        file = frame.tb_frame.f_code.co_filename
        if file == _OVERRIDES and kept and _is_of_torch(kept[-1]):
            kept.pop()
        elif file != _OVERRIDES and not file.startswith(_OWN):
            kept.append(frame)
    result: TracebackType | None = None
    for frame in reversed(kept):
        frame.tb_next = result
        result = frame
    return result


def _is_of_torch(trace: TracebackType) -> bool:
    folder = str(Path(torch.__file__).parent)
    return trace.tb_frame.f_code.co_filename.startswith(folder)
