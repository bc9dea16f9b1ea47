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


@pytest.fixture
def recovers(tiny):
    """After the test, the next build gives the site that was there before."""
    tiny.build()
    before = tiny.contents()
    yield
    tiny.build()
    assert tiny.contents() == before


def command(tiny, capsys, *arguments):
    """Run a command line that must fail in this process; return what it says."""
    before = tiny.places()
    assert main(["--root", str(tiny.root), *arguments]) == 1
    assert tiny.places() == before
    return capsys.readouterr().err


# Translations


def test_a_malformed_catalogue_is_named_with_its_line(tiny, recovers):
    """So a translator finds the missing quote."""
    with tiny.edited(PO, 'msgid "A claim."', 'msgid "A claim.'):
        said = tiny.fail()
    assert "one.po, line 1" in said
    assert "Correct the catalogue" in said


def test_a_malformed_catalogue_of_a_page_is_named_too(tiny):
    """Sphinx alone would not name the file."""
    with tiny.edited(f"{CATALOGUES}/index.po", 'msgid "Some words."', "msgid"):
        assert "index.po" in tiny.fail()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"译文 A claim."', '""', "not translated: 'A claim.'"),
        ('msgid "A claim."', '#, fuzzy\nmsgid "A claim."', "fuzzy"),
        ('msgid "A claim."', 'msgid "A guess."', "not in the catalogue: 'A claim.'"),
        ('"译文 A claim."', '"译文 ``claim``"', "markup differs from the English"),
    ],
)
def test_a_translation_that_cannot_be_used_is_named(tiny, old, new, reason):
    """A page is complete in both languages, or nothing is published."""
    with tiny.edited(PO, old, new):
        said = tiny.fail()
    assert f"one.po: {reason}" in said
    assert "nox -s translate" in said


def test_markup_that_the_translation_has_lost_is_refused(tiny):
    """It is named as it stands in the English."""
    with tiny.edited(SCRIPT, "A claim.", "A ``claim``."):
        tiny.translate()
        with tiny.edited(PO, "#, fuzzy\n", ""):
            said = tiny.fail()
    tiny.fill_in()
    assert "one.po: markup differs from the English (lost ``claim``" in said


def test_a_missing_translation_of_a_page_is_named(tiny, recovers):
    """Pages that are written by hand have to be complete, too."""
    with tiny.edited("docs/index.md", "Some words.", "Other words."):
        assert "not in the catalogue: 'Other words.'" in tiny.fail()


# Scripts


def test_a_script_with_a_syntax_error_is_named_with_its_line(tiny):
    """The error comes before anything runs."""
    with tiny.edited(SCRIPT, "import torch", "import torch ("):
        said = tiny.fail()
    assert f"{SCRIPT}, line 15: " in said
    assert "Traceback" not in said


def test_a_script_that_fails_is_named_with_its_line(tiny, recovers):
    """The whole error is shown, once for both languages."""
    with tiny.edited(SCRIPT, "print(float(result))", "assert not result"):
        said = tiny.fail()
    assert f'File "{SCRIPT}", line 20' in said
    assert said.count("AssertionError") == 1
    assert "last good build is unchanged" in said


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("torch.set_grad_enabled(False)", "the grad mode False"),
        ("torch.set_default_dtype(torch.float64)", "the default dtype torch.float64"),
        ("torch.set_num_threads(2)", "the number of threads 2"),
    ],
)
def test_a_script_that_leaves_its_state_behind_is_refused(tiny, code, left):
    """A reader would take it over into the next cell of their own."""
    with tiny.edited(SCRIPT, "torch.manual_seed(1)", f"_ = {code}"):
        assert f"one.py leaves {left} behind" in tiny.fail()


