"""Tests the promised costs of the module, each call against a comparable one."""

import compileall
import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.optim import Optimizer
from torch.profiler import ProfilerActivity, profile
from torchinfo import summary
from torchviz import make_dot

import gradguide
from gradguide import explain, freeze, graph, saved, watch

from .networks import ResNet50, Transformer, many
from .side_by_side import fastest
from .table import Entry

Note = Callable[[Entry], None]
NETWORKS = {
    "resnet50": (ResNet50, lambda count: torch.randn(count, 3, 224, 224)),
    "transformer": (Transformer, lambda count: torch.randint(2048, (count, 256))),
}


class Case:
    """A network in training mode, and its loss for a batch of images or sequences."""

    def __init__(self, name: str) -> None:
        make_model, self.make_data = NETWORKS[name]
        self.name, self.model = name, make_model()

    def loss(self, data: Tensor) -> Tensor:
        return self.model(data).sum()


@pytest.fixture(scope="module", params=NETWORKS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_networks_are_those_of_the_promise(case: Case) -> None:
    """The networks have 25.6 and 87 million parameters."""
    expected = {"resnet50": 25.6, "transformer": 86.8}
    count = sum(parameter.numel() for parameter in case.model.parameters())
    assert round(count / 1e6, 1) == expected[case.name]


def test_explain_with_an_optimizer(
    benchmark: BenchmarkFixture, note: Note, case: Case
) -> None:
    """It takes under 2 ms, and under half of a summary of the model."""
    optimizer = torch.optim.AdamW(case.model.parameters())
    own, other = fastest(
        benchmark,
        lambda: explain(case.model, optimizer),
        lambda: summary(case.model, verbose=0),
        rounds=300,
    )
    call, against = "explain(model, optimizer)", "torchinfo.summary(model)"
    note(Entry(call, case.name, own, against, other, "< 2 ms, < 0.5"))
    assert own < 0.002
    assert own < 0.5 * other


@pytest.mark.parametrize(("count", "limit"), [(8, 1.15), (1, None)])
def test_explain_with_a_function(
    benchmark: BenchmarkFixture,
    note: Note,
    case: Case,
    count: int,
    limit: float | None,
) -> None:
    """It takes under 1.15 times the bare forward of a batch of 8.

    What it adds is the same for one sample, whose forward is short: no limit there.
    """
    data = case.make_data(count)
    own, other = fastest(
        benchmark,
        lambda: explain(case.model, lambda: case.loss(data)),
        lambda: case.loss(data),
        rounds=11,
    )
    call, against = f"explain(model, loss), batch {count}", f"loss(), batch {count}"
    note(Entry(call, case.name, own, against, other, f"< {limit}" if limit else ""))
    assert limit is None or own < limit * other


BATCHES = {"resnet50": 8, "transformer": 2}


@pytest.mark.parametrize("count", [1, 3])
def test_watch(benchmark: BenchmarkFixture, note: Note, case: Case, count: int) -> None:
    """It takes under 1.5 times the bare iterations, and nothing once it has ended."""
    batch = BATCHES[case.name]
    iterate = iteration_of(case, batch)

    def bare() -> None:
        for _ in range(count):
            iterate()

    def watched() -> None:
        with watch() as report:
            bare()
        assert not report.problems

    own, other, after = fastest(benchmark, watched, bare, bare, rounds=3)
    call, against = (
        f"watch(), {count} x step, batch {batch}",
        f"{count} x step, batch {batch}",
    )
    note(Entry(call, case.name, own, against, other, "< 1.5"))
    assert own < 1.5 * min(other, after)


def test_watch_leaves_nothing(case: Case) -> None:
    """After a watch there is no mode and no hook that an iteration would call."""
    iterate = iteration_of(case, batch=2)
    with watch():
        iterate()
    hooks, optimizers = nn.modules.module, sys.modules[Optimizer.__module__]
    assert not torch.overrides._len_torch_function_stack()
    assert not hooks._global_forward_hooks
    assert not hooks._global_forward_pre_hooks
    assert not optimizers._global_optimizer_pre_hooks
    assert not optimizers._global_optimizer_post_hooks


@pytest.mark.parametrize("name", NETWORKS)
def test_memory_of_watch(name: str) -> None:
    """The bytes of all tensors at their peak are under 1.1 times those without it."""

    def train(around: AbstractContextManager[object]) -> None:
        iterate = iteration_of(Case(name), batch=1)
        iterate()
        with around:
            iterate()

    bare = peak_bytes(lambda: train(nullcontext()))
    assert peak_bytes(lambda: train(watch())) < 1.1 * bare


def iteration_of(case: Case, batch: int) -> Callable[[], None]:
    """Return a training iteration with AdamW."""
    optimizer = torch.optim.AdamW(case.model.parameters(), lr=1e-5)
    data = case.make_data(batch)

    def iterate() -> None:
        optimizer.zero_grad()
        case.model(data).square().mean().backward()
        optimizer.step()

    return iterate


def peak_bytes(work: Callable[[], None]) -> int:
    """Return the most bytes of tensors that were allocated during some work."""
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        work()
    total = peak = 0
    for event in run.profiler.kineto_results.events():
        if event.name() == "[memory]":
            total += event.nbytes()
            peak = max(peak, total)
    return peak


def test_freeze(benchmark: BenchmarkFixture, note: Note, case: Case) -> None:
    """It takes under 5 times a bare loop that sets flags and adds hooks."""
    model = case.model

    def thaw() -> None:
        model.train().requires_grad_()
        for module in model.modules():
            module._forward_pre_hooks.clear()

    def loop() -> None:
        for parameter in model.parameters():
            parameter.requires_grad = False
            parameter.grad = None
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
                module.register_forward_pre_hook(keep_in_eval)

    own, other = fastest(
        benchmark, lambda: freeze(model), loop, rounds=500, before=thaw
    )
    thaw()
    note(Entry("freeze(model)", case.name, own, "for p in parameters()", other, "< 5"))
    assert own < 5 * other


def keep_in_eval(module: nn.Module, _: object) -> None:
    """Put a module in eval mode, as the hook of ``freeze`` does."""
    if module.training:
        module.training = False


def test_saved(benchmark: BenchmarkFixture, note: Note, case: Case) -> None:
    """It takes under 2 ms; beside it is measured a bare walk through the same graph."""
    loss, call = case.loss(case.make_data(1)), "saved(loss, model)"
    own, other = fastest(
        benchmark, lambda: saved(loss, case.model), lambda: walk(loss), rounds=2000
    )
    note(Entry(call, case.name, own, "loss.grad_fn.next_functions", other, "< 2 ms"))
    assert own < 0.002


def walk(loss: Tensor) -> list[Node]:
    """Return the nodes of a graph, without reading anything from them."""
    found = [loss.grad_fn]
    seen = set(found)
    for node in found:
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    return found


def test_saved_after_a_forward(
    benchmark: BenchmarkFixture, note: Note, case: Case
) -> None:
    """Right after a forward, which empties the caches, it is a tenth of it at most."""
    losses: list[Tensor] = []
    data = case.make_data(1)
    own, other = fastest(
        benchmark,
        lambda: saved(losses.pop(), case.model),
        lambda: losses.append(case.loss(data)),
        rounds=11,
    )
    note(Entry("saved(loss(), model)", case.name, own, "loss()", other, "< 0.1"))
    assert own < 0.1 * other


@pytest.mark.filterwarnings("ignore:distutils Version:DeprecationWarning")  # torchviz
def test_graph(benchmark: BenchmarkFixture, note: Note, case: Case) -> None:
    """Its text, with no part left out, takes less than the source of a dot graph."""
    loss, model = case.loss(case.make_data(1)), case.model
    own, other = fastest(
        benchmark,
        lambda: str(graph(loss, model, depth=1000)),
        lambda: make_dot(loss, dict(model.named_parameters())).source,
        rounds=25,
    )
    assert "not shown" not in str(graph(loss, model, depth=1000))
    against = "torchviz.make_dot(loss)"
    note(Entry("str(graph(loss, model))", case.name, own, against, other, "< 1"))
    assert own < other


def test_import(note: Note, tmp_path: Path) -> None:
    """Importing it takes under 10 ms more than importing PyTorch, in a new process."""
    folder = Path(gradguide.__file__).parent
    shutil.copytree(folder, tmp_path / "gradguide", ignore=lambda *_: ["__pycache__"])
    compileall.compile_dir(tmp_path, quiet=1)  # as pip does when it installs
    runs = [import_times(tmp_path) for _ in range(11)]
    bare, own = (min(times) for times in zip(*runs, strict=True))
    note(Entry("import gradguide", "", own, "import torch", bare, "< 10 ms"))
    assert own < 0.010


def import_times(folder: Path) -> tuple[float, ...]:
    """Return the seconds of both imports, one after the other, in a new process."""
    code = (
        "from time import perf_counter as now\n"
        "begun = now()\nimport torch\nthen = now()\nimport gradguide\n"
        "print(then - begun, now() - then)"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return tuple(map(float, done.stdout.split()))


SIZES = (100_000, 10_000, 1_000)


def of_optimizer(model: nn.Module) -> Callable[[], object]:
    optimizer = torch.optim.AdamW(model.parameters())
    return lambda: explain(model, optimizer)


def of_function(model: nn.Module) -> Callable[[], object]:
    return lambda: explain(model, lambda: model(torch.ones(1)))


def of_freeze(model: nn.Module) -> Callable[[], object]:
    return lambda: freeze(model).undo()


def of_saved(model: nn.Module) -> Callable[[], object]:
    loss = model(torch.ones(1))
    return lambda: saved(loss, model)


CALLS = {
    "explain(model, optimizer)": of_optimizer,
    "explain(model, loss)": of_function,
    "freeze(model).undo()": of_freeze,
    "saved(loss, model)": of_saved,
}


@pytest.fixture(scope="module")
def models() -> list[nn.Module]:
    return [many(size) for size in SIZES]


@pytest.mark.parametrize("call", CALLS)
def test_cost_grows_with_the_number_of_parameters(
    benchmark: BenchmarkFixture, note: Note, models: list[nn.Module], call: str
) -> None:
    """Each of 100,000 takes at most 3 times as long as each of 1,000."""
    works = [CALLS[call](model) for model in models]
    times = fastest(benchmark, *works, rounds=3)
    each = [time / size for time, size in zip(times, SIZES, strict=True)]
    for size, time in zip(SIZES, times, strict=True):
        against = f"{size // SIZES[-1]} x many({SIZES[-1]:,})"
        note(Entry(call, f"many({size:,})", time, against, each[-1] * size, "< 3"))
    assert max(each) < 3 * each[-1]
