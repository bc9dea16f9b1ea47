"""Tests the paths of parameters that the loss reaches and the model lacks."""

import pytest
import torch
from torch import nn

from gradguide import explain

from .scenarios import STRAY, Two


@pytest.mark.parametrize("where", ["list", "dict", "attribute", "object", "tensor"])
def test_unregistered(where: str) -> None:
    """An unregistered layer is reported with the attribute path to it."""
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

    values = {
        "list": [layer],
        "dict": {"a": layer},
        "object": Plain(),
        "tensor": layer.weight.detach().requires_grad_(),
    }
    if where == "attribute":
        model.__dict__["layers"] = layer
    else:
        model.layers = values[where]
    weight = model.layers if where == "tensor" else layer.weight
    x = torch.randn(5, 3)
    report = explain(model, lambda: model.head(model.backbone(x) @ weight).sum())
    assert report.problems == ((paths[where], *STRAY, "", 16, "tensor"),)


@pytest.mark.parametrize("trains", [True, False])
def test_a_second_network_has_an_optimizer_of_its_own(*, trains: bool) -> None:
    """A critic that its own optimizer trains is no problem of the actor's report."""
    actor, critic = Two(), nn.Linear(2, 1)
    optimizer = torch.optim.Adam(actor.parameters())
    other = torch.optim.Adam(critic.parameters()) if trains else None
    report = explain(actor, lambda: critic(actor(torch.randn(5, 3))).sum(), optimizer)
    found = {row.verdict for row in report.problems}
    assert found == (set() if other else {"unregistered"})
