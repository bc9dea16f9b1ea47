"""Tests to which modules ``saved`` counts what the graph keeps."""

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from gradguide import saved

from .nets import Block, Raw, Twice
from .programs import Square
from .test_saved import MODELS, Then


def net(*parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 8), *parts, nn.Linear(8, 8))


ROW = 4 * 8 * 4
"""The bytes of four samples of eight numbers."""


def test_layers_with_parameters() -> None:
    """What is between two layers belongs to the module around them."""
    model = nn.Sequential(net(nn.GELU()), net(nn.Sigmoid()), nn.Tanh())
    assert saved(model(torch.ones(4, 8)), model).by_module == {
        "0.0": ROW,
        "0": ROW,  # the input of the GELU
        "0.2": ROW,
        "1.0": ROW,
        "1.2": ROW,  # what the sigmoid keeps, too
        "": ROW,  # nothing with parameters comes after the tanh
    }


def test_transformer() -> None:
    """The blocks of a transformer keep the same, and the parts of a block add up."""
    model = nn.Sequential(Block(), Block())
    loss = model(torch.randn(1, 4, 8)).square().mean()
    kept = saved(loss, model)
    sums = {
        part: sum(
            size for path, size in kept.by_module.items() if path.startswith(part)
        )
        for part in ("0.", "1.", "0.attention", "0.feed")
    }
    assert sums["0."] == sums["1."]
    assert kept.by_module["1.attention"] > kept.by_module["1.attention.out"]
    assert kept.by_module["1.feed"] == 2 * ROW
    assert kept.by_module[""] == ROW
    assert kept.bytes == sums["0."] + sums["1."] + ROW


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_adds_up(name: str, frozen: int) -> None:
    """The bytes of all modules add up to all bytes, the largest first."""
    model = MODELS[name]()
    for parameter in list(model.parameters())[:frozen]:
        parameter.requires_grad = False
    kept = saved(model(torch.randn(4, 8, requires_grad=True)).sum(), model)
    sizes = list(kept.by_module.values())
    assert sum(sizes) == kept.bytes == sum(kept.by_op.values())
    assert sizes == sorted(sizes, reverse=True)
    assert 0 not in sizes
    assert set(kept.by_module) <= {path for path, _ in model.named_modules()}


def test_without_a_model() -> None:
    """Without a model, all belongs to no module."""
    y = torch.ones(3, requires_grad=True).exp()
    assert saved(y).by_module == {"": 12}
    assert saved(torch.ones(3)).by_module == {}


KINDS: dict[str, tuple[Callable[[], nn.Module], dict[str, int]]] = {
    "own parameters": (lambda: net(Raw()), {"0": ROW, "1": 2 * ROW, "2": ROW}),
    "buffers alone": (
        lambda: net(nn.BatchNorm1d(8, affine=False).eval(), nn.GELU()),
        {"0": ROW, "1": ROW, "": ROW, "3": ROW},
    ),
    "parametrized": (
        lambda: net(parametrizations.weight_norm(nn.Linear(8, 8))),
        {"0": ROW, "1": ROW + 8 * 4 + 8 * 8 * 4, "2": ROW},  # and the weight
    ),
    "parametrized root": (
        lambda: parametrizations.weight_norm(nn.Linear(8, 8)),
        {"": ROW + 8 * 4},
    ),
    "called twice": (
        lambda: net(Twice(net(nn.GELU()))),
        {
            "0": ROW,
            "1.inner.0": 2 * ROW,  # the exp keeps its result, as the layer does
            "1.inner": 2 * ROW,
            "1.inner.2": 2 * ROW,
            "2": ROW,
        },
    ),
    "called twice, with something between": (
        lambda: net(Twice(nn.Sequential(nn.Linear(8, 8), nn.GELU()))),
        {"0": ROW, "1.inner.0": 2 * ROW, "": 2 * ROW, "2": ROW},
    ),
    "empty tensors": (
        lambda: net(with_empty_parameter(), net(Then(nn.Identity(), with_empty_exp))),
        {"0": ROW, "2.0": ROW, "2": ROW, "2.2": ROW, "3": ROW},
    ),
    "tied": (lambda: tied(), {"0": ROW, "": 3 * ROW, "4": ROW}),
    "custom function": (
        lambda: net(Then(nn.Linear(8, 8), Square.apply), nn.Identity()),
        {"0": ROW, "1.layer": ROW, "": ROW, "3": ROW},
    ),
}


