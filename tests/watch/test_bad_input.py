"""Tests what the command says of scripts that can't be run, or do not train."""

import time
from pathlib import Path
from textwrap import dedent

import pytest

from .command import command, watch

STEPS = """
import sys, torch
torch.set_num_threads(1)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def step():
    optimizer.zero_grad()
    model(torch.ones(2, 3)).square().mean().backward()
    optimizer.step()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with some files that can't be run."""
    files = {
        "wrong.py": "import torch\nx = = 3\n",
        "bytes.py": "x = '\0'",
        "latin.py": "x = 'caf\xe9'",
        "train.py": "print('ran')",
        "empty/__init__.py": "",
        "broken/__init__.py": "import nowhere",
        "broken/train.py": "",
        "leaves/__init__.py": "import sys; sys.exit('no')",
        "leaves/train.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="latin-1")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("", 2, "error: give the script: train.py"),
        ("-m", 2, "error: give the module: -m package.module"),
        ("--steps 0 train.py", 2, "expected a whole number from 1 on, got '0'"),
        ("--steps many train.py", 2, "expected a whole number from 1 on, got 'many'"),
        ("--step 1 train.py", 2, "error: unrecognized arguments: --step"),
        ("--fast train.py", 2, "error: unrecognized arguments: --fast"),
        ("nowhere.py", 2, "gradguide: there is no script nowhere.py in {folder}"),
        ("train.py/x", 2, "gradguide: there is no script train.py/x in {folder}"),
        ("train", 2, "in {folder}; is it a module? Then write -m train"),
        (f"{'x' * 999}.py", 2, "x.py can't be read: File name too long"),
        ("empty", 1, "gradguide: empty is a folder; give the script in it"),
        ("-m nowhere", 1, "gradguide: there is no module nowhere to run; "),
        ("-m nowhere.train", 1, "gradguide: No module named 'nowhere'"),
        ("-m empty", 1, "gradguide: there is no module empty.__main__ to run; "),
        ("-m empty.x", 1, "gradguide: there is no module empty.x to run; "),
        (
            "-m train.py",
            1,
            "gradguide: train.py is a script, not a module; leave -m out",
        ),
        ("-m .train", 1, "gradguide: "),
        ("-m leaves.train", 1, "no"),
    ],
)
def test_one_message_says_what_is_wrong(
    arguments: str, code: int, message: str, folder: Path
) -> None:
    """It is one line, beside how to call the command; the exit code is Python's."""
    told = command(folder, *arguments.split())
    assert told.code == code, told.errors
    *usage, line = told.errors.splitlines()
    assert message.format(folder=folder) in line
    assert not usage or usage[0].startswith("usage: python -m gradguide")
    assert told.output == ""


def test_errors_of_files_are_those_of_python(folder: Path) -> None:
    """The file with the error is named."""
    told = command(folder, "wrong.py")
    assert told.code == 1
    file = folder / "wrong.py"
    where = f'  File "{file}", line 2\n    x = = 3\n        ^\n'
    assert told.errors == f"{where}SyntaxError: invalid syntax\n"
    told = command(folder, "latin.py")
    assert (told.code, "SyntaxError: " in told.errors) == (1, True), told.errors
    told = command(folder, "bytes.py")
    assert (told.code, "null bytes" in told.errors) == (1, True), told.errors
    told = command(folder, "-m", "broken.train")
    assert told.code == 1
    assert told.errors == (
        f'Traceback (most recent call last):\n  File "{folder}/broken/__init__.py", '
        "line 1, in <module>\n    import nowhere\n"
        "ModuleNotFoundError: No module named 'nowhere'\n"
    )


def _script(folder: Path, code: str) -> Path:
    script = folder / "train.py"
    script.write_text(STEPS + dedent(code), encoding="utf-8")
    return script


def test_a_script_that_never_trains(tmp_path: Path) -> None:
    """The report says so, and it is no problem."""
    told = watch(_script(tmp_path, "model(torch.ones(3))"))
    assert told.code == 0
    assert "2 unknown" in told.errors
    assert (
        "The script ended without a backward, after 1 forward.\nNo problems.\n"
        in told.errors
    )


