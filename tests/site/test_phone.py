"""The text of a page fits on a phone; what is wider scrolls in a box of its own."""

import pytest

WIDER = """() => {
  const text = document.querySelector(".content"); // Furo lets it scroll by itself
  const edge = text.getBoundingClientRect().right;
  const all = text.scrollWidth > text.clientWidth ? text.querySelectorAll("*") : [];
  const wide = [...all].filter((one) => one.getBoundingClientRect().right > edge);
  return wide.map((one) => one.outerHTML.slice(0, 80)).slice(0, 3);
}"""
"""The first elements that make the text of a page scroll sideways."""


@pytest.fixture(scope="module")
def phone(chromium):
    """One tab for all pages."""
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


def test_the_text_does_not_scroll_sideways(language, name, phone, server):
    """The document itself doesn't either, which is why it is asked of the text."""
    phone.goto(f"{server}{language.url}/{name}")
    wider = phone.evaluate(WIDER)
    assert not wider, f"{language.url}/{name} is wider than a phone: {wider}"
