"""Networks with mistakes in how they are put together, and sound ones beside them."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from gradguide import explain

from .scenarios import BACKBONE, DROPPED, NEVER, Made, Scenario, Scenarios, Two, check

scenario = Scenarios()


@scenario({"spare.*": NEVER}, "https://github.com/inria-thoth/HySUPP/issues/3")
def layer_that_is_never_called() -> Made:
    model = Two()
    model.spare = nn.Linear(4, 4)
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario(
    {"auxiliary.*": DROPPED}, "https://github.com/openai/Video-Pre-Training/issues/53"
)
def head_whose_result_is_dropped() -> Made:
    model = Two()
    model.auxiliary = nn.Linear(4, 4)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        model.auxiliary(features)
        return model.head(features).sum()

    return model, loss


@scenario({"head.*": DROPPED}, "https://github.com/lucy66666/OKT/issues/1")
def loss_of_the_wrong_variable() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        logits = model.head(features)
        assert logits.shape == (5, 2)
        return features.square().mean()

    return model, loss


@scenario({"auxiliary.*": ("unused", "its result left PyTorch by item()")})
def auxiliary_loss_by_item() -> Made:
    """Completes the causes."""
    model = Two()
    model.auxiliary = nn.Linear(4, 1)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        extra = model.auxiliary(features).mean().item()  # here
        return model.head(features).sum() + 0.1 * extra

    return model, loss


@scenario(
    {BACKBONE: ("unused", "its result left PyTorch by numpy()")},
    "https://github.com/delira-dev/delira/issues/40",
)
def through_numpy() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x).detach()
        array = features.numpy() * 2  # here
        return model.head(torch.from_numpy(array)).sum()

    return model, loss


@scenario({BACKBONE: ("unused", "its result left PyTorch by tolist()")})
def through_a_list() -> Made:
    """Completes the causes."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        rows = model.backbone(x).tolist()  # here
        return model.head(torch.tensor(rows)).sum()

    return model, loss


@scenario(
    {"temperature": ("unused", "its result left PyTorch by float()")},
    "https://github.com/facebookresearch/NeuralCompression/pull/177",
)
def temperature_by_float() -> Made:
    model = Two()
    model.temperature = nn.Parameter(torch.tensor(2.0))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        temperature = float(model.temperature)  # here
        return (model(x) / temperature).sum()

    return model, loss


@scenario({"temperature": ("unused", "its result left PyTorch by float()")})
def temperature_by_math() -> Made:
    """Completes the causes."""
    model = Two()
    model.temperature = nn.Parameter(torch.tensor(2.0))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        return (model(x) * math.exp(model.temperature)).sum()  # here

    return model, loss


@scenario({"size.*": NEVER})
def only_its_shape_is_used() -> Made:
    """Completes the causes."""
    model = Two()
    model.size = nn.Linear(4, 4)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        width = model.size.weight.shape[0]
        noise = torch.zeros_like(model.size.bias)
        return model.head(model.backbone(x) + noise).sum() / width

    return model, loss


@scenario({"right.*": NEVER}, "https://github.com/pytorch/pytorch/issues/55582")
def branch_not_taken() -> Made:
    model = nn.ModuleDict({"left": nn.Linear(3, 1), "right": nn.Linear(3, 1)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        side = "left" if x.shape[0] == 5 else "right"
        return model[side](x).sum()

    return model, loss


@scenario(
    {"gate.*": ("cut", "topk() is not differentiable")},
    "https://github.com/LINs-lab/DynMoE/issues/6",
)
def hard_gate_of_experts() -> Made:
    model = nn.ModuleDict(
        {"gate": nn.Linear(3, 2), "experts": nn.ModuleList([nn.Linear(3, 1)] * 2)}
    )
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        choice = model["gate"](x).topk(1).indices[:, 0]  # here
        values = torch.stack([expert(x) for expert in model["experts"]], 1)
        index = choice[:, None, None]
        return values.gather(1, index).sum()

    return model, loss


@scenario(
    {"embed.*": ("cut", "argmax() is not differentiable")},
    "https://github.com/liamb315/CharacterGAN/issues/4",
)
def greedy_decoding_in_training() -> Made:
    model = nn.ModuleDict({"embed": nn.Embedding(6, 4), "table": nn.Embedding(6, 4)})
    tokens = torch.tensor([0, 1, 2])

    def loss() -> Tensor:
        scores = model["embed"](tokens)
        return model["table"](scores.argmax(-1)).sum()  # here

    return model, loss


@scenario(
    {BACKBONE: ("cut", "detach()"), "head.*": ("cut", "detach()")},
    "https://github.com/alexhernandezgarcia/gflownet/pull/251",
)
def log_probabilities_of_detached_outputs() -> Made:
    model = Two()
    model.flow = nn.Parameter(torch.zeros(()))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        outputs = model(x)
        logits = outputs.clone().detach()  # here
        paths = logits.log_softmax(-1)[:, 0].sum()
        return (model.flow + paths).square()

    return model, loss


@scenario(
    {"generator.*": ("cut", "detach()")},
    "https://github.com/pytorch/examples/issues/116",
)
def discriminator_step() -> Made:
    """As it should be: the generator must not move in this step."""
    model = nn.ModuleDict(
        {"generator": nn.Linear(3, 4), "discriminator": nn.Linear(4, 1)}
    )
    noise, real = torch.randn(5, 3), torch.randn(5, 4)

    def loss() -> Tensor:
        fake = model["generator"](noise).detach()  # here
        scores = model["discriminator"](torch.cat([fake, real]))
        return F.softplus(scores).mean()

    return model, loss


@scenario({"cells.0.*": NEVER}, "https://github.com/dhgrs/pytorch-UniWaveNet/issues/5")
def off_by_one_in_a_loop() -> Made:
    model = nn.ModuleDict({"cells": nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        y = x
        for cell in model["cells"][1:]:
            y = cell(y)
        return y.sum()

    return model, loss


@pytest.mark.filterwarnings("ignore:Converting a tensor")
@scenario.parametrize()
def test_model(scenario: Scenario) -> None:
    """The verdict, its cause and its line are right."""
    check(scenario)


def test_two_cuts_on_two_ways() -> None:
    """Where several ways lead to the loss, the first one that data takes is named."""
    model = nn.ModuleDict({"encoder": nn.Linear(3, 4), "codebook": nn.Embedding(8, 4)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        z = model["encoder"](x)
        near = torch.cdist(z, model["codebook"].weight).argmin(-1)
        code = model["codebook"](near)
        return (z + (code - z).detach()).square().sum()

    rows = {row.name: row for row in explain(model, loss)}
    assert rows["codebook.weight"].verdict == "cut"
    assert rows["codebook.weight"].why in {"argmin() is not differentiable", "detach()"}
