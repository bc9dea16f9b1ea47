"""Finds the line of the caller's code that is running, and the module around it."""

import ast
import copy
import linecache
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from inspect import CO_OPTIMIZED, getargvalues, unwrap
from pathlib import Path, PurePath
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch
from torch import nn


class Place(NamedTuple):
    """A line of the caller's code, and the ids of the modules whose methods run."""

    file: str
    line: int
    modules: tuple[int, ...] = ()


def here() -> Place | None:
    """Return the place of the nearest caller outside PyTorch."""
    frame = _nearest(sys._getframe(1))  # noqa: SLF001 as inspect does it
    return _place(frame, frame.f_lineno) if frame else None


def caller() -> int:
    """Return the id of the frame of the nearest caller outside PyTorch; 0 if none."""
    frame = _nearest(sys._getframe(1))  # noqa: SLF001 as inspect does it
    return id(frame) if frame else 0


def line_here() -> Place | None:
    """Return the place of the nearest caller without the modules, which is fast."""
    frame = _nearest(sys._getframe(1))  # noqa: SLF001 as inspect does it
    return Place(frame.f_code.co_filename, frame.f_lineno) if frame else None


def inference_block() -> Place | None:
    """Return the line of the ``with inference_mode()``, or of the decorated call.

    A ``TorchFunctionMode`` does not see how inference mode is entered, so the line is
    looked for in the source around each caller. If it is not found, the nearest caller
    is returned.
    """
    decorated = False
    for frame in _frames():
        file = frame.f_code.co_filename
        if is_hidden(file):
            decorated = decorated or _enters_inference_mode(frame)
            continue
        if decorated:
            return _place(frame, frame.f_lineno)
        source = "".join(linecache.getlines(file))
        for line, first, last in reversed(_inference_blocks(source)):
            if first <= frame.f_lineno <= last:
                return _place(frame, line)
    return here()


def call_of(function: FrameType) -> Place | None:
    """Return the line that called a custom autograd function."""
    frame = _nearest(function.f_back)
    return _place(frame, frame.f_lineno) if frame else None


def is_in_deepcopy() -> bool:
    """Whether ``copy.deepcopy`` runs, called by the nearest caller."""
    for frame in _frames():
        if not is_hidden(frame.f_code.co_filename):
            return False
        if frame.f_code is copy.deepcopy.__code__:
            return True
    return False


def runs_compiled() -> bool:
    """Whether a function that ``torch.compile`` has wrapped is running."""
    name = f"{os.sep}_dynamo{os.sep}eval_frame.py"
    return any(
        code.co_filename.endswith(name) and _NOT_COMPILED not in code.co_qualname
        for code in (frame.f_code for frame in _frames())
    )


_NOT_COMPILED = "DisableContext"
"""The class that wraps what is never compiled, as step() of an optimizer."""


class Function(NamedTuple):
    """A custom autograd function that is running."""

    kind: type
    inputs: tuple[object, ...]
    frame: FrameType


def running_function() -> Function | None:
    """Return the innermost custom autograd function whose ``forward`` is running.

    From PyTorch 2.14 on, ``apply`` has no frame. So the class is the one whose
    ``forward`` has the code that is running.
    """
    for frame in _frames():
        kind = _function_of(frame.f_code)
        if kind is not None:
            names, rest, _, values = getargvalues(frame)
            inputs = [values.get(name) for name in names]
            more = values.get(rest, ()) if rest else ()
            return Function(kind, (*inputs, *more), frame)
    return None


