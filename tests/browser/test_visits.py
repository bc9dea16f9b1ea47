"""One visit to each page, on a phone."""

from urllib.parse import urlsplit

import pytest

from tests.site.pages import EVERY_PAGE

from .conftest import watch

PHONE = 390

WIDER = """() => {
  const text = document.querySelector(".content"); // Furo lets it scroll by itself
  const edge = text.getBoundingClientRect().right;
  const all = text.scrollWidth > text.clientWidth ? text.querySelectorAll("*") : [];
  const wide = [...all].filter((one) => one.getBoundingClientRect().right > edge);
  return wide.map((one) => one.outerHTML.slice(0, 80)).slice(0, 3);
}"""
"""The first elements that make the text of a page scroll sideways."""


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
    assert tab.evaluate(WIDER) == []
