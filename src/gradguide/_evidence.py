"""Gathers from a loss, or from the code that computes it, what backward reaches."""

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.parameter import is_lazy

from gradguide._autograd import is_dead_view, is_zero, leaf, leaves, nodes, tensors_in
from gradguide._causes import Verdict, verdicts
from gradguide._paths import with_paths
from gradguide._saved import require_tensors
from gradguide._sharding import StandIns, sharded_modules
from gradguide._tape import Tape
from gradguide._threads import Threads
from gradguide._unchanged import unchanged
from gradguide._where import Where


class Evidence:
    """What is known about tensors, by identity; None where nothing was asked."""

    def __init__(
        self,
        missed: dict[int, Verdict] | None = None,
        strangers: list[tuple[str, Tensor]] | None = None,
        moved: set[str] | None = None,
    ) -> None:
        """Keep who is missed and why; who is reached but no parameter, with a path."""
        self.missed = missed or {}
        self.strangers = strangers or []
        self.moved = moved
        self.zero: set[int] = set()


def from_tensor(model: nn.Module, loss: object, *, gradients: bool) -> Evidence:
    """Read from a graph which parameters backward reaches; not why."""
    graph = _Graph(loss)
    parameters = _learning(model)
    if sharded_modules(model):
        return Evidence(missed={id(p): _SHARDED for p in parameters})
    evidence = Evidence(strangers=with_paths(model, graph.strangers(parameters)))
    for parameter in parameters:
        if id(parameter) not in graph.leaves:
            hidden = _CHECKPOINT in graph.kinds
            evidence.missed[id(parameter)] = (
                Verdict("unknown", "reentrant checkpoint") if hidden else _UNREACHED
            )
        elif id(parameter) in graph.compiled:
            evidence.missed[id(parameter)] = Verdict("unknown", _COMPILED)
    if gradients:
        graph.backward(parameters, evidence)
    return evidence


def from_function(
    model: nn.Module, function: Callable[[], object], *, gradients: bool
) -> Evidence:
    """Run a function once, and read from its tape why backward misses parameters."""
    _require_shapes(model)
    parameters = _learning(model)
    with unchanged(model) as memory:
        stand_ins = StandIns(model, parameters)
        place_of = stand_ins.place_of if stand_ins.is_needed else None
        tape = Tape(parameters, Where(model), memory.keep, place_of)
        with _eager(), Threads(model) as threads, tape:
            loss = function()
        require_tensors(loss, "explain: the function's result")
        graph = _Graph(loss)
        graph.identify(stand_ins, parameters)
        known = [*parameters, *model.parameters()]
        made = {id(tensor) for one in tape.made if (tensor := one()) is not None}
        strangers = [
            tensor
            for tensor in graph.strangers(known)
            if isinstance(tensor, nn.Parameter) or id(tensor) not in made
        ]
        evidence = Evidence(
            # Their paths are those of the run, which may have made the modules.
            strangers=with_paths(model, strangers),
            moved=memory.moved(),
        )
        found = verdicts(tape, graph.roots, len(parameters))
        for parameter, verdict in zip(parameters, found, strict=True):
            if id(parameter) not in graph.leaves:
                doubtful = threads.seen and verdict.verdict == "unused"
                evidence.missed[id(parameter)] = _THREADS if doubtful else verdict
        if gradients:
            graph.backward(parameters, evidence)
        del loss
        graph.release()
    _doubt_unseen(model, evidence)
    return evidence


_CHECKPOINT = "CheckpointFunctionBackward"
_COMPILED_NODE = "CompiledFunctionBackward"
_COMPILED = "torch.compile; pass the function to learn more"
_SHARDED = Verdict("unknown", "FSDP2; pass the function to learn more")
_THREADS = Verdict("unknown", "the function runs code in other threads")
_UNREACHED = Verdict(
    "unreached", "backward does not reach it; pass the function to learn why"
)


