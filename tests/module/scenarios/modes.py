"""Networks that run where gradients are switched off, and the line of the switch."""

import torch
from torch import Tensor, nn

from . import BACKBONE, CAUSE, TRAP, Scenarios, Two

scenario = Scenarios()
NO_GRAD = ("cut", "no_grad")


@scenario.loss({BACKBONE: NO_GRAD}, "https://github.com/bowang-lab/MedSAM/issues/233")
def no_grad_around_the_backbone(model: Two, x: Tensor) -> Tensor:
    with torch.no_grad():  # here
        features = model.backbone(x)
        features = features.relu()
    return model.head(features).sum()


@scenario.loss({"*": NO_GRAD}, "https://github.com/nianticlabs/monodepth2/issues/24")
def no_grad_left_over_from_validation(model: Two, x: Tensor) -> Tensor:
    with torch.no_grad():  # here
        return model(x).sum()


@scenario.loss({BACKBONE: NO_GRAD}, CAUSE)
def set_grad_enabled_as_a_block(model: Two, x: Tensor) -> Tensor:
    with torch.set_grad_enabled(False):  # here
        features = model.backbone(x)
    return model.head(features).sum()


@scenario.loss({"*": NO_GRAD}, "https://github.com/huggingface/transformers/pull/13257")
def set_grad_enabled_as_a_call(model: Two, x: Tensor) -> Tensor:
    torch.set_grad_enabled(False)  # here
    return model(x).sum()


@scenario.loss({"head.*": NO_GRAD}, CAUSE)
def no_grad_inside_enable_grad(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    with torch.enable_grad():
        with torch.no_grad():  # here
            weight, bias = model.head.weight * 2, model.head.bias * 2
        return (features @ weight.T + bias).sum()


@scenario.loss({"head.*": NO_GRAD}, CAUSE)
def no_grad_goes_on_after_enable_grad(model: Two, x: Tensor) -> Tensor:
    with torch.no_grad():  # here
        with torch.enable_grad():
            features = model.backbone(x)
        weight, bias = model.head.weight * 2, model.head.bias * 2
    return (features @ weight.T + bias).sum()


@scenario.loss({BACKBONE: NO_GRAD}, TRAP)
def step_inside_enable_grad(model: Two, x: Tensor) -> Tensor:
    """``step`` switches the mode by itself, inside of an enabled block."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with torch.no_grad():  # here
        with torch.enable_grad():
            model(x).sum().backward()
            optimizer.step()
        hidden = model.backbone(x)
    optimizer.zero_grad()
    return model.head(hidden).sum()


@scenario.loss({BACKBONE: NO_GRAD}, "https://github.com/pytorch/pytorch/issues/11390")
def view_under_no_grad(model: Two, x: Tensor) -> Tensor:
    """The view reports ``requires_grad=True``, but its history is lost."""
    features = model.backbone(x)
    with torch.no_grad():  # here
        rows = features.view(5, 4)
    assert rows.requires_grad
    return model.head(rows).sum()


def with_scale() -> Two:
    return Two(scale=nn.Parameter(torch.ones(4)))


@scenario.loss({"scale": NO_GRAD}, CAUSE, with_scale)
def in_place_under_no_grad(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x) * 1
    with torch.no_grad():  # here
        features.mul_(model.scale)
    return model.head(features).sum()


@scenario.loss(
    {"teacher.*": NO_GRAD},
    "https://github.com/clovaai/overhaul-distillation/issues/34",
    lambda: nn.ModuleDict({"student": nn.Linear(3, 4), "teacher": nn.Linear(3, 4)}),
)
def teacher_that_should_not_train(model: nn.ModuleDict, x: Tensor) -> Tensor:
    with torch.no_grad():  # here
        target = model["teacher"](x)
    return (model["student"](x) - target).square().sum()


@scenario.loss(
    {BACKBONE: ("cut", "inference_mode")},
    "https://github.com/facebookresearch/dinov2/issues/399",
)
def inference_mode_block(model: Two, x: Tensor) -> Tensor:
    with torch.inference_mode():  # here
        features = model.backbone(x)
    return model.head(features.clone()).sum()


def with_frozen_core() -> Two:
    model = Two(core=nn.Linear(4, 4))
    model.core.requires_grad_(False)
    return model


@scenario.loss(
    {BACKBONE: NO_GRAD, "core.*": ("frozen", "")},
    "https://github.com/soda-inria/tabicl/issues/17",
    with_frozen_core,
)
def frozen_core_under_no_grad(model: Two, x: Tensor) -> Tensor:
    """The core is frozen on purpose, and the backbone before it should train."""
    prepared = model.backbone(x)
    with torch.no_grad():  # here
        features = model.core(prepared)
    return model.head(features).sum()


@scenario.loss(
    {"text.*": NO_GRAD, "head.*": NO_GRAD},
    "https://github.com/edreisMD/ConVIRT-pytorch/issues/7",
    lambda: Two(text=nn.Linear(3, 4)),
)
def no_grad_around_a_new_head_too(model: Two, x: Tensor) -> Tensor:
    with torch.no_grad():  # here
        target = model.head(model.text(x))
    return -torch.cosine_similarity(model.backbone(x)[:, :2], target).mean()


@scenario.loss({})
def autocast(model: Two, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return model(x).float().sum()


@scenario.loss(
    {"scale": ("cut", "requires_grad was False when it was read")}, CAUSE, with_scale
)
def frozen_while_it_was_read(model: Two, x: Tensor) -> Tensor:
    model.scale.requires_grad_(False)
    features = model.backbone(x) * model.scale  # here
    model.scale.requires_grad_(True)
    return model.head(features).sum()
