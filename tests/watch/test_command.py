"""Tests that the command runs a script as Python does, and reports below it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from .command import command, plain, watch

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

ERRORS = {
    "at the top": "import torch\n1 / 0",
    "in a function": """
        import torch
        def outer(x):
            return inner(x)
        def inner(x):
            return torch.ones(3) @ x
        outer(torch.ones(2))
        """,
    "in a forward": """
        import torch
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1))
            def forward(self, x):
                return self.layers(x)
        Net()(torch.ones(2, 4))
        """,
    "in a forward with a hook of its own": """
        import torch
        layer = torch.nn.Linear(3, 2)
        layer.register_forward_hook(lambda *_: None)
        layer(torch.ones(4))
        """,
    "in a loss inside of a closure": """
        import torch
        model = torch.nn.Linear(3, 2)
        def closure():
            rows = model(torch.ones(2, 3))
            return torch.nn.functional.cross_entropy(rows, torch.tensor([0, 5]))
        torch.optim.SGD(model.parameters(), lr=0.1).step(closure)
        """,
    "in a backward": """
        import torch
        model = torch.nn.Linear(3, 2)
        model(torch.ones(2, 3)).detach().sum().backward()
        """,
    "chained": """
        import torch
        class Fails(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, grad):
                raise KeyError("oops")
        weight = torch.nn.Parameter(torch.ones(3))
        try:
            Fails.apply(weight).sum().backward()
        except KeyError as error:
            raise ValueError("chained") from error
        """,
    "in a group": """
        import torch
        errors = []
        for shape in (4, 5):
            try:
                torch.nn.Linear(3, 2)(torch.ones(shape))
            except RuntimeError as error:
                errors.append(error)
        raise ExceptionGroup("two", errors)
        """,
    "with a hook of its own": """
        import sys, torch
        sys.excepthook = lambda kind, error, trace: print("mine", kind, error)
        raise RuntimeError("oops")
        """,
    "of syntax": "import torch\nx = = 3",
    "of syntax in an import": "import torch\nimport wrong",
}


def _script(folder: Path, code: str, name: str = "train.py") -> Path:
    script = folder / name
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(dedent(code), encoding="utf-8")
    return script


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
def test_a_traceback_is_what_it_always_is(code: str, tmp_path: Path) -> None:
    """It is the same as without the command, and the report stands below it."""
    script = _script(tmp_path, code)
    _script(tmp_path, "def f(:", "wrong.py")
    alone, watched = plain(script), watch(script)
    assert alone.code == watched.code == 1
    assert watched.output == alone.output
    assert watched.errors.startswith(alone.errors), watched.errors + alone.errors
    report = watched.errors.removeprefix(alone.errors)
    assert report.startswith("\ngradguide: ") or "= =" in code


def test_a_failed_hook_for_errors_is_told_as_by_python(tmp_path: Path) -> None:
    """Both tracebacks are printed, and then the report."""
    code = "import sys\nsys.excepthook = lambda *_: 1 / 0\nraise KeyError(3)"
    errors = watch(_script(tmp_path, code)).errors
    first, second = errors.split("\nOriginal exception was:\n")
    assert first.startswith("Error in sys.excepthook:\nTraceback")
    assert "ZeroDivisionError" in first
    assert "KeyError: 3\n\ngradguide: " in second


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
    _script(tmp_path, "print('neighbour')", "neighbour.py")
    _script(tmp_path, "print('package', __name__)", "package/__init__.py")
    inside = SURROUNDINGS.replace("neighbour", "neighbour\n    from . import other", 1)
    _script(tmp_path, "print('other')", "package/other.py")
    name = {"script": "sub/../train.py", "module": "train", "package": "__main__"}[kind]
    if kind == "script":
        (tmp_path / "sub").mkdir()
        _script(tmp_path, SURROUNDINGS)
        arguments = [name, "-m", "--steps", "2"]
    else:
        _script(tmp_path, inside, f"package/{name}.py")
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


def test_it_watches_three_iterations_and_stops_the_script(tmp_path: Path) -> None:
    """The report is printed to stderr only, and the exit code is 0."""
    told = watch(_script(tmp_path, TRAIN))
    assert told.output == "0\n1\n"
    assert told.code == 0
    assert told.errors == (
        "\ngradguide: 2 of 2 parameters train\ntrains  *  4\n"
        "Watched 3 backwards, 3 steps.\nNo problems.\n"
    )


def test_problems_make_the_exit_code_one(tmp_path: Path) -> None:
    """This holds with --go-on, too, with which the script runs to its end."""
    script = _script(tmp_path, CUT)
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
        script = _script(tmp_path, CUT.replace("8", "2") + f"sys.exit({end})")
        told = watch(script)
        assert told.code == code
        assert "3 problems: " in told.errors
        assert told.errors.startswith("no data\n\ngradguide: " if "n" in end else "\n")


def test_json_is_one_line(tmp_path: Path) -> None:
    """It has the rows, which of them are problems, and the notes."""
    told = watch(_script(tmp_path, CUT), options=("--json",))
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
    _script(tmp_path, "def cut(x):\n    return x.detach()", "one/utils.py")
    _script(tmp_path, "def cut(x):\n    return x.data", "two/utils.py")
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
    told = watch(_script(tmp_path, code, "train.py"), options=("--json",))
    places = {row["name"]: row["where"] for row in told.report["rows"]}
    assert places["first.weight"] == "one/utils.py:2"
    assert places["second.weight"] == "two/utils.py:2"
