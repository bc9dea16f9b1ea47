"""Tests verdict, cause and line on random graphs with random cuts."""

import itertools
import linecache
from collections.abc import Callable

import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradguide import explain

Cut = tuple[str, int]


class Square(torch.autograd.Function):
    """A custom function, inside of which nothing is recorded."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x.detach()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * grad


class Program:
    """Straight-line code, and what is known of each of its variables by its rules.

    ``ways`` tells for each variable from which parameters data came, and the first cut
    on each way; None is a way without a cut.
    """

    def __init__(self, count: int) -> None:
        self.lines = ["def loss():"]
        self.ways: dict[str, dict[str, set[Cut | None]]] = {
            f"model.p{i}": {f"p{i}": {None}} for i in range(count)
        }
        self.exits: dict[str, set[int]] = {}
        self.read: set[str] = set()

    def pick(self, number: int) -> str:
        """Return one of the variables so far, counted from the end."""
        names = list(self.ways)
        return names[-1 - number % len(names)]

    def line(self, text: str) -> int:
        """Write a line, and return its number."""
        self.lines.append(f"    {text}")
        return len(self.lines)

    def use(self, name: str, cut: Cut | None = None) -> dict[str, set[Cut | None]]:
        """Return the ways that lead on from a variable, through a cut or not."""
        ways = self.ways[name]
        self.read |= set(ways)
        return {
            parameter: {one if one is not None else cut for one in cuts}
            for parameter, cuts in ways.items()
        }

    def make(self, *ways: dict[str, set[Cut | None]]) -> str:
        """Name a new variable into which some ways lead."""
        name = f"v{len(self.ways)}"
        self.ways[name] = merged(*ways)
        return name

    def joined(self, names: list[str]) -> dict[str, set[Cut | None]]:
        """Return the ways that lead to a sum of variables, and write it."""
        self.line(f"return sum([{', '.join(f'{name}.sum()' for name in names)}])")
        return merged(*(self.use(name) for name in names))


def merged(*ways: dict[str, set[Cut | None]]) -> dict[str, set[Cut | None]]:
    result: dict[str, set[Cut | None]] = {}
    for one in ways:
        for parameter, cuts in one.items():
            result[parameter] = result.get(parameter, set()) | cuts
    return result


def smooth(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(a), program.use(b))
    program.line(f"{name} = torch.tanh({a} * {b} + 0.1)")


def stack(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(a), program.use(b))
    program.line(f"{name} = torch.stack([{a}, {b}]).mean(0)")


def cutter(expression: str, word: str) -> Callable[[Program, str, str], None]:
    """Return a step that joins one variable with another through a cut."""

    def step(program: Program, a: str, b: str) -> None:
        number = len(program.lines) + 1
        name = program.make(program.use(a, (word, number)), program.use(b))
        program.line(f"{name} = {expression.format(a)} + {b}")

    return step


def block(head: str, word: str, end: str = "") -> Callable[[Program, str, str], None]:
    """Return a step that runs an operation of two variables in a ``with`` block."""

    def step(program: Program, a: str, b: str) -> None:
        number = program.line(f"with {head}:")
        cut = (word, number)
        name = program.make(program.use(a, cut), program.use(b, cut))
        program.line(f"    {name} = {a} * {b}")
        program.line(f"{name} = {name}{end}")

    return step


def dead_view(program: Program, a: str, _: str) -> None:
    number = program.line("with torch.no_grad():")
    name = program.make(program.use(a, ("no_grad", number)))
    program.line(f"    {name} = {a}.view(2, 2)")
    program.line(f"{name} = {name}.flatten() * 1")


def leave(program: Program, a: str, b: str) -> None:
    number = len(program.lines) + 1
    name = program.make(program.use(b))
    for parameter in program.use(a):
        program.exits.setdefault(parameter, set()).add(number)
    program.line(f"{name} = {b} * {a}.mean().item()")


def factory(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(b))
    program.line(f"{name} = torch.ones_like({a}) * {b} + {a}.new_zeros(4)")


def in_place(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(a), program.use(b))
    program.line(f"{name} = {a}.clone()")
    program.line(f"{name}[1:3].add_({b}[1:3])")


def in_place_through_alias(program: Program, a: str, b: str) -> None:
    number = len(program.lines) + 2
    name = program.make(program.use(a), program.use(b, (".data", number)))
    program.line(f"{name} = {a}.clone()")
    program.line(f"{name}.data.add_({b})")


def in_place_under_no_grad(program: Program, a: str, b: str) -> None:
    number = len(program.lines) + 2
    name = program.make(program.use(a), program.use(b, ("no_grad", number)))
    program.line(f"{name} = {a}.clone()")
    program.line("with torch.no_grad():")
    program.line(f"    {name}.add_({b})")


def overwrite(program: Program, a: str, b: str) -> None:
    program.use(a)
    name = program.make(program.use(b))
    program.line(f"{name} = {a}.detach().clone()")
    program.line(f"{name}.copy_({b})")


def index(program: Program, a: str, b: str) -> None:
    number = len(program.lines) + 1
    cut = ("argsort() is not differentiable", number)
    name = program.make(program.use(a), program.use(b, cut))
    program.line(f"{name} = {a}[{b}.argsort()]")


def custom(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(a), program.use(b))
    program.line(f"{name} = Square.apply({a}) + {b}")


def recompute(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(a), program.use(b))
    program.line(
        f"{name} = checkpoint(lambda u: u.sin() * {b}, {a}, use_reentrant=False)"
    )


def drop(program: Program, a: str, _: str) -> None:
    program.use(a)
    program.line(f"{a} * 2")


def same(program: Program, a: str, _: str) -> None:
    name = program.make(program.ways[a])  # it is the same tensor, and not read
    program.line(f"{name} = {a}.to(torch.float32).contiguous().type_as({a})")


def broadcast(program: Program, a: str, b: str) -> None:
    program.use(b)
    name = program.make(program.use(a))
    program.line(f"{name}, _ = torch.broadcast_tensors({a} * 1, {b}[:1])")


STEPS = [
    *[smooth, smooth, smooth, stack, in_place, custom, recompute, index, same, drop],
    *[broadcast, factory, leave, overwrite, dead_view],
    *[in_place_through_alias, in_place_under_no_grad],
    cutter("{}.detach()", "detach()"),
    cutter("{}.data", ".data"),
    cutter("({} > 0)", "gt() is not differentiable"),
    cutter("{}.argmax()", "argmax() is not differentiable"),
    cutter("torch.tensor([t for t in {}])", "torch.tensor()"),
    cutter("{}.long()", "long() is not differentiable"),
    block("torch.no_grad()", "no_grad"),
    block("torch.set_grad_enabled(False)", "no_grad"),
    block("torch.inference_mode()", "inference_mode", ".clone()"),
]
NUMBERS = itertools.count()


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
)
def test_random_graph(
    count: int,
    steps: list[tuple[Callable[[Program, str, str], None], int, int]],
    ends: list[int],
    frozen: set[int],
) -> None:
    """Each parameter gets the verdict, the cause and the line that its rules say."""
    model = nn.Module()
    for i in range(count):
        values = torch.linspace(-1, 1, 4) + 0.1 * i
        model.register_parameter(f"p{i}", nn.Parameter(values))
    program = Program(count)
    for i in frozen & set(range(count)):
        model.get_parameter(f"p{i}").requires_grad = False
        program.ways[f"model.p{i}"] = {}
    for step, a, b in steps:
        step(program, program.pick(a), program.pick(b))
    roots = [program.pick(end) for end in ends]
    reached = program.joined(roots)
    check(model, program, reached)


def check(
    model: nn.Module, program: Program, reached: dict[str, set[Cut | None]]
) -> None:
    source = "\n".join(program.lines)
    file = f"fuzz{next(NUMBERS)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space = {"torch": torch, "model": model, "Square": Square, "checkpoint": checkpoint}
    exec(compile(source, file, "exec"), space)  # noqa: S102 it was made here
    report = {row.name: row for row in explain(model, space["loss"])}
    value = space["loss"]()
    if value.requires_grad:
        value.backward()
    for name, parameter in model.named_parameters():
        row = report[name]
        told = f"{row}\n{source}"
        event(row.verdict)
        assert (row.verdict == "trains") == (parameter.grad is not None), told
        if not parameter.requires_grad:
            assert row.verdict == "frozen", told
        elif None in reached.get(name, ()):
            assert row.verdict == "trains", told
        elif name in reached:
            allowed = {(word, f"{file}:{line}") for word, line in reached[name]}
            assert row.verdict == "cut", told
            assert (row.why, row.where) in allowed, told
        elif name in program.exits:
            places = {f"{file}:{line}" for line in program.exits[name]}
            assert (row.verdict, row.why) == (
                "unused",
                "its result left PyTorch by item()",
            ), told
            assert row.where in places, told
        else:
            why = "its result never reaches the loss"
            why = why if name in program.read else "never read in the forward"
            assert (row.verdict, row.why, row.where) == ("unused", why, ""), told
    del linecache.cache[file]
