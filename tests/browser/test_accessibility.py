"""axe-core finds no fault, and the keyboard reaches everything."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.site.pages import EVERY_LANGUAGE, NAMES, read

SCRIPT = "gallery/three-ways/detach_cuts_one_tensor"
"""A script that prints an error and a warning and draws."""

PAGES = (
    *("index", "search", "start/tour", "guide/choose"),
    *("gallery/index", "gallery/graph/index"),
    SCRIPT,
    *(
        "reference/api",
        "reference/verdicts",
        "reference/cost",
        "reference/errors",
        "reference/glossary",
    ),
)
"""One page at least of each template and each kind of content."""

AXE = Axe()
RULES = {
    "light": {"rules": {"target-size": {"enabled": True}}},  # WCAG 2.2: 24 px
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
}
"""All rules in light colours. In dark ones, those that look at colours."""


def faults(tab):
    """Return what axe finds in light and dark colours, each with its element."""
    found = []
    for scheme, rules in RULES.items():
        # Nothing moves: a colour on its way to another has too little contrast.
        tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        options = {"resultTypes": ["violations"], **rules}
        for fault in AXE.run(tab, options=options).response["violations"]:
            found += [(scheme, fault["id"], node["html"]) for node in fault["nodes"]]
    return found


@pytest.fixture(scope="module")
def tab(chromium):
    """One tab for all pages: Chromium compiles axe once for it, not on each page."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@EVERY_LANGUAGE
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_no_fault(page, language, server, tab):
    """It looks in light and dark colours, on a wide screen and a phone."""
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto(f"{server}{language.url}/{page}.html")
        assert faults(tab) == []


@EVERY_LANGUAGE
def test_axe_finds_no_fault_in_the_search(language, server, tab):
    """The dialog is open, with results in it."""
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto(f"{server}{language.url}/index.html")
        tab.keyboard.press("/")
        tab.locator("dialog .search-field").fill("BatchNorm")
        tab.locator("dialog .search-results li").first.wait_for()
        assert faults(tab) == []


def test_code_is_easy_to_read_in_each_of_its_colours(server, tab):
    """All kinds of tokens that occur on any page have enough contrast."""
    kinds = {
        " ".join(token.classes)
        for language, names in NAMES.items()
        for name in names
        for token in read(language, name).tree.xpath("//pre//span[@class]")
    }
    tab.goto(f"{server}en/{SCRIPT}.html")
    tokens = "".join(f"<span class='{kind}'>word</span> " for kind in sorted(kinds))
    tab.locator(".highlight pre").first.evaluate(
        "(pre, tokens) => { pre.innerHTML = tokens; }", tokens
    )
    assert faults(tab) == []


def test_the_first_key_leads_past_the_navigation(open_page):
    """The skip link comes first, is seen with the focus, and leads to the text."""
    tab = open_page("en/gallery/index.html")
    tab.keyboard.press("Tab")
    link = tab.locator(".skip-to-content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()  # it slides in
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#furo-main-content")


def test_the_keyboard_is_never_trapped(open_page):
    """Tab leads to every link and button of the text and the footer, and around."""
    tab = open_page(f"en/{SCRIPT}.html")
    tab.evaluate("window.seen = new Set()")
    is_new = "seen.size < seen.add(document.activeElement).size"
    tab.keyboard.press("Tab")
    while tab.evaluate(is_new):
        tab.keyboard.press("Tab")
    missed = tab.locator(":is(article, footer) :is(a[href], button)").evaluate_all(
        """all => all
            .filter((one) => one.checkVisibility({ visibilityProperty: true }))
            .filter((one) => !seen.has(one))
            .map((one) => one.outerHTML)"""
    )
    assert missed == []
