"""Doctests, the profiles of Hypothesis, the browser, and what runs on which core.

Every ``>>>`` of the README, the hand-written pages and the docstrings is run.
"""

import os
import re
import subprocess
import sys
from doctest import ELLIPSIS
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser
from tests.browser.executable import HINT, find

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

pages = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)],
    patterns=["README.md", "docs/*.md", "docs/*/*.md"],
    excludes=["docs/_build/*"],
)
docstrings = Sybil(
    parsers=[DocTestParser(optionflags=ELLIPSIS)],
    patterns=["src/*/*.py", "src/*/*/*.py"],  # here ** is but one folder
)
pytest_collect_file = (pages + docstrings).pytest()

# A test must not depend on chance: neither on how long a first example takes, nor on
# which examples are drawn. The nightly run draws many more.
in_ci = "CI" in os.environ
settings.register_profile("tests", deadline=None, max_examples=200, derandomize=in_ci)
settings.register_profile("nightly", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))

ROOT = Path(__file__).parent
BROWSER_TESTS = ROOT / "tests/browser"


def pytest_configure(config: pytest.Config) -> None:
    """Stop at once in CI if tests would be left out for want of a browser."""
    if in_ci and _lack_browser(config):
        raise pytest.UsageError(f"No browser. {HINT}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests that need a browser if there is none; listing needs none."""
    listed = collection_path != BROWSER_TESTS or config.option.collectonly
    return None if listed or find() else True


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say at the start what is left out."""
    return [_left_out()] if _lack_browser(config) else []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say at the end what was left out."""
    if _lack_browser(config):
        terminalreporter.write_line(_left_out())


def _lack_browser(config: pytest.Config) -> bool:
    """Whether the run takes in tests that need a browser, and there is none."""
    paths = [Path(arg.partition("::")[0]).absolute() for arg in config.args]
    meant = any(path in BROWSER_TESTS.parents for path in paths)
    return meant and not config.option.collectonly and find() is None


@cache
def _left_out() -> str:
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", BROWSER_TESTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"^(\d+) tests collected", listing.stdout, re.MULTILINE)
    number = found[1] if found else "all its"
    return f"No browser: {number} tests were left out. {HINT}"


@pytest.hookimpl(optionalhook=True)  # not every session has xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Scheduling":
    """Keep a file on one core, as its tests share what is slow to make.

    The tests of one page or one script share nothing: they go wherever there is room.
    """
    from xdist.scheduler import LoadFileScheduling

    spread = re.compile(r"tests/(browser/test_(visits|access)|site/test_(pages|down))")

    class SpreadPages(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if spread.match(nodeid) else super()._split_scope(nodeid)

    return SpreadPages(config, log)
