"""Tests the predicted changes of a step against the changes of a real step."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import Optimizer

from gradguide import changed, explain, freeze

from .optimizers import OPTIMIZERS, loss_of, trained
from .scenarios import Two

NAMES = [name for name, _ in Two().named_parameters()]
SOME = st.sets(st.sampled_from(NAMES))


@settings(max_examples=settings.default.max_examples // 2)
@given(
    st.sampled_from(sorted(OPTIMIZERS)),
    st.integers(0, 2),
    SOME,
    st.sampled_from(["keep", "zero", "none"]),
    SOME,
)
def test_moves(
    kind: str, steps: int, frozen: set[str], clearing: str, still: set[str]
) -> None:
    """A real step changes exactly the frozen parameters that are reported to move."""
    torch.manual_seed(0)
    model, optimizer = trained(OPTIMIZERS[kind], steps)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name not in frozen
    if clearing != "keep":
        optimizer.zero_grad(set_to_none=clearing == "none")
    if "head.bias" in still:
        optimizer.param_groups[0]["lr"] = 0
    report = explain(model, optimizer=optimizer)
    with changed(model) as names:
        optimizer.step()
    predicted = [row.name for row in report if row.verdict == "moves"]
    assert predicted == [name for name in names if name in frozen]
    assert all(
        row.why.startswith("frozen, but ")
        for row in report.problems
        if row.verdict == "moves"
    )


@settings(max_examples=settings.default.max_examples // 2)
@given(
    st.sampled_from(sorted(OPTIMIZERS)),
    st.integers(0, 2),
    SOME,
    st.booleans(),
    SOME,
    st.booleans(),
)
def test_trains(
    kind: str,
    steps: int,
    frozen: set[str],
    to_none: bool,
    forgotten: set[str],
    still: bool,
) -> None:
    """A real backward and step change the parameters that train or move."""
    torch.manual_seed(0)
    model, optimizer = trained(OPTIMIZERS[kind], steps)
    group = optimizer.param_groups[0]
    known = [p for name, p in model.named_parameters() if name not in forgotten]
    group["params"] = known[:1]
    rest = known[1:] or [nn.Parameter(torch.ones(1))]
    optimizer.add_param_group({"params": rest, "lr": 0.0 if still else 0.1})
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name not in frozen
    optimizer.zero_grad(set_to_none=to_none)
    report = explain(model, lambda: loss_of(model), optimizer, gradients=True)
    with changed(model) as names:
        if (loss := loss_of(model)).requires_grad:
            loss.backward()
        optimizer.step()
    predicted = [row.name for row in report if row.verdict in {"trains", "moves"}]
    assert predicted == names
    for row in report:
        if row.kind == "parameter" and row.verdict == "not in optimizer":
            assert row.name in forgotten - frozen


def test_freezing_for_real_moves_nothing() -> None:
    """After ``freeze`` there is nothing that a step could move."""
    model, optimizer = trained(OPTIMIZERS["SGD both"], 2)
    freeze(model)
    assert not explain(model, optimizer=optimizer).problems


@pytest.mark.parametrize(
    ("kind", "clear", "why"),
    [
        ("SGD", False, "frozen, but its stale .grad is applied by step()"),
        (
            "SGD both",
            False,
            "frozen, but its stale .grad is applied by step(), weight decay, momentum",
        ),
        (
            "SGD decay",
            True,
            "frozen, but weight decay can move it: .grad is 0, not None",
        ),
        ("Adam", True, "frozen, but momentum can move it: .grad is 0, not None"),
    ],
)
def test_what_moves_it(kind: str, clear: bool, why: str) -> None:
    """The reason names the stale gradient, weight decay and momentum that apply."""
    model, optimizer = trained(OPTIMIZERS[kind], 1)
    if clear:
        optimizer.zero_grad(set_to_none=False)
    model.head.requires_grad_(requires_grad=False)
    (weight, _) = explain(model, optimizer=optimizer).problems
    assert weight[:4] == ("head.weight", "moves", why, "")


def test_stale_gradient_without_optimizer() -> None:
    """Without an optimizer a stale gradient is noted, and no problem yet."""
    model, _ = trained(OPTIMIZERS["SGD"], 1)
    model.requires_grad_(requires_grad=False)
    report = explain(model)
    assert {(row.verdict, row.why) for row in report} == {("frozen", "stale .grad")}
    assert not report.problems


@pytest.mark.parametrize(
    ("named", "names"),
    [
        (False, ["param_groups[0]['params'][2]", "param_groups[0]['params'][3]"]),
        (True, ["head.weight", "head.bias"]),
    ],
)
def test_orphans(named: bool, names: list[str]) -> None:
    """A tensor that only the optimizer holds is reported by its name or its place."""
    model = Two()
    parameters = model.named_parameters() if named else model.parameters()
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    model.head = nn.Linear(4, 3)
    orphans = [r for r in explain(model, optimizer=optimizer) if r.verdict == "orphan"]
    assert [row.name for row in orphans] == names
    assert {row.kind for row in orphans} == {"optimizer"}


def test_optimizer_in_place_of_a_loss() -> None:
    """The optimizer may be the second argument."""
    model = Two()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    assert explain(model, optimizer) == explain(model, None, optimizer)


def test_both_unregistered_and_held() -> None:
    """A tensor that the loss reaches and the optimizer holds has one row."""
    model, weights = Two(), torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([*model.parameters(), weights], lr=0.1)
    x = torch.randn(5, 3)
    report = explain(model, lambda: (model(x) * weights.exp()).sum(), optimizer)
    assert [row.verdict for row in report.problems] == ["unregistered"]


@pytest.mark.parametrize("group", [{"lr": None}, {}])
def test_optimizer_that_works_out_its_rate(group: dict[str, object]) -> None:
    """A group without a learning rate does not count as one with 0."""

    class Rateless(Optimizer):
        def step(self) -> None: ...

    model = nn.Linear(2, 1)
    optimizer = Rateless(model.parameters(), group)
    assert [row.verdict for row in explain(model, optimizer)] == ["trains"] * 2


@pytest.mark.parametrize("make", [torch.optim.Rprop, torch.optim.ASGD])
def test_a_rate_of_zero_that_moves(make: Callable[..., Optimizer]) -> None:
    """Rprop and ASGD update with steps that do not depend on the current rate."""
    model = Two(torch.tanh)
    optimizer = make(model.parameters(), lr=0.1)
    loss = lambda: model(torch.ones(5, 3)).square().sum()  # noqa: E731
    loss().backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.0
    trains = [row.name for row in explain(model, loss, optimizer)]
    assert {row.verdict for row in explain(model, loss, optimizer)} == {"trains"}
    with changed(model) as names:
        loss().backward()
        optimizer.step()
    assert names == trains
