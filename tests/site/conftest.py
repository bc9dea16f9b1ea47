"""The finished site, a server that shows it, and a real browser to read it."""

import functools
import http.server
import shutil
import threading
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

from gradguide_site.project import LANGUAGES, Project
from gradguide_site.publish.inspection import Page as FinishedPage


class Page(FinishedPage):
    """A finished page, with a soup to look for anything in it."""

    def __init__(self, path):
        super().__init__(path)
        self.soup = BeautifulSoup(path.read_bytes(), "lxml")


PROJECT = Project(Path(__file__).parents[2])
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--no-sandbox",  # the tests may run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",  # emulating one takes time
    "--disable-sync",
)


def language_pages():
    """Return every page of the site, as language and path."""
    return [
        (language, path.relative_to(PROJECT.site / language.url).as_posix())
        for language in LANGUAGES
        for path in sorted((PROJECT.site / language.url).rglob("*.html"))
        if "_static" not in path.parts
    ]


def pytest_generate_tests(metafunc):
    """Give ``page_of`` each page of the site in turn."""
    if {"language", "name"} <= set(metafunc.fixturenames):
        found = language_pages()
        assert found, f"there is no site in {PROJECT.site}: run `nox -s docs` first"
        metafunc.parametrize(
            ("language", "name"),
            found,
            ids=[f"{language.url}/{name}" for language, name in found],
        )


@pytest.fixture(scope="session")
def site():
    """The folder of the finished site."""
    assert (PROJECT.site / "index.html").exists(), "run `nox -s docs` first"
    return PROJECT.site


@pytest.fixture
def page_of(site):
    """Read a finished page; the last one again if it is asked for again."""
    return lambda language, name: _read(site / language.url / name)


@functools.lru_cache(maxsize=1)
def _read(path):
    return Page(path)


@pytest.fixture(scope="session")
def server(site):
    """The address of a server on loopback that shows the site below a base path."""
    handler = functools.partial(_Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/a/base/path/"
        running.shutdown()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path):
        return super().translate_path(path.removeprefix("/a/base/path"))

    def log_message(self, *_):
        """Say nothing of each request."""


@pytest.fixture(scope="session")
def chromium():
    """The system's Chromium or Chrome."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert browser, f"no {' or '.join(BROWSERS)} here: install what the README names"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture
def open_page(chromium, server):
    """Open a page of the site in a new browser profile; return its tab.

    The requests that it makes are listed in ``tab.requests``, what goes wrong in a
    script, or against the page's own security policy, in ``tab.errors``.
    """
    contexts = []

    def open_(path, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.requests = []
        tab.errors = []
        tab.on("request", lambda request: tab.requests.append(request.url))
        tab.on("pageerror", lambda error: tab.errors.append(str(error)))
        tab.on(
            "console",
            lambda said: said.type == "error" and tab.errors.append(said.text),
        )
        tab.goto(server + path)
        return tab

    yield open_
    for context in contexts:
        context.close()
