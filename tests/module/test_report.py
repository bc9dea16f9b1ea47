"""Tests how a report reads, for three parameters and for three thousand."""

import time

import torch
from torch import nn

from gradguide import explain

from .scenarios import Two


def test_small() -> None:
    """A small report is a short table, aligned."""
    model = Two()
    model.scale = nn.Parameter(torch.ones(1))
    model.head.requires_grad_(requires_grad=False)
    x = torch.randn(5, 3)
    assert str(explain(model, lambda: model(x).sum())) == (
        "2 of 5 parameters train: 1 unused, 2 frozen\n"
        "unused  scale        1  never read in the forward\n"
        "trains  backbone.*  16\n"
        "frozen  head.*      10"
    )


def test_one() -> None:
    """One parameter is a line."""
    model = nn.Linear(2, 1, bias=False)
    assert str(explain(model)) == "1 of 1 parameter trains\ntrains  weight  2"


def test_nothing() -> None:
    """A module without parameters has nothing to tell."""
    assert str(explain(nn.ReLU())) == "0 of 0 parameters train"


class Attention(nn.Module):
    """A part of a block, with projections by their usual names."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(2, 2)
        self.v_proj = nn.Linear(2, 2)


def decoder(blocks: int) -> nn.Module:
    model = nn.Module()
    model.embed = nn.Embedding(4, 2)
    model.layers = nn.ModuleList(Attention() for _ in range(blocks))
    return model


def test_folded() -> None:
    """Layers that say the same are one line, with their numbers."""
    model = decoder(32)
    for layer in model.layers:
        layer.q_proj.requires_grad_(requires_grad=False)
    assert str(explain(model)) == (
        "65 of 129 parameters train: 64 frozen\n"
        "trains  embed.weight              8\n"
        "trains  layers.{0-31}.v_proj.*  192\n"
        "frozen  layers.{0-31}.q_proj.*  192"
    )


def test_folded_with_gaps() -> None:
    """Numbers are written as ranges."""
    model = decoder(6)
    for index in (0, 1, 2, 5):
        model.layers[index].requires_grad_(requires_grad=False)
    lines = str(explain(model)).splitlines()
    assert lines[2:] == [
        "trains  layers.{3-4}.*    24",
        "frozen  layers.{0-2,5}.*  48",
    ]


def test_whole_model() -> None:
    """A model that says one thing is one line."""
    assert str(explain(decoder(3))).splitlines()[1:] == ["trains  *  44"]


def test_a_whole_list_of_layers() -> None:
    """Layers that are a whole are named as a whole."""
    model = decoder(3)
    model.embed.requires_grad_(requires_grad=False)
    lines = str(explain(model)).splitlines()
    assert "trains  layers.*      36" in lines


def test_large() -> None:
    """Three thousand parameters fold at once into a few lines."""
    model = decoder(750)
    model.layers[7].requires_grad_(requires_grad=False)
    begin = time.perf_counter()
    lines = str(explain(model)).splitlines()
    assert len(lines) == 4
    assert "trains  layers.{0-6,8-749}.*" in lines[2]
    assert time.perf_counter() - begin < 5


def test_repr_is_the_table() -> None:
    """At a prompt the report shows itself."""
    report = explain(Two())
    assert repr(report) == str(report)


def test_html() -> None:
    """In a notebook the report is a table, with everything escaped."""
    model = Two(lambda x: x.detach())
    report = explain(model, lambda: model(torch.ones(1, 3)).sum())
    page = report._repr_html_()
    assert page.startswith("<table>")
    assert "<td>backbone.*</td>" in page
    assert "&lt;" not in page or "<lambda>" not in page
    assert page.count("<tr>") == 3


def test_problems_are_a_report() -> None:
    """The problems read as the report does."""
    model = Two(lambda x: x.detach())
    report = explain(model, lambda: model(torch.ones(1, 3)).sum())
    assert str(report.problems).startswith("0 of 2 parameters train: 2 cut\n")
