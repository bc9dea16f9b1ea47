"""Runs a script or a module as Python would."""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any


class ScriptError(Exception):
    """The script can't be run; the text says why and what to do.

    Attributes:
        code: The exit code that Python has for it.
    """

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Script:
    """A script or module that is prepared to run as ``__main__``.

    Raises:
        ScriptError: It is not there, or not Python.
        SyntaxError: It has a syntax error.
    """

    def __init__(self, name: str, arguments: list[str], *, is_module: bool) -> None:
        self._main = ModuleType("__main__")
        if is_module:
            _set_first_path(str(Path.cwd()))
            self._code = self._find_module(name)
            file = str(self._main.__file__)
        else:
            self._code, file = self._find_script(name), name
            _set_first_path(str(Path(name).resolve().parent))
        sys.argv = [file, *arguments]

    def run(self) -> None:
        """Run the code; ``__main__`` stays that of the script."""
        sys.modules["__main__"] = self._main
        exec(self._code, vars(self._main))  # noqa: S102 the user asked for it

    def _find_script(self, name: str) -> CodeType:
        path = Path(name)
        try:
            source = path.read_bytes()
        except IsADirectoryError:
            msg = f"{name} is a folder; give the script in it"
            raise ScriptError(msg) from None
        except (FileNotFoundError, NotADirectoryError):
            msg = f"there is no script {name} in {Path.cwd()}"
            if name.isidentifier() and importlib.util.find_spec(name):
                msg += f"; is it a module? Then write -m {name}"
            raise ScriptError(msg, _NOT_THERE) from None
        except OSError as error:
            msg = f"{name} can't be read: {error.strerror}"
            raise ScriptError(msg, _NOT_THERE) from None
        file = _absolute(name)
        self._set(file, SourceFileLoader("__main__", file), None)
        try:
            return compile(source, file, "exec", dont_inherit=True)
        except ValueError as error:
            if isinstance(error, SyntaxError):
                raise
            msg = f"{name} is no Python source: {error}"
            raise ScriptError(msg) from None

    def _find_module(self, name: str) -> CodeType:
        """Import the packages around a module, and return its code.

        An error in one of the packages is raised as it is.
        """
        if name.endswith(".py") and Path(name).is_file():
            msg = f"{name} is a script, not a module; leave -m out"
            raise ScriptError(msg)
        package = name.rpartition(".")[0]
        if package:
            try:
                __import__(package)
            except ImportError as error:
                if not f"{package}.".startswith(f"{error.name}."):
                    raise
                raise ScriptError(str(error)) from None
        try:
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.submodule_search_locations is not None:
                name = f"{name}.__main__"
                spec = importlib.util.find_spec(name)
        except (AttributeError, ImportError, TypeError, ValueError) as error:
            raise ScriptError(str(error)) from None
        if spec is None or spec.loader is None:
            msg = f"there is no module {name} to run; is the folder right?"
            raise ScriptError(msg)
        loader: Any = spec.loader
        code: CodeType | None = loader.get_code(spec.name)
        if code is None:
            msg = f"the module {name} has no Python code"
            raise ScriptError(msg)
        self._set(str(spec.origin), spec.loader, spec)
        return code

    def _set(self, file: str, loader: Any, spec: ModuleSpec | None) -> None:  # noqa: ANN401
        self._main.__file__ = file
        self._main.__loader__ = loader
        self._main.__spec__ = spec
        self._main.__package__ = getattr(spec, "parent", None)
        vars(self._main)["__builtins__"] = builtins
        vars(self._main)["__cached__"] = getattr(spec, "cached", None)
        if sys.version_info < (3, 14):
            vars(self._main)["__annotations__"] = {}


_NOT_THERE = 2


def _set_first_path(folder: str) -> None:
    """Replace the folder that Python put first for this package."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _absolute(name: str) -> str:
    """Return a path as Python writes it in tracebacks: as given, behind the folder."""
    return os.path.abspath(name) if os.name == "nt" else os.path.join(Path.cwd(), name)  # noqa: PTH100, PTH118
