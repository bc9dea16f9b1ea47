"""axe-core finds nothing wrong with any page, light or dark, wide or on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

AXE = Axe()
EVERY_RULE = {"rules": {"target-size": {"enabled": True}}}  # WCAG 2.2: 24 px
OF_COLOURS = {"runOnly": ["color-contrast"]}
OF_ROOM = {"runOnly": ["target-size", "scrollable-region-focusable"]}


def faults(tab, rules=EVERY_RULE):
    """Return what axe finds, each with the element that it is about."""
    options = rules | {"resultTypes": ["violations"]}  # look no further at the rest
    found = AXE.run(tab, options=options).response["violations"]
    return [(fault["id"], node["html"]) for fault in found for node in fault["nodes"]]


@pytest.fixture(scope="session")
def tab(chromium):
    """One tab for all pages: Chromium compiles axe once for it, not on each page."""
    context = chromium.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


def test_axe_finds_no_fault(language, name, server, tab):
    """By every rule; then what dark colours change, and what a phone does.

    There, axe can't see whether the page moves sideways (WCAG 2.2: reflow).
    """
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(color_scheme="light", reduced_motion="no-preference")
    tab.goto(f"{server}{language.url}/{name}")
    assert faults(tab) == []
    tab.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert faults(tab, OF_COLOURS) == []
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.reload()
    assert faults(tab, OF_ROOM) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == 390


def test_axe_finds_no_fault_in_the_search(open_page):
    """The dialog, with results in it."""
    tab = open_page("zh-cn/index.html", bypass_csp=True)
    tab.keyboard.press("/")
    tab.locator("dialog .search-field").fill("冻结 BatchNorm")
    tab.locator("dialog .search-results li").first.wait_for()
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
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
