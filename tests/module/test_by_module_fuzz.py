"""Tests on random networks that no module is said to keep what others made."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd.graph import Node

from gradguide import saved
from gradguide._autograd import nodes, tensors_in
from gradguide._by_module import Owned

from .nets import Block, Raw, Residual, Twice
from .test_saved import MODELS, Then


def true_modules(model: nn.Module) -> dict[Node, str]:
    """Fill a dict, in each forward, with the innermost module that made a node."""
    made: dict[Node, str] = {}

    def note(path: str) -> Callable[..., None]:
        return lambda _, __, output: made.update(
            (node, path) for node in nodes(tensors_in(output)) if node not in made
        )

    for path, module in model.named_modules():
        module.register_forward_hook(note(path))
    return made


TRUTHS = {
    # In PyTorch's own attention, the module around it uses the parameters of out_proj.
    **{name: make for name, make in MODELS.items() if name != "encoder"},
    "transformer": lambda: nn.Sequential(Block(), nn.LayerNorm(8), Block()),
    "residual": lambda: nn.Sequential(Residual(), Residual(), nn.Linear(8, 8)),
    "twice": lambda: nn.Sequential(Twice(Residual()), Twice(nn.Linear(8, 8))),
    "two recurrent": lambda: Then(nn.GRU(8, 8, 2).double(), lambda y: y[0]),
    "raw": lambda: nn.Sequential(Raw(), nn.GELU(), Raw()),
}


@settings(max_examples=settings.default.max_examples // 2)
@given(st.sampled_from(sorted(TRUTHS)), st.integers(0, 2**12 - 1), st.integers(1, 3))
def test_never_too_narrow(name: str, mask: int, forwards: int) -> None:
    """No module is said to keep more than its forward made, whatever is frozen."""
    model = TRUTHS[name]()
    for bit, parameter in enumerate(model.parameters()):
        parameter.requires_grad = not mask >> bit & 1
    made = true_modules(model)
    dtype = next(model.parameters()).dtype
    losses = [model(torch.randn(4, 8, dtype=dtype)).square() for _ in range(forwards)]
    seen: list[dict[Node, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        add_up = Owned.by_module
        patch.setattr(
            Owned, "by_module", lambda *args: seen.append(args[1]) or add_up(*args)
        )
        told = saved(losses, model).by_module
    for path, _ in list(model.named_modules())[1:]:
        mine = (size for other, size in told.items() if is_in(other, path))
        true = (n for node, n in seen[0].items() if is_in(made.get(node, ""), path))
        assert sum(mine) <= sum(true), path


def is_in(path: str, around: str) -> bool:
    return f"{path}.".startswith(f"{around}.")
