"""Networks with a decorator that switches gradients off, and the line of the call."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .scenarios import BACKBONE, Made, Scenario, Scenarios, Two, check

scenario = Scenarios()


@scenario(
    {"*": ("cut", "no_grad")},
    "https://github.com/huggingface/sentence-transformers/issues/255",
)
def decorated_function() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    @torch.no_grad()
    def predict(x: Tensor) -> Tensor:
        return model(x)

    def loss() -> Tensor:
        return predict(x).sum()  # here

    return model, loss


@scenario(
    {BACKBONE: ("cut", "no_grad")},
    "https://github.com/TinyLLaVA/TinyLLaVA_Factory/issues/17",
)
def decorated_method() -> Made:
    class Net(Two):
        @torch.no_grad()
        def features(self, x: Tensor) -> Tensor:
            return self.backbone(x)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.features(x))  # here

    model = Net()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario(
    {BACKBONE: ("cut", "no_grad")}, "https://github.com/pytorch/pytorch/pull/31792"
)
def decorated_generator() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    @torch.no_grad()
    def steps() -> Iterator[Tensor]:
        yield model.backbone(x)

    def loss() -> Tensor:
        for features in steps():  # here
            return model.head(features).sum()
        raise AssertionError

    return model, loss


@scenario(
    {BACKBONE: ("cut", "inference_mode")},
    "https://github.com/facebookresearch/dinov2/issues/472",
)
def inference_mode_decorator() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    @torch.inference_mode()
    def extract(x: Tensor) -> Tensor:
        return model.backbone(x)

    def loss() -> Tensor:
        features = extract(x)  # here
        return model.head(features.clone()).sum()

    return model, loss


@scenario.parametrize()
def test_decorator(scenario: Scenario) -> None:
    """The verdict, its cause and the line of the call are right."""
    check(scenario)
