"""Everything that a finished page shows and says without a browser, page by page."""

import gzip
import json
import re
from functools import cache
from itertools import pairwise
from urllib.parse import urlsplit

from PIL import Image

from gradguide_site.project import CHINESE, LANGUAGES, script_of

from .pages import EVERY_PAGE, HAN, NAMES, PROJECT, SITE, read

ENGLISH_SENTENCE = re.compile(r"(?:\b[A-Za-z][a-z']*[ ,]+){4,}[a-z]+")
"""Five English words in a row."""

NOT_PROSE = {"pre", "code", "script", "style", "cite"}
NOT_PROSE_CLASSES = {"highlight", "output_html", "sig", "external"}
SHOWN = ("title", "aria-label", "alt", "tooltip", "placeholder")
"""Attributes that a reader sees or hears."""

WEIGHT = 60_000
"""Bytes of a page with its scripts and styles, compressed; figures come on top."""

DATE = re.compile(r"\d{4}-\d\d-\d\d")
RE = {"re": "http://exslt.org/regular-expressions"}

NAMED = "//a[@href] | //button | //aside | //nav | //dialog | //input[@type!='hidden']"
"""Elements that a reader who can't see knows by their name."""


@EVERY_PAGE
def test_a_page_has_no_fault(language, name):
    """Language, description, headings, pictures, links and weight are in order."""
    page = read(language, name)
    assert [fault for check in CHECKS for fault in check(page)] == []


def _foreign_words(page):
    """Prose is in one language; names and PyTorch's own messages are quoted."""
    for text in _prose(page.tree):
        if not page.is_chinese and HAN.search(text):
            yield f"Chinese: {text!r}"
        for sentence in ENGLISH_SENTENCE.findall(text):
            if page.is_chinese and sentence not in _printed():
                yield f"English: {sentence!r}"


def _prose(element):
    """Yield each text that is no code and no output, in no other language."""
    if not isinstance(element.tag, str):
        return
    other = element.get("lang") and element.tag != "html"
    classes = NOT_PROSE_CLASSES.intersection(element.classes)
    if element.tag in NOT_PROSE or classes or other:
        return
    yield from (element.get(name) for name in SHOWN if element.get(name))
    yield element.text or ""
    for child in element:
        yield from _prose(child)
        yield child.tail or ""


@cache
def _printed():
    """Return what scripts printed, and the titles of errors, which quote messages."""
    outputs = [" ".join(read(CHINESE, name).outputs) for name in NAMES[CHINESE]]
    errors = (name for name in NAMES[CHINESE] if name.startswith("reference/errors/"))
    titles = [read(CHINESE, name).tree.xpath("string(//h1)") for name in errors]
    return " ".join(" ".join([*outputs, *titles]).split())


def _twins(page):
    """The page names its twins to search engines, and a person can follow them."""
    address = {one: f"{PROJECT.address}{one.url}/{page.name}" for one in LANGUAGES}
    expected = {one.tag: address[one] for one in LANGUAGES}
    expected["x-default"] = address[LANGUAGES[0]]
    links = page.tree.xpath("//link[@hreflang]")
    if {link.get("hreflang"): link.get("href") for link in links} != expected:
        yield "the twins are wrong"
    if page.tree.xpath("//link[@rel='canonical']/@href") != [address[page.language]]:
        yield "the canonical address is wrong"
    if page.tree.get("lang") != page.language.tag:
        yield "the lang is wrong"
    (other,) = set(LANGUAGES) - {page.language}
    switches = [link.get("href") for link in page.tree.find_class("language-link")]
    if [page.target(link) for link in switches] != [SITE / other.url / page.name] * 2:
        yield f"the switches of language lead to {switches}"


def _metadata(page):
    """A search result or a shared link says what the page is, in its language."""
    said = page.meta("description")
    if not 10 < len(said) <= 160 or bool(HAN.search(said)) != page.is_chinese:
        yield f"the description is {said!r}"
    if not page.meta("og:title"):
        yield "no og:title"
    data = json.loads(page.tree.xpath("string(//script[contains(@type, 'ld+json')])"))
    address = f"{PROJECT.address}{page.language.url}/{page.name}"
    if (data["inLanguage"], data["url"]) != (page.language.tag, address):
        yield f"the structured data is {data}"
    if page.name != "search.html":
        card = SITE / page.meta("og:image").removeprefix(PROJECT.address)
        with Image.open(card) as image:
            if image.size != (1200, 630):
                yield f"the card has {image.size} pixels"
        (twin,) = page.tree.xpath("//link[@type='text/markdown']/@href")
        if not page.target(twin).exists():
            yield "no Markdown twin"
    (updated,) = page.tree.find_class("last-updated")
    if not DATE.search(updated.text_content()):
        yield "no date"


