"""What is wrong is said in one clear message, and the last good site stays."""

import os
import signal
import time
import uuid
from pathlib import Path

import pytest
from filelock import FileLock

from gradguide_site.__main__ import main

CATALOGUES = "docs/locale/zh_CN/LC_MESSAGES"
PO = f"{CATALOGUES}/examples/chapter/one.po"
SCRIPT = "examples/chapter/one.py"
LAST = "torch.manual_seed(1)"


@pytest.mark.parametrize(
    ("path", "old", "new", "reasons"),
    [
        (PO, 'msgid "A claim."', 'msgid "A claim.', ["one.po, line 1", "Correct the"]),
        (*(f"{CATALOGUES}/index.po", 'msgid "S', 'msgid " "S'), ["index.po, line"]),
        (PO, '"译文 A claim."', '""', ["one.po: not translated: 'A claim.'"]),
        (PO, 'msgid "A claim', '#, fuzzy\nmsgid "A claim', ["one.po: fuzzy", "nox -s"]),
        (PO, '"译文 A claim."', '"``x``"', ["one.po: markup differs from the English"]),
        (SCRIPT, "A claim.", "A guess.", ["one.po: not in the catalogue: 'A guess.'"]),
        ("docs/index.md", "Some words.", "Odd.", ["not in the catalogue: 'Odd.'"]),
    ],
)
def test_a_translation_that_cannot_be_used_is_named(tiny, path, old, new, reasons):
    """A page is complete in both languages, or nothing is published."""
    with tiny.edited(path, old, new):
        said = tiny.fail()
    assert [reason for reason in reasons if reason not in said] == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("import torch", "import torch (", f"{SCRIPT}, line 15: "),
        (LAST, "torch.set_grad_enabled(False)", "leaves the grad mode False behind"),
        (
            *(LAST, "torch.set_default_dtype(torch.float64)"),
            "leaves the default dtype torch.float64 behind",
        ),
        (LAST, "torch.set_num_threads(2)", "leaves the number of threads 2 behind"),
        (LAST, "import os; os._exit(3)", "Python crashed; is it a script's fault?"),
    ],
)
def test_a_script_that_cannot_be_used_is_named(tiny, old, new, reason):
    """Neither a fault in it nor what it leaves behind gets on the site."""
    with tiny.edited(SCRIPT, old, new):
        assert reason in tiny.fail()


def test_a_script_that_fails_is_named_with_its_line(tiny):
    """The whole error is shown, once for both languages."""
    with tiny.edited(SCRIPT, "print(float(result))", "assert not result"):
        said = tiny.fail()
    assert f'File "{SCRIPT}", line 20' in said
    assert said.count("AssertionError") == 1
    assert "last good build is unchanged" in said


def test_a_script_that_writes_outside_its_folder_is_refused(tiny):
    """The temporary folder and the script's own folder are allowed."""
    target = Path.home() / f"gradguide-{uuid.uuid4()}"
    with tiny.edited(SCRIPT, LAST, f"open({str(target)!r}, 'w')"):
        said = tiny.fail()
    assert not target.exists()
    assert f"the script writes outside its folder: {target}" in said
    allowed = "import tempfile; tempfile.TemporaryFile('w').close(); open('x', 'w')"
    with tiny.edited(SCRIPT, LAST, f"{allowed}.close()"):
        tiny.build()


def test_a_script_that_hangs_is_stopped(tiny):
    """It is named with the line that it hung on."""
    before = tiny.places()
    with tiny.edited(SCRIPT, "print(float(result))", "import time; time.sleep(600)"):
        code, said = tiny.run("build", GRADGUIDE_SCRIPT_SECONDS="3")
    assert (code, tiny.places()) == (1, before)
    assert f'File "{SCRIPT}", line 20' in said
    assert "the script ran for more than 3 s" in said


