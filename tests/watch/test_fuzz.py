"""Tests reports on random training programs against what is measured in them."""

import gc
import itertools
import linecache
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from hypothesis import event, given, settings
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import gradguide
from gradguide import Report, Row
from tests.module.programs import Square

from .networks import Residual, Script, scripts

NUMBERS = itertools.count()
FORCES = ("stale .grad", "weight decay", "momentum")
WORDS_OF_STILL = ("rounded away", "too small", "learning rate is 0", "warm-up?")


@dataclass
class Truth:
    """What was measured of a tensor.

    Attributes:
        needed: Whether it ever required grad when a backward had ended.
        grads: The largest number in its gradient after each backward; None if none.
        trained: Whether a step moved it while it required grad and had a gradient.
        pushed: What was there when a step last moved it while it was frozen.
        moved: Whether it moved in any way.
        held: Whether an optimizer that stepped holds it.
        stepped: Whether that was after it had a gradient that was not zero.
    """

    needed: bool = False
    grads: list[float | None] = field(default_factory=list)
    trained: bool = False
    pushed: set[str] | None = None
    moved: bool = False
    held: bool = False
    stepped: bool = False

    @property
    def nonzero(self) -> bool:
        return any(self.grads)

    @property
    def has_gradient(self) -> bool:
        return any(grad is not None for grad in self.grads)


class Run:
    """A program in a new namespace.

    It has slots, so that the names of tensors are looked for in the program only.
    """

    __slots__ = ("optimizers", "space", "tensors")

    def __init__(self, script: Script, file: str) -> None:
        torch.manual_seed(0)
        self.space: dict[str, Any] = {
            "torch": torch,
            "nn": nn,
            "gradguide": gradguide,
            "checkpoint": checkpoint,
            "Square": Square,
            "Residual": Residual,
            "__name__": "fuzz",
            "note": lambda: None,
            "data": torch.randn(3, 4),
        }
        exec(compile(script.source, file, "exec"), self.space)  # noqa: S102
        self.tensors: dict[str, Tensor] = {
            name: eval(path, self.space)  # noqa: S307 it was made here
            for name, path in script.names.items()
        }
        self.optimizers = [self.space[k] for k in ("one", "two") if k in self.space]

    @property
    def buffers(self) -> dict[str, Tensor]:
        return {f"net.{n}": b for n, b in self.space["net"].named_buffers()}

    def state(self) -> list[Tensor | None]:
        """Return all values and gradients."""
        found: list[Tensor | None] = [*self.tensors.values(), *self.buffers.values()]
        found += [tensor.grad for tensor in self.tensors.values()]
        for optimizer in self.optimizers:
            for part in optimizer.state.values():
                found += [v for v in part.values() if isinstance(v, Tensor)]
        return [None if one is None else one.detach().clone() for one in found]

    def measure(self) -> dict[str, Truth]:  # noqa: C901 three short functions
        """Run what is watched, without a watch, and return what became of whom."""
        truths: dict[str, Truth] = defaultdict(Truth)
        copies: dict[str, Tensor] = {}
        pushes: dict[str, set[str]] = {}

        def note() -> None:
            for name, tensor in self.tensors.items():
                truth, grad = truths[name], tensor.grad
                if tensor.requires_grad:
                    truth.needed = True
                    size = None if grad is None else float(grad.abs().max())
                    truth.grads.append(size)

        def before(optimizer: torch.optim.Optimizer, *_: object) -> None:
            for name, tensor in self.tensors.items():
                copies[name] = tensor.detach().clone()
                group = next((g for g in optimizer.param_groups if _has(g, tensor)), {})
                pushes[name] = _forces(optimizer, tensor, group)
                truths[name].held |= bool(group)

        def after(optimizer: torch.optim.Optimizer, *_: object) -> None:
            for name, tensor in self.tensors.items():
                truth = truths[name]
                held = any(_has(group, tensor) for group in optimizer.param_groups)
                truth.stepped |= held and truth.nonzero
                if torch.equal(tensor, copies[name]) or not truth.held:
                    continue
                if not tensor.requires_grad:
                    truth.pushed = pushes[name]
                elif truth.nonzero:
                    truth.trained = True

        self.space["note"] = note
        handles = [
            handle
            for one in self.optimizers
            for handle in (
                one.register_step_pre_hook(before),
                one.register_step_post_hook(after),
            )
        ]
        start = {name: tensor.detach().clone() for name, tensor in self.tensors.items()}
        self.space["work"]()
        for handle in handles:
            handle.remove()
        for name, tensor in self.tensors.items():
            truths[name].moved = not torch.equal(tensor, start[name])
        return truths


