"""What must be true of the finished HTML, or the build fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest
from os.path import normpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import html

from gradguide_site import chinese
from gradguide_site.project import (
    CHINESE,
    ENGLISH,
    LANGUAGES,
    Language,
    PipelineError,
    Project,
)

BACKTICK = re.compile("`")
CODE = {"pre", "code", "script", "style"}
ELSEWHERE = ("http:", "https:", "mailto:", "data:")


class Page:
    """A finished page: what is compared between languages."""

    def __init__(self, path: Path) -> None:
        self.tree = html.parse(path, html.HTMLParser(encoding="utf-8")).getroot()

    @cached_property
    def outputs(self) -> list[str]:
        """What its script printed, block by block."""
        blocks = self.tree.xpath(
            "//*[contains(concat(' ', @class, ' '), ' sphx-glr-script-out ')]//pre"
        )
        return [block.text_content() for block in blocks]

    @cached_property
    def anchors(self) -> list[str]:
        """Every place on the page that a link can lead to, in order."""
        return [str(anchor) for anchor in self.tree.xpath("//article//@id")]

    @cached_property
    def links(self) -> set[str]:
        """Every address on the page that the site itself must answer."""
        addresses = self.tree.xpath(
            "//a/@href | //link/@href | //script/@src | //img/@src"
        )
        return {str(link) for link in addresses if not link.startswith(ELSEWHERE)}

    def texts(
        self, pattern: re.Pattern[str]
    ) -> Iterator[tuple[str, list[html.HtmlElement]]]:
        """Yield each text in which a pattern is found, and the elements around it."""
        for text in self.tree.xpath("//text()"):
            if pattern.search(text):
                parent = text.getparent()
                inside = parent.getparent() if text.is_tail else parent
                yield text.strip(), [inside, *inside.iterancestors()]


def inspect(project: Project) -> None:
    """Check the candidate site.

    Raises:
        PipelineError: With each thing that is wrong.
    """
    pages = {
        language: {
            path.relative_to(project.pages(language)).as_posix(): Page(path)
            for path in sorted(project.pages(language).rglob("*.html"))
            if "_static" not in path.parts
        }
        for language in LANGUAGES
    }
    problems = [
        *_compare(pages[ENGLISH], pages[CHINESE]),
        *_links(project, pages),
        *_languages(pages),
        *_markup(pages),
        *_machine(project),
    ]
    if problems:
        raise PipelineError(
            "\n".join([*problems, f"{len(problems)} faults on the site."])
        )


def _compare(english: dict[str, Page], chinese: dict[str, Page]) -> Iterator[str]:
    """Both languages have the same pages, anchors and outputs."""
    for name in sorted(english.keys() ^ chinese.keys()):
        where = ENGLISH.tag if name in english else CHINESE.tag
        yield f"{name}: only in {where}"
    for name in sorted(english.keys() & chinese.keys()):
        if english[name].outputs != chinese[name].outputs:
            for one, other in zip_longest(english[name].outputs, chinese[name].outputs):
                if one != other:
                    yield f"{name}: the output differs:\n  {one!r}\n  {other!r}"
                    if "Warning: " in str(one):
                        yield "(A warning quotes its line: put the comment above it.)"
        if english[name].anchors != chinese[name].anchors:
            differ = set(english[name].anchors) ^ set(chinese[name].anchors)
            yield f"{name}: the anchors differ: {sorted(differ) or 'in their order'}"


def _links(project: Project, pages: dict[Language, dict[str, Page]]) -> Iterator[str]:
    """Each link inside the site leads somewhere, and each fragment too."""
    anchors = {
        project.pages(language) / name: set(page.anchors)
        for language, found in pages.items()
        for name, page in found.items()
    }
    for language, found in pages.items():
        for name, page in found.items():
            here = project.pages(language) / name
            for address in sorted(page.links):
                parts = urlsplit(address)
                target = here
                if parts.path:
                    target = Path(normpath(here.parent / unquote(parts.path)))
                if target.is_dir():
                    target /= "index.html"
                if not target.exists():
                    yield f"{language.url}/{name}: {address} leads nowhere"
                elif (
                    parts.fragment
                    and target in anchors
                    and parts.fragment not in anchors[target] | {"furo-main-content"}
                ):
                    yield f"{language.url}/{name}: {address} has no such section"


def _languages(pages: dict[Language, dict[str, Page]]) -> Iterator[str]:
    """A page says its language, and an English one holds no Chinese sentence."""
    for language, found in pages.items():
        for name, page in found.items():
            if page.tree.get("lang") != language.tag:
                yield f"{language.url}/{name}: its lang is not {language.tag}"
    for name, page in pages[ENGLISH].items():
        for text, around in page.texts(chinese.CHINESE):
            language_named = any(element.get("lang") for element in around[:-1])
            if not language_named and around[0].tag not in ("script", "style"):
                yield f"{ENGLISH.url}/{name}: Chinese text: {text[:40]!r}"


def _markup(pages: dict[Language, dict[str, Page]]) -> Iterator[str]:
    """No markup shows: a backtick in prose was meant to be code."""
    for language, found in pages.items():
        for name, page in found.items():
            for text, around in page.texts(BACKTICK):
                if CODE.isdisjoint(element.tag for element in around):
                    yield f"{language.url}/{name}: markup shows: {text!r}"


def _machine(project: Project) -> Iterator[str]:
    """No file holds a path of the machine that built it."""
    paths = {str(project.root), str(Path.home())} - {"/"}
    for path in sorted(project.candidate.rglob("*")):
        if path.is_file() and path.name not in (".buildinfo", "environment.pickle"):
            content = path.read_bytes()
            for machine_path in paths:
                if machine_path.encode() in content:
                    yield f"{path.relative_to(project.candidate)} names {machine_path}"
