"""Whoever has no mouse gets to everything, and out of it again."""

import pytest

LONGEST = 400
"""Keys after which a way through a page counts as endless."""

HERE = """() => {
  const all = [...document.querySelectorAll("*")];
  return document.activeElement === document.body
    ? null
    : [all.indexOf(document.activeElement), document.activeElement.outerHTML];
}"""
"""Which element has the focus: its number and its HTML; none if the page is left."""


@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
@pytest.mark.parametrize(
    "name", ["gallery/three-ways/detach_cuts_one_tensor.html", "search.html"]
)
def test_no_element_keeps_the_focus(open_page, name, key):
    """A key leads from one element to the next, and at last out of the page."""
    tab = open_page(f"en/{name}")
    seen = []
    for _ in range(LONGEST):
        tab.keyboard.press(key)
        here = tab.evaluate(HERE)
        if here is None or here in seen[:1]:
            break
        assert here not in seen, f"{key} leads back to {here[1][:200]}"
        seen.append(here)
    else:
        pytest.fail(f"{key} never leads out of the page")
    assert len(seen) > 3
