"""
Under DDP, only the first backward after a forward is averaged
==============================================================

The gradient of a second ``backward()`` stays in its process, mostly without an error,
and the models drift apart. Add the losses and call ``backward()`` once, or run forward,
backward, forward, backward.
"""

# %%
# A hook sees what DDP sends. The gradient of the weights should be 1 + 2 = 3.
import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel as DDP

store, x = dist.HashStore(), torch.ones(1, 2)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
sent = []


def send(group, bucket):
    sent.append(bucket.buffer().tolist())
    return default_hooks.allreduce_hook(group, bucket)


for together in (False, True):
    wrapped = DDP(torch.nn.Linear(2, 1, bias=False))
    wrapped.register_comm_hook(None, send)
    first, second = wrapped(x).sum(), wrapped(2 * x).sum()
    for loss in [first + second] if together else [first, second]:
        loss.backward()
    print(f"{together=}", "sent", sent[-1], "grad", wrapped.module.weight.grad)
dist.destroy_process_group()
assert sent == [[1, 1], [3, 3]]

# %% tags=["hide-input"]
# Two processes, from one script
# ------------------------------
# Usually ``torchrun`` starts the processes. Here two are started by hand, on the CPU
# with the gloo backend, and get the source of functions. Each of the ``steps`` gets a
# new model and the input of its process, wraps the model and makes the gradients. Then
# the processes compare them.
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from torch.utils.checkpoint import checkpoint


def compare(*steps):
    for step in steps:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
        try:
            step(model, torch.full((1, 2), dist.get_rank() + 1.0))
        except RuntimeError as error:
            print(f"{step.__name__:20}{str(error).split('. ')[0]}")
            continue
        every = [None, None]
        dist.all_gather_object(every, [str(p.grad) for p in model.parameters()])
        agree = [
            None if first == second == "None" else first == second
            for first, second in zip(*every, strict=True)
        ]
        print(f"{step.__name__:20}", *agree)


