"""Tests that ``saved`` measures what autograd really keeps."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from gradguide import saved

from .programs import Square


def seen_by_hooks(model: nn.Module, x: Tensor) -> int:
    """Return the bytes that pass the hooks in a forward, each storage once.

    Parameters, buffers and an input that requires grad live anyway.
    """
    packed: list[Tensor] = []
    with saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        loss = model(x).sum()
    others = [*model.parameters(), *model.buffers(), *([x] if x.requires_grad else [])]
    alive = {t.untyped_storage().data_ptr() for t in others}
    sizes = {
        t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in packed
    }
    del loss
    return sum(size for address, size in sizes.items() if address not in alive)


class Then(nn.Module):
    """A layer, and an operation on its result."""

    def __init__(self, layer: nn.Module, operation: Callable[..., Tensor]) -> None:
        super().__init__()
        self.layer = layer
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        return self.operation(self.layer(x))


MODELS = {
    "mlp": lambda: nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)),
    "relu": lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)),
    "norms": lambda: nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.GELU(), nn.LayerNorm(16)
    ),
    "conv": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 4)), nn.Conv1d(2, 4, 3), nn.ReLU(), nn.AvgPool1d(2)
    ),
    "encoder": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 4)), nn.TransformerEncoderLayer(4, 2, 8, dropout=0)
    ),
    "shared": lambda: nn.Sequential(*[nn.Linear(8, 8)] * 3),
    "recurrent": lambda: Then(nn.LSTM(8, 4, 2), lambda result: result[0]),
    "numbers": lambda: Then(nn.Linear(8, 8), lambda y: (y * 2).where(y > 0, y / 0.5)),
    "tensor of a number": lambda: Then(
        nn.Linear(8, 8), lambda y: y * torch.tensor(2.0, dtype=torch.float64)
    ),
    "complex": lambda: Then(nn.Linear(8, 8), lambda y: (torch.fft.fft(y) * 2j).abs()),
    "sorted": lambda: Then(nn.Linear(8, 8), lambda y: y.sort()[0] * y[0]),
    "singular values": lambda: Then(nn.Linear(8, 8), torch.linalg.svdvals),
    "in place": lambda: Then(nn.Linear(8, 8), lambda y: y.relu_().add_(1).sigmoid_()),
    "view": lambda: Then(nn.Linear(8, 8), lambda y: y[:, ::2].T @ y[:, ::2]),
}


@pytest.mark.parametrize("name", MODELS)
def test_equals_what_hooks_see(name: str) -> None:
    """It counts the same bytes as ``saved_tensors_hooks``, without running anything."""
    model, x = MODELS[name](), torch.randn(4, 8)
    assert saved(model(x).sum(), model).bytes == seen_by_hooks(model, x) > 0


@settings(max_examples=settings.default.max_examples // 2)
@given(st.sampled_from(sorted(MODELS)), st.integers(0, 2**8 - 1), st.booleans())
def test_equals_what_hooks_see_when_frozen(name: str, mask: int, grad: bool) -> None:
    """It counts the same bytes as the hooks, whichever parameters are frozen."""
    model, x = MODELS[name](), torch.randn(4, 8, requires_grad=grad)
    for bit, parameter in enumerate(model.parameters()):
        parameter.requires_grad = not mask >> bit & 1
    assert saved(model(x).sum(), model).bytes == seen_by_hooks(model, x)


def test_order_of_freezing_matters() -> None:
    """Freezing the last linear layers saves less memory than freezing the first."""
    model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(8)))
    x = torch.randn(4, 8)
    whole = saved(model(x).sum(), model).bytes
    model[4:].requires_grad_(False)
    assert saved(model(x).sum(), model).bytes > 0.4 * whole
    model.requires_grad_(False)[7].requires_grad_()
    assert saved(model(x).sum(), model).bytes == whole / 8


def test_by_op_adds_up() -> None:
    """The bytes by operation add up to all bytes, the largest first."""
    model = MODELS["norms"]()
    result = saved(model(torch.randn(4, 8)).sum(), model)
    assert sum(result.by_op.values()) == result.bytes
    assert list(result.by_op.values()) == sorted(result.by_op.values(), reverse=True)
    assert "NativeLayerNormBackward0" in result.by_op


def test_view_keeps_its_storage() -> None:
    """A saved view counts as the storage that it keeps alive."""
    x = torch.ones(1000)
    weight = torch.ones(1, requires_grad=True)
    assert saved(x[:1] * weight).bytes == 4000


def test_frozen_weight_without_model() -> None:
    """A frozen weight counts, unless it belongs to the ``model`` that is given."""
    model = nn.Linear(8, 8, bias=False).requires_grad_(False)
    loss = model(torch.ones(1, 8, requires_grad=True)).sum()
    assert saved(loss).bytes == 8 * 8 * 4
    assert saved(loss, model).bytes == 0


def test_freed() -> None:
    """After a backward nothing is kept, and ``freed`` is true."""
    loss = torch.ones(3, requires_grad=True).exp().sum()
    assert not saved(loss).freed
    loss.backward()
    assert saved(loss) == (0, {}, 3, True, {})
    assert "freed by a backward" in str(saved(loss))


def test_freed_in_part() -> None:
    """After a backward, what it did not go through is still counted, by operation."""
    model, x = nn.Linear(8, 8), torch.randn(16, 8)
    out = model(x)
    metric = nn.functional.mse_loss(out, x).sqrt()
    (out - x).square().mean().backward()
    result = saved(metric, model)
    assert result.by_op == {"MseLossBackward0": 2 * 16 * 8 * 4, "SqrtBackward0": 4}
    assert result.freed
    assert "1.004 KiB saved by 6 nodes, a part freed by a backward" in str(result)


def test_freed_behind_hooks() -> None:
    """Finding out what was freed runs no hook, nor a checkpoint."""
    calls = []
    with saved_tensors_hooks(lambda t: t, lambda t: calls.append(1) or t):
        y = torch.ones(3, requires_grad=True).exp()
        kept = y.sin()
        loss = checkpoint(lambda x: calls.append(1) or x.exp(), y, use_reentrant=False)
    assert not saved([loss, kept]).freed
    loss.sum().backward()
    calls.clear()
    assert saved(loss).freed
    assert saved(kept)[:4] == (12, {"SinBackward0": 12}, 3, True)
    assert not calls


def test_optional_tensors_are_not_freed() -> None:
    """An optional tensor that an operation did not get does not count as freed."""
    loss = nn.functional.layer_norm(torch.ones(2, 3, requires_grad=True), (3,)).sum()
    assert not saved(loss).freed


def test_no_graph() -> None:
    """A tensor without history keeps nothing."""
    assert saved(torch.ones(3)) == (0, {}, 0, False, {})


def test_nested_losses() -> None:
    """Losses in tuples, lists and dicts count once together."""
    y = torch.ones(3, requires_grad=True).exp()
    assert saved({"loss": y.sum(), "parts": [y, (y,)]}).bytes == 12


def test_checkpoint_is_not_run() -> None:
    """Tensors that a checkpoint recomputes are not kept, and are not recomputed."""
    calls = []

    def layer(x: Tensor) -> Tensor:
        calls.append(1)
        return x.exp().sin()

    y = checkpoint(layer, torch.ones(3, requires_grad=True), use_reentrant=False)
    assert saved(y.sum()).bytes == 0
    assert len(calls) == 1


def test_hook_is_not_unpacked() -> None:
    """A packed tensor counts as packed, and its hook doesn't run."""

    def refuse(_: object) -> Tensor:
        raise AssertionError

    with saved_tensors_hooks(lambda t: t.half(), refuse):
        loss = torch.ones(10, requires_grad=True).exp().sum()
    assert saved(loss).bytes == 20


