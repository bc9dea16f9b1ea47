"""One visit to each page, on a phone."""

from urllib.parse import urlsplit

import pytest

from tests.site.pages import EVERY_PAGE

from .conftest import watch

PHONE = 390

CUT_OFF = """
[...document.querySelectorAll("article :is(h1, h2, h3, p, li, dt, dd, summary)")]
  .filter((element) => !element.closest("pre, .table-wrapper, .sig"))
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.textContent.slice(0, 60))
"""
"""Text of the article that ends beyond the edge of the screen."""


@pytest.fixture(scope="module")
def tab(chromium):
    """One tab for all pages, so that scripts and styles are read once."""
    context = chromium.new_context(viewport={"width": PHONE, "height": 844})
    yield watch(context.new_page())
    context.close()


@EVERY_PAGE
def test_a_page_fits_a_phone_and_asks_nobody_else(language, name, server, tab):
    """No error, no other host, no cookie; nothing scrolls sideways (WCAG: reflow)."""
    tab.requests.clear()
    tab.errors.clear()
    tab.goto(f"{server}{language.url}/{name}")
    assert {urlsplit(url).netloc for url in tab.requests} == {urlsplit(server).netloc}
    assert tab.errors == []
    assert tab.context.cookies() == []
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE
    assert tab.evaluate(CUT_OFF) == []
