"""Tests that ``explain`` changes nothing, whatever the function does."""

import random
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from gradguide import explain, freeze

X = torch.linspace(-1, 1, 12).reshape(4, 3)


class Net(nn.Module):
    """A network with each kind of state that a run can change."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(4, 3, max_norm=0.1)
        self.norm = nn.BatchNorm1d(3)
        self.body = parametrizations.spectral_norm(nn.Linear(3, 3))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(3, 2)
        self.tied = nn.Linear(3, 2)
        self.tied.weight = self.head.weight
        self.late = None
        self.register_buffer("mean", torch.zeros(1).expand(3))
        self.register_buffer("edges", torch.eye(3).to_sparse())
        self.register_buffer("cache", None)
        self.register_parameter("scale", None)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x + self.table(torch.arange(4)))
        return self.head(self.drop(self.body(x))) + self.tied(x @ self.edges)


Action = Callable[[Net], object]


def draw_numbers(_: Net) -> None:
    torch.rand(1)
    random.random()
    np.random.rand()


def flip_flags(model: Net) -> None:
    for parameter in model.parameters():
        parameter.requires_grad = not parameter.requires_grad


def backward(model: Net) -> None:
    with torch.enable_grad():
        own = sum(p.sum() for p in model.parameters() if p.requires_grad)
        (model(X).sum() + own).sum().backward()


def step(model: Net) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    torch.optim.AdamW(model.parameters(), lr=1.0).step()


def write_data(model: Net) -> None:
    model.head.weight.data.add_(1)
    model.norm.running_mean.data.mul_(3)


def exchange_data(model: Net) -> None:
    model.head.bias.data = torch.ones(2)
    model.norm.running_var.data = torch.ones(3)


def load(model: Net) -> None:
    model.head.load_state_dict({n: t + 1 for n, t in model.head.state_dict().items()})


def exchange_parameter(model: Net) -> None:
    model.head.weight = nn.Parameter(torch.ones(2, 3))
    model.scale = nn.Parameter(torch.ones(1))


def exchange_buffers(model: Net) -> None:
    model.mean = model.mean + 1
    model.edges = model.edges * 2
    model.cache = torch.ones(1)
    model.register_buffer("new", torch.ones(1))


def make_module(model: Net) -> None:
    model.late = nn.Linear(2, 2)
    model.other = nn.Linear(2, 2)


def remove(model: Net) -> None:
    del model.tied.bias
    model.tied.bias = None


def recompute(model: Net) -> None:
    checkpoint(model.norm, X.clone().requires_grad_(), use_reentrant=True).sum()
    checkpoint(model.norm, X, use_reentrant=False).sum()


def lower_precision(model: Net) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        model(X)


def fail(_: Net) -> None:
    raise ZeroDivisionError


ACTIONS = [
    lambda model: model.train(),
    lambda model: model.eval(),
    lambda model: model.zero_grad(),
    lambda model: model(X),
    lambda model: freeze(model.head),
    lambda model: torch.vmap(model.head)(X),
    lambda _: torch.set_grad_enabled(False),
    *[draw_numbers, flip_flags, backward, step, write_data, exchange_data, load],
    *[exchange_parameter, exchange_buffers, make_module, remove, recompute],
    *[lower_precision, fail],
]


def hooked(model: Net) -> None:
    """Register a hook of each kind."""
    head = model.head
    head.register_forward_pre_hook(lambda *_: None)
    head.register_forward_hook(lambda *_: None)
    head.register_full_backward_pre_hook(lambda *_: None)
    head.register_full_backward_hook(lambda *_: None)
    head.register_state_dict_pre_hook(lambda *_: None)
    head.register_load_state_dict_pre_hook(lambda *_: None)
    head.register_load_state_dict_post_hook(lambda *_: None)
    head.weight.register_hook(lambda _: None)
    head.weight.register_post_accumulate_grad_hook(lambda _: None)


def everything(model: nn.Module) -> list[object]:
    """Return all that must be as before: tensors by value and identity, modes."""
    generator = np.random.get_state(legacy=False)["state"]
    return [
        [tensor_state(name, p) for name, p in model.named_parameters()],
        [tensor_state(name, b) for name, b in model.named_buffers()],
        [module_state(name, m) for name, m in model.named_modules()],
        (torch.get_rng_state().tolist(), random.getstate()),
        (generator["key"].tolist(), generator["pos"]),
        (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        (torch.is_autocast_enabled("cpu"), torch.get_default_dtype()),
    ]


def tensor_state(name: str, tensor: Tensor) -> tuple[object, ...]:
    grad = None if tensor.grad is None else (id(tensor.grad), tensor.grad.tolist())
    hooks = tensor._backward_hooks, tensor._post_accumulate_grad_hooks
    return (
        *(name, id(tensor), tensor.to_dense().tolist(), tensor.dtype, tensor.layout),
        *(tensor.requires_grad, grad, [list(held or ()) for held in hooks]),
    )


def module_state(name: str, module: nn.Module) -> tuple[object, ...]:
    attributes = vars(module)
    hooks = {key: list(held) for key, held in attributes.items() if "_hooks" in key}
    return (
        *(name, id(module), module.training, hooks, set(attributes)),
        *(list(attributes[kind]) for kind in ("_parameters", "_buffers", "_modules")),
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("training", [False, True])
def test_each_action_is_undone(action: Action, training: bool) -> None:
    """Each action is undone, before the forward and after it."""
    check([action], [action], set(), training, True, False)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=settings.default.max_examples // 4)
@given(
    st.lists(st.sampled_from(ACTIONS), max_size=4),
    st.lists(st.sampled_from(ACTIONS), max_size=4),
    st.sets(st.sampled_from(["table", "norm", "body", "head", "tied.bias"])),
    *[st.booleans()] * 3,
)
def test_nothing_is_changed(
    before: list[Action],
    after: list[Action],
    frozen: set[str],
    training: bool,
    with_grads: bool,
    gradients: bool,
) -> None:
    """Whatever a function does before and after its forward is undone."""
    check(before, after, frozen, training, with_grads, gradients)


def check(
    before: list[Action],
    after: list[Action],
    frozen: set[str],
    training: bool,
    with_grads: bool,
    gradients: bool,
) -> None:
    model = Net().train(training)
    hooked(model)
    if with_grads:
        backward(model)
    if frozen:
        freeze(model, *frozen)

    def loss() -> Tensor:
        for action in before:
            action(model)
        result = model(X).sum()
        for action in after:
            action(model)
        return result

    snapshot = everything(model)
    # Some actions raise, or make a backward raise; all must be restored then too.
    with suppress(ZeroDivisionError, RuntimeError):
        explain(model, loss, gradients=gradients)
    assert everything(model) == snapshot
