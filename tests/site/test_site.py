"""The finished site as a whole: both languages, and what machines read."""

import re
import zipfile
from collections import Counter

import pytest
from lxml import etree, html

from gradguide._watch.known_errors import NAMES as NAMES_OF_ERRORS
from gradguide_site.errors.texts import messages, slug
from gradguide_site.project import (
    CHINESE,
    ENGLISH,
    LANGUAGES,
    Project,
    page_of,
)
from gradguide_site.publish import inspection

from .pages import EVERY_LANGUAGE, NAMES, PROJECT, SITE, read

SCRIPTS = {page_of(path).as_posix() for path in PROJECT.scripts()}
IMPORT = re.compile(r"^(?:import|from) [\w.]+(?: import .*)?$", re.MULTILINE)


class Published(Project):
    """The checkout, with the published site in the place of the candidate."""

    candidate = Project.site


def test_the_published_site_passes_the_inspection_of_the_build():
    """Both languages have the same pages, outputs and anchors, and no link is dead."""
    inspection.inspect(Published(PROJECT.root))


def test_the_pages_that_a_reader_expects_are_there():
    """Each script has its page, and the pages around the gallery have their names."""
    names = set(NAMES[ENGLISH])
    assert {f"{script}.html" for script in SCRIPTS} <= names
    assert {"index.html", "search.html", "gallery/index.html"} <= names
    start = ("install", "tour", "card", "reading")
    assert {f"start/{name}.html" for name in start} <= names


def test_both_languages_have_the_same_files_and_as_much_to_search():
    """No page, download, figure or entry of the search is in one language only."""
    english, chinese = (
        Counter(
            path.suffix if "pagefind" in path.parts else path.relative_to(root)
            for path in root.rglob("*")
            if "_static" not in path.parts
        )
        for root in (SITE / ENGLISH.url, SITE / CHINESE.url)
    )
    for counted in (english, chinese):
        del counted[".pf_index"], counted[".pf_filter"]  # cut by size
    assert english == chinese
    assert english[".pf_fragment"] > len(SCRIPTS)


@EVERY_LANGUAGE
def test_the_gallery_shows_a_picture_of_each_page(language):
    """No card has the empty thumbnail."""
    cards = read(language, "gallery/index.html").tree.find_class(
        "sphx-glr-thumbcontainer"
    )
    assert len(cards) == sum(page.startswith("gallery/") for page in SCRIPTS)
    for card in cards:
        (picture,) = card.xpath(".//img/@src")
        assert picture.endswith("_thumb.svg")
        assert "`" not in card.get("tooltip")


@EVERY_LANGUAGE
def test_descriptions_differ_from_page_to_page(language):
    """A search result that says the same of each page says nothing."""
    said = [read(language, f"{script}.html").meta("description") for script in SCRIPTS]
    assert len(set(said)) == len(said)


def test_the_sitemap_lists_every_page_with_its_twin():
    """The search is not listed: it is no page to find."""
    sitemap = etree.parse(SITE / "sitemap.xml").getroot()
    listed = {url[0].text: {link.get("href") for link in url[2:]} for url in sitemap}
    assert listed == {
        f"{PROJECT.address}{language.url}/{name}": {
            f"{PROJECT.address}{twin.url}/{name}" for twin in LANGUAGES
        }
        for language, names in NAMES.items()
        for name in names
        if name != "search.html"
    }


@pytest.mark.parametrize("name", ["index.html", "404.html"])
def test_the_root_pages_offer_both_languages_without_a_script(name):
    """Readers without JavaScript follow plain links."""
    page = html.fromstring((SITE / name).read_bytes())
    links = {link.split("/")[-2] for link in page.xpath("//main//a/@href")}
    assert links == {"en", "zh-cn"}


def test_a_markdown_twin_holds_code_outputs_and_links():
    """Code and output are fenced, and links lead to other twins."""
    folder = SITE / "zh-cn/gallery/freezing"
    text = (folder / "freeze_by_name.md").read_text("utf-8")
    assert text.startswith("# ")
    assert "```python\nimport re\n" in text
    assert "\n\n\ndef frozen_by(" in text
    assert "```text\nAttributeError: " in text
    for target in re.findall(r"\]\(([^):#]+\.md)(?:#[^)]*)?\)", text):
        assert (folder / target).resolve().exists()


@EVERY_LANGUAGE
def test_llms_txt_lists_every_page(language):
    """Each page has its Markdown twin and a description there."""
    text = (SITE / language.url / "llms.txt").read_text("utf-8")
    listed = re.findall(rf"\({re.escape(PROJECT.address)}(\S+?\.md)\): \S", text)
    assert all((SITE / path).exists() for path in listed)
    assert {f"{language.url}/{script}.md" for script in SCRIPTS} <= set(listed)
    assert f"{language.url}/llms.txt" in (SITE / "llms.txt").read_text("utf-8")


@EVERY_LANGUAGE
def test_the_book_holds_every_page_and_figure(language):
    """Its type comes first and uncompressed, as EPUB prescribes."""
    with zipfile.ZipFile(SITE / language.url / "gradguide.epub") as book:
        names = set(book.namelist())
        first = book.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        package = etree.fromstring(book.read("content.opf"))
        spoken = package.findtext(".//{http://purl.org/dc/elements/1.1/}language")
        assert spoken == language.tag
        for script in PROJECT.scripts():
            page = page_of(script).as_posix()
            tree = etree.fromstring(book.read(f"{page}.xhtml"))
            assert tree.get("lang") == language.tag
            for address in tree.xpath("//*[local-name()='img']/@src"):
                assert f"_images/{address.rpartition('/')[2]}" in names
            source = (PROJECT.examples / script).read_text("utf-8")
            shown = "".join(tree.itertext())
            assert [line for line in IMPORT.findall(source) if line not in shown] == []
        assert not [name for name in names if name.endswith((".js", "search.xhtml"))]


@EVERY_LANGUAGE
def test_the_book_has_no_section_that_only_the_site_needs(language):
    """It has no search, no downloads and no switch of language, nor links to them."""
    with zipfile.ZipFile(SITE / language.url / "gradguide.epub") as book:
        contents = book.read("nav.xhtml").decode() + book.read("toc.ncx").decode()
        found = 0
        for name in NAMES[language]:
            for section in read(language, name).tree.find_class("site-only"):
                page = name.replace(".html", ".xhtml")
                tree = etree.fromstring(book.read(page))
                assert section.get("id") not in tree.xpath("//@id")
                assert f"{page}#{section.get('id')}" not in contents
                found += 1
    assert found > 3


def test_robots_may_read_everything():
    """They are told where the sitemap is."""
    text = (SITE / "robots.txt").read_text()
    assert "Allow: /" in text
    assert text.endswith(f"Sitemap: {PROJECT.address}sitemap.xml\n")


def test_the_command_knows_the_page_of_each_error():
    """Warnings don't stop a script, and four errors are not only PyTorch's."""
    errors = [
        script.stem
        for script in PROJECT.scripts()
        if script.parts[0] == "errors" and _is_about_an_error(script)
    ]
    not_only_of_torch = {
        "net_has_no_attribute",
        "must_match_the_size_of_tensor_b",
        "bool_object_is_not_callable",
        "nonetype_object_has_no_attribute",
    }
    assert set(NAMES_OF_ERRORS) == set(errors) - not_only_of_torch


def _is_about_an_error(script):
    """Whether a message that has the name of the page is an error, not a warning."""
    return any(
        script.stem in slug(message.text) and not message.is_warning
        for output in read(ENGLISH, f"{page_of(script)}.html").outputs
        for message in messages(output.split("\n"))
    )