def test_a_script_that_writes_outside_its_folder_is_refused(tiny):
    """The temporary folder and the script's own folder are allowed."""
    target = Path.home() / f"gradguide-{uuid.uuid4()}"
    write = f"import pathlib; pathlib.Path({str(target)!r}).write_text('x')"
    with tiny.edited(SCRIPT, "torch.manual_seed(1)", write):
        said = tiny.fail()
    assert not target.exists()
    assert f"the script writes outside its folder: {target}" in said
    allowed = (
        "import tempfile; tempfile.TemporaryFile('w').close(); open('x', 'w').close()"
    )
    with tiny.edited(SCRIPT, "torch.manual_seed(1)", allowed):
        tiny.build()


def test_a_script_that_ends_the_process_is_reported(tiny, recovers):
    """The build does not wait for it."""
    with tiny.edited(SCRIPT, "torch.manual_seed(1)", "import os; os._exit(3)"):
        assert "Python crashed; is it a script's fault?" in tiny.fail()


def test_a_script_that_hangs_is_stopped(tiny):
    """It is named with the line that it hung on."""
    limit = tiny.environment | {"GRADGUIDE_SCRIPT_SECONDS": "3"}
    before = tiny.places()
    with tiny.edited(SCRIPT, "print(float(result))", "import time; time.sleep(600)"):
        code, said = tiny.run("build", env=limit)
    assert code == 1
    assert tiny.places() == before
    assert f'File "{SCRIPT}", line 20' in said
    assert "the script ran for more than 3 s" in said


def test_an_unlisted_script_is_refused(tiny):
    """The order of pages is that of the chapter's header."""
    with tiny.edited("examples/chapter/GALLERY_HEADER.rst", "   two\n", ""):
        assert "add 'two' to its reading order" in tiny.fail()


# The command line


def test_an_unknown_language_is_refused_with_the_choice(tiny, capsys):
    """The message lists the languages that exist."""
    said = command(tiny, capsys, "build", "fr")
    assert "unknown language 'fr': choose one of en, zh_CN" in said


def test_a_second_build_at_the_same_time_is_refused(tiny, capsys):
    """Two builds in one folder would spoil each other."""
    with FileLock(tiny.project.built / "build.lock"):
        assert "another build is at work" in command(tiny, capsys, "build")


@pytest.mark.parametrize("place", ["a file", "a read-only file system"])
def test_a_folder_that_cannot_be_written_is_named(tiny, capsys, place):
    """The message says what to look at."""
    built = tiny.project.built
    aside = built.with_name("aside")
    built.rename(aside)
    try:
        if place == "a file":
            built.write_text("in the way")
        else:
            built.symlink_to("/proc/self/fdinfo")  # root can't write there, either
        assert main(["--root", str(tiny.root), "build"]) == 1
    finally:
        built.unlink()
        aside.rename(built)
    said = capsys.readouterr().err
    assert str(built) in said
    assert "see that there is room, and that you may write there" in said


def test_an_interrupted_build_does_no_harm(tiny, recovers):
    """Ctrl-C ends both languages at once."""
    before = tiny.places()
    with (
        tiny.edited(SCRIPT, "import torch", "import time; time.sleep(60)"),
        # A shell that starts the tests in the background lets them ignore Ctrl-C.
        tiny.start(
            "build", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        ) as process,
    ):
        assert any("running one.py" in line for line in process.stdout)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert process.returncode == 130
    assert time.monotonic() - begun < 10
    assert "Interrupted. The last good site is unchanged." in said
    assert "Traceback" not in said
    assert tiny.places() == before


def test_a_pipe_that_closes_ends_the_build_quietly(tiny, tmp_path, recovers):
    """As in ``nox -s docs | head -1``."""
    errors = tmp_path / "errors"
    tiny.forget_runs()
    with (
        errors.open("w") as stderr,
        tiny.start("build", stderr=stderr) as process,
    ):
        assert process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 1
    assert errors.read_text() == ""


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
    path = os.pathsep.join([str(tmp_path), tiny.environment["PYTHONPATH"]])
    tiny.forget_runs()
    code, said = tiny.run("build", env=tiny.environment | {"PYTHONPATH": path})
    assert code == 0, said
