"""
Ranks that freeze different layers: a hang, or wrong gradients without an error
===============================================================================

DDP pairs the gradients of the processes by their order, not by their names. If each
rank trains another layer, gradients of different layers are averaged, or one rank waits
for ever. Compare ``requires_grad`` over all ranks before you wrap.
"""

# %% tags=["hide-input"]
# Two processes are started by hand and get the source of functions.
import inspect
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

# Each process runs the lines that it reads. The last line of an answer is "end".
LOOP = """
import os, sys, traceback
from datetime import timedelta
import torch, torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
address, rank = sys.argv[1:]
group = {"init_method": address, "rank": int(rank), "world_size": 2}
dist.init_process_group("gloo", **group, timeout=timedelta(seconds=30))
for line in sys.stdin:
    try:
        exec(eval(line))
    except Exception:
        print(traceback.format_exc())
    print("end", flush=True)
os._exit(0)
"""
folder = tempfile.TemporaryDirectory()
address = Path(folder.name, "meet").as_uri()
processes = [
    subprocess.Popen(
        [sys.executable, "-c", LOOP, address, rank],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    for rank in "01"
]


# Call the first function in both processes, and return what each of them prints.
def run(function, *needed):
    code = "".join(map(inspect.getsource, [function, *needed]))
    code += f"{function.__name__}(rank=dist.get_rank())"
    for process in processes:
        process.stdin.write(f"{code!r}\n")
        process.stdin.flush()
    said = [], []
    for process, lines in zip(processes, said, strict=True):
        while (line := process.stdout.readline()) not in {"end\n", ""}:
            lines.append(line.rstrip())
    noise = ("", "[Gloo]")
    return [[s for s in lines if s.partition(" ")[0] not in noise] for lines in said]


def network(outputs=2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, outputs))


def trained_by_rank(model):
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    every = [None] * dist.get_world_size()
    dist.all_gather_object(every, names)
    return every


def rounded(values):
    return [round(value, 3) for value in values.tolist()]


# %%
# Wrong: each rank freezes the layer of its own number. Right: compare before you wrap.
def average(rank):
    model = network()
    model[rank].requires_grad_(False)
    wrapped = DistributedDataParallel(model)
    wrapped(torch.full((1, 2), rank + 1.0)).sum().backward()
    print(f"layer {1 - rank}:", rounded(model[1 - rank].weight.grad[0]))
    print(trained_by_rank(model))


first, second = run(average, network, rounded, trained_by_rank)
print(first[0], second[0], first[1], sep="\n")

# %%
# There was no error. Rank 0 trains layer 1, rank 1 trains layer 0, and both have the
# same gradient: the mean of two different layers. DDP checks when it wraps only that
# the trainable parameters have the same number and the same shapes.
#
# The last line is the comparison. Stop if the lists differ:
# ``assert all(names == every[0] for names in every)``. If you name what you freeze by
# ``model.named_parameters()`` and decide nothing by the rank, by a file that only one
# rank has read, or by random numbers, they are the same.
grads = []
for number in range(2):
    model = network()
    model(torch.full((1, 2), 2.0 - number)).sum().backward()
    grads.append(model[number].weight.grad)
mean = sum(grads) / 2
assert first[0] == f"layer 1: {rounded(mean[0])}"
assert second[0] == f"layer 0: {rounded(mean[0])}"
assert not torch.allclose(*grads)
assert first[1] == "[['1.weight', '1.bias'], ['0.weight', '0.bias']]"


# %%
# When do the ranks hang?
# -----------------------
# - *shapes:* as above, but the layers have different shapes. One rank finds out when it
#   wraps. The other one waits.
# - *frozen_later:* rank 1 freezes a layer after the wrapping. Its second step raises,
#   and rank 0 waits in its first ``backward()`` for a gradient that is never sent.
# - *branch:* rank 1 leaves a layer out in its forward. That is the same case, but with
#   ``find_unused_parameters=True`` it works.
#
# Rank 0 waits until the timeout, by default 30 minutes with gloo and 10 with NCCL. Here
# it is one second. ``waited`` stands for the error that comes then.
def outcome(step, rank, seconds=1.0):
    group, result = dist.new_group(timeout=timedelta(seconds=seconds)), "ok"
    try:
        step(rank, process_group=group)
    except RuntimeError as error:
        text = str(error).split(". ")[0]
        waited = "gloo" in text or "timeout" in text
        result = "waited" if waited else f"RuntimeError: {text}"
    print(f"{step.__name__:13}", result)
    dist.barrier()


