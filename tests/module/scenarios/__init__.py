"""Networks with a known mistake, and the check of ``explain`` against a real step.

Each file has the scenarios of one kind in its list ``scenario``.
"""

import inspect
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gradguide import changed, explain
from gradguide._report.report import Report

Built = Sequence[Any]
"""A model, its loss (a function or a tensor) and, in some scenarios, an optimizer."""
Build = Callable[[], Built]
Truth = dict[str, tuple[str, str]]
"""Verdict and, if it is compared, reason by pattern; all other parameters train."""
Add = Callable[[Callable[..., Any]], Callable[..., Any]]

BACKBONE = "backbone.*"
NEVER = ("unused", "never read in the forward")
DROPPED = ("unused", "its result never reaches the loss")
STRAY = ("unregistered", "reached by the loss, but not a parameter of the model")
HAS_LINE = {"cut", "unused", "unknown"}
MOVING = {"trains", "moves"}

CAUSE = "Made up, so that there is a scenario for each cause."
TRAP = "Made up, as a recording of operations easily gets it wrong."


class Two(nn.Module):
    """A backbone and a head; scenarios say what happens in between."""

    def __init__(
        self,
        between: Callable[[Tensor], Tensor] = lambda x: x,
        **parts: nn.Module | Tensor,
    ) -> None:
        super().__init__()
        self.backbone = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)
        self.between = between
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self.backbone(x)))


class Scenario(NamedTuple):
    """Code with a mistake, how a model and its loss are built from it, and the truth.

    The line of the code that ends in ``# here`` is where the cause is. The source is
    the address of a thread in which people met the mistake, or ``CAUSE`` or ``TRAP``.
    """

    code: Callable[..., Any]
    build: Build
    truth: Truth
    source: str


class Scenarios(list[Scenario]):
    """The scenarios of one file; each method is a decorator that adds one."""

    def __call__(self, truth: Truth, source: str = "") -> Add:
        """Add code that returns a model, its loss and perhaps an optimizer."""
        return self._adder(lambda code: code, truth, source)

    def between(self, truth: Truth, source: str = "") -> Add:
        """Add an operation between the backbone and the head of ``Two``."""
        return self._adder(lambda code: lambda: _with_loss(Two(code)), truth, source)

    def setup(self, truth: Truth, source: str = "") -> Add:
        """Add code that prepares a ``Two`` and may return an optimizer for it."""

        def builder(code: Callable[[Two], Optimizer | None]) -> Build:
            def build() -> Built:
                model = Two()
                optimizer = code(model)
                return *_with_loss(model), optimizer

            return build

        return self._adder(builder, truth, source)

    def loss(
        self, truth: Truth, source: str = "", make: Callable[[], nn.Module] = Two
    ) -> Add:
        """Add a loss of a model, which ``make`` returns, and of an input."""

        def builder(code: Callable[[nn.Module, Tensor], object]) -> Build:
            def build() -> Built:
                model, x = make(), torch.randn(5, 3)
                return model, lambda: code(model, x)

            return build

        return self._adder(builder, truth, source)

    def _adder(
        self, builder: Callable[[Callable[..., Any]], Build], truth: Truth, source: str
    ) -> Add:
        def add(code: Callable[..., Any]) -> Callable[..., Any]:
            self.append(Scenario(code, builder(code), truth, source))
            return code

        return add


def _with_loss(model: nn.Module) -> Built:
    x = torch.randn(5, 3)
    return model, lambda: model(x).square().sum()


def check(scenario: Scenario) -> None:
    """Compare the report with the truth, and the truth with a real step."""
    model, loss, *rest = scenario.build()
    optimizer = rest[0] if rest else None
    expected = {verdict for verdict, _ in scenario.truth.values()}
    report = explain(model, loss, optimizer, gradients="zero" in expected)
    marked = line_of(scenario.code)
    unmatched = set(scenario.truth)
    for row in report:
        pattern = next((p for p in scenario.truth if fnmatchcase(row.name, p)), None)
        verdict, why = scenario.truth[pattern] if pattern else ("trains", "")
        unmatched.discard(pattern)
        assert (row.name, row.verdict) == (row.name, verdict)
        if why == DROPPED[1]:
            assert row.why.startswith(f"{why}; last used by ")
            assert row.where
        elif why:
            assert row.why == why
            line = marked if verdict in HAS_LINE else ""
            assert row.where.partition(" in ")[0] == line
        assert not marked or why or not row.where
    assert not unmatched
    if optimizer is None:
        agree(model, loss, {row.name: row.verdict for row in report})
    else:
        step(model, loss, optimizer, report)


def reasons(
    model: nn.Module, loss: Callable[[], object], part: str
) -> set[tuple[str, str]]:
    """Return the verdicts and reasons of a part's parameters, and check the line."""
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
    """Check that a training step changes exactly what the report says."""
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


def line_of(code: Callable[..., Any]) -> str:
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
