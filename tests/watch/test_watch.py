"""Tests that ``watch`` sees an iteration, leaves nothing behind, and costs no run."""

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from weakref import ref

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules
from torch.optim import SGD, Optimizer
from torch.optim import optimizer as optimizers

import gradguide
from gradguide._watch import observer as observing
from gradguide._watch import watch as watching

from .command import command, run_code


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Compare all hooks and modes after a test with those before it."""
    before = _hooks()
    yield
    assert _hooks() == before


def _hooks() -> list[object]:
    kinds = [getattr(modules, name) for name in vars(modules) if "_hooks" in name]
    kinds += [
        getattr(optimizers, name) for name in vars(optimizers) if "_hooks" in name
    ]
    hooks = [list(kind) for kind in kinds if isinstance(kind, dict)]
    return [hooks, torch.overrides._len_torch_function_stack()]


def _parts() -> tuple[nn.Module, nn.Module, Optimizer]:
    encoder, head = nn.Linear(3, 2), nn.Linear(2, 1)
    return encoder, head, SGD([*encoder.parameters(), *head.parameters()], lr=0.1)


def _step(encoder: nn.Module, head: nn.Module, optimizer: Optimizer) -> Tensor:
    loss = head(encoder(torch.ones(2, 3)).detach()).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def _verdicts(report: gradguide.Report) -> dict[str, str]:
    return {row.name: row.verdict for row in report}


RIGHT = {
    "encoder.weight": "cut",
    "encoder.bias": "cut",
    "head.weight": "trains",
    "head.bias": "trains",
}


def test_a_block() -> None:
    """The report is empty in the block, and filled after it."""
    encoder, head, optimizer = _parts()
    with gradguide.watch() as report:
        _step(encoder, head, optimizer)
        assert not report
    assert _verdicts(report) == RIGHT
    assert {row.why for row in report.problems} == {"detach()"}
    assert not report.notes


def test_blocks_may_nest_and_end_in_any_order() -> None:
    """Each sees what ran in it."""
    encoder, head, optimizer = _parts()
    with gradguide.watch() as outer, gradguide.watch() as inner:
        _step(encoder, head, optimizer)
    assert _verdicts(inner) == _verdicts(outer) == RIGHT
    one, other = gradguide.watch(), gradguide.watch()
    first, second = one.__enter__(), other.__enter__()
    _step(encoder, head, optimizer)
    one.__exit__(None, None, None)
    _step(encoder, head, optimizer)
    other.__exit__(None, None, None)
    assert _verdicts(first) == _verdicts(second) == RIGHT


def test_one_watch_may_be_entered_twice() -> None:
    """Its blocks have reports of their own."""
    encoder, head, optimizer = _parts()
    watch = gradguide.watch()
    with watch as outer:
        with watch as inner:
            pass
        _step(encoder, head, optimizer)
    assert _verdicts(outer) == RIGHT
    assert not _verdicts(inner)


def test_a_decorator(capsys: pytest.CaptureFixture[str]) -> None:
    """The first three calls are watched, and then the report is printed once."""
    encoder, head, optimizer = _parts()

    @gradguide.watch()
    def step(depth: int = 0) -> Tensor:
        """Make a step."""
        return step(depth - 1) if depth else _step(encoder, head, optimizer)

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
    encoder, head, optimizer = _parts()

    @gradguide.watch()
    def step() -> None:
        _step(encoder, head, optimizer)
        raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            step()
    assert "2 cut" in capsys.readouterr().err


def test_an_error_in_the_block_goes_through() -> None:
    """The report has what was seen until then."""
    encoder, head, optimizer = _parts()
    watch = gradguide.watch()
    with pytest.raises(KeyError), watch as report:
        _step(encoder, head, optimizer)
        raise KeyError
    assert _verdicts(report) == RIGHT
    with pytest.raises(RuntimeError, match="element 0"), gradguide.watch() as report:
        encoder(torch.ones(3)).detach().sum().backward()
    assert _verdicts(report) == {"encoder.weight": "cut", "encoder.bias": "cut"}


def test_given_objects_are_reported_though_they_take_no_part() -> None:
    """A module, an optimizer and a tensor may be given."""
    encoder, head, optimizer = _parts()
    idle, scale = nn.Linear(2, 2), torch.ones(3, requires_grad=True)
    idle_optimizer = SGD([scale], lr=0.1)
    with gradguide.watch(idle, idle_optimizer, scale) as report:
        _step(encoder, head, optimizer)
    verdicts = _verdicts(report)
    assert verdicts | RIGHT == verdicts
    assert {"idle.weight", "idle.bias", "scale"} <= set(verdicts)
    with pytest.raises(TypeError, match="got str; pass"):
        gradguide.watch("model")  # type: ignore[arg-type]


def test_a_thread_is_not_seen_and_does_no_harm() -> None:
    """This holds if the thread watches, and if it trains."""
    encoder, head, optimizer = _parts()
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
        _step(encoder, head, optimizer)
    done.set()
    thread.join()
    assert _verdicts(report) == RIGHT
    assert not reports[0].problems
    parts = _parts()
    with gradguide.watch() as report:
        thread = threading.Thread(target=_step, args=parts)
        thread.start()
        thread.join()
    assert not report.problems


def test_nothing_is_kept_alive() -> None:
    """Models, optimizers, activations and losses are freed as without it."""

    def whole() -> list[object]:
        encoder, head, optimizer = _parts()
        encoder.register_buffer("scale", torch.ones(1))
        with gradguide.watch(encoder) as report:
            loss = _step(encoder, head, optimizer)
        known = [ref(one) for one in (encoder, head, optimizer, loss, head.weight)]
        del encoder, head, optimizer, loss
        gc.collect()
        assert report
        return [type(one()) for one in known if one() is not None]

    assert whole() == []

    @gradguide.watch()
    def step(parts: tuple[nn.Module, nn.Module, Optimizer]) -> None:
        _step(*parts)

    parts = _parts()
    for _ in range(3):
        step(parts)
    known = ref(parts[0])
    del parts
    gc.collect()
    assert known() is None


def test_variables_that_someone_has_are_not_emptied() -> None:
    """A dictionary that ``locals()`` returned stays as it is."""
    encoder, head, optimizer = _parts()
    own = locals()
    with gradguide.watch() as report:
        _step(encoder, head, optimizer)
    assert own["encoder"] is encoder
    assert _verdicts(report) == RIGHT


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (watching, "rows"),
        (watching.Observer, "look_for_names"),
        (watching.Observer, "start"),
        (watching.Observer, "find_source"),
        (watching.Observer, "_note_roots"),
        (watching.Observer, "roots"),
        (observing.Ledger, "compare"),
        (observing.Ledger, "note_gradients"),
        (observing.Ledger, "before_write"),
        (observing.Steps, "begin"),
        (observing.Steps, "end"),
        (observing, "fingerprint"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_an_error_in_gradguide_costs_no_run(
    module: object,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is told in a line, and the results are those without it."""

    def fails(*_: object, **__: object) -> None:
        msg = "broken"
        raise LookupError(msg)

    def train() -> list[float]:
        torch.manual_seed(0)
        parts = _parts()
        parts[0].register_buffer("scale", torch.ones(1))
        return [_step(*parts).item() for _ in range(2)]

    right = train()
    monkeypatch.setattr(module, name, fails)
    with gradguide.watch() as report:
        assert train() == right
    assert not report
    (note,) = report.notes
    assert note == "gradguide itself failed, and stopped watching: LookupError: broken"
    decorated = gradguide.watch()(train)
    assert [decorated() for _ in range(4)] == [right] * 4
    assert capsys.readouterr().err.count("gradguide itself failed") == 1


