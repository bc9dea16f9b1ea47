"""Make the search index of each language from its finished pages.

Pagefind finds what stands between spaces. So a text is cut before it is indexed, and
``search/words.js`` cuts a query in the same way: ``torch.no_grad()`` into ``torch`` and
``no_grad``, and Chinese, which has no spaces, into all its pairs of neighbours:
冻结参数 is 冻结, 结参 and 参数.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from lxml import html
from lxml.html import HtmlElement

from gradguide_site.chinese import CHARACTER
from gradguide_site.project import GALLERY, LANGUAGES, PipelineError

LATIN = rf"[^\W{CHARACTER}]"

PAIR = re.compile(rf"([{CHARACTER}])(?=([{CHARACTER}]))")
EDGE = re.compile(
    rf"(?<=[^\w\s])(?=\w)|(?<=\w)(?=[^\w\s!-~])"
    rf"|(?<=[{CHARACTER}])(?={LATIN})|(?<={LATIN})(?=[{CHARACTER}])"
)
"""Where a word begins or ends, and Pagefind would not see it."""

JOINT = "|~ "
"""What is put there: ``search/excerpts.js`` takes it out again.

Pagefind drops ASCII punctuation from words; of any other it makes words of their own.
"""

HEADINGS = {"h1", "h2", "h3"}
INLINE = {
    *("a", "abbr", "b", "cite", "code", "dfn", "em", "i", "kbd", "mark", "q", "small"),
    *("span", "strong", "sub", "sup"),
}
NOT_SEARCHED = {"headerlink", "page-bar", "sphx-glr-thumbnails", "tags"}


def index(site: Path) -> None:
    """Write an index into the folder of each language.

    Raises:
        PipelineError: Pagefind can't make it.
    """
    with TemporaryDirectory() as folder:
        processes = [
            _start(site / language.url, Path(folder, language.url))
            for language in LANGUAGES
        ]
        for process in processes:
            said, _ = process.communicate()
            if process.returncode:
                raise PipelineError(f"Pagefind can't make the search index:\n{said}")
    for suffix in ("css", "js"):  # interfaces other than ours
        for unused in site.glob(f"*/pagefind/pagefind-*.{suffix}"):
            unused.unlink()


def cut(text: str) -> str:
    """Return a text with a space on either side of every word, and Chinese in pairs."""
    return PAIR.sub(rf"\1\2{JOINT}", EDGE.sub(JOINT, text))


def _start(pages: Path, folder: Path) -> subprocess.Popen[str]:
    """Start Pagefind on all that can be found in one language.

    To Pagefind it is all English: it would cut Chinese in its own way otherwise.
    """
    for address, content in _records(pages):
        record = folder / address
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(content, "utf-8")
    command = [
        *(sys.executable, "-m", "pagefind"),
        *("--site", str(folder)),
        *("--output-path", str(pages / "pagefind")),
        *("--force-language", "en"),
        *("--glob", "**/*"),  # a section is named after its anchor: errors.html#anchor
        "--keep-index-url",  # as the links of the site do
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _records(pages: Path) -> Iterator[tuple[str, str]]:
    """Yield the address and the content of each page, as Pagefind is to read it.

    A section that explains a message is a page of its own.
    """
    chapters = _chapters(pages / "index.html")
    for page in sorted(pages.rglob("*.html")):
        address = page.relative_to(pages).as_posix()
        if "_static" in page.parts or address == "search.html":
            continue
        article = next(_read(page).iter("article"))
        chapter = f"chapter{chapters.get(address)}"
        for section in article.xpath(".//section[div[contains(@class, 'message')]]"):
            section.drop_tree()
            next(section.iter(*HEADINGS)).tag = "h1"
            url = f"{address}#{section.get('id')}"
            yield url, _record(section, "error", chapter)
        yield address, _record(article, _kind(address), chapter)


def _chapters(home: Path) -> dict[str, int]:
    """Return the place of each page's chapter among those that the sidebar names."""
    found, place = {}, -1
    for element in _read(home).find_class("sidebar-tree")[0].iter("p", "a"):
        parent = element.getparent()
        if element.tag == "p" or (
            parent is not None and "toctree-l2" in parent.classes
        ):
            place += 1
        if element.tag == "a":
            found[element.get("href", "")] = place
    return found


def _kind(address: str) -> str:
    if re.fullmatch(rf"{GALLERY}/[^/]+/(?!index)\w+.html", address):
        return "script"
    return "api" if address == "reference/api.html" else "page"


def _read(page: Path) -> HtmlElement:
    return html.parse(page, html.HTMLParser(encoding="utf-8")).getroot()


def _record(content: HtmlElement, *filters: str) -> str:
    """Return a page of headings and text, after what it can be filtered by.

    Pagefind has filters, but writes them in another order each time. Here a filter is a
    word that nobody types.
    """
    body = html.Element("body")
    if "page" in filters:  # it mentions what a script shows
        body.set("data-pagefind-weight", "0.5")
    marks = html.Element("p", {"data-pagefind-weight": "0"})
    marks.text = " ".join(f"0{value}" for value in filters)
    body.append(marks)
    for block, texts in groupby(_texts(content, content), lambda found: found[0]):
        text = "".join(text for _, text in texts)
        if text.strip() and not _lists_pages(block, text):
            body.append(_block(block, cut(text)))
    return f"<html>{html.tostring(body, encoding='unicode')}</html>"


def _texts(
    element: HtmlElement, block: HtmlElement
) -> Iterator[tuple[HtmlElement, str]]:
    """Yield each text in an element, with the block that it is a part of."""
    if not isinstance(element.tag, str) or NOT_SEARCHED & set(element.classes):
        return
    inside = block if element.tag in INLINE else element
    if element.text:
        yield inside, element.text
    for child in element:
        yield from _texts(child, inside)
        if child.tail:
            yield inside, child.tail


def _lists_pages(block: HtmlElement, text: str) -> bool:
    """Whether a block is mostly titles of other pages, which are found there."""
    titles = "".join(title.text_content() for title in block.find_class("doc"))
    return len(titles) > len(text) / 2


def _block(block: HtmlElement, text: str) -> HtmlElement:
    """Return a heading, or a term, that a result can lead to; or text."""
    if block.tag in HEADINGS:
        parent = block.getparent()
        new = html.Element(block.tag, id="" if parent is None else parent.get("id", ""))
    elif block.tag == "dt" and block.get("id"):
        new = html.Element("h3", id=block.get("id", ""))
    else:
        new = html.Element("span")  # Pagefind ends a paragraph with a full stop
        text += " "
    new.text = text
    return new
