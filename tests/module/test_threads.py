"""Tests ``explain`` on functions that run a part of the model in other threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from gradguide import explain
from gradguide._report import Report

from .scenarios import Two

X = torch.ones(2, 3)


def in_new_thread(work: Callable[[], Tensor]) -> Tensor:
    result: Future[Tensor] = Future()
    thread = threading.Thread(target=lambda: result.set_result(work()))
    thread.start()
    thread.join()
    return result.result()


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that were there before."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(int).result()
        yield threads


@pytest.fixture(params=["new", "pool"])
def elsewhere(
    request: pytest.FixtureRequest, pool: ThreadPoolExecutor
) -> Callable[[Callable[[], Tensor]], Tensor]:
    if request.param == "new":
        return in_new_thread
    return lambda work: pool.submit(work).result()


def verdicts(model: nn.Module, loss: Callable[[], Tensor]) -> list[tuple[str, str]]:
    return [(row.name, row.verdict) for row in explain(model, loss)][:2]


def test_what_a_thread_reads_without_a_graph_is_unknown(elsewhere) -> None:
    """The module is read, unseen: that it is never read would be wrong."""
    model = Two()

    def body() -> Tensor:
        with torch.no_grad():
            return model.backbone(X)

    def loss() -> Tensor:
        return model.head(elsewhere(body)).sum()

    rows = [row for row in explain(model, loss) if row.name.startswith("backbone")]
    assert {row.verdict for row in rows} == {"unknown"}
    assert {row.why for row in rows} == {"the function runs code in other threads"}


def test_what_a_thread_cuts_is_unknown(elsewhere) -> None:
    """Read here, cut there: that its result is not used would be wrong."""
    model = Two()

    def loss() -> Tensor:
        features = model.backbone(X)
        return elsewhere(lambda: model.head(features.detach())).sum()

    assert verdicts(model, loss) == [
        ("backbone.weight", "unknown"),
        ("backbone.bias", "unknown"),
    ]


def test_a_graph_made_in_a_thread_is_a_graph(elsewhere) -> None:
    """What backward reaches trains, wherever it was computed."""
    model = Two()
    report = explain(model, lambda: model.head(elsewhere(lambda: model.backbone(X))))
    assert not report.problems


def test_a_cut_that_is_seen_stays_one(elsewhere) -> None:
    """Threads do not make unknown what was seen to be cut."""
    model = Two()

    def loss() -> Tensor:
        features = model.backbone(X).detach()
        return model.head(features).sum() + elsewhere(lambda: torch.ones(()))

    assert verdicts(model, loss) == [
        ("backbone.weight", "cut"),
        ("backbone.bias", "cut"),
    ]


def test_explanations_overlap() -> None:
    """Of two threads that explain at once the first to begin ends first."""
    entered, overlapped, ended = threading.Event(), threading.Event(), threading.Event()
    reports = []

    def explained(wait: Callable[[], object]) -> Report:
        model = Two()

        def loss() -> Tensor:
            wait()
            return model.head(model.backbone(X).detach()).sum()

        return explain(model, loss)

    def first() -> None:
        reports.append(explained(lambda: (entered.set(), overlapped.wait(10))))
        ended.set()

    def second() -> None:
        entered.wait(10)
        reports.append(explained(lambda: (overlapped.set(), ended.wait(10))))

    before = threading.getprofile()
    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert threading.getprofile() is before
    assert [len(report.problems) for report in reports] == [2, 2]


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_stays_watched(fails: bool) -> None:
    """Afterwards new threads have the profiler they had, and modules no hook."""

    def profiler(frame: object, event: str, arg: object) -> None: ...

    model = Two()
    before = threading.getprofile()
    threading.setprofile(profiler)
    try:
        if fails:
            with pytest.raises(ZeroDivisionError):
                explain(model, lambda: 1 / 0)
        else:
            explain(model, lambda: in_new_thread(lambda: model.head(model.backbone(X))))
        assert threading.getprofile() is profiler
    finally:
        threading.setprofile(before)
    assert not any(module._forward_pre_hooks for module in model.modules())
