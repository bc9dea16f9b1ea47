"""Tests small versions of real architectures, with random parts frozen."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradguide import changed, explain, freeze, graph, saved

from .scenarios import agree

Built = tuple[nn.Module, Callable[[], object]]


class Bottleneck(nn.Module):
    """A block of a ResNet."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width // 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)).add_(x))


def resnet() -> Built:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.MaxPool2d(2),
        Bottleneck(8),
        Bottleneck(8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    x, y = torch.randn(4, 3, 10, 10), torch.tensor([0, 1, 2, 3])
    return model, lambda: F.cross_entropy(model(x), y)


class Attention(nn.Module):
    """A block of a GPT."""

    def __init__(self) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        heads = self.qkv(self.ln1(x)).view(batch, length, 3, 2, 4)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind()
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, 8))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    """A language model with tied embeddings, checkpointed on demand."""

    def __init__(self, *, recompute: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.position = nn.Parameter(torch.randn(6, 8))
        self.blocks = nn.ModuleList([Attention(), Attention()])
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight
        self.recompute = recompute

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.position
        for block in self.blocks:
            if self.recompute:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return self.head(self.norm(x))


def gpt(*, recompute: bool = False) -> Built:
    model = GPT(recompute=recompute)
    tokens = torch.randint(11, (2, 6))
    return model, lambda: F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())


def checkpointed_gpt() -> Built:
    return gpt(recompute=True)


def encoder_decoder() -> Built:
    model = nn.Transformer(8, 2, 2, 2, 16, batch_first=True)
    source, target = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    return model, lambda: F.mse_loss(model(source, target[:, :-1]), target[:, 1:])


def recurrent() -> Built:
    model = nn.ModuleDict(
        {"embed": nn.Embedding(9, 4), "rnn": nn.GRU(4, 5, 2), "head": nn.Linear(5, 2)}
    )
    tokens, lengths = torch.randint(9, (6, 3)), torch.tensor([6, 4, 2])

    def loss() -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(model["embed"](tokens), lengths)
        _, last = model["rnn"](packed)
        return model["head"](last[-1]).square().sum()

    return model, loss


def vector_quantizer() -> Built:
    model = nn.ModuleDict({"encode": nn.Linear(3, 4), "codes": nn.Embedding(8, 4)})
    model["decode"] = nn.Linear(4, 3)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        z = model["encode"](x)
        near = torch.cdist(z.detach(), model["codes"].weight).argmin(-1)
        code = model["codes"](near)
        commit = F.mse_loss(z, code.detach()) + F.mse_loss(code, z.detach())
        return F.mse_loss(model["decode"](z + (code - z).detach()), x) + commit

    return model, loss


def policy_gradient() -> Built:
    model = nn.ModuleDict({"actor": nn.Linear(3, 4), "critic": nn.Linear(3, 1)})
    state = torch.randn(6, 3)

    def loss() -> Tensor:
        policy = torch.distributions.Categorical(logits=model["actor"](state))
        action = policy.sample()
        value = model["critic"](state).squeeze(-1)
        advantage = (action.float() - value).detach()
        return -(policy.log_prob(action) * advantage).mean() + value.square().mean()

    return model, loss


def generator_step() -> Built:
    model = nn.ModuleDict({"make": nn.Linear(3, 4), "judge": nn.Linear(4, 1)})
    noise = torch.randn(5, 3)
    return model, lambda: F.softplus(-model["judge"](model["make"](noise))).mean()


def student_and_average() -> Built:
    model = nn.ModuleDict({"student": nn.Linear(3, 4), "teacher": nn.Linear(3, 4)})
    model["teacher"].requires_grad_(False)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        with torch.no_grad():
            model["teacher"].weight.lerp_(model["student"].weight, 0.1)
            target = model["teacher"](x)
        return F.mse_loss(model["student"](x), target)

    return model, loss


def gradient_penalty() -> Built:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        points = x.clone().requires_grad_()
        score = model(points)
        (slope,) = torch.autograd.grad(score.sum(), points, create_graph=True)
        return score.mean() + (slope.norm(dim=1) - 1).square().mean()

    return model, loss


def inner_loop() -> Built:
    model = nn.Linear(3, 2)
    x, y = torch.randn(5, 3), torch.randn(5, 2)

    def inner(parameters: dict[str, Tensor]) -> Tensor:
        return F.mse_loss(torch.func.functional_call(model, parameters, (x,)), y)

    def loss() -> Tensor:
        parameters = dict(model.named_parameters())
        slopes = torch.func.grad(inner)(parameters)
        moved = {name: p - 0.1 * slopes[name] for name, p in parameters.items()}
        return inner(moved)

    return model, loss


def gumbel() -> Built:
    model = nn.ModuleDict({"gate": nn.Linear(3, 4), "table": nn.Linear(4, 2)})
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        choice = F.gumbel_softmax(model["gate"](x), hard=True)
        return model["table"](choice).square().sum()

    return model, loss


ALL = [
    *(resnet, gpt, checkpointed_gpt, encoder_decoder, recurrent, vector_quantizer),
    *(policy_gradient, generator_step, student_and_average, gradient_penalty),
    *(inner_loop, gumbel),
]


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_sound_networks_have_no_problems(make: Callable[[], Built]) -> None:
    """Sound networks train whole, whatever they detach, sample or round inside."""
    model, loss = make()
    state = torch.get_rng_state()
    with changed(model) as names:
        report = explain(model, loss, gradients=True)
    assert names == []
    assert torch.equal(torch.get_rng_state(), state)
    assert {row.verdict for row in report.problems} <= {"zero", "moves"}
    verdicts = {row.name: row.verdict for row in report if row.kind == "parameter"}
    agree(model, loss, {n: "trains" if v == "zero" else v for n, v in verdicts.items()})


@settings(max_examples=settings.default.max_examples // 4)
@given(st.sampled_from(ALL), st.sets(st.integers(0, 12), max_size=4), st.data())
def test_frozen_parts(
    make: Callable[[], Built], parts: set[int], data: st.DataObject
) -> None:
    """With random parts frozen, each verdict agrees with a real backward."""
    torch.manual_seed(0)
    model, loss = make()
    names = [name for name, _ in model.named_modules() if name]
    for part in parts:
        name = (names or [""])[part % max(len(names), 1)]
        if name and any(True for _ in model.get_submodule(name).parameters()):
            freeze(model, name, stats=data.draw(st.booleans()))
    report = explain(model, loss)
    with changed(model) as moved:
        value = loss()
    buffers = [row.name for row in report if row.kind == "buffer"]
    assert set(buffers) <= set(moved)
    reached = {row.name: row.verdict for row in report if row.kind == "parameter"}
    assert "unknown" not in reached.values()
    if value.requires_grad:
        assert saved(value, model).bytes >= 0
        assert str(graph(value, model)).startswith("loss ()")
        agree(model, loss, reached)
