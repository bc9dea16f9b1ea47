"""Networks in which an operation has no derivative, and the line of it."""

import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor

from . import BACKBONE, Scenarios, Truth, Two

scenario = Scenarios()


def no_derivative(operation: str, pattern: str = BACKBONE) -> Truth:
    return {pattern: ("cut", f"{operation}() is not differentiable")}


@scenario.between(
    no_derivative("argmax"), "https://github.com/LZGMatrix/BOP19_CDPN_2019ICCV/issues/4"
)
def argmax(x: Tensor) -> Tensor:
    return F.one_hot(x.argmax(-1), 4).float()  # here


@scenario.between(no_derivative("topk"), "https://github.com/TxpHome/DFPIR/issues/10")
def topk_indices(x: Tensor) -> Tensor:
    return F.one_hot(x.topk(1).indices[:, 0], 4).float()  # here


@scenario.between(
    no_derivative("argsort"), "https://github.com/teddykoker/torchsort/issues/81"
)
def argsort(x: Tensor) -> Tensor:
    return x.argsort(-1).float()  # here


@scenario.between(no_derivative("gt"), "https://github.com/cwmok/DIRAC/issues/13")
def threshold(x: Tensor) -> Tensor:
    return (x > 0).float()  # here


@scenario.between(
    no_derivative("long"), "https://github.com/pytorch/pytorch/issues/91431"
)
def cast_to_integers(x: Tensor) -> Tensor:
    return x.long().float()  # here


@scenario.between(
    no_derivative("to"),
    "https://github.com/Healthcare-Robotics/BodyPressure/issues/15",
)
def to_integers(x: Tensor) -> Tensor:
    return x.to(torch.int32).to(torch.float32)  # here


@scenario.between(
    no_derivative("multinomial"),
    "https://github.com/D-X-Y/AutoDL-Projects/issues/74",
)
def sampling(x: Tensor) -> Tensor:
    return F.one_hot(x.softmax(-1).multinomial(1)[:, 0], 4).float()  # here


@scenario.loss(
    no_derivative("eq", "*"), "https://github.com/AgentTorch/AgentTorch/issues/32"
)
def accuracy_as_loss(model: Two, x: Tensor) -> Tensor:
    correct = model(x).round() == torch.ones(5, 1)  # here
    return correct.float().mean()


@scenario.loss(
    no_derivative("argmax", "*"),
    "https://github.com/fundamentalvision/Uni-Perceiver/issues/2",
)
def argmax_accuracy_as_loss(model: Two, x: Tensor) -> Tensor:
    guess = model(x).argmax(-1)  # here
    return (guess != torch.tensor([0, 1, 0, 1, 0])).float().mean()


@scenario.loss(no_derivative("max"), "https://github.com/pytorch/pytorch/issues/1339")
def index_of_max(model: Two, x: Tensor) -> Tensor:
    _, index = model.backbone(x).max(-1)  # here
    return model.head(torch.eye(4)[index]).sum()


@scenario.loss(
    no_derivative("searchsorted"), "https://github.com/pytorch/pytorch/issues/41389"
)
def quantized_codes(model: Two, x: Tensor) -> Tensor:
    codes = torch.linspace(-1, 1, 16)
    index = torch.searchsorted(codes, model.backbone(x))  # here
    return model.head(codes[index.clamp(max=15)]).sum()


@scenario.between(
    no_derivative("bucketize"), "https://github.com/pytorch/pytorch/issues/45119"
)
def buckets(x: Tensor) -> Tensor:
    return torch.bucketize(x, torch.linspace(-1, 1, 4)).float()  # here


@scenario.between({})
def straight_through(x: Tensor) -> Tensor:
    """The straight-through estimator detaches, and still trains."""
    return x + (x.round() - x).detach()


@scenario.between({})
def indices_that_select(x: Tensor) -> Tensor:
    return x.gather(1, x.argsort(-1))
