"""Writes random programs, and knows by rules what becomes of each parameter."""

import re
from typing import Any, NamedTuple

import torch
from torch import Tensor

Cut = tuple[str, int]
"""The cause of a cut, and its line."""
Ways = dict[str, set[Cut | None]]
"""For each parameter the first cut on each way from it; None is a way without one."""


class Square(torch.autograd.Function):
    """A custom function, inside of which nothing is recorded."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * grad


class Step(NamedTuple):
    """Lines that compute a new variable ``v`` from the variables ``a`` and ``b``.

    The line of a cut ends in ``# here``.
    """

    code: str
    cut: str = ""
    """The cause of the cut, if there is one."""
    cut_of: str = "a"
    """The variables that are cut; a way through the other one leads on."""
    leads: str = "ab"
    """The variables whose data goes into ``v``."""
    reads: str = "ab"
    """The variables whose data is read."""
    is_hidden: bool = False
    """Whether a later cut can't be seen, as in a transform."""


class Program:
    """Straight-line code, and the ways from the parameters to each of its variables."""

    def __init__(self, count: int) -> None:
        self.lines = ["def loss():"]
        self.ways: dict[str, Ways] = {
            f"model.p{i}": {f"p{i}": {None}} for i in range(count)
        }
        self.exits: dict[str, set[Cut]] = {}
        self.read: set[str] = set()
        self.hidden: set[str] = set()

    def pick(self, number: int) -> str:
        """Return one of the variables so far, counted from the end."""
        names = list(self.ways)
        return names[-1 - number % len(names)]

    def add(self, step: Step, a: str, b: str) -> None:
        """Write the lines of a step for two variables, and follow its rules."""
        lines = step.code.strip().splitlines()
        here = next((n for n, line in enumerate(lines, 1) if "# here" in line), 0)
        cut = (step.cut, len(self.lines) + here)
        names = {"a": a, "b": b, "v": f"v{len(self.ways)}"}
        for line in lines:
            self.lines.append(
                "    " + re.sub(r"\b[abv]\b", lambda m: names[m[0]], line)
            )
        parts = []
        for key in "ab":
            if not re.search(rf"\b{key}\b", step.code):
                continue
            ways = self.ways[names[key]]
            if key in step.reads:
                self.read |= set(ways)
            if step.is_hidden:
                self.hidden |= set(ways)
            is_cut = step.cut and key in step.cut_of
            if key in step.leads:
                parts.append(_through(ways, cut) if is_cut else ways)
            elif is_cut:
                for parameter in ways:
                    self.exits.setdefault(parameter, set()).add(cut)
        if re.search(r"\bv\b", step.code):
            self.ways[names["v"]] = merged(*parts)

    def join(self, names: list[str]) -> Ways:
        """Write the sum of variables, and return the ways that lead to it."""
        self.lines.append(f"    return sum([{', '.join(f'{n}.sum()' for n in names)}])")
        for name in names:
            self.read |= set(self.ways[name])
        return merged(*(self.ways[name] for name in names))


def _through(ways: Ways, cut: Cut) -> Ways:
    return {
        parameter: {cut if first is None else first for first in cuts}
        for parameter, cuts in ways.items()
    }


def merged(*ways: Ways) -> Ways:
    result: Ways = {}
    for part in ways:
        for parameter, cuts in part.items():
            result[parameter] = result.get(parameter, set()) | cuts
    return result


def cutter(expression: str, cause: str) -> Step:
    """Return a step that adds a variable that is cut off to another one."""
    return Step(f"v = {expression} + b  # here", cause)


def leaver(expression: str, cause: str) -> Step:
    """Return a step after which a variable goes on as a plain number."""
    return Step(f"v = b * {expression}  # here", cause, leads="b")


def block(head: str, cause: str, end: str = "") -> Step:
    """Return a step that multiplies two variables in a ``with`` block."""
    return Step(f"with {head}:  # here\n    v = a * b\nv = v{end}", cause, "ab")


SMOOTH = Step("v = torch.tanh(a * b + 0.1)")
SAME = Step("v = a.to(torch.float32).contiguous().type_as(a)", reads="")
STEPS = [
    *[SMOOTH, SMOOTH, SMOOTH, SAME],
    Step("a * 2", leads=""),
    Step("v = torch.stack([a, b]).mean(0)"),
    Step("v = Square.apply(a) + b"),
    Step("v = checkpoint(lambda u: u.sin() * b, a, use_reentrant=False)"),
    Step("v, _ = torch.broadcast_tensors(a * 1, b[:1])", leads="a"),
    Step("v = torch.ones_like(a) * b + a.new_zeros(4)", leads="b", reads="b"),
    Step("v = torch.vmap(lambda u, w: u.sin() * w)(a, b)", is_hidden=True),
    Step("v = a.clone()\nv[1:3].add_(b[1:3])"),
    Step("v = a.clone()\npart = v.view(2, 2)[0]\npart.mul_(b[:2])"),
    Step("v = a * 1\nv[0] = b[1]"),
    Step("v = a.detach().clone()\nv.copy_(b)", leads="b"),
    Step("v = a.clone()\nv.data.add_(b)  # here", ".data", "b"),
    Step("v = a.clone()\nwith torch.no_grad():  # here\n    v.add_(b)", "no_grad", "b"),
    Step("v = a * 1\nv.detach_()  # here\nv = v + b", "detach_()"),
    Step("v = a[b.argsort()]  # here", "argsort() is not differentiable", "b"),
    Step(
        "with torch.no_grad():  # here\n    v = a.view(2, 2)\nv = v.flatten() * 1",
        "no_grad",
    ),
    Step(
        "v = torch.empty(4)\nwith torch.no_grad():  # here\n    torch.mul(a, b, out=v)",
        "no_grad",
        "ab",
    ),
    Step(
        "@torch.no_grad()\ndef quiet(u, w):\n    return u * w\nv = quiet(a, b)  # here",
        "no_grad",
        "ab",
    ),
    Step("with torch.no_grad():\n    with torch.enable_grad():\n        v = a * b"),
    leaver("a.mean().item()", "item()"),
    leaver("float(a.max())", "float()"),
    leaver("sum(a.tolist())", "tolist()"),
    leaver("a.detach().numpy().mean()", "numpy()"),
    cutter("a.detach()", "detach()"),
    cutter("a.data", ".data"),
    cutter("(a > 0)", "gt() is not differentiable"),
    cutter("a.argmax()", "argmax() is not differentiable"),
    cutter("torch.tensor([t for t in a])", "torch.tensor()"),
    cutter("a.long()", "long() is not differentiable"),
    block("torch.no_grad()", "no_grad"),
    block("torch.set_grad_enabled(False)", "no_grad"),
    block("torch.inference_mode()", "inference_mode", ".clone()"),
]
