"""What is wrong is said in one clear message, and the next run works."""

import signal
import subprocess
import sys
import time

import pytest

PO = "docs/locale/zh_CN/LC_MESSAGES/examples/chapter/one.po"
SCRIPT = "examples/chapter/one.py"


@pytest.fixture(autouse=True)
def last_good_site(tiny):
    """Whatever fails, the site of the last good build stays, and the next works."""
    tiny.build()
    before = tiny.contents()
    yield
    assert tiny.contents() == before
    tiny.build()
    assert tiny.contents() == before


def test_a_malformed_catalogue_is_named_with_its_line(tiny):
    """So that a translator finds the missing quote."""
    with tiny.edited(PO, 'msgid "A claim."', 'msgid "A claim.'):
        said = tiny.fail("build")
    assert "one.po, line 1" in said
    assert "Correct the catalogue" in said


def test_a_malformed_catalogue_of_a_page_is_named_too(tiny):
    """Sphinx alone would say less."""
    with tiny.edited(
        "docs/locale/zh_CN/LC_MESSAGES/index.po", 'msgid "Some words."', "msgid"
    ):
        assert "index.po" in tiny.fail("build")


def test_a_translation_that_loses_markup_is_refused(tiny):
    """A literal, a role or a link of the English has to be in the Chinese."""
    with tiny.edited(SCRIPT, "A claim.", "A ``claim``."):
        tiny.run("translate")
        with tiny.edited(PO, "#, fuzzy\n", ""):
            said = tiny.fail("build")
        tiny.translate()
    assert "one.po: markup differs from the English (lost ``claim``" in said
    assert "nox -s translate" in said
    tiny.translate()


def test_a_missing_translation_is_named(tiny):
    """A page is complete in both languages, or it isn't published."""
    with tiny.edited(SCRIPT, "A claim.", "Another matter."):
        said = tiny.fail("build")
    assert "one.po: not in the catalogue: 'Another matter.'" in said
    assert "nox -s translate" in said


def test_a_missing_translation_of_a_page_is_named(tiny):
    """Hand-written pages are held to the same."""
    with tiny.edited("docs/index.md", "Some words.", "Other words."):
        assert "not in the catalogue: 'Other words.'" in tiny.fail("build")


def test_a_script_with_a_syntax_error_is_named_with_its_line(tiny):
    """Before anything is run."""
    with tiny.edited(SCRIPT, "import torch", "import torch ("):
        said = tiny.fail("build")
    assert f"{SCRIPT}, line 15: " in said
    assert "Traceback" not in said


def test_a_script_that_fails_is_named_with_its_line(tiny):
    """Once for both languages, and with the error whole."""
    with tiny.edited(SCRIPT, "print(float(result))", "assert not result"):
        said = tiny.fail("build")
    assert f'File "{SCRIPT}", line 20' in said
    assert said.count("AssertionError") == 1
    assert "last good build is unchanged" in said


def test_an_unknown_language_is_refused_with_the_choice(tiny):
    """The message lists what there is."""
    assert "unknown language 'fr': choose one of en, zh_CN" in tiny.fail("build", "fr")


def test_an_unlisted_script_is_refused(tiny):
    """The order of pages is that of the chapter's header."""
    with tiny.edited("examples/chapter/GALLERY_HEADER.rst", "   two\n", ""):
        assert "add 'two' to its reading order" in tiny.fail("build")


def test_an_interrupted_build_is_no_harm(tiny):
    """Ctrl-C ends both languages; the next build begins where it has to."""
    with tiny.edited(SCRIPT, "import torch", "import time; time.sleep(60)"):
        with subprocess.Popen(
            [sys.executable, "-m", "gradguide_site", "--root", str(tiny.root), "build"],
            env=tiny.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell that starts the tests in the background lets them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        ) as process:
            for line in process.stdout:
                if "script 1 of 1" in line:
                    break
            time.sleep(0.5)
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = process.stdout.read()
        assert process.returncode == 130
        assert time.monotonic() - begun < 10
    assert "Interrupted. The last good site is unchanged." in said
    assert "Traceback" not in said


def test_a_second_build_at_the_same_time_is_refused(tiny):
    """Two builds in one folder would spoil each other's."""
    from filelock import FileLock

    with FileLock(tiny.project.built / "build.lock"):
        assert "another build is at work" in tiny.fail("build")


@pytest.mark.parametrize("place", ["a file", "a read-only file system"])
def test_a_folder_that_cannot_be_written_is_named(tiny, place):
    """The message says which path, and what to see to."""
    built = tiny.project.built
    aside = built.with_name("aside")
    built.rename(aside)
    try:
        if place == "a file":
            built.write_text("in the way")
        else:
            built.symlink_to(
                "/proc/self/fdinfo"
            )  # nobody can write there, root neither
        said = tiny.fail("build")
    finally:
        built.unlink()
        aside.rename(built)
    assert str(built) in said
    assert "see that there is room, and that you may write there" in said


def test_no_network_is_needed(tiny):
    """The build works when every connection is refused."""
    guard = tiny.root / "docs/sitecustomize.py"
    guard.write_text(
        "import socket\n"
        "def refuse(*_):\n"
        "    raise OSError('no network in this test')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
    )
    try:
        for made in tiny.project.built.rglob("*.py.md5"):
            made.unlink()
        tiny.build()
    finally:
        guard.unlink()
    tiny.build()
