"""Run every script on the installed PyTorch, and write down what each printed."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from tests.site import running

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 180


def outputs() -> dict[str, Any]:
    """Return the version, and the exit code and the output of each script."""
    scripts = sorted(EXAMPLES.glob("*/*.py"))
    with ThreadPoolExecutor() as pool:
        printed = dict(zip(map(_name, scripts), pool.map(_run, scripts), strict=True))
    return {
        "torch": torch.__version__.partition("+")[0],
        "python": platform.python_version(),
        "scripts": printed,
    }


def _name(script: Path) -> str:
    return script.relative_to(EXAMPLES).with_suffix("").as_posix()


def _run(script: Path) -> tuple[int, str]:
    """Run a script in a folder of its own, as a reader does."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, script.name)
        copy.write_bytes(script.read_bytes())
        try:
            done = subprocess.run(
                [sys.executable, copy.name],
                cwd=folder,
                env=running.environment(module=True) | {"OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 124, f"it ran for more than {SECONDS} s"
    return done.returncode, running.normalised(done.stdout)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(outputs()), "utf-8")
