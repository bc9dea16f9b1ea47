"""Tests how a report reads, for three parameters and for three thousand."""

import pickle
import re
import time
from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from gradguide import explain
from gradguide._report.report import Report, Row

from .scenarios import Two


def test_small() -> None:
    """A small report is a short table, aligned."""
    model = Two()
    model.scale = nn.Parameter(torch.ones(1))
    model.head.requires_grad_(False)
    x = torch.randn(5, 3)
    assert str(explain(model, lambda: model(x).sum())) == (
        "2 of 5 parameters train: 1 unused, 2 frozen\n"
        "unused  scale        1  never read in the forward\n"
        "trains  backbone.*  16\n"
        "frozen  head.*      10"
    )


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


def frozen(model: nn.Module, *parts: str) -> nn.Module:
    for part in parts:
        model.get_submodule(part).requires_grad_(False)
    return model


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        (nn.ReLU(), ["0 of 0 parameters train"]),
        (nn.Linear(2, 1, bias=False), ["1 of 1 parameter trains", "trains  weight  2"]),
        (decoder(3), ["13 of 13 parameters train", "trains  *  44"]),
        (
            frozen(decoder(3), "embed"),
            [
                "12 of 13 parameters train: 1 frozen",
                "frozen  embed.weight   8",
                "trains  layers.*      36",
            ],
        ),
        (
            frozen(decoder(6), *(f"layers.{index}" for index in (0, 1, 2, 5))),
            [
                "9 of 25 parameters train: 16 frozen",
                "trains  embed.weight       8",
                "trains  layers.{3-4}.*    24",
                "frozen  layers.{0-2,5}.*  48",
            ],
        ),
        (
            frozen(decoder(32), *(f"layers.{index}.q_proj" for index in range(32))),
            [
                "65 of 129 parameters train: 64 frozen",
                "trains  embed.weight              8",
                "trains  layers.{0-31}.v_proj.*  192",
                "frozen  layers.{0-31}.q_proj.*  192",
            ],
        ),
    ],
)
def test_folded(model: nn.Module, lines: list[str]) -> None:
    """Rows with the same verdict and reason are one line, with ranges of numbers."""
    report = explain(model)
    assert str(report).splitlines() == lines
    assert repr(report) == str(report)


def test_large() -> None:
    """Three thousand parameters fold into a few lines, and fast."""
    model = decoder(750)
    model.layers[7].requires_grad_(False)
    begin = time.perf_counter()
    lines = str(explain(model)).splitlines()
    assert len(lines) == 4
    assert "trains  layers.{0-6,8-749}.*" in lines[2]
    assert time.perf_counter() - begin < 5


def test_html() -> None:
    """In a notebook the report is a table, with everything escaped."""
    model = Two(lambda x: x.detach())
    report = explain(model, lambda: model(torch.ones(1, 3)).sum())
    page = report._repr_html_()
    assert page.startswith("<table>")
    assert '<td style="text-align: left">backbone.*</td>' in page
    assert page.count("<tr>") == 3
    report = Report([Row("weight", "<b>")])
    assert ">&lt;b&gt;</td>" in report._repr_html_()


def test_problems_are_counted() -> None:
    """The problems are printed as a report is, under a count of problems."""
    model = Two(lambda x: x.detach())
    model.spare = nn.Linear(1, 1, bias=False)
    problems = explain(model, lambda: model(torch.ones(1, 3)).sum()).problems
    assert re.sub(r":\d+", ":1", str(problems)) == (
        "3 problems: 2 cut, 1 unused\n"
        "cut     backbone.*    16  detach() at test_report.py:1\n"
        "unused  spare.weight   1  never read in the forward"
    )


def test_no_problems() -> None:
    """A report without problems says so."""
    problems = explain(Two()).problems
    assert str(problems) == "no problems"
    assert not problems


def test_problems_of_a_part() -> None:
    """A module is named as a whole only if all its parameters have the same row."""
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
    """The total counts parameters; all other rows are counted besides."""
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
    model.backbone.requires_grad_(False)
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
