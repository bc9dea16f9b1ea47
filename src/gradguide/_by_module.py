"""Adds up what the nodes of a graph keep by the modules of a model.

A node knows neither its module nor its line. The module is told by the parameters and
buffers that the node uses, and by the order in which the nodes were made.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache, reduce
from itertools import takewhile
from operator import methodcaller

from torch import Tensor, nn
from torch.autograd.graph import Node

from gradguide._autograd import Parents, saves_tensors
from gradguide._memory import memory

Numbers = frozenset[int]
"""The parameters and buffers that a node uses."""


class Owned:
    """The parameters and buffers of a model, with the modules that own them.

    Attributes:
        numbers: For each address, the number of the parameter or buffer that is there.
    """

    def __init__(self, model: nn.Module | None) -> None:
        """List what a model owns; nothing without a model."""
        self.numbers: dict[int, int] = {}
        self._path_of: dict[int, str] = {}
        tensors: list[Tensor] = []
        paths: list[str] = []
        # The public iterators build names, which takes a third of all the time.
        modules = [] if model is None else [("", model)]
        seen = {id(model)}  # a module may define its own ==
        for path, module in modules:  # appended to while iterating
            parameters, buffers = module._parameters, module._buffers  # noqa: SLF001
            for tensor in (*parameters.values(), *buffers.values()):
                if tensor is not None:
                    tensors.append(tensor)
                    paths.append(path)
            for name, child in module._modules.items():  # noqa: SLF001
                if child is not None and id(child) not in seen:
                    seen.add(id(child))
                    modules.append((f"{path}.{name}" if path else name, child))
        indices, addresses, _ = memory(tensors)
        for index, address in zip(indices, addresses, strict=True):
            if not address:  # an empty tensor
                continue
            path = paths[index]
            number = self.numbers.setdefault(address, len(self.numbers))
            if self._path_of.setdefault(number, path) != path:  # tied
                self._path_of[number] = _around(path, self._path_of[number])

    def by_module(
        self,
        sizes: Mapping[Node, int],
        graph: Mapping[Node, Parents],
        holds: Mapping[Node, Numbers],
    ) -> dict[str, int]:
        """Add up the bytes of nodes by the paths of their modules, largest first.

        Without a model, no node has a module.

        Args:
            sizes: The bytes that nodes keep.
            graph: All nodes, with their parents.
            holds: The numbers of what a node keeps, or for a leaf that of the tensor.
        """
        if not self.numbers:
            return {"": sum(sizes.values())} if sizes else {}
        nodes = [node for node, parents in graph.items() if parents]
        nodes.sort(key=methodcaller("_sequence_nr"))
        uses, in_order = _uses(nodes, graph, holds)
        path_of = cache(self._path)
        paths = {node: path_of(numbers) for node, numbers in uses.items()}
        if in_order:
            paths |= _between(nodes, sizes, uses, paths)
        total: Counter[str] = Counter()
        for node, size in sizes.items():
            total[_without_parametrization(paths.get(node, ""))] += size
        return dict(total.most_common())

    def _path(self, numbers: Numbers) -> str:
        """Return the path of the innermost module around the owners of some tensors."""
        return reduce(_around, map(self._path_of.__getitem__, numbers))


def _between(
    nodes: list[Node],
    sizes: Mapping[Node, int],
    uses: dict[Node, Numbers],
    paths: dict[Node, str],
) -> dict[Node, str]:
    """Return the module around the nodes before and after one that uses nothing."""
    between: dict[Node, str] = {}
    waiting: list[Node] = []
    last: str | None = None  # the module of the node that used something before
    last_use: Numbers = frozenset()
    used_by_last: set[int] = set()
    used: set[int] = set()
    for node in nodes:
        if node not in uses:
            if node in sizes:
                waiting.append(node)
            continue
        path, use = paths[node], uses[node]
        if path != last:
            used_by_last = set()
        # What is used again was called again: its first call ended in between. Only a
        # recurrent layer uses a part of its parameters several times in one call.
        again = not used.isdisjoint(use) and not (use == last_use != used_by_last)
        if waiting and last is not None and not again:
            between |= dict.fromkeys(waiting, _around(last, path))
        if again:
            used, used_by_last = set(), set()
        used |= use
        used_by_last |= use
        last, last_use = path, use
        waiting.clear()
    return between


def _uses(
    nodes: list[Node], graph: Mapping[Node, Parents], holds: Mapping[Node, Numbers]
) -> tuple[dict[Node, Numbers], bool]:
    """Return the numbers of what nodes use, and whether the nodes are in order.

    Each thread counts its nodes by itself, so that nodes of several threads may come
    before those that they were computed from.
    """
    nothing: Numbers = frozenset()
    uses: dict[Node, Numbers] = {}
    in_order = True
    # What nodes give on: a leaf its tensor, and the transpose of a weight this weight.
    given: dict[Node | None, Numbers] = {
        node: holds.get(node, nothing) for node, parents in graph.items() if not parents
    }
    given[None] = nothing
    for node in nodes:
        numbers, is_owned = holds.get(node, nothing), True
        for parent, _ in graph[node]:
            from_parent = given.get(parent)
            if from_parent:
                numbers |= from_parent
            else:
                is_owned = False
                in_order = in_order and from_parent is not None
        if numbers and (not is_owned or saves_tensors(type(node))):
            uses[node] = numbers
            numbers = nothing
        given[node] = numbers
    return uses, in_order


def _around(path: str, other: str) -> str:
    """Return the path of the innermost module around two modules."""
    if path == other:
        return path
    pairs = zip(path.split("."), other.split("."), strict=False)
    return ".".join(
        name for name, _ in takewhile(lambda pair: len({*pair}) == 1, pairs)
    )


def _without_parametrization(path: str) -> str:
    """Return the path of the module whose parameter a parametrization computes."""
    if "parametrizations" not in path:
        return path
    return re.sub(r"(^|\.)parametrizations(\..*)?$", "", path)
