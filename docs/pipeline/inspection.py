"""What must be true of the finished HTML, or the build fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from .project import CHINESE, ENGLISH, LANGUAGES, Language, PipelineError, Project

CHINESE_TEXT = re.compile(r"[\u4e00-\u9fff]")
CODE = {"pre", "code", "script", "style", "title"}
ELSEWHERE = ("http:", "https:", "mailto:", "data:")


class Page:
    """A finished page: what is compared between languages."""

    def __init__(self, path: Path) -> None:
        self.soup = BeautifulSoup(path.read_bytes(), "lxml")

    @cached_property
    def outputs(self) -> list[str]:
        """What its script printed, block by block."""
        return [
            block.get_text() for block in self.soup.select(".sphx-glr-script-out pre")
        ]

    @cached_property
    def anchors(self) -> list[str]:
        """Every place on the page that a link can lead to, in order."""
        return [str(node["id"]) for node in self.soup.select("article [id]")]

    @cached_property
    def links(self) -> set[str]:
        """Every address on the page that the site itself must answer."""
        nodes = self.soup.find_all(["a", "link", "script", "img"])
        addresses = {str(node.get("href") or node.get("src") or "") for node in nodes}
        return {address for address in addresses if not address.startswith(ELSEWHERE)}


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
                    target = Path((here.parent / unquote(parts.path)).resolve())
                if "pagefind" in target.parts:
                    continue  # made from the finished pages, after this
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
            if not page.soup.select(f"html[lang={language.tag}]"):
                yield f"{language.url}/{name}: its lang is not {language.tag}"
    for name, page in pages[ENGLISH].items():
        for node in page.soup.select("[lang]:not(html), script, style"):
            node.decompose()
        if match := CHINESE_TEXT.search(page.soup.get_text()):
            yield f"{ENGLISH.url}/{name}: Chinese text: {match[0]}…"


def _markup(pages: dict[Language, dict[str, Page]]) -> Iterator[str]:
    """No markup shows: a backtick in prose was meant to be code."""
    for language, found in pages.items():
        for name, page in found.items():
            for text in page.soup.find_all(string=re.compile("`")):
                if not any(tag.name in CODE for tag in text.parents):
                    yield f"{language.url}/{name}: markup shows: {text.strip()!r}"


def _machine(project: Project) -> Iterator[str]:
    """No file holds a path of the machine that built it."""
    paths = {str(project.root), str(Path.home())} - {"/"}
    for path in sorted(project.candidate.rglob("*")):
        if path.is_file() and path.name not in (".buildinfo", "environment.pickle"):
            content = path.read_bytes()
            for machine_path in paths:
                if machine_path.encode() in content:
                    yield f"{path.relative_to(project.candidate)} names {machine_path}"
