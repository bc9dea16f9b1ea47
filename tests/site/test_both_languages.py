"""What a reader finds in one language is there in the other, and a page stays small."""

import gzip
import json
from posixpath import basename, join, normpath

from gradguide_site.project import ENGLISH, LANGUAGES

from .conftest import PROJECT, Page

HEAVIEST = 40_000
"""Bytes of a page, gzipped, without what it loads."""


def test_a_page_leads_to_itself_in_the_other_language(language, name, page_of):
    """By the switch that a person clicks, and by what search engines read."""
    page = page_of(language, name)
    (other,) = (one for one in LANGUAGES if one != language)
    for link in page.soup.select("a.language-link"):
        led = normpath(join(language.url, name, "..", link["href"]))
        assert led == f"{other.url}/{name}"
    for twin in page.soup.select("link[hreflang]"):
        told = {one.tag: one.url for one in LANGUAGES}.get(
            twin["hreflang"], ENGLISH.url
        )
        assert twin["href"] == f"{PROJECT.address}{told}/{name}"


def test_a_page_is_not_too_large(language, name, site):
    """A phone loads it before anything else."""
    content = (site / language.url / name).read_bytes()
    assert len(gzip.compress(content)) < HEAVIEST


def test_both_languages_offer_the_same_downloads(site):
    """The files that are linked below the title of each script's page."""
    for script in PROJECT.scripts():
        offered = []
        for language in LANGUAGES:
            path = site / language.url / "gallery" / script.with_suffix(".html")
            links = Page(path).soup.select("ul.page-bar a.internal")
            names = [basename(link["href"]) for link in links]
            missing = [name for name in names if not (path.parent / name).exists()]
            assert not missing, f"{language.url}: there is no {missing}"
            offered.append(names)
        english, chinese = offered
        assert english == chinese, f"{script}: {english} in en, {chinese} in zh-cn"
        assert len(english) == 3, f"{script}: {english}"


def test_both_languages_have_the_same_entries_in_the_search(site):
    """Each page, section or error that can be found is a file of the index."""
    english, chinese = (entries(site / language.url) for language in LANGUAGES)
    assert english == chinese, f"only in one language: {sorted(english ^ chinese)}"
    pages = {url.partition("#")[0].lstrip("/") for url in english}
    assert {
        f"gallery/{path.with_suffix('.html')}" for path in PROJECT.scripts()
    } <= pages


def entries(folder):
    """Return the addresses that Pagefind knows below a folder."""
    return {
        json.loads(gzip.decompress(path.read_bytes()).removeprefix(b"pagefind_dcd"))[
            "url"
        ]
        for path in (folder / "pagefind/fragment").iterdir()
    }
