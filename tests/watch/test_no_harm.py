"""Tests that ``watch`` leaves nothing behind, and costs no run."""

import gc
from collections.abc import Iterator
from pathlib import Path
from weakref import ref

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

import gradguide
from gradguide._watch import hooks as hooking
from gradguide._watch import observation
from gradguide._watch.backwards import Backwards
from gradguide._watch.ledger import Ledger
from gradguide._watch.observer import Observer
from gradguide._watch.roots import Roots
from gradguide._watch.steps import Steps

from .command import command, run_code
from .parts import RIGHT, hooks, train, verdicts
from .parts import parts as make


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Compare all hooks and modes after a test with those before it."""
    before = hooks()
    yield
    assert hooks() == before


def test_nothing_is_kept_alive() -> None:
    """Models, optimizers, activations and losses are freed as without it."""

    def whole() -> list[object]:
        encoder, head, optimizer = make()
        encoder.register_buffer("scale", torch.ones(1))
        with gradguide.watch(encoder) as report:
            loss = train(encoder, head, optimizer)
        known = [ref(one) for one in (encoder, head, optimizer, loss, head.weight)]
        del encoder, head, optimizer, loss
        gc.collect()
        assert report
        return [type(one()) for one in known if one() is not None]

    assert whole() == []

    @gradguide.watch()
    def step(parts: tuple[nn.Module, nn.Module, Optimizer]) -> None:
        train(*parts)

    parts = make()
    for _ in range(3):
        step(parts)
    known = ref(parts[0])
    del parts
    gc.collect()
    assert known() is None


def test_variables_that_someone_has_are_not_emptied() -> None:
    """A dictionary that ``locals()`` returned stays as it is."""
    encoder, head, optimizer = make()
    own = locals()
    with gradguide.watch() as report:
        train(encoder, head, optimizer)
    assert own["encoder"] is encoder
    assert verdicts(report) == RIGHT


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (observation, "rows"),
        (Roots, "look_for_names"),
        (Observer, "start"),
        (Observer, "find_source"),
        (Backwards, "begin"),
        (Roots, "alive"),
        (Ledger, "compare"),
        (Ledger, "note_gradients"),
        (Ledger, "before_write"),
        (Steps, "begin"),
        (Steps, "end"),
        (hooking, "fingerprint"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_an_error_in_gradguide_costs_no_run(
    module: object,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is told in a line, and the results are those without it."""

    def fails(*_: object, **__: object) -> None:
        msg = "broken"
        raise LookupError(msg)

    def run() -> list[float]:
        torch.manual_seed(0)
        parts = make()
        parts[0].register_buffer("scale", torch.ones(1))
        return [train(*parts).item() for _ in range(2)]

    right = run()
    monkeypatch.setattr(module, name, fails)
    with gradguide.watch() as report:
        assert run() == right
    assert not report
    (note,) = report.notes
    assert note == "gradguide itself failed, and stopped watching: LookupError: broken"
    decorated = gradguide.watch()(run)
    assert [decorated() for _ in range(4)] == [right] * 4
    assert capsys.readouterr().err.count("gradguide itself failed") == 1


def test_an_error_in_gradguide_does_not_end_the_script(tmp_path: Path) -> None:
    """The command tells it at once; the script runs on, and its exit code stays."""
    code = """
import torch
from gradguide._watch.ledger import Ledger
Ledger.note_gradients = lambda self: 1 / 0
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(9):
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
raise SystemExit(4)
"""
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    told = command(tmp_path, "train.py")
    assert told.code == 4
    assert told.errors == (
        "\ngradguide: gradguide itself failed, and stopped watching: "
        "ZeroDivisionError: division by zero; the script goes on\n"
    )


def test_a_forked_process_is_not_watched(tmp_path: Path) -> None:
    """A worker that loads data computes as ever; what it does is not reported."""
    code = """
import os, gradguide, torch
model, other = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with gradguide.watch() as report:
    if not os.fork():
        other(torch.ones(3)).sum().backward()
        os._exit(int(other.weight.grad.sum()) + len(report))
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    model(torch.ones(3)).sum().backward()
    optimizer.step()
print([row[:2] for row in report])
"""
    told = run_code(code, tmp_path)
    assert told.output == "3\n[('model.weight', 'trains'), ('model.bias', 'trains')]\n"


def test_a_watch_inside_of_the_command(tmp_path: Path) -> None:
    """Both report, also if the command stops watching first."""
    code = """
import gradguide, torch
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with gradguide.watch() as report:
    for i in range(6):
        optimizer.zero_grad()
        model(torch.ones(3)).sum().backward()
        optimizer.step()
print(*report.notes, [row[:2] for row in report])
print(torch.overrides._len_torch_function_stack())
import torch.optim.optimizer as optimizers
print(len(optimizers._global_optimizer_post_hooks))
"""
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    told = command(tmp_path, "--go-on", "train.py")
    assert told.code == 0, told.errors
    assert told.output.splitlines() == [
        " [('model.weight', 'trains'), ('model.bias', 'trains')]".strip(),
        "0",
        "0",
    ]
    assert "2 of 2 parameters train" in told.errors


def test_a_run_without_optimizer_leaves_nothing_behind(tmp_path: Path) -> None:
    """The mode is left at the next call of a module, as it can't be in a backward."""
    code = """
import torch
model = torch.nn.Linear(3, 1)
for i in range(9):
    model(torch.ones(3)).sum().backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
print(torch.overrides._len_torch_function_stack())
"""
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    told = command(tmp_path, "--go-on", "train.py")
    assert told.output == "0\n"
    assert "2 of 2 parameters train" in told.errors
