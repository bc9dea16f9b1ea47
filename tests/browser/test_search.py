"""The search, as a reader uses it."""

import re

import pytest

from gradguide_site.project import CHINESE
from tests.site.pages import EVERY_LANGUAGE, HAN, SITE, read

from .searching import addresses, ask, wait

PAGE = "gallery/three-ways/detach_cuts_one_tensor.html"
SECTION = "what-does-detach-cut"
RETAIN = "gallery/graph/retain_grad.html"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def is_loaded(tab):
    """Whether the tab has asked for a part of the search."""
    return any("pagefind" in url or "worker" in url for url in tab.requests)


def focused(tab, attribute="className"):
    """Return the class of the element that has the focus, or another attribute."""
    return tab.evaluate(f"document.activeElement.{attribute}")


def status(tab):
    """Return what the search says to a reader who can't see the results."""
    return tab.locator(".search [role=status]").inner_text()


# Opening and closing


@pytest.mark.parametrize("key", ["/", "Control+k", "Meta+k"])
def test_a_key_opens_the_search_and_escape_closes_it(open_page, key):
    """The focus goes into the field, and back to where it was."""
    tab = open_page(f"en/{PAGE}")
    tab.locator("article a.reference").first.focus()
    before = focused(tab, "href")
    tab.keyboard.press(key)
    assert tab.locator(".search-dialog").is_visible()
    assert focused(tab) == "search-field"
    assert tab.locator(".search-field").input_value() == ""
    tab.keyboard.insert_text("detach")
    tab.keyboard.press("Escape")
    assert tab.locator(".search-dialog").is_hidden()
    assert focused(tab, "href") == before


def test_the_field_in_the_sidebar_opens_the_search(open_page):
    """A click opens it, or Enter with what was typed; a slash there is a slash."""
    tab = open_page("en/index.html")
    field = tab.locator(".sidebar-search")
    field.focus()
    tab.keyboard.press("/")
    assert field.input_value() == "/"
    assert tab.locator(".search-dialog").is_hidden()
    field.click()
    assert focused(tab) == "search-field"
    tab.mouse.click(5, 5)
    assert tab.locator(".search-dialog").is_hidden()
    field.fill("retain_grad")
    tab.keyboard.press("Enter")
    wait(tab)
    assert tab.locator(".search-field").input_value() == "retain_grad"
    assert RETAIN in addresses(tab)


def test_on_a_phone_a_button_opens_the_search_over_the_whole_screen(open_page):
    """All that can be touched is large enough, and nothing is wider than the screen."""
    tab = open_page(f"zh-cn/{PAGE}", **PHONE)
    tab.locator(".search-open").tap()
    assert focused(tab) == "search-field"
    ask(tab, "冻结参数")
    box = tab.locator(".search-dialog").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 844}
    assert tab.locator(".search-results").evaluate("e => e.scrollWidth") <= 390
    touched = ".search-field, .search-dialog :is(select, button), .search-hit"
    for target in tab.locator(touched).all():
        assert target.is_hidden() or target.bounding_box()["height"] >= 44
    tab.locator(".search-close").tap()
    assert tab.locator(".search-dialog").is_hidden()


# Loading


def test_nothing_is_loaded_before_something_is_asked(open_page):
    """Neither the page nor the dialog loads the search; the policy lets it run."""
    tab = open_page(f"en/{PAGE}")
    tab.keyboard.press("/")
    tab.wait_for_load_state("networkidle")
    assert not is_loaded(tab)
    ask(tab, "detach")
    assert is_loaded(tab)
    assert addresses(tab)
    assert tab.errors == []


def test_a_page_that_was_opened_as_a_file_says_what_is_missing(open_page):
    """A browser runs no worker from a file."""
    tab = open_page("en/index.html")
    tab.goto((SITE / "zh-cn/index.html").as_uri())
    tab.keyboard.press("/")
    ask(tab, "detach")
    assert "python -m http.server" in status(tab)
    assert HAN.search(status(tab))


def test_an_index_that_is_not_there_is_said(open_page):
    """The search works again as soon as the index is there."""
    tab = open_page("en/index.html")
    tab.context.route("**/*.pf_meta", lambda route: route.abort())
    tab.keyboard.press("/")
    ask(tab, "detach")
    assert "could not be loaded" in status(tab)
    tab.context.unroute("**/*.pf_meta")
    ask(tab, "detach")
    assert addresses(tab)


def test_without_javascript_the_search_page_says_what_to_do(open_page):
    """The field in the sidebar leads to it."""
    tab = open_page("zh-cn/index.html", java_script_enabled=False)
    tab.locator(".sidebar-search").fill("detach")
    tab.locator(".sidebar-search").press("Enter")
    assert "/zh-cn/search.html?q=detach" in tab.url
    assert "JavaScript" in tab.locator("article").inner_text()
    assert tab.locator(".search").is_hidden()