def shapes(rank, process_group):
    model = network(1)
    model[rank].requires_grad_(False)
    DistributedDataParallel(model, process_group=process_group)


def frozen_later(rank, process_group):
    model = network()
    wrapped = DistributedDataParallel(model, process_group=process_group)
    model[0].requires_grad_(rank == 0)
    for _ in range(2):
        wrapped(torch.ones(1, 2)).sum().backward()


def branch(rank, process_group):
    class Branches(nn.Sequential):
        def forward(self, x, both):
            return self[0](x) + self[1](x) if both else self[0](x)

    model = Branches(nn.Linear(2, 2), nn.Linear(2, 2))
    wrapped = DistributedDataParallel(model, find_unused_parameters=True)
    for _ in range(2):
        model.zero_grad()
        wrapped(torch.ones(1, 2), both=rank == 0).sum().backward()
    assert model[1].weight.grad.tolist() == [[0.5, 0.5]] * 2


def hang(rank):
    for step in (shapes, frozen_later, branch):
        outcome(step, rank)


first, second = run(hang, network, outcome, shapes, frozen_later, branch)
for number, lines in enumerate((first, second)):
    print(f"rank {number}", *lines, sep="\n")
assert first == [
    "shapes        waited",
    "frozen_later  waited",
    "branch        ok",
]
assert "params[0] in this process with sizes" in second[0]
assert "Expected to have finished reduction in the prior iteration" in second[1]
assert second[2] == "branch        ok"

# %%
# In *branch*, the rank that leaves the layer out sends zeros, and the gradient is still
# divided by the number of ranks. It is half of what rank 0 has computed.


# %%
# backward hangs, NCCL times out: one rank has no target
# ------------------------------------------------------
# If the images of one rank have no target, and it therefore skips ``backward()``, the
# other ranks wait in theirs. The same happens if one rank skips a batch because its
# loss is NaN, and if the data of one rank end first. ``find_unused_parameters=True``
# does not help, because that rank sends nothing at all.
#
# Let each rank call the wrapped model and ``backward()`` as often as the others.
# Without a target, use the sum of all outputs times 0 as the loss: then the rank sends
# zeros. With a loss of NaN that would send NaN, so let all ranks skip this step, with a
# flag that ``dist.all_reduce()`` adds up. For data that end early,
# ``with wrapped.join():`` answers the other ranks.
#
# In which iteration it stops depends on the data, and no error comes before the
# timeout. To see where each process waits: ``py-spy dump --pid …``.
def empty(rank, process_group, how):
    model = network()
    wrapped = DistributedDataParallel(
        model, process_group=process_group, find_unused_parameters=True
    )
    for has_target in (True, rank == 0, True):
        output = wrapped(torch.ones(1, 2))
        if has_target:
            output.sum().backward()
        elif how == "zero":
            (0 * output.sum()).backward()


def skip_backward(rank, process_group):
    empty(rank, process_group, "skip")


def zero_loss(rank, process_group):
    empty(rank, process_group, "zero")


def join(rank, process_group):
    wrapped = DistributedDataParallel(network(), process_group=process_group)
    with wrapped.join():
        for _ in range(3 - rank):
            wrapped(torch.ones(1, 2)).sum().backward()


def hang_without_target(rank):
    for step in (skip_backward, zero_loss, join):
        outcome(step, rank)


needed = network, outcome, empty, skip_backward, zero_loss, join
first, second = run(hang_without_target, *needed)
print(*first, sep="\n")
assert first == ["skip_backward waited", "zero_loss     ok", "join          ok"]
assert second[1:] == first[1:]


