"""Networks in which one operation cuts the graph, and the line of it."""

import copy

import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from . import BACKBONE, CAUSE, STRAY, TRAP, Built, Scenarios, Truth, Two

scenario = Scenarios()


def cut_by(operation: str, pattern: str = BACKBONE) -> Truth:
    return {pattern: ("cut", operation)}


@scenario.between(
    cut_by("detach()"), "https://github.com/speechbrain/speechbrain/issues/1396"
)
def detach(x: Tensor) -> Tensor:
    return x.detach()  # here


@scenario.between(cut_by("detach_()"), CAUSE)
def detach_in_place(x: Tensor) -> Tensor:
    return x.detach_()  # here


@scenario.between(cut_by(".data"), "https://github.com/huggingface/torchMoji/issues/21")
def data(x: Tensor) -> Tensor:
    return x.data  # here


@scenario.between(
    cut_by("detach()"), "https://github.com/lucidrains/CoCa-pytorch/issues/6"
)
def detach_then_clone(x: Tensor) -> Tensor:
    return x.relu().detach().clone().requires_grad_()  # here


@scenario.between(cut_by("torch.tensor()"), "https://github.com/kc-ml2/meent/pull/107")
def torch_tensor_of_a_tensor(x: Tensor) -> Tensor:
    return torch.tensor(x)  # here


@scenario.between(
    cut_by("torch.tensor()"), "https://github.com/laekov/fastmoe/issues/49"
)
def torch_tensor_of_rows(x: Tensor) -> Tensor:
    means = [row.mean() for row in x]
    return torch.tensor(means)[:, None] + torch.zeros(4)  # here


@scenario.between(
    {BACKBONE: ("unused", "its result left PyTorch by float()")},
    "https://github.com/pytorch/pytorch/issues/61410",
)
def float_tensor_of_rows(x: Tensor) -> Tensor:
    means = [row.mean() for row in x]
    return torch.FloatTensor(means)[:, None] + torch.zeros(4)  # here


@scenario.between(
    cut_by("new_tensor()"), "https://github.com/IntelLabs/distiller/issues/234"
)
def new_tensor(x: Tensor) -> Tensor:
    return torch.zeros(1).new_tensor(x)  # here


@scenario.between(cut_by("nn.Parameter()") | {"tensor *": STRAY}, CAUSE)
def wrapped_in_a_parameter(x: Tensor) -> Tensor:
    return nn.Parameter(x) * 2  # here


def with_scale() -> Two:
    return Two(scale=nn.Parameter(torch.ones(4)))


@scenario.loss(cut_by("detach()", "scale"), CAUSE, with_scale)
def in_place_on_a_detached_alias(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    features.detach().mul_(model.scale)  # here
    return model.head(features).sum()


@scenario.loss(
    cut_by(".data", "scale"), "https://github.com/pyro-ppl/pyro/pull/274", with_scale
)
def in_place_through_data(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x) * 1
    features.data.mul_(model.scale)  # here
    return model.head(features).sum()


@scenario.loss(
    cut_by("detach()"),
    "https://github.com/yhs968/pyGRU4REC/issues/8",
    lambda: nn.ModuleDict({"backbone": nn.Linear(3, 4), "cell": nn.Linear(4, 4)}),
)
def detached_in_a_loop(model: nn.ModuleDict, x: Tensor) -> Tensor:
    """Truncated backpropagation through time is truncated one step too early."""
    state = model["backbone"](x)
    for _ in range(3):
        state = state.detach()  # here
        state = model["cell"](state).tanh()
    return state.sum()


@scenario(cut_by("detach()"), "https://github.com/jantic/DeOldify/issues/116")
def hook_that_keeps_detached_features() -> Built:
    model, x, features = Two(), torch.randn(5, 3), []
    model.backbone.register_forward_hook(
        lambda *call: features.append(call[2].detach())  # here
    )
    return model, lambda: (model.backbone(x), model.head(features.pop()).sum())[1]


@scenario.loss(cut_by("detach()", "backbone.weight"), CAUSE)
def detached_weight(model: Two, x: Tensor) -> Tensor:
    weight = model.backbone.weight.detach()  # here
    return model.head(F.linear(x, weight, model.backbone.bias)).sum()


@scenario.loss(
    cut_by(".data", "backbone.weight"), "https://github.com/d2l-ai/d2l-en/pull/2600"
)
def weight_data(model: Two, x: Tensor) -> Tensor:
    weight = model.backbone.weight.data  # here
    return model.head(F.linear(x, weight, model.backbone.bias)).sum()


@scenario.loss(
    cut_by("copy.deepcopy() made other parameters"),
    "https://github.com/facebookresearch/higher/issues/58",
)
def deepcopy_in_the_forward(model: Two, x: Tensor) -> Tensor:
    layer = copy.deepcopy(model.backbone)  # here
    return model.head(layer(x)).sum()


@scenario.between({})
def noise_like_the_features(x: Tensor) -> Tensor:
    return x + torch.randn_like(x) * torch.zeros_like(x)


@scenario.between({})
def same_dtype(x: Tensor) -> Tensor:
    return x.to(torch.float32).contiguous().type_as(x)


@scenario.between(cut_by("argmax() is not differentiable"), TRAP)
def same_tensor_under_no_grad(x: Tensor) -> Tensor:
    """``to`` and ``contiguous`` return their own input where it fits already."""
    with torch.no_grad():
        x = x.to(torch.float32).contiguous()
    return x.argmax(-1)[:, None] * torch.ones(4)  # here


@scenario.loss(
    cut_by("argmax() is not differentiable", "weight") | {"bias": ("unused", "")},
    TRAP,
    lambda: nn.Linear(3, 4),
)
def parameter_of_the_same_dtype(model: nn.Linear, x: Tensor) -> Tensor:
    """A cast of a parameter to its own dtype returns that parameter."""
    weight = model.weight.to(torch.float32)
    best = F.linear(x, weight).argmax(-1)  # here
    return best * torch.ones(1, requires_grad=True)
