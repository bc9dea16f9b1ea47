"""What search engines, assistants, shared links and reading devices find."""

import json
import re
import zipfile
from urllib.parse import urlsplit

import pytest
from lxml import etree
from PIL import Image

from gradguide_site.project import CHINESE, LANGUAGES

from .conftest import PROJECT

BY_URL = pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.url)


def meta(page, name):
    """Return what a page says of itself."""
    found = page.soup.select_one(f'meta[name="{name}"], meta[property="{name}"]')
    return found["content"]


def test_a_page_says_what_it_is(language, name, page_of, site):
    """A description in its language, an address, a card, and structured data."""
    page = page_of(language, name)
    said = meta(page, "description")
    assert 10 < len(said) <= 160
    assert bool(re.search("[一-鿿]", said)) == (language == CHINESE)
    assert meta(page, "og:title")
    address = f"{PROJECT.address}{language.url}/{name}"
    assert page.soup.select_one('link[rel="canonical"]')["href"] == address
    data = json.loads(page.soup.select_one('script[type$="ld+json"]').string)
    assert data["inLanguage"] == language.tag
    assert data["url"] == address
    if name != "search.html":
        card = meta(page, "og:image").removeprefix(PROJECT.address)
        with Image.open(site / card) as image:
            assert image.size == (1200, 630)
        twin = page.soup.select_one('link[type="text/markdown"]')["href"]
        assert (site / language.url / name).parent.joinpath(twin).exists()


def test_descriptions_differ_from_page_to_page(page_of, site):
    """A search result that says the same of each page says nothing."""
    for language in LANGUAGES:
        names = [
            path.relative_to(site / language.url).as_posix()
            for path in (site / language.url / "gallery").glob("*/*.html")
        ]
        said = [meta(page_of(language, name), "description") for name in names]
        assert len(set(said)) == len(said)


def test_a_markdown_twin_holds_code_outputs_and_links(site):
    """Of a gallery page: its code fenced, its output, and links to other twins."""
    folder = site / "zh-cn/gallery/freezing"
    text = (folder / "freeze_by_name.md").read_text("utf-8")
    assert text.startswith("# ")
    assert "```python\nimport re\n" in text
    assert "\n\n\ndef frozen_by(" in text
    assert "```text\nAttributeError: " in text
    for target in re.findall(r"\]\(([^):#]+\.md)(?:#[^)]*)?\)", text):
        assert (folder / target).resolve().exists()


@BY_URL
def test_llms_txt_lists_every_page(language, site):
    """Each in the order of the navigation, by its Markdown twin."""
    text = (site / language.url / "llms.txt").read_text("utf-8")
    listed = re.findall(rf"\({re.escape(PROJECT.address)}(\S+?\.md)\): \S", text)
    assert all((site / path).exists() for path in listed)
    pages = {f"gallery/{path.with_suffix('.md')}" for path in PROJECT.scripts()}
    assert {f"{language.url}/{page}" for page in pages} <= set(listed)
    assert f"{language.url}/llms.txt" in (site / "llms.txt").read_text("utf-8")


@BY_URL
def test_the_book_holds_every_page_and_figure(language, site):
    """As EPUB prescribes: the type first and plain, every link inside answered."""
    with zipfile.ZipFile(site / language.url / "gradguide.epub") as book:
        names = set(book.namelist())
        first = book.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        package = etree.fromstring(book.read("content.opf"))
        spoken = package.findtext(".//{http://purl.org/dc/elements/1.1/}language")
        assert spoken == language.tag
        for script in PROJECT.scripts():
            page = f"gallery/{script.with_suffix('.xhtml')}"
            tree = etree.fromstring(book.read(page))
            assert tree.get("lang") == language.tag
            for address in tree.xpath("//*[local-name()='img']/@src"):
                assert f"_images/{address.rpartition('/')[2]}" in names
            text = "".join(tree.itertext())
            assert "import torch" in text
        assert not [name for name in names if name.endswith((".js", "search.xhtml"))]


def test_robots_may_read_everything(site):
    """And find the sitemap."""
    text = (site / "robots.txt").read_text()
    assert "Allow: /" in text
    assert urlsplit(text.split("Sitemap: ")[1].strip()).path.endswith("/sitemap.xml")
