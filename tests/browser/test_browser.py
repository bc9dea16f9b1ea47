"""What a reader does, in a real browser."""

import re

import pytest

from tests.site.pages import HAN, SITE

PAGE = "gallery/three-ways/detach_cuts_one_tensor.html"
SECTION = "a-write-to-the-detached-tensor-changes-the-original"


@pytest.mark.parametrize(
    ("locale", "url"),
    [("zh-CN", "zh-cn"), ("zh-TW", "zh-cn"), ("en-US", "en"), ("de-DE", "en")],
)
def test_the_root_sends_a_reader_to_their_language(open_page, server, locale, url):
    """By the browser's languages; English for all others."""
    tab = open_page("", locale=locale)
    tab.wait_for_url(f"{server}{url}/index.html")


def test_the_root_offers_both_languages_without_javascript(open_page):
    """Two plain links that lead somewhere."""
    tab = open_page("index.html", java_script_enabled=False)
    tab.get_by_role("link", name="中文").click()
    assert "/zh-cn/index.html" in tab.url


def test_a_switch_of_language_keeps_the_page_and_the_section(open_page, server):
    """There and back, and the browser's Back works."""
    tab = open_page(f"en/{PAGE}#{SECTION}")
    tab.locator(".content-icon-container .language-link").click()
    tab.wait_for_url(f"{server}zh-cn/{PAGE}#{SECTION}")
    assert tab.locator(f"section#{SECTION} h2").is_visible()
    tab.locator(".content-icon-container .language-link").click()
    tab.wait_for_url(f"{server}en/{PAGE}#{SECTION}")
    tab.go_back()
    assert "/zh-cn/" in tab.url


def test_the_switch_works_without_javascript_and_on_a_phone(open_page):
    """The header has it; the section is lost, the page is not."""
    tab = open_page(
        f"zh-cn/{PAGE}",
        java_script_enabled=False,
        viewport={"width": 390, "height": 844},
    )
    tab.locator(".mobile-header .language-link").click()
    assert tab.url.endswith(f"/en/{PAGE}")


def test_the_copy_button_takes_the_code_and_speaks_the_language(open_page):
    """Code only; an output has no button."""
    tab = open_page(f"zh-cn/{PAGE}", permissions=["clipboard-read", "clipboard-write"])
    tab.locator(".highlight-Python").first.hover()
    button = tab.locator(".highlight-Python button.copybtn").first
    assert button.get_attribute("data-tooltip") == "复制"
    button.click()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("import torch")
    assert tab.locator(".sphx-glr-script-out button.copybtn").count() == 0


def test_the_theme_can_be_changed(open_page):
    """By a button whose label is in the page's language."""
    tab = open_page("zh-cn/index.html")
    button = tab.locator(".content-icon-container .theme-toggle")
    assert HAN.search(button.get_attribute("aria-label"))
    before = tab.locator("body").get_attribute("data-theme")
    button.click()
    assert tab.locator("body").get_attribute("data-theme") != before


def test_a_lost_reader_is_answered_in_their_language(open_page):
    """On the page for addresses without page."""
    base = re.search(r'href="(/.*?)en/index.html"', (SITE / "404.html").read_text())[1]
    tab = open_page("404.html")
    assert tab.locator("section").count() == 2
    tab.evaluate(f"history.replaceState(null, '', '{base}zh-cn/nowhere.html')")
    script = tab.locator("main + script").inner_text()
    tab.evaluate(script)
    assert tab.locator("section").count() == 1
    assert tab.locator("html").get_attribute("lang") == "zh-CN"


def test_the_root_remembers_the_language_that_was_chosen(open_page, server):
    """And a direct link is never sent elsewhere."""
    tab = open_page(f"en/{PAGE}", locale="en-US")
    tab.locator(".content-icon-container .language-link").click()
    tab.wait_for_url(f"{server}zh-cn/{PAGE}")
    tab.goto(server)
    tab.wait_for_url(f"{server}zh-cn/index.html")
    tab.goto(f"{server}en/{PAGE}")
    tab.wait_for_timeout(300)
    assert tab.url == f"{server}en/{PAGE}"


def test_copy_all_takes_the_code_of_all_cells(open_page):
    """In the order of the page, without outputs; it runs."""
    tab = open_page(f"en/{PAGE}", permissions=["clipboard-read", "clipboard-write"])
    tab.get_by_role("button", name="Copy all").click()
    tab.get_by_role("button", name="Copied").wait_for()
    code = tab.evaluate("navigator.clipboard.readText()")
    compile(code, "copied", "exec")
    cells = tab.locator(".highlight-Python pre").count()
    assert cells > 2
    assert code.startswith("import torch")
    assert "UserWarning" not in code


def test_a_tag_filters_the_gallery_and_is_in_the_address(open_page):
    """So that a filtered gallery can be linked to; empty chapters are hidden."""
    tab = open_page("en/gallery/index.html")
    cards = tab.locator(".sphx-glr-thumbcontainer:visible")
    everything = cards.count()
    tab.get_by_role("button", name="BatchNorm").click()
    some = cards.count()
    assert 0 < some < everything
    assert tab.locator(".tags output").inner_text() == str(some)
    assert tab.locator("article section section:visible").count() < 10
    tab.reload()
    assert cards.count() == some
    assert tab.get_by_role("button", name="BatchNorm").get_attribute(
        "aria-pressed"
    ) == ("true")
    tab.get_by_role("button", name="BatchNorm").click()
    assert cards.count() == everything


def test_errors_warnings_and_output_look_different(open_page):
    """By a mark, not by colour alone."""
    tab = open_page("en/gallery/graph/leaf_or_not.html")
    mark = "element => getComputedStyle(element, '::before').content"
    warning = tab.locator(".highlight-output .gt").first.evaluate(mark)
    tab.goto(tab.url.replace("leaf_or_not", "backward_twice"))
    error = tab.locator(".highlight-output .gr").first.evaluate(mark)
    plain = tab.locator(".highlight-output .go").first.evaluate(mark)
    assert "⚠" in warning
    assert "✖" in error
    assert plain == "none"


def test_a_page_works_as_a_file(chromium):
    """Opened from the disk: no error, and the policy lets its own files in."""
    errors = []
    tab = chromium.new_page()
    tab.on("console", lambda said: said.type == "error" and errors.append(said.text))
    tab.goto((SITE / "en" / PAGE).as_uri())
    assert tab.locator("body").get_attribute("data-theme") == "auto"
    assert tab.locator("h1").evaluate("h1 => getComputedStyle(h1).fontSize") == "32px"
    tab.close()
    assert errors == []


def test_a_page_prints_without_what_is_for_the_screen(open_page):
    """Navigation, switches and buttons stay off the paper."""
    tab = open_page(f"en/{PAGE}")
    tab.emulate_media(media="print")
    for away in (".sidebar-drawer", ".page-bar", ".language-link", ".copybtn"):
        assert not tab.locator(away).first.is_visible()
    assert tab.locator("article h1").is_visible()


@pytest.mark.parametrize(
    "page", ["index", "gallery/index", "reference/errors", "gallery/graph/leaf_or_not"]
)
def test_no_screen_scrolls_sideways(open_page, page):
    """A tablet and two wide screens; a phone visits every page."""
    tab = open_page(f"zh-cn/{page}.html")
    for width in (768, 1280, 1920):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") == width
