"""Tests that the command runs a script as Python does, and reports below it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .command import command, watch, written

TRAIN = """
import sys, torch
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(8):
    loss = model(torch.ones(2, 3)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step)
"""
CUT = TRAIN.replace(".square()", ".detach().requires_grad_().square()")

SURROUNDINGS = """
    import atexit, dataclasses, os, pickle, sys, threading
    import torch, neighbour
    @dataclasses.dataclass
    class Settings:
        rate: "float" = 0.1
    count: int = 3
    def show(*values):
        print(*values, flush=True)
    def child():
        show("child", __name__, Settings(3))
    if __name__ == "__main__":
        atexit.register(show, "at exit", sys.modules["__main__"].__file__)
        show(sys.argv[1:], sys.path[0], __name__, __file__, __package__, __doc__)
        show(__spec__ and __spec__.name, type(__loader__).__name__, __builtins__)
        show(sorted(name for name in globals() if name.startswith("__")))
        show(__annotations__, sys._getframe().f_code.co_filename)
        show(pickle.loads(pickle.dumps(Settings(2))), Settings.__module__)
        show(sys.modules["__main__"].Settings is Settings, threading.active_count())
        show(sys.excepthook is sys.__excepthook__, torch.is_grad_enabled())
        for method in ("fork", "spawn"):
            context = torch.multiprocessing.get_context(method)
            process = context.Process(target=child)
            process.start()
            process.join()
            show(process.exitcode)
"""


@pytest.mark.parametrize("kind", ["script", "module", "package"])
def test_the_script_finds_all_as_under_python(kind: str, tmp_path: Path) -> None:
    """Arguments, paths, names, pickles, processes and handlers at exit are the same.

    These are two real processes, as a helper of a test would change some of it.
    """
    written(tmp_path, "print('neighbour')", "neighbour.py")
    written(tmp_path, "print('package', __name__)", "package/__init__.py")
    inside = SURROUNDINGS.replace("neighbour", "neighbour\n    from . import other", 1)
    written(tmp_path, "print('other')", "package/other.py")
    name = {"script": "sub/../train.py", "module": "train", "package": "__main__"}[kind]
    if kind == "script":
        (tmp_path / "sub").mkdir()
        written(tmp_path, SURROUNDINGS)
        arguments = [name, "-m", "--steps", "2"]
    else:
        written(tmp_path, inside, f"package/{name}.py")
        module = "package" if kind == "package" else "package.train"
        arguments = ["-m", module, "--json", "-m"]
    alone = _really(tmp_path, *arguments)
    watched = _really(tmp_path, "-m", "gradguide", *arguments)
    assert watched.stdout == alone.stdout
    # multiprocessing finds no classes of a package's __main__.py in a spawned process.
    assert (alone.stderr == "") is (kind != "package")
    assert watched.stderr.removeprefix(alone.stderr) == (
        "\ngradguide: 0 of 0 parameters train\nThe script ended without a backward in "
        "its first process; use gradguide.watch() in the function that another one "
        "runs.\nNo problems.\n"
    )
    assert alone.returncode == watched.returncode == 0


def _really(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    source = Path(__file__).parents[2] / "src"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_watches_three_iterations_and_stops_thewritten(tmp_path: Path) -> None:
    """The report is printed to stderr only, and the exit code is 0."""
    told = watch(written(tmp_path, TRAIN))
    assert told.output == "0\n1\n"
    assert told.code == 0
    assert told.errors == (
        "\ngradguide: 2 of 2 parameters train\ntrains  *  4\n"
        "Watched 3 backwards, 3 steps.\n"
        "What goes wrong in a later iteration is seen with --steps N.\nNo problems.\n"
    )


def test_problems_make_the_exit_code_one(tmp_path: Path) -> None:
    """This holds with --go-on, too, with which the script runs to its end."""
    script = written(tmp_path, CUT)
    told = watch(script, options=("--steps", "5"))
    assert (told.code, told.output) == (1, "0\n1\n2\n3\n")
    assert "detach() at train.py:6" in told.errors
    assert "Watched 5 backwards, 5 steps." in told.errors
    assert told.errors.splitlines()[-1].startswith("3 problems: ")
    told = watch(script, options=("--go-on", "--steps=1"))
    assert (told.code, told.output) == (1, "".join(f"{i}\n" for i in range(8)))
    assert "Watched 1 backward, 1 step." in told.errors


def test_an_exit_code_of_the_script_is_kept(tmp_path: Path) -> None:
    """An exit without one counts as the end of the script."""
    for end, code in (("", 1), ("0", 1), ("7", 7), ("'no data'", 1)):
        script = written(tmp_path, CUT.replace("8", "2") + f"sys.exit({end})")
        told = watch(script)
        assert told.code == code
        assert "3 problems: " in told.errors
        assert told.errors.startswith("no data\n\ngradguide: " if "n" in end else "\n")


def test_json_is_one_line(tmp_path: Path) -> None:
    """It has the rows, which of them are problems, and the notes."""
    told = watch(written(tmp_path, CUT), options=("--json",))
    (line,) = told.errors.splitlines()
    report = json.loads(line)
    assert report["problems"] == sum(row["is_problem"] for row in report["rows"]) > 0
    assert set(report["rows"][0]) == {
        *("name", "verdict", "why", "where", "numel", "kind", "is_problem"),
    }
    assert report["notes"] == ["Watched 3 backwards, 3 steps."]


def test_help_says_what_it_does(tmp_path: Path) -> None:
    """A stranger reads how to call it, what happens, and the exit codes."""
    told = command(tmp_path, "--help")
    assert told.code == 0
    text = " ".join(told.output.split())
    for words in (
        "python -m gradguide [--steps N] [--go-on] [--json] train.py [ARG ...]",
        "-m package.module [ARG ...]",
        "which parameters do not train, why, and at which line",
        "report is printed to stderr, and the script is stopped",
        "Exit code: 0 without a problem, 1 with problems",
        "torchrun --nproc-per-node 2 -m gradguide train.py",
    ):
        assert words in text


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """The place of a cut is relative to the folder of the script."""
    written(tmp_path, "def cut(x):\n    return x.detach()", "one/utils.py")
    written(tmp_path, "def cut(x):\n    return x.data", "two/utils.py")
    code = TRAIN.replace("import sys", "import one.utils, two.utils")
    code = code.replace("model(", "part(", 2).replace("part(torch", "whole(torch")
    code = code.replace("part(", "model(").replace(
        "optimizer =",
        "def whole(x):\n    return one.utils.cut(first(x)) + two.utils.cut(second(x))"
        " + model(x)\nfirst, second = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)\n"
        "optimizer =",
    )
    code = code.replace(
        "model.parameters()",
        "[*first.parameters(), *second.parameters(), *model.parameters()]",
    )
    told = watch(written(tmp_path, code, "train.py"), options=("--json",))
    places = {row["name"]: row["where"] for row in told.report["rows"]}
    assert places["first.weight"] == "one/utils.py:2"
    assert places["second.weight"] == "two/utils.py:2"
