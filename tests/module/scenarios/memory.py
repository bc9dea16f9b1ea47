"""Networks with views, aliases, and tensors in memory that another tensor had."""

import torch
from torch import Tensor, nn

from . import BACKBONE, DROPPED, STRAY, TRAP, Scenarios, Two

scenario = Scenarios()
DETACHED = ("cut", "detach()")
BY_DATA = ("cut", ".data")
SHARES = "shares memory with what was computed from it, but not its history"


def two_parameters() -> nn.ParameterDict:
    return nn.ParameterDict({"a": torch.ones(3), "b": torch.ones(3)})


def two_layers() -> nn.ModuleDict:
    return nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Linear(3, 4)})


@scenario.between({BACKBONE: DROPPED}, TRAP)
def factories(x: Tensor) -> Tensor:
    """``*_like`` and ``new_*`` take a tensor, but not its data."""
    results = [torch.zeros_like(x), torch.randn_like(x), torch.full_like(x, 2.0)]
    results += [x.new_zeros(5, 4), x.new_ones(5, 4), x.new_full((5, 4), 3.0)]
    return torch.stack(results).sum(0)


@scenario.between({BACKBONE: DROPPED}, TRAP)
def tensor_that_gives_only_its_type(x: Tensor) -> Tensor:
    """``type_as``, ``to`` and ``view_as`` read no data of their second tensor."""
    return torch.ones(5, 4).double().type_as(x).to(x).view_as(x)


@scenario.loss(
    {"a": BY_DATA, "b": BY_DATA}, TRAP, lambda: Two(**dict(two_parameters().items()))
)
def two_writes_through_aliases(model: Two, x: Tensor) -> Tensor:
    """A second write through ``.data`` does not hide the first one."""
    y = torch.zeros(3)
    for parameter in (model.a, model.b):
        y.data.add_(parameter)  # here
    return y.sum() + model(x).sum()


@scenario.between({BACKBONE: DETACHED}, TRAP)
def rows_written_one_by_one(x: Tensor) -> Tensor:
    """Data that is written into a view is in its base."""
    whole = torch.zeros(5, 4)
    for index, row in enumerate(x):
        whole[index].copy_(row.detach())  # here
    return whole


@scenario.between({BACKBONE: DROPPED}, TRAP)
def overwritten_result(x: Tensor) -> Tensor:
    return x.detach().copy_(torch.ones(5, 4))


@scenario.loss({"a.*": DETACHED}, TRAP, two_layers)
def writes_to_two_rows(model: nn.ModuleDict, x: Tensor) -> Tensor:
    """A write to one row leaves what another row got before."""
    rows = torch.zeros(2, 4)
    rows[1].copy_(model["b"](x[0]))
    rows[0].copy_(model["a"](x[0]).detach())  # here
    rows[1].add_(1)
    return rows.sum()


@scenario.loss(
    {"a.bias": ("cut", "no_grad"), "b.*": ("cut", "no_grad")}, TRAP, two_layers
)
def writes_to_two_halves(model: nn.ModuleDict, x: Tensor) -> Tensor:
    """The whole tensor holds what was written to both halves."""
    whole = torch.zeros(5, 8)
    left, right = whole[:, :4], whole[:, 4:]
    with torch.no_grad():  # here
        torch.mul(model["a"](x), 2, out=left)
        right.copy_(model["b"](x))
    return whole.sum() + model["a"].weight.sum()


@scenario.loss({"a.*": DETACHED}, TRAP, two_layers)
def one_tensor_for_a_list(model: nn.ModuleDict, x: Tensor) -> Tensor:
    """An operation on lists of tensors takes single tensors too."""
    rows = torch._foreach_mul([x, x], model["a"](x).mean().detach())  # here
    return sum(row.sum() for row in rows) + model["b"](x).sum()


@scenario.loss({"b.*": DROPPED}, TRAP, two_layers)
def broadcast_with_another(model: nn.ModuleDict, x: Tensor) -> Tensor:
    """An operation on several tensors one by one does not mix their data."""
    a, b = torch.broadcast_tensors(model["a"](x), model["b"](x).detach())
    assert b.shape == a.shape
    return a.sum()


@scenario.loss({"a.*": DROPPED}, TRAP, lambda: two_layers().to("meta"))
def tensors_without_memory(model: nn.ModuleDict, x: Tensor) -> Tensor:
    """Tensors on the meta device all have the address 0, and share no memory."""
    model["a"](x.to("meta")).relu_()
    return model["b"](x.to("meta")).sum()


@scenario.loss({BACKBONE: DROPPED}, TRAP)
def memory_of_a_freed_tensor(model: Two, x: Tensor) -> Tensor:
    with torch.no_grad():
        for _ in range(50):
            model.backbone(x).relu_()
    return sum(model.head(torch.ones(5, 4) * 1.0).sum() for _ in range(50))


@scenario.loss({BACKBONE: ("unknown", SHARES), "tensor *": STRAY}, TRAP)
def old_variable(model: Two, x: Tensor) -> Tensor:
    """``Variable`` makes a tensor of the same memory, by no call that a mode sees."""
    hidden = torch.autograd.Variable(model.backbone(x), requires_grad=True)
    return model.head(hidden).sum()  # here


@scenario.loss({BACKBONE: DETACHED}, TRAP)
def operations_called_by_overload(model: Two, x: Tensor) -> Tensor:
    with torch.no_grad():
        torch.ops.aten.add_.Tensor(model.head.bias, torch.ones(2))
    hidden = torch.ops.aten.detach.default(model.backbone(x))  # here
    return model.head(hidden).sum()
