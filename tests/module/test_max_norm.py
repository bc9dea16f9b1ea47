"""Tests that a frozen embedding with ``max_norm`` is not written by its forward."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from gradguide import changed, freeze, unfreeze

INDEX = torch.tensor([[0, 1, 3], [1, 4, 4]])


class Double(nn.Embedding):
    """An embedding that adds to the forward of its base class."""

    def forward(self, index: Tensor) -> Tensor:
        return 2 * super().forward(index)


def bag(**options: object) -> nn.EmbeddingBag:
    return nn.EmbeddingBag(5, 3, max_norm=0.5, **options)


def weights() -> Tensor:
    return torch.linspace(0.5, 1.5, 6).view(2, 3)


LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], Tensor]]] = {
    "embedding": (lambda: nn.Embedding(5, 3, max_norm=0.5), lambda m: m(INDEX)),
    "one index": (lambda: nn.Embedding(5, 3, max_norm=0.5), lambda m: m(INDEX[0, 0])),
    "no index": (lambda: nn.Embedding(5, 3, max_norm=0.5), lambda m: m(INDEX[:0])),
    "padding": (
        lambda: nn.Embedding(5, 3, padding_idx=4, max_norm=0.5),
        lambda m: m(INDEX),
    ),
    "norm of one": (
        lambda: nn.Embedding(5, 3, max_norm=0.1, norm_type=1.0),
        lambda m: m(INDEX),
    ),
    "half precision": (
        lambda: nn.Embedding(5, 3, max_norm=0.5, dtype=torch.bfloat16),
        lambda m: m(INDEX),
    ),
    "all rows are short": (
        lambda: nn.Embedding(5, 3, max_norm=1e3),
        lambda m: m(INDEX),
    ),
    "given by name": (
        lambda: nn.Embedding(5, 3, max_norm=0.5),
        lambda m: m(input=INDEX),
    ),
    "bag, mean": (bag, lambda m: m(INDEX)),
    "bag, max": (lambda: bag(mode="max"), lambda m: m(INDEX)),
    "bag, padding": (lambda: bag(padding_idx=4), lambda m: m(INDEX)),
    "bag, offsets": (bag, lambda m: m(INDEX[0], torch.tensor([0, 2]))),
    "bag, last offset": (
        lambda: bag(include_last_offset=True),
        lambda m: m(INDEX[0], offsets=torch.tensor([0, 2, 3])),
    ),
    "bag, weights": (
        lambda: bag(mode="sum"),
        lambda m: m(INDEX, per_sample_weights=weights()),
    ),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("train", [False, True])
def test_stays(kind: str, train: bool) -> None:
    """The weight stays, and the output is bit for bit what it was."""
    make, call = LAYERS[kind]
    layer = make()
    expected = call(copy.deepcopy(layer))
    freeze(layer)
    with changed(layer) as names:
        output = call(layer.train(train))
    assert names == []
    assert output.equal(expected)


def twin(way: str, model: nn.Module) -> nn.Module:
    if way == "deepcopy":
        return copy.deepcopy(model)
    if way == "pickle":
        return pickle.loads(pickle.dumps(model))
    return torch.compile(model, backend="eager", fullgraph=True)


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "compile"])
def test_copies_stay(way: str) -> None:
    """A copy and a compiled model stay too, and can be unfrozen."""
    model = nn.Sequential(nn.Embedding(5, 3, max_norm=0.5))
    freeze(model)
    other = twin(way, model)
    with changed(other) as names:
        assert other(INDEX).norm(dim=-1).max() < 0.51
    assert names == []
    unfreeze(other)
    with changed(other) as names:
        other(INDEX)
    assert len(names) == 1


@pytest.mark.parametrize("back", ["undo", "unfreeze"])
def test_writes_again(back: str) -> None:
    """After an undo or an unfreeze, the layer is as it was and writes again."""
    layer = nn.Embedding(5, 3, max_norm=0.5)
    hooks = list(layer._forward_hooks)
    frozen = freeze(layer)
    frozen.undo() if back == "undo" else unfreeze(layer)
    assert layer.max_norm == 0.5
    assert list(layer._forward_hooks) == hooks
    assert not layer._forward_hooks_with_kwargs
    with changed(layer) as names:
        layer(INDEX)
    assert names == ["weight"]


def test_nested() -> None:
    """An inner freeze that ends leaves the outer one in force."""
    layer = nn.Embedding(5, 3, max_norm=0.5)
    outer = freeze(layer)
    with freeze(layer):
        pass
    with changed(layer) as names:
        layer(INDEX)
    assert names == []
    outer.undo()
    assert layer.max_norm == 0.5


def test_tied() -> None:
    """The layer stays when its weight is frozen under another name."""
    model = nn.Module()
    model.head, model.table = nn.Linear(3, 5), nn.Embedding(5, 3, max_norm=0.5)
    model.head.weight = model.table.weight
    freeze(model, "head")
    with changed(model) as names:
        model.table(INDEX)
    assert names == []


def test_other_layers_still_write() -> None:
    """A layer that is not frozen goes on as before."""
    model = nn.Sequential(nn.Embedding(5, 3, max_norm=0.5), nn.Linear(3, 1))
    freeze(model, "1")
    with changed(model) as names:
        model(INDEX)
    assert names == ["0.weight"]


def test_stats_do_not_matter() -> None:
    """Without ``stats``, which is about running statistics, the weight stays, too."""
    layer = nn.Embedding(5, 3, max_norm=0.5)
    assert freeze(layer, stats=False).stats == ()
    with changed(layer) as names:
        layer(INDEX)
    assert names == []


def test_hooks_of_the_caller() -> None:
    """A hook that was there before sees the output of the layer, with its norms."""
    layer, seen = nn.Embedding(5, 3, max_norm=0.5), []
    layer.register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    freeze(layer)
    assert layer(INDEX).equal(seen[0])
    assert seen[0].norm(dim=-1).max() < 0.51


def test_parametrized() -> None:
    """A weight that is computed anew at each forward stays."""
    layer = nn.Embedding(5, 3, max_norm=0.5)
    parametrize.register_parametrization(layer, "weight", nn.Identity())
    freeze(layer)
    with changed(layer) as names:
        layer(INDEX)
    assert names == []


def test_gradient_to_what_comes_before() -> None:
    """A frozen bag gives a gradient to the weights of its samples, as before."""
    layer = bag(mode="sum")
    expected, given = weights().requires_grad_(), weights().requires_grad_()
    copy.deepcopy(layer).requires_grad_(False)(
        INDEX, per_sample_weights=expected
    ).sum().backward()
    freeze(layer)
    checkpoint(
        lambda w: layer(INDEX, per_sample_weights=w), given, use_reentrant=False
    ).sum().backward()
    assert given.grad.equal(expected.grad)


def test_forward_of_its_own() -> None:
    """A layer whose own forward writes is refused; without ``max_norm``, it is not."""
    model = nn.Sequential(nn.Linear(2, 2), Double(5, 3, max_norm=0.5))
    with pytest.raises(RuntimeError, match="'1' of Sequential is a Double with max_no"):
        freeze(model)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model[1].max_norm == 0.5
    freeze(model, "0")
    model[1].max_norm = None
    assert freeze(model, "1").names == ("1.weight",)
