"""Finds the tensors that backward reaches from a loss, and why it misses others."""

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradguide._autograd import is_dead_view, leaf, leaves, nodes, tensors_in
from gradguide._explain.paths import with_paths
from gradguide._explain.sharding import Shards, sharded_modules
from gradguide._explain.threads import Threads
from gradguide._explain.unchanged import unchanged
from gradguide._memory import is_zero
from gradguide._origins.tape import Tape
from gradguide._origins.uses import Verdict
from gradguide._origins.values import Origins, merged
from gradguide._saved import require_tensors


@dataclass
class Evidence:
    """The facts that a loss shows about tensors.

    Attributes:
        unreached: The verdicts on parameters that backward does not reach, by ``id``.
        unregistered: The leaves that it reaches and that are no parameters, and before
            each its path.
        updated: The names of tensors that the forward changed; None without a run.
        zero: The ids of parameters whose gradient is zero.
    """

    unreached: dict[int, Verdict] = field(default_factory=dict)
    unregistered: list[tuple[str, Tensor]] = field(default_factory=list)
    updated: set[str] | None = None
    zero: set[int] = field(default_factory=set)


def from_tensor(model: nn.Module, loss: object, *, gradients: bool) -> Evidence:
    """Find in a graph which parameters backward reaches; it does not show why not."""
    graph = _Graph(loss)
    parameters = _trainable_parameters(model)
    if sharded_modules(model):
        return Evidence(unreached={id(p): _SHARDED for p in parameters})
    evidence = Evidence(unregistered=with_paths(model, graph.unregistered(parameters)))
    for parameter in parameters:
        if id(parameter) not in graph.leaves:
            hidden = _CHECKPOINT in graph.kinds
            evidence.unreached[id(parameter)] = (
                Verdict("unknown", "reentrant checkpoint") if hidden else _UNREACHED
            )
        elif id(parameter) in graph.compiled:
            evidence.unreached[id(parameter)] = Verdict("unknown", _COMPILED)
    if gradients:
        graph.backward(parameters, evidence)
    return evidence


def from_function(
    model: nn.Module, function: Callable[[], object], *, gradients: bool
) -> Evidence:
    """Run a function once, and find why backward does not reach parameters."""
    _require_shapes(model)
    parameters = _trainable_parameters(model)
    with unchanged(model) as snapshot:
        tape = _FunctionTape(model, parameters, snapshot.copy_before_write)
        with eager(), Threads(model) as threads, tape:
            loss = function()
        require_tensors(loss, "explain: the function's result")
        graph = _Graph(loss)
        graph.identify(tape.unsharded)
        known = [*parameters, *model.parameters()]
        leaves_made = {
            id(leaf) for ref in tape.uses.leaves_made if (leaf := ref()) is not None
        }
        unregistered = [
            tensor
            for tensor in graph.unregistered(known)
            if not tape.is_copy(tensor)
            and (isinstance(tensor, nn.Parameter) or id(tensor) not in leaves_made)
        ]
        evidence = Evidence(
            # Paths are looked up before restoring, as the function may make modules.
            unregistered=with_paths(model, unregistered),
            updated=snapshot.changed_names(),
        )
        reached = merged(tape.origins(root) for root in graph.roots)
        copies = [
            (mask, cause)
            for copy, mask, cause in tape.flow.copies()
            if id(copy) in graph.leaves
        ]
        for parameter in parameters:
            if id(parameter) not in graph.leaves:
                verdict = tape.uses.verdict(tape.bits[id(parameter)], reached, copies)
                doubtful = threads.seen and verdict.verdict == "unused"
                evidence.unreached[id(parameter)] = _THREADS if doubtful else verdict
        if gradients:
            graph.backward(parameters, evidence)
        del loss
        graph.release()
    _doubt_unseen(model, evidence)
    return evidence