def test_a_script_that_waits_outside_python_ends_the_build(tiny):
    """Its own limit can't stop it, as Python handles no signal there."""
    before = tiny.places()
    wait = "import signal, time; signal.pthread_sigmask(0, {14}); time.sleep(600)"
    with tiny.edited(SCRIPT, "print(float(result))", wait):
        code, said = tiny.run("build", GRADGUIDE_SCRIPT_SECONDS="2")
    assert (code, tiny.places()) == (1, before)
    assert "[zh-CN] running one.py" in said
    assert "[en, zh-CN] no progress in 10 s, so the build was stopped." in said


def test_an_unlisted_script_is_refused(tiny):
    """The order of pages is that of the chapter's header."""
    with tiny.edited("examples/chapter/GALLERY_HEADER.rst", "   two\n", ""):
        assert "add 'two' to its reading order" in tiny.fail()


@pytest.fixture
def recovers(tiny):
    """After the test, the next build gives the site that was there before."""
    tiny.build()
    before = tiny.contents()
    yield
    tiny.build()
    assert tiny.contents() == before


@pytest.mark.parametrize(
    "line", ["import torch (", "raise OSError", "import os; os._exit(3)"]
)
def test_after_a_failure_the_next_build_is_whole(tiny, recovers, line):
    """It may have failed before Sphinx, in Sphinx, or together with Sphinx."""
    with tiny.edited(SCRIPT, "import torch", line):
        tiny.fail()


def test_an_interrupted_build_does_no_harm(tiny, recovers):
    """Ctrl-C ends both languages at once."""
    before = tiny.places()
    with (
        tiny.edited(SCRIPT, "import torch", "import time; time.sleep(60)"),
        tiny.start("build") as process,
    ):
        assert any("running one.py" in line for line in process.stdout)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert (process.returncode, tiny.places()) == (130, before)
    assert time.monotonic() - begun < 10
    assert "Interrupted. The last good site is unchanged." in said
    assert "Traceback" not in said


def test_a_pipe_that_closes_ends_the_build_quietly(tiny, tmp_path, recovers):
    """It is what ``nox -s docs | head -1`` does."""
    tiny.forget_runs()
    errors = tmp_path / "errors"
    with errors.open("w") as file, tiny.start("build", stderr=file) as process:
        assert process.stdout.readline()
        process.stdout.close()
    assert (process.returncode, errors.read_text()) == (1, "")


def test_no_network_is_needed(tiny, tmp_path, recovers):
    """Every script runs and every page is built where no connection can be made."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "connect = socket.socket.connect\n"
        "def refuse(self, *address):\n"
        "    if self.family != socket.AF_UNIX:\n"
        "        raise OSError('no network in this test')\n"
        "    return connect(self, *address)\n"
        "socket.socket.connect = refuse\n"
    )
    tiny.forget_runs()
    path = os.pathsep.join([str(tmp_path), tiny.environment["PYTHONPATH"]])
    code, said = tiny.run("build", PYTHONPATH=path)
    assert code == 0, said


def refused(tiny, capsys, *arguments):
    """Return what a command line says that must fail."""
    assert main(["--root", str(tiny.root), *arguments]) == 1
    return capsys.readouterr().err


def test_an_unknown_language_is_refused_with_the_choice(tiny, capsys):
    """The message lists the languages that exist."""
    said = refused(tiny, capsys, "build", "fr")
    assert "unknown language 'fr': choose one of en, zh_CN" in said


def test_a_second_build_at_the_same_time_is_refused(tiny, capsys):
    """Two builds in one folder would spoil each other."""
    with FileLock(tiny.project.built / "build.lock"):
        assert "another build is at work" in refused(tiny, capsys, "build")


@pytest.mark.parametrize("place", ["a file", "a read-only file system"])
def test_a_folder_that_cannot_be_written_is_named(tiny, capsys, place):
    """The message says what to look at."""
    built = tiny.project.built
    aside = built.rename(built.with_name("aside"))
    try:
        if place == "a file":
            built.write_text("in the way")
        else:
            built.symlink_to("/proc/self/fdinfo")  # root can't write there, either
        said = refused(tiny, capsys, "build")
    finally:
        built.unlink()
        aside.rename(built)
    assert str(built) in said
    assert "see that there is room, and that you may write there" in said
