"""The commands that have to notice a fault, each the smallest that can."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

GUIDE = "guide"
"""The copy of the project, with its finished site."""

TINY = "tiny"
"""The tiny guide of ``tests/pipeline``: two scripts, built by the real pipeline."""

STAGE_CHINESE = """
from pathlib import Path
from gradguide_site.project import CHINESE, Project
from gradguide_site.running.stage import stage
stage(Project(Path.cwd()), CHINESE, Path("docs/_build/staged"))
"""


@dataclass(frozen=True)
class Check:
    """A command.

    Attributes:
        name: How a person would say it.
        command: What is run.
        place: In which folder of the workspace.
        seconds: After how long it is stopped, and counts as not having noticed.
        variables: What is added to the environment.
    """

    name: str
    command: tuple[str, ...]
    place: str = GUIDE
    seconds: int = 120
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)


def pytest(tests: str, *options: str) -> Check:
    """Return a run of a file of tests, of one of them, or of one case."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    command += ("--tb=short", "--maxfail=1", tests, *options)
    return Check(" ".join(("pytest", tests, *options)), command)


def site(test: str, page: str = "") -> Check:
    """Return a test of the finished site, of one page if it asks each page."""
    return pytest(f"tests/site/{test}" + (f"[{page}]" if page else ""))


def browser(test: str, case: str = "") -> Check:
    """Return a test that opens the finished site in a browser."""
    return pytest(f"tests/browser/{test}" + (f"[{case}]" if case else ""))


def module(tests: str, name: str = "") -> Check:
    """Return tests of the module: a file, or those of it whose name has some words."""
    return pytest(f"tests/module/{tests}", *(("-k", name) if name else ()))


SITE = (sys.executable, "-m", "gradguide_site", "--root", ".")
BUILD = Check(
    "build of the tiny guide",
    (*SITE, "build", "en"),
    place=TINY,
    variables={"GRADGUIDE_SCRIPT_SECONDS": "3"},
)
STAGE = Check(
    "first step of the build: stage the Chinese", (sys.executable, "-c", STAGE_CHINESE)
)
TRANSLATE = Check("translate --check", (*SITE, "translate", "--check"))
INSPECTION = site(
    "test_site.py::test_the_published_site_passes_the_inspection_of_the_build"
)
PAGE = "test_pages.py::test_a_page_has_no_fault"
SOURCES = "tests/test_sources.py"
