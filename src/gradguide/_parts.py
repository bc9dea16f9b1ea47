"""Turns a graph of autograd into the parts that are shown."""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.parameter import is_lazy

from gradguide._autograd import (
    grad_fn,
    leaf,
    leaves,
    nodes,
    saved_tensors,
    shape_of,
    tensors_in,
)
from gradguide._memory import storages
from gradguide._report.row import Row


class Part(NamedTuple):
    """One part that is shown, and the indices of the parts it was computed from.

    ``kind`` is ``loss``, ``operation``, ``trains``, ``frozen``, ``input``, ``cut`` or
    ``more``.
    """

    label: str
    kind: str
    children: list[int]


def parts_of(
    loss: object, model: nn.Module | None, depth: int | None
) -> tuple[list[Part], list[Row], int]:
    """Return the parts, a row for each parameter, and the number of hidden nodes.

    A parameter is ``reached`` if backward reaches it or keeps it, and otherwise ``not
    reached`` or, if it is frozen, ``not recorded``.
    """
    roots = list(tensors_in(loss))
    named = dict(model.named_parameters()) if model is not None else {}
    reachable = nodes(roots)
    shown = _nearest(roots, reachable, depth)
    builder = _Builder(named, shown)
    is_single = len(roots) == 1
    label = f"loss {shape_of(roots[0])}" if is_single else f"{len(roots)} losses"
    builder.parts.append(Part(label, "loss", []))
    builder.parts[0].children.extend(builder.place_of_root(root) for root in roots)
    for node in shown:
        builder.connect(node)
    reached = set(map(id, leaves(reachable)))
    reached |= {id(root) for root in roots}
    kept = set(chain.from_iterable(map(builder.frozen_in, reachable)))
    rows = []
    for name, parameter in named.items():
        missing = "not reached" if parameter.requires_grad else "not recorded"
        is_there = id(parameter) in reached or name in kept
        rows.append(Row(name, "reached" if is_there else missing))
    # An end may be a cut if a parameter is not reached, and is an input otherwise.
    is_missed = any(row.verdict == "not reached" for row in rows)
    end = "cut" if is_missed else "input"
    parts = [p._replace(kind=end) if p.kind == "end" else p for p in builder.parts]
    return parts, rows, len(reachable) - len(shown)


def _nearest(
    roots: list[Tensor], reachable: list[Node], depth: int | None
) -> dict[Node, None]:
    """Return the nodes within a depth, or by default the nearest nodes."""
    if depth is None:
        return dict.fromkeys(reachable[:_MANY])
    level = dict.fromkeys(node for node in map(grad_fn, roots) if node is not None)
    shown = dict(level)
    for _ in range(depth - 1):
        level = {
            parent: None
            for node in level
            for parent, _ in node.next_functions
            if parent is not None and parent not in shown
        }
        shown |= level
        if not level or len(shown) > _MOST:
            break
    shown = dict.fromkeys(list(shown)[:_MOST])
    # A leaf next to a shown node is shown, in place of a sign that there is more.
    for node in list(shown):
        for parent, _ in node.next_functions:
            if parent is not None and leaf(parent) is not None:
                shown[parent] = None
    return shown


_MANY = 200
_MOST = 2000  # the indentation grows with the depth: more lines would fill the memory


class _Builder:
    """Makes one part for each node and each frozen parameter."""

    def __init__(self, named: dict[str, nn.Parameter], shown: dict[Node, None]) -> None:
        self.parts: list[Part] = []
        self._frozen_places: dict[str, int] = {}
        self._named = named
        self._names = {id(parameter): name for name, parameter in named.items()}
        self._frozen = {
            address: name
            for name, parameter in named.items()
            if not parameter.requires_grad and not is_lazy(parameter)
            for address, _ in storages(parameter)
        }
        self._shown = shown
        self._places: dict[Node, int] = {}

    def place_of_root(self, root: Tensor) -> int:
        """Return the index of the operation that computed a loss, or of the loss."""
        node = grad_fn(root)
        if node is not None:
            return self._place_of(node)
        if root.requires_grad:
            return self._add(f"{self._name(root)} {shape_of(root)}", "trains")
        return self._add("no history", "cut")

    def connect(self, node: Node) -> None:
        """Add the parts that a shown node was computed from."""
        place = self._place_of(node)
        if leaf(node) is not None:
            return
        children = self.parts[place].children
        frozen = dict.fromkeys(self.frozen_in(node))
        children += [self._frozen_place(name) for name in frozen]
        cut = sum(parent is None for parent, _ in node.next_functions)
        waiting = max(cut - len(frozen), 0)
        for parent, _ in node.next_functions:
            if parent is not None:
                children.append(self._place_of(parent))
            elif waiting:
                waiting -= 1
                children.append(self._add("no history", "end"))

    def frozen_in(self, node: Node) -> Iterable[str]:
        """Yield the frozen parameters that a node kept for its backward."""
        if not self._frozen:
            return
        for tensor in saved_tensors([node])[0]:
            for address, _ in storages(tensor):
                if address in self._frozen:
                    yield self._frozen[address]

    def _place_of(self, node: Node) -> int:
        if node not in self._shown:
            return self._add("…", "more")
        if node not in self._places:
            tensor = leaf(node)
            if tensor is None:
                self._places[node] = self._add(node.name(), "operation")
            else:
                label = f"{self._name(tensor)} {shape_of(tensor)}"
                self._places[node] = self._add(label, "trains")
        return self._places[node]

    def _frozen_place(self, name: str) -> int:
        if name not in self._frozen_places:
            label = f"{name} {shape_of(self._named[name])} frozen"
            self._frozen_places[name] = self._add(label, "frozen")
        return self._frozen_places[name]

    def _name(self, tensor: Tensor) -> str:
        return self._names.get(id(tensor), "leaf")

    def _add(self, label: str, kind: str) -> int:
        self.parts.append(Part(label, kind, []))
        return len(self.parts) - 1
