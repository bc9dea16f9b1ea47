"""Make the search index of each language from its finished pages.

Pagefind splits text into words at spaces only. So this module splits the text before
Pagefind reads it, and ``search/words.js`` splits a query in the same way:
``torch.no_grad()`` becomes ``torch`` and ``no_grad``, and Chinese text, which has no
spaces, becomes overlapping pairs of characters: 冻结参数 becomes 冻结, 结参 and 参数.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from lxml import html
from lxml.html import HtmlElement

from gradguide_site.chinese import CHARACTER
from gradguide_site.errors.texts import messages, slug
from gradguide_site.pages.finished_pages import OUTPUTS, navigation, parse
from gradguide_site.project import ERRORS, PipelineError, script_of

LATIN = rf"[^\W{CHARACTER}]"

PAIR = re.compile(rf"([{CHARACTER}])(?=([{CHARACTER}]))")
EDGE = re.compile(
    rf"(?<=[^\w\s])(?=\w)|(?<=\w)(?=[^\w\s!-~])"
    rf"|(?<=[{CHARACTER}])(?={LATIN})|(?<={LATIN})(?=[{CHARACTER}])"
)
"""The start or end of a word that Pagefind would not recognize."""

JOINT = "|~ "
"""The text that is inserted at each edge; ``search/excerpts.js`` removes it again.

Pagefind ignores ASCII punctuation, but would index any other character as a word.
"""

LONG_WORD = re.compile(r"(?<![a-z0-9_])[a-z_]{5,24}(?![a-z0-9_])")

HEADINGS = {"h1", "h2", "h3"}
INLINE = {
    *("a", "abbr", "b", "cite", "code", "dfn", "em", "i", "kbd", "mark", "q", "small"),
    *("span", "strong", "sub", "sup"),
}
OPENING = "3"
"""The weight of the first paragraph, which says what a page is about."""

LINK = "1"
"""The weight of the words with which other pages link to a page."""

WEIGHTS = {"pre": "0.4"}
"""The weight of code and outputs: they repeat their words."""

FRAMEWORKS = "gallery/frameworks/"
"""Pages that come behind others, unless the query names a framework."""

BEHIND = (
    *("about.html", "reference/cost.html", "reference/glossary.html"),
    "start/reading.html",
)
"""Pages that come behind others: on the guide itself, or with a line on everything."""

NOT_SEARCHED = {"headerlink", "page-bar", "sphx-glr-thumbnails", "tags"}


def index(pages: Path) -> None:
    """Write an index into the folder of one language.

    ``known.json`` beside it has the messages of each page of an error, which
    ``search/words.js`` compares with a pasted error, and the words of the pages, the
    frequent ones first, which it compares with a misspelt word. To Pagefind all text
    is English, since it would split Chinese in its own way.

    Raises:
        PipelineError: Pagefind fails.
    """
    output = pages / "pagefind"
    shutil.rmtree(output, ignore_errors=True)
    articles = {
        page.relative_to(pages).as_posix(): next(parse(page).iter("article"))
        for page in sorted(pages.rglob("*.html"))
        if page.name != "search.html"
    }
    words: Counter[str] = Counter()
    with TemporaryDirectory() as folder:
        for address, content in _records(pages, articles):
            words.update(set(LONG_WORD.findall(content.lower())))
            record = Path(folder, address)
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(content, "utf-8")
        command = [
            *(sys.executable, "-m", "pagefind"),
            *("--site", folder),
            *("--output-path", str(output)),
            *("--force-language", "en"),
            *("--glob", "**/*.html"),
            "--keep-index-url",  # as the links of the site do
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{done.stdout}{done.stderr}"
        raise PipelineError(f"Pagefind can't make the search index:\n{message}")
    for suffix in ("css", "js"):  # Pagefind's own user interfaces
        for unused in output.glob(f"pagefind-*.{suffix}"):
            unused.unlink()
    errors = {
        Path(address).stem: _messages(article)
        for address, article in articles.items()
        if _kind(address) == "error"
    }
    by_number = sorted(words, key=lambda word: (-words[word], word))
    known = {"errors": errors, "words": by_number}
    (output / "known.json").write_text(json.dumps(known), "utf-8")


def _messages(article: HtmlElement) -> list[str]:
    """Return the slug of each message on the page of an error, without its numbers."""
    found = (
        message.text
        for output in article.xpath(OUTPUTS)
        for message in messages(output.text_content().splitlines())
    )
    return sorted({re.sub(r"_\d+(?=_)", "", f"_{slug(text)}_") for text in found})


def cut(text: str) -> str:
    """Separate the words of a text by spaces, and split its Chinese into pairs."""
    return PAIR.sub(rf"\1\2{JOINT}", EDGE.sub(JOINT, text))


def _records(
    pages: Path, articles: dict[str, HtmlElement]
) -> Iterator[tuple[str, str]]:
    """Yield the address and the content of each record for Pagefind.

    Each page is a record.
    """
    chapters = _chapters(pages / "index.html")
    links = _links(articles)
    for address, article in articles.items():
        kind = _kind(address)
        listed = f"reference/{ERRORS}.html" if kind == "error" else address
        chapter = f"chapter{chapters.get(listed)}"
        named = [Path(address).stem] if kind == "error" else []
        if address.startswith(FRAMEWORKS):
            named.append("framework")
        if address in BEHIND:
            named.append("site")
        yield address, _record(article, links[address], kind, chapter, *named)


def _links(articles: dict[str, HtmlElement]) -> defaultdict[str, set[str]]:
    """Return the words with which other pages link to each page, without its title.

    They often name it by what a reader sees: *I froze a layer, but it still trains*.
    """
    titles = {
        address: article.xpath("string(.//h1)") for address, article in articles.items()
    }
    links: defaultdict[str, set[str]] = defaultdict(set)
    for address, article in articles.items():
        for link in article.iterfind(".//a[@href]"):
            path = posixpath.join(posixpath.dirname(address), link.get("href", ""))
            target = posixpath.normpath(path.partition("#")[0])
            words = " ".join(link.text_content().split())
            if target != address and words not in titles.get(target, words):
                links[target].add(words)
    return links


def _chapters(home: Path) -> dict[str, int]:
    """Return the number of each page's chapter, counted in the sidebar."""
    numbers, number = {}, -1
    for element in navigation(parse(home)):
        parent = element.getparent()
        if element.tag == "p" or (
            parent is not None and "toctree-l2" in parent.classes
        ):
            number += 1
        if element.tag == "a":
            numbers[element.get("href", "")] = number
    return numbers


