"""Run downloaded scripts and compare what they print with what their pages show.

As a program, this file is a server that has imported PyTorch: it reads the path of a
script, runs the script in a fork of itself, and prints the exit code.
"""

import os
import re
import runpy
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

SECONDS = 120
"""How long a script may run."""

SEED = 1
"""Another seed than that of the site, which is 0: readers have random ones."""


@contextmanager
def server(environment):
    """Start the server; yield a function that runs a script in its folder.

    The function returns the exit code and all that the script printed.
    """
    with subprocess.Popen(
        [sys.executable, __file__],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def run(script):
            print(script, file=process.stdin, flush=True)
            code = process.stdout.readline().strip()
            return code, script.with_suffix(".out").read_text("utf-8")

        yield run
        process.stdin.close()


def _serve():
    for name in ("matplotlib.pyplot", "torch", "torch._dynamo"):
        import_module(name)
    for line in sys.stdin:
        if not (child := os.fork()):
            _run(Path(line.strip()))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(script):
    """Run a script as ``python script.py`` does, and end the process."""
    signal.alarm(SECONDS)  # ends the process, too
    output = os.open(script.with_suffix(".out"), os.O_WRONLY | os.O_CREAT)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    os.chdir(script.parent)
    import_module("torch").manual_seed(SEED)
    sys.path[0] = str(script.parent)
    code = 0
    try:
        # What the script made is kept: a DDP that outlives its process group may wait
        # for the lock of Python forever when it is freed.
        _made = runpy.run_path(script.name, run_name="__main__")
    except BaseException:  # noqa: BLE001 (whatever it is, it is printed)
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    os._exit(code)


def environment(*, module):
    """Return what a reader has, with or without the module."""
    clean = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    source = Path(__file__).parents[2] / "src"
    settings = {"HF_HUB_OFFLINE": "1", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    return clean | settings | ({"PYTHONPATH": str(source)} if module else {})


def normalised(text):
    """Take out what differs between machines: folders, and PyTorch's build paths."""
    text = re.sub(r"(?<=Triggered internally at )\S*/(?=\w+\.\w+:\d+\.\))", "", text)
    text = re.sub(r"^\S*/(?=\w+\.py:\d+: )", "", text, flags=re.MULTILINE)
    return text.strip()


def unordered(text):
    """Return the lines: a pipe doesn't keep stderr and stdout in their order."""
    return sorted(line.rstrip() for line in text.split("\n") if line.strip())


if __name__ == "__main__":
    _serve()
