"""Tells what autograd keeps in memory for a backward."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from torch import nn
from torch.autograd.graph import Node

from gradguide._autograd import Loss, is_number, leaf, saved_tensors, tensors_in, walk
from gradguide._by_module import Owned
from gradguide._memory import memory
from gradguide._select import require_module


class Saved(NamedTuple):
    """What a graph keeps in memory; ``print`` shows a table.

    Attributes:
        bytes: The memory in bytes, each storage counted once.
        by_op: The bytes of each operation, largest first. Operations are named as
            ``grad_fn`` prints them. A tensor that several operations share counts for
            the one nearest to the loss.
        nodes: How many nodes the graph has.
        freed: Whether a backward has freed a part of it.
        by_module: The bytes of each module, largest first, under its path as in
            ``named_modules()``. The key ``""`` is for tensors that belong to no module
            or to the whole model.
    """

    bytes: int
    by_op: dict[str, int]
    nodes: int
    freed: bool
    by_module: dict[str, int]

    def __str__(self) -> str:
        """Show one line for the whole and one for each operation."""
        part = "a part " if self.bytes else ""
        state = f", {part}freed by a backward" if self.freed else ""
        lines = [f"{_readable(self.bytes)} saved by {self.nodes} nodes{state}"]
        width = max(map(len, self.by_op), default=0)
        lines += [f"  {op:{width}}  {_readable(n)}" for op, n in self.by_op.items()]
        return "\n".join(lines)


def saved(loss: Loss, model: nn.Module | None = None) -> Saved:
    """Measure what autograd keeps in memory for a backward from ``loss``.

    It traverses the existing graph and needs no second forward. Tensors that are in
    memory anyway are not counted: leaves that require a gradient, and the parameters
    and buffers of ``model``. Without ``model``, frozen weights that the graph holds are
    counted, too.

    The graph has no modules. An operation that uses parameters or buffers is counted
    for the module that owns them. An operation that uses none is counted for the
    innermost module around the layers that ran before and after it, so the result of an
    activation function counts for the ``Sequential`` or block that it is in. Some
    operations count for no module: those before the first layer or after the last one,
    such as a loss function, those on a tied weight, those between two calls of one
    module, and those without parameters whose order is unknown because several threads
    ran them.

    After a backward it measures what is left: the tensors of the part of the graph that
    the backward did not go through, such as that of a metric that you keep.

    It does not count what Python code keeps outside of the graph, such as attributes of
    a custom function's ``ctx``, or the inputs of a checkpoint that is not reentrant.
    What a checkpoint will recompute is not in memory, so it is not counted. Tensors
    that a hook has packed are counted as packed.

    Args:
        loss: A tensor, or a tuple, list or dict of tensors, of any shape.
        model: The module whose parameters and buffers are in memory anyway. For several
            modules, pass ``nn.ModuleList([generator, critic])``.

    Returns:
        The bytes in total, of each operation and of each module, and the number of
        nodes.

    Raises:
        TypeError: If ``loss`` holds no tensor, or ``model`` is not a module.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from gradguide import saved
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        >>> x = torch.ones(8, 3)
        >>> print(saved(model(x).sum(), model))
        224 B saved by 10 nodes
          AddmmBackward0  224 B

        The modules that keep them:

        >>> saved(model(x).sum(), model).by_module
        {'2': 128, '0': 96}

        Freezing the last layer saves nothing here, because the tanh keeps the same
        tensor anyway. Freezing the first one does:

        >>> _ = model[2].requires_grad_(False)
        >>> saved(model(x).sum(), model).bytes
        224
        >>> _ = model[2].requires_grad_(True)
        >>> _ = model[0].requires_grad_(False)
        >>> saved(model(x).sum(), model).bytes
        128

        A number has no graph:

        >>> saved(model(x).sum().item())
        Traceback (most recent call last):
        ...
        TypeError: saved: expected a tensor, or a tuple, list or dict of tensors, got \
float; pass the loss before item() or detach()
    """
    roots = list(tensors_in(loss))
    require_tensors(loss, "saved")
    if model is not None:
        require_module(model, "saved")
    graph, owned = walk(roots), Owned(model)
    leaves = {node: tensor for node in graph if (tensor := leaf(node)) is not None}
    accumulators = list(leaves)
    places, addresses, _ = memory(list(leaves.values()))
    holds = {
        accumulators[place]: frozenset((owned.numbers[address],))
        for place, address in zip(places, addresses, strict=True)
        if address in owned.numbers
    }
    kept, keepers, any_freed = saved_tensors(graph)
    seen = {0, *addresses, *owned.numbers}
    sizes: Counter[Node] = Counter()
    for place, address, piece in zip(*memory(kept), strict=True):
        keeper = keepers[place]
        if address in owned.numbers:
            holds[keeper] = holds.get(keeper, frozenset()) | {owned.numbers[address]}
        elif address not in seen:
            seen.add(address)
            size = piece.nbytes()
            if size <= _NUMBER and is_number(kept[place]):
                continue  # a number of the code; saved_tensors_hooks omit it, too
            sizes[keeper] += size
    by_op: Counter[str] = Counter()
    for node, size in sizes.items():
        by_op[node.name()] += size
    by_module = owned.by_module(sizes, graph, holds)
    largest_first = dict(by_op.most_common())
    return Saved(by_op.total(), largest_first, len(graph), any_freed, by_module)


_NUMBER = 16
"""The bytes of the largest number, a complex one."""


def require_tensors(loss: object, caller: str) -> None:
    """Raise a TypeError that says what to pass, if there is no tensor in a loss."""
    if next(tensors_in(loss), None) is None:
        given, cure = type(loss).__name__, "pass the loss before item() or detach()"
        if isinstance(loss, (dict, tuple, list)):
            given = f"a {given} without tensors"
        elif isinstance(loss, nn.Module):
            cure = "pass the loss, and after it the model"
        elif isinstance(loss, Iterator):
            cure = "make a list of it"
        msg = (
            f"{caller}: expected a tensor, or a tuple, list or dict of tensors, got "
            f"{given}; {cure}"
        )
        raise TypeError(msg)


def _readable(size: float) -> str:
    """Write a number of bytes with a unit."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004 each unit is 1024 of the one before
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
