"""Networks of many kinds, mostly sound: nothing may be found where nothing is."""

import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from .scenarios import (
    BACKBONE,
    NEVER,
    STRAY,
    Made,
    Scenario,
    Scenarios,
    Two,
    check,
)

scenario = Scenarios()


@scenario({})
def tied_weights() -> Made:
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7, bias=False))
    model[1].weight = model[0].weight
    tokens = torch.tensor([0, 1, 2])
    return model, lambda: F.cross_entropy(model(tokens), tokens)


@scenario({})
def residual_in_place() -> Made:
    model = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Conv1d(4, 1, 3)
    )
    x = torch.randn(2, 2, 9)
    return model, lambda: model(x).sum()


@scenario({})
def recurrent() -> Made:
    model = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    x = torch.randn(6, 2, 3)
    return model, lambda: model(x)[0].sum()


@scenario({})
def gru_of_one_step() -> Made:
    model = nn.GRU(3, 4)
    x = torch.randn(1, 2, 3)
    return model, lambda: model(x)[0].sum()


@scenario({})
def transformer() -> Made:
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    x = torch.randn(2, 4, 8)
    return model, lambda: model(x, x).sum()


@scenario({"decoder.*": NEVER})
def encoder_without_decoder() -> Made:
    """Completes the causes."""
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    x = torch.randn(2, 4, 8)
    return model, lambda: model.encoder(x).sum()


@scenario({})
def parametrized() -> Made:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario({})
def complex_parameters() -> Made:
    model = nn.Linear(3, 2, dtype=torch.complex64)
    x = torch.randn(5, 3, dtype=torch.complex64)
    return model, lambda: model(x).abs().sum()


@scenario({BACKBONE: ("cut", "detach()")})
def functional_call() -> Made:
    """Completes the causes."""
    model = Two(
        lambda x: x.detach()  # here
    )
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        parameters = dict(model.named_parameters())
        return torch.func.functional_call(model, parameters, (x,)).sum()

    return model, loss


@scenario({"tensor *": STRAY, "*": ("unknown", "torch.func")})
def inside_vmap_and_dropped() -> Made:
    """Completes the causes."""
    model = nn.Linear(3, 2)
    x = torch.randn(5, 3)
    other = torch.ones(1, requires_grad=True)

    def loss() -> Tensor:
        torch.vmap(lambda row: F.linear(row, model.weight, model.bias))(x)  # here
        return other * 2

    return model, loss


@scenario({})
def inside_vmap() -> Made:
    model = Two()
    x = torch.randn(5, 3)
    return model, lambda: torch.vmap(model)(x).sum()


@scenario({"b.*": NEVER})
def loss_in_a_dict() -> Made:
    """Completes the causes."""
    model = nn.ModuleDict({"a": nn.Linear(3, 1), "b": nn.Linear(3, 1)})
    x = torch.randn(5, 3)

    def loss() -> dict[str, object]:
        return {"main": model["a"](x).sum(), "parts": [model["a"](x)]}

    return model, loss


@scenario({})
def meta_device() -> Made:
    model = nn.Linear(3, 2, device="meta")
    x = torch.randn(5, 3, device="meta")
    return model, lambda: model(x).sum()


@scenario({})
def two_devices() -> Made:
    model = Two()
    model.head.to("meta")
    x, features = torch.randn(5, 3), torch.randn(5, 4, device="meta")
    return model, lambda: (model.backbone(x).sum(), model.head(features).sum())


@scenario({"backbone.*": ("cut", "detach()")})
def cut_between_two_devices() -> Made:
    """Completes the causes."""
    model = Two()
    model.head.to("meta")
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x).detach()  # here
        return model.head(features.to("meta")).sum()

    return model, loss


@scenario(
    {"classes.*": NEVER, "norm.*": NEVER},
    "https://github.com/layumi/Person_reID_baseline_pytorch/issues/90",
)
def pretrained_head_left_in_place() -> Made:
    model = Two()
    model.classes = nn.Linear(4, 4)
    model.norm = nn.LayerNorm(4)
    x = torch.randn(5, 3)
    return model, lambda: model(x).square().mean()


@scenario.parametrize()
def test_architecture(scenario: Scenario) -> None:
    """The verdict, its cause and its line are right."""
    check(scenario)
