"""Tests the graph as text."""

import time

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradguide import graph

from .nets import net


def test_tree() -> None:
    """Operations nest, chains share a line, parameters have their names."""
    model = net()
    assert str(graph(model(torch.ones(2, 3)).sum(), model)) == (
        "loss ()\n"
        "└─ SumBackward0 ← AddmmBackward0\n"
        "   ├─ 2.bias (1,)\n"
        "   ├─ TanhBackward0 ← AddmmBackward0\n"
        "   │  ├─ 0.bias (4,)\n"
        "   │  ├─ no history\n"
        "   │  └─ TBackward0 ← 0.weight (4, 3)\n"
        "   └─ TBackward0 ← 2.weight (1, 4)"
    )


def test_shared_nodes_are_shown_once() -> None:
    """A part that two operations use is shown once, and referred to by number."""
    x = torch.ones(2, requires_grad=True)
    y = x.exp() * 3
    assert str(graph((y.sin() + y.cos()).sum())) == (
        "loss ()\n"
        "└─ SumBackward0 ← AddBackward0\n"
        "   ├─ SinBackward0 ← MulBackward0 [1]\n"
        "   │  ├─ ExpBackward0 ← leaf (2,)\n"
        "   │  └─ no history\n"
        "   └─ CosBackward0 ← MulBackward0 [1], see above"
    )


def test_frozen() -> None:
    """Frozen parameters are named where autograd saved them, or else below the tree."""
    model = net()
    model[2].requires_grad_(requires_grad=False)
    text = str(graph(model(torch.ones(2, 3)).sum(), model))
    assert "├─ 2.weight (1, 4) frozen\n" in text
    assert text.endswith("\nnot recorded: 2.bias frozen")


def test_cut_ends() -> None:
    """The graph ends at a cut, and parameters behind it are listed below."""
    model = net()
    y = model[2](model[0](torch.ones(2, 3)).detach())
    assert str(graph(y.sum(), model)) == (
        "loss ()\n"
        "└─ SumBackward0 ← AddmmBackward0\n"
        "   ├─ 2.bias (1,)\n"
        "   ├─ no history\n"
        "   └─ TBackward0 ← 2.weight (1, 4)\n"
        "not reached: 0.*"
    )


def test_several_losses() -> None:
    """Several losses are one graph."""
    x = torch.ones(2, requires_grad=True)
    assert str(graph({"a": x.sum(), "b": [x.mean(), x]})) == (
        "3 losses\n"
        "├─ SumBackward0 ← leaf (2,)\n"
        "├─ MeanBackward0 ← leaf (2,)\n"
        "└─ leaf (2,)"
    )
    assert str(graph([x.sum()])) == str(graph(x.sum())), "one in a list is one"


def test_depth() -> None:
    """Operations beyond the depth are counted; a leaf just beyond it is shown."""
    y = torch.ones(2, requires_grad=True)
    for _ in range(9):
        y = y.sin()
    assert str(graph(y, depth=2)) == (
        "loss (2,)\n"
        "└─ SinBackward0 ← SinBackward0 ← …\n"
        "not shown: 8 operations and parameters"
    )
    x = torch.ones(2, requires_grad=True)
    assert str(graph(x.sin(), depth=1)) == "loss (2,)\n└─ SinBackward0 ← leaf (2,)"


def test_a_frozen_parameter_is_one_part() -> None:
    """A frozen parameter that two operations use is one part of the graph."""
    model = nn.Linear(2, 2, bias=False).requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    labels = [part.label for part in graph(model(model(x)).sum(), model).parts]
    assert labels.count("weight (2, 2) frozen") == 1


@pytest.mark.parametrize("depth", [1, 2, 3, None])
def test_what_is_not_reached_is_the_same_at_any_depth(depth: int | None) -> None:
    """The depth has no influence on the parameters that are reached or recorded."""
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))
    model[1].requires_grad_(requires_grad=False)
    model.spare = nn.Linear(2, 2)
    loss = model[:4](torch.ones(1, 2)).sum()
    notes = str(graph(loss, model, depth=depth)).splitlines()
    assert "not reached: spare.*" in notes
    assert "not recorded: 1.bias frozen" in notes


@pytest.mark.parametrize("depth", [None, 10**9])
def test_large_graphs_fold(depth: int | None) -> None:
    """A graph of forty thousand nodes is limited, and printed fast, at any depth."""
    y = torch.ones(1, requires_grad=True)
    for _ in range(20_000):
        y = y * y + 1
    begin = time.perf_counter()
    text = str(graph(y, depth=depth))
    assert time.perf_counter() - begin < 10
    assert len(text.splitlines()) < 5_000
    assert text.splitlines()[-1].startswith("not shown: 3")


def test_names_by_identity() -> None:
    """Tied parameters have their first name; without a model there are no names."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    loss = model(torch.ones(1, 2)).sum()
    assert "1.weight" not in str(graph(loss, model))
    assert "leaf (2, 2)" in str(graph(loss))


def test_nothing_is_run() -> None:
    """Printing a graph recomputes no checkpoint and frees nothing."""
    calls = []

    def layer(x: Tensor) -> Tensor:
        calls.append(1)
        return x.exp()

    x = torch.ones(2, requires_grad=True)
    loss = checkpoint(layer, x, use_reentrant=False).sum()
    str(graph(loss))
    assert calls == [1]
    loss.backward()
    assert "ExpBackward0" in str(graph(loss))


def test_compiled_model() -> None:
    """Parameters of a compiled model, which has no length, are named."""
    model = torch.compile(net(), backend="eager")
    shown = str(graph(model(torch.ones(2, 3)).sum(), model))
    assert "_orig_mod.0.weight (4, 3)" in shown
    torch.compiler.reset()


def test_wrong_arguments() -> None:
    """A loss without a tensor, a wrong model and a wrong depth are refused."""
    with pytest.raises(TypeError, match="graph: expected a tensor, or a tuple, list"):
        graph(None)
    with pytest.raises(TypeError, match=r"graph: expected a torch\.nn\.Module"):
        graph(torch.ones(1), "model")  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="graph: expected a depth of at least 1, got 0"
    ):
        graph(torch.ones(1), depth=0)
    with pytest.raises(TypeError, match=r"at least 1, got 1\.5; leave"):
        graph(torch.ones(1), depth=1.5)  # type: ignore[arg-type]
