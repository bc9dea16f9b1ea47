"""Tests reports on whole programs: those with a mistake, and those without one."""

from pathlib import Path

import pytest

from .command import plain, watch
from .expected import compare, expected, note, raises

HERE = Path(__file__).parent
MISTAKES = sorted(
    script
    for script in HERE.glob("mistakes/*/*.py")
    if expected(script) or raises(script) or note(script)
)
HEALTHY = sorted(HERE.glob("healthy/*.py"))


def _name(script: Path) -> str:
    return script.relative_to(HERE).as_posix()


@pytest.mark.parametrize("script", MISTAKES, ids=_name)
def test_a_mistake_is_explained(script: Path) -> None:
    """The report has each problem with its cause and line, and no other problem."""
    told = watch(script, options=("--json",))
    compare(script, told.report["rows"])
    assert note(script) in "\n".join(told.report["notes"])
    if raises(script):
        assert raises(script) in told.errors
        assert "Traceback (most recent call last):" in told.errors
    assert told.code == int(
        any(one.is_problem for one in expected(script)) or bool(raises(script))
    )


@pytest.mark.parametrize("script", HEALTHY, ids=_name)
def test_a_healthy_program_has_no_problem_and_the_same_results(script: Path) -> None:
    """No problem is reported, and what the program prints is bit for bit the same."""
    alone = plain(script)
    watched = watch(script, options=("--json", "--go-on"))
    report = watched.report
    assert [row for row in report["rows"] if row["is_problem"]] == []
    assert watched.code == alone.code == 0, watched.errors
    assert watched.output == alone.output
    assert not any("gradguide itself failed" in note for note in report["notes"])
    for one in expected(script):
        assert any(one.fits(row) for row in report["rows"]), (one, report["rows"])