def test_custom_function() -> None:
    """Tensors that a custom function saves count, until a backward frees them."""
    loss = Square.apply(torch.ones(3, requires_grad=True) + 1).sum()
    assert saved(loss).by_op == {"SquareBackward": 12}
    loss.backward()
    assert saved(loss).freed


def test_deep_graph() -> None:
    """A graph of ten thousand nodes is walked without recursion."""
    y = torch.ones(1, requires_grad=True)
    for _ in range(10_000):
        y = y + 1
    assert saved(y).nodes == 10_001


def test_meta() -> None:
    """Tensors on the meta device keep no memory."""
    model = nn.Linear(2, 2, device="meta")
    assert saved(model(torch.ones(1, 2, device="meta")).sum(), model).bytes == 0


def test_wrong_type() -> None:
    """A loss without a tensor is refused."""
    with pytest.raises(TypeError, match="saved: expected a tensor, or a tuple, list"):
        saved(1.0)
    with pytest.raises(TypeError, match="got a list without tensors; pass the loss"):
        saved([1.0])
    with pytest.raises(TypeError, match="saved: expected a torch"):
        saved(torch.ones(1), "model")  # type: ignore[arg-type]


class Equal(nn.Linear):
    """A layer that calls itself equal to any other."""

    def __eq__(self, _: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def test_modules_that_compare_equal() -> None:
    """Modules are told apart by identity, so that the parameters of each are found."""
    first, last = Equal(3, 3).requires_grad_(False), Equal(3, 3).requires_grad_(False)
    x = torch.ones(2, 3, requires_grad=True)
    assert saved(last(first(x)).sum(), nn.ModuleList([first, last])).bytes == 0
