"""Tests what a run of ``explain`` restores, and that it keeps nothing alive."""

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn

from gradguide import explain
from gradguide._origins import blame, uses

from .nets import everything, norm_net
from .scenarios import Two


def test_restored_buffers_leave_a_pending_backward_alone() -> None:
    """A backward whose forward came before the run still works after it."""
    model = norm_net().eval()
    x = torch.randn(5, 3)
    pending = model(x).sum()
    explain(model, lambda: model.train()(x).sum())
    pending.backward()
    assert model[0].weight.grad is not None


def test_parameters_written_in_the_forward_are_restored() -> None:
    """Writes by max_norm, a step, an EMA, ``.data`` and an overload are all undone."""
    model = nn.ModuleDict(
        {
            "table": nn.Embedding(4, 3, max_norm=0.1),
            "student": nn.Linear(3, 2),
            "teacher": nn.Linear(3, 2).requires_grad_(False),
        }
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    values = [p.detach().clone() for p in model.parameters()]

    def loss() -> Tensor:
        y = model["student"](model["table"](torch.tensor([0, 1]))).sum()
        y.backward(retain_graph=True)
        optimizer.step()
        model["teacher"].bias.data.mul_(0.9).add_(model["student"].bias.data)
        model["student"].weight.data = torch.zeros(2, 3)
        with torch.no_grad():
            torch.ops.aten.add_.Tensor(model["teacher"].weight, torch.ones(2, 3))
        return y

    explain(model, loss)
    assert all(a.equal(b) for a, b in zip(values, model.parameters(), strict=True))
    assert all(parameter.grad.eq(1).all() for parameter in model.parameters())


def test_replaced_buffer_is_put_back() -> None:
    """A buffer that the forward assigns is the old buffer again."""

    class Counter(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 1)
            self.calls = nn.Buffer(torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls = self.calls + 1
            return super().forward(x)

    model = Counter()
    calls = model.calls
    explain(model, lambda: model(torch.ones(1, 2)).sum())
    assert model.calls is calls
    assert calls == 0


def test_exception_goes_through_unchanged() -> None:
    """An exception of the function is raised unchanged, with everything restored."""
    model = norm_net()
    before, mean = everything(model), model[1].running_mean.clone()
    error = KeyError("mine")

    def loss() -> Tensor:
        torch.set_grad_enabled(mode=False)
        model.eval().train()
        model(torch.randn(5, 3))
        raise error

    with pytest.raises(KeyError) as caught:
        explain(model, loss)
    assert caught.value is error
    assert torch.is_grad_enabled()
    assert everything(model) == before
    assert model[1].running_mean.equal(mean)


def test_run_once() -> None:
    """The function is called exactly once."""
    calls = []
    model = Two()
    explain(model, lambda: calls.append(1) or model(torch.ones(1, 3)).sum())
    assert calls == [1]


def test_activations_do_not_live_longer() -> None:
    """Activations that the function drops are freed while it runs."""
    model = nn.Sequential(*[nn.Linear(3, 3) for _ in range(4)])
    alive = []

    def loss() -> Tensor:
        y = torch.ones(1, 3)
        seen = []
        with torch.no_grad():
            for layer in model:
                y = layer(y)
                seen.append(weakref.ref(y))
        gc.collect()
        alive.append(sum(one() is not None for one in seen))
        return y.sum()

    explain(model, loss)
    assert alive == [1]


def test_graph_is_freed() -> None:
    """The report keeps no tensor of the run alive."""
    model = Two()
    kept = []

    def loss() -> Tensor:
        y = model.backbone(torch.ones(1, 3))
        kept.append(weakref.ref(y))
        return model.head(y).sum()

    report = explain(model, loss)
    gc.collect()
    assert report
    assert kept[0]() is None


def test_frames_are_walked_only_at_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is looked for only at a cut, as walking the frames is slow."""
    walks = []
    here = blame.here
    for module in (blame, uses):
        monkeypatch.setattr(module, "here", lambda: walks.append(1) or here())
    model = Two(lambda y: y.tanh() * y.exp())
    x = torch.ones(5, 3)
    explain(model, lambda: model(x).sum())
    assert not walks
    explain(model, lambda: torch.vmap(lambda row: model(row).sin().cos())(x).sum())
    assert 1 <= len(walks) <= len(list(model.parameters()))
    walks.clear()
    explain(model, lambda: model.head(model.backbone(x).detach()).sum())
    assert 1 <= len(walks) <= 2  # the second one is for writes to the detached alias
