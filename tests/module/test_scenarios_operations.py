"""Networks in which one operation cuts the graph, and the line of it."""

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from .scenarios import BACKBONE, Made, Scenario, Scenarios, Two, check, two

scenario = Scenarios()


@scenario({BACKBONE: ("cut", "detach()")})
def detach() -> Made:
    return two(
        lambda x: x.detach()  # here
    )


@scenario({BACKBONE: ("cut", "detach_()")})
def detach_in_place() -> Made:
    return two(
        lambda x: x.detach_()  # here
    )


@scenario({BACKBONE: ("cut", ".data")})
def data() -> Made:
    return two(
        lambda x: x.data  # here
    )


@scenario({BACKBONE: ("cut", "detach()")})
def detach_then_clone() -> Made:
    return two(
        lambda x: x.relu().detach().clone().requires_grad_()  # here
    )


@scenario({BACKBONE: ("cut", "torch.tensor()")})
def torch_tensor_of_a_tensor() -> Made:
    return two(
        lambda x: torch.tensor(x)  # here
    )


@scenario({BACKBONE: ("cut", "torch.tensor()")})
def torch_tensor_of_rows() -> Made:
    def rebuild(x: Tensor) -> Tensor:
        means = [row.mean() for row in x]
        return torch.tensor(means)[:, None] + torch.zeros(4)  # here

    return two(rebuild)


@scenario({BACKBONE: ("cut", "new_tensor()")})
def new_tensor() -> Made:
    return two(
        lambda x: torch.zeros(1).new_tensor(x)  # here
    )


@scenario({BACKBONE: ("cut", "detach()")})
def numpy_shortcut_that_comes_back() -> Made:
    def back(x: Tensor) -> Tensor:
        kept = x.detach()  # here
        return kept * 2

    return two(back)


@scenario({BACKBONE: ("cut", "nn.Parameter()")})
def wrapped_in_a_parameter() -> Made:
    return two(
        lambda x: nn.Parameter(x) * 2  # here
    )


@scenario({BACKBONE: ("cut", "detach()")})
def in_place_on_a_detached_alias() -> Made:
    model = Two()
    model.scale = nn.Linear(4, 4)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        kept = features.detach()  # here
        return model.head(model.scale(kept)).sum()

    return model, loss


@scenario({"scale": ("cut", ".data")})
def in_place_through_data() -> Made:
    model = Two()
    model.scale = nn.Parameter(torch.ones(4))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x) * 1
        features.data.mul_(model.scale)  # here
        return model.head(features).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "detach()")})
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


@scenario({BACKBONE: ("cut", "detach()")})
def detached_inside_a_list() -> Made:
    return two(
        lambda x: torch.stack([row.detach() for row in x])  # here
    )


@scenario({"backbone.weight": ("cut", "detach()")})
def detached_weight() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        weight = model.backbone.weight.detach()  # here
        return model.head(F.linear(x, weight, model.backbone.bias)).sum()

    return model, loss


@scenario({"backbone.weight": ("cut", ".data")})
def weight_data() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        return model.head(
            F.linear(x, model.backbone.weight.data, model.backbone.bias)  # here
        ).sum()

    return model, loss


@scenario({BACKBONE: ("cut", ".data")})
def deepcopy_in_the_forward() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        layer = copy.deepcopy(model.backbone)  # here
        return model.head(layer(x)).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "detach()")})
def target_and_prediction_swapped() -> Made:
    """The stop-gradient of SimSiam on the wrong side."""
    model = nn.ModuleDict({"backbone": nn.Linear(3, 4), "head": nn.Linear(4, 4)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        target = model["backbone"](x).detach()  # here
        return F.mse_loss(model["head"](target), target)

    return model, loss


@scenario({"log_std": ("cut", "detach()")})
def detached_noise_scale() -> Made:
    model = Two()
    model.log_std = nn.Parameter(torch.zeros(4))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        noise = torch.randn(5, 4) * model.log_std.exp().detach()  # here
        return model.head(model.backbone(x) + noise).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "grad() is not differentiable")})
def gradient_penalty_without_create_graph() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        points = x.clone().requires_grad_()
        score = model.backbone(points).square().sum()
        (slope,) = torch.autograd.grad(score, points)  # here
        return model.head(torch.cat([slope, slope[:, :1]], 1)).sum()

    return model, loss


@scenario({})
def logging_a_loss() -> Made:
    model = Two()
    x = torch.randn(5, 3)
    log = []

    def loss() -> Tensor:
        value = model(x).square().sum()
        log.append(value.item())
        log.append(float(model.backbone.weight.norm()))
        return value

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
