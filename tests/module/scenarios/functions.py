"""Networks with custom functions and checkpoints, which hide what runs inside."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from . import BACKBONE, CAUSE, Scenarios, Two

scenario = Scenarios()
NO_INPUT = "custom autograd.Function, of which it is no input"


class Double(torch.autograd.Function):
    """A custom function, inside of which no operation is recorded."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return x.detach() * 2

    @staticmethod
    def backward(_: Any, grad: Tensor) -> Tensor:
        return grad * 2


@scenario.between({})
def custom_function(x: Tensor) -> Tensor:
    return Double.apply(x)


@scenario.between({BACKBONE: ("cut", "detach()")}, CAUSE)
def custom_function_then_detach(x: Tensor) -> Tensor:
    return Double.apply(x).detach()  # here


class NewStyle(torch.autograd.Function):
    """A custom function whose forward gets no context."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.exp() * 2

    @staticmethod
    def setup_context(ctx: Any, inputs: object, output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * ctx.saved_tensors[0]


@scenario.between({BACKBONE: ("cut", "argmax() is not differentiable")}, CAUSE)
def custom_function_of_the_new_style(x: Tensor) -> Tensor:
    return NewStyle.apply(x).argmax(-1)[:, None] + torch.zeros(4)  # here


@scenario.loss(
    {"scale": ("unknown", NO_INPUT)},
    CAUSE,
    lambda: Two(scale=nn.Parameter(torch.ones(4))),
)
def custom_function_that_reads_around_its_inputs(model: Two, x: Tensor) -> Tensor:
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, x: Tensor) -> Tensor:
            return x * model.scale  # here

        @staticmethod
        def backward(_: Any, grad: Tensor) -> Tensor:
            return grad

    return model.head(Scale.apply(model.backbone(x))).sum()


@scenario.between(
    {BACKBONE: ("cut", NO_INPUT)},
    "https://github.com/pytorch/pytorch/issues/103155",
)
def custom_function_that_gets_a_list(x: Tensor) -> Tensor:
    """PyTorch looks for tensors among its arguments, but not in a list."""

    class Stack(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, rows: list[Tensor]) -> Tensor:
            return torch.stack(rows)  # here

        @staticmethod
        def backward(_: Any, grad: Tensor) -> None: ...

    return Stack.apply(list(x))


@scenario.loss(
    {BACKBONE: ("cut", "reentrant checkpoint")},
    "https://github.com/pytorch/pytorch/issues/7617",
)
def reentrant_checkpoint_of_the_first_layer(model: Two, x: Tensor) -> Tensor:
    features = checkpoint(model.backbone, x, use_reentrant=True)  # here
    return model.head(features).sum()


def frozen_with_adapter() -> Two:
    model = Two(adapter=nn.Linear(4, 4))
    model.backbone.requires_grad_(False)
    return model


@scenario.loss(
    {BACKBONE: ("frozen", ""), "adapter.*": ("cut", "reentrant checkpoint")},
    "https://github.com/locuslab/open-unlearning/issues/178",
    frozen_with_adapter,
)
def reentrant_checkpoint_of_an_adapter(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    features = checkpoint(model.adapter, features, use_reentrant=True)  # here
    return model.head(features).sum()


@scenario.loss({"head.*": ("unknown", "reentrant checkpoint")}, CAUSE)
def reentrant_checkpoint_of_the_last_layer(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    return checkpoint(model.head, features, use_reentrant=True).sum()  # here


@scenario.loss(
    {"last.*": ("unused", ""), "*": ("cut", "detach()")},
    CAUSE,
    lambda: Two(last=nn.Linear(2, 1)),
)
def reentrant_checkpoint_then_detach(model: Two, x: Tensor) -> Tensor:
    y = checkpoint(model.head, model.backbone(x), use_reentrant=True)
    return y.detach().sum()  # here


@scenario.loss({})
def checkpoint_without_reentry(model: Two, x: Tensor) -> Tensor:
    return checkpoint(model, x, use_reentrant=False).sum()


@scenario.loss({BACKBONE: ("cut", "detach()")}, CAUSE)
def detach_inside_a_checkpoint(model: Two, x: Tensor) -> Tensor:
    model.between = lambda y: y.detach()  # here
    return checkpoint(model, x, use_reentrant=False).sum()