class _Graph:
    """The graph behind a loss, and the leaves in it by identity."""

    def __init__(self, loss: object) -> None:
        self.roots = list(tensors_in(loss))
        self._nodes = found = nodes(self.roots)
        self.kinds = {type(node).__name__ for node in found}
        self.leaves = {id(tensor): tensor for tensor in leaves(found)}
        self.stood_in: set[int] = set()
        self.leaves |= {id(t): t for t in self.roots if t.is_leaf and t.requires_grad}
        self.compiled = self._compiled(found) if _COMPILED_NODE in self.kinds else set()

    def release(self) -> None:
        """Let go of the nodes one by one, from the loss on.

        PyTorch frees those that Python has seen by recursion, and a chain of some ten
        thousands would overflow the stack.
        """
        self.roots.clear()
        self._nodes.reverse()
        while self._nodes:
            self._nodes.pop()

    def identify(self, stand_ins: StandIns, parameters: list[nn.Parameter]) -> None:
        """Put parameters in the place of the leaves that stand in for them."""
        for key, place in stand_ins.found.items():
            if self.leaves.pop(key, None) is not None:
                self.leaves[id(parameters[place])] = parameters[place]
                self.stood_in.add(id(parameters[place]))

    def strangers(self, parameters: Iterable[Tensor]) -> list[Tensor]:
        """Return the leaves that are none of the parameters."""
        known = {id(parameter) for parameter in parameters}
        return [
            tensor
            for key, tensor in self.leaves.items()
            if key not in known and not is_dead_view(tensor)
        ]

    def backward(self, parameters: list[nn.Parameter], evidence: Evidence) -> None:
        """Run one backward on the side, and note what gets nothing."""
        roots = [root for root in self.roots if root.requires_grad]
        wanted = [
            parameter
            for parameter in parameters
            if parameter.requires_grad  # the function may have switched it off
            and id(parameter) in self.leaves
            and id(parameter) not in self.stood_in
        ]
        if not (roots and wanted) or _CHECKPOINT in self.kinds:
            return  # a reentrant checkpoint refuses a backward on the side
        try:
            ones = [torch.ones_like(root) for root in roots]
            grads = torch.autograd.grad(
                roots,
                wanted,
                ones,
                retain_graph=True,
                allow_unused=True,
            )
        except RuntimeError as error:
            msg = (
                f"explain: the backward for gradients=True failed: {error}\nIf the "
                "function runs a backward itself, leave that out, or leave gradients "
                "out here"
            )
            raise RuntimeError(msg) from error
        for parameter, grad in zip(wanted, grads, strict=True):
            if id(parameter) in self.compiled:
                if grad is None:
                    evidence.missed[id(parameter)] = _UNREACHED
                else:
                    evidence.missed.pop(id(parameter), None)
            if grad is None or is_zero(grad):
                evidence.zero.add(id(parameter))

    @staticmethod
    def _compiled(found: Iterable[Node]) -> set[int]:
        """Return the leaves that only compiled code reads, which says yes to all."""
        inside: set[int] = set()
        outside: set[int] = set()
        for node in found:
            side = inside if type(node).__name__ == _COMPILED_NODE else outside
            for parent, _ in node.next_functions:
                if parent is not None and (tensor := leaf(parent)) is not None:
                    side.add(id(tensor))
        return inside - outside


def _learning(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]


def _require_shapes(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            msg = (
                f"explain: {name!r} of {type(model).__name__} has no shape yet, and "
                "running the function would give it one; run one forward before"
            )
            raise ValueError(msg)


def _eager() -> ExitStack:
    """Run compiled functions as they were written, where any can be there."""
    stack = ExitStack()
    if "torch._dynamo" in sys.modules:
        stance: Any = torch.compiler.set_stance("force_eager")
        stack.enter_context(stance)
    return stack


def _doubt_unseen(model: nn.Module, evidence: Evidence) -> None:
    """Say unknown of what is read where no mode sees it: by scripts, and in threads."""
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            verdict = Verdict("unknown", "TorchScript")
        elif isinstance(module, nn.DataParallel) and len(module.device_ids or ()) > 1:
            verdict = Verdict("unknown", "nn.DataParallel runs in threads")
        else:
            continue
        for parameter in module.parameters():
            if id(parameter) in evidence.missed:
                evidence.missed[id(parameter)] = verdict
