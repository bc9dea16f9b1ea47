"""Tests reports on several processes: those of ``torchrun``, and others."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from torch.distributed import TCPStore

from gradguide._report.report import Report
from gradguide._report.row import Row
from gradguide._watch import ranks

from .command import watch, without_gloo

SCRIPT = """
import os
import torch, torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel as DDP

torch.set_num_threads(1)
dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
wrapped = DDP(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1)))
sharded = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
for part in (sharded[0], sharded[2], sharded):
    fully_shard(part, mesh=torch.distributed.init_device_mesh("cpu", (2,)))
own = nn.Linear(4, 1)
parts = wrapped, sharded, own
optimizer = torch.optim.SGD([p for m in parts for p in m.parameters()], lr=0.1)
for _ in range(9):
    x = torch.randn(3, 4)
    out = own(x)
    if rank and os.environ["CUT"]:
        out = out.detach()
    loss = (wrapped(x) + sharded(x) + out - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
os.write(1, b"rank %d ends;" % rank)
# A process that ends while another one still uses the group may be aborted, and a DDP
# that outlives its group waits for a thread that is gone, as does a part of FSDP.
dist.barrier()
del part, parts, wrapped, sharded, optimizer, out, loss
dist.destroy_process_group()
"""


def _torchrun(folder: Path, *options: str, cut: str = "") -> tuple[int, str, str]:
    (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    source = Path(__file__).parents[2] / "src"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run = subprocess.run(
        [sys.executable, *launcher, "-m", "gradguide", *options, "train.py"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(source),
            "OMP_NUM_THREADS": "1",
            "CUT": cut,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return run.returncode, without_gloo(run.stdout), run.stderr


def test_healthy_ranks_report_once(tmp_path: Path) -> None:
    """DDP and FSDP2 have no problem; --go-on lets all ranks run to their end."""
    code, output, errors = _torchrun(tmp_path, "--go-on")
    assert code == 0, errors
    assert errors.count("gradguide: ") == 1, errors
    assert "10 of 10 parameters train" in errors
    assert "No problems." in errors
    assert sorted(output.split(";")) == ["", "rank 0 ends", "rank 1 ends"]


def test_what_is_different_in_another_rank_is_named(tmp_path: Path) -> None:
    """The first rank reports; the cut is in the second one only."""
    code, output, errors = _torchrun(tmp_path, cut="1")
    assert code == 1
    assert "rank 0 ends" not in output
    lines = [line for line in errors.splitlines() if "gradguide: " in line]
    assert lines == [
        "gradguide: 10 of 10 parameters train",
        "gradguide: on rank 1: own.weight: cut detach()",
        "gradguide: on rank 1: own.bias: cut detach()",
    ]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> TCPStore:
    """Return the store of a ``torchrun`` with two processes."""
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for name, value in {
        "TORCHELASTIC_RUN_ID": "test",
        "WORLD_SIZE": "2",
        "RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(server.port),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ranks, "WAIT", timedelta(milliseconds=300))
    return server


REPORT = Report([Row("model.weight", "trains")])


def _told(capsys: pytest.CaptureFixture[str], **options: bool) -> str:
    run = ranks.Ranks()
    run.tell("the report", REPORT, **options)
    run.meet()
    return capsys.readouterr().err


def test_a_rank_that_sends_no_report(
    store: TCPStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first one prints at once, and says which one it has not heard of."""
    assert _told(capsys) == "the report\ngradguide: rank 1 sent no report\n"
    assert store.check(["gradguide/0/printed"])


def test_a_first_rank_that_does_not_report(
    store: TCPStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The other one prints what it knows, as it may know why."""
    monkeypatch.setenv("RANK", "1")
    assert _told(capsys) == "gradguide: rank 0 has not reported; rank 1:the report\n"
    assert store.check(["gradguide/0/1"])


def test_a_second_start_of_all_ranks(
    store: TCPStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``torchrun`` may start all once more; reports of the first start don't count."""
    store.set("gradguide/0/1", "{}")
    store.set("gradguide/1/1", '{"model.weight": ["cut", "detach()"]}')
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    told = _told(capsys)
    assert told == "the report\ngradguide: on rank 1: model.weight: cut detach()\n"


def test_a_rank_in_which_gradguide_fails(
    store: TCPStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says so itself, and nothing is compared."""
    store.set("gradguide/0/1", "null")
    assert _told(capsys) == "the report\n"
    store.set("gradguide/0/1", "{}")
    assert _told(capsys, is_for_all=True) == "the report\n"
    monkeypatch.setenv("RANK", "1")
    assert _told(capsys, is_for_all=True) == "the report\n"


def test_processes_that_a_script_spawns(tmp_path: Path) -> None:
    """They run as ever; the report says that they are not watched."""
    code = """
import os, tempfile, torch, torch.distributed as dist
def train(rank, file):
    where = f"file://{file}"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=2)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(5):
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    dist.barrier()  # no process ends while another one still uses the group
    del model  # frees the reducer, which must not outlive the group
    dist.destroy_process_group()
    os._exit(0)  # PyTorch 2.14 may abort when it frees its threads
if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(train, (folder + "/store",), nprocs=2)
    print("end")
"""
    script = tmp_path / "train.py"
    script.write_text(code, encoding="utf-8")
    told = watch(script)
    assert (told.code, told.output) == (0, "end\n")
    assert "without a backward in its first process; use gradguide" in told.errors
    assert told.errors.count("gradguide: ") == 1
