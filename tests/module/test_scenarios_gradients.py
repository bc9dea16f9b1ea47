"""Networks to which backward brings nothing, and losses without a function."""

import torch
from torch import Tensor, nn
from torch.optim import SGD

from .scenarios import BACKBONE, Made, Scenario, Scenarios, Two, check

scenario = Scenarios()
ZERO = ("zero", "its gradient is exactly zero")
UNREACHED = ("unreached", "backward does not reach it")


class Adapted(nn.Module):
    """A frozen layer, and beside it a product of two small ones."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(3, 4).requires_grad_(requires_grad=False)
        self.a = nn.Parameter(torch.randn(3, 2))
        self.b = nn.Parameter(torch.zeros(2, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.a @ self.b


@scenario(
    {"base.*": ("frozen", ""), "?": ZERO},
    "https://github.com/circle-hit/SAPT/issues/11",
)
def adapter_of_two_zeros() -> Made:
    model = Adapted()
    nn.init.zeros_(model.a)
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario(
    {"base.*": ("frozen", ""), "a": ZERO},
    "https://github.com/microsoft/LoRA/issues/98",
)
def adapter_in_its_first_step() -> Made:
    """As it should be: the second factor is zero, and moves first."""
    model = Adapted()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario(
    {"0.*": ZERO},
    "https://github.com/smallflyingpig/"
    "universal_adversarial_perturbation_generative_network_for_speaker_recognition"
    "/issues/4",
)
def last_layer_of_zeros() -> Made:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    nn.init.zeros_(model[2].weight)
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario({"*": ZERO}, "https://github.com/lucidrains/deep-cross-attention/issues/2")
def relu_after_zeros() -> Made:
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU())
    nn.init.zeros_(model[0].weight)
    x = torch.randn(5, 3)
    return model, lambda: model(x).square().sum()


@scenario(
    {"0.*": ZERO, "2.weight": ZERO}, "https://github.com/shidi1985/L2RPN/issues/6"
)
def relu_that_never_fires() -> Made:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.constant_(model[0].bias, -100.0)
    x = torch.rand(5, 3)
    return model, lambda: model(x).sum()


@scenario({"threshold": ZERO}, "https://github.com/Hiyuur/SR-TOD/issues/5")
def threshold_behind_a_sign() -> Made:
    model = Two()
    model.threshold = nn.Parameter(torch.tensor(0.1))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        mask = (torch.sign(features.detach().abs() - model.threshold) + 1) * 0.5
        return model.head(features * (1 + mask)).sum()

    return model, loss


@scenario({BACKBONE: ZERO}, "https://github.com/hahnyuan/PTQ4ViT/issues/6")
def rounded_features() -> Made:
    model = Two(lambda x: (x * 8).round() / 8)
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario({"gate.*": ZERO}, "https://github.com/davidmrau/mixture-of-experts/issues/27")
def softmax_over_one_expert() -> Made:
    model = nn.ModuleDict({"gate": nn.Linear(3, 4), "expert": nn.Linear(3, 2)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        best = model["gate"](x).topk(1).values
        return (best.softmax(-1) * model["expert"](x)).sum()

    return model, loss


@scenario(
    {"codebook.weight": UNREACHED},
    "https://github.com/EdoardoBotta/RQ-VAE-Recommender/issues/24",
)
def codebook_without_a_gradient() -> Made:
    model = nn.ModuleDict({"encoder": nn.Linear(3, 4), "codebook": nn.Embedding(6, 4)})
    latent = model["encoder"](torch.randn(5, 3))
    code = model["codebook"](torch.arange(5)).detach()
    return model, (latent - code).square().sum()


@scenario(
    {"mnemonics": UNREACHED},
    "https://github.com/yaoyao-liu/class-incremental-learning/issues/4",
)
def exemplars_without_a_gradient() -> Made:
    model = Two()
    model.mnemonics = nn.Parameter(torch.randn(5, 3))
    optimizer = SGD(model.parameters(), lr=0.1)
    return model, model(model.mnemonics.data).square().sum(), optimizer


@scenario.parametrize()
def test_gradient(scenario: Scenario) -> None:
    """The verdict is right, and backward brings what it should."""
    check(scenario)
