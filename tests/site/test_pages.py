"""The finished HTML, page by page and language against language."""

import re

import pytest
from bs4 import BeautifulSoup

from gradguide_site.project import CHINESE, ENGLISH
from gradguide_site.publish import inspection

from .conftest import PROJECT, Page, language_pages

ENGLISH_SENTENCE = re.compile(r"(?:\b[A-Za-z][a-z']+[ ,]+){4,}[a-z]+")
"""Five English words in a row."""


def prose(page):
    """Return the text of a page that is no code, no output, in no other language."""
    soup = BeautifulSoup(str(page.soup), "lxml")
    for node in soup.select(
        "pre, code, .highlight, .output_html, .sig, script, style, cite,"
        "[lang]:not(html), a.external"
    ):
        node.decompose()
    hints = soup.select("[title], [aria-label], [alt], [tooltip], [placeholder]")
    attributes = ("title", "aria-label", "alt", "tooltip", "placeholder")
    return [
        *soup.stripped_strings,
        *(node[name] for node in hints for name in attributes if name in node.attrs),
    ]


def test_the_site_passes_its_own_inspection():
    """Same pages, outputs and anchors in both languages; no dead link."""
    inspection.inspect(PROJECT)


def test_both_languages_have_the_chapter_and_the_pages_around_it(site):
    """The pages that a reader expects are there."""
    names = {name for language, name in language_pages() if language == ENGLISH}
    scripts = {f"gallery/{path.with_suffix('.html')}" for path in PROJECT.scripts()}
    assert scripts <= names
    assert {"index.html", "search.html", "gallery/index.html"} <= names
    assert {"start/install.html", "start/tour.html", "start/reading.html"} <= names


@pytest.fixture(scope="session")
def printed(site):
    """All that scripts printed: PyTorch's own messages are quoted on many pages."""
    pages = (site / CHINESE.url / "gallery").glob("*/*.html")
    outputs = (output for page in pages for output in Page(page).outputs)
    return " ".join(" ".join(outputs).split())


def test_a_chinese_page_holds_no_english_sentence(language, name, page_of, printed):
    """But for code, names and PyTorch's own messages, and the titles of sources."""
    if language != CHINESE:
        return
    english = [
        sentence
        for text in prose(page_of(language, name))
        for sentence in ENGLISH_SENTENCE.findall(text)
        if sentence not in printed
    ]
    assert not english


def test_an_english_page_holds_no_chinese(language, name, page_of):
    """But for the name of the other language."""
    if language == ENGLISH:
        found = [t for t in prose(page_of(language, name)) if re.search("[一-鿿]", t)]
        assert not found


def test_a_page_tells_its_language_and_its_twins(language, name, page_of):
    """lang, hreflang with x-default, and a link that a person can follow."""
    soup = page_of(language, name).soup
    assert soup.html["lang"] == language.tag
    twins = {link["hreflang"]: link["href"] for link in soup.select("link[hreflang]")}
    assert set(twins) == {"en", "zh-CN", "x-default"}
    assert all(address.startswith(PROJECT.address) for address in twins.values())
    assert len(soup.select("a.language-link")) == 2  # in the header, and at the top


def test_a_page_has_one_title_and_says_when_it_was_made(language, name, page_of):
    """One h1; the date is that of the commit."""
    soup = page_of(language, name).soup
    assert len(soup.select("h1")) == 1 or name == "gallery/index.html"
    assert re.search(r"\d{4}-\d\d-\d\d", soup.select_one(".last-updated").get_text())


def test_each_gallery_page_shows_an_output_and_a_figure(language, name, page_of):
    """Nothing on the page of a script is typed by hand, and there is a picture."""
    if re.fullmatch(r"gallery/[\w-]+/(?!index)\w+\.html", name):
        page = page_of(language, name)
        assert page.outputs or page.soup.select("img.sphx-glr-single-img")
        for image in page.soup.select("img.sphx-glr-single-img"):
            assert len(image["alt"]) > (10 if language == CHINESE else 20)
            assert "``" not in image["alt"]


def test_the_gallery_shows_a_picture_of_each_page(site):
    """No card has the empty thumbnail."""
    for language in (ENGLISH, CHINESE):
        soup = Page(site / language.url / "gallery/index.html").soup
        cards = soup.select(".sphx-glr-thumbcontainer")
        assert len(cards) == len(PROJECT.scripts())
        assert all(card.img["src"].endswith(".svg") for card in cards)
        assert not any("`" in card["tooltip"] for card in cards)


def test_a_quoted_heading_is_a_message_that_was_printed(language, name, page_of):
    """A heading in quotation marks is what a reader pastes; PyTorch said it here."""
    page = page_of(language, name)
    printed = " ".join(" ".join(page.outputs).split())
    for heading in page.soup.select("article h2, article h3"):
        for quoted in re.findall(r"\"(.{20,}?)\"", heading.get_text()):
            assert quoted.removesuffix(" ...") in printed


def test_the_sitemap_lists_every_page_with_its_twin(site):
    """But for the search, which is no page to find."""
    locations = re.findall("<loc>(.*?)</loc>", (site / "sitemap.xml").read_text())
    wanted = {
        f"{PROJECT.address}{language.url}/{name}"
        for language, name in language_pages()
        if name != "search.html"
    }
    assert set(locations) == wanted


@pytest.mark.parametrize("name", ["index.html", "404.html"])
def test_the_root_pages_offer_both_languages_without_a_script(site, name):
    """Plain links, for whoever has no JavaScript."""
    soup = BeautifulSoup((site / name).read_text("utf-8"), "lxml")
    links = {link["href"].split("/")[-2] for link in soup.select("main a")}
    assert links == {"en", "zh-cn"}
