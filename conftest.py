"""Run every ``>>>`` of the README, the hand-written pages and the docstrings.

And say what runs on one core: see ``pytest_xdist_make_scheduler``.
"""

import os
import re
from doctest import ELLIPSIS
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

pages = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)],
    patterns=["README.md", "docs/**/*.md"],
    excludes=["docs/_build/**"],
)
docstrings = Sybil(parsers=[DocTestParser(optionflags=ELLIPSIS)], pattern="src/**/*.py")
pytest_collect_file = (pages + docstrings).pytest()

# What lands must not hang on luck: neither on how long a first example takes, nor on
# which examples are drawn. The nightly run looks for what luck may find.
in_ci = "CI" in os.environ
settings.register_profile("tests", deadline=None, max_examples=200, derandomize=in_ci)
settings.register_profile("nightly", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


@pytest.hookimpl(optionalhook=True)  # not every session has xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Scheduling":
    """Keep a file on one core, as its tests may build up; but spread the site.

    What is asked of each page or script of the site goes by page or script: these are
    most of the work, and a page that stays on one core is read once.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByPageOrFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            page = re.fullmatch(r"tests/site/.*\[((?:en|zh-cn)/.*)\]", nodeid)
            return page[1] if page else super()._split_scope(nodeid)

    return ByPageOrFile(config, log)
