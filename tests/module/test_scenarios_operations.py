"""Networks in which one operation cuts the graph, and the line of it."""

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from .scenarios import (
    BACKBONE,
    STRAY,
    Made,
    Scenario,
    Scenarios,
    Two,
    check,
    two,
)

scenario = Scenarios()


@scenario(
    {BACKBONE: ("cut", "detach()")},
    "https://github.com/speechbrain/speechbrain/issues/1396",
)
def detach() -> Made:
    return two(
        lambda x: x.detach()  # here
    )


@scenario({BACKBONE: ("cut", "detach_()")})
def detach_in_place() -> Made:
    """Completes the causes."""
    return two(
        lambda x: x.detach_()  # here
    )


@scenario(
    {BACKBONE: ("cut", ".data")}, "https://github.com/huggingface/torchMoji/issues/21"
)
def data() -> Made:
    return two(
        lambda x: x.data  # here
    )


@scenario(
    {BACKBONE: ("cut", "detach()")},
    "https://github.com/lucidrains/CoCa-pytorch/issues/6",
)
def detach_then_clone() -> Made:
    return two(
        lambda x: x.relu().detach().clone().requires_grad_()  # here
    )


@scenario(
    {BACKBONE: ("cut", "torch.tensor()")}, "https://github.com/kc-ml2/meent/pull/107"
)
def torch_tensor_of_a_tensor() -> Made:
    return two(
        lambda x: torch.tensor(x)  # here
    )


@scenario(
    {BACKBONE: ("cut", "torch.tensor()")}, "https://github.com/laekov/fastmoe/issues/49"
)
def torch_tensor_of_rows() -> Made:
    def rebuild(x: Tensor) -> Tensor:
        means = [row.mean() for row in x]
        return torch.tensor(means)[:, None] + torch.zeros(4)  # here

    return two(rebuild)


@scenario(
    {BACKBONE: ("cut", "new_tensor()")},
    "https://github.com/IntelLabs/distiller/issues/234",
)
def new_tensor() -> Made:
    return two(
        lambda x: torch.zeros(1).new_tensor(x)  # here
    )


@scenario({BACKBONE: ("cut", "nn.Parameter()"), "tensor *": STRAY})
def wrapped_in_a_parameter() -> Made:
    """Completes the causes."""
    return two(
        lambda x: nn.Parameter(x) * 2  # here
    )


@scenario({"scale": ("cut", "detach()")})
def in_place_on_a_detached_alias() -> Made:
    """Completes the causes."""
    model = Two()
    model.scale = nn.Parameter(torch.ones(4))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        features.detach().mul_(model.scale)  # here
        return model.head(features).sum()

    return model, loss


@scenario({"scale": ("cut", ".data")}, "https://github.com/pyro-ppl/pyro/pull/274")
def in_place_through_data() -> Made:
    model = Two()
    model.scale = nn.Parameter(torch.ones(4))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x) * 1
        features.data.mul_(model.scale)  # here
        return model.head(features).sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "detach()")}, "https://github.com/yhs968/pyGRU4REC/issues/8"
)
def detached_in_a_loop() -> Made:
    """Truncated backpropagation through time with one step too few."""
    model = nn.ModuleDict({"backbone": nn.Linear(3, 4), "cell": nn.Linear(4, 4)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        state = model["backbone"](x)
        for _ in range(3):
            state = state.detach()  # here
            state = model["cell"](state).tanh()
        return state.sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "detach()")}, "https://github.com/jantic/DeOldify/issues/116"
)
def hook_that_keeps_detached_features() -> Made:
    model = Two()
    kept = []
    model.backbone.register_forward_hook(
        lambda *call: kept.append(call[2].detach())  # here
    )
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        model.backbone(x)
        return model.head(kept.pop()).sum()

    return model, loss


@scenario(
    {BACKBONE: ("unused", "its result left PyTorch by float()")},
    "https://github.com/pytorch/pytorch/issues/61410",
)
def float_tensor_of_rows() -> Made:
    def rebuild(x: Tensor) -> Tensor:
        means = [row.mean() for row in x]
        return torch.FloatTensor(means)[:, None] + torch.zeros(4)  # here

    return two(rebuild)


@scenario({"backbone.weight": ("cut", "detach()")})
def detached_weight() -> Made:
    """Completes the causes."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        weight = model.backbone.weight.detach()  # here
        return model.head(F.linear(x, weight, model.backbone.bias)).sum()

    return model, loss


@scenario(
    {"backbone.weight": ("cut", ".data")}, "https://github.com/d2l-ai/d2l-en/pull/2600"
)
def weight_data() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        return model.head(
            F.linear(x, model.backbone.weight.data, model.backbone.bias)  # here
        ).sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", ".data"), "tensor *": STRAY},
    "https://github.com/facebookresearch/higher/issues/58",
)
def deepcopy_in_the_forward() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        layer = copy.deepcopy(model.backbone)  # here
        return model.head(layer(x)).sum()

    return model, loss


@scenario({})
def noise_like_the_features() -> Made:
    return two(lambda x: x + torch.randn_like(x) * torch.zeros_like(x))


@scenario({})
def same_dtype() -> Made:
    return two(lambda x: x.to(torch.float32).contiguous().type_as(x))


@pytest.mark.filterwarnings("ignore:To copy construct", "ignore:Converting a tensor")
@scenario.parametrize()
def test_operation(scenario: Scenario) -> None:
    """The verdict, its cause and its line are right."""
    check(scenario)