# Each process runs the lines that it reads. The last line of an answer is "end".
LOOP = """
import os, sys, traceback
from datetime import timedelta
from functools import partial
import torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint
address, rank = sys.argv[1:]
group = {"init_method": address, "rank": int(rank), "world_size": 2}
dist.init_process_group("gloo", **group, timeout=timedelta(seconds=30))
for line in sys.stdin:
    try:
        exec(eval(line))
    except BaseException:
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


# Compare the steps in both processes, and return what the first one prints.
def run(*steps, options="", compare=compare):
    lines = [f"DDP = partial(DistributedDataParallel, {options})\n"]
    lines += map(inspect.getsource, (compare, *steps))
    lines += [f"{compare.__name__}({', '.join(step.__name__ for step in steps)})"]
    for process in processes:
        process.stdin.write(f"{''.join(lines)!r}\n")
        process.stdin.flush()
    said = [], []
    for process, lines in zip(processes, said, strict=True):
        while (line := process.stdout.readline()) not in {"end\n", ""}:
            lines.append(line.rstrip())
    return [line for line in said[0] if not line.startswith("[Gloo]")]


# %%
# Which order is averaged?
# ------------------------
# Each process has its own input. The four columns are the four parameters. ``True``
# means that both processes have the same gradient, as they must. The first three are
# right.
def in_turn(model, x):
    wrapped = DDP(model)
    wrapped(x).sum().backward()
    wrapped(2 * x).square().sum().backward()


def one_sum(model, x):
    wrapped = DDP(model)
    (wrapped(x).sum() + wrapped(2 * x).square().sum()).backward()


def penalty_with(model, x):
    wrapped = DDP(model)
    penalty = x.sum() * model[1].weight.square().sum()
    (wrapped(x).sum() + penalty).backward()


def two_forwards(model, x):
    wrapped = DDP(model)
    first, second = wrapped(x).sum(), wrapped(2 * x).square().sum()
    first.backward()
    second.backward()


def retain_graph(model, x):
    wrapped = DDP(model)
    out = wrapped(x)
    out.sum().backward(retain_graph=True)
    out.square().sum().backward()


def penalty_after(model, x):
    wrapped = DDP(model)
    wrapped(x).sum().backward()
    (x.sum() * model[1].weight.square().sum()).backward()


def penalty_before(model, x):
    wrapped = DDP(model)
    for _ in range(2):
        model.zero_grad()
        loss = wrapped(x).sum()
        (x.sum() * model[1].weight.square().sum()).backward()
        loss.backward()


def call_module(model, x):
    wrapped = DDP(model)
    wrapped.module(x).sum().backward()


def autograd_grad(model, x):
    wrapped = DDP(model)
    for weight in model.parameters():
        (weight.grad,) = torch.autograd.grad(wrapped(x).sum(), weight)


right = in_turn, one_sum, penalty_with
wrong = two_forwards, retain_graph, penalty_after, call_module
wrong += autograd_grad, penalty_before
lines = run(*right, *wrong)
print(*lines, sep="\n")
outcomes = [line.split(maxsplit=1)[1] for line in lines]
assert outcomes[:3] == ["True True True True"] * 3
assert outcomes[3:5] == ["False False False False"] * 2
assert outcomes[5] == "True True False True"
assert outcomes[6:8] == ["False True False True"] * 2
assert outcomes[8] == "Expected to mark a variable ready only once"


# %%
# Why? The forward of the wrapped model prepares DDP for one backward. DDP waits until
# the gradient of each parameter is ready, and averages them. A gradient that comes
# later is added to ``.grad`` and is not sent. If one parameter is ready twice while DDP
# still waits for another, DDP raises an error.
#
# - A GAN that calls the discriminator for real and for generated images needs one
#   backward for the sum of both losses, or forward, backward, forward, backward.
# - ``wrapped.module(x)`` and ``autograd.grad()`` are not averaged. Call the wrapped
#   model, and call ``backward()``.
# - The error and its other causes, such as reentrant checkpoints, have a page:
#   :doc:`/reference/errors/expected_to_mark_a_variable_ready_only_once`.
#
# DDP: the parameters are different on each GPU. What is synchronised?
# --------------------------------------------------------------------
# DDP sends the parameters of rank 0 to all ranks once, when it wraps the model. After
# that, it averages gradients only, and each rank makes its own ``step()``. From the
# same start, with the same gradients and the same optimizer, the parameters stay the
# same. So if they differ, look for one of these:
#
# - *Gradients that were not averaged:* a step that is wrong above, ``no_sync()``, a
#   layer that was unfrozen or added after the wrapping (:doc:`freezing_under_ddp`), or
#   tensors in a plain list, which are not parameters of the model.
# - *Something that one rank does differently after* ``backward()``: its own learning
#   rate or optimizer, noise or a mask on ``.grad``, a step that it skips because of a
#   nan, a checkpoint that only rank 0 loads after the wrapping.
# - *Statistics of batch norm,* which are not parameters: each rank computes them from
#   its own batch, and DDP sends those of rank 0 to all before the next forward. So save
#   those of rank 0, or take ``SyncBatchNorm`` on GPUs.
#
# The loss of each rank differs, because each has its own data. Clipping after
# ``backward()`` is the same on all ranks. To repair a model, correct the cause and wrap
# it again, which sends the parameters of rank 0. The first column says whether the
# parameters are the same after two steps, the second whether the statistics are.
def weights(*changes):
    for change in changes:
        torch.manual_seed(0)
        layers = torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1)
        model, rank = torch.nn.Sequential(*layers), dist.get_rank()
        wrapped = DDP(model)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            batch = torch.tensor([[1.0, 2.0], [3.0, 5.0]]) * (rank + 1)
            wrapped(batch).square().sum().backward()
            change(model, optimizer, rank)
            optimizer.step()
        if change.__name__ == "noise_then_wrap":
            DDP(model)
        every = [None, None]
        values = [str([*model.parameters()]), str([*model.buffers()])]
        dist.all_gather_object(every, values)
        print(f"{change.__name__:16}", *map(str.__eq__, *every))


def nothing(model, optimizer, rank):
    pass


def clipped(model, optimizer, rank):
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)


def own_rate(model, optimizer, rank):
    optimizer.param_groups[0]["lr"] = 0.1 * (rank + 1)


def own_noise(model, optimizer, rank):
    model[0].weight.grad.add_(rank)


def skipped(model, optimizer, rank):
    if rank == 1:
        optimizer.zero_grad()


def noise_then_wrap(model, optimizer, rank):
    model[0].weight.grad.add_(rank)


changes = nothing, clipped, own_rate, own_noise, skipped, noise_then_wrap
lines = run(*changes, compare=weights)
print(*lines, sep="\n")
same = [line.split()[1] for line in lines]
assert same == ["True", "True", "False", "False", "False", "True"]
assert [line.split()[2] for line in lines[:2]] == ["False", "False"]


# %%
# May I freeze between two micro-batches?
# ---------------------------------------
# Under ``no_sync()``, DDP sends nothing, and the next backward outside it sends the
# sum. Put the forward into it, too, because the forward decides. By default, a layer
# that is frozen before that backward keeps the gradients of the first micro-batches,
# and each process has its own. Freeze after ``step()`` and ``zero_grad()``, and wrap
# again.
def at_boundary(model, x):
    wrapped = DDP(model)
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    wrapped(2 * x).sum().backward()
    wrapped.zero_grad()
    model[0].requires_grad_(False)
    wrapped = DDP(model)
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    wrapped(2 * x).sum().backward()


def backward_only(model, x):
    wrapped = DDP(model)
    loss = wrapped(x).sum()
    with wrapped.no_sync():
        loss.backward()


def forward_only(model, x):
    wrapped = DDP(model)
    with wrapped.no_sync():
        loss = wrapped(x).sum()
    loss.backward()


def in_between(model, x):
    wrapped = DDP(model)
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    model[0].requires_grad_(False)
    wrapped(2 * x).sum().backward()


def wrapped_again(model, x):
    wrapped = DDP(model)
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    model[0].requires_grad_(False)
    wrapped = DDP(model)
    wrapped(2 * x).sum().backward()


def find_unused(model, x):
    wrapped = DDP(model, find_unused_parameters=True)
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    model[0].requires_grad_(False)
    wrapped(2 * x).sum().backward()


def find_unused_none(model, x):
    wrapped = DDP(model, find_unused_parameters=True)
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    model[0].requires_grad_(False)
    model.zero_grad()
    wrapped(2 * x).sum().backward()


late = in_between, wrapped_again, find_unused, find_unused_none
lines = run(at_boundary, backward_only, forward_only, *late)
print(*lines, sep="\n")
outcomes = [line.split(maxsplit=1)[1] for line in lines]
assert outcomes[0] == "None None True True"
assert outcomes[1] == "True True True True"
assert outcomes[2] == "False True False True"
assert outcomes[3] == "False True False True"
assert outcomes[4] == "False True True True"
assert outcomes[5] == "True True True True"
assert (
    outcomes[6]
    == "Encountered gradient which is undefined, but still allreduced by DDP reducer"
)

# %%
# - *backward_only* is averaged, so ``no_sync()`` had no effect. *forward_only* is not.
# - *in_between* also leaves the other layer without an average, as each freeze after
#   the wrapping does (:doc:`freezing_under_ddp`). *wrapped_again* averages the other
#   layer, and the frozen one keeps a gradient of its own in each process.
# - *find_unused* averages the frozen layer, too, but the gradient is still there, and
#   ``step()`` applies it: :doc:`/gallery/recipes/freeze_in_gradient_accumulation`.
# - *find_unused_none* clears ``.grad``, and DDP raises an error, because it has noted
#   under ``no_sync()`` that the layer was used.
#
# ZeRO-2: ``no_sync context manager is incompatible with gradient partitioning logic``
# ------------------------------------------------------------------------------------
# DeepSpeed raises ``AssertionError: no_sync context manager is incompatible with
# gradient partitioning logic of ZeRO stage 2`` (or ``stage 3``) if
# ``gradient_accumulation_steps`` is above 1 and the training loop enters ``no_sync()``
# for all micro-batches but the last. Older versions of ``Trainer`` and Accelerate did.
# ZeRO-2 and ZeRO-3 keep only a part of the gradients on each rank, so they must reduce
# in every backward, and since 0.16 DeepSpeed says so. It needs no ``no_sync()``,
# because the engine itself knows which micro-batch is the last.
#
# - Upgrade transformers and Accelerate. `A later Trainer
#   <https://github.com/huggingface/transformers/pull/35157>`__, and ``no_sync()`` of
#   Accelerate 1.15, leave it out for these stages.
# - With ``accelerator.accumulate()`` of an older version, pass
#   ``GradientAccumulationPlugin(num_steps=4, sync_each_batch=True)``.
# - In a loop with the engine of DeepSpeed, call ``engine.backward(loss)`` and
#   ``engine.step()`` for each micro-batch, without ``no_sync()``.
# - If none of this is possible: DeepSpeed 0.15.4, ZeRO-1, or one accumulation step.
#
# All this was read and not run: `the discussion at DeepSpeed
# <https://github.com/deepspeedai/DeepSpeed/issues/6793>`__ and `at Accelerate
# <https://github.com/huggingface/accelerate/issues/3481>`__.


# %%
# GAN under DDP: may I freeze the discriminator in the generator's step?
# ----------------------------------------------------------------------
# Yes, if it is wrapped by itself and frozen as a whole, as ``set_requires_grad()`` of
# CycleGAN does: DDP waits for all gradients of a model only when the first one has
# arrived. If you freeze a part of it, or if both networks are in one wrapped module,
# the next forward raises ``Expected to have finished reduction in the prior
# iteration``. Then call ``discriminator.module(fake)`` in the step of the generator,
# where nothing of the discriminator has to be averaged, or wrap the two by themselves.
# The columns are the parameters of the generator and of the discriminator.
def frozen_whole(model, x):
    generator, discriminator = DDP(model[0]), DDP(model[1])
    for _ in range(2):
        model.zero_grad()
        fake = generator(x)
        discriminator(fake.detach()).sum().backward()
        discriminator.requires_grad_(False)
        discriminator(fake).square().sum().backward()
        discriminator.requires_grad_(True)


def frozen_part(model, x):
    generator, discriminator = DDP(model[0]), DDP(model[1])
    for _ in range(2):
        model.zero_grad()
        fake = generator(x)
        discriminator(fake.detach()).sum().backward()
        model[1].bias.requires_grad_(False)
        discriminator(fake).square().sum().backward()
        model[1].bias.requires_grad_(True)


def call_the_module(model, x):
    generator, discriminator = DDP(model[0]), DDP(model[1])
    for _ in range(2):
        model.zero_grad()
        fake = generator(x)
        discriminator(fake.detach()).sum().backward()
        model[1].requires_grad_(False)
        discriminator.module(fake).square().sum().backward()
        model[1].requires_grad_(True)


def one_wrapper(model, x):
    both = DDP(model)
    model[1].requires_grad_(False)
    for _ in range(2):
        both(x).square().sum().backward()


lines = run(frozen_whole, call_the_module, frozen_part, one_wrapper)
print(*lines, sep="\n")
outcomes = [line.split(maxsplit=1)[1] for line in lines]
assert outcomes[:2] == ["True True True True"] * 2
for outcome in outcomes[2:]:
    assert outcome.startswith("Expected to have finished reduction in the prior")


# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``find_unused_parameters=True`` changes nothing about the six steps that are wrong.
#   With ``static_graph=True``, *penalty_before* is averaged, the others are not.
# - There is an error only if DDP still waits for another parameter. A model of one
#   layer that is in two reentrant checkpoints raises none, and is not averaged.
def whole_model(model, x):
    layer, x = model[0], x.requires_grad_()
    del model[1]
    model.forward = lambda x: checkpoint(
        layer, checkpoint(layer, x, use_reentrant=True), use_reentrant=True
    )
    wrapped = DDP(model)
    wrapped(x).sum().backward()


plain = run(*wrong)
assert run(*wrong, options="find_unused_parameters=True") == plain
static = run(*wrong, options="static_graph=True")
assert static[:5] == plain[:5]
assert static[5].split()[1:] == ["True"] * 4
(line,) = run(whole_model)
assert line.split()[1:] == ["False", "True"]


for process in processes:
    process.stdin.close()
    process.wait()
folder.cleanup()

# %%
# The warning about the stream of AccumulateGrad
# ----------------------------------------------
# On a GPU, a backward may warn: ``The AccumulateGrad node's stream does not match the
# stream of the node that produced the incoming gradient``. The node that adds to
# ``.grad`` belongs to the stream in which it was made, and DDP keeps these nodes from
# the wrapping on. The text names two cures: wrap the model in the stream in which the
# forward runs, and keep no loss or other tensor with a graph from the last iteration.
# If the streams differ on purpose,
# ``torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)`` turns it
# off. This was not run here, because it needs a GPU. Source: the text of the warning,
# as in `a report with PyTorch 2.10
# <https://github.com/modelscope/ms-swift/issues/8317>`__ and `one with Lightning
# <https://github.com/Lightning-AI/pytorch-lightning/issues/21567>`__.
#
# Call ``backward()`` once for each forward. Source:
# :torch:`torch.nn.parallel.DistributedDataParallel`, which describes ``no_sync()``.
#
# Related: :doc:`freezing_under_ddp`, :doc:`freezing_under_fsdp`,
# :doc:`all_gather_has_no_gradient`,
# :doc:`/gallery/recipes/freeze_in_gradient_accumulation`,
# :doc:`/gallery/recipes/gan_training`.
