"""Runs programs by the command, or by Python alone, in processes of their own.

The processes are forked from one that has imported PyTorch, which takes longer than
most programs.
"""

import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
CONTEXT: Any = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["torch", "torch._dynamo", "torch.optim"])
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


def run(script: Path, *arguments: str) -> Run:
    """Run a script with Python."""
    return _run(_python, script, [str(script), *arguments])


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


def _run(entry: Any, script: Path, arguments: list[str]) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = CONTEXT.Process(
            target=_child,
            args=(entry, arguments, str(script.parent), str(output), str(errors)),
        )
        process.start()
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            process.join()
        assert process.exitcode is not None
        return Run(
            process.exitcode, output.read_text("utf-8"), errors.read_text("utf-8")
        )


def _child(
    entry: Any,  # a function
    arguments: list[str],
    folder: str,
    output: str,
    errors: str,
) -> None:
    for number, name in ((1, output), (2, errors)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    os.chdir(folder)
    sys.argv = arguments
    entry()


def _python() -> None:
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


def _gradguide() -> None:
    sys.path.insert(0, "")
    runpy.run_module("gradguide", run_name="__main__", alter_sys=True)
