"""Networks in which an operation has no derivative, and the line of it."""

import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor

from .scenarios import BACKBONE, Made, Scenario, Scenarios, Two, check, two

scenario = Scenarios()


@scenario(
    {BACKBONE: ("cut", "argmax() is not differentiable")},
    "https://github.com/LZGMatrix/BOP19_CDPN_2019ICCV/issues/4",
)
def argmax() -> Made:
    return two(
        lambda x: F.one_hot(x.argmax(-1), 4).float()  # here
    )


@scenario(
    {BACKBONE: ("cut", "topk() is not differentiable")},
    "https://github.com/TxpHome/DFPIR/issues/10",
)
def topk_indices() -> Made:
    return two(
        lambda x: F.one_hot(x.topk(1).indices[:, 0], 4).float()  # here
    )


@scenario(
    {BACKBONE: ("cut", "argsort() is not differentiable")},
    "https://github.com/teddykoker/torchsort/issues/81",
)
def argsort() -> Made:
    return two(
        lambda x: x.argsort(-1).float()  # here
    )


@scenario(
    {BACKBONE: ("cut", "gt() is not differentiable")},
    "https://github.com/cwmok/DIRAC/issues/13",
)
def threshold() -> Made:
    return two(
        lambda x: (x > 0).float()  # here
    )


@scenario(
    {BACKBONE: ("cut", "long() is not differentiable")},
    "https://github.com/pytorch/pytorch/issues/91431",
)
def cast_to_integers() -> Made:
    return two(
        lambda x: x.long().float()  # here
    )


@scenario(
    {BACKBONE: ("cut", "to() is not differentiable")},
    "https://github.com/Healthcare-Robotics/BodyPressure/issues/15",
)
def to_integers() -> Made:
    return two(
        lambda x: x.to(torch.int32).to(torch.float32)  # here
    )


@scenario(
    {BACKBONE: ("cut", "multinomial() is not differentiable")},
    "https://github.com/D-X-Y/AutoDL-Projects/issues/74",
)
def sampling() -> Made:
    return two(
        lambda x: F.one_hot(x.softmax(-1).multinomial(1)[:, 0], 4).float()  # here
    )


@scenario(
    {"*": ("cut", "eq() is not differentiable")},
    "https://github.com/AgentTorch/AgentTorch/issues/32",
)
def accuracy_as_loss() -> Made:
    model = Two()
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 0])

    def loss() -> Tensor:
        correct = model(x).round() == y[:, None]  # here
        return correct.float().mean()

    return model, loss


@scenario(
    {"*": ("cut", "argmax() is not differentiable")},
    "https://github.com/fundamentalvision/Uni-Perceiver/issues/2",
)
def argmax_accuracy_as_loss() -> Made:
    model = Two()
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 0])

    def loss() -> Tensor:
        guess = model(x).argmax(-1)  # here
        return (guess != y).float().mean()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "max() is not differentiable")},
    "https://github.com/pytorch/pytorch/issues/1339",
)
def index_of_max() -> Made:
    model = Two()
    table = torch.randn(4, 4)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        _, index = model.backbone(x).max(-1)  # here
        return model.head(table[index]).sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "searchsorted() is not differentiable")},
    "https://github.com/pytorch/pytorch/issues/41389",
)
def quantized_codes() -> Made:
    model = Two()
    codes = torch.linspace(-1, 1, 16)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        index = torch.searchsorted(codes, model.backbone(x))  # here
        return model.head(codes[index.clamp(max=15)]).sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "bucketize() is not differentiable")},
    "https://github.com/pytorch/pytorch/issues/45119",
)
def buckets() -> Made:
    bounds = torch.linspace(-1, 1, 4)
    return two(
        lambda x: torch.bucketize(x, bounds).float()  # here
    )


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
