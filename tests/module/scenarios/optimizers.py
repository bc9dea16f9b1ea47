"""Networks with mistakes between the model and its optimizer, and a real step."""

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from . import BACKBONE, CAUSE, STRAY, Built, Scenarios, Two

scenario = Scenarios()
ORPHAN = ("orphan", "held by the optimizer, not by the model")
NOT_HELD = ("not in optimizer", "gets a gradient that nobody applies")
STILL = ("lr=0", "its learning rate is 0")
BY_STALE = ("moves", "frozen, but its stale .grad is applied by step()")


@scenario(
    {"param_groups*": ORPHAN, "words.weight": NOT_HELD},
    "https://github.com/huggingface/transformers/pull/3532",
)
def embedding_resized_after_the_optimizer_was_built() -> Built:
    model = nn.ModuleDict({"words": nn.Embedding(6, 4), "head": nn.Linear(4, 2)})
    optimizer = AdamW(model.parameters())
    bigger = nn.Embedding(8, 4)
    bigger.weight.data[:6] = model["words"].weight.data
    model["words"] = bigger
    tokens = torch.tensor([0, 6, 7])
    return model, lambda: model["head"](model["words"](tokens)).sum(), optimizer


@scenario.setup(
    {"param_groups*": ORPHAN, "head.*": NOT_HELD},
    "https://github.com/microsoft/nni/issues/4521",
)
def layer_pruned_after_the_optimizer_was_built(model: Two) -> Optimizer:
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    smaller = nn.Linear(4, 1)
    smaller.weight.data.copy_(model.head.weight.data[:1])
    model.head = smaller
    return optimizer


@scenario.setup(
    {"param_groups*": ORPHAN, "*": NOT_HELD},
    "https://github.com/pytorch/pytorch/issues/54765",
)
def optimizer_of_an_earlier_network(model: Two) -> Optimizer:
    return Adam(Two().parameters(), lr=3e-2)


@scenario.setup({BACKBONE: NOT_HELD}, "https://github.com/fastai/fastai/issues/2133")
def unfrozen_after_a_filter(model: Two) -> Optimizer:
    model.backbone.requires_grad_(False)
    optimizer = Adam(filter(lambda p: p.requires_grad, model.parameters()))
    model.backbone.requires_grad_()
    return optimizer


@scenario.setup({"head.bias": NOT_HELD}, "https://github.com/zjunlp/HVPNeT/issues/5")
def group_that_is_never_appended(model: Two) -> Optimizer:
    groups = []
    for name, rate in (("backbone", 1e-5), ("head.w", 1e-5), ("head.b", 5e-2)):
        chosen = [p for key, p in model.named_parameters() if key.startswith(name)]
        group = {"params": chosen, "lr": rate}
        if name != "head.b":
            groups.append(group)
    return AdamW(groups)


@scenario.setup({"charges.*": NOT_HELD}, "https://github.com/ACEsuit/mace/pull/1529")
def module_that_the_groups_do_not_know(model: Two) -> Optimizer:
    model.charges = nn.Linear(4, 4)
    model.between = lambda x: x + model.charges(x)
    groups = [
        {"params": model.backbone.parameters(), "weight_decay": 0.1},
        {"params": model.head.parameters(), "weight_decay": 0.0},
    ]
    return SGD(groups, lr=0.1)


@scenario.setup({BACKBONE: NOT_HELD}, "https://github.com/BINE022/EEGPT/issues/18")
def left_out_in_the_place_of_frozen(model: Two) -> Optimizer:
    return AdamW(model.head.parameters())


@scenario({"tensor *": STRAY}, "https://github.com/4uiiurz1/pytorch-adacos/issues/10")
def centers_of_a_loss_that_no_optimizer_holds() -> Built:
    model, centers = Two(), nn.Linear(2, 3, bias=False)
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])

    def loss() -> Tensor:
        return nn.functional.cross_entropy(centers(model(x)), y)

    return model, loss, SGD(model.parameters(), lr=0.1)


@scenario.setup({"*": STILL}, "https://github.com/verl-project/verl/issues/3674")
def first_step_of_a_warm_up(model: Two) -> Optimizer:
    optimizer = SGD(model.parameters(), lr=0.1)
    LambdaLR(optimizer, lambda step: min(1.0, step / 10))
    return optimizer


@scenario.setup({BACKBONE: STILL}, CAUSE)
def group_with_a_rate_of_zero(model: Two) -> Optimizer:
    groups = [
        {"params": model.backbone.parameters(), "lr": torch.tensor(0.0)},
        {"params": model.head.parameters()},
    ]
    return AdamW(groups, lr=1e-3)


def frozen_after_a_step(
    model: Two, optimizer: Optimizer, *, to_zero: bool
) -> Optimizer:
    """Freeze the backbone after a step, which leaves gradients and momentum."""
    model(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    if to_zero:
        optimizer.zero_grad(set_to_none=False)
    model.backbone.requires_grad_(False)
    return optimizer


@scenario.setup(
    {BACKBONE: BY_STALE}, "https://github.com/facebookresearch/fairseq/issues/4702"
)
def frozen_between_backward_and_step(model: Two) -> Optimizer:
    optimizer = SGD(model.parameters(), lr=0.1)
    return frozen_after_a_step(model, optimizer, to_zero=False)


@scenario.setup(
    {BACKBONE: ("moves", "frozen, but weight decay can move it: .grad is 0, not None")},
    "https://github.com/iamwangyabin/S-Prompts/pull/2",
)
def frozen_and_decaying(model: Two) -> Optimizer:
    optimizer = SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    return frozen_after_a_step(model, optimizer, to_zero=True)


@scenario.setup(
    {BACKBONE: ("moves", "frozen, but momentum can move it: .grad is 0, not None")},
    "https://github.com/pytorch/pytorch/issues/18404",
)
def frozen_and_rolling_on(model: Two) -> Optimizer:
    optimizer = Adam(model.parameters(), lr=0.1)
    return frozen_after_a_step(model, optimizer, to_zero=True)


@scenario.setup({BACKBONE: ("frozen", "")})
def frozen_and_held_all_the_same(model: Two) -> Optimizer:
    """This is as it should be: a step leaves a parameter without a gradient alone."""
    model.backbone.requires_grad_(False)
    return AdamW(model.parameters(), weight_decay=0.1)


@scenario.setup({}, "https://github.com/CSCYQJ/MICCAI23-ProtoContra-SFDA/issues/18")
def flag_set_on_a_module(model: Two) -> Optimizer:
    """It trains: ``requires_grad`` of a module is a plain attribute without effect."""
    model.head.requires_grad = False
    return SGD(model.parameters(), lr=0.1)


@scenario.setup({}, "https://github.com/ultralytics/yolov5/issues/1213")
def frozen_and_switched_on_again(model: Two) -> Optimizer:
    """It trains: a later loop undoes the first."""
    for parameter in model.backbone.parameters():
        parameter.requires_grad = False
    for parameter in model.parameters():
        parameter.requires_grad = True
    return SGD(model.parameters(), lr=0.1)
