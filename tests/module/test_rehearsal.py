"""Tests the step that ``explain`` takes on copies, to predict the real one."""

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from gradguide import changed, explain, freeze

from .optimizers import OPTIMIZERS, loss_of, trained
from .scenarios import Two


def test_rehearsal_leaves_the_optimizer_alone() -> None:
    """Predicting a step changes no state, counts no step and calls no hook."""
    model, optimizer = trained(OPTIMIZERS["Adam"], 2)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append(1))
    model.requires_grad_(requires_grad=False)
    state = {
        name: value.clone() for name, value in optimizer.state[model.head.bias].items()
    }
    with changed(model) as names:
        explain(model, optimizer=optimizer)
    after = optimizer.state[model.head.bias]
    assert names == []
    assert calls == []
    assert all(after[name].equal(value) for name, value in state.items())
    assert scheduler.last_epoch == 0
    assert not hasattr(optimizer, "_opt_called") or not optimizer._opt_called


def test_rehearsal_calls_no_hook_of_all_optimizers() -> None:
    """A hook for all optimizers is not called by the step on copies."""
    model, optimizer = trained(OPTIMIZERS["SGD"], 1)
    model.requires_grad_(requires_grad=False)
    calls: list[object] = []
    handle = register_optimizer_step_post_hook(lambda *_: calls.append(1))
    assert explain(model, optimizer).problems
    handle.remove()
    assert not calls


class Careful(torch.optim.SGD):
    """An optimizer that is not PyTorch's own."""


def test_foreign_optimizer() -> None:
    """With an optimizer that is not PyTorch's own, each stale gradient is a problem."""
    model, optimizer = trained(lambda p: Careful(p, lr=0.1), 1)
    model.requires_grad_(requires_grad=False)
    assert {row.verdict for row in explain(model, optimizer=optimizer)} == {"moves"}


def test_gradients_without_values() -> None:
    """On the meta device a parameter has no values that a step could change."""
    model = nn.Linear(2, 2, device="meta")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.weight.grad = torch.zeros_like(model.weight)
    model.requires_grad_(requires_grad=False)
    verdicts = [(row.verdict, row.why) for row in explain(model, optimizer)]
    assert verdicts == [("frozen", "stale .grad"), ("frozen", "")]


def test_sparse_gradient() -> None:
    """A sparse gradient that was left behind is applied like any other."""
    model = nn.Embedding(3, 2, sparse=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.tensor([0])).sum().backward()
    model.requires_grad_(requires_grad=False)
    (row,) = explain(model, optimizer)
    assert row.why == "frozen, but its stale .grad is applied by step()"
    with changed(model) as names:
        optimizer.step()
    assert names == [row.name]


def test_nan_stays_nan() -> None:
    """A parameter that holds NaN is not moved by a gradient of zero."""
    model = nn.Linear(2, 1)
    model.weight.data.fill_(torch.nan)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.weight.grad = torch.zeros_like(model.weight)
    model.requires_grad_(requires_grad=False)
    report = explain(model, optimizer)
    with changed(model) as names:
        optimizer.step()
    assert names == []
    assert not report.problems


def test_lbfgs_moves_what_is_frozen() -> None:
    """LBFGS updates all its parameters by its history, with a gradient or without."""
    model = Two(torch.tanh).double()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    assert not explain(model, optimizer).problems
    optimizer.step(closure)
    freeze(model, "backbone")
    problems = explain(model, optimizer).problems
    assert {row.verdict for row in problems} == {"moves"}
    with changed(model) as names:
        optimizer.step(closure)
    assert {row.name for row in problems} <= set(names)
