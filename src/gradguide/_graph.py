"""Shows the graph behind a loss, as text and as a picture."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import nn

from gradguide._autograd import Loss
from gradguide._parts import Part, parts_of
from gradguide._report.fold import fold
from gradguide._report.row import Row
from gradguide._saved import require_tensors
from gradguide._select import require_module

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def graph(
    loss: Loss, model: nn.Module | None = None, *, depth: int | None = None
) -> "Graph":
    """Show the graph that a backward pass from a loss goes through.

    A line begins with an operation, named as ``grad_fn`` prints it. The inputs of the
    operation are on the same line, behind the arrow, or on the lines below it.
    Parameters have their names. An operation that several others use is shown once,
    with a number to which the others refer.

    The graph does not contain the reason why a tensor is missing: data and a tensor
    that was cut off look the same, ``no history``. ``explain`` tells them apart. A
    frozen parameter is shown where an operation saved it for the backward pass. If it
    was only added, such as a bias, if autocast made a copy of it, or if it was not
    used, it is ``not recorded``.

    Args:
        loss: A tensor, or a tuple, list or dict of tensors, of any shape.
        model: The module whose parameters are named. Parameters that the backward pass
            does not reach are always listed, whatever ``depth`` is.
        depth: How many operations away from the loss to show, at most 2,000 operations.
            By default, the nearest 200 operations are shown. The others are counted.

    Returns:
        The graph. ``print`` it, ``draw`` it, or let a notebook show it.

    Raises:
        TypeError: If ``loss`` holds no tensor, ``model`` is not a module, or ``depth``
            not a whole number.
        ValueError: If ``depth`` is less than 1.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from gradguide import graph
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        >>> _ = model[2].requires_grad_(False)
        >>> print(graph(model(torch.ones(8, 3)).sum(), model))
        loss ()
        └─ SumBackward0 ← AddmmBackward0
           ├─ 2.weight (1, 4) frozen
           ├─ no history
           └─ TanhBackward0 ← AddmmBackward0
              ├─ 0.bias (4,)
              ├─ no history
              └─ TBackward0 ← 0.weight (4, 3)
        not recorded: 2.bias frozen

        A loss that was detached has no graph:

        >>> print(graph(model(torch.ones(8, 3)).sum().detach()))
        loss ()
        └─ no history
        >>> graph(0.5)
        Traceback (most recent call last):
        ...
        TypeError: graph: expected a tensor, or a tuple, list or dict of tensors, got \
float; pass the loss before item() or detach()
    """
    require_tensors(loss, "graph")
    if model is not None:
        require_module(model, "graph")
    if depth is not None:
        _require_depth(depth)
    return Graph(*parts_of(loss, model, depth))


def _require_depth(depth: object) -> None:
    msg = f"graph: expected a depth of at least 1, got {depth!r}; leave it out for all"
    if not isinstance(depth, int) or isinstance(depth, bool):
        raise TypeError(msg)
    if depth < 1:
        raise ValueError(msg)


class Graph:
    """The graph of a loss; ``print`` shows a tree, ``draw`` draws a picture.

    Attributes:
        parts: The parts that are shown: the loss first, then operations, parameters and
            the ends of paths.
    """

    def __init__(self, parts: list[Part], rows: list[Row], hidden: int) -> None:
        """Keep what to show; ``graph`` calls this."""
        self.parts = parts
        self._rows = rows
        self._hidden = hidden

    def __str__(self) -> str:
        """Show a tree with one line for each chain of operations."""
        return "\n".join([*self._tree(), *self._notes()])

    def __repr__(self) -> str:
        """Show what ``print`` shows."""
        return str(self)

    def draw(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the graph with matplotlib, the loss on top.

        The loss is a diamond, and arrows show the way of the gradient; both have the
        colour C3. A parameter that trains has an outline in C0. A frozen parameter is
        hatched, in C1, and no arrow leads to it. A tensor without a history is an input
        and has no box. But if the backward pass does not reach some parameters of the
        model, the graph may be cut there, and the tensor has a dashed box in C2. The
        colours are those of matplotlib's property cycle. Everything else has the colour
        of text.

        The size of ``ax`` stays as it is, and the text shrinks until it fits. Without
        ``ax``, a new figure of the right size is made.

        Args:
            ax: The axes to draw on. By default, new axes are made.

        Returns:
            The axes.

        Raises:
            ImportError: If matplotlib is not installed.

        Examples:
            >>> import torch
            >>> from gradguide import graph
            >>> axes = graph(torch.ones(2, requires_grad=True).sum()).draw()
            >>> [text.get_text() for text in axes.texts if text.get_text()]
            ['loss ()', 'SumBackward0', 'leaf (2,)']
        """
        try:
            from gradguide._draw import draw
        except ImportError as error:
            msg = (
                "draw: matplotlib is not installed; "
                "pip install 'gradguide[draw]', or print the graph"
            )
            raise ImportError(msg) from error
        return draw(self.parts, list(self._notes()), ax)

    def _repr_svg_(self) -> str | None:
        """Show the picture in a notebook; the text, where matplotlib is missing."""
        try:
            from gradguide._draw import svg
        except ImportError:
            return None
        return svg(self.parts, list(self._notes()))

    def _notes(self) -> Iterator[str]:
        """Yield the lines below the tree: hidden and unreached parts."""
        lines = fold(self._rows)
        for verdict, ending in (("not reached", ""), ("not recorded", " frozen")):
            names = [line.names for line in lines if line.row.verdict == verdict]
            if names:
                yield f"{verdict}: {', '.join(names)}{ending}"
        if self._hidden:
            yield f"not shown: {self._hidden:,} operations and parameters"

    def _tree(self) -> Iterator[str]:
        """Yield the lines of the tree. A deep graph would overflow a recursion."""
        used = [0] * len(self.parts)
        for part in self.parts:
            for child in part.children:
                used[child] += 1
        numbers: dict[int, int] = {}
        seen: set[int] = set()
        # An entry is a part, the prefix of its line, and that of the lines below it.
        stack = [(0, "", "")]
        while stack:
            index, before, below = stack.pop()
            labels = []
            while True:
                part = self.parts[index]
                shared = used[index] > 1 and bool(part.children)
                number = numbers.setdefault(index, len(numbers) + 1) if shared else 0
                again = index in seen and bool(part.children)
                mark = f" [{number}]" if number else ""
                labels.append(f"{part.label}{mark}{', see above' if again else ''}")
                children = () if again else part.children
                seen.add(index)
                if len(children) != 1 or part.kind == "loss":
                    break
                index = children[0]
            yield before + " ← ".join(labels)
            for place, child in enumerate(reversed(children)):
                branch, line = ("└─ ", "   ") if place == 0 else ("├─ ", "│  ")
                stack.append((child, below + branch, below + line))
