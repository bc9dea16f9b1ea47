"""Tests that frozen normalisation layers keep their running statistics."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gradguide import changed, freeze, unfreeze

from .nets import Net, moved


def test_stats_hold_after_train() -> None:
    """``train()`` does not make a frozen layer update its statistics again."""
    model = Net()
    freeze(model, "layer1")
    assert moved(model) == [
        "layer2.1.running_mean",
        "layer2.1.running_var",
        "layer2.1.num_batches_tracked",
    ]
    freeze(model, "layer2")
    assert moved(model) == []


def test_stats_are_used() -> None:
    """A held layer normalises with its running statistics, one sample too."""
    norm = nn.BatchNorm1d(3)
    freeze(norm)
    norm.train()
    assert norm(torch.ones(1, 3)).allclose(norm.eval()(torch.ones(1, 3)))


def test_stats_off() -> None:
    """With ``stats=False`` the statistics are still updated."""
    model = Net()
    assert freeze(model, stats=False).stats == ()
    assert len(moved(model)) == 6


def test_half_frozen_layer_keeps_learning_stats() -> None:
    """A layer is held once all its parameters are frozen, and not before."""
    model = Net()
    assert freeze(model, "layer1.1.bias").stats == ()
    assert freeze(model, "layer1.1.weight").stats == ("layer1.1",)


class BareNorm(nn.modules.batchnorm._NormBase):
    """A layer by the class that all norms with running statistics inherit from."""

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean, self.running_var
        return nn.functional.batch_norm(x, mean, var, training=self.training)


class OtherBatchNorm(nn.modules.batchnorm._BatchNorm):
    """A layer by the base class of batch norm, as in Apex."""

    def _check_input_dim(self, x: Tensor) -> None:
        pass


class OtherInstanceNorm(nn.modules.instancenorm._InstanceNorm):
    """A layer by the base class of instance norm."""

    def _get_no_batch_dim(self) -> int:
        return 2

    def _check_input_dim(self, x: Tensor) -> None:
        pass


class OtherLazyNorm(nn.modules.batchnorm._LazyNormBase, OtherBatchNorm):
    """A lazy layer that becomes one of the above."""

    cls_to_become = OtherBatchNorm


@pytest.mark.parametrize(
    ("norm", "x"),
    [
        (BareNorm(3), torch.randn(8, 3)),
        (OtherBatchNorm(3), torch.randn(8, 3)),
        (OtherInstanceNorm(3, track_running_stats=True), torch.randn(2, 3, 4)),
        (OtherLazyNorm(), torch.randn(8, 3)),
        (nn.BatchNorm2d(3), torch.randn(2, 3, 4, 4)),
        (nn.BatchNorm3d(3), torch.randn(2, 3, 4, 4, 4)),
        (nn.InstanceNorm1d(3, track_running_stats=True), torch.randn(2, 3, 4)),
        (nn.InstanceNorm2d(3, track_running_stats=True), torch.randn(2, 3, 4, 4)),
        (nn.LazyBatchNorm1d(), torch.randn(8, 3)),
    ],
)
def test_kinds_of_norm(norm: nn.Module, x: Tensor) -> None:
    """Batch and instance norm are held, lazy ones too."""
    model = nn.Sequential(norm)
    assert freeze(model).stats == ("0",)
    model.train()(x)
    with changed(model) as names:
        model.train()(x + 5)
    assert names == []


@pytest.mark.parametrize(
    ("model", "stats"),
    [
        (nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(3))), 1),
        (nn.Sequential(nn.InstanceNorm1d(3, affine=True)), 0),
        (nn.Sequential(nn.InstanceNorm3d(3, track_running_stats=True)), 1),
    ],
)
def test_norms_with_and_without_statistics(model: nn.Module, stats: int) -> None:
    """Sync batch norm is held, and a layer that tracks no statistics is not."""
    assert len(freeze(model).stats) == stats


@pytest.mark.parametrize(
    "patterns", [(), ("0",), ("*.weight",), ("0.parametrizations",)]
)
def test_spectral_norm(patterns: tuple[str, ...]) -> None:
    """The weight that spectral norm computes from a frozen one stays."""
    layer = nn.Linear(3, 3)
    layer.weight.data = torch.tensor([1, 0.99, 0.98]).diag()  # found out only slowly
    model = nn.Sequential(parametrizations.spectral_norm(layer))
    with freeze(model, *patterns) as frozen:
        assert frozen.stats == ("0.parametrizations.weight.0",)
        before = model.train()[0].weight
        assert moved(model) == []
        assert model[0].weight.equal(before)
    assert len(moved(model)) == 2
    freeze(model, *patterns)
    unfreeze(model)
    assert len(moved(model)) == 2
    assert freeze(model, "0.bias").stats == ()
    assert freeze(model, stats=False).stats == ()
    assert len(moved(model)) == 2


def test_norm_without_parameters() -> None:
    """A layer with statistics alone can be named, unless ``stats`` is off."""
    model = Net()
    frozen = freeze(model, "layer2.1")
    assert (frozen.names, frozen.stats) == ((), ("layer2.1",))
    with pytest.raises(ValueError, match=r"'layer2\.1' matches no parameter of Net"):
        freeze(model, "layer2.1", stats=False)


def test_state_dict_is_the_same() -> None:
    """Freezing changes neither keys nor values of ``state_dict()``."""
    model = Net()
    before = copy.deepcopy(model.state_dict())
    freeze(model)
    after = model.state_dict()
    assert list(before) == list(after)
    assert all(before[name].equal(after[name]) for name in before)


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "torch.save"])
def test_copies_are_frozen(way: str) -> None:
    """A copy of a frozen model is frozen too, and can be unfrozen on its own."""
    model = Net()
    freeze(model)
    if way == "deepcopy":
        twin = copy.deepcopy(model)
    elif way == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    else:
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        twin = torch.load(file, weights_only=False)
    assert moved(twin) == []
    unfreeze(twin)
    assert len(moved(twin)) == 6
    assert moved(model) == []


def test_compile() -> None:
    """A model that is compiled after freezing does not update its statistics."""
    model = Net()
    freeze(model)
    fast = torch.compile(model, backend="eager", fullgraph=True)
    assert moved(fast) == []
    assert moved(fast) == []
    torch.compiler.reset()


def test_compiled_names() -> None:
    """A compiled model's parameters are matched by the names that it gives them."""
    fast = torch.compile(Net(), backend="eager")
    assert freeze(fast, "_orig_mod.head").names[0] == "_orig_mod.head.weight"