# %%
# Multi-GPU training hangs at an iteration: one rank lacks a loss term
# --------------------------------------------------------------------
# A detector computes some losses only if the batch has positives, such as those of
# boxes, masks or denoising queries. On a rank without them the term is missing, and
# with it the gradients of its head, as in *frozen_later*: the other ranks wait. Let
# every rank compute the same terms, with ``0 * prediction.sum()`` if there is nothing
# to match (``torch.zeros(())`` has no graph), or pass ``find_unused_parameters=True``.
#
# The losses are often averaged for the log as well, one ``all_reduce()`` for each key.
# With a key less, that rank is one call behind: the others wait, or its next call is
# added to another value. With the keys in another order nothing hangs, and the log is
# wrong. So reduce a fixed list of names, in this order, with 0 for what is missing. The
# number of positives that divides the loss is averaged in the same way, on all ranks,
# before any ``if``. mmdetection stops with ``loss log variables are different across
# GPUs!`` in place of waiting (`issue 6495
# <https://github.com/open-mmlab/mmdetection/issues/6495>`__, read, not run).
def detector(rank, process_group, how):
    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.classes, self.boxes = network(), network()

        def forward(self, x):
            return self.classes(x), self.boxes(x)

    find = {"find_unused_parameters": how == "find_unused"}
    wrapped = DistributedDataParallel(Detector(), process_group=process_group, **find)
    for has_positives in (True, rank == 0, True):
        classes, boxes = wrapped(torch.ones(1, 2))
        losses = {"class": classes.sum()}
        if has_positives:
            losses["box"] = boxes.sum()
        elif how == "zero":
            losses["box"] = 0 * boxes.sum()
        sum(losses.values()).backward()


def term_missing(rank, process_group):
    detector(rank, process_group, "missing")


def zero_term(rank, process_group):
    detector(rank, process_group, "zero")


def find_unused(rank, process_group):
    detector(rank, process_group, "find_unused")


def log(rank, process_group):
    found = {"class": 1.0, "box": 10.0}
    ways = {
        "other order": found if rank == 0 else dict(reversed(found.items())),
        "fixed list": {name: found[name] for name in ("class", "box")},
    }
    for way, losses in ways.items():
        reduced = {}
        for name, value in losses.items():
            total = torch.tensor(value)
            dist.all_reduce(total, group=process_group)
            reduced[name] = total.item() / 2
        print(f"{way:13}", reduced)


def hang_without_term(rank):
    outcome(term_missing, rank, seconds=0.2)
    for step in (zero_term, find_unused, log):
        outcome(step, rank, seconds=60)


needed = network, outcome, detector, term_missing, zero_term, find_unused, log
first, second = run(hang_without_term, *needed)
print(*first, sep="\n")
assert [line.split()[1] for line in first[:3]] == ["waited", "ok", "ok"]
assert second[1:3] == first[1:3]
assert first[3].endswith("{'class': 5.5, 'box': 5.5}")
assert first[4].endswith("{'class': 1.0, 'box': 10.0}")


# %%
# DDP hangs in the validation: only rank 0 evaluates
# --------------------------------------------------
# Call ``wrapped.module(x)`` on rank 0, which sends nothing, and let the others wait in
# a ``dist.barrier()``, but not longer than the ``timeout`` of the process group. Or let
# all ranks evaluate an equal share. The cause: at the start of a forward, DDP sends the
# buffers of rank 0, such as the statistics of batch norm, in ``eval()`` and under
# ``no_grad()`` as well, and whether the batch norm is frozen or not. If only rank 0
# calls the wrapped model, it waits for the others, or they take its buffers for
# something else. Without buffers, or with ``broadcast_buffers=False``, it does not
# hang. FSDP and ZeRO-3 gather weights, so there all ranks must take part.
def validate(rank, process_group, how):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).requires_grad_(False)
    model[0].requires_grad_(True)
    model = model[:1] if how == "no buffers" else model
    wrapped = DistributedDataParallel(model, process_group=process_group).eval()
    if rank == 0:
        with torch.no_grad():
            (wrapped.module if how == "module" else wrapped)(torch.ones(2, 2))
    dist.barrier(process_group)


def in_wrapper(rank, process_group):
    validate(rank, process_group, "wrapped")


def in_module(rank, process_group):
    validate(rank, process_group, "module")


def no_buffers(rank, process_group):
    validate(rank, process_group, "no buffers")


def validation(rank):
    outcome(in_wrapper, rank, seconds=0.2)
    outcome(in_module, rank, seconds=60)
    outcome(no_buffers, rank, seconds=60)


needed = network, outcome, validate, in_wrapper, in_module, no_buffers
first, second = run(validation, *needed)
print(*first, sep="\n")
assert [line.split()[1] for line in first] == ["waited", "ok", "ok"]
assert second[1:] == first[1:]


