"""The search, as a reader uses it."""

import re

import pytest

from gradguide_site.project import CHINESE
from tests.site.pages import EVERY_LANGUAGE, HAN, SITE, read

from .searching import addresses, ask, wait

PAGE = "gallery/three-ways/detach_cuts_one_tensor.html"
SECTION = "a-write-to-the-detached-tensor-changes-the-original"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def is_loaded(tab):
    return any("pagefind" in url or "worker" in url for url in tab.requests)


def focused(tab):
    """Return the class of the element that has the focus."""
    return tab.evaluate("document.activeElement.className")


# Opening and closing


@pytest.mark.parametrize("key", ["/", "Control+k", "Meta+k"])
def test_a_key_opens_the_search_and_escape_closes_it(open_page, key):
    """The focus goes into the field, and back to where it was."""
    tab = open_page(f"en/{PAGE}")
    tab.locator("article a.reference").first.focus()
    before = tab.evaluate("document.activeElement.href")
    tab.keyboard.press(key)
    assert tab.locator(".search-dialog").is_visible()
    assert focused(tab) == "search-field"
    assert tab.locator(".search-field").input_value() == ""
    tab.keyboard.insert_text("detach")
    tab.keyboard.press("Escape")
    assert tab.locator(".search-dialog").is_hidden()
    assert tab.evaluate("document.activeElement.href") == before


def test_a_slash_in_a_field_is_a_slash(open_page):
    """It opens the search only where nothing is typed."""
    tab = open_page("en/index.html")
    tab.locator(".sidebar-search").focus()
    tab.keyboard.press("/")
    assert tab.locator(".sidebar-search").input_value() == "/"
    assert tab.locator(".search-dialog").is_hidden()


def test_the_field_in_the_sidebar_opens_the_search(open_page):
    """With a click, or with what was typed there; a click outside closes it."""
    tab = open_page("en/index.html")
    tab.locator(".sidebar-search").click()
    assert focused(tab) == "search-field"
    tab.mouse.click(5, 5)
    assert tab.locator(".search-dialog").is_hidden()
    tab.locator(".sidebar-search").fill("retain_grad")
    tab.keyboard.press("Enter")
    wait(tab)
    assert tab.locator(".search-field").input_value() == "retain_grad"
    assert "gallery/graph/retain_grad.html" in addresses(tab)


def test_on_a_phone_a_button_opens_the_search_over_the_whole_screen(open_page):
    """All that can be touched is large enough, and nothing is wider than the screen."""
    tab = open_page(f"zh-cn/{PAGE}", **PHONE)
    tab.locator(".search-open").tap()
    assert focused(tab) == "search-field"
    ask(tab, "冻结参数")
    box = tab.locator(".search-dialog").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 844}
    assert tab.locator(".search-results").evaluate("e => e.scrollWidth") <= 390
    for target in tab.locator(
        ".search-field, .search-dialog :is(select, button), .search-hit"
    ).all():
        if target.is_visible():
            assert target.bounding_box()["height"] >= 44
    tab.locator(".search-close").tap()
    assert tab.locator(".search-dialog").is_hidden()


# Loading


def test_nothing_is_loaded_before_something_is_asked(open_page):
    """Not when a page opens, nor when the search does."""
    tab = open_page(f"en/{PAGE}")
    tab.keyboard.press("/")
    tab.wait_for_load_state("networkidle")
    assert not is_loaded(tab)
    ask(tab, "detach")
    assert is_loaded(tab)


def test_a_page_that_was_opened_as_a_file_says_what_is_missing(open_page):
    """A browser runs no worker from a file."""
    tab = open_page("en/index.html")
    tab.goto((SITE / "zh-cn/index.html").as_uri())
    tab.keyboard.press("/")
    ask(tab, "detach")
    said = tab.locator(".search [role=status]").inner_text()
    assert "python -m http.server" in said
    assert HAN.search(said)


def test_an_index_that_is_not_there_is_said(open_page):
    """And the search works again as soon as it is there."""
    tab = open_page("en/index.html")
    tab.context.route("**/*.pf_meta", lambda route: route.abort())
    tab.keyboard.press("/")
    ask(tab, "detach")
    assert "could not be loaded" in tab.locator(".search [role=status]").inner_text()
    tab.context.unroute("**/*.pf_meta")
    ask(tab, "detach")
    assert addresses(tab)


def test_a_strict_policy_does_not_stop_the_search(open_page):
    """No eval, no style in a script; WebAssembly is all it asks for."""
    tab = open_page("en/index.html")
    policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"
    headers = {"Content-Security-Policy": policy}

    def with_policy(route):
        answer = route.fetch()
        route.fulfill(response=answer, headers=answer.headers | headers)

    tab.context.route("**", with_policy)
    tab.goto(tab.url)
    tab.keyboard.press("/")
    ask(tab, "detach")
    assert addresses(tab)


# Results


