"""Tests reports on programs that train with other packages."""

from pathlib import Path

import pytest

from tests.watch.command import watch_alone
from tests.watch.expected import compare, expected, note, raises

HERE = Path(__file__).parent / "programs"
PROGRAMS = sorted(HERE.glob("*/*.py"))


@pytest.mark.parametrize(
    "script", PROGRAMS, ids=lambda script: script.relative_to(HERE).as_posix()
)
def test_a_report_is_right(script: Path) -> None:
    """Each problem is told with its cause, and a healthy program has none."""
    told = watch_alone(script)
    compare(script, told.report["rows"])
    assert raises(script) in told.errors
    assert note(script) in " ".join(told.report["notes"])
    problems = any(one.is_problem for one in expected(script))
    assert told.code == int(problems or bool(raises(script)))
