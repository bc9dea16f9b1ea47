"""Tests ``explain`` on code that no mode sees: extensions, hooks, copies."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradguide import explain

from .scenarios import NEVER, Two, reasons

X = torch.linspace(-1, 1, 15).reshape(5, 3)


class Passed(torch.autograd.Function):
    """A function that computes its result outside of PyTorch, as an extension does."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return torch.from_numpy(np.tanh(x.numpy()))

    @staticmethod
    def backward(_: Any, grad: Tensor) -> Tensor:
        return grad


class Image(Tensor):
    """A class of tensors, as libraries for images have them."""


@pytest.mark.parametrize(
    "unseen",
    [
        lambda h: h.as_subclass(Image),
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

    assert reasons(model, loss, "backbone") == {("cut", "detach()")}


class Recomputed(torch.autograd.Function):
    """A handwritten checkpoint, which runs a backward inside of its backward."""

    @staticmethod
    def forward(ctx: Any, layer: nn.Module, x: Tensor) -> Tensor:
        ctx.layer = layer
        ctx.save_for_backward(x)
        return layer(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None]:
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            torch.autograd.backward(ctx.layer(x), grad)
        return None, x.grad


def test_a_custom_function_may_give_gradients_on_the_side() -> None:
    """A parameter that it reads is unknown, if it is no input and backward can run."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))

    def loss() -> Tensor:
        return Recomputed.apply(model[1], model[0](X)).sum()  # here

    why = "custom autograd.Function, of which it is no input"
    assert reasons(model, loss, "1") == {("unknown", why)}
    loss().backward()
    assert model[1].weight.grad is not None
    alone = lambda: Recomputed.apply(model[1], X).sum() + model[0](X).sum()  # noqa: E731
    assert {r.verdict for r in explain(model, alone) if r.name[0] == "1"} == {"cut"}


def test_a_step_in_a_hook_is_undone() -> None:
    """The mode does not see what a hook writes during a backward; it is undone."""
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


def test_unfrozen_in_the_function_is_still_a_parameter() -> None:
    """A parameter that the function unfreezes belongs to the model."""
    model = Two()
    model.backbone.requires_grad_(False)

    def loss() -> Tensor:
        model.backbone.requires_grad_()
        return model(X).sum()

    report = explain(model, loss)
    assert [row.kind for row in report] == ["parameter"] * 4
    assert not report.problems


def test_copies_made_in_the_function_are_not_watched() -> None:
    """A module that is copied or pickled in the function carries no hook of the run."""
    model = Two()
    model.spare = nn.Linear(2, 2)
    copies = []

    def loss() -> Tensor:
        copies.append(copy.deepcopy(model.backbone))
        assert len(pickle.dumps(model.backbone)) < 5000
        return model.head(copies[0](X)).sum()

    assert reasons(model, loss, "spare") == {NEVER}
    assert copies[0](X).shape == (5, 4)


def test_a_second_backward_is_explained() -> None:
    """If the function ran a backward, the error of a second one says what to do."""
    model = Two()

    def loss() -> Tensor:
        value = model(X).square().sum()
        value.backward()
        return value

    with pytest.raises(RuntimeError, match="explain: the backward for gradients=True"):
        explain(model, loss, gradients=True)


def test_a_deep_graph_is_freed_safely() -> None:
    """PyTorch would free by recursion the nodes that Python has seen, and crash."""
    model = nn.Linear(1, 1, bias=False)

    def loss() -> Tensor:
        value = model.weight
        with torch._C.DisableTorchFunction():  # the mode would make it slow
            for _ in range(60_000):
                value = value + 1
        return value.sum()

    assert not explain(model, loss).problems
