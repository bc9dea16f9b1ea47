"""Networks whose loss misses a part of them, and the line where it is lost."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from torch import Tensor, nn

from .scenarios import BACKBONE, DROPPED, Made, Scenario, Scenarios, Two, check

scenario = Scenarios()


@scenario(
    {BACKBONE: ("cut", "detach()")}, "https://github.com/MishaLaskin/vqvae/pull/20"
)
def target_and_prediction_swapped() -> Made:
    """The stop-gradient on the wrong side."""
    model = nn.ModuleDict({"backbone": nn.Linear(3, 4), "head": nn.Linear(4, 4)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        target = model["backbone"](x).detach()  # here
        return F.mse_loss(model["head"](target), target)

    return model, loss


@scenario({"log_std": ("cut", "detach()")})
def detached_noise_scale() -> Made:
    """Completes the causes."""
    model = Two()
    model.log_std = nn.Parameter(torch.zeros(4))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        noise = torch.randn(5, 4) * model.log_std.exp().detach()  # here
        return model.head(model.backbone(x) + noise).sum()

    return model, loss


@scenario(
    {BACKBONE: ("cut", "grad() without create_graph=True")},
    "https://github.com/dragen1860/MAML-Pytorch/issues/63",
)
def gradient_penalty_without_create_graph() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        points = x.clone().requires_grad_()
        score = model.backbone(points).square().sum()
        (slope,) = torch.autograd.grad(score, points)  # here
        return model.head(torch.cat([slope, slope[:, :1]], 1)).sum()

    return model, loss


@scenario(
    {"*": ("cut", "detach()")},
    "https://github.com/mazurowski-lab/finetune-SAM/issues/26",
)
def loss_forced_to_require_grad() -> Made:
    """The error of ``backward`` is silenced, and nothing learns."""
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        masks = model(x).detach()  # here
        error = masks.square().mean()
        error.requires_grad = True
        return error

    return model, loss


@scenario(
    {"codebook.weight": ("cut", "detach()")},
    "https://github.com/showlab/Olaf-World/issues/8",
)
def codebook_loss_after_straight_through() -> Made:
    model = nn.ModuleDict({"encoder": nn.Linear(3, 4), "codebook": nn.Embedding(4, 4)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        latent = model["encoder"](x)
        code = model["codebook"](torch.arange(5) % 4)
        code = latent + (code - latent).detach()  # here
        return F.mse_loss(code, torch.zeros(5, 4)) + code.sum()

    return model, loss


@scenario(
    {
        "encoder.*": ("cut", "argmin() is not differentiable"),
        "codebook.*": ("cut", "argmin() is not differentiable"),
    },
    "https://github.com/Biohub/esm/issues/92",
)
def decoder_that_gets_only_the_indices() -> Made:
    model = nn.ModuleDict(
        {
            "encoder": nn.Linear(3, 4),
            "codebook": nn.Embedding(6, 4),
            "decoder": nn.Embedding(6, 3),
        }
    )
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        distances = torch.cdist(model["encoder"](x), model["codebook"].weight)
        index = distances.argmin(-1)  # here
        return F.mse_loss(model["decoder"](index), x)

    return model, loss


@scenario({"dead.*": DROPPED}, "https://github.com/oclivegriffin/crosscode/pull/3")
def combined_loss_that_is_not_returned() -> Made:
    model = Two()
    model.dead = nn.Linear(4, 4)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        reconstruction = model.head(features).square().mean()
        revival = model.dead(features).square().mean()
        total = reconstruction + 0.1 * revival
        assert total.requires_grad
        return reconstruction

    return model, loss


class AddLoss(torch.autograd.Function):
    """Lets a loss take part in backward beside the tensor that it goes with."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, loss: Tensor
    ) -> Tensor:
        del ctx, loss
        return x.clone()

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor, Tensor]:
        del ctx
        return grad, torch.ones(())


@scenario({"router.*": DROPPED}, "https://github.com/NVIDIA-NeMo/Automodel/issues/1408")
def balance_loss_that_is_not_assigned() -> Made:
    model = Two()
    model.router = nn.Linear(3, 2)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        features = model.backbone(x)
        balance = model.router(x).softmax(-1).mean(0).square().sum()
        AddLoss.apply(features, balance)
        return model.head(features).sum()

    return model, loss


@scenario(
    {"generator.*": ("cut", "detach()")}, "https://github.com/tamarott/SinGAN/pull/117"
)
def generator_step_on_detached_images() -> Made:
    model = nn.ModuleDict(
        {"generator": nn.Linear(3, 4), "discriminator": nn.Linear(4, 1)}
    )
    noise = torch.randn(5, 3)

    def loss() -> Tensor:
        fake = model["generator"](noise)
        return -model["discriminator"](fake.detach()).mean()  # here

    return model, loss


@scenario(
    {BACKBONE: ("cut", "detach()")},
    "https://github.com/kevinzakka/recurrent-visual-attention/issues/20",
)
def policy_on_a_detached_state() -> Made:
    model = Two()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        state = model.backbone(x).tanh()
        mean = model.head(state.detach())  # here
        chosen = torch.distributions.Normal(mean, 1.0)
        return -chosen.log_prob(torch.zeros(5, 2)).sum()

    return model, loss


@scenario(
    {"*": ("cut", "histc() is not differentiable")},
    "https://github.com/albrateanu/LYT-Net/issues/16",
)
def histogram_loss() -> Made:
    model = Two()
    x, y = torch.randn(5, 3), torch.randn(5, 2)

    def loss() -> Tensor:
        bins = model(x).histc(4, -1, 1)  # here
        return (bins - y.histc(4, -1, 1)).abs().mean()

    return model, loss


@scenario({"layers.0.*": DROPPED}, "https://github.com/dangf15/THLNet/issues/1")
def loop_that_starts_over() -> Made:
    """Each layer gets the input, and the last result wins."""
    model = nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        y = x
        for layer in model["layers"]:
            y = layer(x)
        return y.sum()

    return model, loss


@scenario({}, "https://github.com/haitongli/knowledge-distillation-pytorch/issues/25")
def teacher_that_is_only_in_eval_mode() -> Made:
    """It trains: ``eval`` freezes nothing."""
    model = nn.ModuleDict({"student": nn.Linear(3, 4), "teacher": nn.Linear(3, 4)})
    model["teacher"].eval()
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        return F.mse_loss(model["student"](x), model["teacher"](x))

    return model, loss


@scenario({})
def logging_a_loss() -> Made:
    model = Two()
    x = torch.randn(5, 3)
    log = []

    def loss() -> Tensor:
        value = model(x).square().sum()
        log.append(value.item())
        log.append(float(model.backbone.weight.norm()))
        return value

    return model, loss


@pytest.mark.filterwarnings("ignore:Converting a tensor")
@scenario.parametrize()
def test_loss(scenario: Scenario) -> None:
    """The verdict, its cause and its line are right."""
    check(scenario)
