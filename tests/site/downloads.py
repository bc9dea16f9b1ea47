"""What the tests of the downloads share: the files themselves, and what they print."""

import os
import re

import pytest

from gradguide_site.project import LANGUAGES

from .conftest import PROJECT

SCRIPTS = [
    pytest.param(language, path, id=f"{language.url}/{path.stem}")
    for language in LANGUAGES
    for path in PROJECT.scripts()
]


def download(page_of, site, language, script, suffix):
    """Return the file behind a link below the title of a page."""
    name = f"gallery/{script.with_suffix('.html').as_posix()}"
    page = page_of(language, name)
    (link,) = [
        a["href"]
        for a in page.soup.select("ul.page-bar a.internal")
        if a["href"].endswith(suffix)
    ]
    return page, (site / language.url / name).parent.joinpath(link).resolve()


def normalised(text):
    """Take out what differs between machines: folders, and PyTorch's build paths."""
    text = re.sub(r"(?<=Triggered internally at )\S*/(?=\w+\.\w+:\d+\.\))", "", text)
    text = re.sub(r"^\S*/(?=\w+\.py:\d+: )", "", text, flags=re.MULTILINE)
    return text.strip()


def unordered(text):
    """Return the lines: a pipe doesn't keep stderr and stdout in their order."""
    return sorted(line.rstrip() for line in text.split("\n") if line.strip())


def environment(script):
    """Return what a reader has: the module only where the page is about it."""
    own = {"PYTHONPATH": str(PROJECT.root / "src")}
    is_about_module = b"gradguide" in (PROJECT.examples / script).read_bytes()
    clean = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    return clean | {"MPLBACKEND": "agg"} | (own if is_about_module else {})
