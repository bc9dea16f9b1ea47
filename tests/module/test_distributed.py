"""Tests the verdicts in two real processes, under DDP and FSDP2."""

import gc
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from gradguide import changed, explain, freeze


class Net(nn.Module):
    """A part that is cut, one that trains and one that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Linear(4, 8)
        self.body = nn.Linear(8, 8)
        self.spare = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.cut(x).detach()).tanh()


TRUTH = {"cut": "cut", "body": "trains", "spare": "unused"}


def under_ddp(x: Tensor) -> None:
    """Names begin with ``module.``, and verdicts are as without DDP."""
    model = nn.parallel.DistributedDataParallel(Net(), find_unused_parameters=True)
    for row in explain(model, lambda: model(x).sum()):
        first, part, _ = row.name.split(".")
        assert first == "module"
        assert row.verdict == TRUTH[part], row
        assert row.verdict != "cut" or row.where.endswith(" in module")
    loss = model(x).sum()
    assert {row.verdict for row in explain(model, loss)} == {"trains", "unreached"}
    loss.backward()


def under_fsdp(x: Tensor) -> None:
    """With a function verdicts are right; with a loss tensor they are unknown."""
    from torch.distributed.fsdp import fully_shard

    model = Net()
    fully_shard(model.body)
    fully_shard(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [id(parameter) for parameter in model.parameters()]
    assert {row.verdict for row in explain(model, optimizer)} == {"trains"}
    report = explain(model, lambda: model(x).sum(), optimizer)
    assert [row.verdict for row in report] == [
        TRUTH[row.name.partition(".")[0]] for row in report
    ]
    assert before == [id(parameter) for parameter in model.parameters()]
    loss = model(x).sum()
    assert {row.verdict for row in explain(model, loss, optimizer)} == {"unknown"}
    loss.backward()
    with changed(model) as names:
        optimizer.step()
    assert names == ["body.weight", "body.bias"]
    assert freeze(model, "cut").names == ("cut.weight", "cut.bias")


def work(rank: int, file: str) -> None:
    dist.init_process_group(
        "gloo", init_method=f"file://{file}", rank=rank, world_size=2
    )
    torch.manual_seed(0)
    for check in (under_ddp, under_fsdp):
        check(torch.randn(4, 4))
        # The reducer must be freed, and both processes done, before the group ends.
        gc.collect()
        dist.barrier()
    dist.destroy_process_group()


def test_in_two_processes(tmp_path: Path) -> None:
    """Under DDP and FSDP2 each verdict is right, or unknown."""
    mp.spawn(work, (str(tmp_path / "store"),), nprocs=2)
