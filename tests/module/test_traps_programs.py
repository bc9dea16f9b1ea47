"""Tests ``explain`` with checkpoints, compilers, inference mode and wrong arguments."""

import shutil

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradguide import explain

from .nets import norm_net
from .scenarios import Two


def verdicts(model: nn.Module, loss: object, **more: object) -> dict[str, str]:
    return {row.name: row.verdict for row in explain(model, loss, **more)}


@pytest.mark.filterwarnings("ignore:None of the inputs")
def test_parameters_inside_a_reentrant_checkpoint_are_unknown() -> None:
    """They are unknown for a tensor and a second, detached use as well."""
    model = Two()
    x = torch.randn(5, 3)

    def last() -> Tensor:
        return checkpoint(model.head, model.backbone(x), use_reentrant=True).sum()

    def both() -> Tensor:
        features = model.head(torch.ones(5, 4)).detach()
        return features.sum() + last()

    assert verdicts(model, both)["head.weight"] == "unknown"
    assert verdicts(model, last())["head.weight"] == "unknown"
    assert verdicts(model, last(), gradients=True)["head.weight"] == "unknown"


def test_gradients_recompute_a_checkpoint_safely() -> None:
    """A backward through a checkpoint runs it again; its statistics are restored."""
    model = norm_net()
    x = torch.randn(5, 3)
    mean = model[1].running_mean.clone()
    found = verdicts(
        model, lambda: checkpoint(model, x, use_reentrant=False).sum(), gradients=True
    )
    assert set(found.values()) <= {"trains", "zero"}
    assert model[1].running_mean.equal(mean)


# Only the backend inductor calls a C++ compiler.
needs_compiler = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler"
)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method")
@pytest.mark.parametrize(
    "backend", ["eager", "aot_eager", pytest.param("inductor", marks=needs_compiler)]
)
def test_compiled_model(backend: str) -> None:
    """A compiled model gets the verdicts of the plain one, or unknown, and the line."""
    model = Two(lambda y: y.detach())
    model.spare = nn.Linear(1, 1)
    fast = torch.compile(model, backend=backend)
    x = torch.randn(5, 3)
    fast(x)
    plain = verdicts(model, lambda: model(x).sum())
    found = explain(fast, lambda: fast(x).sum())
    assert {r.name.removeprefix("_orig_mod."): r.verdict for r in found} == plain
    assert found[0].where.startswith("test_traps_programs.py:")
    for row in explain(fast, fast(x).sum()):
        expected = plain[row.name.removeprefix("_orig_mod.")]
        if row.verdict != "unknown":
            assert (row.verdict == "trains") == (expected == "trains")
    for row in explain(fast, fast(x).sum(), gradients=True):
        expected = plain[row.name.removeprefix("_orig_mod.")]
        assert (row.verdict == "trains") == (expected == "trains")
    torch.compiler.reset()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_torchscript() -> None:
    """A parameter of a script is unknown, as the mode does not see inside scripts."""
    model = nn.ModuleDict({"script": torch.jit.script(nn.Linear(3, 3))})
    x = torch.randn(5, 3)
    assert verdicts(model, lambda: model["script"](x).detach().sum()) == {
        "script.weight": "unknown",
        "script.bias": "unknown",
    }


def test_lazy_parameters() -> None:
    """A lazy model is explained, but a run, which would give it shapes, is refused."""
    model = nn.Sequential(nn.LazyLinear(2))
    assert [row.numel for row in explain(model)] == [0, 0]
    with pytest.raises(ValueError, match=r"explain: '0\.weight' of Sequential has no"):
        explain(model, lambda: model(torch.ones(1, 2)).sum())


def test_model_made_in_inference_mode() -> None:
    """A parameter made in inference mode is cut, whatever its ``requires_grad``."""
    with torch.inference_mode():
        model = nn.Linear(2, 1)
    for loss in (None, lambda: model(torch.ones(1, 2)).sum()):
        assert {row[1:3] for row in explain(model, loss)} == {
            ("cut", "inference_mode, where it was made: it can't train")
        }


def test_wrong_arguments() -> None:
    """Arguments of a wrong type are refused with the type to pass."""
    model = Two()
    with pytest.raises(TypeError, match="function's result: expected a tensor, or a"):
        explain(model, lambda: model(torch.ones(1, 3)).sum().item())
    with pytest.raises(TypeError, match="explain: expected a tensor, or a tuple"):
        explain(model, 3.0)
    with pytest.raises(TypeError, match=r"explain: expected a torch\.nn\.Module"):
        explain(lambda x: x)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected a torch\.optim\.Optimizer, got Two"):
        explain(model, optimizer=model)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="explain: gradients=True needs a loss"):
        explain(model, gradients=True)
