"""Networks with a decorator that switches gradients off, and the line of the call."""

from collections.abc import Iterator

import torch
from torch import Tensor

from . import BACKBONE, Built, Scenarios, Two

scenario = Scenarios()


@scenario.loss(
    {"*": ("cut", "no_grad")},
    "https://github.com/huggingface/sentence-transformers/issues/255",
)
def decorated_function(model: Two, x: Tensor) -> Tensor:
    @torch.no_grad()
    def predict(x: Tensor) -> Tensor:
        return model(x)

    return predict(x).sum()  # here


@scenario(
    {BACKBONE: ("cut", "no_grad")},
    "https://github.com/TinyLLaVA/TinyLLaVA_Factory/issues/17",
)
def decorated_method() -> Built:
    class Net(Two):
        @torch.no_grad()
        def features(self, x: Tensor) -> Tensor:
            return self.backbone(x)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.features(x))  # here

    model, x = Net(), torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario.loss(
    {BACKBONE: ("cut", "no_grad")}, "https://github.com/pytorch/pytorch/pull/31792"
)
def decorated_generator(model: Two, x: Tensor) -> Tensor:
    @torch.no_grad()
    def steps() -> Iterator[Tensor]:
        yield model.backbone(x)

    for features in steps():  # here
        return model.head(features).sum()
    raise AssertionError


@scenario.loss(
    {BACKBONE: ("cut", "inference_mode")},
    "https://github.com/facebookresearch/dinov2/issues/472",
)
def inference_mode_decorator(model: Two, x: Tensor) -> Tensor:
    @torch.inference_mode()
    def extract(x: Tensor) -> Tensor:
        return model.backbone(x)

    features = extract(x)  # here
    return model.head(features.clone()).sum()
