"""The scenarios together: enough of them are known from life, and no verdict lacks."""

from importlib import import_module
from pathlib import Path

from .scenarios import Scenario

VERDICTS = {
    "trains",
    "frozen",
    "cut",
    "unused",
    "unreached",
    "unregistered",
    "not in optimizer",
    "lr=0",
    "zero",
    "moves",
    "orphan",
    "unknown",
}


def scenarios() -> list[Scenario]:
    """Return the scenarios of all files."""
    files = sorted(Path(__file__).parent.glob("test_scenarios_*.py"))
    modules = [import_module(f"{__package__}.{file.stem}") for file in files]
    return [one for module in modules for one in getattr(module, "scenario", ())]


def verdicts(scenario: Scenario) -> set[str]:
    """Return the verdicts that a scenario names; whatever it does not name trains."""
    return {verdict for verdict, _ in scenario.truth.values()}


def test_sources() -> None:
    """Sixty say where people met them; none is made up but to complete the causes."""
    sourced = [one for one in scenarios() if one.source]
    assert len(sourced) >= 60
    assert all(one.source.startswith("https://") for one in sourced)
    for one in scenarios():
        if not one.source and verdicts(one) - {"frozen"}:
            assert one.code.__doc__ == "Completes the causes.", one.code.__name__


def test_verdicts() -> None:
    """Each verdict is the truth of some scenario, and no other word is."""
    assert {"trains"}.union(*map(verdicts, scenarios())) == VERDICTS