def with_empty_parameter() -> nn.Module:
    """Return a module whose parameter has no address, as empty saved tensors have."""
    module = nn.Identity()
    module.nothing = nn.Parameter(torch.empty(0))
    return module


def with_empty_exp(y: Tensor) -> Tensor:
    return (y + y[:0].clone().exp().sum()).sin()


def tied() -> nn.Module:
    """Return a model in which two layers have one weight, which nobody owns alone."""
    layers = [nn.Linear(8, 8, bias=False) for _ in range(2)]
    layers[1].weight = layers[0].weight
    return net(layers[0], nn.GELU(), layers[1])


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    """The module is told by parameters and buffers, and the order of the nodes."""
    make, expected = KINDS[kind]
    model = make()
    assert saved(model(torch.randn(4, 8)), model).by_module == expected


def test_frozen_layers() -> None:
    """A frozen layer is told by the weight that it keeps for the input's gradient."""
    model = nn.Sequential(net(nn.GELU()), nn.GELU(), net(nn.GELU()))
    model.requires_grad_(False)
    x = torch.randn(4, 8, requires_grad=True)
    assert saved(model(x), model).by_module == {"0": ROW, "": ROW, "2": ROW}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_recurrent(dtype: torch.dtype) -> None:
    """A recurrent layer keeps its time steps, in one node or in many."""
    model = nn.Sequential(nn.Linear(8, 8), nn.LSTM(8, 4)).to(dtype)
    kept = saved(model(torch.randn(5, 2, 8, dtype=dtype))[0].sum(), model)
    assert kept.by_module["1"] > 0.6 * kept.bytes
    assert set(kept.by_module) <= {"0", "1", ""}


def test_several_forwards() -> None:
    """Several forwards in one graph count for the same modules, each from its begin."""
    model, x = net(nn.GELU()), torch.ones(4, 8)
    once = saved(model(x), model).by_module
    thrice = saved([model(x), model(x), model(x)], model).by_module
    assert thrice == {path: 3 * size for path, size in once.items()} | {
        "0": ROW,  # the three share the input
    }


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpoint(use_reentrant: bool) -> None:
    """What a checkpoint keeps adds up too, and it does not run again."""
    model, calls = net(nn.GELU()), []
    x = torch.ones(4, 8, requires_grad=True)
    y = checkpoint(
        lambda t: calls.append(1) or model(t), x, use_reentrant=use_reentrant
    )
    kept = saved(y.square().sum(), model)
    assert sum(kept.by_module.values()) == kept.bytes
    assert calls == [1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_autocast(dtype: torch.dtype) -> None:
    """Weights that autocast has converted tell the layer, too."""
    model = net(nn.GELU())
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        loss = model(torch.ones(4, 8, dtype=dtype)).float().sum()
    kept = saved(loss, model)
    assert set(kept.by_module) == {"0", "", "2"}


def test_compiled() -> None:
    """A compiled model has one node, which belongs around all of its parameters."""
    model = nn.Sequential(net(nn.GELU()), nn.ReLU())
    fast = torch.compile(model, backend="aot_eager")
    kept = saved(fast(torch.ones(4, 8)).sum(), model)
    assert set(kept.by_module) <= {"0", ""}
    assert sum(kept.by_module.values()) == kept.bytes
    torch.compiler.reset()


def test_threads() -> None:
    """Nodes of another thread have no order, so only parameters tell their modules."""
    model, results = net(nn.GELU()), []
    x = torch.ones(4, 8, requires_grad=True)
    for _ in range(100):  # counts nodes in this thread
        x = x * 1.5
    worker = threading.Thread(target=lambda: results.append(model(x)))
    worker.start()
    worker.join()
    assert saved(results[0], model).by_module == {"0": ROW, "2": ROW, "": ROW}


def test_partly_freed() -> None:
    """After a backward, the modules of what it left are told."""
    model = nn.Sequential(net(nn.GELU()), net(nn.GELU()))
    middle = model[0](torch.ones(4, 8))
    metric = model[1](middle)
    middle.sum().backward()
    assert saved(metric, model).by_module == {"1.0": ROW, "1": ROW, "1.2": ROW}


def test_flat_parameters() -> None:
    """Parameters that share one memory, as FSDP has them, tell no single layer."""
    model = net(nn.GELU())
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    for parameter in model.parameters():
        part, flat = flat[: parameter.numel()], flat[parameter.numel() :]
        parameter.data = part.view_as(parameter)
    kept = saved(model(torch.ones(4, 8)), model)
    assert kept.by_module == {"": kept.bytes}
