"""Check the finished HTML; the build fails if a check does."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import zip_longest
from pathlib import Path
from posixpath import join, normpath
from urllib.parse import unquote

from lxml.html import HtmlElement

from gradguide_site.chinese import CHINESE as CHINESE_CHARACTER
from gradguide_site.pages.finished_pages import OUTPUTS, parse, read_each
from gradguide_site.project import (
    CHINESE,
    ENGLISH,
    LANGUAGES,
    Language,
    PipelineError,
    Project,
)

BACKTICK = "contains(., '`')"
NOT_ASCII = "translate(., $ascii, '') != ''"
ASCII = f"{string.ascii_letters}{string.digits}{string.punctuation} \n"
CODE = {"pre", "code", "script", "style"}
ELSEWHERE = ("http:", "https:", "mailto:", "data:")


class Page:
    """The parts of a finished page that the checks read."""

    def __init__(self, path: Path) -> None:
        self.tree = parse(path)

    @cached_property
    def outputs(self) -> list[str]:
        """The text of each output of the script, in order."""
        return [block.text_content() for block in self.tree.xpath(OUTPUTS)]

    @cached_property
    def anchors(self) -> list[str]:
        """Every anchor of the article, in order."""
        return [str(anchor) for anchor in self.tree.xpath("//article//@id")]

    @cached_property
    def links(self) -> set[str]:
        """Every address of a page or file of this site."""
        addresses = self.tree.xpath(
            "//a/@href | //link/@href | //script/@src | //img/@src"
        )
        return {str(link) for link in addresses if not link.startswith(ELSEWHERE)}

    def texts(self, condition: str) -> Iterator[tuple[str, list[HtmlElement]]]:
        """Yield each text that meets a condition, with the elements around it."""
        for text in self.tree.xpath(f"//text()[{condition}]", ascii=ASCII):
            parent = text.getparent()
            inside = parent.getparent() if text.is_tail else parent
            yield text.strip(), [inside, *inside.iterancestors()]


@dataclass(frozen=True)
class Facts:
    """What the checks of the whole site need of a page, and its own faults."""

    outputs: list[str]
    anchors: list[str]
    links: set[str]
    faults: list[str]


Pages = dict[str, Facts]
"""The pages of one language by name, or of the site by path."""


def inspect(project: Project) -> None:
    """Check the candidate site.

    Raises:
        PipelineError: At least one check failed; the text lists all faults.
    """
    english, chinese = (_read(project, language) for language in LANGUAGES)
    pages = {
        f"{language.url}/{name}": page
        for language, facts in ((ENGLISH, english), (CHINESE, chinese))
        for name, page in facts.items()
    }
    problems = [
        *_compare(english, chinese),
        *_links(project, pages),
        *(f"{name}: {fault}" for name, page in pages.items() for fault in page.faults),
        *_machine(project),
    ]
    if problems:
        raise PipelineError(
            "\n".join([*problems, f"{len(problems)} faults on the site."])
        )


def _read(project: Project, language: Language) -> Pages:
    folder = project.pages(language)
    kept = project.built / f"inspected.{language.code}"
    facts = read_each(sorted(folder.rglob("*.html")), partial(_facts, language), kept)
    return {path.relative_to(folder).as_posix(): page for path, page in facts.items()}


def _facts(language: Language, path: Path) -> Facts:
    page = Page(path)
    faults = [*_language(page, language), *_markup(page)]
    return Facts(page.outputs, page.anchors, page.links, faults)


def _compare(english: Pages, chinese: Pages) -> Iterator[str]:
    """Both languages have the same pages, anchors and outputs."""
    for name in sorted(english.keys() ^ chinese.keys()):
        tag = ENGLISH.tag if name in english else CHINESE.tag
        yield f"{name}: only in {tag}"
    for name in sorted(english.keys() & chinese.keys()):
        if english[name].outputs != chinese[name].outputs:
            for pair in zip_longest(english[name].outputs, chinese[name].outputs):
                if pair[0] != pair[1]:
                    yield f"{name}: the output differs:\n  {pair[0]!r}\n  {pair[1]!r}"
                    if "Warning: " in str(pair[0]):
                        yield "(A warning quotes its line: put the comment above it.)"
        if english[name].anchors != chinese[name].anchors:
            differ = set(english[name].anchors) ^ set(chinese[name].anchors)
            yield f"{name}: the anchors differ: {sorted(differ) or 'in their order'}"


def _links(project: Project, pages: Pages) -> Iterator[str]:
    """Each link inside the site leads to an existing file and an existing anchor."""
    root = project.candidate
    files = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    anchors = {
        name: {*page.anchors, "furo-main-content"} for name, page in pages.items()
    }

    @cache
    def fault(folder: str, address: str) -> str:
        """Return what is wrong with a link from a page of a folder, or nothing."""
        path, _, section = address.partition("#")
        path = path.partition("?")[0]
        file = normpath(join(folder, unquote(path)))
        file = f"{file}/index.html" if f"{file}/index.html" in files else file
        if file not in files:
            return "leads nowhere"
        known = not section or section in anchors.get(file, {section})
        return "" if known else "has no such section"

    for name, page in pages.items():
        folder, _, file = name.rpartition("/")
        for link in sorted(page.links):
            here = not link or link[0] in "#?"
            if problem := fault(folder, f"{file}{link}" if here else link):
                yield f"{name}: {link} {problem}"


def _language(page: Page, language: Language) -> Iterator[str]:
    """The page states its language, and an English page has no Chinese text.

    The name of the language in the language menu has an attribute ``lang``.
    """
    if page.tree.get("lang") != language.tag:
        yield f"its lang is not {language.tag}"
    for text, around in page.texts(NOT_ASCII) if language == ENGLISH else ():
        has_lang = any(element.get("lang") for element in around[:-1])
        is_shown = around[0].tag not in ("script", "style")
        if CHINESE_CHARACTER.search(text) and is_shown and not has_lang:
            yield f"Chinese text: {text[:40]!r}"


def _markup(page: Page) -> Iterator[str]:
    """No text outside code has a backtick, which would be markup that failed."""
    for text, around in page.texts(BACKTICK):
        if CODE.isdisjoint(element.tag for element in around):
            yield f"markup shows: {text!r}"


def _machine(project: Project) -> Iterator[str]:
    """No published file contains a path of the build machine."""
    paths = {str(project.root), str(Path.home())} - {"/"}
    for path in sorted(project.candidate.rglob("*")):
        if path.is_file() and path.name not in (".buildinfo", "environment.pickle"):
            content = path.read_bytes()
            for machine_path in paths:
                if machine_path.encode() in content:
                    yield f"{path.relative_to(project.candidate)} names {machine_path}"
