"""Calls of the module that a type checker accepts, and calls that it refuses.

mypy reads this file in ``nox -s lint``. A call that should be refused and isn't is an
error, too: then its ``type: ignore`` is unused.
"""

from pathlib import Path
from typing import assert_type

import torch
from torch import Tensor, nn

import gradguide
from gradguide import Frozen, Graph, Report, Row, Saved


def right(model: nn.Module, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Call each function as its documentation says."""
    assert_type(gradguide.explain(model), Report)
    gradguide.explain(model, optimizer)
    gradguide.explain(model, loss, optimizer)
    gradguide.explain(model, {"a": loss, "b": [loss]}, gradients=True)
    report = gradguide.explain(model, lambda: model(loss).sum(), optimizer)
    assert_type(report.problems, Report)
    assert_type(report[0], Row)
    assert_type(report[0].is_problem, bool)
    assert_type(gradguide.freeze(model, "head", stats=False), Frozen)
    assert_type(gradguide.unfreeze(model), tuple[str, ...])
    assert_type(gradguide.saved([loss], model), Saved)
    assert_type(gradguide.graph(loss, depth=3), Graph)
    assert_type(gradguide.describe(loss), str)
    with gradguide.changed(model) as names:
        assert_type(names, list[str])
    with gradguide.watch(model, optimizer) as watched:
        assert_type(watched, Report)


@gradguide.watch()
def step(batch: Tensor, rate: float) -> float:
    """Keep its own signature."""
    return float(batch.sum()) * rate


def wrong(model: nn.Module, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Make the mistakes that a type checker finds."""
    gradguide.explain(loss)  # type: ignore[arg-type]
    gradguide.explain(model, 0.5)  # type: ignore[arg-type]
    gradguide.explain(model, "loss")  # type: ignore[arg-type]
    gradguide.explain(model, loss, [optimizer])  # type: ignore[arg-type]
    gradguide.explain(model, lambda batch: model(batch))  # type: ignore[arg-type, misc]
    gradguide.saved(0.5)  # type: ignore[arg-type]
    gradguide.graph(None)  # type: ignore[arg-type]
    gradguide.describe(Path())  # type: ignore[arg-type]
    gradguide.freeze("head")  # type: ignore[arg-type]
    gradguide.watch("model")  # type: ignore[arg-type]
    step("batch", 1.0)  # type: ignore[arg-type]
