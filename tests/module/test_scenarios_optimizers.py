"""Networks with mistakes between the model and its optimizer, and a real step."""

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import LambdaLR

from .scenarios import BACKBONE, STRAY, Made, Scenario, Scenarios, Two, check

scenario = Scenarios()
ORPHAN = ("orphan", "held by the optimizer, not by the model")
NOT_HELD = ("not in optimizer", "gets a gradient that nobody applies")
STILL = ("lr=0", "its learning rate is 0")
BY_STALE = ("moves", "frozen, but its stale .grad is applied by step()")


def trained(optimizer: torch.optim.Optimizer, model: nn.Module, x: Tensor) -> None:
    """Take a step, after which gradients lie there, and momentum."""
    model(x).square().sum().backward()
    optimizer.step()


@scenario(
    {"param_groups*": ORPHAN, "words.weight": NOT_HELD},
    "https://github.com/huggingface/transformers/pull/3532",
)
def embedding_resized_after_the_optimizer_was_built() -> Made:
    model = nn.ModuleDict({"words": nn.Embedding(6, 4), "head": nn.Linear(4, 2)})
    optimizer = AdamW(model.parameters())
    bigger = nn.Embedding(8, 4)
    bigger.weight.data[:6] = model["words"].weight.data
    model["words"] = bigger
    tokens = torch.tensor([0, 6, 7])
    return model, lambda: model["head"](model["words"](tokens)).sum(), optimizer


@scenario(
    {"param_groups*": ORPHAN, "head.*": NOT_HELD},
    "https://github.com/microsoft/nni/issues/4521",
)
def layer_pruned_after_the_optimizer_was_built() -> Made:
    model = Two()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    smaller = nn.Linear(4, 1)
    smaller.weight.data.copy_(model.head.weight.data[:1])
    model.head = smaller
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), optimizer


@scenario(
    {"param_groups*": ORPHAN, "*": NOT_HELD},
    "https://github.com/pytorch/pytorch/issues/54765",
)
def optimizer_of_an_earlier_network() -> Made:
    model = Two()
    optimizer = Adam(model.parameters(), lr=3e-2)
    model = Two()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), optimizer


@scenario({BACKBONE: NOT_HELD}, "https://github.com/fastai/fastai/issues/2133")
def unfrozen_after_a_filter() -> Made:
    model = Two()
    model.backbone.requires_grad_(requires_grad=False)
    optimizer = Adam(filter(lambda p: p.requires_grad, model.parameters()))
    model.backbone.requires_grad_()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), optimizer


@scenario({"crf": NOT_HELD}, "https://github.com/zjunlp/HVPNeT/issues/5")
def group_that_is_never_appended() -> Made:
    model = Two()
    model.crf = nn.Parameter(torch.zeros(2))
    groups = []
    for name, rate in (("backbone", 1e-5), ("head", 1e-5), ("crf", 5e-2)):
        chosen = [p for key, p in model.named_parameters() if key.startswith(name)]
        group = {"params": chosen, "lr": rate}
        if name != "crf":
            groups.append(group)
    x = torch.randn(5, 3)
    return model, lambda: (model(x) + model.crf).sum(), AdamW(groups)


@scenario({"charges.*": NOT_HELD}, "https://github.com/ACEsuit/mace/pull/1529")
def module_that_the_groups_do_not_know() -> Made:
    model = Two()
    model.charges = nn.Linear(4, 2)
    groups = [
        {"params": model.backbone.parameters(), "weight_decay": 0.1},
        {"params": model.head.parameters(), "weight_decay": 0.0},
    ]
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        return (model.head(features) + model.charges(features)).sum()

    return model, loss, SGD(groups, lr=0.1)


@scenario({BACKBONE: NOT_HELD}, "https://github.com/BINE022/EEGPT/issues/18")
def left_out_in_the_place_of_frozen() -> Made:
    model = Two()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), AdamW(model.head.parameters())


@scenario({"tensor *": STRAY}, "https://github.com/4uiiurz1/pytorch-adacos/issues/10")
def centers_of_a_loss_that_no_optimizer_holds() -> Made:
    model = Two()
    centers = nn.Linear(2, 3, bias=False)
    x, y = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])

    def loss() -> Tensor:
        return nn.functional.cross_entropy(centers(model(x)), y)

    return model, loss, SGD(model.parameters(), lr=0.1)


@scenario({"*": STILL}, "https://github.com/verl-project/verl/issues/3674")
def first_step_of_a_warm_up() -> Made:
    model = Two()
    optimizer = SGD(model.parameters(), lr=0.1)
    LambdaLR(optimizer, lambda step: min(1.0, step / 10))
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), optimizer


@scenario({BACKBONE: STILL})
def group_with_a_rate_of_zero() -> Made:
    """Completes the causes."""
    model = Two()
    groups = [
        {"params": model.backbone.parameters(), "lr": 0.0},
        {"params": model.head.parameters()},
    ]
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), AdamW(groups, lr=1e-3)


@scenario(
    {BACKBONE: BY_STALE}, "https://github.com/facebookresearch/fairseq/issues/4702"
)
def frozen_between_backward_and_step() -> Made:
    model = Two()
    optimizer = SGD(model.parameters(), lr=0.1)
    x = torch.randn(5, 3)
    trained(optimizer, model, x)
    model.backbone.requires_grad_(requires_grad=False)
    return model, lambda: model(x).square().sum(), optimizer


@scenario(
    {BACKBONE: ("moves", "frozen, but weight decay can move it")},
    "https://github.com/iamwangyabin/S-Prompts/pull/2",
)
def frozen_and_decaying() -> Made:
    model = Two()
    optimizer = SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    x = torch.randn(5, 3)
    trained(optimizer, model, x)
    optimizer.zero_grad(set_to_none=False)
    model.backbone.requires_grad_(requires_grad=False)
    return model, lambda: model(x).square().sum(), optimizer


@scenario(
    {BACKBONE: ("moves", "frozen, but momentum can move it")},
    "https://github.com/pytorch/pytorch/issues/18404",
)
def frozen_and_rolling_on() -> Made:
    model = Two()
    optimizer = Adam(model.parameters(), lr=0.1)
    x = torch.randn(5, 3)
    trained(optimizer, model, x)
    optimizer.zero_grad(set_to_none=False)
    model.backbone.requires_grad_(requires_grad=False)
    return model, lambda: model(x).square().sum(), optimizer


@scenario({BACKBONE: ("frozen", "")})
def frozen_and_held_all_the_same() -> Made:
    """As it should be: what has no gradient, no optimizer moves."""
    model = Two()
    model.backbone.requires_grad_(requires_grad=False)
    optimizer = AdamW(model.parameters(), weight_decay=0.1)
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), optimizer


@scenario({}, "https://github.com/CSCYQJ/MICCAI23-ProtoContra-SFDA/issues/18")
def flag_set_on_a_module() -> Made:
    """It trains: the flag of a module is no flag of its parameters."""
    model = Two()
    model.head.requires_grad = False
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario({}, "https://github.com/ultralytics/yolov5/issues/1213")
def frozen_and_switched_on_again() -> Made:
    """It trains: a later loop undoes the first."""
    model = Two()
    for parameter in model.backbone.parameters():
        parameter.requires_grad = False
    for parameter in model.parameters():
        parameter.requires_grad = True
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario.parametrize()
def test_optimizer(scenario: Scenario) -> None:
    """The verdict is right, and a real step changes what it should."""
    check(scenario)
