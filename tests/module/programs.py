"""Writes random programs, and knows by rules what becomes of each parameter."""

from collections.abc import Callable

import torch
from torch import Tensor

Cut = tuple[str, int]
"""What cuts, and in which line."""


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
    on each way; None is a way without a cut. ``exits`` tells where data left PyTorch,
    ``hidden`` which data went where only a whole way can be seen.
    """

    def __init__(self, count: int) -> None:
        self.lines = ["def loss():"]
        self.ways: dict[str, dict[str, set[Cut | None]]] = {
            f"model.p{i}": {f"p{i}": {None}} for i in range(count)
        }
        self.exits: dict[str, set[Cut]] = {}
        self.read: set[str] = set()
        self.hidden: set[str] = set()

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


Step = Callable[[Program, str, str], None]
"""Writes some lines that make a new variable out of two others."""


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


def cutter(expression: str, word: str) -> Step:
    """Return a step that joins one variable with another through a cut."""

    def step(program: Program, a: str, b: str) -> None:
        number = len(program.lines) + 1
        name = program.make(program.use(a, (word, number)), program.use(b))
        program.line(f"{name} = {expression.format(a)} + {b}")

    return step


def block(head: str, word: str, end: str = "") -> Step:
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


def leaver(expression: str, word: str) -> Step:
    """Return a step after which a variable goes on as a plain number."""

    def step(program: Program, a: str, b: str) -> None:
        number = len(program.lines) + 1
        name = program.make(program.use(b))
        for parameter in program.use(a):
            program.exits.setdefault(parameter, set()).add((word, number))
        program.line(f"{name} = {b} * {expression.format(a)}")

    return step


def detach_in_place(program: Program, a: str, b: str) -> None:
    number = len(program.lines) + 2
    name = program.make(program.use(a, ("detach_()", number)), program.use(b))
    program.line(f"{name} = {a} * 1")
    program.line(f"{name}.detach_()")
    program.line(f"{name} = {name} + {b}")


def write_to_view(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(a), program.use(b))
    program.line(f"{name} = {a}.clone()")
    program.line(f"part = {name}.view(2, 2)[0]")
    program.line(f"part.mul_({b}[:2])")


def set_item(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(a), program.use(b))
    program.line(f"{name} = {a} * 1")
    program.line(f"{name}[0] = {b}[1]")


def out(program: Program, a: str, b: str) -> None:
    number = len(program.lines) + 2
    cut = ("no_grad", number)
    name = program.make(program.use(a, cut), program.use(b, cut))
    program.line(f"{name} = torch.empty(4)")
    program.line("with torch.no_grad():")
    program.line(f"    torch.mul({a}, {b}, out={name})")


def decorated(program: Program, a: str, b: str) -> None:
    program.line("@torch.no_grad()")
    program.line("def quiet(u, v):")
    program.line("    return u * v")
    cut = ("no_grad", len(program.lines) + 1)
    name = program.make(program.use(a, cut), program.use(b, cut))
    program.line(f"{name} = quiet({a}, {b})")


def enabled_inside(program: Program, a: str, b: str) -> None:
    name = program.make(program.use(a), program.use(b))
    program.line("with torch.no_grad():")
    program.line("    with torch.enable_grad():")
    program.line(f"        {name} = {a} * {b}")


def mapped(program: Program, a: str, b: str) -> None:
    """Write a transform, in which a way that is cut can't be followed."""
    name = program.make(program.use(a), program.use(b))
    program.hidden |= set(program.ways[a]) | set(program.ways[b])
    program.line(f"{name} = torch.vmap(lambda u, v: u.sin() * v)({a}, {b})")


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
    *[broadcast, factory, overwrite, dead_view, detach_in_place],
    *[in_place_through_alias, in_place_under_no_grad, write_to_view, set_item, out],
    *[decorated, enabled_inside, mapped],
    leaver("{}.mean().item()", "item()"),
    leaver("float({}.max())", "float()"),
    leaver("sum({}.tolist())", "tolist()"),
    leaver("{}.detach().numpy().mean()", "numpy()"),
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
