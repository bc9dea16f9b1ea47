"""Tests the sentence that ``describe`` says about each kind of tensor."""

import warnings

import pytest
import torch
from torch import nn

from gradguide import describe


def test_plain() -> None:
    """A plain tensor is a leaf that autograd ignores."""
    assert describe(torch.ones(2, 3).detach()) == (
        "A leaf of shape (2, 3) that does not require grad: autograd records nothing "
        "about it, and its .grad stays None."
    )


def test_integer() -> None:
    """A tensor of integers can't require grad."""
    assert describe(torch.arange(3)) == (
        "A leaf of shape (3,) and dtype torch.int64: only floating point and complex "
        "tensors can require grad, so its .grad stays None."
    )


def test_parameter() -> None:
    """A parameter's gradient comes with a backward, and stays."""
    weight = nn.Linear(2, 1, bias=False).weight
    assert describe(weight) == (
        "A parameter of shape (1, 2) that requires grad: its .grad is None, as no "
        "backward has reached it since it was made or zero_grad() was called."
    )
    weight.sum().backward()
    assert describe(weight) == (
        "A parameter of shape (1, 2) that requires grad: its .grad is there, and the "
        "next backward adds to it."
    )


def test_stale() -> None:
    """A frozen parameter with a gradient is a trap, and it says which."""
    weight = nn.Linear(2, 1, bias=False).weight
    weight.sum().backward()
    weight.requires_grad = False
    assert describe(weight) == (
        "A frozen parameter of shape (1, 2): its .grad was left from before, and an "
        "optimizer that holds it still applies it; set it to None."
    )


def test_result() -> None:
    """A result has a history and, by default, no gradient."""
    y = torch.ones(3, requires_grad=True).exp().sum()
    assert describe(y) == (
        "A result of SumBackward0 of shape (): a backward passes through it, and its "
        ".grad stays None, as only leaves keep one; it keeps 3 graph nodes and 12 "
        "bytes alive."
    )
    y.backward()
    assert describe(y).endswith(
        "a backward has freed its graph, and a second one through it raises."
    )


def test_retained() -> None:
    """A result that retains its gradient gets one."""
    y = torch.ones(3, requires_grad=True).exp()
    y.retain_grad()
    assert "retains its grad: its .grad is None until a backward" in describe(y)
    y.sum().backward()
    assert "retains its grad: its .grad is there;" in describe(y)


def test_inference() -> None:
    """An inference tensor can never be recorded."""
    with torch.inference_mode():
        x = torch.ones(2)
    assert describe(x) == (
        "An inference tensor of shape (2,), made under torch.inference_mode(): "
        "autograd can never record it, and its .grad stays None; clone() it outside "
        "of that mode to train with it."
    )


@pytest.mark.parametrize("result", [False, True])
def test_dead_view(result: bool) -> None:
    """A view made under no_grad says that it requires grad, and leads nowhere."""
    weight = torch.ones(4, requires_grad=True)
    base = weight * 1 if result else weight
    with torch.no_grad():
        view = base[:2]
    assert view.requires_grad
    assert describe(view) == (
        "A dead view of shape (2,), made under torch.no_grad(): it reports "
        "requires_grad=True, but its history is lost, and a backward from it gives no "
        "gradient to the tensor that it views."
    )
    view.sum().backward()
    assert weight.grad is None


def test_leaf_made_from_a_view() -> None:
    """A view of plain memory that was told to require grad is a leaf like others."""
    assert "leaf of shape (2,) that requires" in describe(
        torch.ones(4)[:2].requires_grad_()
    )


def test_refused_view() -> None:
    """A view that PyTorch refuses to use is named, not stumbled over."""
    base = torch.ones(4, requires_grad=True) * 1
    with torch.no_grad():
        view = base[:2]
    base.mul_(2)
    assert describe(view).startswith("A refused view of shape (2,)")


def test_lazy() -> None:
    """A lazy parameter has nothing to describe yet."""
    assert describe(nn.LazyLinear(2).weight).startswith("A lazy parameter")


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested() -> None:
    """A nested tensor has no one shape: its parts are counted."""
    parts = [torch.ones(2), torch.ones(3)]
    nested = torch.nested.nested_tensor(parts, requires_grad=True)
    assert describe(nested).startswith("A leaf of shape (2, nested) that requires grad")


def test_silent() -> None:
    """Describing a result warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        describe(torch.ones(1, requires_grad=True) * 2)


def test_wrong_type() -> None:
    """A number is refused."""
    with pytest.raises(TypeError, match="describe: expected a tensor, got float"):
        describe(1.0)  # type: ignore[arg-type]
