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

if "CI" not in os.environ:  # there hypothesis chooses a profile of its own
    settings.register_profile("local", deadline=None)
    settings.load_profile("local")
