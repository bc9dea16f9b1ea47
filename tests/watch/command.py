"""Runs programs by the command, or by Python alone, in processes of their own.

The processes are forked from one that has imported PyTorch, which takes longer than
most programs.
"""

import json
import multiprocessing
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
CONTEXT: Any = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.preloaded"])
TIMEOUT = 120


@dataclass
class Run:
    """What a program printed, and its exit code."""

    code: int
    output: str
    errors: str

    @property
    def report(self) -> dict[str, Any]:
        """The report that ``--json`` printed."""
        lines = [line for line in self.errors.splitlines() if line.startswith("{")]
        assert lines, self.errors
        found: dict[str, Any] = json.loads(lines[-1])
        return found


def written(folder: Path, code: str, name: str = "train.py") -> Path:
    """Write a script into a folder."""
    script = folder / name
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(dedent(code), encoding="utf-8")
    return script


def watch_alone(script: Path, *, timeout: int = 300) -> Run:
    """Run a script with ``python -m gradguide`` in a new process."""
    command = [sys.executable, "-m", "gradguide", "--json", str(script)]
    done = subprocess.run(
        command,
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    return Run(done.returncode, done.stdout, done.stderr)


def watch(script: Path, *arguments: str, options: tuple[str, ...] = ()) -> Run:
    """Run a script with ``python -m gradguide``."""
    return _run(_gradguide, script, ["gradguide", *options, str(script), *arguments])


def plain(script: Path, *arguments: str) -> Run:
    """Run a script as Python does, with the traceback that it prints of an error."""
    return _run(_main, script, [str(script), *arguments])


def run_code(code: str, folder: Path) -> Run:
    """Run code in a process of its own."""
    script = folder / "code.py"
    script.write_text(code, encoding="utf-8")
    return plain(script)


def command(
    folder: Path,
    *arguments: str,
    settings: dict[str, Any] | None = None,
    interrupt: bool = False,
) -> Run:
    """Run ``python -m gradguide`` in a folder, with any arguments.

    ``settings`` are attributes of modules: ``{"ending.GRACE": 0.5}``.
    """
    entry = partial(_gradguide, settings or {})
    return _run(entry, folder / "_", ["gradguide", *arguments], interrupt=interrupt)


def _run(
    entry: Any,
    script: Path,
    arguments: list[str],
    *,
    interrupt: bool = False,
) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = CONTEXT.Process(
            target=_child,
            args=(entry, arguments, str(script.parent), str(output), str(errors)),
        )
        process.start()
        while interrupt and process.is_alive():
            if output.exists() and "interrupt me" in output.read_text("utf-8"):
                os.kill(process.pid, signal.SIGINT)
                break
            time.sleep(0.01)
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            process.join()
        assert process.exitcode is not None
        printed = without_gloo(output.read_text("utf-8"))
        return Run(process.exitcode, printed, errors.read_text("utf-8"))


def without_gloo(output: str) -> str:
    """Leave out the lines that PyTorch 2.10 prints of each process of Gloo."""
    return re.sub(r".*(\[Gloo\]|peer ranks).*\n?", "", output)


def _child(
    entry: Any,
    arguments: list[str],
    folder: str,
    output: str,
    errors: str,
) -> None:
    for number, name in ((1, output), (2, errors)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = arguments
    entry()


def _main() -> None:
    file = sys.argv[0]
    sys.path.insert(0, str(Path(file).parent))
    try:
        module = sys.modules["__main__"] = ModuleType("__main__")
        module.__file__ = file
        exec(compile(Path(file).read_bytes(), file, "exec"), vars(module))  # noqa: S102
    except Exception as error:  # noqa: BLE001 as Python does it
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        sys.exit(1)


def _gradguide(settings: dict[str, Any] | None = None) -> None:
    sys.path.insert(0, "")
    for setting, value in (settings or {}).items():
        module, _, name = setting.partition(".")
        setattr(import_module(f"gradguide._watch.{module}"), name, value)
    runpy.run_module("gradguide", run_name="__main__", alter_sys=True)
