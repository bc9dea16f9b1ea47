"""Tests each trap that explaining a network can fall into."""

import gc
import random
import weakref

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradguide import explain, freeze

from .nets import everything
from .scenarios import Two


def verdicts(model: nn.Module, loss: object, **more: object) -> dict[str, str]:
    return {row.name: row.verdict for row in explain(model, loss, **more)}


def norm_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)
    )


def test_restored_buffers_leave_a_pending_backward_alone() -> None:
    """A backward that is still to come works after the run."""
    model = norm_net().eval()
    x = torch.randn(5, 3)
    pending = model(x).sum()
    explain(model, lambda: model.train()(x).sum())
    pending.backward()
    assert model[0].weight.grad is not None


def test_nothing_is_changed() -> None:
    """Flags, gradients, buffers, modes, hooks, random numbers: all as before."""
    model = norm_net()
    freeze(model, "0")
    model(torch.randn(5, 3)).sum().backward()
    model[2].eval()
    before, buffers = (
        everything(model),
        {n: b.clone() for n, b in model.named_buffers()},
    )
    identities = [id(tensor) for tensor in (*model.parameters(), *model.buffers())]
    grads = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    x = torch.randn(5, 3)
    torch.set_rng_state(states[0])

    def loss() -> Tensor:
        model.train()
        noise = torch.randn(5, 3) * random.random() * np.random.rand()
        result = model(x + noise).sum()
        result.backward(retain_graph=True)
        torch.set_grad_enabled(mode=False)
        return result

    explain(model, loss, gradients=True)
    assert torch.is_grad_enabled()
    assert everything(model) == before
    assert all(b.equal(buffers[name]) for name, b in model.named_buffers())
    assert identities == [id(t) for t in (*model.parameters(), *model.buffers())]
    after = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(a.equal(b) for a, b in zip(grads, after, strict=True))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])