def test_results_are_grouped_by_page_with_headings_and_marks(open_page, server):
    """A section has its own link and excerpt, as the reader would see it."""
    tab = open_page("en/search.html?q=a+write+changes+the+original+tensor")
    wait(tab)
    page = tab.locator(".search-results > li").filter(
        has=tab.locator(f".search-title[href$='{PAGE}']")
    )
    section = page.locator(f".search-section:has(a[href$='#{SECTION}'])")
    assert section.locator("mark").count()
    assert page.locator(".search-where").inner_text().startswith("Script · ")
    section.locator("a").click()
    tab.wait_for_url(f"{server}en/{PAGE}#{SECTION}")


def test_a_chinese_excerpt_has_no_seams(open_page):
    """It is cut into pairs in the index, and on the screen as it is on the page."""
    tab = open_page("zh-cn/search.html?q=冻结参数")
    wait(tab)
    assert "冻结" in tab.locator(".search-results mark").all_inner_texts()
    excerpts = tab.locator(".search-results > li:first-child p:has(mark)")
    (article,) = read(CHINESE, addresses(tab)[0]).tree.xpath("//article")
    whole = "".join(article.text_content().split())
    for excerpt in excerpts.all_inner_texts():
        assert "".join(excerpt.strip("… ").split()) in whole


def test_everything_works_from_the_keyboard(open_page, server):
    """Down into the results, up into the field again, Enter to the first."""
    tab = open_page("en/index.html")
    tab.keyboard.press("/")
    ask(tab, "retain_grad")
    tab.keyboard.press("ArrowDown")
    assert focused(tab) == "search-title"
    tab.keyboard.press("ArrowDown")
    assert (
        tab.locator(".search-results a")
        .nth(1)
        .evaluate("link => link === document.activeElement")
    )
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("ArrowUp")
    assert focused(tab) == "search-field"
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{server}en/gallery/graph/retain_grad.html")


def test_enter_does_not_have_to_wait_for_the_results(open_page, server):
    """The first one opens when it is there."""
    tab = open_page("en/index.html")
    tab.keyboard.press("/")
    tab.keyboard.insert_text("retain_grad")
    tab.locator(".search-results[aria-busy=true]").wait_for(state="attached")
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{server}en/gallery/graph/retain_grad.html")


def test_results_are_filtered_by_chapter_and_kind(open_page):
    """As many as the filter said; and the way back is offered if none is left."""
    tab = open_page("en/search.html?q=detach")
    wait(tab)
    kinds, chapters = tab.locator("[name=kind]"), tab.locator("[name=chapter]")
    option = chapters.locator("option", has_text="What detach() cuts")
    number = int(re.search(r"\((\d+)\)", option.inner_text())[1])
    chapters.select_option(option.get_attribute("value"))
    wait(tab)
    assert len(addresses(tab)) == number
    assert all(address.startswith("gallery/detach/") for address in addresses(tab))
    kinds.select_option("script")
    wait(tab)
    assert "gallery/detach/index.html" not in addresses(tab)
    ask(tab, "gradguide.unfreeze")
    kinds.select_option("script")
    wait(tab)
    if tab.locator(".search-help button").is_visible():
        tab.locator(".search-help button").click()
        wait(tab)
        assert "reference/api.html" in addresses(tab)


def test_an_error_is_of_its_own_kind(open_page):
    """It leads to the section that explains it."""
    tab = open_page("zh-cn/search.html?q=optimizer got an empty parameter list")
    wait(tab)
    tab.locator("[name=kind]").select_option("error")
    wait(tab)
    assert addresses(tab)[0] == "reference/errors.html#nothing-to-train"


@EVERY_LANGUAGE
def test_a_query_that_finds_nothing_helps_on(open_page, language):
    """In the language of the page, with links that lead somewhere."""
    tab = open_page(f"{language.url}/search.html?q=qwertyuiop")
    wait(tab)
    helps = tab.locator(".search-help:visible")
    said = helps.inner_text() + tab.locator(".search [role=status]").inner_text()
    assert bool(HAN.search(said)) == (language == CHINESE)
    if language == CHINESE:
        assert not re.search("[a-z]", said)
    assert helps.locator("a").count() == 3
    helps.locator("a").first.click()
    tab.wait_for_url("**/reference/errors.html")


def test_the_number_of_results_is_announced(open_page):
    """To those who don't see them."""
    tab = open_page("en/search.html")
    ask(tab, "retain_grad")
    said = tab.locator(".search [role=status]").inner_text()
    assert re.fullmatch(r"(The best \d+ of )?\d+ pages", said)


def test_the_search_page_has_an_address_to_send(open_page):
    """With what was asked last."""
    tab = open_page("zh-cn/search.html?q=detach")
    ask(tab, "冻结参数")
    tab.reload()
    wait(tab)
    assert tab.locator(".search-field").input_value() == "冻结参数"
    assert addresses(tab)


def test_without_javascript_the_search_page_says_what_to_do(open_page):
    """The field in the sidebar leads to it."""
    tab = open_page("zh-cn/index.html", java_script_enabled=False)
    tab.locator(".sidebar-search").fill("detach")
    tab.locator(".sidebar-search").press("Enter")
    assert "/zh-cn/search.html?q=detach" in tab.url
    assert "JavaScript" in tab.locator("article").inner_text()
    assert tab.locator(".search").is_hidden()
