"""The table of the card: the code of each row does what its first column says.

The other code of ``docs/start/card.md`` is run by sybil.
"""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

CARD = Path(__file__).parents[1] / "docs/start/card.md"
ROW = re.compile(r"^\| (.+?) \| (.+) \|$", re.MULTILINE)
ROWS = {
    goal: re.findall(r"`([^`]+)`", cell)
    for goal, cell in ROW.findall(CARD.read_text("utf-8"))
}
X = torch.ones(2, 3)
CHECKS = {}


def check(goal):
    """Add a function to the checks; it gets each piece of code of the row."""
    return lambda function: CHECKS.setdefault(goal, function)


def run(code, **names):
    """Run a piece of code and return its value, if it is an expression."""
    try:
        return eval(code, names)  # noqa: S307 (our own page)
    except SyntaxError:
        return exec(code, names)  # noqa: S102


def have_gradients(*modules):
    return [module.weight.grad is not None for module in modules]


@check("freeze a layer and train those before it")
def _(freeze):
    before, layer = nn.Linear(3, 3), nn.Linear(3, 3)
    run(freeze, layer=layer)
    layer(before(X)).sum().backward()
    assert have_gradients(before, layer) == [True, False]


@check("freeze a backbone and train its head")
def _(freeze, evaluate, train):
    backbone, head = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), nn.Linear(3, 1)
    model = nn.Sequential(backbone, head).eval()
    run(freeze, backbone=backbone)
    run(train, model=model)
    run(evaluate, backbone=backbone)
    model(X).sum().backward()
    assert have_gradients(backbone[0], head) == [False, True]
    assert (backbone[1].num_batches_tracked.item(), head.training) == (0, True)


@check("train an actor through its critic")
def _(freeze, without):
    actor, critic = nn.Linear(3, 3), nn.Linear(3, 1)
    cut = run(f"action.{without}", action=actor(X))
    critic(cut).sum().backward()
    assert have_gradients(actor, critic) == [False, True]
    critic.zero_grad()
    run(freeze, critic=critic)
    critic(actor(X)).sum().backward()
    assert have_gradients(actor, critic) == [True, False]


@check("use a value as a target, a weight or a constant")
def _(detach):
    assert not run(detach, value=nn.Linear(3, 3)(X)).requires_grad


@check("predict")
def _(evaluate, mode):
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    run(evaluate, model=model)
    with run(mode, torch=torch):
        assert torch.equal(model(X), model[0](X))
        assert not model(X).requires_grad


@check("change a weight by hand")
def _(change):
    w = nn.Parameter(torch.ones(1))
    run(change, torch=torch, w=w)
    assert (w.item(), w.requires_grad, w.is_leaf) == (2, True, True)


@check("freeze in the middle of training")
def _(freeze, forget):
    p = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.AdamW([p])
    p.sum().backward()
    optimizer.step()
    before = p.item()
    run(freeze, p=p)
    run(forget, p=p)
    optimizer.step()
    assert p.item() == before


@check("freeze with activation checkpointing")
def _(call):
    layer, h = nn.Linear(3, 3), nn.Linear(3, 3).requires_grad_(False)(X)
    run(call, checkpoint=checkpoint, layer=layer, h=h).sum().backward()
    assert have_gradients(layer) == [True]


@check("train adapters in a frozen base")
def _(freeze, dtype):
    base = nn.Linear(3, 3, dtype=torch.bfloat16)
    adapter = nn.Linear(3, 3, dtype=getattr(torch, dtype))
    run(freeze, base=base)
    with torch.autocast("cpu", torch.bfloat16):
        (base(X) + adapter(X)).sum().backward()
    assert have_gradients(base, adapter) == [False, True]


@pytest.mark.parametrize("goal", [goal for goal, code in ROWS.items() if code])
def test_the_code_of_a_row_does_what_its_goal_says(goal):
    """A new row, and new code in a row, needs a check."""
    CHECKS[goal](*ROWS[goal])


def test_each_check_has_its_row():
    """A goal that is written in other words needs its check again."""
    assert ROWS.keys() >= CHECKS.keys()
