"""One visit to each page, on a phone; the page of a script is made wide, too."""

from urllib.parse import urlsplit

import pytest

from gradguide_site.project import page_of
from tests.site.pages import EVERY_PAGE, PROJECT

from .conftest import watch

SCRIPT_PAGES = {f"{page_of(script)}.html" for script in PROJECT.scripts()}

PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

WIDER = """() => {
  const text = document.querySelector(".content"); // Furo lets it scroll by itself
  const edge = text.getBoundingClientRect().right;
  const all = text.scrollWidth > text.clientWidth ? text.querySelectorAll("*") : [];
  const wide = [...all].filter((one) => one.getBoundingClientRect().right > edge);
  return wide.map((one) => one.outerHTML.slice(0, 80)).slice(0, 3);
}"""
"""The first elements that make the text of a page scroll sideways."""

FIRST_CELL_ENDS = """() => {
  const blocks = "article .highlight-Python, article .sphx-glr-script-out";
  const [code, output] = [...document.querySelectorAll(blocks)].filter(
    (block) => !block.closest("details"),
  );
  const last = output.matches(".sphx-glr-script-out") ? output : code;
  return last.getBoundingClientRect().bottom + scrollY;
}"""
"""The lower edge of the first code that is not folded, and of what it printed."""

CUT_OFF = """() =>
  [...document.querySelectorAll("pre .gr, pre .gt")]
    .filter((text) => text.scrollWidth > text.closest("pre").clientWidth)
    .map((text) => text.textContent)
"""
"""The lines of errors and warnings that are wider than their box."""


@pytest.fixture(scope="module")
def tab(chromium):
    """One tab for all pages, so that scripts and styles are read once."""
    context = chromium.new_context(viewport=PHONE)
    yield watch(context.new_page())
    context.close()


@EVERY_PAGE
def test_a_page_fits_a_phone_and_asks_nobody_else(language, name, server, tab):
    """Its cure is near the top; no error, no cookie; nothing scrolls sideways (WCAG).

    The first cell of a script ends on the first screen of a laptop, and on one and a
    half of a phone.
    """
    tab.requests.clear()
    tab.errors.clear()
    tab.goto(f"{server}{language.url}/{name}")
    assert {urlsplit(url).netloc for url in tab.requests} == {urlsplit(server).netloc}
    assert tab.errors == []
    assert tab.context.cookies() == []
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert tab.evaluate(WIDER) == []
    assert tab.evaluate(CUT_OFF) == []
    if name in SCRIPT_PAGES:
        ends = {"phone": tab.evaluate(FIRST_CELL_ENDS)}
        tab.set_viewport_size(LAPTOP)
        ends["laptop"] = tab.evaluate(FIRST_CELL_ENDS)
        tab.set_viewport_size(PHONE)
        assert ends["laptop"] <= LAPTOP["height"], ends
        assert ends["phone"] <= 1.5 * PHONE["height"], ends
