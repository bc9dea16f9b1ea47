"""Tests ``explain`` on functions that write in place, and on reused memory."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from gradguide import explain

from .scenarios import DROPPED, NEVER, reasons

X = torch.linspace(-1, 1, 15).reshape(5, 3)


def load(model: nn.ModuleDict) -> None:
    model["b"].load_state_dict(model["a"].state_dict())


def average(model: nn.ModuleDict) -> None:
    for p, q in zip(model["a"].parameters(), model["b"].parameters(), strict=True):
        q.data = 0.9 * q.data + 0.1 * p.data


def average_in_place(model: nn.ModuleDict) -> None:
    for p, q in zip(model["a"].parameters(), model["b"].parameters(), strict=True):
        q.data.mul_(0.9).add_(p.data, alpha=0.1)


def reset(model: nn.ModuleDict) -> None:
    model["b"].reset_parameters()


def fused_step(model: nn.ModuleDict) -> None:
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()


UPDATES = [load, average, average_in_place, reset, fused_step]


@pytest.mark.parametrize("update", UPDATES)
def test_an_update_of_a_target_network_is_no_cause(
    update: Callable[[nn.ModuleDict], None],
) -> None:
    """The cause is what cuts off the network, never the write into its parameters."""
    model = nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Linear(3, 4)})

    def loss() -> Tensor:
        update(model)
        with torch.no_grad():  # here
            target = model["b"](X)
        return F.mse_loss(model["a"](X), target)

    def loss_without_target() -> Tensor:
        update(model)
        return model["a"](X).sum()

    assert reasons(model, loss, "b") == {("cut", "no_grad")}
    for verdict, why in reasons(model, loss_without_target, "b"):
        assert verdict == "unused"
        assert why.startswith((NEVER[1], DROPPED[1]))


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
    """A new tensor does not hold the data of a freed one at the same address."""
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

    why = f"{DROPPED[1]}; last used by relu()"
    assert reasons(model, loss, "b") == {("unused", why)}


def test_a_write_through_an_alias_cuts_only_the_written_data() -> None:
    """Data that the tensor itself held before keeps its history."""
    model = nn.ParameterDict({"kept": torch.ones(3), "written": torch.ones(3)})

    def loss() -> Tensor:
        y = model["kept"].clone()
        y.data.add_(model["written"])
        return y.argmax() * torch.ones(1, requires_grad=True)

    assert [row.why for row in explain(model, loss)] == [
        "argmax() is not differentiable",
        ".data",
    ]


def test_a_buffer_of_the_same_values_did_not_move() -> None:
    """A buffer replaced by an equal one is not reported; one that grew is restored."""
    model = nn.BatchNorm1d(3).requires_grad_(False).eval()
    model.register_buffer("same", torch.ones(2))
    model.register_buffer("grown", torch.ones(4))

    def loss() -> Tensor:
        model.same = model.same.clone()
        model.grown.resize_(8)
        return model(X).sum()

    names = [row.name for row in explain(model, loss).problems]
    assert names == ["grown"]
    assert model.grown.equal(torch.ones(4))
