"""Tests that the types of all results are public."""

import pickle

import pytest
import torch
from torch import Tensor, nn

import gradguide
from gradguide import Frozen, Graph, Report, Row, Saved, explain, freeze, graph, saved


def loss_of(model: nn.Module) -> Tensor:
    return model(torch.ones(1, 2)).exp().sum()


def test_types() -> None:
    """Each function returns a type that can be imported from the package."""
    model = nn.Linear(2, 2)
    loss = loss_of(model)
    assert type(saved(loss, model)) is Saved
    assert type(graph(loss, model)) is Graph
    assert type(explain(model)) is Report
    assert type(explain(model)[0]) is Row
    assert isinstance(explain(model).problems, Report)
    assert type(freeze(model)) is Frozen


def test_all_names() -> None:
    """Nothing that is public is missing in the list of public names."""
    public = {name for name in vars(gradguide) if not name.startswith("_")}
    assert public == set(gradguide.__all__)


@pytest.mark.parametrize("kind", [Frozen, Row, Saved])
def test_repr(kind: type) -> None:
    """What is shown begins with the name of the type."""
    model = nn.Linear(2, 2)
    results = [saved(loss_of(model), model), explain(model)[0], freeze(model)]
    (result,) = (result for result in results if type(result) is kind)
    assert repr(result).startswith(f"{kind.__name__}(")


def test_frozen_says_that_it_is_undone() -> None:
    """What is shown tells whether the freeze is still in force."""
    frozen = freeze(nn.Linear(2, 2))
    assert repr(frozen) == "Frozen(names=('weight', 'bias'), stats=())"
    frozen.undo()
    assert repr(frozen) == "Frozen(names=('weight', 'bias'), stats=(), undone)"


def test_numbers_do_not_hold_the_graph() -> None:
    """A measurement can be kept and pickled; it holds numbers and names alone."""
    model = nn.Linear(2, 2)
    kept = saved(loss_of(model), model)
    assert pickle.loads(pickle.dumps(kept)) == kept
