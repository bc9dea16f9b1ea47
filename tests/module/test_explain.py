"""Tests the report of ``explain`` for a model, a loss tensor and a function."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradguide import changed, explain, freeze

from .scenarios import Two


def switched_off(norm: nn.BatchNorm1d) -> nn.BatchNorm1d:
    norm.track_running_stats = False
    return norm


NORMS = {
    "batch": lambda: nn.BatchNorm1d(4),
    "batch without momentum": lambda: nn.BatchNorm1d(4, momentum=0.0),
    "batch averaging": lambda: nn.BatchNorm1d(4, momentum=None),
    "batch without statistics": lambda: nn.BatchNorm1d(4, track_running_stats=False),
    "batch switched off": lambda: switched_off(nn.BatchNorm1d(4)),
    "instance": lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True),
    # Here momentum=None stands for 0, and in a batch norm for a cumulative average.
    "instance without momentum": lambda: nn.InstanceNorm1d(
        4, momentum=None, affine=True, track_running_stats=True
    ),
    "layer": lambda: nn.LayerNorm(4),
}


def problems(model: nn.Module, *args: object, **more: bool) -> dict[str, str]:
    return {row.name: row.verdict for row in explain(model, *args, **more).problems}


def test_the_model_alone() -> None:
    """Without a loss the report has the frozen parameters."""
    model = Two()
    model.head.requires_grad_(False)
    report = explain(model)
    assert [row[:2] for row in report] == [
        ("backbone.weight", "trains"),
        ("backbone.bias", "trains"),
        ("head.weight", "frozen"),
        ("head.bias", "frozen"),
    ]
    assert report[0].numel == 12
    assert report.problems == ()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("run", [False, True])
def test_statistics_that_drift(name: str, run: bool) -> None:
    """A real forward changes exactly the buffers that are reported to move."""
    model = nn.Sequential(nn.Linear(4, 4), NORMS[name](), nn.Linear(4, 4))
    model[1].requires_grad_(False)
    x = torch.randn(3, 4, 4) if name.startswith("instance") else torch.randn(8, 4)
    report = explain(model, (lambda: model(x).sum()) if run else None)
    with changed(model) as names:
        model(x)
    assert [row.name for row in report if row.kind == "buffer"] == names
    for row in report.problems:
        assert row[1:3] == ("moves", "frozen, but the forward updates this buffer")


def test_statistics_without_parameters() -> None:
    """A layer without parameters is as frozen as the module around it."""
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, affine=False))
    assert not explain(model).problems
    model[0].requires_grad_(False)
    assert len(explain(model).problems) == 3


def test_held_statistics_do_not_drift() -> None:
    """The statistics of a layer frozen by ``freeze`` stay, in training mode too."""
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
    freeze(model, "1")
    model.train()
    assert not explain(model).problems
    assert not explain(model, lambda: model(torch.randn(8, 4)).sum()).problems


def test_any_buffer_of_a_frozen_module() -> None:
    """With a run, any buffer that the forward changes is reported."""

    class Counting(nn.Linear):
        def __init__(self) -> None:
            super().__init__(4, 4)
            self.calls = nn.Buffer(torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(x)

    model = nn.Sequential(Counting().requires_grad_(False), Counting())
    assert problems(model, lambda: model(torch.ones(1, 4)).sum()) == {
        "0.calls": "moves"
    }


def test_a_loss_tensor() -> None:
    """A loss tensor tells which parameters are reached, but not why others are not."""
    model = Two(lambda x: x.detach())
    model.spare = nn.Linear(1, 1)
    report = explain(model, model(torch.randn(5, 3)).sum())
    assert [row.verdict for row in report] == ["unreached"] * 2 + ["trains"] * 2 + [
        "unreached"
    ] * 2
    assert report[0].why == "backward does not reach it; pass the function to learn why"


def test_a_loss_tensor_is_not_used_up() -> None:
    """The backward of ``gradients=True`` frees nothing, and leaves no gradient."""
    model = Two()
    loss = model(torch.randn(5, 3)).sum()
    explain(model, loss, gradients=True)
    assert model.head.weight.grad is None
    loss.backward()
    assert model.head.weight.grad is not None


def test_zero_gradients() -> None:
    """A dead ReLU trains by its graph, and its gradient is exactly zero."""
    model = Two(lambda x: (x - 1e6).relu())
    x = torch.randn(5, 3)
    assert problems(model, lambda: model(x).sum()) == {}
    assert problems(model, lambda: model(x).sum(), gradients=True) == dict.fromkeys(
        ["backbone.weight", "backbone.bias", "head.weight"], "zero"
    )


def test_sparse_gradients() -> None:
    """The values of a sparse gradient are looked at."""
    model = nn.Embedding(5, 3, sparse=True)
    tokens = torch.tensor([1, 2])
    assert problems(model, lambda: model(tokens).sum(), gradients=True) == {}
    assert problems(model, lambda: (model(tokens) * 0).sum(), gradients=True) == {
        "weight": "zero"
    }


def test_losses_in_containers() -> None:
    """A loss of several tensors, of any shape, reaches what any of them reaches."""
    model = Two()
    x = torch.randn(5, 3)
    losses = {"a": model.backbone(x), "rest": [model.head(torch.ones(4)), (x,)]}
    assert not explain(model, losses, gradients=True).problems
    assert not explain(model, lambda: losses, gradients=True).problems


def test_where_names_the_module() -> None:
    """``where`` is the file, the line and the module whose code that line is."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x).detach()

    model = nn.Sequential(nn.Sequential(Block()), nn.Linear(3, 1))
    row = explain(model, lambda: model(torch.ones(1, 3)).sum())[0]
    line = Block.forward.__code__.co_firstlineno + 1
    assert row.where == f"test_explain.py:{line} in 0.0"


