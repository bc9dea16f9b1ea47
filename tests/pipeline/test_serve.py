"""``nox -s serve`` shows the site on loopback and follows each save."""

import signal
import socket
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest


class Server:
    """A running server, and what it has printed."""

    def __init__(self, port, log):
        self.port = port
        self.log = log

    def read(self, path):
        """Return a page; nothing before the server is up."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/{path}") as answer:
                return answer.read().decode()
        except URLError:
            return ""

    def shows(self, path, text):
        """Wait until a page holds a text, for two minutes at most."""
        return _wait(lambda: text in self.read(path))

    def says(self, text):
        """Wait until the server has printed a text."""
        return _wait(lambda: text in self.log.read_text("utf-8"))


def _wait(condition):
    for _ in range(480):
        if condition():
            return True
        time.sleep(0.25)
    return False


@pytest.fixture(scope="module")
def server(tiny, tmp_path_factory):
    """A server of the tiny guide on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = ("serve", "--port", str(port), "--no-browser")
    with (
        log.open("w") as file,
        tiny.start(*command, stdout=file, PYTHONUNBUFFERED="1") as process,
    ):
        running = Server(port, log)
        try:
            assert running.shows("en/index.html", "Some words."), log.read_text("utf-8")
            yield running
        finally:
            process.send_signal(signal.SIGINT)


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
def test_a_save_is_on_the_page_a_moment_later(server, tiny, file, old, new, page):
    """The browser reloads the page by itself."""
    assert server.shows(page, old)
    assert "livereload.js" in server.read(page)
    with tiny.edited(file, old, new):
        assert server.shows(page, new)


def test_a_fault_leaves_the_page_that_was_there(server, tiny):
    """The next save that is right replaces it."""
    script, page = "examples/chapter/one.py", "en/gallery/chapter/one.html"
    assert server.shows(page, "A claim.")
    with tiny.edited(script, "import torch", "import torch ("):
        assert server.says("Save a correction; the page shows the last good site.")
        assert "A claim." in server.read(page)
    with tiny.edited(script, "A claim.", "A new claim."):
        assert server.shows(page, "A new claim.")
    assert server.shows(page, "A claim.")
