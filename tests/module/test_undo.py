"""Tests what ``undo`` restores after parameters or layers were replaced."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from gradguide import freeze

from .nets import Net, everything, flags, moved, norm_net


def reload(model: nn.Module) -> None:
    model.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)


def empty(model: nn.Module) -> None:
    model.to("meta").to_empty(device="cpu")


def copy_layers(model: nn.Module) -> None:
    for name, layer in model.named_children():
        setattr(model, name, copy.deepcopy(layer))


def new_parameters(model: nn.Module) -> None:
    for layer in model.modules():
        for name, parameter in layer.named_parameters(recurse=False):
            other = parameter.detach().clone()
            setattr(layer, name, nn.Parameter(other, requires_grad=False))


REPLACE = {
    function.__name__: function
    for function in (reload, empty, copy_layers, new_parameters)
}


@pytest.mark.parametrize("way", REPLACE)
def test_replaced_parameters(way: str) -> None:
    """Parameters with the same names have the same flags afterwards, without .grad."""
    model = Net()
    model.layer10.requires_grad_(False)
    model(torch.randn(8, 3)).sum().backward()
    before = flags(model)
    frozen = freeze(model)
    REPLACE[way](model)
    assert not any(flags(model).values())
    frozen.undo()
    assert flags(model) == before
    assert all(parameter.grad is None for parameter in model.parameters())


def test_replaced_norm() -> None:
    """A copy of a held layer in its place updates its statistics again."""
    model = norm_net()
    with freeze(model):
        copy_layers(model)
        assert not moved(model)
    assert model[1].training
    assert moved(model)


def test_converted_norm() -> None:
    """A layer in the place of another has its training mode."""
    model = norm_net()
    with freeze(model):
        converted = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert converted is model
    assert model[1].training


def test_new_layer_is_left_alone() -> None:
    """A layer that the caller put there, which trains, goes on to train."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].requires_grad_(False)
    with freeze(model):
        model[1] = nn.Linear(2, 3)
    assert all(flags(model).values())


def test_tied_and_then_not() -> None:
    """Each name of a tied parameter counts, if the names have two parameters later."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    with freeze(model):
        reload(model)
        assert model[1].weight is not model[0].weight
    assert flags(model) == {"0.weight": True, "1.weight": True}


@pytest.mark.parametrize(
    "parametrization", [parametrizations.weight_norm, parametrizations.spectral_norm]
)
def test_parametrized_since(parametrization: Callable[..., nn.Module]) -> None:
    """What a parametrization computes the parameter from trains again."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].requires_grad_(False)
    with freeze(model):
        for layer in model:
            parametrization(layer)
    for name, trains in flags(model).items():
        assert trains == name.startswith("0"), name


def test_pruned_since() -> None:
    """What a mask is applied to trains again."""
    model = nn.Linear(2, 2)
    with freeze(model):
        prune.random_unstructured(model, "weight", 0.5)
    assert flags(model) == {"bias": True, "weight_orig": True}


def test_no_longer_parametrized() -> None:
    """A parameter that is no longer computed from others trains again."""
    model = nn.Sequential(nn.Linear(2, 2))
    parametrize.register_parametrization(model[0], "weight", nn.Identity())
    frozen = freeze(model)
    parametrize.remove_parametrizations(model[0], "weight")
    assert not model[0].weight.requires_grad
    frozen.undo()
    assert flags(model) == {"0.bias": True, "0.weight": True}


def test_unknown_replacement() -> None:
    """Frozen parameters with names of their own are left, and a warning names them."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    frozen = freeze(model)
    model[0] = nn.PReLU().requires_grad_(False)
    model.extra = nn.Bilinear(2, 2, 2).requires_grad_(False)
    frozen.undo()
    assert flags(model) == {
        "0.weight": True,
        "extra.weight": False,
        "extra.bias": False,
    }

    model = nn.Sequential(nn.Linear(2, 2))
    frozen = freeze(model)
    model[0] = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).requires_grad_(False)
    told = (
        r"undo: 2 frozen parameters of Sequential, such as '0\.bias', were replaced by "
        r".* unfreeze\(module, '0\.0\.weight', '0\.0\.bias', '0\.1\.weight', …\)"
    )
    with pytest.warns(UserWarning, match=told) as caught:
        frozen.undo()
    assert caught[0].filename == __file__
    assert not any(flags(model).values())


def test_removed() -> None:
    """A layer that is gone, with nothing new in its place, is no reason to warn."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    frozen = freeze(model)
    del model[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frozen.undo()
    assert all(flags(model).values())


def test_moved_into_another_layer() -> None:
    """A parameter that is in the module under another name is restored."""
    model = nn.Sequential(nn.Linear(2, 2))
    with freeze(model):
        model[0] = nn.Sequential(model[0], nn.Linear(2, 2).requires_grad_(False))
    assert flags(model) == dict.fromkeys(("0.0.weight", "0.0.bias"), True) | {
        "0.1.weight": False,
        "0.1.bias": False,
    }


def test_other_shape() -> None:
    """A gradient that no longer fits is dropped, and everything else is restored."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model(torch.ones(1, 2)).sum().backward()
    gradient = model[1].weight.grad
    with freeze(model):
        model[0].weight.data = torch.ones(2, 5)
    assert all(flags(model).values())
    assert model[0].weight.grad is None
    assert model[1].weight.grad is gradient


def test_frozen_layers_inside_out() -> None:
    """Nested freezes restore replaced parameters step by step."""
    model = Net()
    first = freeze(model, "layer1")
    second = freeze(model)
    reload(model)
    second.undo()
    assert [name for name, flag in flags(model).items() if not flag] == [
        "layer1.0.weight",
        "layer1.0.bias",
        "layer1.1.weight",
        "layer1.1.bias",
    ]
    first.undo()
    assert all(flags(model).values())


def test_mode_of_an_embedding() -> None:
    """An ``undo`` leaves the mode of an embedding alone, as ``freeze`` did."""
    model = nn.Embedding(3, 2, max_norm=1.0)
    before = everything(model.eval())
    model.train()
    with freeze(model):
        model.eval()
    assert everything(model) == before
