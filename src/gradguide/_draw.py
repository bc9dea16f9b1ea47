"""Draws the parts of a graph with matplotlib."""

import io
from functools import lru_cache
from textwrap import wrap
from typing import Any, cast

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from gradguide._layout import Layout, layout
from gradguide._parts import Part


def draw(parts: list[Part], notes: list[str], ax: Axes | None = None) -> Axes:
    """Draw parts, the loss on top and each one below all that use it."""
    widths = [_length(part.label) + _ROOM.get(part.kind, 0) for part in parts]
    plan = layout([part.children for part in parts], widths)
    # A unit of the axes is one point, or less if the axes are too small.
    width = max(plan.width, 200) + 2 * _MARGIN
    text = [line for note in notes for line in wrap(note, int(width / 5))]
    height = plan.height + 2 * _MARGIN + 11 * len(text)
    if ax is None:
        size = (min(width / 72, _MOST), min(height / 72, _MOST))
        figure = plt.figure(figsize=size, layout="none")  # not that of a style
        ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    middle = plan.width / 2
    ax.set_xlim(middle - width / 2, middle + width / 2)
    ax.set_ylim(_MARGIN - height, _MARGIN)
    inches = ax.figure.dpi_scale_trans.inverted().transform(ax.bbox.size)
    scale = min(1, 72 * inches[0] / width, 72 * inches[1] / height)
    _draw_parts(ax, parts, plan, _SIZE * scale)
    for number, line in enumerate(reversed(text)):
        y = _MARGIN - height + 4 + 11 * number
        ax.text(middle, y, line, ha="center", va="bottom", fontsize=8 * scale)
    return ax


_MARGIN = 22.0
_SIZE = 9.0
_MOST = 300  # inches; a larger picture has more pixels than matplotlib can save


def svg(parts: list[Part], notes: list[str]) -> str:
    """Return the picture as SVG, on the background that matplotlib is set to."""
    figure = cast("Figure", draw(parts, notes).figure)
    file = io.StringIO()
    with plt.rc_context({"svg.hashsalt": "gradguide"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    return file.getvalue()


def _draw_parts(ax: Axes, parts: list[Part], plan: Layout, size: float) -> None:
    """Draw the boxes, and the lines between them."""
    looks = _looks()
    boxes = []
    for part, place in zip(parts, plan.places, strict=True):
        text = ax.text(
            *place,
            part.label,
            ha="center",
            va="center",
            fontsize=size,
            bbox={"fc": "none", **looks[part.kind]},
        )
        boxes.append(text.get_bbox_patch())
    for (user, used), bends in plan.bends.items():
        # A line leaves a box at the bottom, and enters the next box at the top.
        bottom, top = ((0.5, 0), boxes[user]), ((0.5, 1), boxes[used])
        look = _LINES.get(parts[used].kind, _GRADIENT)
        if bends:
            _join(ax, bottom, (bends[0], "data"), look | {"arrowstyle": "-"})
            ax.plot(*zip(*bends, strict=True), color=look["ec"], lw=1)
            _join(ax, (bends[-1], "data"), top, look)
        else:
            _join(ax, bottom, top, look)


def _join(ax: Axes, start: Any, end: Any, look: dict[str, str]) -> None:  # noqa: ANN401
    """Draw a line between two points, each with its coordinate system."""
    arrow = {"shrinkA": 0, "shrinkB": 0, "lw": 1, **look}
    ax.annotate(
        "", end[0], start[0], xycoords=end[1], textcoords=start[1], arrowprops=arrow
    )


@lru_cache(maxsize=1000)
def _length(label: str) -> float:
    """Return how long a label is, in points."""
    return float(np.max(TextPath((0, 0), label, size=_SIZE).vertices[:, 0]))


# Lines have an arrow where a gradient flows; none flows to a frozen parameter.
_GRADIENT = {"arrowstyle": "->", "ec": "C3"}
_LINES = {
    "frozen": {"arrowstyle": "-", "ec": "C1"},
    "cut": {"arrowstyle": "-", "ec": "C2", "ls": "--"},
    "input": {"arrowstyle": "-", "ec": "gray"},
}
_ROOM = {"loss": 50, "operation": 6, "trains": 8, "frozen": 32, "cut": 8}


def _looks() -> dict[str, dict[str, Any]]:
    """Return the outline of each kind; they differ without colour as well."""
    return {
        "loss": {"boxstyle": _diamond, "ec": "C3", "lw": 2},
        "operation": {
            "boxstyle": "round,pad=0.3",
            "ec": rcParams["text.color"],
            "lw": 0.6,
        },
        "trains": {"boxstyle": "square,pad=0.4", "ec": "C0", "lw": 2},
        "frozen": {"boxstyle": _hatched_ends, "ec": "C1", "hatch": "//////", "lw": 2},
        "cut": {"boxstyle": "square,pad=0.4", "ec": "C2", "ls": "--", "lw": 1.5},
        "input": {"boxstyle": "square,pad=0.3", "ec": "none"},
        "more": {"boxstyle": "square,pad=0.3", "ec": "none"},
    }


def _diamond(x: float, y: float, width: float, height: float, size: float) -> Path:
    """Return a diamond around a text."""
    middle = (x + width / 2, y + height / 2)
    across, up = width / 2 + 2.2 * size, height / 2 + 0.8 * size
    corners = [(-across, 0), (0, up), (across, 0), (0, -up), (-across, 0)]
    return Path([(middle[0] + i, middle[1] + j) for i, j in corners], closed=True)


def _hatched_ends(x: float, y: float, width: float, height: float, size: float) -> Path:
    """Return a box that is hatched on both sides of its text, not behind it."""
    pad, end = 0.4 * size, 1.4 * size
    left, right = x - pad, x + width + pad
    bottom, top = y - pad, y + height + pad
    around = _rectangle(left - end, bottom, right + end, top)
    inside = _rectangle(left, top, right, bottom)
    return Path.make_compound_path(around, inside)


def _rectangle(left: float, bottom: float, right: float, top: float) -> Path:
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return Path([*corners, corners[0]], closed=True)
