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


@pytest.mark.parametrize(
    ("url", "query", "page"),
    [
        ("en", "freeze after the optimizer", "freeze_before_or_after_the_optimizer"),
        ("en", "does not require grad and does not have a grad_fn", "backward_without"),
        ("zh-cn", "冻结参数", "gallery/"),
        ("zh-cn", "生成器", "detach_in_a_gan"),
        ("zh-cn", "requires_grad", "gallery/"),
    ],
)
def test_search_finds_the_page(open_page, url, query, page):
    """From the box on a page; Chinese without spaces too."""
    tab = open_page(f"{url}/index.html")
    tab.locator(".sidebar-search").fill(query)
    tab.locator(".sidebar-search").press("Enter")
    result = tab.locator(".pagefind-ui__result-link").first
    result.wait_for()
    addresses = tab.locator(".pagefind-ui__result-link").evaluate_all(
        "links => links.map(link => link.href)"
    )
    assert any(page in address for address in addresses)
    assert all(f"/a/base/path/{url}/" in address for address in addresses)
    result.click()
    tab.wait_for_load_state()
    assert tab.locator("h1").first.is_visible()


def test_the_search_page_is_chinese_on_a_chinese_page(open_page):
    """Pagefind's own words, too."""
    tab = open_page("zh-cn/search.html?q=qwertyuiop")
    message = tab.locator(".pagefind-ui__message")
    message.wait_for()
    said = message.inner_text().replace("qwertyuiop", "")
    assert re.search("[一-鿿]", said)
    assert not re.search("[a-z]", said)
    labels = tab.locator("#search input").get_attribute("placeholder")
    labels += tab.locator(".pagefind-ui__search-clear").inner_text()
    assert re.fullmatch("[一-鿿]+", labels.replace(".", ""))


@pytest.mark.parametrize(
    ("url", "query", "page"),
    [
        ("zh-cn", "报错", "backward_without_a_graph"),
        ("zh-cn", "backward() 报错", "backward_without_a_graph"),
        ("zh-cn", "冻结后参数还在变", "freeze_before_or_after_the_optimizer"),
        ("zh-cn", "判别器", "detach_in_a_gan"),
        ("zh-cn", "权重衰减", "freeze_before_or_after_the_optimizer"),
        ("zh-cn", "梯度穿过冻结的层", "through_or_blocked"),
        ("en", "zero_grad(set_to_none=True)", "freeze_before_or_after_the_optimizer"),
        ("en", "requires_grad_", "gallery/"),
        (
            "en",
            "train.py:7: UserWarning: The .grad attribute of a Tensor that is not a",
            "detach_cuts_one_tensor",
        ),
    ],
)
def test_a_query_as_people_type_it_finds_its_page_first(open_page, url, query, page):
    """Chinese without spaces, names with dots and brackets, a warning as pasted."""
    tab = open_page(f"{url}/search.html")
    tab.locator("#search input").fill(query)
    result = tab.locator(".pagefind-ui__result-title .pagefind-ui__result-link")
    result.first.wait_for()
    tab.wait_for_timeout(500)
    found = result.evaluate_all("links => links.slice(0, 3).map(link => link.href)")
    assert any(page in address for address in found)


def test_a_result_leads_to_its_section(open_page):
    """Not only to the top of the page."""
    tab = open_page("en/search.html?q=clone+detached+tensor+changes+the+original")
    nested = tab.locator(".pagefind-ui__result-nested .pagefind-ui__result-link")
    nested.first.wait_for()
    found = nested.evaluate_all("links => links.map(link => link.href)")
    assert any(address.endswith(f"#{SECTION}") for address in found)


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
