"""Tests the graph as a picture."""

import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import combinations
from xml.etree import ElementTree as ET

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex, to_rgb, to_rgba
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Annotation
from torch import Tensor, nn

from gradguide import graph

from .nets import net


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    """Draw without a screen, and leave no figure open."""
    plt.switch_backend("agg")
    yield
    plt.close("all")


def test_draw() -> None:
    """The picture has a box for each part, on the axes that it is given."""
    model = net()
    model[2].requires_grad_(False)
    _, ax = plt.subplots()
    shown = graph(model(torch.ones(2, 3)).sum(), model)
    assert shown.draw(ax) is ax
    texts = [text.get_text() for text in ax.texts if text.get_text()]
    assert texts[: len(shown.parts)] == [part.label for part in shown.parts]
    assert texts[-1] == "not recorded: 2.bias frozen"


def boxes_of(ax: Axes) -> dict[str, FancyBboxPatch]:
    return {
        text.get_text(): text.get_bbox_patch() for text in ax.texts if text.get_text()
    }


def test_kinds_differ_with_and_without_colour() -> None:
    """Each kind has a colour of the cycle and an outline of its own, and no filling."""
    model = nn.ModuleDict({"net": net(), "spare": nn.Linear(1, 1)})
    model.net[2].requires_grad_(False)
    with plt.rc_context({"axes.prop_cycle": plt.cycler(color="rgbk")}):
        ax = graph(model.net(torch.ones(2, 3)).sum(), model).draw()
        boxes = boxes_of(ax)
        looks = {
            name: (to_hex(box.get_edgecolor()), box.get_linestyle(), box.get_hatch())
            for name, box in boxes.items()
            if box
        }
        assert looks["net.0.bias (4,)"] == (to_hex("C0"), "solid", None)
        assert looks["net.2.weight (1, 4) frozen"] == (to_hex("C1"), "solid", "//////")
        assert looks["no history"] == (to_hex("C2"), "--", None)
        assert looks["loss ()"] == (to_hex("C3"), "solid", None)
    assert len(boxes["loss ()"].get_path().vertices) == 5
    assert all(box.get_facecolor()[3] == 0 for box in boxes.values() if box)


def test_an_input_is_no_cut() -> None:
    """An end is dashed only where a parameter is not reached or nothing is recorded."""
    model = net()
    shown = graph(model(torch.ones(2, 3)).sum(), model)
    assert boxes_of(shown.draw())["no history"].get_edgecolor()[3] == 0
    missed = graph(model[2](model[:2](torch.ones(2, 3)).detach()).sum(), model)
    assert boxes_of(missed.draw())["no history"].get_linestyle() == "--"
    assert boxes_of(graph(torch.ones(())).draw())["no history"].get_linestyle() == "--"


@pytest.mark.parametrize("page", [0.0, 1.0])
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_text_is_legible_on_any_background(style: str, page: float) -> None:
    """The SVG has a background that its text is legible on, whatever the page's is."""
    with plt.style.context(style):
        shown = graph(torch.ones(2, requires_grad=True).exp())
        colour = plt.rcParams["text.color"]
        ax = shown.draw()
        painted = ET.fromstring(shown._repr_svg_()).find(".//{*}path")
    assert {text.get_color() for text in ax.texts if text.get_text()} == {colour}
    assert same_color(boxes_of(ax)["ExpBackward0"].get_edgecolor(), colour)
    look = dict(
        part.split(": ") for part in painted.get("style", "fill: #000").split("; ")
    )
    red, green, blue, alpha = to_rgba(look["fill"], float(look.get("opacity", 1)))
    ground = [alpha * part + (1 - alpha) * page for part in (red, green, blue)]
    assert abs(sum(ground) / 3 - sum(to_rgb(colour)) / 3) > 0.7


def test_arrows_go_with_the_gradient() -> None:
    """Arrows lead to trained parameters; frozen parameters and cuts get plain lines."""
    model = net()
    model[2].requires_grad_(False)
    shown = graph(model(torch.ones(2, 3)).sum(), model)
    ax = shown.draw()
    names = {id(text.get_bbox_patch()): text.get_text() for text in ax.texts}
    lines = {
        (names[id(text.anncoords)], names[id(text.xycoords)]): (
            type(text.arrow_patch.get_arrowstyle()).__name__
        )
        for text in ax.texts
        if isinstance(text, Annotation)
    }
    assert lines["loss ()", "SumBackward0"] == "CurveB"
    assert lines["AddmmBackward0", "0.bias (4,)"] == "CurveB"
    assert lines["AddmmBackward0", "2.weight (1, 4) frozen"] == "Curve"
    assert lines["AddmmBackward0", "no history"] == "Curve"


class Residual(nn.Module):
    """A network whose branches skip one another."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(6))
        self.layers[3].requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        first = self.layers[0](x)
        x = first
        for layer in self.layers[1:]:
            x = x + layer(x.tanh()).relu() * first
        return x + first


@pytest.mark.parametrize("size", [None, (4, 3)])
def test_nothing_overlaps(size: tuple[int, int] | None) -> None:
    """No boxes overlap and no line crosses a box, on small axes as well."""
    model = Residual()
    ax = plt.subplots(figsize=size)[1] if size else None
    ax = graph(model(torch.ones(1, 2)).sum(), model).draw(ax)
    ax.figure.canvas.draw()
    boxes = [text.get_bbox_patch() for text in ax.texts]
    extents = [box.get_window_extent() for box in boxes if box]
    inner = [extent.expanded(0.98, 0.9) for extent in extents]
    assert not any(a.overlaps(b) for a, b in combinations(inner, 2))
    lines = [line.get_path().transformed(ax.transData) for line in ax.lines]
    lines = [path for path in lines if len(path.vertices) > 1]
    assert lines
    lines += [
        text.arrow_patch._get_path_in_displaycoord()[0][0]
        for text in ax.texts
        if isinstance(text, Annotation)
    ]
    for path in lines:
        assert not any(path.intersects_bbox(extent, filled=False) for extent in inner)


def test_a_large_picture() -> None:
    """A graph of a thousand layers becomes a picture that matplotlib can save."""
    y = torch.ones(1, requires_grad=True)
    for _ in range(1000):
        y = y.sin()
    ax = graph(y, depth=1000).draw()
    assert max(ax.figure.get_size_inches()) <= 300


def test_svg() -> None:
    """A notebook gets valid SVG, the same each time, and no figure stays open."""
    shown = graph(net()(torch.ones(2, 3)).sum())
    picture = shown._repr_svg_()
    assert ET.fromstring(picture).tag.endswith("svg")
    assert picture == shown._repr_svg_()
    assert plt.get_fignums() == []


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without matplotlib text works, and drawing says what to install."""
    for name in [n for n in sys.modules if n.startswith(("gradguide", "matplotlib"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # makes its import fail
    shown = import_module("gradguide").graph(torch.ones(1, requires_grad=True) * 2)
    assert "MulBackward0" in str(shown)
    assert shown._repr_svg_() is None
    with pytest.raises(ImportError) as caught:
        shown.draw()
    assert str(caught.value) == (
        "draw: matplotlib is not installed; pip install 'gradguide[draw]', or print "
        "the graph"
    )
