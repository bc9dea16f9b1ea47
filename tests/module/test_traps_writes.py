"""Tests the traps of writing: into parameters, through views, to memory used again."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from gradguide import explain

from .scenarios import said

X = torch.linspace(-1, 1, 15).reshape(5, 3)


def pair(width: int = 4) -> nn.ModuleDict:
    return nn.ModuleDict({"a": nn.Linear(3, width), "b": nn.Linear(3, width)})


def load(model: nn.ModuleDict) -> None:
    model["b"].load_state_dict(model["a"].state_dict())


def average(model: nn.ModuleDict) -> None:
    for p, q in zip(model["a"].parameters(), model["b"].parameters(), strict=True):
        q.data = 0.9 * q.data + 0.1 * p.data


def average_in_place(model: nn.ModuleDict) -> None:
    for p, q in zip(model["a"].parameters(), model["b"].parameters(), strict=True):
        q.data.mul_(0.9).add_(p.data, alpha=0.1)


def begin_again(model: nn.ModuleDict) -> None:
    model["b"].reset_parameters()


def fused_step(model: nn.ModuleDict) -> None:
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()


UPDATES = [load, average, average_in_place, begin_again, fused_step]


@pytest.mark.parametrize("update", UPDATES)
def test_a_parameter_stays_itself_whatever_is_written_into_it(
    update: Callable[[nn.ModuleDict], None],
) -> None:
    """Not the update of a target network is to blame, but what cuts it off."""
    model = pair()

    def loss() -> Tensor:
        update(model)
        with torch.no_grad():  # here
            target = model["b"](X)
        return F.mse_loss(model["a"](X), target)

    assert said(model, loss, "b") == {("cut", "no_grad")}
    assert said(model, lambda: (update(model), model["a"](X).sum())[1], "b") <= {
        ("unused", "never read in the forward"),
        ("unused", "its result never reaches the loss"),
    }


def test_writes_to_parts_add_up() -> None:
    """What one part got is not lost when another part is written to."""
    model = pair()

    def loss() -> Tensor:
        rows = torch.zeros(2, 4)
        rows[1].copy_(model["b"](X[0]))
        rows[0].copy_(model["a"](X[0]).detach())  # here
        rows[1].add_(1)
        return rows.sum()

    assert said(model, loss, "a") == {("cut", "detach()")}
    assert said(model, loss, "b") == {("trains", "")}


def test_halves_of_a_tensor() -> None:
    """The whole holds what was written to both halves, over what it held before."""
    model = pair()

    def loss() -> Tensor:
        whole = torch.zeros(5, 8)
        left, right = whole[:, :4], whole[:, 4:]
        with torch.no_grad():  # here
            torch.mul(model["a"](X), 2, out=left)
            right.copy_(model["b"](X))
        return whole.sum() + next(model["a"].parameters()).sum()

    assert said(model, loss, "b") == {("cut", "no_grad")}


@pytest.mark.parametrize(
    "make",
    [
        lambda like: torch.zeros_like(like),
        lambda like: torch.from_numpy(np.zeros(tuple(like.shape), np.float32)),
        lambda like: nn.Parameter(torch.zeros_like(like)),
    ],
)
def test_memory_that_is_used_again_has_no_history(
    make: Callable[[Tensor], Tensor],
) -> None:
    """What a new tensor holds is not what another one held in the same place."""
    model = nn.ModuleDict(
        {
            "a": nn.Linear(3, 64),
            "b": nn.Sequential(nn.Linear(3, 64), nn.ReLU(inplace=True)),
        }
    )
    like = torch.zeros(50, 64)
    x = torch.ones(50, 3)

    def loss() -> Tensor:
        total, keep = model["a"](x).sum(), []
        for _ in range(30):
            with torch.no_grad():
                model["b"](x)
            keep.append(make(like))
            total = total + keep[-1].sum()
        return total

    dropped = ("unused", "its result never reaches the loss")
    assert said(model, loss, "b") == {dropped}


def test_one_tensor_for_many() -> None:
    """An operation on lists takes single tensors, too."""
    model = pair()

    def loss() -> Tensor:
        rows = torch._foreach_mul([X, X], model["a"](X).mean().detach())  # here
        return sum(row.sum() for row in rows) + model["b"](X).sum()

    assert said(model, loss, "a") == {("cut", "detach()")}


def test_a_buffer_of_the_same_values_did_not_move() -> None:
    """A buffer that is exchanged for its like is no drift; one that grows is undone."""
    model = nn.BatchNorm1d(3).requires_grad_(requires_grad=False).eval()
    model.register_buffer("same", torch.ones(2))
    model.register_buffer("grown", torch.ones(4))

    def loss() -> Tensor:
        model.same = model.same.clone()
        model.grown.resize_(8)
        return model(X).sum()

    names = [row.name for row in explain(model, loss).problems]
    assert names == ["grown"]
    assert model.grown.equal(torch.ones(4))
