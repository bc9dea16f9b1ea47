"""Collects networks with a known mistake, and checks what ``explain`` says of them."""

import inspect
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gradguide import changed, explain
from gradguide._report import Report

Made = tuple[nn.Module, object] | tuple[nn.Module, object, Optimizer]
Code = Callable[[], Made]
Truth = dict[str, tuple[str, str]]
BACKBONE = "backbone.*"
NEVER = ("unused", "never read in the forward")
DROPPED = ("unused", "its result never reaches the loss")
STRAY = ("unregistered", "reached by the loss, but not a parameter of the model")
HAS_LINE = {"cut", "unused", "unknown"}
MOVING = {"trains", "moves"}


class Scenario(NamedTuple):
    """Code that builds a model, its loss and perhaps an optimizer, and the truth.

    The source is the address of a thread in which people met it, or empty.
    """

    code: Code
    truth: Truth
    source: str


class Scenarios(list[Scenario]):
    """The scenarios of one file; a decorator adds to them."""

    def __call__(self, truth: Truth, source: str = "") -> Callable[[Code], Code]:
        """Add a scenario: verdict and start of ``why`` by glob; others train.

        A line of the code that ends in ``# here`` is where the cause is.
        """

        def add(code: Code) -> Code:
            self.append(Scenario(code, truth, source))
            return code

        return add

    def parametrize(self) -> pytest.MarkDecorator:
        """Run a test once for each scenario."""
        names = [scenario.code.__name__ for scenario in self]
        assert len(set(names)) == len(names)
        return pytest.mark.parametrize("scenario", self, ids=names)


class Two(nn.Module):
    """A backbone and a head; what happens in between is the scenario's."""

    def __init__(self, between: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        self.backbone = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self.backbone(x)))


def two(between: Callable[[Tensor], Tensor]) -> tuple[nn.Module, Callable[[], object]]:
    """Return such a network, and a loss of it."""
    model = Two(between)
    x = torch.randn(5, 3)
    return model, lambda: model(x).square().sum()


def check(scenario: Scenario) -> None:
    """Compare what is said with the truth, and the truth with what really happens."""
    model, loss, *rest = scenario.code()
    optimizer = rest[0] if rest else None
    wanted = {verdict for verdict, _ in scenario.truth.values()}
    report = explain(model, loss, optimizer, gradients="zero" in wanted)
    at = line_of(scenario.code)
    unseen = set(scenario.truth)
    for row in report:
        pattern = next((p for p in scenario.truth if fnmatchcase(row.name, p)), None)
        verdict, why = scenario.truth[pattern] if pattern else ("trains", "")
        unseen.discard(pattern)
        assert (row.name, row.verdict) == (row.name, verdict)
        assert row.why.startswith(why)
        if why:
            line = at if verdict in HAS_LINE else ""
            assert row.where.partition(" in ")[0] == line
        assert not at or why or not row.where
    assert not unseen
    if optimizer is None:
        agree(model, loss, {row.name: row.verdict for row in report})
    else:
        step(model, loss, optimizer, report)


def said(
    model: nn.Module, loss: Callable[[], object], part: str
) -> set[tuple[str, str]]:
    """Return verdict and reason of the parameters of a part, once each."""
    rows = [row for row in explain(model, loss) if row.name.startswith(part)]
    assert rows
    for row in rows:
        if row.verdict == "cut":
            assert row.where.partition(" in ")[0] == line_of(loss)
    return {row[1:3] for row in rows}


def agree(model: nn.Module, loss: object, verdicts: dict[str, str]) -> None:
    """Check that exactly the parameters that train get a gradient."""
    for parameter in model.parameters():
        parameter.grad = None
    _backward(loss)
    for name, parameter in model.named_parameters():
        if verdicts[name] != "unknown":
            reached = verdicts[name] in {"trains", "zero"}
            assert (parameter.grad is not None) == reached, name
            if verdicts[name] == "zero":
                assert not parameter.grad.any(), name


def step(model: nn.Module, loss: object, optimizer: Optimizer, report: Report) -> None:
    """Check that a training step changes exactly what is said to train or move."""
    with changed(model) as names:
        _backward(loss)
        optimizer.step()
    for row in report:
        if row.kind in {"parameter", "buffer"} and row.verdict != "unknown":
            assert (row.name in names) == (row.verdict in MOVING), row.name


def _backward(loss: object) -> None:
    with torch.enable_grad():
        result = loss() if callable(loss) else loss
        roots = [t for t in _tensors(result) if t.requires_grad]
        torch.autograd.backward([root.sum() for root in roots])


def line_of(code: Code) -> str:
    """Return file and line of the marked line, or nothing."""
    lines, first = inspect.getsourcelines(code)
    file = Path(inspect.getsourcefile(code) or "").name
    marked = [n for n, line in enumerate(lines) if line.rstrip().endswith("# here")]
    assert len(marked) <= 1
    return f"{file}:{first + marked[0]}" if marked else ""


def _tensors(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [tensor for part in parts for tensor in _tensors(part)]
