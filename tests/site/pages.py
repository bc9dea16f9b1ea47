"""The pages of the finished site, as the tests look at them."""

import re
from functools import cache
from pathlib import Path

import pytest

from gradguide_site import project
from gradguide_site.project import CHINESE, LANGUAGES, Project
from gradguide_site.publish import inspection

PROJECT = Project(Path(__file__).parents[2])
SITE = PROJECT.site
HAN = re.compile("[一-鿿]")

NAMES = {
    language: [
        path.relative_to(SITE / language.url).as_posix()
        for path in sorted((SITE / language.url).rglob("*.html"))
        if "_static" not in path.parts
    ]
    for language in LANGUAGES
}
assert all(NAMES.values()), f"there is no site in {SITE}: run `nox -s docs` first"

EVERY_PAGE = pytest.mark.parametrize(
    ("language", "name"),
    [
        pytest.param(language, name, id=f"{language.url}/{name}")
        for language, names in NAMES.items()
        for name in names
    ],
)
EVERY_LANGUAGE = pytest.mark.parametrize(
    "language", LANGUAGES, ids=lambda language: language.url
)


class Page(inspection.Page):
    """A finished page, its language and its name below the language."""

    def __init__(self, language, name):
        self.language, self.name = language, name
        self.is_chinese = language == CHINESE
        self.path = SITE / language.url / name
        super().__init__(self.path)

    def meta(self, name):
        """Return what the page says of itself."""
        return self.tree.xpath(
            "string(//meta[@name=$name or @property=$name]/@content)", name=name
        )

    def target(self, address):
        """Return the file that a link inside the site leads to."""
        return (self.path.parent / address.partition("#")[0]).resolve()


@cache
def read(language, name):
    """Return a page; it is read once."""
    return Page(language, name)


def read_script(language, script):
    """Return the page of a script."""
    return read(language, f"{project.page_of(script)}.html")


def download(language, script, suffix):
    """Return the file behind a link below the title of a script's page."""
    page = read_script(language, script)
    (bar,) = page.tree.find_class("page-bar")
    links = bar.xpath(".//a[contains(@class, 'internal')]/@href")
    (link,) = [link for link in links if link.endswith(suffix)]
    return page.target(link)