def _kind(address: str) -> str:
    script = script_of(address.removesuffix(".html"))
    if script:
        return "error" if script.startswith(f"{ERRORS}/") else "script"
    return "api" if address == "reference/api.html" else "page"


def _record(content: HtmlElement, links: Collection[str], *filters: str) -> str:
    """Return the headings and the text of an element, with its filters.

    The words of links to the page come before its first heading, so that no excerpt
    shows them.

    Pagefind has filters, but writes them in another order in each run. Here each filter
    is a word with a 0 in front, which does not occur in queries.
    """
    body = html.Element("body")
    if "script" not in filters:  # rank the script that shows something above mentions
        body.set("data-pagefind-weight", "0.5")
    words = html.Element("p", {"data-pagefind-weight": "0"})
    words.text = " ".join(f"0{value}" for value in filters)
    body.append(words)
    for link in sorted(links):
        body.append(_block(html.Element("span"), cut(link)))
        body[-1].set("data-pagefind-weight", LINK)
    opening = next(iter(content.xpath(".//section/p")), None)
    for block, texts in groupby(_texts(content, content), lambda pair: pair[0]):
        text = "".join(text for _, text in texts)
        if text.strip() and not _lists_pages(block, text):
            body.append(_block(block, cut(text)))
            weight = OPENING if block is opening else WEIGHTS.get(str(block.tag))
            if weight:
                body[-1].set("data-pagefind-weight", weight)
    return f"<html>{html.tostring(body, encoding='unicode')}</html>"


def _texts(
    element: HtmlElement, block: HtmlElement
) -> Iterator[tuple[HtmlElement, str]]:
    """Yield each text in an element, with the block element that contains it."""
    if not isinstance(element.tag, str) or NOT_SEARCHED & set(element.classes):
        return
    inside = block if element.tag in INLINE else element
    if element.tag == "pre":  # it has an element for each token of code
        yield inside, element.text_content()
        return
    if element.text:
        yield inside, element.text
    for child in element:
        yield from _texts(child, inside)
        if child.tail:
            yield inside, child.tail


def _lists_pages(block: HtmlElement, text: str) -> bool:
    """Whether more than half of a block is titles of other pages."""
    titles = "".join(title.text_content() for title in block.find_class("doc"))
    return len(titles) > len(text) / 2


def _block(block: HtmlElement, text: str) -> HtmlElement:
    """Return a heading with its anchor for a heading or a term, else a span."""
    if block.tag in HEADINGS:
        parent = block.getparent()
        new = html.Element(block.tag, id="" if parent is None else parent.get("id", ""))
    elif block.tag == "dt" and block.get("id"):
        new = html.Element("h3", id=block.get("id", ""))
    else:
        new = html.Element("span")  # Pagefind would end a paragraph with a full stop
        text += " "
    new.text = text
    return new
