"""What a reader does, in a real browser."""

import re

import pytest

from tests.site.pages import HAN, SITE

from .conftest import watch

PAGE = "gallery/three-ways/detach_cuts_one_tensor.html"
SECTION = "what-does-detach-cut"
SWITCH = ".content-icon-container .language-link"
CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}


@pytest.mark.parametrize(
    ("locale", "url"),
    [("zh-CN", "zh-cn"), ("zh-TW", "zh-cn"), ("en-US", "en"), ("de-DE", "en")],
)
def test_the_root_sends_a_reader_to_their_language(open_page, server, locale, url):
    """The browser's languages decide; English is for all others."""
    tab = open_page("", locale=locale)
    tab.wait_for_url(f"{server}{url}/index.html")


def test_without_javascript_both_switches_of_language_work(open_page):
    """The root has plain links; on a phone, the header has one to the same page."""
    phone = {"width": 390, "height": 844}
    tab = open_page("index.html", java_script_enabled=False, viewport=phone)
    tab.get_by_role("link", name="中文").click()
    assert "/zh-cn/index.html" in tab.url
    tab.goto(tab.url.replace("index.html", PAGE))
    tab.locator(".mobile-header .language-link").click()
    assert tab.url.endswith(f"/en/{PAGE}")


def test_a_switch_of_language_keeps_the_page_and_the_section(open_page, server):
    """It leads there and back, and so does the browser's Back."""
    tab = open_page(f"en/{PAGE}#{SECTION}")
    tab.locator(SWITCH).click()
    tab.wait_for_url(f"{server}zh-cn/{PAGE}#{SECTION}")
    assert tab.locator(f"section#{SECTION} h2").is_visible()
    tab.locator(SWITCH).click()
    tab.wait_for_url(f"{server}en/{PAGE}#{SECTION}")
    tab.go_back()
    assert "/zh-cn/" in tab.url


def test_the_root_remembers_the_language_that_was_chosen(open_page, server):
    """A direct link still leads to the page that it names."""
    tab = open_page(f"en/{PAGE}", locale="en-US")
    tab.locator(SWITCH).click()
    tab.wait_for_url(f"{server}zh-cn/{PAGE}")
    tab.goto(server)
    tab.wait_for_url(f"{server}zh-cn/index.html")
    tab.goto(f"{server}en/{PAGE}")
    tab.wait_for_timeout(300)
    assert tab.url == f"{server}en/{PAGE}"


def test_a_lost_reader_is_answered_in_their_language(open_page):
    """The page for addresses without page keeps the section of that language."""
    base = re.search(r'href="(/.*?)en/index.html"', (SITE / "404.html").read_text())[1]
    tab = open_page("404.html")
    assert tab.locator("section").count() == 2
    tab.evaluate(f"history.replaceState(null, '', '{base}zh-cn/nowhere.html')")
    tab.evaluate(tab.locator("main + script").inner_text())
    assert tab.locator("section").count() == 1
    assert tab.locator("html").get_attribute("lang") == "zh-CN"


def test_the_copy_button_takes_the_code_and_speaks_the_language(open_page):
    """An output has no button."""
    tab = open_page(f"zh-cn/{PAGE}", **CLIPBOARD)
    tab.locator(".highlight-Python").first.hover()
    button = tab.locator(".highlight-Python button.copybtn").first
    assert button.get_attribute("data-tooltip") == "复制"
    button.click()
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("import torch")
    assert tab.locator(".sphx-glr-script-out button.copybtn").count() == 0


def test_copy_all_takes_the_code_of_all_cells(open_page):
    """It is in the order of the page, without outputs, and compiles."""
    tab = open_page(f"en/{PAGE}", **CLIPBOARD)
    tab.get_by_role("button", name="Copy all").click()
    tab.get_by_role("button", name="Copied").wait_for()
    code = tab.evaluate("navigator.clipboard.readText()")
    compile(code, "copied", "exec")
    cells = tab.locator(".highlight-Python pre").all_text_contents()
    assert len(cells) > 2
    places = [code.index(cell.strip()) for cell in cells]
    assert places == sorted(places)
    assert code.startswith("import torch")
    assert "UserWarning" not in code


def test_the_theme_can_be_changed(open_page):
    """The label of the button is in the page's language."""
    tab = open_page("zh-cn/index.html")
    button = tab.locator(".content-icon-container .theme-toggle")
    assert HAN.search(button.get_attribute("aria-label"))
    before = tab.locator("body").get_attribute("data-theme")
    button.click()
    assert tab.locator("body").get_attribute("data-theme") != before


def test_a_tag_filters_the_gallery_and_is_in_the_address(open_page):
    """So a filtered gallery can be linked to; empty chapters are hidden."""
    tab = open_page("en/gallery/index.html")
    cards = tab.locator(".sphx-glr-thumbcontainer:visible")
    chapters = tab.locator("article section section:visible")
    everything, all_chapters = cards.count(), chapters.count()
    button = tab.get_by_role("button", name="torch.compile")
    button.click()
    some = cards.count()
    assert 0 < some < everything
    assert tab.locator(".tags output").inner_text() == str(some)
    assert 0 < chapters.count() < all_chapters - 3
    tab.reload()
    assert cards.count() == some
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert cards.count() == everything


def test_errors_warnings_and_output_look_different(open_page):
    """A mark tells them apart, not colour alone."""
    tab = open_page(f"en/{PAGE}")
    error, warning, plain = (
        tab.locator(f".highlight-output .{kind}").first.evaluate(
            "element => getComputedStyle(element, '::before').content"
        )
        for kind in ("gr", "gt", "go")
    )
    assert "✖" in error
    assert "⚠" in warning
    assert plain == "none"


def test_a_page_works_as_a_file(chromium):
    """The policy lets its own files in when it is opened from the disk."""
    tab = watch(chromium.new_page())
    tab.goto((SITE / "en" / PAGE).as_uri())
    assert tab.locator("body").get_attribute("data-theme") == "auto"
    assert tab.locator("h1").evaluate("h1 => getComputedStyle(h1).fontSize") == "32px"
    tab.close()
    assert tab.errors == []


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
    """A tablet and two wide screens show the page whole; a phone visits every page."""
    tab = open_page(f"zh-cn/{page}.html")
    for width in (768, 1280, 1920):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") == width
