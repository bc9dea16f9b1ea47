"""Tests the traps of what no mode sees: extensions, hooks, copies, plain values."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradguide import explain

from .scenarios import Two, said

X = torch.linspace(-1, 1, 15).reshape(5, 3)


class Passed(torch.autograd.Function):
    """A function that makes its result of new tensors, as an extension does."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        return torch.from_numpy(np.tanh(x.numpy()))

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        return grad


class Own(Tensor):
    """A class of tensors, as libraries for images have them."""


@pytest.mark.parametrize(
    "unseen",
    [
        lambda h: h.as_subclass(Own),
        Passed.apply,
        lambda h: torch.nested.as_nested_tensor([h]).to_padded_tensor(0.0)[0],
        torch.vmap(torch.sin),
    ],
)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_unseen_code_is_followed_by_its_graph(
    unseen: Callable[[Tensor], Tensor],
) -> None:
    """A cut behind an operation that no mode sees is found."""
    model = Two()

    def loss() -> Tensor:
        hidden = unseen(model.backbone(X))
        return model.head(hidden.detach()).sum()  # here

    assert said(model, loss, "backbone") == {("cut", "detach()")}


def test_a_tensor_that_only_shares_memory_is_not_guessed_about() -> None:
    """An old way to wrap a tensor is no call that a mode sees."""
    model = Two()

    def loss() -> Tensor:
        hidden = torch.autograd.Variable(model.backbone(X), requires_grad=True)
        return model.head(hidden).sum()

    assert {verdict for verdict, _ in said(model, loss, "backbone")} == {"unknown"}


class Recomputed(torch.autograd.Function):
    """A checkpoint of one's own, which runs a backward inside of its backward."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, layer: nn.Module, x: Tensor
    ) -> Tensor:
        ctx.layer = layer
        ctx.save_for_backward(x)
        return layer(x)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[None, Tensor | None]:
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            torch.autograd.backward(ctx.layer(x), grad)
        return None, x.grad


def test_a_custom_function_may_give_gradients_on_the_side() -> None:
    """Of what it reads around its inputs nothing is said, if its backward can run."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))

    def loss() -> Tensor:
        return Recomputed.apply(model[1], model[0](X)).sum()  # here

    why = "custom autograd.Function, of which it is no input"
    assert said(model, loss, "1") == {("unknown", why)}
    loss().backward()
    assert model[1].weight.grad is not None
    alone = lambda: Recomputed.apply(model[1], X).sum() + model[0](X).sum()  # noqa: E731
    assert {r.verdict for r in explain(model, alone) if r.name[0] == "1"} == {"cut"}


def test_a_step_in_a_hook_is_undone() -> None:
    """A backward calls its hooks where no mode sees what they write."""
    model = Two()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda p: torch.optim.SGD([p], lr=1.0).step()
        )

    def loss() -> Tensor:
        value = model(X).sum()
        value.backward()
        return value

    explain(model, loss)
    assert all(map(torch.equal, before, model.parameters()))


def test_overloads_are_operations() -> None:
    """An operation that is called by its overload is the same, and is undone."""
    model = Two()
    before = model.head.bias.detach().clone()

    def loss() -> Tensor:
        with torch.no_grad():
            torch.ops.aten.add_.Tensor(model.head.bias, torch.ones(2))
        hidden = torch.ops.aten.detach.default(model.backbone(X))  # here
        return model.head(hidden).sum()

    assert said(model, loss, "backbone") == {("cut", "detach()")}
    assert model.head.bias.equal(before)


def test_unfrozen_in_the_function_is_still_a_parameter() -> None:
    """What the function unfreezes belongs to the model, and is frozen again."""
    model = Two()
    model.backbone.requires_grad_(requires_grad=False)

    def loss() -> Tensor:
        model.backbone.requires_grad_(requires_grad=True)
        return model(X).sum()

    report = explain(model, loss)
    assert [row.kind for row in report] == ["parameter"] * 4
    assert not report.problems


def test_copies_made_in_the_function_are_not_watched() -> None:
    """What is copied or pickled inside carries nothing of the model along."""
    model = Two()
    model.spare = nn.Linear(2, 2)
    copies = []

    def loss() -> Tensor:
        copies.append(copy.deepcopy(model.backbone))
        assert len(pickle.dumps(model.backbone)) < 5000
        return model.head(copies[0](X)).sum()

    never = ("unused", "never read in the forward")
    assert said(model, loss, "spare") == {never}
    assert copies[0](X).shape == (5, 4)


def test_a_read_that_gives_no_tensor_is_a_read() -> None:
    """A parameter in a condition is read, and leaves PyTorch there."""
    model = Two()
    model.gate = nn.Parameter(torch.ones(()))

    def loss() -> Tensor:
        return model(X).sum() * (2 if model.gate else 1)

    assert said(model, loss, "gate") == {
        ("unused", "its result left PyTorch by bool()")
    }


def test_inner_switches_do_not_move_the_blame() -> None:
    """A step inside of an enabled block leaves the outer block to blame."""
    model = Two()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            with torch.enable_grad():
                model(X).sum().backward()
                optimizer.step()
            hidden = model.backbone(X)
        return model.head(hidden).sum()

    assert said(model, loss, "backbone") == {("cut", "no_grad")}


@pytest.mark.filterwarnings("ignore:Converting a tensor")
def test_a_new_leaf_is_no_stranger() -> None:
    """A tensor that the code itself asks a gradient for surprises nobody."""
    model = Two()

    def loss() -> Tensor:
        value = model(X).sum()
        return value + torch.tensor([value], requires_grad=True).sum()

    assert [row.kind for row in explain(model, loss)] == ["parameter"] * 4


def test_a_second_backward_is_explained() -> None:
    """If the function ran a backward, the one on the side says what is wrong."""
    model = Two()

    def loss() -> Tensor:
        value = model(X).square().sum()
        value.backward()
        return value

    with pytest.raises(RuntimeError, match="explain: the backward for gradients=True"):
        explain(model, loss, gradients=True)


def test_a_deep_graph_is_freed_safely() -> None:
    """PyTorch would overflow the stack if it freed by itself what Python has seen."""
    model = nn.Linear(1, 1, bias=False)

    def loss() -> Tensor:
        value = model.weight
        for _ in range(60_000):
            value = value + 1
        return value.sum()

    assert not explain(model, loss).problems
