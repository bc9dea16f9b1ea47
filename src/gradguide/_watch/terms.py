"""Finds the terms of a loss that give no gradient, or only to what no step moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from gradguide._autograd import grad_fn
from gradguide._origins.values import UNCUT, Origins
from gradguide._origins.where import Place, line_here

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch.autograd.graph import Node

    from gradguide._origins.flow import Read
    from gradguide._origins.tape import Call

_SUMS = {"add", "add_", "sub", "sub_", "__radd__", "__rsub__", "rsub"}

_ARITHMETIC = {"Add", "Clone", "Div", "Mul", "Neg", "Rsub", "Sub", "ToCopy"}
"""The beginnings of the names of operations after which a sum is still a loss."""

_MOST = 1000
"""How many operations of a loss are searched, and how many sums are remembered."""


class _Term(NamedTuple):
    """A term of a sum: its line, the sources that it reaches, and all its origins."""

    place: Place
    reached: int
    origins: Origins


class _Use(NamedTuple):
    """A term that reaches some sources, before steps that move some."""

    place: Place
    reached: int
    moved: int


class Terms:
    """The sums of tensors without dimensions that end in losses.

    Attributes:
        cut: For the line of a sum and the reason of a cut, the line of the cut: a term
            there has no graph, though it could have one.
        elsewhere: The same for a term that reaches only tensors that no step moves.
    """

    def __init__(self) -> None:
        self.cut: dict[tuple[Place, str], Place | None] = {}
        self._sums: dict[int, list[_Term]] = {}
        self._pending: list[_Term] = []
        self._moved = 0
        self._useful: dict[tuple[Place, int], set[int]] = {}
        self._useless: dict[_Use, tuple[str, Place | None]] = {}

    @property
    def elsewhere(self) -> dict[tuple[Place, str], Place | None]:
        """The terms so far that reach only tensors that no step moves.

        A term is left out if it was of use before other steps that moved the same
        tensors, as in another iteration.
        """
        self._judge()
        return {
            (use.place, why): where
            for use, (why, where) in self._useless.items()
            if not any(
                use.moved & moved == use.moved
                for moved in self._useful.get((use.place, use.reached), ())
            )
        }

    def note(self, call: Call, result: object, reads: Iterable[Read]) -> None:
        """Note a sum of numbers that has a graph, and which terms have none."""
        if call.name not in _SUMS or not isinstance(result, Tensor):
            return
        if result.dim() or not result.requires_grad or not result.is_floating_point():
            return
        place = line_here()
        node = grad_fn(result)
        if place is None or node is None:
            return
        if len(self._sums) > _MOST:
            self._sums = {}
        terms = self._sums.setdefault(_number_of(node), [])
        for read in reads:
            if read.needs_grad:
                reached = read.origins.get(UNCUT, 0)
                terms.append(_Term(place, reached, read.origins))
                continue
            ways = () if read.tensor.dim() else read.origins
            for cut in (way.cut for way in ways):
                if cut is not None and not cut.inconclusive:
                    self.cut.setdefault((place, cut.why), cut.where)

    def before_backward(self, losses: Iterable[Tensor]) -> None:
        """Note the terms of the losses from which a backward runs."""
        if self._moved:
            self._judge()
            self._pending = []
            self._moved = 0
        nodes = [node for loss in losses if (node := grad_fn(loss)) is not None]
        for node in nodes:
            if len(nodes) > _MOST:
                break
            self._pending += self._sums.pop(_number_of(node), ())
            if type(node).__name__.partition("Backward")[0] in _ARITHMETIC:
                nodes += [one for one, _ in node.next_functions if one is not None]

    def before_step(self, sources: int) -> None:
        """Note which sources a step moves, as a mask of their bits."""
        self._moved |= sources

    def _judge(self) -> None:
        """Find the terms that reach nothing of what the last steps moved."""
        for place, reached, origins in self._pending:
            if reached & self._moved:
                self._useful.setdefault((place, reached), set()).add(self._moved)
                continue
            for way, mask in origins.items():
                cut = None if way.is_dead_end else way.cut
                if cut is not None and not cut.inconclusive and mask & self._moved:
                    use = _Use(place, reached, self._moved)
                    self._useless[use] = cut.why, cut.where


def _number_of(node: Node) -> int:
    """Return the number of an operation, which no other one of the thread has."""
    return int(node._sequence_nr())  # noqa: SLF001 there is no public name for it
