"""Networks whose loss misses a part of them, and the line where it is lost."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from . import BACKBONE, CAUSE, DROPPED, Scenarios, Two

scenario = Scenarios()
DETACHED = ("cut", "detach()")
NO_ARGMIN = ("cut", "argmin() is not differentiable")


@scenario.loss(
    {BACKBONE: DETACHED},
    "https://github.com/MishaLaskin/vqvae/pull/20",
    lambda: nn.ModuleDict({"backbone": nn.Linear(3, 4), "head": nn.Linear(4, 4)}),
)
def target_and_prediction_swapped(model: nn.ModuleDict, x: Tensor) -> Tensor:
    """The stop-gradient is on the wrong side."""
    target = model["backbone"](x).detach()  # here
    return F.mse_loss(model["head"](target), target)


@scenario.loss(
    {"log_std": DETACHED}, CAUSE, lambda: Two(log_std=nn.Parameter(torch.zeros(4)))
)
def detached_noise_scale(model: Two, x: Tensor) -> Tensor:
    noise = torch.randn(5, 4) * model.log_std.exp().detach()  # here
    return model.head(model.backbone(x) + noise).sum()


@scenario.loss(
    {BACKBONE: ("cut", "grad() without create_graph=True")},
    "https://github.com/dragen1860/MAML-Pytorch/issues/63",
)
def gradient_penalty_without_create_graph(model: Two, x: Tensor) -> Tensor:
    points = x.clone().requires_grad_()
    score = model.backbone(points).square().sum()
    (slope,) = torch.autograd.grad(score, points)  # here
    return model.head(torch.cat([slope, slope[:, :1]], 1)).sum()


@scenario.loss(
    {"*": DETACHED}, "https://github.com/mazurowski-lab/finetune-SAM/issues/26"
)
def loss_forced_to_require_grad(model: Two, x: Tensor) -> Tensor:
    """The error of ``backward`` is silenced, and no parameter gets a gradient."""
    masks = model(x).detach()  # here
    error = masks.square().mean()
    error.requires_grad = True
    return error


@scenario.loss(
    {"codebook.weight": DETACHED},
    "https://github.com/showlab/Olaf-World/issues/8",
    lambda: nn.ModuleDict({"encoder": nn.Linear(3, 4), "codebook": nn.Embedding(4, 4)}),
)
def codebook_loss_after_straight_through(model: nn.ModuleDict, x: Tensor) -> Tensor:
    latent = model["encoder"](x)
    code = model["codebook"](torch.arange(5) % 4)
    code = latent + (code - latent).detach()  # here
    return F.mse_loss(code, torch.zeros(5, 4)) + code.sum()


@scenario.loss(
    {"encoder.*": NO_ARGMIN, "codebook.*": NO_ARGMIN},
    "https://github.com/Biohub/esm/issues/92",
    lambda: nn.ModuleDict(
        {
            "encoder": nn.Linear(3, 4),
            "codebook": nn.Embedding(6, 4),
            "decoder": nn.Embedding(6, 3),
        }
    ),
)
def decoder_that_gets_only_the_indices(model: nn.ModuleDict, x: Tensor) -> Tensor:
    distances = torch.cdist(model["encoder"](x), model["codebook"].weight)
    index = distances.argmin(-1)  # here
    return F.mse_loss(model["decoder"](index), x)


@scenario.loss(
    {"dead.*": DROPPED},
    "https://github.com/oclivegriffin/crosscode/pull/3",
    lambda: Two(dead=nn.Linear(4, 4)),
)
def combined_loss_that_is_not_returned(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    reconstruction = model.head(features).square().mean()
    total = reconstruction + 0.1 * model.dead(features).square().mean()
    assert total.requires_grad
    return reconstruction


class AddLoss(torch.autograd.Function):
    """Lets a loss take part in backward beside the tensor that it goes with."""

    @staticmethod
    def forward(_: Any, x: Tensor, loss: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(_: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, torch.ones(())


@scenario.loss(
    {"router.*": DROPPED},
    "https://github.com/NVIDIA-NeMo/Automodel/issues/1408",
    lambda: Two(router=nn.Linear(3, 2)),
)
def balance_loss_that_is_not_assigned(model: Two, x: Tensor) -> Tensor:
    features = model.backbone(x)
    balance = model.router(x).softmax(-1).mean(0).square().sum()
    AddLoss.apply(features, balance)
    return model.head(features).sum()


@scenario.loss({"backbone.*": DETACHED}, "https://github.com/tamarott/SinGAN/pull/117")
def generator_step_on_detached_images(model: Two, x: Tensor) -> Tensor:
    """The backbone is the generator, and the head the discriminator."""
    fake = model.backbone(x)
    return -model.head(fake.detach()).mean()  # here


@scenario.loss(
    {BACKBONE: DETACHED},
    "https://github.com/kevinzakka/recurrent-visual-attention/issues/20",
)
def policy_on_a_detached_state(model: Two, x: Tensor) -> Tensor:
    state = model.backbone(x).tanh()
    mean = model.head(state.detach())  # here
    chosen = torch.distributions.Normal(mean, 1.0)
    return -chosen.log_prob(torch.zeros(5, 2)).sum()


@scenario.loss(
    {"*": ("cut", "histc() is not differentiable")},
    "https://github.com/albrateanu/LYT-Net/issues/16",
)
def histogram_loss(model: Two, x: Tensor) -> Tensor:
    bins = model(x).histc(4, -1, 1)  # here
    return (bins - torch.randn(10).histc(4, -1, 1)).abs().mean()


@scenario.loss(
    {"0.*": DROPPED},
    "https://github.com/dangf15/THLNet/issues/1",
    lambda: nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)]),
)
def loop_that_starts_over(layers: nn.ModuleList, x: Tensor) -> Tensor:
    """Each layer gets the input, and only the last result is used."""
    for layer in layers:
        y = layer(x)
    return y.sum()


def student_and_teacher() -> nn.ModuleDict:
    model = nn.ModuleDict({"student": nn.Linear(3, 4), "teacher": nn.Linear(3, 4)})
    model["teacher"].eval()
    return model


@scenario.loss(
    {},
    "https://github.com/haitongli/knowledge-distillation-pytorch/issues/25",
    student_and_teacher,
)
def teacher_that_is_only_in_eval_mode(model: nn.ModuleDict, x: Tensor) -> Tensor:
    """It trains: ``eval`` freezes nothing."""
    return F.mse_loss(model["student"](x), model["teacher"](x))


@scenario.loss({})
def logging_a_loss(model: Two, x: Tensor) -> Tensor:
    value = model(x).square().sum()
    assert [value.item(), float(model.backbone.weight.norm())]
    return value
