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
from typing import NamedTuple

from lxml import html
from lxml.html import HtmlElement

from gradguide_site.chinese import CHARACTER
from gradguide_site.errors.texts import messages, slug
from gradguide_site.pages.finished_pages import (
    OUTPUTS,
    navigation,
    parse,
    read_each,
)
from gradguide_site.project import (
    ERRORS,
    Language,
    PipelineError,
    Project,
    script_of,
)

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
FOLDER = "pagefind"
"""The folder of the index, below the pages of a language."""

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


class Article(NamedTuple):
    """What the index needs of a page.

    Attributes:
        title: Its first heading.
        text: Its headings and texts, as HTML for Pagefind.
        links: The path and the words of each of its links.
        messages: The slug of each message that its script printed, without numbers.
    """

    title: str
    text: str
    links: list[tuple[str, str]]
    messages: list[str]


def index(project: Project, language: Language) -> None:
    """Write an index into the pages of a language.

    ``known.json`` beside it has the messages of each page of an error, printed or in
    its headings, which ``search/words.js`` compares with a pasted error, and the words
    of the pages, the frequent ones first, which it compares with a misspelt word. To
    Pagefind all text is English, since it would split Chinese in its own way.

    Raises:
        PipelineError: Pagefind fails.
    """
    pages = project.pages(language)
    output = pages / FOLDER
    shutil.rmtree(output, ignore_errors=True)
    files = (page for page in sorted(pages.rglob("*.html")) if page.stem != "search")
    read = read_each(files, _article, project.built / f"indexed.{language.code}")
    articles = {
        page.relative_to(pages).as_posix(): article for page, article in read.items()
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
        Path(address).stem: article.messages
        for address, article in articles.items()
        if _kind(address) == "error"
    }
    by_number = sorted(words, key=lambda word: (-words[word], word))
    known = {"errors": errors, "words": by_number}
    (output / "known.json").write_text(json.dumps(known), "utf-8")


def _article(page: Path) -> Article:
    article = next(parse(page).iter("article"))
    printed = (
        message.text
        for output in article.xpath(OUTPUTS)
        for message in messages(output.text_content().splitlines())
    )
    quoted = (code.text_content() for code in article.xpath(".//h2//code"))
    said = (f"_{slug(text)}_" for text in (*printed, *quoted))
    links = [
        (link.get("href", "").partition("#")[0], " ".join(link.text_content().split()))
        for link in article.iterfind(".//a[@href]")
    ]
    return Article(
        title=str(article.xpath("string(.//h1)")),
        text=_text(article),
        links=links,
        messages=sorted({re.sub(r"_\d+(?=_)", "", text) for text in said}),
    )


def cut(text: str) -> str:
    """Separate the words of a text by spaces, and split its Chinese into pairs."""
    return PAIR.sub(rf"\1\2{JOINT}", EDGE.sub(JOINT, text))


def _records(pages: Path, articles: dict[str, Article]) -> Iterator[tuple[str, str]]:
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
        yield address, _record(article.text, links[address], kind, chapter, *named)


def _links(articles: dict[str, Article]) -> defaultdict[str, set[str]]:
    """Return the words with which other pages link to each page, without its title.

    They often name it by what a reader sees: *I froze a layer, but it still trains*.
    """
    links: defaultdict[str, set[str]] = defaultdict(set)
    for address, article in articles.items():
        for path, words in article.links:
            target = posixpath.normpath(
                posixpath.join(posixpath.dirname(address), path)
            )
            known = articles.get(target)
            if target != address and known and words not in known.title:
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


def _record(text: str, links: Collection[str], *filters: str) -> str:
    """Return the headings and the text of a page, with its filters.

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
    start = html.tostring(body, encoding="unicode").removesuffix("</body>")
    return f"<html>{start}{text}</body></html>"


def _text(content: HtmlElement) -> str:
    """Return the headings and the text of an element as HTML, each with its weight."""
    blocks = []
    opening = next(iter(content.xpath(".//section/p")), None)
    for block, texts in groupby(_texts(content, content), lambda pair: pair[0]):
        text = "".join(text for _, text in texts)
        if text.strip() and not _lists_pages(block, text):
            new = _block(block, cut(text))
            weight = OPENING if block is opening else WEIGHTS.get(str(block.tag))
            if weight:
                new.set("data-pagefind-weight", weight)
            blocks.append(html.tostring(new, encoding="unicode"))
    return "".join(blocks)


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
