"""A real browser, and a server that shows it the finished site."""

import pytest
from playwright.sync_api import sync_playwright

from tests.site.pages import SITE

from .executable import HINT, find
from .server import serve

QUIET = (
    "--no-sandbox",  # the tests may run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",  # emulating one takes time
    "--disable-sync",
)


@pytest.fixture(scope="session")
def server():
    """The address of the site, below a base path."""
    with serve(SITE) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    """The browser."""
    browser = find()
    if not browser:
        pytest.fail(f"No browser. {HINT}")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=list(QUIET))
        yield running
        running.close()


def watch(tab):
    """List a tab's requests, and the errors of scripts and of the policy."""
    tab.requests = []
    tab.errors = []
    tab.on("request", lambda request: tab.requests.append(request.url))
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.on(
        "console", lambda said: said.type == "error" and tab.errors.append(said.text)
    )
    return tab


@pytest.fixture
def open_page(chromium, server):
    """Open a page of the site in a new browser profile; return its watched tab."""
    contexts = []

    def open_(path, **options):
        contexts.append(chromium.new_context(**options))
        tab = watch(contexts[-1].new_page())
        tab.goto(server + path)
        return tab

    yield open_
    for context in contexts:
        context.close()
