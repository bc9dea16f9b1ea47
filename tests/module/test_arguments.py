"""Tests that arguments of a wrong kind are refused with what to pass instead."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from gradguide import changed, freeze, graph, saved, unfreeze


def enter_changed(model: nn.Module) -> None:
    with changed(model):
        pass


LOSS = torch.ones(1, requires_grad=True).exp()
CALLS: dict[str, Callable[[nn.Module], object]] = {
    "freeze": freeze,
    "unfreeze": unfreeze,
    "changed": enter_changed,
    "saved": lambda model: saved(LOSS, model),
    "graph": lambda model: graph(LOSS, model),
}


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))


WRONG: dict[str, tuple[Callable[[nn.Module], object], str]] = {
    "parameters": (lambda m: m.parameters(), "generator; pass the network itself"),
    "named": (lambda m: m.named_parameters(), "generator; pass the network itself"),
    "modules": (lambda m: m.modules(), "generator; pass the network itself"),
    "a list of parameters": (
        lambda m: list(m.parameters()),
        "list; pass the network itself, not its parameters",
    ),
    "a parameter": (lambda m: m[0].weight, "Parameter; pass the network itself"),
    "a list": (lambda m: [m, net()], r"list; .* in one: nn.ModuleList\(...\)"),
    "a tuple": (lambda m: (m, net()), r"tuple; .* in one: nn.ModuleList\(...\)"),
    "a dict": (lambda m: {"a": m}, r"dict; .* in one: nn.ModuleDict\(...\)"),
    "a state": (lambda m: m.state_dict(), r"OrderedDict; .* such as model\.backbone"),
    "a class": (type, "type; pass the network or a part of it"),
    "a name": (lambda _: "model", "str; pass the network or a part of it"),
    "nothing": (lambda _: [], "list; pass the network or a part of it"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", WRONG)
def test_no_module(call: str, kind: str) -> None:
    """A module is asked for, in the words for what was given; nothing is consumed."""
    model = net()
    make, told = WRONG[kind]
    given = make(model)
    with pytest.raises(
        TypeError, match=f"{call}: expected a torch.nn.Module, got {told}"
    ):
        CALLS[call](given)
    if isinstance(given, Iterator):
        assert len(list(given)) > 1
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("function", [freeze, unfreeze])
def test_no_patterns(function: Callable[..., object]) -> None:
    """Patterns are strings; other things are not frozen, and not consumed."""
    model = net()
    with pytest.raises(
        TypeError, match=r"got Sequential; call .* on that module itself"
    ):
        function(model, net())
    with pytest.raises(
        TypeError, match="got Parameter; pass its name, as in named_par"
    ):
        function(model, model[0].weight)
    parameters = model.parameters()
    with pytest.raises(TypeError, match=r"got generator; .*\(module, \*names\)"):
        function(model, "0", parameters)
    assert len(list(parameters)) == 4
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_several_networks() -> None:
    """Several networks in one module work as one."""
    generator, critic = net(), nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2))
    both = nn.ModuleDict({"generator": generator, "critic": critic})
    frozen = freeze(both, "critic")
    assert frozen.stats == ("critic.1",)
    with changed(both) as names:
        loss = critic.train()(generator(torch.randn(4, 2))).sum()
    assert names == []
    kept = saved(loss, both)
    assert set(kept.by_module) == {"generator.0", "generator.1", "critic.1"}
    assert kept.bytes < saved(loss, generator).bytes  # which counts the critic's weight
    frozen.undo()
    with changed(nn.ModuleList([generator, critic])) as names:
        critic(generator(torch.randn(4, 2)))
    assert names[0] == "1.1.running_mean"


@pytest.mark.parametrize("function", [saved, graph])
def test_no_loss(function: Callable[[object], object]) -> None:
    """A loss that holds no tensor is refused, and an iterator is not consumed."""
    losses = iter([LOSS, LOSS])
    with pytest.raises(TypeError, match="got list_iterator; make a list of it"):
        function(losses)
    assert len(list(losses)) == 2
    with pytest.raises(TypeError, match="got Sequential; pass the loss, and after it"):
        function(net())
    with pytest.raises(TypeError, match=r"got float; pass the loss before item\(\)"):
        function(0.5)
