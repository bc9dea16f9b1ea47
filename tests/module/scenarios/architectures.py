"""Networks of many kinds, most of them sound, in which nothing else may be reported."""

import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from . import BACKBONE, CAUSE, NEVER, STRAY, Scenarios, Two

scenario = Scenarios()


@scenario.loss({}, make=lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True))
def recurrent(model: nn.LSTM, x: Tensor) -> Tensor:
    return model(x)[0].sum()


@scenario.loss({}, make=lambda: nn.GRU(3, 4))
def gru_of_one_step(model: nn.GRU, x: Tensor) -> Tensor:
    return model(x[:1])[0].sum()


@scenario.loss(
    {"decoder.*": NEVER},
    CAUSE,
    lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
)
def encoder_without_decoder(model: nn.Transformer, _: Tensor) -> Tensor:
    return model.encoder(torch.randn(2, 4, 8)).sum()


@scenario.loss({}, make=lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
def parametrized(model: nn.Module, x: Tensor) -> Tensor:
    return model(x).sum()


@scenario.loss({}, make=lambda: nn.Linear(3, 2, dtype=torch.complex64))
def complex_parameters(model: nn.Linear, x: Tensor) -> Tensor:
    return model(x.to(torch.complex64)).abs().sum()


@scenario.loss({BACKBONE: ("cut", "detach()")}, CAUSE)
def functional_call(model: Two, x: Tensor) -> Tensor:
    model.between = lambda y: y.detach()  # here
    parameters = dict(model.named_parameters())
    return torch.func.functional_call(model, parameters, (x,)).sum()


@scenario.loss(
    {"tensor *": STRAY, "*": ("unknown", "torch.func")}, CAUSE, lambda: nn.Linear(3, 2)
)
def inside_vmap_and_dropped(model: nn.Linear, x: Tensor) -> Tensor:
    torch.vmap(lambda row: F.linear(row, model.weight, model.bias))(x)  # here
    return nn.Parameter(torch.ones(1)) * 2


@scenario.loss({})
def inside_vmap(model: Two, x: Tensor) -> Tensor:
    return torch.vmap(model)(x).sum()


@scenario.loss(
    {"b.*": NEVER},
    CAUSE,
    lambda: nn.ModuleDict({"a": nn.Linear(3, 1), "b": nn.Linear(3, 1)}),
)
def loss_in_a_dict(model: nn.ModuleDict, x: Tensor) -> dict[str, object]:
    return {"main": model["a"](x).sum(), "parts": [model["a"](x)]}


@scenario.loss({}, make=lambda: nn.Linear(3, 2, device="meta"))
def meta_device(model: nn.Linear, x: Tensor) -> Tensor:
    return model(x.to("meta")).sum()


def two_on_two_devices() -> Two:
    model = Two()
    model.head.to("meta")
    return model


@scenario.loss({}, make=two_on_two_devices)
def two_devices(model: Two, x: Tensor) -> tuple[Tensor, Tensor]:
    return model.backbone(x).sum(), model.head(torch.ones(5, 4, device="meta")).sum()


@scenario.loss({BACKBONE: ("cut", "detach()")}, CAUSE, two_on_two_devices)
def cut_between_two_devices(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x).detach()  # here
    return model.head(features.to("meta")).sum()


@scenario.loss(
    {"classes.*": NEVER, "norm.*": NEVER},
    "https://github.com/layumi/Person_reID_baseline_pytorch/issues/90",
    lambda: Two(classes=nn.Linear(4, 4), norm=nn.LayerNorm(4)),
)
def pretrained_head_left_in_place(model: Two, x: Tensor) -> Tensor:
    return model(x).square().mean()
