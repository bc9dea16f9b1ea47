"""Adds up what the nodes of a graph keep by the modules of a model.

A node knows neither its module nor its line. The module is told by the parameters and
buffers that the node uses, and by the order in which the nodes were made.
"""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import takewhile
from operator import methodcaller

from torch import Tensor, nn
from torch.autograd.graph import Node

from gradguide._autograd import Parents, saves_tensors
from gradguide._memory import memory


class Owned:
    """The parameters and buffers of a model, with the modules that own them.

    A set of them is a number with a bit for each address, as every node has such a set.

    Attributes:
        bits: The bits by address.
    """

    def __init__(self, model: nn.Module | None) -> None:
        """List what a model owns; nothing without a model."""
        self.bits: dict[int, int] = {}
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
            bit = self.bits.setdefault(address, 1 << len(self.bits))
            if self._path_of.setdefault(bit, path) != path:  # tied
                self._path_of[bit] = _around(path, self._path_of[bit])

    def by_module(
        self,
        sizes: Mapping[Node, int],
        graph: Mapping[Node, Parents],
        holds: Mapping[Node, int],
    ) -> dict[str, int]:
        """Add up the bytes of nodes by the paths of their modules, largest first.

        Without a model, no node has a module.

        Args:
            sizes: The bytes that nodes keep.
            graph: All nodes, with their parents.
            holds: The bits of what a node keeps, or for a leaf of the tensor itself.
        """
        if not self.bits:
            return {"": sum(sizes.values())} if sizes else {}
        nodes = [node for node, parents in graph.items() if parents]
        nodes.sort(key=methodcaller("_sequence_nr"))
        uses, in_order = _uses(nodes, graph, holds)
        paths = {node: self._path(bits) for node, bits in uses.items()}
        if in_order:
            paths |= _between(nodes, sizes, uses, paths)
        total: Counter[str] = Counter()
        for node, size in sizes.items():
            total[_without_parametrization(paths.get(node, ""))] += size
        return dict(total.most_common())

    def _path(self, bits: int) -> str:
        """Return the path of the innermost module around the owners of some tensors."""
        if bits not in self._path_of:
            lowest = bits & -bits
            rest = self._path(bits - lowest)
            self._path_of[bits] = _around(self._path_of[lowest], rest)
        return self._path_of[bits]


def _between(
    nodes: list[Node],
    sizes: Mapping[Node, int],
    uses: dict[Node, int],
    paths: dict[Node, str],
) -> dict[Node, str]:
    """Return the module around the nodes before and after one that uses nothing."""
    between: dict[Node, str] = {}
    waiting: list[Node] = []
    last: str | None = None  # the module of the node that used something before
    last_use = used_by_last = used = 0
    for node in nodes:
        if node not in uses:
            if node in sizes:
                waiting.append(node)
            continue
        path, use = paths[node], uses[node]
        if path != last:
            used_by_last = 0
        # What is used again was called again: its first call ended in between. Only a
        # recurrent layer uses a part of its parameters several times in one call.
        again = used & use != 0 and not (use == last_use != used_by_last)
        if waiting and last is not None and not again:
            between |= dict.fromkeys(waiting, _around(last, path))
        used, used_by_last = (use, use) if again else (used | use, used_by_last | use)
        last, last_use = path, use
        waiting.clear()
    return between


def _uses(
    nodes: list[Node], graph: Mapping[Node, Parents], holds: Mapping[Node, int]
) -> tuple[dict[Node, int], bool]:
    """Return the bits of what nodes use, and whether the nodes are in order.

    Each thread counts its nodes by itself, so that nodes of several threads may come
    before those that they were computed from.
    """
    uses: dict[Node, int] = {}
    in_order = True
    # What nodes give on: a leaf its tensor, and the transpose of a weight this weight.
    given: dict[Node | None, int] = {
        node: holds.get(node, 0) for node, parents in graph.items() if not parents
    }
    given[None] = 0
    for node in nodes:
        bits, is_owned = holds.get(node, 0), True
        for parent, _ in graph[node]:
            from_parent = given.get(parent, -1)
            if from_parent > 0:
                bits |= from_parent
            else:
                is_owned = False
                in_order = in_order and from_parent == 0
        if bits and (not is_owned or saves_tensors(type(node))):
            uses[node] = bits
            bits = 0
        given[node] = bits
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