def _has(group: dict[str, Any], tensor: Tensor) -> bool:
    return any(one is tensor for one in group["params"])


def _forces(
    optimizer: torch.optim.Optimizer, tensor: Tensor, group: dict[str, Any]
) -> set[str]:
    """Return what could move a frozen tensor."""
    state = optimizer.state.get(tensor, {}).values()
    return {
        word
        for word, is_there in (
            ("stale .grad", tensor.grad is not None and bool(tensor.grad.any())),
            ("weight decay", bool(group.get("weight_decay"))),
            (
                "momentum",
                any(isinstance(v, Tensor) and v.dim() and bool(v.any()) for v in state),
            ),
        )
        if is_there
    }


@pytest.fixture(autouse=True, scope="module")
def older_objects() -> Iterator[None]:
    """Hide all objects of the process so far, among which modules are looked for."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.filterwarnings("ignore:Converting a tensor")
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler")
@settings(
    max_examples=max(20, settings.default.max_examples // 10),
    # The ordinary tests draw the same programs each time; those at night, new ones.
    derandomize=settings.default.max_examples < 1000,
)
@given(scripts())
def test_random_program(script: Script) -> None:
    """Each row agrees with what is measured, and nothing changes by watching."""
    file = f"fuzz_watch{next(NUMBERS)}.py"
    lines = script.source.splitlines(keepends=True)
    linecache.cache[file] = (len(script.source), None, lines, file)
    default = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, script.dtype))
    try:
        alone = Run(script, file)
        buffers = {name: buffer.clone() for name, buffer in alone.buffers.items()}
        truths = alone.measure()
        watched = Run(script, file)
        zeros = {name for name, tensor in watched.tensors.items() if not tensor.any()}
        report = watched.space["watched"]()
        told = f"\n{report}\n{numbered(script.source)}"
        for one, other in zip(alone.state(), watched.state(), strict=True):
            assert (one is None) == (other is None), told
            assert one is None or torch.equal(one, other) or one.isnan().any(), told
        assert not report.notes, told
        moved = {n for n, b in alone.buffers.items() if not torch.equal(b, buffers[n])}
        check_names(script, watched, truths, report, told)
        Check(script, file, truths, zeros, watched, told).rows(report, moved)
    finally:
        torch.set_default_dtype(default)
        del linecache.cache[file]


def numbered(source: str) -> str:
    return "\n".join(f"{n:3} {line}" for n, line in enumerate(source.splitlines(), 1))


def check_names(
    script: Script, run: Run, truths: dict[str, Truth], report: Report, told: str
) -> None:
    """Each tensor has one row at most, and one if it is held.

    It also has one if it is in a module of which anything takes part.
    """
    names = [row.name for row in report if row.kind not in {"run", "buffer"}]
    assert len(names) == len(set(names)), told
    assert set(names) <= set(script.names), told
    own = {id(p): f"net.{n}" for n, p in run.space["net"].named_parameters()}
    takes_part = bool(set(own.values()) & set(names))
    for name, tensor in run.tensors.items():
        if truths[name].held or (takes_part and id(tensor) in own):
            assert name in names, (name, told)


class Check:
    """Compares rows with what was measured."""

    def __init__(
        self,
        script: Script,
        file: str,
        truths: dict[str, Truth],
        zeros: set[str],
        run: Run,
        told: str,
    ) -> None:
        self.script, self.file, self.truths = script, file, truths
        self.zeros, self.run, self.told = zeros, run, told

    def rows(self, report: Report, moved_buffers: set[str]) -> None:
        for row in report:
            if row.kind == "run":
                assert row.verdict == "nothing trains", self.told
                assert not any(r.verdict == "trains" for r in report), self.told
            elif row.kind == "buffer":
                assert row.name in moved_buffers, (row, self.told)
            else:
                event(row.verdict)
                self.one(row)
                if row.verdict in {"trains", "frozen"}:
                    assert not row.is_problem, (row, self.told)

    def one(self, row: Row) -> None:
        truth, tensor = self.truths[row.name], self.run.tensors[row.name]
        said = (row, truth, self.told)
        is_toggled = row.name in self.script.toggled
        twin = self.script.twins.get(row.name)
        if truth.pushed is not None and not tensor.requires_grad:
            assert row.verdict == "moves", said
            words = {
                w for w in ("stale .grad", "weight decay", "momentum") if w in row.why
            }
            assert words == truth.pushed, said
        elif truth.trained:
            assert row.verdict == "trains", said
        elif twin and truth.moved:
            assert row.verdict == "moves", said
            assert f"shares its memory with {twin}" in row.why, said
        elif not tensor.requires_grad and not is_toggled:
            assert row.verdict == "frozen", said
        elif not tensor.requires_grad or (truth.pushed is not None and is_toggled):
            assert row.verdict in {"frozen", "moves"} or tensor.requires_grad, said
        elif truth.nonzero:
            self.gradient(row, truth, said)
        elif truth.has_gradient:
            self.zero(row, truth, said)
        else:
            self.without(row, truth, said)

    def gradient(self, row: Row, truth: Truth, said: object) -> None:
        """Check a tensor with a gradient that did not move."""
        if truth.held and not truth.stepped:
            assert row.why == "no step has run since it has a gradient", said
        elif truth.held:
            assert row.verdict == "still", said
            assert any(word in row.why for word in WORDS_OF_STILL), said
            if "warm-up" in row.why:
                assert self.script.has_warmup, said
        elif "[" in row.name or row.name.startswith("pose"):
            assert row.verdict in {"unregistered", "unknown", "not in optimizer"}, said
        elif self.run.optimizers:
            assert row.verdict == "not in optimizer", said
        else:
            assert row.verdict in {"not in optimizer", "unknown"}, said

    def zero(self, row: Row, truth: Truth, said: object) -> None:
        """Check a tensor whose gradient is zero."""
        if not truth.held:
            assert row.verdict == "frozen", said
            return
        assert row.verdict == "zero", said
        if not row.is_problem:
            name = row.why.removeprefix("its gradient is zero as long as ")
            name = name.removesuffix(" is")
            assert name in self.zeros, said
            assert self.truths[name].nonzero, said

    def without(self, row: Row, truth: Truth, said: object) -> None:
        """Check a tensor without a gradient, by the rules of the lines."""
        program, name = self.script.program, row.name
        held = truth.held or not self.run.optimizers
        why = row.why.removeprefix("no optimizer holds it; ")
        if row.verdict == "frozen":
            assert not truth.held, said
            assert why != row.why, said
        where = row.where.partition(" in ")[0]
        if not any(other.has_gradient for other in self.truths.values()):
            # No backward ran, so what the loss is can't be known.
            assert row.verdict in {"cut", "unused", "unknown", "frozen", "orphan"}, said
            return
        if row.verdict == "unknown":
            assert name in program.hidden, said
            assert row.why == "torch.func", said
            return
        if name in self.script.reached:
            ways = self.script.reached[name]
            allowed = {(w[0], f"{self.file}:{w[1]}") for w in ways if w}
            assert None not in ways, said
            assert row.verdict in {"cut", "frozen"}, said
            assert (why, where) in allowed or (
                name in self.script.toggled and "requires_grad was False" in why
            ), said
        elif why == "nn.Parameter()":
            assert name in self.script.twins.values(), said  # its data went through it
        elif name in program.exits:
            allowed = {
                (f"its result left PyTorch by {word}", f"{self.file}:{line}")
                for word, line in program.exits[name]
            }
            assert row.verdict in {"unused", "frozen"}, said
            assert (why, where) in allowed, said
        elif name in program.read:
            assert row.verdict in {"unused", "frozen"}, said
            assert why.startswith("its result never reaches the loss"), said
            assert where.startswith(f"{self.file}:"), said
        else:
            assert row.verdict in {"unused", "frozen", "orphan"}, said
            assert row.verdict == "orphan" or why == "never read in the forward", said
        assert held or row.verdict == "frozen", said
