"""Runs a script or a module as Python would."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class ScriptError(Exception):
    """The script can't be run; the text says why and what to do."""


class Script:
    """A script or module that is prepared to run as ``__main__``.

    Raises:
        ScriptError: It is not there, or not Python.
        SyntaxError: It has a syntax error.
    """

    def __init__(self, name: str, arguments: list[str], *, is_module: bool) -> None:
        self._main = ModuleType("__main__")
        if is_module:
            sys.path[0] = str(Path.cwd())
            self._code = self._find_module(name)
            file = str(self._main.__file__)
        else:
            self._code, file = self._find_script(name), name
            sys.path[0] = str(Path(name).resolve().parent)
        sys.argv = [file, *arguments]

    def run(self) -> None:
        """Run the code; ``__main__`` stays that of the script."""
        sys.modules["__main__"] = self._main
        exec(self._code, vars(self._main))  # noqa: S102 the user asked for it

    def _find_script(self, name: str) -> CodeType:
        path = Path(name)
        if path.is_dir():
            msg = f"{name} is a folder; give the script in it"
            raise ScriptError(msg)
        if not path.exists():
            msg = f"there is no script {name} in {Path.cwd()}"
            if importlib.util.find_spec(name.partition(".")[0]):
                msg += f"; is it a module? Then write -m {name}"
            raise ScriptError(msg)
        loader = SourceFileLoader("__main__", name)
        file = os.path.abspath(name)  # noqa: PTH100 as Python does it
        self._set(file, loader, None)
        return _compiled(path.read_bytes(), name)

    def _find_module(self, name: str) -> CodeType:
        try:
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.submodule_search_locations is not None:
                spec = importlib.util.find_spec(f"{name}.__main__")
        except ImportError as error:
            raise ScriptError(str(error)) from None
        if spec is None or spec.loader is None:
            msg = f"there is no module {name} to run; is the folder right?"
            raise ScriptError(msg)
        code = spec.loader.get_code(spec.name)  # type: ignore[attr-defined]
        if code is None:
            msg = f"the module {name} has no Python code"
            raise ScriptError(msg)
        self._set(str(spec.origin), spec.loader, spec)
        return code

    def _set(self, file: str, loader: object, spec: object) -> None:
        self._main.__file__ = file
        self._main.__loader__ = loader
        self._main.__spec__ = spec
        self._main.__package__ = getattr(spec, "parent", None)
        vars(self._main)["__builtins__"] = __builtins__
        vars(self._main)["__cached__"] = getattr(spec, "cached", None)
        vars(self._main)["__annotations__"] = {}


def _compiled(source: bytes, name: str) -> CodeType:
    return compile(source, name, "exec", dont_inherit=True)
