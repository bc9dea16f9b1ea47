"""Measures two or more calls in turn, so that other load slows all of them alike."""

import gc
import time
from collections.abc import Callable

from pytest_benchmark.fixture import BenchmarkFixture

Work = Callable[[], object]


def nothing() -> None:
    """Prepare nothing."""


def fastest(
    benchmark: BenchmarkFixture,
    *works: Work,
    rounds: int,
    before: Work = nothing,
) -> list[float]:
    """Return the fewest seconds of each work, run in turn, once in each round.

    Other work on the machine only ever adds to a time, so the fewest are the nearest
    to what the work itself takes. The first work is the one that pytest-benchmark
    reports. ``before`` is run before each work, and not counted. One round more is run
    first, to warm up. As ``timeit`` does, it measures without Python's garbage
    collector, whose work depends on all other objects in the process.
    """
    others: list[list[float]] = [[] for _ in works[1:]]

    def run_others() -> None:
        for work, times in zip(works[1:], others, strict=True):
            before()
            times.append(seconds(work))
        before()

    gc.collect()
    gc.disable()
    try:
        benchmark.pedantic(works[0], setup=run_others, rounds=rounds, warmup_rounds=1)
    finally:
        gc.enable()
    return [benchmark.stats.stats.min, *(min(times[1:]) for times in others)]


def seconds(work: Work) -> float:
    """Return how long a piece of work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
