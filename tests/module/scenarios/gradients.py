"""Networks whose gradients are exactly zero, and losses that are given as a tensor."""

import torch
from torch import Tensor, nn
from torch.optim import SGD

from . import BACKBONE, Built, Scenarios, Two

scenario = Scenarios()
ZERO = ("zero", "its gradient is exactly zero")
UNREACHED = ("unreached", "backward does not reach it; pass the function to learn why")


class Adapted(nn.Module):
    """A frozen layer, and beside it a product of two small ones."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(3, 4).requires_grad_(False)
        self.a = nn.Parameter(torch.randn(3, 2))
        self.b = nn.Parameter(torch.zeros(2, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.a @ self.b


def adapted(*, zeros: bool) -> Built:
    model, x = Adapted(), torch.randn(5, 3)
    if zeros:
        nn.init.zeros_(model.a)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario(
    {"base.*": ("frozen", ""), "?": ZERO},
    "https://github.com/circle-hit/SAPT/issues/11",
)
def adapter_of_two_zeros() -> Built:
    return adapted(zeros=True)


@scenario(
    {"base.*": ("frozen", ""), "a": ZERO},
    "https://github.com/microsoft/LoRA/issues/98",
)
def adapter_in_its_first_step() -> Built:
    """This is as it should be: the second factor is zero, and is updated first."""
    return adapted(zeros=False)


@scenario.loss(
    {"0.*": ZERO},
    "https://github.com/smallflyingpig/"
    "universal_adversarial_perturbation_generative_network_for_speaker_recognition"
    "/issues/4",
    lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
)
def last_layer_of_zeros(model: nn.Sequential, x: Tensor) -> Tensor:
    nn.init.zeros_(model[2].weight)
    return model(x).sum()


@scenario.loss(
    {"*": ZERO},
    "https://github.com/lucidrains/deep-cross-attention/issues/2",
    lambda: nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU()),
)
def relu_after_zeros(model: nn.Sequential, x: Tensor) -> Tensor:
    return model(x * 0).square().sum()


@scenario.loss(
    {"0.*": ZERO, "2.weight": ZERO},
    "https://github.com/shidi1985/L2RPN/issues/6",
    lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)),
)
def relu_that_never_fires(model: nn.Sequential, x: Tensor) -> Tensor:
    nn.init.constant_(model[0].bias, -100.0)
    return model(x).sum()


@scenario.loss(
    {"threshold": ZERO},
    "https://github.com/Hiyuur/SR-TOD/issues/5",
    lambda: Two(threshold=nn.Parameter(torch.tensor(0.1))),
)
def threshold_behind_a_sign(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    mask = (torch.sign(features.detach().abs() - model.threshold) + 1) * 0.5
    return model.head(features * (1 + mask)).sum()


@scenario.between({BACKBONE: ZERO}, "https://github.com/hahnyuan/PTQ4ViT/issues/6")
def rounded_features(x: Tensor) -> Tensor:
    return (x * 8).round() / 8


@scenario.loss(
    {"gate.*": ZERO},
    "https://github.com/davidmrau/mixture-of-experts/issues/27",
    lambda: Two(gate=nn.Linear(3, 4)),
)
def softmax_over_one_expert(model: Two, x: Tensor) -> Tensor:
    best = model.gate(x).topk(1).values
    return (best.softmax(-1) * model(x)).sum()


@scenario(
    {"codebook.weight": UNREACHED},
    "https://github.com/EdoardoBotta/RQ-VAE-Recommender/issues/24",
)
def codebook_without_a_gradient() -> Built:
    model = nn.ModuleDict({"encoder": nn.Linear(3, 4), "codebook": nn.Embedding(6, 4)})
    latent = model["encoder"](torch.randn(5, 3))
    code = model["codebook"](torch.arange(5)).detach()
    return model, (latent - code).square().sum()


@scenario(
    {"mnemonics": UNREACHED},
    "https://github.com/yaoyao-liu/class-incremental-learning/issues/4",
)
def exemplars_without_a_gradient() -> Built:
    model = Two(mnemonics=nn.Parameter(torch.randn(5, 3)))
    optimizer = SGD(model.parameters(), lr=0.1)
    return model, model(model.mnemonics.data).square().sum(), optimizer
