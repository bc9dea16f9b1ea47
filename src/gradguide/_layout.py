"""Places the parts of a graph in layers, so that no line runs through a box."""

from bisect import bisect
from itertools import chain, pairwise
from statistics import fmean, median
from typing import NamedTuple


class Layout(NamedTuple):
    """The centre of each part, and the points at which each line bends.

    The key of a line is the pair of the indices of its user and of the used part.
    """

    places: list[tuple[float, float]]
    bends: dict[tuple[int, int], list[tuple[float, float]]]
    width: float
    height: float


_GAP = 14.0
"""The least space between two parts of a layer."""

_HALF = 11.0
"""Half of the height of a layer. Within a layer, lines are upright."""

_STEP = 40.0
"""The distance between two layers."""


def layout(children: list[list[int]], widths: list[float]) -> Layout:
    """Place parts below all that use them, the first on top.

    Args:
        children: What each part was computed from; part 0 uses all others.
        widths: How wide each part is.

    Returns:
        The layout; x grows to the right from 0, and y falls from 0.
    """
    edges = list(dict.fromkeys((i, c) for i, row in enumerate(children) for c in row))
    depth, order = _depths(children)
    joined = _Joined([[] for _ in children], [[] for _ in children])
    levels: list[list[int]] = [[] for _ in range(max(depth) + 1)]
    for part in order:
        levels[depth[part]].append(part)
    widths = list(widths)
    routes: dict[tuple[int, int], list[int]] = {}
    for user, used in edges:
        # A line over several layers gets a place in each layer that it crosses.
        route = routes[user, used] = []
        for level in range(depth[user] + 1, depth[used]):
            route.append(len(widths))
            levels[level].append(len(widths))
            widths.append(0)
            joined.above.append([])
            joined.below.append([])
        for upper, lower in pairwise([user, *route, used]):
            joined.below[upper].append(lower)
            joined.above[lower].append(upper)
    levels = _untangled(levels, joined)
    xs = _Columns(levels, joined, widths).xs
    ys = {part: -_STEP * level for level, row in enumerate(levels) for part in row}
    return Layout(
        [(xs[part], ys[part]) for part in range(len(children))],
        {
            edge: [(xs[p], ys[p] + y) for p in route for y in (_HALF, -_HALF)]
            for edge, route in routes.items()
        },
        max(x + width / 2 for x, width in zip(xs, widths, strict=True)),
        _STEP * max(depth),
    )


class _Joined(NamedTuple):
    """The neighbours of each part, and of each place of a line, in the next layers."""

    above: list[list[int]]
    below: list[list[int]]


def _depths(children: list[list[int]]) -> tuple[list[int], list[int]]:
    """Return the layer of each part, below all its users, and a topological order."""
    waiting = [0] * len(children)
    for row in children:
        for child in row:
            waiting[child] += 1
    depth = [0] * len(children)
    order = []
    ready = [0]
    while ready:
        part = ready.pop()  # the last first, in the order of the printed tree
        order.append(part)
        for child in reversed(children[part]):
            depth[child] = max(depth[child], depth[part] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return depth, order


def _untangled(levels: list[list[int]], joined: _Joined) -> list[list[int]]:
    """Return the layers sorted so that fewer lines cross, if possible."""
    best, fewest = levels, _crossings(levels, joined)
    levels = [list(level) for level in levels]
    ranks = {part: rank for level in levels for rank, part in enumerate(level)}
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        near = joined.above if down else joined.below
        for level in levels if down else reversed(levels):
            wished = {
                part: fmean([ranks[other] for other in near[part]] or [ranks[part]])
                for part in level
            }
            level.sort(key=wished.__getitem__)
            ranks |= {part: rank for rank, part in enumerate(level)}
        crossings = _crossings(levels, joined)
        if crossings < fewest:
            best, fewest = [list(level) for level in levels], crossings
    return best


def _crossings(levels: list[list[int]], joined: _Joined) -> int:
    count = 0
    for upper, lower in pairwise(levels):
        ranks = {part: rank for rank, part in enumerate(lower)}
        seen: list[int] = []
        for part in upper:
            for rank in sorted(ranks[other] for other in joined.below[part]):
                place = bisect(seen, rank)
                count += len(seen) - place
                seen.insert(place, rank)
    return count


class _Columns:
    """Moves the parts of each layer sideways, towards their neighbours."""

    def __init__(
        self, levels: list[list[int]], joined: _Joined, widths: list[float]
    ) -> None:
        self.xs = [0.0] * len(widths)
        self._widths = widths
        # A part with more below it moves less, so that the main path is straight.
        self._weights = [1] * len(widths)
        for part in chain.from_iterable(reversed(levels)):
            below = [self._weights[other] for other in joined.below[part]]
            self._weights[part] = min(max(below, default=0) * 4 + 1, _HEAVIEST)
        for level in levels:
            self._spread(level, [0.0] * len(level))
        # Neighbours on one side first, then on both for short lines, and at the end on
        # one side again for vertical lines.
        both = [above + below for above, below in zip(*joined, strict=True)]
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            near = joined.above if down else joined.below
            if _SWEEPS // 2 <= sweep < _SWEEPS - 1:
                near = both
            for level in levels if down else reversed(levels):
                self._spread(level, [self._wish(part, near) for part in level])
        left = min(x - width / 2 for x, width in zip(self.xs, widths, strict=True))
        self.xs = [x - left for x in self.xs]

    def _wish(self, part: int, near: list[list[int]]) -> float:
        return median([self.xs[other] for other in near[part]] or [self.xs[part]])

    def _spread(self, level: list[int], wished: list[float]) -> None:
        """Place a layer as near to the wished places as possible without overlap.

        This is isotonic regression by pooling adjacent violators: after subtracting the
        room needed on the left, places must not decrease. Parts whose wishes decrease
        share the weighted mean of their wishes.
        """
        room = [0.0]
        for left, right in pairwise(level):
            apart = (self._widths[left] + self._widths[right]) / 2 + _GAP
            room.append(room[-1] + apart)
        blocks: list[tuple[float, int, int]] = []
        for part, wish, offset in zip(level, wished, room, strict=True):
            weight, count = self._weights[part], 1
            total = weight * (wish - offset)
            while blocks and blocks[-1][0] / blocks[-1][1] > total / weight:
                before = blocks.pop()
                total += before[0]
                weight += before[1]
                count += before[2]
            blocks.append((total, weight, count))
        shared = [
            total / weight for total, weight, count in blocks for _ in range(count)
        ]
        for part, x, offset in zip(level, shared, room, strict=True):
            self.xs[part] = x + offset


_SWEEPS = 12
_HEAVIEST = 4**9
