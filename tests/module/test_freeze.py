"""Tests that ``freeze`` really freezes, and that ``undo`` restores everything."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gradguide import changed, freeze, unfreeze

from .nets import Net, everything, flags, moved, norm_net


def test_stale_gradient_is_gone() -> None:
    """A gradient left from before is not applied by the next step."""
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1, momentum=0.9, weight_decay=1)
    model(torch.randn(8, 3)).sum().backward()
    optimizer.step()
    freeze(model)
    with changed(model) as names:
        optimizer.step()
    assert names == []


@pytest.mark.parametrize("error", [None, KeyError])
def test_with_restores(error: type[Exception] | None) -> None:
    """Leaving the block restores flags, gradients and modes, after an error too."""
    model = Net()
    model.layer10.requires_grad_(False)
    model.layer2.eval()
    model(torch.randn(8, 3)).sum().backward()
    before = everything(model)
    with pytest.raises(error) if error else nullcontext(), freeze(model):
        assert everything(model) != before
        if error:
            raise error
    assert everything(model) == before


def test_undo_twice() -> None:
    """Only the first undo does something."""
    model = Net()
    frozen = freeze(model)
    frozen.undo()
    model.head.bias.requires_grad = False
    frozen.undo()
    assert not model.head.bias.requires_grad


def test_nested() -> None:
    """Each undo of freezes inside freezes restores the state at its own call."""
    model = Net()
    states = [everything(model)]
    with freeze(model, "layer1"):
        states.append(everything(model))
        with freeze(model):
            states.append(everything(model))
            with freeze(model, "layer1"):
                pass
            assert everything(model) == states[2]
        assert everything(model) == states[1]
        assert moved(model) == [f"layer2.1.{s}" for s in model.layer2[1]._buffers]
    model.train()
    assert everything(model) == states[0]


def test_with_after_undo() -> None:
    """A freeze that was undone can't be entered."""
    frozen = freeze(Net())
    frozen.undo()
    with pytest.raises(RuntimeError, match="undone already; call freeze again"):
        frozen.__enter__()


def test_lazy_parameters() -> None:
    """Parameters without a shape can be frozen, and stay so when they get one."""
    model = nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 2))
    frozen = freeze(model, "0")
    model(torch.ones(2, 3))
    assert not model[0].weight.requires_grad
    frozen.undo()
    assert model[0].weight.requires_grad


def test_parametrized() -> None:
    """A parametrized weight is frozen where its values are."""
    model = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    freeze(model, "parametrizations")
    assert not model.weight.requires_grad
    assert model.bias.requires_grad


def test_meta_and_complex() -> None:
    """Parameters of any device and dtype are frozen and unfrozen."""
    model = nn.Sequential(
        nn.Linear(3, 4, device="meta"), nn.Linear(4, 2, dtype=torch.complex64)
    )
    freeze(model)
    assert unfreeze(model, "0", "1") == tuple(flags(model))


def test_non_leaf() -> None:
    """A parameter that is the result of an operation is refused; nothing is frozen."""

    class Inner(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            freeze(self)
            return super().forward(x)

    model = Inner(2, 2)
    with pytest.raises(RuntimeError, match="'weight' of Inner is the result of an"):
        torch.func.functional_call(
            model, {"weight": model.weight * 2}, torch.ones(1, 2)
        )
    assert all(flags(model).values())


def test_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error halfway leaves nothing frozen."""
    model = Net()
    before = everything(model)

    def refuse(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(model.layer2[1], "register_forward_pre_hook", refuse)
    with pytest.raises(MemoryError):
        freeze(model)
    assert everything(model) == before


def test_inference_parameters() -> None:
    """Parameters made in inference mode freeze and restore, but never train."""
    with torch.inference_mode():
        model = nn.Linear(2, 2)
    with freeze(model):
        assert not model.weight.requires_grad
    assert model.weight.requires_grad
    with pytest.raises(RuntimeError, match="'weight' of Linear was made under torch"):
        unfreeze(model)


@given(st.lists(st.sampled_from(["layer1", "*.bias", "1", "head", "*"]), max_size=5))
def test_any_nesting(patterns: list[str]) -> None:
    """Freezes undone in the reverse order go back through the same states."""
    model = Net()
    frozen, states = [], []
    for pattern in patterns:
        states.append(everything(model))
        frozen.append(freeze(model, "layer1.1" if pattern == "1" else pattern))
    while frozen:
        frozen.pop().undo()
        assert everything(model) == states.pop()


def test_undo_holds_statistics_again() -> None:
    """Statistics unfrozen within an inner freeze are held again after its end."""
    model = norm_net()
    freeze(model)
    with freeze(model):
        unfreeze(model)
        assert moved(model)
    assert not moved(model)


def test_undo_after_a_cast() -> None:
    """Gradients are restored in the dtype that the module was cast to meanwhile."""
    model = nn.Linear(2, 2)
    model(torch.ones(1, 2)).sum().backward()
    with freeze(model):
        model.double()
    assert [p.grad.dtype for p in model.parameters()] == [torch.float64] * 2
