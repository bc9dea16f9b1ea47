"""Finds the line of the caller's code that is running, and the module around it."""

import ast
import linecache
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType

import torch
from torch import nn


class Where:
    """Finds the running line, and in which module of a model it is."""

    def __init__(self, model: nn.Module) -> None:
        """Remember the path of each module of ``model``."""
        self._paths: dict[int, str] = {
            id(module): path for path, module in model.named_modules()
        }

    def here(self) -> str:
        """Return the nearest caller outside PyTorch, as ``train.py:41 in backbone``."""
        for frame in _frames():
            if not _is_hidden(frame.f_code.co_filename):
                return self._name(frame, frame.f_lineno)
        return ""

    def inference_block(self) -> str:
        """Return the line of the ``with inference_mode()``, or of the decorated call.

        A ``TorchFunctionMode`` does not see how inference mode is entered, so the line
        is looked for in the source around each caller. If it is not found, the nearest
        caller is returned.
        """
        decorated = False
        for frame in _frames():
            file = frame.f_code.co_filename
            if _is_hidden(file):
                decorated = decorated or _enters_inference_mode(frame)
                continue
            if decorated:
                return self._name(frame, frame.f_lineno)
            for line, first, last in reversed(_inference_blocks(_source(file))):
                if first <= frame.f_lineno <= last:
                    return self._name(frame, line)
        return self.here()

    def call_of(self, function: FrameType) -> str:
        """Return the line that called a custom autograd function."""
        for frame in _frames(function):
            if not _is_hidden(frame.f_code.co_filename):
                return self._name(frame, frame.f_lineno)
        return ""

    def _name(self, frame: FrameType, line: int) -> str:
        path = self._module_path(frame)
        file = Path(frame.f_code.co_filename).name
        return f"{file}:{line} in {path}" if path else f"{file}:{line}"

    def _module_path(self, frame: FrameType) -> str:
        """Return the path of the nearest module whose method is running."""
        around: FrameType | None = frame
        while around:
            owner = _first_argument(around)
            if isinstance(owner, nn.Module) and id(owner) in self._paths:
                return self._paths[id(owner)]
            around = around.f_back
        return ""


def running_function() -> FrameType | None:
    """Return the frame of ``apply`` of the custom autograd function that is running.

    The class and the arguments are read from its locals ``cls`` and ``args``, as a
    ``forward`` without ``ctx`` has no other reference to them.
    """
    for frame in _frames():
        code = frame.f_code
        if code.co_name == "apply" and code.co_filename == _FUNCTION_FILE:
            return frame
    return None


_FUNCTION_FILE = torch.autograd.function.__file__


def grad_mode_block() -> tuple[int, bool]:
    """Return the id of the grad mode object that switches now, and whether it exits.

    ``set_grad_enabled`` used as a call is such an object, too, which never exits.
    """
    block, leaves = 0, False
    for frame in _frames():
        if not _is_hidden(frame.f_code.co_filename):
            break
        if frame.f_code.co_name in {"__init__", "__enter__", "__exit__"}:
            block = id(frame.f_locals["self"])
            leaves = frame.f_code.co_name == "__exit__"
    return block, leaves


def _frames(frame: FrameType | None = None) -> Iterator[FrameType]:
    """Yield a frame, or else the running one, and its callers."""
    frame = frame or sys._getframe(1)  # noqa: SLF001 as inspect does it
    while frame:
        yield frame
        frame = frame.f_back


@lru_cache(maxsize=10_000)
def _is_hidden(file: str) -> bool:
    """Whether a file belongs to PyTorch, this package or Python's standard library."""
    in_library = file.startswith(_LIBRARY) and "site-packages" not in file
    return in_library or file.startswith(_HIDDEN)


_HIDDEN = tuple(f"{Path(str(f)).parent}{os.sep}" for f in (torch.__file__, __file__))
_LIBRARY = f"{Path(os.__file__).parent}{os.sep}"


def _first_argument(frame: FrameType) -> object:
    """Return the first argument, which is ``self`` in a method."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _enters_inference_mode(frame: FrameType) -> bool:
    """Whether a frame of PyTorch calls a function decorated by ``inference_mode``."""
    factory = frame.f_locals.get("ctx_factory")
    return isinstance(getattr(factory, "__self__", None), torch.inference_mode)


def _source(file: str) -> str:
    return "".join(linecache.getlines(file))


@lru_cache(maxsize=100)
def _inference_blocks(source: str) -> list[tuple[int, int, int]]:
    """Return the line of each block, and the first and last line inside it."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    return [
        (node.lineno, node.body[0].lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, (ast.With, ast.AsyncWith))
        and any("inference_mode" in ast.unparse(i.context_expr) for i in node.items)
    ]
