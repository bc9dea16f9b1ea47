"""Networks with custom functions and checkpoints, which run code out of sight."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .scenarios import BACKBONE, Made, Scenario, Scenarios, Two, check, two

scenario = Scenarios()


class Double(torch.autograd.Function):
    """A custom function, inside of which no operation is recorded."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        del ctx
        return x.detach() * 2

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        del ctx
        return grad * 2


@scenario({})
def custom_function() -> Made:
    return two(Double.apply)


@scenario({BACKBONE: ("cut", "detach()")})
def custom_function_then_detach() -> Made:
    """Completes the causes."""
    return two(
        lambda x: Double.apply(x).detach()  # here
    )


class NewStyle(torch.autograd.Function):
    """A custom function whose forward gets no context."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.exp() * 2

    @staticmethod
    def setup_context(ctx: object, inputs: object, output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        return grad * ctx.saved_tensors[0]


@scenario({BACKBONE: ("cut", "argmax()")})
def custom_function_of_the_new_style() -> Made:
    """Completes the causes."""
    return two(
        lambda x: NewStyle.apply(x).argmax(-1)[:, None] + torch.zeros(4)  # here
    )


@scenario({"scale": ("unknown", "custom autograd.Function")})
def custom_function_that_reads_around_its_inputs() -> Made:
    """Completes the causes."""
    model = Two()
    model.scale = nn.Parameter(torch.ones(4))

    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
            del ctx
            return x * model.scale  # here

        @staticmethod
        def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
            del ctx
            return grad

    model.between = Scale.apply
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario(
    {BACKBONE: ("cut", "reentrant checkpoint")},
    "https://github.com/pytorch/pytorch/issues/7617",
)
def reentrant_checkpoint_of_the_first_layer() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = checkpoint(model.backbone, x, use_reentrant=True)  # here
        return model.head(features).sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "custom autograd.Function")},
    "https://github.com/pytorch/pytorch/issues/103155",
)
def custom_function_that_gets_a_list() -> Made:
    class Stack(torch.autograd.Function):
        """It looks for tensors among its arguments, but not in a list."""

        @staticmethod
        def forward(
            ctx: torch.autograd.function.FunctionCtx, rows: list[Tensor]
        ) -> Tensor:
            del ctx
            return torch.stack(rows)  # here

        @staticmethod
        def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> None:
            del ctx, grad

    return two(lambda x: Stack.apply(list(x)))


@scenario(
    {BACKBONE: ("frozen", ""), "adapter.*": ("cut", "reentrant checkpoint")},
    "https://github.com/locuslab/open-unlearning/issues/178",
)
def reentrant_checkpoint_of_an_adapter() -> Made:
    model = Two()
    model.adapter = nn.Linear(4, 4)
    model.backbone.requires_grad_(False)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        features = checkpoint(model.adapter, features, use_reentrant=True)  # here
        return model.head(features).sum()

    return model, loss


@scenario({"head.*": ("unknown", "reentrant checkpoint")})
def reentrant_checkpoint_of_the_last_layer() -> Made:
    """Completes the causes."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        return checkpoint(model.head, features, use_reentrant=True).sum()  # here

    return model, loss


@scenario({"last.*": ("unused", ""), "*": ("cut", "detach()")})
def reentrant_checkpoint_then_detach() -> Made:
    """Completes the causes."""
    model = Two()
    model.last = nn.Linear(2, 1)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        y = checkpoint(model.head, model.backbone(x), use_reentrant=True)
        return y.detach().sum()  # here

    return model, loss


@scenario({})
def checkpoint_without_reentry() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        return checkpoint(model, x, use_reentrant=False).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "detach()")})
def detach_inside_a_checkpoint() -> Made:
    """Completes the causes."""
    model = Two(
        lambda x: x.detach()  # here
    )
    x = torch.randn(5, 3)
    return model, lambda: checkpoint(model, x, use_reentrant=False).sum()


@pytest.mark.filterwarnings("ignore:None of the inputs")
@scenario.parametrize()
def test_function(scenario: Scenario) -> None:
    """The verdict, its cause and its line are right."""
    check(scenario)