def test_an_error_in_gradguide_does_not_end_the_script(tmp_path: Path) -> None:
    """The command tells it at once; the script runs on, and its exit code stays."""
    code = """
import torch
from gradguide._watch.ledger import Ledger
Ledger.note_gradients = lambda self: 1 / 0
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(9):
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
raise SystemExit(4)
"""
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    told = command(tmp_path, "train.py")
    assert told.code == 4
    assert told.errors == (
        "\ngradguide: gradguide itself failed, and stopped watching: "
        "ZeroDivisionError: division by zero; the script goes on\n"
    )


def test_a_forked_process_is_not_watched(tmp_path: Path) -> None:
    """A worker that loads data computes as ever; what it does is not reported."""
    code = """
import os, gradguide, torch
model, other = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with gradguide.watch() as report:
    if not os.fork():
        other(torch.ones(3)).sum().backward()
        os._exit(int(other.weight.grad.sum()) + len(report))
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    model(torch.ones(3)).sum().backward()
    optimizer.step()
print([row[:2] for row in report])
"""
    told = run_code(code, tmp_path)
    assert told.output == "3\n[('model.weight', 'trains'), ('model.bias', 'trains')]\n"


def test_a_watch_inside_of_the_command(tmp_path: Path) -> None:
    """Both report, also if the command stops watching first."""
    code = """
import gradguide, torch
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with gradguide.watch() as report:
    for i in range(6):
        model(torch.ones(3)).sum().backward()
        optimizer.step()
print(*report.notes, [row[:2] for row in report])
print(torch.overrides._len_torch_function_stack())
import torch.optim.optimizer as optimizers
print(len(optimizers._global_optimizer_post_hooks))
"""
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    told = command(tmp_path, "--go-on", "train.py")
    assert told.code == 0, told.errors
    assert told.output.splitlines() == [
        " [('model.weight', 'trains'), ('model.bias', 'trains')]".strip(),
        "0",
        "0",
    ]
    assert "2 of 2 parameters train" in told.errors


def test_a_run_without_optimizer_leaves_nothing_behind(tmp_path: Path) -> None:
    """The mode is left at the next call of a module, as it can't be in a backward."""
    code = """
import torch
model = torch.nn.Linear(3, 1)
for i in range(9):
    model(torch.ones(3)).sum().backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
print(torch.overrides._len_torch_function_stack())
"""
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    told = command(tmp_path, "--go-on", "train.py")
    assert told.output == "0\n"
    assert "2 of 2 parameters train" in told.errors
