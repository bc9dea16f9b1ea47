"""Tests that ``changed`` names exactly the tensors whose values changed."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gradguide import changed


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def ones() -> nn.Linear:
    """Return a layer whose numbers are the same in each type."""
    model = nn.Linear(2, 1).requires_grad_(False)
    model.weight.fill_(1)
    return model


def tied() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    return model


def with_buffer(values: Tensor) -> nn.Module:
    model = nn.Module()
    model.table = nn.Buffer(values)
    return model


def with_nan() -> nn.Linear:
    model = nn.Linear(2, 1).requires_grad_(False)
    model.weight.fill_(torch.nan)
    return model


def write_same_values(model: nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1)


def replace_parts(model: nn.Module) -> None:
    model[2] = nn.Linear(4, 5, bias=False)
    model.scale = nn.Parameter(torch.ones(1))


BOTH = ["weight", "bias"]
CASES: dict[str, tuple[Callable[[], nn.Module], Callable, list[str]]] = {
    "a read": (lambda: net().eval(), lambda m: m(torch.ones(8, 3)), []),
    "the same values": (net, write_same_values, []),
    "the same NaN": (with_nan, lambda m: m.weight.fill_(torch.nan), []),
    "a number for NaN": (with_nan, lambda m: m.weight[0].zero_(), ["weight"]),
    "tied": (tied, lambda m: m[1].weight.data.add_(1), ["0.weight"]),
    "other parts": (net, replace_parts, ["scale", "2.weight", "2.bias"]),
    "another dtype": (ones, lambda m: m.double(), BOTH),
    "lazy": (lambda: nn.LazyLinear(2), lambda _: None, []),
    "no longer lazy": (lambda: nn.LazyLinear(2), lambda m: m(torch.ones(1, 3)), BOTH),
    "meta": (lambda: nn.Linear(2, 1, device="meta"), lambda _: None, []),
    "no longer meta": (
        lambda: nn.Linear(2, 1, device="meta"),
        lambda m: m.to_empty(device="cpu"),
        BOTH,
    ),
    "sparse": (lambda: with_buffer(torch.eye(3).to_sparse()), lambda _: None, []),
    "another sparse tensor": (
        lambda: with_buffer(torch.eye(3).to_sparse()),
        lambda m: setattr(m, "table", (torch.eye(3) * 2).to_sparse()),
        ["table"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_names(case: str) -> None:
    """A change of values, shape, dtype or parts is named, and nothing else is."""
    make, change, expected = CASES[case]
    model = make()
    with changed(model) as names:
        change(model)
    assert names == expected


def test_version_does_not_tell_change() -> None:
    """Statistics and fused optimizers change values that no version counts."""
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    model(torch.randn(8, 3)).square().sum().backward()
    tensors = dict([*model.named_parameters(), *model.named_buffers()])
    versions = {name: tensor._version for name, tensor in tensors.items()}
    with changed(model) as names:
        model(torch.randn(8, 3))
        optimizer.step()
    uncounted = {name for name in tensors if tensors[name]._version == versions[name]}
    assert "1.running_mean" in uncounted
    assert uncounted | {"0.weight", "2.bias"} <= set(names)


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
    """A backward whose forward came before the block still works after it."""
    model = net()
    loss = model(torch.randn(8, 3)).sum()
    with changed(model):
        pass
    loss.backward()
    assert model[0].weight.grad is not None


def test_wrong_type() -> None:
    """An argument that is no module is refused with the type to pass."""
    with (
        pytest.raises(TypeError, match=r"changed: expected a torch\.nn\.Module, got"),
        changed(torch.ones(2)),  # type: ignore[arg-type]
    ):
        pass


@given(st.sets(st.sampled_from(sorted(net().state_dict()))))
def test_exactly(touched: set[str]) -> None:
    """It names the changed tensors, no more and no less, in the model's order."""
    model = net()
    state = model.state_dict()
    with changed(model) as names:
        for name in touched:
            state[name] += 1
    order = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    assert names == [name for name in order if name in touched]
