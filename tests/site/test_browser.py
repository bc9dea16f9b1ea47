"""What a reader does, in a real browser."""

import gzip
import re
from urllib.parse import urlsplit

import pytest

PAGE = "gallery/three-ways/detach_cuts_one_tensor.html"
SECTION = "a-write-to-the-detached-tensor-changes-the-original"


def test_no_page_asks_another_host(language, name, open_page, server):
    """Nothing but the site itself, and no error in a script."""
    tab = open_page(f"{language.url}/{name}")
    tab.wait_for_load_state("networkidle")
    own = urlsplit(server).netloc
    assert {urlsplit(url).netloc for url in tab.requests} == {own}
    assert tab.errors == []
    assert tab.context.cookies() == []


def test_no_page_moves_sideways_on_a_phone(language, name, open_page):
    """At 390 px the page is as wide as the screen."""
    tab = open_page(f"{language.url}/{name}", viewport={"width": 390, "height": 844})
    width = tab.evaluate("document.documentElement.scrollWidth")
    assert width == 390


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
    assert re.search("[一-鿿]", button.get_attribute("aria-label"))
    before = tab.locator("body").get_attribute("data-theme")
    button.click()
    assert tab.locator("body").get_attribute("data-theme") != before


def test_a_lost_reader_is_answered_in_their_language(open_page, site):
    """On the page for addresses without page."""
    base = re.search(r'href="(/.*?)en/index.html"', (site / "404.html").read_text())[1]
    tab = open_page("404.html")
    assert tab.locator("section").count() == 2
    tab.evaluate(f"history.replaceState(null, '', '{base}zh-cn/nowhere.html')")
    script = tab.locator("main + script").inner_text()
    tab.evaluate(script)
    assert tab.locator("section").count() == 1
    assert tab.locator("html").get_attribute("lang") == "zh-CN"


def test_a_gallery_page_is_light(open_page, site):
    """Under 60 KB gzipped before figures and search, in few requests."""
    tab = open_page(f"zh-cn/{PAGE}")
    tab.wait_for_load_state("networkidle")
    paths = [urlsplit(url).path.removeprefix("/a/base/path/") for url in tab.requests]
    pages = [path for path in paths if "_images" not in path]
    size = sum(len(gzip.compress((site / path).read_bytes())) for path in pages)
    print(f"{len(paths)} requests; {size} bytes gzipped without figures")
    assert size < 60_000
    assert len(paths) < 25
