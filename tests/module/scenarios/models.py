"""Networks with mistakes in how they are put together, and sound ones beside them."""

import math

import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from . import BACKBONE, CAUSE, DROPPED, NEVER, Scenarios, Two

scenario = Scenarios()


@scenario.loss(
    {"spare.*": NEVER},
    "https://github.com/inria-thoth/HySUPP/issues/3",
    lambda: Two(spare=nn.Linear(4, 4)),
)
def layer_that_is_never_called(model: Two, x: Tensor) -> Tensor:
    return model(x).sum()


@scenario.loss(
    {"auxiliary.*": DROPPED},
    "https://github.com/openai/Video-Pre-Training/issues/53",
    lambda: Two(auxiliary=nn.Linear(4, 4)),
)
def head_whose_result_is_dropped(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    model.auxiliary(features)
    return model.head(features).sum()


@scenario.loss({"head.*": DROPPED}, "https://github.com/lucy66666/OKT/issues/1")
def loss_of_the_wrong_variable(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    logits = model.head(features)
    assert logits.shape == (5, 2)
    return features.square().mean()


def left_by(exit_: str) -> tuple[str, str]:
    return "unused", f"its result left PyTorch by {exit_}"


@scenario.loss(
    {"auxiliary.*": left_by("item()")}, CAUSE, lambda: Two(auxiliary=nn.Linear(4, 1))
)
def auxiliary_loss_by_item(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    extra = model.auxiliary(features).mean().item()  # here
    return model.head(features).sum() + 0.1 * extra


@scenario.loss(
    {BACKBONE: left_by("numpy()")}, "https://github.com/delira-dev/delira/issues/40"
)
def through_numpy(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x).detach()
    array = features.numpy() * 2  # here
    return model.head(torch.from_numpy(array)).sum()


@scenario.loss({BACKBONE: left_by("tolist()")}, CAUSE)
def through_a_list(model: Two, x: Tensor) -> Tensor:
    rows = model.backbone(x).tolist()  # here
    return model.head(torch.tensor(rows)).sum()


def with_temperature() -> Two:
    return Two(temperature=nn.Parameter(torch.tensor(2.0)))


@scenario.loss(
    {"temperature": left_by("float()")},
    "https://github.com/facebookresearch/NeuralCompression/pull/177",
    with_temperature,
)
def temperature_by_float(model: Two, x: Tensor) -> Tensor:
    temperature = float(model.temperature)  # here
    return (model(x) / temperature).sum()


@scenario.loss({"temperature": left_by("float()")}, CAUSE, with_temperature)
def temperature_by_math(model: Two, x: Tensor) -> Tensor:
    return (model(x) * math.exp(model.temperature)).sum()  # here


@scenario.loss({"temperature": left_by("bool()")}, CAUSE, with_temperature)
def temperature_in_a_condition(model: Two, x: Tensor) -> Tensor:
    return model(x).sum() * (2 if model.temperature else 1)  # here


@scenario.loss({"size.*": NEVER}, CAUSE, lambda: Two(size=nn.Linear(4, 4)))
def only_its_shape_is_used(model: Two, x: Tensor) -> Tensor:
    width = model.size.weight.shape[0]
    noise = torch.zeros_like(model.size.bias)
    return model.head(model.backbone(x) + noise).sum() / width


@scenario.loss(
    {"right.*": NEVER},
    "https://github.com/pytorch/pytorch/issues/55582",
    lambda: nn.ModuleDict({"left": nn.Linear(3, 1), "right": nn.Linear(3, 1)}),
)
def branch_not_taken(model: nn.ModuleDict, x: Tensor) -> Tensor:
    side = "left" if x.shape[0] == 5 else "right"
    return model[side](x).sum()


@scenario.loss(
    {"gate.*": ("cut", "topk() is not differentiable")},
    "https://github.com/LINs-lab/DynMoE/issues/6",
    lambda: nn.ModuleDict(
        {"gate": nn.Linear(3, 2), "experts": nn.ModuleList([nn.Linear(3, 1)] * 2)}
    ),
)
def hard_gate_of_experts(model: nn.ModuleDict, x: Tensor) -> Tensor:
    choice = model["gate"](x).topk(1).indices  # here
    values = torch.stack([expert(x) for expert in model["experts"]], 1)
    return values.gather(1, choice[:, None]).sum()


@scenario.loss(
    {"embed.*": ("cut", "argmax() is not differentiable")},
    "https://github.com/liamb315/CharacterGAN/issues/4",
    lambda: nn.ModuleDict({"embed": nn.Embedding(6, 4), "table": nn.Embedding(6, 4)}),
)
def greedy_decoding_in_training(model: nn.ModuleDict, x: Tensor) -> Tensor:
    scores = model["embed"](torch.tensor([0, 1, 2]))
    return model["table"](scores.argmax(-1)).sum()  # here


@scenario.loss(
    {BACKBONE: ("cut", "detach()"), "head.*": ("cut", "detach()")},
    "https://github.com/alexhernandezgarcia/gflownet/pull/251",
    lambda: Two(flow=nn.Parameter(torch.zeros(()))),
)
def log_probabilities_of_detached_outputs(model: Two, x: Tensor) -> Tensor:
    logits = model(x).clone().detach()  # here
    paths = logits.log_softmax(-1)[:, 0].sum()
    return (model.flow + paths).square()


@scenario.loss(
    {BACKBONE: ("cut", "detach()")}, "https://github.com/pytorch/examples/issues/116"
)
def discriminator_step(model: Two, x: Tensor) -> Tensor:
    """This is as it should be: this step must not train the generator, the backbone."""
    fake = model.backbone(x).detach()  # here
    scores = model.head(torch.cat([fake, torch.ones(5, 4)]))
    return F.softplus(scores).mean()


@scenario.loss(
    {"0.*": NEVER},
    "https://github.com/dhgrs/pytorch-UniWaveNet/issues/5",
    lambda: nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)]),
)
def off_by_one_in_a_loop(cells: nn.ModuleList, x: Tensor) -> Tensor:
    for cell in cells[1:]:
        x = cell(x)
    return x.sum()
