"""Tests that ``watch`` sees what runs in its block or function."""

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

import gradguide

from .parts import RIGHT, hooks, train, verdicts
from .parts import parts as make


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Compare all hooks and modes after a test with those before it."""
    before = hooks()
    yield
    assert hooks() == before


def test_a_block() -> None:
    """The report is empty in the block, and filled after it."""
    encoder, head, optimizer = make()
    with gradguide.watch() as report:
        train(encoder, head, optimizer)
        assert not report
    assert verdicts(report) == RIGHT
    assert {row.why for row in report.problems} == {"detach()"}
    assert not report.notes


def test_a_rate_that_falls_too_early_is_named() -> None:
    """A schedule that ends with a small rate is none."""
    for factor, falls in ((0.1, True), (0.7, False)):
        encoder, head, optimizer = make()
        with gradguide.watch() as report:
            for _ in range(20):
                train(encoder, head, optimizer)
                for group in optimizer.param_groups:
                    group["lr"] *= factor
        names = [note for note in report.notes if "the learning rate of" in note]
        assert bool(names) == falls, report.notes


def test_blocks_may_nest_and_end_in_any_order() -> None:
    """Each sees what ran in it."""
    encoder, head, optimizer = make()
    with gradguide.watch() as outer, gradguide.watch() as inner:
        train(encoder, head, optimizer)
    assert verdicts(inner) == verdicts(outer) == RIGHT
    one, other = gradguide.watch(), gradguide.watch()
    first, second = one.__enter__(), other.__enter__()
    train(encoder, head, optimizer)
    one.__exit__(None, None, None)
    train(encoder, head, optimizer)
    other.__exit__(None, None, None)
    assert verdicts(first) == verdicts(second) == RIGHT


def test_one_watch_may_be_entered_twice() -> None:
    """Its blocks have reports of their own."""
    encoder, head, optimizer = make()
    watch = gradguide.watch()
    with watch as outer:
        with watch as inner:
            pass
        train(encoder, head, optimizer)
    assert verdicts(outer) == RIGHT
    assert not verdicts(inner)


def test_a_decorator(capsys: pytest.CaptureFixture[str]) -> None:
    """The first three calls are watched, and then the report is printed once."""
    encoder, head, optimizer = make()

    @gradguide.watch()
    def step(depth: int = 0) -> Tensor:
        """Make a step."""
        return step(depth - 1) if depth else train(encoder, head, optimizer)

    assert (step.__name__, step.__doc__) == ("step", "Make a step.")
    assert isinstance(step(), Tensor)
    step(1)
    assert capsys.readouterr() == ("", "")
    step()
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("2 of 4 parameters train: 2 cut\n")
    step()
    assert capsys.readouterr() == ("", "")


def test_a_decorated_function_may_raise(capsys: pytest.CaptureFixture[str]) -> None:
    """Its error is its own, and a call that raised counts."""
    encoder, head, optimizer = make()

    @gradguide.watch()
    def step() -> None:
        train(encoder, head, optimizer)
        raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            step()
    assert "2 cut" in capsys.readouterr().err


def test_an_error_in_the_block_goes_through() -> None:
    """The report has what was seen until then."""
    encoder, head, optimizer = make()
    watch = gradguide.watch()
    with pytest.raises(KeyError), watch as report:  # noqa: PT012
        train(encoder, head, optimizer)
        raise KeyError
    assert verdicts(report) == RIGHT
    with pytest.raises(RuntimeError, match="element 0"), gradguide.watch() as report:
        encoder(torch.ones(3)).detach().sum().backward()
    assert verdicts(report) == {
        "*": "nothing trains",
        "encoder.weight": "cut",
        "encoder.bias": "cut",
    }


def test_given_objects_are_reported_though_they_take_no_part() -> None:
    """A module, an optimizer and a tensor may be given."""
    encoder, head, optimizer = make()
    idle, scale = nn.Linear(2, 2), torch.ones(3, requires_grad=True)
    idle_optimizer = SGD([scale], lr=0.1)
    with gradguide.watch(idle, idle_optimizer, scale) as report:
        train(encoder, head, optimizer)
    found = verdicts(report)
    assert found | RIGHT == found
    assert {"idle.weight", "idle.bias", "scale"} <= set(found)
    with pytest.raises(TypeError, match="got str; pass"):
        gradguide.watch("model")  # type: ignore[arg-type]


def test_a_thread_is_not_seen_and_does_no_harm() -> None:
    """This holds if the thread watches, and if it trains."""
    encoder, head, optimizer = make()
    inside, done = threading.Event(), threading.Event()
    reports = []

    def other() -> None:
        with gradguide.watch() as report:
            inside.set()
            done.wait(60)
        reports.append(report)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(60)
    with gradguide.watch() as report:
        train(encoder, head, optimizer)
    done.set()
    thread.join()
    assert verdicts(report) == RIGHT
    assert not reports[0].problems
    parts = make()
    with gradguide.watch() as report:
        thread = threading.Thread(target=train, args=parts)
        thread.start()
        thread.join()
    assert not report.problems