def test_parameters_written_in_the_forward_are_restored() -> None:
    """An embedding with max_norm, an EMA and a whole step are all undone."""
    model = nn.ModuleDict(
        {
            "table": nn.Embedding(4, 3, max_norm=0.1),
            "student": nn.Linear(3, 2),
            "teacher": nn.Linear(3, 2).requires_grad_(requires_grad=False),
        }
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
    values = [p.detach().clone() for p in model.parameters()]

    def loss() -> Tensor:
        y = model["student"](model["table"](torch.tensor([0, 1]))).sum()
        y.backward(retain_graph=True)
        optimizer.step()
        for student, teacher in zip(
            model["student"].parameters(), model["teacher"].parameters(), strict=True
        ):
            teacher.data.mul_(0.9).add_(student.data)
        model["student"].weight.data = torch.zeros(2, 3)
        return y

    explain(model, loss)
    assert all(a.equal(b) for a, b in zip(values, model.parameters(), strict=True))


def test_replaced_buffer_is_put_back() -> None:
    """A buffer that the forward assigns anew is the old one again."""

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
    """What the function raises comes out as it is, with everything restored."""
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
    """While the function runs, what it drops is freed, as without a tape."""
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
    """Nothing of the run is kept once the report is there."""
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


def test_factories_pass_on_no_history() -> None:
    """``*_like`` and ``new_*`` take a tensor, but not its data."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        y = model.backbone(x)
        made = [torch.zeros_like(y), torch.randn_like(y), torch.full_like(y, 2.0)]
        made += [y.new_zeros(5, 4), y.new_ones(5, 4), y.new_full((5, 4), 3.0)]
        return model.head(torch.stack(made).sum(0)).sum()

    rows = {row.name: row for row in explain(model, loss)}
    assert rows["backbone.weight"].why == "its result never reaches the loss"
    assert rows["head.weight"].verdict == "trains"


def test_an_operation_that_returns_its_input_is_no_cut() -> None:
    """``x.to(same)`` and ``contiguous()`` under no_grad hand back the same tensor."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        y = model.backbone(x)
        with torch.no_grad():
            y = y.to(torch.float32).contiguous()
        return model.head(y).argmax(-1).sum()

    whys = {row.why for row in explain(model, loss)}
    assert whys == {"argmax() is not differentiable"}


def test_a_parameter_handed_back_is_no_cut() -> None:
    """A cast of a parameter to the dtype it has is that parameter."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        weight = model.backbone.weight.to(torch.float32)
        return nn.functional.linear(x, weight).argmax(-1).sum()

    assert explain(model, loss)[0].why == "argmax() is not differentiable"


def test_a_tensor_that_gives_only_its_type() -> None:
    """``x.type_as(y)`` and ``x.to(y)`` carry no data of ``y``."""
    model = Two()

    def loss() -> Tensor:
        y = model.backbone(torch.ones(5, 3))
        return model.head(torch.ones(5, 4).double().type_as(y).to(y).view_as(y)).sum()

    assert explain(model, loss)[0].why == "its result never reaches the loss"


def test_two_writes_through_aliases() -> None:
    """A second write through ``.data`` does not make the first one forgotten."""
    model = nn.ParameterDict({"a": torch.ones(3), "b": torch.ones(3)})

    def loss() -> Tensor:
        y = torch.zeros(3)
        y.data.add_(model["a"])
        y.data.add_(model["b"])
        return y.sum() * torch.ones(1, requires_grad=True)

    assert [row[1:3] for row in explain(model, loss)] == [("cut", ".data")] * 2


def test_a_write_through_an_alias_cuts_only_what_was_written() -> None:
    """What the tensor itself held before goes on as it was."""
    model = nn.ParameterDict({"own": torch.ones(3), "written": torch.ones(3)})

    def loss() -> Tensor:
        y = model["own"].clone()
        y.data.add_(model["written"])
        return y.argmax() * torch.ones(1, requires_grad=True)

    assert [row.why for row in explain(model, loss)] == [
        "argmax() is not differentiable",
        ".data",
    ]


def test_a_dead_view_is_nobody() -> None:
    """A view made under no_grad says that it requires grad; it is no lost parameter."""
    model = Two()

    def loss() -> Tensor:
        y = model.backbone(torch.ones(5, 3))
        with torch.no_grad():
            y = y.view(5, 4)
        return model.head(y).sum()

    assert {row.kind for row in explain(model, loss)} == {"parameter"}


def test_writes_to_a_view_are_writes_to_its_base() -> None:
    """Data written into a row is in the whole."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        whole = torch.zeros(5, 4)
        for index, row in enumerate(model.backbone(x)):
            whole[index].copy_(row.detach())
        return model.head(whole).sum()

    rows = {row.name: row for row in explain(model, loss)}
    assert rows["backbone.weight"].verdict == "cut"
    assert rows["backbone.weight"].why == "detach()"


def test_overwritten_data_is_gone() -> None:
    """What is overwritten whole does not reach the loss."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        y = model.backbone(x).detach()
        y.copy_(torch.ones(5, 4))
        return model.head(y).sum()

    rows = {row.name: row for row in explain(model, loss)}
    assert rows["backbone.weight"].why == "its result never reaches the loss"


def test_meta_tensors_share_no_memory() -> None:
    """Tensors without memory are not taken for one another."""
    model = nn.ModuleDict(
        {"a": nn.Linear(3, 4, device="meta"), "b": nn.Linear(3, 4, device="meta")}
    )
    x = torch.ones(5, 3, device="meta")

    def loss() -> Tensor:
        model["a"](x).relu_()
        return model["b"](torch.ones(5, 3, device="meta")).sum()

    assert {row.name: row.verdict for row in explain(model, loss)} == {
        "a.weight": "unused",
        "a.bias": "unused",
        "b.weight": "trains",
        "b.bias": "trains",
    }


def test_reused_memory_is_no_flow() -> None:
    """A new tensor in the memory of a dead one has nothing to do with it."""
    model = Two()

    def loss() -> Tensor:
        with torch.no_grad():
            for _ in range(50):
                model.backbone(torch.ones(5, 3)).relu_()
        return sum(model.head(torch.ones(5, 4) * 1.0).sum() for _ in range(50))

    rows = {row.name: row for row in explain(model, loss)}
    assert rows["backbone.weight"].why == "its result never reaches the loss"


def test_broadcast_keeps_tensors_apart() -> None:
    """Operations on several tensors one by one don't mix them."""
    model = nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Linear(3, 4)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        a, b = torch.broadcast_tensors(model["a"](x), model["b"](x).detach())
        assert b.shape == a.shape
        return a.sum()

    rows = {row.name: row for row in explain(model, loss)}
    assert rows["b.weight"].why == "its result never reaches the loss"


@pytest.mark.filterwarnings("ignore:None of the inputs")
def test_reentrant_checkpoint_hides_what_is_inside() -> None:
    """Unknown, unless no input requires grad, which then is the cause."""
    model = Two()
    x = torch.randn(5, 3)

    def first() -> Tensor:
        return model.head(checkpoint(model.backbone, x, use_reentrant=True)).sum()

    def last() -> Tensor:
        return checkpoint(model.head, model.backbone(x), use_reentrant=True).sum()

    def both() -> Tensor:
        features = model.head(torch.ones(5, 4)).detach()
        return features.sum() + last()

    assert verdicts(model, both)["head.weight"] == "unknown"
    assert verdicts(model, first)["backbone.weight"] == "cut"
    assert verdicts(model, last)["head.weight"] == "unknown"
    assert verdicts(model, last())["head.weight"] == "unknown"
    assert verdicts(model, last(), gradients=True)["head.weight"] == "unknown"


def test_gradients_recompute_a_checkpoint_safely() -> None:
    """A backward through a checkpoint leaves statistics as they were."""
    model = norm_net()
    x = torch.randn(5, 3)
    mean = model[1].running_mean.clone()
    found = verdicts(
        model, lambda: checkpoint(model, x, use_reentrant=False).sum(), gradients=True
    )
    assert set(found.values()) <= {"trains", "zero"}
    assert model[1].running_mean.equal(mean)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_model(backend: str) -> None:
    """A compiled model gets the same verdicts, or unknown, and knows lines."""
    model = Two(lambda y: y.detach())
    model.spare = nn.Linear(1, 1)
    fast = torch.compile(model, backend=backend)
    x = torch.randn(5, 3)
    fast(x)
    plain = verdicts(model, lambda: model(x).sum())
    found = explain(fast, lambda: fast(x).sum())
    assert {r.name.removeprefix("_orig_mod."): r.verdict for r in found} == plain
    assert found[0].where.startswith("test_traps.py:")
    for row in explain(fast, fast(x).sum()):
        expected = plain[row.name.removeprefix("_orig_mod.")]
        if row.verdict != "unknown":
            assert (row.verdict == "trains") == (expected == "trains")
    for row in explain(fast, fast(x).sum(), gradients=True):
        expected = plain[row.name.removeprefix("_orig_mod.")]
        assert (row.verdict == "trains") == (expected == "trains")
    torch.compiler.reset()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_torchscript() -> None:
    """What a compiled script reads is not seen, and that is said."""
    model = nn.ModuleDict({"script": torch.jit.script(nn.Linear(3, 3))})
    x = torch.randn(5, 3)
    assert verdicts(model, lambda: model["script"](x).detach().sum()) == {
        "script.weight": "unknown",
        "script.bias": "unknown",
    }


def test_lazy_parameters() -> None:
    """Without a run a lazy model works; a run would change it, and is refused."""
    model = nn.Sequential(nn.LazyLinear(2))
    assert [row.numel for row in explain(model)] == [0, 0]
    with pytest.raises(ValueError, match=r"explain: '0\.weight' of Sequential has no"):
        explain(model, lambda: model(torch.ones(1, 2)).sum())


def test_model_made_in_inference_mode() -> None:
    """Such parameters may say that they require grad, and no step can change them."""
    with torch.inference_mode():
        model = nn.Linear(2, 1)
    for loss in (None, lambda: model(torch.ones(1, 2)).sum()):
        assert {row[1:3] for row in explain(model, loss)} == {
            ("cut", "inference_mode, where it was made: it can't train")
        }


def test_loss_without_a_tensor() -> None:
    """A loss that is a number, or no loss, is refused."""
    model = Two()
    with pytest.raises(TypeError, match="function's result: expected a tensor, or a"):
        explain(model, lambda: model(torch.ones(1, 3)).sum().item())
    with pytest.raises(TypeError, match="explain: expected a tensor, or a tuple"):
        explain(model, 3.0)
    with pytest.raises(TypeError, match=r"explain: expected a torch\.nn\.Module"):
        explain(lambda x: x)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected a torch\.optim\.Optimizer, got Two"):
        explain(model, optimizer=model)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="explain: gradients=True needs a loss"):
        explain(model, gradients=True)