def _headings(page):
    """One title, and no level left out; a quoted heading is what PyTorch printed."""
    headings = page.tree.xpath(
        "//article//*[re:test(name(), '^h[1-6]$')]", namespaces=RE
    )
    levels = [int(heading.tag[1]) for heading in headings]
    if levels.count(1) != 1 or levels[:1] != [1]:
        yield f"the titles are at {levels}"
    if any(deeper > level + 1 for level, deeper in pairwise(levels)):
        yield f"a level of headings is left out: {levels}"
    printed = " ".join(" ".join(page.outputs).split())
    for heading in headings:
        for quoted in re.findall(r"\"(.{20,}?)\"", heading.text_content()):
            if quoted.removesuffix(" ...") not in printed:
                yield f"{quoted!r} was not printed here"


def _script_page(page):
    """It shows an output and a figure, and what a reader can do with the script."""
    script = script_of(page.name.removesuffix(".html"))
    if not script:
        return
    figures = page.tree.find_class("sphx-glr-single-img")
    if not page.outputs and not figures:
        yield "neither output nor figure"
    for alt in (figure.get("alt", "") for figure in figures):
        if len(alt) <= (10 if page.is_chinese else 20) or "``" in alt:
            yield f"the text of a figure is {alt!r}"
    (bar,) = page.tree.find_class("page-bar")
    chapter, name = script.split("/")
    place = f"{page.language.url}/{page.name.removesuffix('.html')}"
    expected = [
        rf"{name}\.py",
        rf"{name}\.ipynb",
        rf"{chapter}\.zip",
        rf"https://colab\.research\..*/{place}\.ipynb",
        rf"https://.*/examples/{script}\.py",
        r"https://.*/issues/new\?.*",
    ]
    links = bar.xpath(".//a/@href")
    if not all(map(re.fullmatch, expected, links)) or len(links) != len(expected):
        yield f"the bar leads to {links}"
    words = bar.text_content()
    checked = "已用 PyTorch 2." if page.is_chinese else "Checked with PyTorch 2."
    if checked not in words or not DATE.search(words):
        yield f"the bar says {words!r}"
    for unwanted in ("sphx-glr-download-link-note", "sphx-glr-footer"):
        if page.tree.find_class(unwanted):
            yield f"sphinx-gallery's own links: {unwanted}"


def _names(page):
    """What axe would find in the content: names, ids, lists, tables."""
    ids = page.tree.xpath("//@id")
    yield from (f"id {one} twice" for one in set(ids) if ids.count(one) > 1)
    yield from (f"no alt: {src}" for src in page.tree.xpath("//img[not(@alt)]/@src"))
    for element in page.tree.xpath(NAMED):
        inside = element.xpath(".//@alt | .//@aria-label")
        names = [element.get("aria-label"), element.get("title"), *inside]
        label = page.tree.xpath("string(//label[@for=$id])", id=element.get("id", ""))
        text = element.text_content() if element.tag in ("a", "button") else ""
        if not "".join(filter(None, [*names, label, text])).strip():
            yield f"no name: {element.tag} {dict(element.attrib)}"
    for table in page.tree.xpath("//article//table[not(.//th)]"):
        yield f"no header: {table.text_content()[:40]!r}"
    for odd in page.tree.xpath("//*[self::ul or self::ol]/*[not(self::li)]"):
        yield f"{odd.tag} in a list"
    for odd in page.tree.xpath("//dl/*[not(self::dt or self::dd or self::div)]"):
        yield f"{odd.tag} in a list of definitions"


def _files(page):
    """All that the page loads is on the site, and it is light."""
    loaded = page.tree.xpath(
        "//script/@src | //link[contains(@rel, 'stylesheet') or contains(@rel, 'icon')]"
        "/@href | //img/@src | //source/@srcset | //iframe/@src"
    )
    elsewhere = [file for file in loaded if urlsplit(file).netloc]
    yield from (f"from another host: {file}" for file in elsewhere)
    files = [page.target(file.partition("?")[0]) for file in loaded]
    code = [file for file in files if file.suffix in (".css", ".js")]
    weight = sum(map(_compressed, [page.path, *code]))
    if weight > WEIGHT or len(code) > 20:
        yield f"{weight} bytes in {len(loaded)} files"


@cache
def _compressed(path):
    return len(gzip.compress(path.read_bytes()))


CHECKS = [_foreign_words, _twins, _metadata, _headings, _script_page, _names, _files]