# Results


def test_results_are_grouped_by_page_with_headings_and_marks(open_page, server):
    """A section has its own link and excerpt, as the reader would see it."""
    tab = open_page("en/search.html?q=what+does+detach+cut")
    wait(tab)
    title = tab.locator(f".search-title[href$='{PAGE}']")
    page = tab.locator(".search-results > li").filter(has=title)
    section = page.locator(f".search-section:has(a[href$='#{SECTION}'])")
    assert section.locator("mark").count()
    assert page.locator(".search-where").inner_text().startswith("Script · ")
    section.locator("a").click()
    tab.wait_for_url(f"{server}en/{PAGE}#{SECTION}")


def test_a_chinese_excerpt_has_no_seams(open_page):
    """The index has it cut into pairs; the screen shows it as the page does."""
    tab = open_page("zh-cn/search.html?q=冻结参数")
    wait(tab)
    assert "冻结" in tab.locator(".search-results mark").all_inner_texts()
    excerpts = tab.locator(".search-results > li:first-child p:has(mark)")
    (article,) = read(CHINESE, addresses(tab)[0]).tree.xpath("//article")
    whole = "".join(article.text_content().split())
    for excerpt in excerpts.all_inner_texts():
        assert "".join(excerpt.strip("… ").split()) in whole


def test_everything_works_from_the_keyboard(open_page, server):
    """Arrows lead into the results and back to the field, Enter to the first result."""
    tab = open_page("en/index.html")
    tab.keyboard.press("/")
    ask(tab, "retain_grad")
    tab.keyboard.press("ArrowDown")
    assert focused(tab) == "search-title"
    tab.keyboard.press("ArrowDown")
    second = tab.locator(".search-results a").nth(1)
    assert second.evaluate("link => link === document.activeElement")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("ArrowUp")
    assert focused(tab) == "search-field"
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{server}en/{RETAIN}")


def test_enter_does_not_have_to_wait_for_the_results(open_page, server):
    """The first result opens when it is there."""
    tab = open_page("en/index.html")
    tab.keyboard.press("/")
    tab.keyboard.insert_text("retain_grad")
    tab.locator(".search-results[aria-busy=true]").wait_for(state="attached")
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{server}en/{RETAIN}")


def test_results_are_filtered_by_chapter_and_kind(open_page):
    """A filter leaves as many as it said, and an empty one offers the way back."""
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
    """The result leads to the page that explains it."""
    tab = open_page("zh-cn/search.html?q=optimizer got an empty parameter list")
    wait(tab)
    tab.locator("[name=kind]").select_option("error")
    wait(tab)
    assert addresses(tab)[0] == (
        "reference/errors/optimizer_got_an_empty_parameter_list.html"
    )


@pytest.mark.parametrize(
    ("piece", "page"),
    [
        (
            "output 0 of ReluBackward0, is at version 3; expected version 0 instead",
            "modified_by_an_inplace_operation",
        ),
        (  # it is only in a heading of the page
            "Parameter indices which did not receive grad for rank 0: 197 198",
            "expected_to_have_finished_reduction",
        ),
    ],
)
def test_a_piece_of_an_error_leads_to_its_page(open_page, piece, page):
    """Readers paste the end of a message, with numbers of their own."""
    tab = open_page("en/search.html")
    ask(tab, piece)
    assert addresses(tab)[0] == f"reference/errors/{page}.html"


@EVERY_LANGUAGE
def test_a_query_that_finds_nothing_helps_on(open_page, language):
    """The help is in the language of the page, and its links lead somewhere."""
    tab = open_page(f"{language.url}/search.html?q=qwertyuiop")
    wait(tab)
    helps = tab.locator(".search-help:visible")
    said = helps.inner_text() + status(tab)
    assert bool(HAN.search(said)) == (language == CHINESE)
    assert bool(re.search("[a-z]", said)) == (language != CHINESE)
    assert helps.locator("a").count() == 3
    helps.locator("a").first.click()
    tab.wait_for_url("**/reference/errors.html")


@EVERY_LANGUAGE
def test_the_search_page_has_an_address_to_send(open_page, language):
    """It holds what was asked last, and the number of results is announced."""
    tab = open_page(f"{language.url}/search.html?q=detach")
    ask(tab, "retain_grad")
    announced = (
        r"\d+ 个页面|共 \d+ 个页面，这里是最相关的 \d+ 个"
        if language == CHINESE
        else r"(The best \d+ of )?\d+ pages"
    )
    assert re.fullmatch(announced, status(tab))
    tab.reload()
    wait(tab)
    assert tab.locator(".search-field").input_value() == "retain_grad"
    assert addresses(tab)
