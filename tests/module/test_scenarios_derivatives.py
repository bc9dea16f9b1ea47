"""Networks in which an operation has no derivative, and the line of it."""

import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor

from .scenarios import BACKBONE, Made, Scenario, Scenarios, Two, check, two

scenario = Scenarios()


@scenario({BACKBONE: ("cut", "argmax() is not differentiable")})
def argmax() -> Made:
    return two(
        lambda x: F.one_hot(x.argmax(-1), 4).float()  # here
    )


@scenario({BACKBONE: ("cut", "topk() is not differentiable")})
def topk_indices() -> Made:
    return two(
        lambda x: F.one_hot(x.topk(1).indices[:, 0], 4).float()  # here
    )


@scenario({BACKBONE: ("cut", "argsort() is not differentiable")})
def argsort() -> Made:
    return two(
        lambda x: x.argsort(-1).float()  # here
    )


@scenario({BACKBONE: ("cut", "gt() is not differentiable")})
def threshold() -> Made:
    return two(
        lambda x: (x > 0).float()  # here
    )


@scenario({BACKBONE: ("cut", "long() is not differentiable")})
def cast_to_integers() -> Made:
    return two(
        lambda x: x.long().float()  # here
    )


@scenario({BACKBONE: ("cut", "to() is not differentiable")})
def to_integers() -> Made:
    return two(
        lambda x: x.to(torch.int32).to(torch.float32)  # here
    )


@scenario({BACKBONE: ("cut", "multinomial() is not differentiable")})
def sampling() -> Made:
    return two(
        lambda x: F.one_hot(x.softmax(-1).multinomial(1)[:, 0], 4).float()  # here
    )


@scenario({"*": ("cut", "eq() is not differentiable")})
def accuracy_as_loss() -> Made:
    model = Two()
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 0])

    def loss() -> Tensor:
        correct = model(x).round() == y[:, None]  # here
        return correct.float().mean()

    return model, loss


@scenario({"*": ("cut", "argmax() is not differentiable")})
def argmax_accuracy_as_loss() -> Made:
    model = Two()
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 0])

    def loss() -> Tensor:
        guess = model(x).argmax(-1)  # here
        return (guess != y).float().mean()

    return model, loss


@scenario({BACKBONE: ("cut", "max() is not differentiable")})
def index_of_max() -> Made:
    model = Two()
    table = torch.randn(4, 4)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        _, index = model.backbone(x).max(-1)  # here
        return model.head(table[index]).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "searchsorted() is not differentiable")})
def quantized_codes() -> Made:
    model = Two()
    codes = torch.linspace(-1, 1, 16)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        index = torch.searchsorted(codes, model.backbone(x))  # here
        return model.head(codes[index.clamp(max=15)]).sum()

    return model, loss


@scenario({})
def straight_through() -> Made:
    """The straight-through estimator detaches, and still trains."""
    return two(lambda x: x + (x.round() - x).detach())


@scenario({})
def indices_that_select() -> Made:
    return two(lambda x: x.gather(1, x.argsort(-1)))


@scenario.parametrize()
def test_derivative(scenario: Scenario) -> None:
    """The verdict, its cause and its line are right."""
    check(scenario)
