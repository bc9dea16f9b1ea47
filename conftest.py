"""Run every ``>>>`` of the README, the hand-written pages and the docstrings."""

import os
from doctest import ELLIPSIS

from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

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
