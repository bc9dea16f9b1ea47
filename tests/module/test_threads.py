"""Tests ``explain`` on functions that run a part of the model in other threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from gradguide import explain
from gradguide._report.report import Report

from .scenarios import Two, reasons

X = torch.ones(2, 3)


def in_new_thread(work: Callable[[], Tensor]) -> Tensor:
    result: Future[Tensor] = Future()
    thread = threading.Thread(target=lambda: result.set_result(work()))
    thread.start()
    thread.join()
    return result.result()


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that started before ``explain``."""
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


THREADS = ("unknown", "the function runs code in other threads")


def test_a_read_in_a_thread_is_unknown(elsewhere) -> None:
    """A thread reads the module unseen, so the verdict is not "never read"."""
    model = Two()

    def body() -> Tensor:
        with torch.no_grad():
            return model.backbone(X)

    def loss() -> Tensor:
        return model.head(elsewhere(body)).sum()

    assert reasons(model, loss, "backbone") == {THREADS}


def test_a_cut_in_a_thread_is_unknown(elsewhere) -> None:
    """A thread cuts unseen, so the verdict is not that the result is unused."""
    model = Two()

    def loss() -> Tensor:
        features = model.backbone(X)
        return elsewhere(lambda: model.head(features.detach())).sum()

    assert reasons(model, loss, "backbone") == {THREADS}


def test_a_graph_made_in_a_thread_is_a_graph(elsewhere) -> None:
    """A parameter that backward reaches trains, whichever thread computed with it."""
    model = Two()
    report = explain(model, lambda: model.head(elsewhere(lambda: model.backbone(X))))
    assert not report.problems


def test_a_cut_that_is_seen_stays_one(elsewhere) -> None:
    """A cut in the function's own thread is reported, though threads run as well."""
    model = Two()

    def loss() -> Tensor:
        features = model.backbone(X).detach()  # here
        return model.head(features).sum() + elsewhere(lambda: torch.ones(()))

    assert reasons(model, loss, "backbone") == {("cut", "detach()")}


def test_explanations_overlap() -> None:
    """Two threads may explain at once, and the first to begin may end first."""
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
    """Afterwards the profiler of threads is restored, and modules have no hook."""

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
