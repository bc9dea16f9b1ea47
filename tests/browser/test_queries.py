"""Whether the search finds what readers ask for."""

import tomllib
from pathlib import Path

import pytest

from gradguide_site.project import CHINESE, LANGUAGES
from tests.site.pages import EVERY_LANGUAGE, NAMES, read

from .searching import addresses, ask

QUERIES = [
    query | {"kind": kind}
    for kind, queries in tomllib.loads(
        Path(__file__).with_name("queries.toml").read_text("utf-8")
    ).items()
    for query in queries
]
FOUND = 0.95
"""The part of the queries whose page has to be among the first three results."""

FIRST = 0.9
"""The part of the pasted errors whose page has to be the very first."""


def test_there_are_enough_queries():
    """Half of them are Chinese, and a quarter are errors as they are pasted."""
    assert len(QUERIES) >= 80
    chinese = [query for query in QUERIES if query["on"] == CHINESE.url]
    errors = [query for query in QUERIES if query["kind"] == "error"]
    assert len(chinese) >= len(QUERIES) * 0.45
    assert len(errors) >= len(QUERIES) / 4


def test_the_pages_that_must_be_found_exist():
    """A query that names a page of another name would test nothing."""
    names = {language.url: set(NAMES[language]) for language in LANGUAGES}
    for query in QUERIES:
        assert {f"{page}.html" for page in query["finds"]} <= names[query["on"]]


@pytest.fixture(scope="module")
def ranks(chromium, server):
    """Return the queries of a language, each with the place of its page: 0 is first.

    The entry of an error stands for the pages that print it: it leads there.
    """
    tab = chromium.new_page()
    entries = _entries(read(LANGUAGES[0], "reference/errors.html"))

    def place(query):
        ask(tab, query["text"])
        for number, address in enumerate(addresses(tab)):
            page = address.removesuffix(".html")
            if {page, *entries.get(address, ())} & set(query["finds"]):
                return number
        return 99

    def ranked(language):
        tab.goto(f"{server}{language.url}/search.html")
        return [(q, place(q)) for q in QUERIES if q["on"] == language.url]

    yield {language: ranked(language) for language in LANGUAGES}
    tab.close()


def _entries(page):
    """Return the pages that each entry leads to, by the address of the entry."""
    return {
        f"reference/errors.html#{section.get('id')}": {
            link.removeprefix("../").removesuffix(".html")
            for link in section.xpath(".//a/@href[starts-with(., '../gallery/')]")
        }
        for section in page.tree.xpath(
            "//section[*[contains(concat(' ', @class, ' '), ' message ')]]"
        )
    }


def report(language, found, places):
    """Say how many queries of a language found their page, and which did not."""
    missed = [query["text"].strip()[-90:] for query, place in found if place >= places]
    hits = len(found) - len(missed)
    return "\n".join([f"{language.tag}: {hits} of {len(found)}; missed:", *missed])


@EVERY_LANGUAGE
def test_what_readers_ask_for_is_among_the_first_three(ranks, language):
    """They ask questions, type names, and paste errors."""
    found = ranks[language]
    said = report(language, found, 3)
    print(said)
    assert sum(place < 3 for _, place in found) >= FOUND * len(found), said


@EVERY_LANGUAGE
def test_a_pasted_error_finds_its_page_first(ranks, language):
    """It may come with its traceback, with other shapes, or cut in half."""
    found = [(q, place) for q, place in ranks[language] if q["kind"] == "error"]
    said = report(language, found, 1)
    print(said)
    assert sum(place < 1 for _, place in found) >= FIRST * len(found), said
