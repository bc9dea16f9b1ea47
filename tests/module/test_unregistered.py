"""Tests how parameters are named that the loss reaches and the model lacks."""

import pytest
import torch
from torch import Tensor, nn

from gradguide import explain

from .scenarios import Two


@pytest.mark.parametrize("where", ["list", "dict", "attribute", "object", "tensor"])
def test_unregistered(where: str) -> None:
    """A layer that the model doesn't register is found, with the path to it."""
    model = Two()
    layer = nn.Linear(4, 4, bias=False)
    paths = {
        "list": "layers[0].weight",
        "dict": "layers['a'].weight",
        "attribute": "layers.weight",
        "object": "layers.layer.weight",
        "tensor": "layers",
    }

    class Plain:
        def __init__(self) -> None:
            self.layer = layer

    kept = {
        "list": [layer],
        "dict": {"a": layer},
        "object": Plain(),
        "tensor": layer.weight.detach().requires_grad_(),
    }
    if where == "attribute":
        model.__dict__["layers"] = layer
    else:
        model.layers = kept[where]
    weight = model.layers if where == "tensor" else layer.weight
    x = torch.randn(5, 3)
    report = explain(model, lambda: model.head(model.backbone(x) @ weight).sum())
    (problem,) = report.problems
    assert problem == (
        paths[where],
        "unregistered",
        "reached by the loss, but not a parameter of the model",
        "",
        16,
        "tensor",
    )


def test_unregistered_of_nobody() -> None:
    """A parameter that nothing holds is named by its shape."""
    model = Two()
    layer = nn.Linear(4, 4, bias=False)
    x = torch.randn(5, 3)
    report = explain(model, lambda: model.head(layer(model.backbone(x))).sum())
    assert [row.name for row in report.problems] == ["tensor of shape (4, 4)"]


def test_input_that_is_made_to_require_grad() -> None:
    """An input that the function itself asks a gradient for is no surprise."""
    model = Two()
    x = torch.randn(5, 3)
    assert not explain(model, lambda: model(x.clone().requires_grad_()).sum()).problems
    loss = lambda: model(torch.ones(5, 3, requires_grad=True)).sum()  # noqa: E731
    assert not explain(model, loss).problems

    def assigned() -> Tensor:
        y = x.clone()
        y.requires_grad = True
        return model(y).sum()

    assert not explain(model, assigned).problems