def test_a_script_that_trains_in_a_thread(tmp_path: Path) -> None:
    """The report says that it does not see threads."""
    code = """
        import threading
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
        """
    told = watch(_script(tmp_path, code))
    assert told.code == 0
    assert "in its main thread; other threads are not watched." in told.errors


def test_waiting_is_told(tmp_path: Path) -> None:
    """This is until the first backward, and in each interval."""
    _script(tmp_path, "import time\ntime.sleep(1)\nfor _ in range(4): step()")
    told = command(tmp_path, "train.py", settings={"command.WAIT": 0.4})
    first, second, *_ = told.errors.splitlines()
    assert first == "gradguide: no backward after 1 minute; waiting"
    assert second == "gradguide: no backward after 2 minutes; waiting"
    assert told.code == 0


def test_ctrl_c(tmp_path: Path) -> None:
    """The traceback and the exit code are those of Python, the report is below."""
    code = "import time\nstep()\nprint('interrupt me', flush=True)\ntime.sleep(60)"
    script = _script(tmp_path, code)
    told = command(tmp_path, "train.py", interrupt=True)
    assert told.code == 130
    line = len((STEPS + code).splitlines())
    assert told.errors.startswith(
        f'Traceback (most recent call last):\n  File "{script}", line {line}, in '
        "<module>\n    time.sleep(60)\nKeyboardInterrupt\n\ngradguide: 2 of 2"
    )


@pytest.mark.parametrize("caught", ["", " BaseException"])
def test_a_script_that_catches_everything_is_ended(caught: str, tmp_path: Path) -> None:
    """The exception that stops it is raised again; then the process ends."""
    code = f"""
        for i in range(9):
            try:
                step()
            except{caught}:
                print("caught", i)
        print("end")
        """
    told = watch(_script(tmp_path, code))
    assert told.code == 0
    assert told.output == "caught 2\ncaught 3\ncaught 4\n"
    *report, line = told.errors.splitlines()
    assert "No problems." in report
    assert line == ("gradguide: the script catches the exception that stops it; ended")
    assert watch(_script(tmp_path, code), options=("--go-on",)).output == "end\n"


def test_a_script_whose_threads_and_processes_go_on_is_ended(tmp_path: Path) -> None:
    """They have some time to end by themselves."""
    code = """
        import os, threading, time
        process = torch.multiprocessing.get_context("fork").Process(
            target=time.sleep, args=(600,)
        )
        process.start()
        print(process.pid, flush=True)
        threading.Thread(target=time.sleep, args=(600,)).start()
        while True:
            step()
        """
    _script(tmp_path, code)
    told = command(tmp_path, "train.py", settings={"ending.GRACE": 0.5})
    assert told.code == 0
    assert told.errors.endswith("threads or processes of the script go on; ended\n")
    state = Path("/proc", told.output.strip(), "stat")
    for _ in range(100):  # a process that was told to end needs a moment
        if not state.exists() or ") Z " in state.read_text("utf-8"):
            break
        time.sleep(0.05)
    assert not state.exists() or ") Z " in state.read_text("utf-8")


def test_other_processes_are_left_alone(tmp_path: Path) -> None:
    """Children do not report, and are not stopped; the first process is watched."""
    code = """
        import os
        if not os.fork():
            for i in range(5):
                step()
            print("child", i, flush=True)
            sys.exit(5)
        print("code", os.waitstatus_to_exitcode(os.wait()[1]))
        process = torch.multiprocessing.get_context("fork").Process(target=step)
        process.start()
        process.join()
        print("code", process.exitcode)
        data = torch.arange(12.).reshape(4, 3)
        loader = torch.utils.data.DataLoader(
            data, num_workers=2, multiprocessing_context="fork", collate_fn=sum
        )
        for x in loader:
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()
        """
    told = watch(_script(tmp_path, code))
    assert told.output == "child 4\ncode 5\ncode 0\n"
    assert told.errors.count("gradguide: ") == 1
    assert "2 of 2 parameters train" in told.errors
    assert "Watched 3 backwards, 3 steps." in told.errors
    assert told.code == 0


def test_a_closed_output_costs_nothing(tmp_path: Path) -> None:
    """A script may close or replace its streams."""
    code = "sys.stdout.close()\nsys.stderr = None\nfor i in range(9): step()\n"
    told = watch(_script(tmp_path, code), options=("--go-on",))
    assert (told.code, told.output) == (0, "")
