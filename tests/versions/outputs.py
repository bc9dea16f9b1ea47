"""Run every script on the installed PyTorch, and write down what each printed."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from gradguide_site.running.packages import missing
from tests.site import running

EXAMPLES = Path(__file__).parents[2] / "examples"


def outputs() -> dict[str, Any]:
    """Return the version, and the exit code and the output of each script.

    Each script runs in a fork of a process that has imported PyTorch, in a folder of
    its own. A script whose packages are not installed does not run.
    """
    scripts = [
        script for script in sorted(EXAMPLES.glob("*/*.py")) if not missing(script)
    ]
    environment = running.environment(module=True) | {"OMP_NUM_THREADS": "1"}
    cores = os.cpu_count() or 1
    servers: SimpleQueue[Any] = SimpleQueue()

    def run(script: Path) -> tuple[str, tuple[int, str]]:
        server = servers.get()
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, script.name)
            copy.write_bytes(script.read_bytes())
            code, printed = server(copy)
        servers.put(server)
        name = script.relative_to(EXAMPLES).with_suffix("").as_posix()
        return name, (int(code), running.normalised(printed))

    with ExitStack() as stack, ThreadPoolExecutor(cores) as pool:
        for _ in range(cores):
            servers.put(stack.enter_context(running.server(environment)))
        printed = dict(pool.map(run, scripts))
    return {
        "torch": torch.__version__.partition("+")[0],
        "python": platform.python_version(),
        "scripts": printed,
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(outputs()), "utf-8")
