"""Tests the traps of memory: views, aliases, and operations that copy nothing."""

import torch
from torch import Tensor, nn

from gradguide import explain

from .scenarios import Two


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