@lru_cache(maxsize=1000)
def _function_of(code: CodeType) -> type | None:
    """Return the custom autograd function whose ``forward`` has some code, or None."""
    function: Any = torch.autograd.Function
    kinds: Iterator[type] = _subclasses(function)
    for kind in kinds:
        if code_of(kind.forward) is code:  # type: ignore[attr-defined]
            return kind
    return None


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code of a function inside of its decorators; None of one in C."""
    code: CodeType | None = getattr(unwrap(function), "__code__", None)
    return code


def _subclasses(kind: type) -> Iterator[type]:
    subclasses: list[type] = kind.__subclasses__()
    for sub in subclasses:
        yield sub
        yield from _subclasses(sub)


def grad_mode_block() -> tuple[int, bool]:
    """Return the id of the grad mode object that switches now, and whether it exits.

    ``set_grad_enabled`` used as a call is such an object, too, which never exits.
    """
    block, leaves = 0, False
    for frame in _frames():
        if not is_hidden(frame.f_code.co_filename):
            break
        if frame.f_code.co_name in {"__init__", "__enter__", "__exit__"}:
            block = id(frame.f_locals["self"])
            leaves = frame.f_code.co_name == "__exit__"
    return block, leaves


def written(place: Place | None, paths: Mapping[int, str]) -> str:
    """Write a place, as ``train.py:41 in backbone``; ``paths`` are those of modules."""
    if place is None:
        return ""
    around = next((paths[key] for key in place.modules if paths.get(key)), "")
    text = f"{_short(place.file)}:{place.line}"
    return f"{text} in {around}" if around else text


def _short(file: str) -> str:
    """Return the name of a file; its path if another loaded module has that name."""
    path = PurePath(file)
    others = {
        PurePath(other)
        for module in list(sys.modules.values())
        if isinstance(other := getattr(module, "__file__", None), str)
        and other.endswith(path.name)  # a path takes long to make, for each module
        and PurePath(other).name == path.name
        and not is_hidden(other)
        and "site-packages" not in other
    } - {path}
    if not others:
        return path.name
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = Path(script).absolute().parent if script else Path.cwd()
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return "/".join(path.parts[-2:])


def _place(frame: FrameType, line: int) -> Place:
    modules = []
    around: FrameType | None = frame
    while around:
        owner = _first_argument(around)
        if isinstance(owner, nn.Module):
            modules.append(id(owner))
        around = around.f_back
    return Place(frame.f_code.co_filename, line, tuple(modules))


def _nearest(frame: FrameType | None) -> FrameType | None:
    """Return a frame, or the nearest of its callers, that is outside PyTorch."""
    while frame and is_hidden(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _frames() -> Iterator[FrameType]:
    """Yield the running frame and its callers."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 as inspect does it
    while frame:
        yield frame
        frame = frame.f_back


@lru_cache(maxsize=10_000)
def is_hidden(file: str) -> bool:
    """Whether a file belongs to PyTorch, this package or Python's standard library."""
    in_library = file.startswith(_LIBRARY) and "site-packages" not in file
    return in_library or file.startswith(_HIDDEN)


_HERE = Path(__file__).parent.parent
_HIDDEN = tuple(f"{folder}{os.sep}" for folder in (Path(torch.__file__).parent, _HERE))
_LIBRARY = f"{Path(os.__file__).parent}{os.sep}"


def variables(frame: FrameType) -> Mapping[str, object]:
    """Return the variables of a frame, and leave no trace of having read them.

    Up to Python 3.12 ``f_locals`` of a function is a copy that its frame keeps, which
    would keep tensors alive. It is emptied, unless somebody else has it, too.
    """
    found = frame.f_locals
    if sys.version_info >= (3, 13) or not frame.f_code.co_flags & CO_OPTIMIZED:
        return found
    copied = dict(found)
    if not sys.gettrace() and sys.getrefcount(found) <= _ITS_REFERENCES:
        found.clear()
    return copied


_ITS_REFERENCES = 3
"""Those of the frame, of a variable, and of the argument of ``getrefcount``."""


def _first_argument(frame: FrameType) -> object:
    """Return the first argument, which is ``self`` in a method."""
    code = frame.f_code
    if not code.co_argcount:
        return None
    return variables(frame).get(code.co_varnames[0])


def _enters_inference_mode(frame: FrameType) -> bool:
    """Whether a frame of PyTorch calls a function decorated by ``inference_mode``."""
    factory = frame.f_locals.get("ctx_factory")
    return isinstance(getattr(factory, "__self__", None), torch.inference_mode)


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