# %%
# DDP expects same model across all ranks, but Rank 0 has 382 params
# ------------------------------------------------------------------
# ``… while rank 1 has inconsistent 0 params``: DDP counts the parameters that require a
# gradient when it wraps, and each rank raises this if the numbers differ. Print the
# number on each rank before you wrap:
# ``sum(p.requires_grad for p in model.parameters())``.
#
# - *A number above 0:* the ranks have frozen different parts. Whatever depends on the
#   rank, such as freezing, loading or adding an adapter only in the main process, must
#   be done on all.
# - *0 params:* with NCCL, this is often a number that was never received. The other
#   rank did not get to its ``DistributedDataParallel()`` in time, and the log has a
#   ``Watchdog caught collective operation timeout`` of an ``ALLGATHER`` (as in `this
#   report <https://github.com/NJU-PCALab/STAR/issues/44>`__, read and not run). Look
#   for an error above it, or for a number of processes that does not fit the number of
#   GPUs.
# - A model with two adapters of peft: ``get_peft_model()`` once, then
#   ``add_adapter()``, and ``set_adapter()`` to choose which one trains, on all ranks.
def count(rank):
    model = network()
    model[0].requires_grad_(rank == 0)
    print(sum(p.requires_grad for p in model.parameters()))
    try:
        DistributedDataParallel(model)
    except RuntimeError as error:
        print(error)


first, second = run(count, network)
print(*first, *second, sep="\n")
assert (first[0], second[0]) == ("4", "2")
text = "DDP expects same model across all ranks, but Rank {} has {} params, "
text += "while rank {} has inconsistent {} params."
assert first[1] == text.format(0, 4, 1, 2)
assert second[1] == text.format(1, 2, 0, 4)

# %%
# Which rank is missing?
# ----------------------
# ``dist.monitored_barrier()``, which only gloo has, names a rank that does not arrive.
# ``torchrun --nproc-per-node 2 -m gradguide train.py`` adds to its report what is
# different on the other ranks, such as
# ``on rank 1: wrapped.module.0.weight: trains``.


def late(rank):
    group = dist.new_group()
    if rank == 0:
        try:
            dist.monitored_barrier(group, timeout=timedelta(seconds=0.5))
        except RuntimeError as error:
            print(str(error).splitlines()[0].strip())


first, second = run(late)
print(*first)
assert first == ["[Rank 0]: Rank 1 failed to pass monitoredBarrier in 500 ms"]


# %%
# ZeRO-3 and FSDP hang if only some ranks have an image
# -----------------------------------------------------
# The weights of each module are spread over the ranks, and each call of the module
# gathers them from all ranks. If the batch of one rank has no image and its forward
# leaves the vision tower out, the other ranks wait. Freezing it does not help, nor does
# ``find_unused_parameters``, an option of DDP.
#
# Let every rank call the same modules in the same order: put a small dummy image
# through the tower if there is none, and add its result times 0, at the same place. In
# *late* the dummy comes after the text: the ranks gather different modules at the same
# time, and here both compute with a mix of weights, without an error. Or train with
# ZeRO-2, which does not spread the weights.
#
# This is run with FSDP2. ZeRO-3 of DeepSpeed gathers in the same way: see `a mix of
# text and images <https://github.com/deepspeedai/DeepSpeed/issues/7170>`__ and `the
# same fix <https://github.com/modelscope/ms-swift/pull/9639>`__ (read, not run). Its
# line ``Invalidate trace cache @ step 3: expected module 2, but got module 1`` says
# that this step calls the modules in another order than the one before. It is no error
# by itself (`source
# <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/zero/partitioned_param_coordinator.py>`__).
def vision():
    class Vision(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.visual, self.text = nn.Linear(2, 2), nn.Linear(2, 2)
            self.visual.requires_grad_(False)

        def forward(self, x, image, how):
            if image is not None:
                x = x + self.visual(image)
            elif how == "dummy":
                x = x + 0 * self.visual(torch.zeros(1, 2))
            x = self.text(x)
            if image is None and how == "late":
                x = x + 0 * self.visual(torch.zeros(1, 2))
            return x

    return Vision()


def mixed(rank):
    for how in ("skip", "dummy", "late"):
        group = dist.new_group(timeout=timedelta(seconds=0.4 if how == "skip" else 60))
        mesh = dist.device_mesh.DeviceMesh.from_group(group, "cpu")
        image, model = torch.ones(1, 2) if rank == 0 else None, vision()
        expected = model(torch.ones(1, 2), image, how)
        for part in (model.visual, model.text, model):
            fully_shard(part, mesh=mesh)
        try:
            output = model(torch.ones(1, 2), image, how)
            result = "right" if output.allclose(expected) else "wrong"
            if how != "late":
                output.sum().backward()
        except RuntimeError as error:
            waited = "gloo" in str(error) or "timeout" in str(error)
            result = "waited" if waited else str(error)
        print(f"{how:6}{result}")
        dist.barrier()


first, second = run(mixed, vision)
print(*first, sep="\n")
assert first == second == ["skip  waited", "dummy right", "late  wrong"]


# %%
# MoE with ZeRO-3 hangs: experts without tokens, NCCL timeout
# -----------------------------------------------------------
# The same happens inside a mixture of experts, often only after some steps. An expert
# that gets no token on one rank is not called there, so this rank does not join in when
# the weights of the expert are gathered, and the others wait. Frozen experts hang as
# well.
#
# - *DeepSpeed: make the block a leaf,* so that all its experts are gathered together:
#   ``deepspeed.utils.set_z3_leaf_modules(model, [MixtralSparseMoeBlock])``, before
#   ``deepspeed.initialize()``, with the class of the block in your model (`the change
#   that added it <https://github.com/deepspeedai/DeepSpeed/pull/4966>`__, read, not
#   run). LLaMA-Factory calls it for the models that it knows: upgrade.
# - *Or call every expert,* with an empty batch if it has no token. Its gradient is then
#   zero, not None. This holds for FSDP2, too. There, the whole block as one unit is
#   enough only if its experts are frozen. If they train, the ranks reduce gradients of
#   different sizes, which failed here.
# - *Or ZeRO-2 or DDP,* which gather no weights. DDP needs
#   ``find_unused_parameters=True``, or every expert called.
#
# Here rank 1 has no token for the second expert.
def mixture(calls_all):
    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))

        def forward(self, x, chosen):
            result = x.clone()
            for number, expert in enumerate(self.experts):
                mine = chosen == number
                if calls_all or mine.any():
                    result = result.index_put((mine,), expert(x[mine]))
            return result

    return Mixture()


