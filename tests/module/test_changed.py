"""Tests that ``changed`` names exactly what changed its values."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradguide import changed


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_nothing() -> None:
    """Reading changes nothing."""
    model = net().eval()
    with changed(model) as names:
        model(torch.randn(8, 3))
    assert names == []


def test_version_does_not_tell_change() -> None:
    """Statistics and fused optimizers change values that no version counts."""
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    model(torch.randn(8, 3)).square().sum().backward()
    versions = [t._version for t in (*model.parameters(), *model.buffers())]
    with changed(model) as names:
        model(torch.randn(8, 3))
        optimizer.step()
    uncounted = [
        name
        for (name, tensor), version in zip(
            [*model.named_parameters(), *model.named_buffers()], versions, strict=True
        )
        if tensor._version == version
    ]
    assert "1.running_mean" in uncounted
    assert set(uncounted) <= set(names)
    assert {"0.weight", "2.bias"} <= set(names)


def test_same_values_written() -> None:
    """Writing the values that are there is no change."""
    model = net()
    with changed(model) as names, torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1)
    assert names == []


def test_nan_is_nan() -> None:
    """NaN equals NaN, and nothing else."""
    model = nn.Linear(2, 1)
    model.weight.data.fill_(torch.nan)
    with changed(model) as names:
        model.weight.data.fill_(torch.nan)
    assert names == []
    with changed(model) as names:
        model.weight.data[0, 0] = 0
    assert names == ["weight"]


def test_filled_at_the_end() -> None:
    """The list is empty until the block ends."""
    model = nn.Linear(2, 1)
    with changed(model) as names:
        model.bias.data += 1
        assert names == []
    assert names == ["bias"]


def change_and_fail(model: nn.Linear) -> None:
    model.bias.data += 1
    raise KeyError


def test_exception() -> None:
    """The list is filled when the block raises, and the exception goes on."""
    model = nn.Linear(2, 1)
    with pytest.raises(KeyError), changed(model) as names:
        change_and_fail(model)
    assert names == ["bias"]


def test_pending_backward() -> None:
    """Watching breaks no backward that is still to come."""
    model = net()
    loss = model(torch.randn(8, 3)).sum()
    with changed(model):
        pass
    loss.backward()
    assert model[0].weight.grad is not None


def test_tied_once() -> None:
    """Tied parameters are named once."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    with changed(model) as names:
        model[1].weight.data += 1
    assert names == ["0.weight"]


def test_replaced_layer() -> None:
    """What came or went or took another shape has changed."""
    model = net()
    with changed(model) as names:
        model[2] = nn.Linear(4, 5, bias=False)
        model.scale = nn.Parameter(torch.ones(1))
    assert sorted(names) == ["2.bias", "2.weight", "scale"]


def test_dtype() -> None:
    """Another dtype is a change, though the numbers are the same."""
    model = nn.Linear(2, 1).requires_grad_(requires_grad=False)
    model.weight.fill_(1)
    with changed(model) as names:
        model.double()
    assert names == ["weight", "bias"]


def test_lazy() -> None:
    """A parameter that gets its shape has changed."""
    model = nn.LazyLinear(2)
    with changed(model) as names:
        pass
    assert names == []
    with changed(model) as names:
        model(torch.ones(1, 3))
    assert names == ["weight", "bias"]


def test_meta() -> None:
    """A tensor without values doesn't change until it gets some."""
    model = nn.Linear(2, 1, device="meta")
    with changed(model) as names:
        pass
    assert names == []
    with changed(model) as names:
        model.to_empty(device="cpu")
    assert names == ["weight", "bias"]


@pytest.mark.parametrize(
    "dtype",
    [torch.float8_e4m3fn, torch.bfloat16, torch.complex64, torch.bool, torch.uint16],
)
def test_dtypes(dtype: torch.dtype) -> None:
    """Values of any dtype are compared."""
    model = nn.Module()
    model.table = nn.Buffer(torch.tensor([0, 1, 0]).to(dtype))
    with changed(model) as names:
        model.table.copy_(torch.tensor([0, 1, 0]))
    assert names == []
    with changed(model) as names:
        model.table.copy_(torch.tensor([0, 1, 1]))
    assert names == ["table"]


def test_sparse() -> None:
    """A sparse buffer is compared by what it stands for."""
    model = nn.Module()
    model.table = nn.Buffer(torch.eye(3).to_sparse())
    with changed(model) as names:
        pass
    assert names == []
    with changed(model) as names:
        model.table = (torch.eye(3) * 2).to_sparse()
    assert names == ["table"]


def test_wrong_type() -> None:
    """What is not a module is refused with what to do instead."""
    with (
        pytest.raises(TypeError, match=r"changed: expected a torch\.nn\.Module, got"),
        changed(torch.ones(2)),  # type: ignore[arg-type]
    ):
        pass


@given(st.sets(st.sampled_from(sorted(net().state_dict()))))
def test_exactly(touched: set[str]) -> None:
    """It names what was touched: no more, no less, in the model's order."""
    model = net()
    state = model.state_dict()
    with changed(model) as names:
        for name in touched:
            state[name] += 1
    order = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    assert names == [name for name in order if name in touched]
