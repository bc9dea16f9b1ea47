"""Tests the verdict, its cause and its line on networks with a known mistake."""

from importlib import import_module
from pkgutil import iter_modules

import pytest

from . import scenarios
from .scenarios import CAUSE, TRAP, Scenario, check

FILES = [file.name for file in iter_modules(scenarios.__path__)]
SCENARIOS = {
    f"{file}.{scenario.code.__name__}": scenario
    for file in FILES
    for scenario in import_module(f"{scenarios.__name__}.{file}").scenario
}
VERDICTS = {
    *("trains", "frozen", "cut", "unused", "unreached", "unregistered"),
    *("not in optimizer", "lr=0", "zero", "moves", "orphan", "unknown"),
}


def verdicts(scenario: Scenario) -> set[str]:
    """Return the verdicts that a scenario names; all other parameters train."""
    return {verdict for verdict, _ in scenario.truth.values()}


@pytest.mark.filterwarnings(
    "ignore:None of the inputs", "ignore:Converting a tensor", "ignore:To copy"
)
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    """Verdict, cause and line are right, and a real step changes what it should."""
    check(SCENARIOS[name])


def test_sources() -> None:
    """Sixty scenarios say where people met them, and all others why they are here."""
    sources = [scenario.source for scenario in SCENARIOS.values()]
    assert sum(source.startswith("https://") for source in sources) >= 60
    for name, scenario in SCENARIOS.items():
        if verdicts(scenario) - {"frozen"}:
            known = scenario.source.startswith("https://")
            assert known or scenario.source in {CAUSE, TRAP}, name


def test_verdicts() -> None:
    """Each verdict is the truth of some scenario, and no other word is."""
    assert {"trains"}.union(*map(verdicts, SCENARIOS.values())) == VERDICTS
