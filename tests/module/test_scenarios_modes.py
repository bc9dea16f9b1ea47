"""Networks that run where gradients are switched off, and the line of the switch."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from gradguide import explain

from .scenarios import BACKBONE, Made, Scenario, Scenarios, Two, check, two

scenario = Scenarios()


@scenario({BACKBONE: ("cut", "no_grad")})
def no_grad_around_the_backbone() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            features = model.backbone(x)
            features = features.relu()
        return model.head(features).sum()

    return model, loss


@scenario({"*": ("cut", "no_grad")})
def no_grad_left_over_from_validation() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            return model(x).sum()

    return model, loss


@scenario({"*": ("cut", "no_grad")})
def decorated_function() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    @torch.no_grad()
    def predict(x: Tensor) -> Tensor:
        return model(x)

    def loss() -> Tensor:
        return predict(x).sum()  # here

    return model, loss


@scenario({BACKBONE: ("cut", "no_grad")})
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


@scenario({BACKBONE: ("cut", "no_grad")})
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


@scenario({BACKBONE: ("cut", "no_grad")})
def set_grad_enabled_as_a_block() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.set_grad_enabled(False):  # here
            features = model.backbone(x)
        return model.head(features).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "no_grad")})
def set_grad_enabled_as_a_call() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        torch.set_grad_enabled(False)  # here
        features = model.backbone(x)
        torch.set_grad_enabled(True)
        return model.head(features).sum()

    return model, loss


@scenario({"head.*": ("cut", "no_grad")})
def no_grad_inside_enable_grad() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        with torch.enable_grad():
            with torch.no_grad():  # here
                weight = model.head.weight * 2
                bias = model.head.bias * 2
            return (features @ weight.T + bias).sum()

    return model, loss


@scenario({"head.*": ("cut", "no_grad")})
def no_grad_goes_on_after_enable_grad() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            with torch.enable_grad():
                features = model.backbone(x)
            weight, bias = model.head.weight * 2, model.head.bias * 2
        return (features @ weight.T + bias).sum()

    return model, loss


@scenario({"head.*": ("cut", "no_grad")})
def no_grad_in_no_grad() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        with torch.no_grad():  # here
            with torch.no_grad():
                pass
            weight, bias = model.head.weight * 2, model.head.bias * 2
        return (features @ weight.T + bias).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "no_grad")})
def view_under_no_grad() -> Made:
    """The view says that it requires grad, and leads nowhere."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        with torch.no_grad():  # here
            rows = features.view(5, 4)
        assert rows.requires_grad
        return model.head(rows).sum()

    return model, loss


@scenario({"scale": ("cut", "no_grad")})
def in_place_under_no_grad() -> Made:
    model = Two()
    model.scale = nn.Parameter(torch.ones(4))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x) * 1
        with torch.no_grad():  # here
            features.mul_(model.scale)
        return model.head(features).sum()

    return model, loss


@scenario({"teacher.*": ("cut", "no_grad")})
def teacher_that_should_not_train() -> Made:
    model = nn.ModuleDict({"student": nn.Linear(3, 4), "teacher": nn.Linear(3, 4)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            target = model["teacher"](x)
        return (model["student"](x) - target).square().sum()

    return model, loss


@scenario({BACKBONE: ("cut", "inference_mode")})
def inference_mode_block() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.inference_mode():  # here
            features = model.backbone(x)
        return model.head(features.clone()).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "inference_mode")})
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


@scenario({})
def autocast() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return model(x).float().sum()

    return model, loss


@scenario({"scale": ("cut", "requires_grad was False")})
def frozen_while_it_was_read() -> Made:
    model = Two()
    model.scale = nn.Parameter(torch.ones(4))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        model.scale.requires_grad_(False)
        features = model.backbone(x) * model.scale  # here
        model.scale.requires_grad_(True)
        return model.head(features).sum()

    return model, loss


@pytest.mark.filterwarnings("ignore:None of the inputs")
@scenario.parametrize()
def test_mode(scenario: Scenario) -> None:
    """The verdict, its cause and the line of the switch are right."""
    check(scenario)


def test_called_under_no_grad() -> None:
    """Where the caller has switched gradients off, there is no line to name."""
    model, loss = two(lambda x: x)
    with torch.no_grad():
        report = explain(model, loss)
    assert {(row.verdict, row.why, row.where) for row in report} == {
        ("cut", "no_grad", "")
    }
