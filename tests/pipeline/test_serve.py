"""``nox -s serve`` shows the site on loopback and follows each save."""

import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from urllib.error import URLError

import pytest


@contextmanager
def serving(tiny):
    """Serve the tiny guide on a free port; yield a function that reads a page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gradguide_site", "--root", str(tiny.root), "serve"]
    with subprocess.Popen(
        [*command, "--port", str(port), "--no-browser"],
        env=tiny.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:

        def read(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
                return answer.read().decode()

        try:
            yield read
        finally:
            process.terminate()


def until(read, path, text):
    """Read a page until it holds a text; a minute at most."""
    for _ in range(120):
        try:
            if text in read(path):
                return True
        except URLError:
            pass  # it isn't up yet
        time.sleep(0.5)
    return False


@pytest.mark.parametrize(
    ("file", "old", "new", "page"),
    [
        ("docs/index.md", "Some words.", "Saved words.", "en/index.html"),
        (
            "docs/locale/zh_CN/LC_MESSAGES/index.po",
            "译文 Some words.",
            "存下来的话。",
            "zh-cn/index.html",
        ),
    ],
)
def test_a_save_is_on_the_page_a_moment_later(tiny, file, old, new, page):
    """Of either language; and the page reloads by itself."""
    tiny.build()
    with serving(tiny) as read:
        assert until(read, page, old)
        assert "livereload.js" in read(page)
        with tiny.edited(file, old, new):
            assert until(read, page, new)
    tiny.build()


def test_a_fault_leaves_the_page_that_was_there(tiny):
    """And the next save mends it."""
    tiny.build()
    script = "examples/chapter/one.py"
    page = "en/gallery/chapter/one.html"
    with serving(tiny) as read:
        assert until(read, page, "A claim.")
        with tiny.edited(script, "import torch", "import torch ("):
            time.sleep(5)
            assert "A claim." in read(page)
        with tiny.edited(script, "A claim.", "A new claim."):
            assert until(read, page, "A new claim.")
    tiny.build()
