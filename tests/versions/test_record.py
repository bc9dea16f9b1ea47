"""Tests what is recorded of another version, and what the site makes of it."""

from typing import Any

import pytest

from gradguide_site.running import record
from gradguide_site.running.record import ROOT, digest, order

from .__main__ import compare

SCRIPT = "graph/leaf_or_not"
USUAL = "a 1\nRuntimeError: output 0 of Exp was modified\nb 2\n"


def recorded(code: int, printed: str) -> dict[str, Any]:
    """Return what is recorded of one script, with the texts of its messages."""
    pinned = {"scripts": {SCRIPT: (0, USUAL)}}
    other = {"python": "3.11", "scripts": {SCRIPT: (code, printed)}}
    found = compare(pinned, other)
    return found["scripts"][SCRIPT] | {"texts": found["texts"]}


def test_the_same_output_in_another_order_is_the_same() -> None:
    """A pipe mixes two streams anew in each run."""
    lines = USUAL.splitlines()
    found = recorded(0, "\n".join(reversed(lines)))
    assert found == {"code": digest(ROOT / f"examples/{SCRIPT}.py"), "texts": {}}


def test_other_words_are_recorded() -> None:
    """A message is recognised though another version says it in other words."""
    found = recorded(0, USUAL.replace("Exp", "ExpBackward0"))
    ours, theirs = (
        f"RuntimeError: output 0 of {name} was modified"
        for name in ("Exp", "ExpBackward0")
    )
    assert found["diff"] == [f"-{ours}", f"+{theirs}"]
    assert found["texts"] == {ours: theirs}


def test_a_message_that_is_missing_is_recorded() -> None:
    """Another message is not taken for it."""
    found = recorded(0, "a 1\nRuntimeError: out of memory\nb 2\n")
    assert list(found["texts"].values()) == [""]


def test_a_failure_is_recorded() -> None:
    """The last line says why."""
    found = recorded(1, "a 1\nTraceback ...\nAssertionError: before 2.12\n")
    assert found["failed"] == "AssertionError: before 2.12"
    assert "diff" not in found


@pytest.mark.parametrize(
    ("versions", "text"),
    [
        (["2.9.1"], "2.9.1"),
        (["2.9.1", "2.10.0", "2.11.0"], "2.9.1 to 2.11.0"),
        (["2.6.0", "2.10.0", "2.11.0"], "2.6.0, 2.10.0 to 2.11.0"),
    ],
)
def test_ranges_have_no_gaps(
    versions: list[str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that was not recorded is no gap."""
    known = dict.fromkeys(("2.6.0", "2.9.1", "2.10.0", "2.11.0"))
    monkeypatch.setattr(record, "record", lambda: known)
    assert record.spans(versions) == text


def test_the_record_is_that_of_the_versions_that_people_have() -> None:
    """They are sorted, each has a date, and the pinned one has no difference."""
    known = record.record()
    assert list(known) == sorted(known, key=order)
    minor = {tuple(order(version)[:2]) for version in known}
    assert {(2, 6), *((2, number) for number in range(9, 16))} <= minor
    for version, found in known.items():
        assert found["date"] >= "2026-11-01", version
    (pinned,) = [v for v in known if v.startswith("2.13")]
    results = known[pinned]["scripts"].values()
    assert not any({"diff", "failed"} & {*result} for result in results)
    assert not known[pinned]["texts"]


@pytest.mark.parametrize(
    ("failed", "differs", "is_wrong"),
    [
        (["2.9.1"], [], False),
        ([], ["2.9.1", "2.11.0"], False),
        ([], [], True),
        (["2.6.0"], [], True),
        (["2.9.1", "2.11.0"], [], True),
    ],
)
def test_a_claim_is_compared_with_the_record(
    failed: list[str],
    differs: list[str],
    is_wrong: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It holds since 2.10 if the version before is different and no later one fails."""
    known = dict.fromkeys(("2.6.0", "2.9.1", "2.10.0", "2.11.0"))
    monkeypatch.setattr(record, "record", lambda: known)
    held = [version for version in known if version not in failed]
    found = record.Results(held, failed, differs)
    assert record.contradicts(found, "2.10") == is_wrong