class _FunctionTape(Tape):
    """Follows the parameters of a model, which are known before the function runs.

    Attributes:
        bits: The bit of each parameter, by its ``id``.
        unsharded: The parameters that FSDP2 has replaced, by the ``id`` of what is in
            their place.
    """

    def __init__(
        self,
        model: nn.Module,
        parameters: list[nn.Parameter],
        copy_before_write: Callable[[Tensor], None],
    ) -> None:
        super().__init__()
        self.bits = {id(tensor): self.add_source(tensor) for tensor in parameters}
        self.unsharded: dict[int, Tensor] = {}
        self._copy_before_write = copy_before_write
        self._shards = Shards()
        if sharded_modules(model):
            self._shards.note(model)

    def before_write(self, tensor: Tensor) -> None:
        self._copy_before_write(tensor)

    def find_source(self, tensor: Tensor, origins: Origins) -> int:  # noqa: ARG002
        sharded = self._shards.behind(tensor)
        bit = self.bits.get(id(sharded), 0)
        if bit:
            self.add_alias(tensor, bit)
            self.unsharded[id(tensor)] = sharded
        return bit


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
        self._nodes = nodes(self.roots)
        self.kinds = {type(node).__name__ for node in self._nodes}
        self.leaves = {id(tensor): tensor for tensor in leaves(self._nodes)}
        self.reached_unsharded: set[int] = set()
        self.leaves |= {id(t): t for t in self.roots if t.is_leaf and t.requires_grad}
        self.compiled = self._compiled() if _COMPILED_NODE in self.kinds else set()

    def release(self) -> None:
        """Release the nodes one by one, from the loss on.

        PyTorch frees a node that has a Python object, and all nodes behind it, by
        recursion: a chain of tens of thousands would overflow the stack.
        """
        self.roots.clear()
        self._nodes.reverse()
        while self._nodes:
            self._nodes.pop()

    def identify(self, unsharded: Mapping[int, Tensor]) -> None:
        """Replace unsharded leaves by the sharded parameters that they belong to."""
        for key, parameter in unsharded.items():
            if self.leaves.pop(key, None) is not None:
                self.leaves[id(parameter)] = parameter
                self.reached_unsharded.add(id(parameter))

    def unregistered(self, parameters: Iterable[Tensor]) -> list[Tensor]:
        """Return the leaves that are not parameters."""
        known = {id(parameter) for parameter in parameters}
        return [
            tensor
            for key, tensor in self.leaves.items()
            if key not in known and not is_dead_view(tensor)
        ]

    def backward(self, parameters: list[nn.Parameter], evidence: Evidence) -> None:
        """Compute gradients without writing ``.grad``, and note those that are zero."""
        roots = [root for root in self.roots if root.requires_grad]
        wanted = [
            parameter
            for parameter in parameters
            if parameter.requires_grad  # the function may have switched it off
            and id(parameter) in self.leaves
            and id(parameter) not in self.reached_unsharded
        ]
        if not (roots and wanted) or _CHECKPOINT in self.kinds:
            return  # a reentrant checkpoint raises under torch.autograd.grad
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
                    evidence.unreached[id(parameter)] = _UNREACHED
                else:
                    evidence.unreached.pop(id(parameter), None)
            if grad is None or is_zero(grad):
                evidence.zero.add(id(parameter))

    def _compiled(self) -> set[int]:
        """Return the leaves that only compiled code reads.

        The node of a compiled function has an edge to each of its inputs, whether its
        backward computes a gradient for it or not.
        """
        inside: set[int] = set()
        outside: set[int] = set()
        for node in self._nodes:
            side = inside if type(node).__name__ == _COMPILED_NODE else outside
            for parent, _ in node.next_functions:
                if parent is not None and (tensor := leaf(parent)) is not None:
                    side.add(id(tensor))
        return inside - outside


def _trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]


def _require_shapes(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            msg = (
                f"explain: {name!r} of {type(model).__name__} has no shape yet, and "
                "running the function would give it one; run one forward before"
            )
            raise ValueError(msg)


def eager() -> ExitStack:
    """Run compiled functions without compilation, if any code was compiled."""
    stack = ExitStack()
    if "torch._dynamo" in sys.modules:
        stance: Any = torch.compiler.set_stance("force_eager")
        stack.enter_context(stance)
    return stack


def _doubt_unseen(model: nn.Module, evidence: Evidence) -> None:
    """Make unreached parameters of scripts and of ``DataParallel`` unknown.

    A ``TorchFunctionMode`` sees neither operations of TorchScript, which run in C++,
    nor those of other threads.
    """
    for module in model.modules():
        if why := hides_operations(module):
            for parameter in module.parameters():
                if id(parameter) in evidence.unreached:
                    evidence.unreached[id(parameter)] = Verdict("unknown", why)


def hides_operations(module: nn.Module) -> str:
    """Return why no operation of a module can be seen; empty if it can."""
    if isinstance(module, torch.jit.ScriptModule):
        return "TorchScript"
    if isinstance(module, nn.DataParallel) and len(module.device_ids or ()) > 1:
        return "nn.DataParallel runs in threads"
    return ""
