"""Tests how a report reads, for three parameters and for three thousand."""

import pickle
import re
import time
from collections import OrderedDict

import torch
from torch import Tensor, nn

from gradguide import explain
from gradguide._report import Report

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
    assert '<td style="text-align: left">backbone.*</td>' in page
    assert "&lt;" not in page or "<lambda>" not in page
    assert page.count("<tr>") == 3


def test_problems_are_counted() -> None:
    """The problems read as the report does, and are counted as problems."""
    model = Two(lambda x: x.detach())
    model.spare = nn.Linear(1, 1, bias=False)
    problems = explain(model, lambda: model(torch.ones(1, 3)).sum()).problems
    assert re.sub(r":\d+", ":1", str(problems)) == (
        "3 problems: 2 cut, 1 unused\n"
        "cut     backbone.*    16  detach() at test_report.py:1\n"
        "unused  spare.weight   1  never read in the forward"
    )


def test_no_problems() -> None:
    """Where all is well there are no problems to count."""
    problems = explain(Two()).problems
    assert str(problems) == "no problems"
    assert not problems


def test_problems_of_a_part() -> None:
    """A module is named as a whole only if its other parameters say the same."""
    model = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(3)))
    model[0].spare = nn.Parameter(torch.ones(2))
    model[1].spare = nn.Parameter(torch.ones(2))
    problems = explain(model, lambda: model(torch.ones(1, 1)).sum()).problems
    for same in (problems, problems.problems, pickle.loads(pickle.dumps(problems))):
        assert str(same) == (
            "2 problems: 2 unused\nunused  {0-1}.spare  4  never read in the forward"
        )


class Blocks(nn.Module):
    """A model that keeps its blocks in a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [nn.Linear(2, 2) for _ in range(12)]
        self.head = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def test_besides() -> None:
    """Only parameters count in the total; what else there is counts besides."""
    model = Blocks()
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    model.head = nn.Linear(2, 1)
    report = explain(model, lambda: model(torch.ones(1, 2)).sum(), optimizer)
    assert str(report).splitlines()[0] == (
        "0 of 2 parameters train: 2 not in optimizer; "
        "besides: 24 unregistered, 2 orphan"
    )


def test_numbers_in_brackets_fold() -> None:
    """Layers in a plain list and nameless tensors of an optimizer fold, too."""
    model = Blocks()
    optimizer = torch.optim.SGD(
        [*model.blocks[0].parameters(), *model.parameters()], lr=1
    )
    model.head = nn.Linear(2, 1)
    report = explain(model, lambda: model(torch.ones(1, 2)).sum(), optimizer)
    assert [row.name for row in report][2:5] == [
        "blocks[0].weight",
        "blocks[0].bias",
        "blocks[1].weight",
    ]
    names = [line.split("  ")[1].strip() for line in _cells(report)]
    assert names == ["*", "blocks[{0-11}].*", "param_groups[0]['params'][{2-3}]"]


def test_kinds_fold_apart() -> None:
    """Neither an orphan of the same name nor a buffer keeps parameters from folding."""
    model = nn.Sequential(
        OrderedDict(backbone=nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    )
    model.head = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.named_parameters(), lr=1)
    model.head = nn.Linear(2, 1)
    model.backbone.requires_grad_(requires_grad=False)
    why = "frozen, but the forward updates this buffer"
    assert str(explain(model, optimizer)) == (
        "0 of 6 parameters train: 4 frozen, 2 not in optimizer; "
        "besides: 3 moves, 2 orphan\n"
        "frozen            backbone.*    10\n"
        "not in optimizer  head.*         3  gets a gradient that nobody applies\n"
        f"moves             backbone.1.*   5  {why}\n"
        "orphan            head.*         3  held by the optimizer, not by the model"
    )


def _cells(report: Report) -> list[str]:
    """Return the lines below the summary, with two spaces between cells."""
    return [re.sub(" {2,}", "  ", line) for line in str(report).splitlines()[1:]]
