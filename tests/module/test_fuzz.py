"""Tests verdict, cause and line on random programs with random cuts."""

import itertools
import linecache

import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from gradguide import changed, explain

from .optimizers import OPTIMIZERS
from .programs import STEPS, Program, Square, Step, Ways

NUMBERS = itertools.count()
SEEN = 1e-3
"""A gradient that moves a number of the size of 1, whatever the optimizer."""


@pytest.mark.filterwarnings("ignore:Converting a tensor")
@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 3), st.integers(0, 9)),
        min_size=2,
        max_size=12,
    ),
    st.lists(st.integers(0, 2), min_size=1, max_size=2),
    st.sets(st.integers(0, 9)),
    st.sampled_from(sorted(OPTIMIZERS)),
)
def test_random_graph(
    count: int,
    steps: list[tuple[Step, int, int]],
    ends: list[int],
    frozen: set[int],
    kind: str,
) -> None:
    """Verdict, cause and line agree with the rules and with a real step."""
    model = nn.Module()
    for i in range(count):
        values = torch.linspace(-1, 1, 4) + 0.1 * i
        model.register_parameter(f"p{i}", nn.Parameter(values))
    program = Program(count)
    for i in frozen & set(range(count)):
        model.get_parameter(f"p{i}").requires_grad = False
        program.ways[f"model.p{i}"] = {}
    for step, a, b in steps:
        program.add(step, program.pick(a), program.pick(b))
    reached = program.join([program.pick(end) for end in ends])
    check(model, program, reached, OPTIMIZERS[kind](model.parameters()))


def check(
    model: nn.Module,
    program: Program,
    reached: Ways,
    optimizer: torch.optim.Optimizer,
) -> None:
    source = "\n".join(program.lines)
    file = f"fuzz{next(NUMBERS)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space = {"torch": torch, "model": model, "Square": Square, "checkpoint": checkpoint}
    exec(compile(source, file, "exec"), space)  # noqa: S102 it was made here
    report = {row.name: row for row in explain(model, space["loss"], optimizer)}
    value = space["loss"]()
    if value.requires_grad:
        value.backward()
    with changed(model) as names:
        optimizer.step()
    for name, parameter in model.named_parameters():
        row = report[name]
        told = f"{row}\n{source}"
        event(row.verdict)
        assert (row.verdict == "trains") == (parameter.grad is not None), told
        assert row.verdict == "trains" or name not in names, told
        if parameter.grad is not None and parameter.grad.abs().max() > SEEN:
            assert name in names, told
        if not parameter.requires_grad:
            assert row.verdict == "frozen", told
        elif None in reached.get(name, ()):
            assert row.verdict == "trains", told
        elif name in program.hidden and row.verdict == "unknown":
            assert row.why == "torch.func", told
        elif name in reached:
            allowed = {(word, f"{file}:{line}") for word, line in reached[name]}
            assert row.verdict == "cut", told
            assert (row.why, row.where) in allowed, told
        elif name in program.exits:
            allowed = {
                (f"its result left PyTorch by {word}", f"{file}:{line}")
                for word, line in program.exits[name]
            }
            assert row.verdict == "unused", told
            assert (row.why, row.where) in allowed, told
        elif name in program.read:
            why = "its result never reaches the loss; last used by "
            assert row.verdict == "unused", told
            assert row.why.startswith(why), told
            assert row.where.startswith(f"{file}:"), told
        else:
            why = "never read in the forward"
            assert (row.verdict, row.why, row.where) == ("unused", why, ""), told
    del linecache.cache[file]
