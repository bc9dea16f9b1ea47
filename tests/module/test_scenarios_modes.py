"""Networks that run where gradients are switched off, and the line of the switch."""

import pytest
import torch
from torch import Tensor, nn

from gradguide import explain

from .scenarios import BACKBONE, Made, Scenario, Scenarios, Two, check, two

scenario = Scenarios()


@scenario(
    {BACKBONE: ("cut", "no_grad")}, "https://github.com/bowang-lab/MedSAM/issues/233"
)
def no_grad_around_the_backbone() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            features = model.backbone(x)
            features = features.relu()
        return model.head(features).sum()

    return model, loss


@scenario(
    {"*": ("cut", "no_grad")}, "https://github.com/nianticlabs/monodepth2/issues/24"
)
def no_grad_left_over_from_validation() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            return model(x).sum()

    return model, loss


@scenario({BACKBONE: ("cut", "no_grad")})
def set_grad_enabled_as_a_block() -> Made:
    """Completes the causes."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.set_grad_enabled(False):  # here
            features = model.backbone(x)
        return model.head(features).sum()

    return model, loss


@scenario(
    {"*": ("cut", "no_grad")},
    "https://github.com/huggingface/transformers/pull/13257",
)
def set_grad_enabled_as_a_call() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        torch.set_grad_enabled(False)  # here
        return model(x).sum()

    return model, loss


@scenario({"head.*": ("cut", "no_grad")})
def no_grad_inside_enable_grad() -> Made:
    """Completes the causes."""
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
    """Completes the causes."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            with torch.enable_grad():
                features = model.backbone(x)
            weight, bias = model.head.weight * 2, model.head.bias * 2
        return (features @ weight.T + bias).sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "no_grad")}, "https://github.com/pytorch/pytorch/issues/11390"
)
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
    """Completes the causes."""
    model = Two()
    model.scale = nn.Parameter(torch.ones(4))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x) * 1
        with torch.no_grad():  # here
            features.mul_(model.scale)
        return model.head(features).sum()

    return model, loss


@scenario(
    {"teacher.*": ("cut", "no_grad")},
    "https://github.com/clovaai/overhaul-distillation/issues/34",
)
def teacher_that_should_not_train() -> Made:
    model = nn.ModuleDict({"student": nn.Linear(3, 4), "teacher": nn.Linear(3, 4)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            target = model["teacher"](x)
        return (model["student"](x) - target).square().sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "inference_mode")},
    "https://github.com/facebookresearch/dinov2/issues/399",
)
def inference_mode_block() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.inference_mode():  # here
            features = model.backbone(x)
        return model.head(features.clone()).sum()

    return model, loss


@scenario(
    {"prepare.*": ("cut", "no_grad"), "core.*": ("frozen", "")},
    "https://github.com/soda-inria/tabicl/issues/17",
)
def frozen_core_that_lets_nothing_through() -> Made:
    """The core is frozen on purpose, and what stands before it should train."""
    model = nn.ModuleDict({"prepare": nn.Linear(3, 3), "core": nn.Linear(3, 4)})
    model["core"].requires_grad_(False)
    model["head"] = nn.Linear(4, 2)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        prepared = model["prepare"](x)
        with torch.no_grad():  # here
            features = model["core"](prepared)
        return model["head"](features).sum()

    return model, loss


@scenario(
    {"text.*": ("cut", "no_grad"), "project.*": ("cut", "no_grad")},
    "https://github.com/edreisMD/ConVIRT-pytorch/issues/7",
)
def no_grad_around_a_new_head_too() -> Made:
    model = nn.ModuleDict(
        {"image": nn.Linear(3, 4), "text": nn.Linear(5, 4), "project": nn.Linear(4, 4)}
    )
    x, y = torch.randn(5, 3), torch.randn(5, 5)

    def loss() -> Tensor:
        with torch.no_grad():  # here
            target = model["project"](model["text"](y))
        return -torch.cosine_similarity(model["image"](x), target).mean()

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
    """Completes the causes."""
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