def test_names_of_a_compiled_model_and_tied_ones() -> None:
    """Names are as in ``named_parameters()``, with tied parameters once."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    fast = torch.compile(model, backend="eager")
    assert [row.name for row in explain(fast)] == [
        n for n, _ in fast.named_parameters()
    ]


def test_frozen_parameter_that_the_forward_writes_to() -> None:
    """An embedding with max_norm scales its rows, frozen or not."""
    model = nn.Embedding(4, 3, max_norm=0.1).requires_grad_(False)
    tokens = torch.tensor([0, 1])
    report = explain(model, lambda: model(tokens).sum())
    with changed(model) as names:
        model(tokens)
    assert [row.name for row in report.problems] == names == ["weight"]
    assert report[0].why == "frozen, but the forward writes to this parameter"


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (nn.MSELoss(), "got a MSELoss that needs input, target; write"),
        (lambda x, *, y, z=1: x + y + z, "got a function that needs x, y; write"),
    ],
)
def test_function_that_needs_arguments(
    function: Callable[..., Tensor], found: str
) -> None:
    """A function that needs arguments is refused before anything runs."""
    with pytest.raises(TypeError, match=found):
        explain(nn.Linear(1, 1), function)


def test_called_under_no_grad() -> None:
    """Where the caller has switched gradients off, there is no line to name."""
    model = Two()
    with torch.no_grad():
        report = explain(model, lambda: model(torch.ones(5, 3)).sum())
    assert {row[1:4] for row in report} == {("cut", "no_grad", "")}


def test_two_cuts_on_two_ways() -> None:
    """Where several ways to the loss are cut, one of the cuts is the cause."""
    model = nn.ModuleDict({"encoder": nn.Linear(3, 4), "codebook": nn.Embedding(8, 4)})

    def loss() -> Tensor:
        z = model["encoder"](torch.ones(5, 3))
        near = torch.cdist(z, model["codebook"].weight).argmin(-1)
        code = model["codebook"](near)
        return (z + (code - z).detach()).square().sum()

    row = {row.name: row for row in explain(model, loss)}["codebook.weight"]
    assert row.verdict == "cut"
    assert row.why in {"argmin() is not differentiable", "detach()"}