def experts(rank):
    x, chosen = torch.ones(2, 2, requires_grad=True), torch.tensor([0, 1 - rank])
    for way in ("each expert", "all called", "frozen unit", "DDP"):
        seconds = 0.2 if way == "each expert" else 60
        group = dist.new_group(timeout=timedelta(seconds=seconds))
        mesh = dist.device_mesh.DeviceMesh.from_group(group, "cpu")
        block = model = mixture(calls_all=way == "all called")
        if way == "DDP":
            find = {"find_unused_parameters": True}
            model = DistributedDataParallel(block, process_group=group, **find)
        elif way == "frozen unit":
            fully_shard(block.requires_grad_(False), mesh=mesh)
        else:
            for part in (*block.experts, block):
                fully_shard(part, mesh=mesh)
        try:
            for _ in range(2):
                model(x, chosen).sum().backward()
            result = "ok"
        except RuntimeError as error:
            waited = "gloo" in str(error) or "timeout" in str(error)
            result = "waited" if waited else str(error)
        print(f"{way:12}{result}")
        dist.barrier()


first, second = run(experts, mixture)
print(*first, sep="\n")
assert [line[12:] for line in first] == ["waited", "ok", "ok", "ok"]
assert second[1:] == first[1:]
model = mixture(calls_all=True)
model(torch.ones(2, 2), torch.tensor([0, 0])).sum().backward()
assert model.experts[1].weight.grad.eq(0).all()


# %% tags=["hide-input"]
# Where it ends
# -------------
# FSDP2 does not compare ``requires_grad`` either. With layers of the same shape,
# ``fully_shard()`` averages gradients of different layers, too.
def sharded(rank):
    model = network()
    model[rank].requires_grad_(False)
    fully_shard(model, mesh=dist.init_device_mesh("cpu", (2,)))
    model(torch.full((1, 2), rank + 1.0)).sum().backward()
    part = model[1 - rank].weight.grad.to_local()
    print(rounded(part[0]))


first, second = run(sharded, network, rounded)
assert first == [str(rounded(mean[0]))]
assert second == [str(rounded(mean[1]))]
for process in processes:
    process.stdin.close()
    process.wait()
folder.cleanup()

# %%
# Compare the names of what trains on all ranks, before you wrap and after each change.
# Sources: :torch:`torch.nn.parallel.DistributedDataParallel`,
# :torch:`the timeout of init_process_group() and monitored_barrier()
# <distributed.html>`.
#
# Related: :doc:`freezing_under_ddp`, :doc:`two_backward_passes_under_ddp`,
# :doc:`/gallery/diagnose/one_command_for_your_script`.
