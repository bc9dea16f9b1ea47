"""Tests that ``unfreeze`` makes parameters trainable and statistics update again."""

import pytest
import torch
from torch import nn

from gradguide import freeze, unfreeze

from .nets import Net, moved


def test_lazy_unfreeze() -> None:
    """Parameters without a shape can be unfrozen."""
    model = nn.LazyLinear(4)
    freeze(model)
    assert unfreeze(model) == ("weight", "bias")


def test_unfreeze_part() -> None:
    """After unfreezing a part, only the statistics of that part are updated."""
    model = Net()
    freeze(model)
    assert unfreeze(model, "layer1.1") == ("layer1.1.weight", "layer1.1.bias")
    assert model.layer1[1].training
    assert moved(model) == [f"layer1.1.{s}" for s in model.layer1[1]._buffers]


def test_unfreeze_takes_the_mode_around() -> None:
    """An unfrozen layer takes the training mode of the module around it."""
    model = Net()
    freeze(model)
    model.eval()
    unfreeze(model)
    assert not model.layer1[1].training
    norm = nn.BatchNorm1d(2)
    freeze(norm)
    unfreeze(norm)
    assert norm.training


def test_unfreeze_leaves_other_modes_alone() -> None:
    """A layer that the caller has put in eval mode stays in eval mode."""
    model = Net()
    model.layer1.eval()
    unfreeze(model)
    assert not model.layer1[1].training


def test_unfreeze_one_parameter_of_a_norm() -> None:
    """A layer with one trainable parameter is not held any more."""
    model = Net()
    freeze(model)
    unfreeze(model, "layer1.1.bias")
    assert "layer1.1.running_mean" in moved(model)


def test_unfreeze_integers() -> None:
    """Integer parameters are left out, and refused when nothing else matches."""
    model = nn.Linear(2, 2)
    model.codes = nn.Parameter(torch.ones(2, dtype=torch.int8), requires_grad=False)
    assert unfreeze(model) == ("weight", "bias")
    with pytest.raises(ValueError, match=r"'codes' of Linear holds torch\.int8"):
        unfreeze(model, "codes")
