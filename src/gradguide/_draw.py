"""Draws the parts of a graph with matplotlib."""

import io
from collections.abc import Iterable
from textwrap import fill

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradguide._parts import Part

# Each kind has a colour and an outline of its own, to be told apart without colour.
_LOOKS = {
    "loss": {"fc": "#f2c14e", "ec": "#7a5a00", "boxstyle": "round,pad=0.5", "lw": 2},
    "operation": {"fc": "#e4e4e4", "ec": "#6b6b6b", "boxstyle": "round,pad=0.3"},
    "trains": {"fc": "#a8d5a2", "ec": "#1f6b2c", "boxstyle": "square,pad=0.4", "lw": 2},
    "frozen": {
        "fc": "#b9d7ef",
        "ec": "#1b4f7a",
        "boxstyle": "square,pad=0.4",
        "ls": "--",
        "lw": 2,
    },
    "end": {"fc": "#f4c0bb", "ec": "#9c2b20", "boxstyle": "sawtooth,pad=0.3"},
    "more": {"fc": "#e4e4e4", "ec": "#6b6b6b", "boxstyle": "round,pad=0.3", "ls": ":"},
}


def draw(parts: list[Part], notes: list[str], ax: Axes | None = None) -> Axes:
    """Draw parts, the loss on top and each one below all that use it."""
    levels = _levels(parts)
    if ax is None:
        width = max(len(level) for level in levels)
        _, ax = plt.subplots(figsize=(1.8 * width + 1, 0.8 * len(levels) + 0.4))
    places = _places(parts, levels)
    for index, part in enumerate(parts):
        for child in part.children:
            ax.annotate(
                "",
                places[index],
                places[child],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "#808080",
                    "shrinkA": 12,
                    "shrinkB": 12,
                    "linestyle": ":" if parts[child].kind == "end" else "-",
                },
            )
    for part, place in zip(parts, places, strict=True):
        ax.text(
            *place,
            part.label,
            ha="center",
            va="center",
            fontsize=9,
            color="#111111",
            bbox=_LOOKS[part.kind],
        )
    ax.set_xlim(-0.6, max(x for x, _ in places) + 0.6)
    ax.set_ylim(-len(levels) + 0.4, 0.6)
    if notes:
        text = "\n".join(fill(note, 60) for note in notes)
        ax.annotate(
            text,
            (0.5, 0),
            (0, -4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
            color="#808080",
        )
    ax.set_axis_off()
    ax.patch.set_alpha(0)
    return ax


def svg(parts: list[Part], notes: list[str]) -> str:
    """Return the picture as SVG, with a transparent background."""
    ax = draw(parts, notes)
    figure = ax.get_figure()
    if not isinstance(figure, Figure):
        raise TypeError
    file = io.StringIO()
    with plt.rc_context({"svg.hashsalt": "gradguide"}):
        figure.savefig(
            file,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            metadata={"Date": None},
        )
    plt.close(figure)
    return file.getvalue()


def _levels(parts: list[Part]) -> list[list[int]]:
    """Return the parts of each level: one below the lowest that uses them."""
    waiting = [0] * len(parts)
    for part in parts:
        for child in part.children:
            waiting[child] += 1
    level = [0] * len(parts)
    ready = [0]
    for index in ready:  # which grows as it is walked
        for child in parts[index].children:
            level[child] = max(level[child], level[index] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    levels: list[list[int]] = [[] for _ in range(max(level) + 1)]
    for index in ready:
        levels[level[index]].append(index)
    return levels


def _places(parts: list[Part], levels: list[list[int]]) -> list[tuple[float, float]]:
    """Return where each part goes: in its level, below the middle of its users."""
    width = max(len(level) for level in levels) - 1
    places = [(width / 2, 0.0)] * len(parts)
    users: list[list[int]] = [[] for _ in parts]
    for index, part in enumerate(parts):
        for child in part.children:
            users[child].append(index)
    for depth, level in enumerate(levels):
        wished = {
            i: _mean([places[user][0] for user in users[i]], width) for i in level
        }
        ordered = sorted(level, key=wished.__getitem__)
        middle = _mean(list(wished.values()), width)
        left = min(max(middle - (len(level) - 1) / 2, 0), width - len(level) + 1)
        for offset, index in enumerate(ordered):
            places[index] = (left + offset, -float(depth))
    return places


def _mean(values: Iterable[float], width: float) -> float:
    values = list(values)
    return sum(values) / len(values) if values else width / 2
