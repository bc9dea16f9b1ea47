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


@pytest.mark.parametrize(
    ("url", "says"), [("en", "Checked with PyTorch 2."), ("zh-cn", "已用 PyTorch 2.")]
)
def test_a_gallery_page_offers_what_a_reader_can_do_with_it(open_page, url, says):
    """Copy, three downloads, Colab, the source, a report; with what it was checked."""
    tab = open_page(f"{url}/{PAGE}")
    bar = tab.locator("ul.page-bar")
    links = bar.locator("a").evaluate_all("links => links.map(link => link.href)")
    stem = PAGE.removesuffix(".html")
    assert [link.rsplit("/", 1)[1] for link in links[:3]] == [
        "detach_cuts_one_tensor.py",
        "detach_cuts_one_tensor.ipynb",
        "three-ways.zip",
    ]
    assert links[3].startswith("https://colab.research.google.com/")
    assert links[3].endswith(f"{url}/{stem}.ipynb")
    assert links[4].endswith("/examples/three-ways/detach_cuts_one_tensor.py")
    assert "/issues/new?" in links[5]
    assert says in bar.inner_text()
    assert re.search(r"\d{4}-\d\d-\d\d", bar.inner_text())


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


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
@pytest.mark.parametrize(
    "page", ["index", "gallery/index", "reference/errors", "gallery/graph/leaf_or_not"]
)
def test_no_screen_scrolls_sideways(open_page, width, page):
    """From a phone to a wide screen."""
    tab = open_page(f"zh-cn/{page}.html", viewport={"width": width, "height": 900})
    assert tab.evaluate("document.documentElement.scrollWidth") == width


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


def test_a_page_works_as_a_file(chromium, site):
    """Opened from the disk: no error, and the policy lets its own files in."""
    errors = []
    tab = chromium.new_page()
    tab.on("console", lambda said: said.type == "error" and errors.append(said.text))
    tab.goto((site / "en" / PAGE).as_uri())
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
