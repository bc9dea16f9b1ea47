"""
all_gather() gives no gradient: contrastive losses on several GPUs
==================================================================

What ``dist.all_gather()`` writes has no ``grad_fn``. Put the features of your own rank
back, as in ``gathered[rank] = features``. For the gradient of the whole batch, gather
with a function that has a backward.
"""

# %%
# One process is enough to see that the gradient is cut.
import torch
import torch.distributed as dist
from torch import nn

store = dist.HashStore()
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
features = nn.Linear(2, 2)(torch.ones(1, 2))
gathered = [torch.empty_like(features) for _ in range(dist.get_world_size())]
dist.all_gather(gathered, features)
# Wrong: the gathered tensors alone.
print(torch.cat(gathered).requires_grad)
assert not torch.cat(gathered).requires_grad
# Right: the own features, with their graph, are back in their place.
gathered[dist.get_rank()] = features
print(torch.cat(gathered).requires_grad)
assert torch.cat(gathered).requires_grad
dist.destroy_process_group()

# %% tags=["hide-input"]
# Two processes are started by hand and get the source of functions.
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

# Each process runs the lines that it reads. The last line of an answer is "end".
LOOP = """
import faulthandler, os, sys, traceback
import torch, torch._dynamo, torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
faulthandler.dump_traceback_later(120, exit=True)
group = {"rank": int(sys.argv[1]), "world_size": 2}
for line in sys.stdin:
    try:
        exec(eval(line))
    except Exception:
        print(traceback.format_exc(), flush=True)
        os._exit(1)
    print("end", flush=True)
os._exit(0)
"""
folder = tempfile.TemporaryDirectory()
processes = [
    subprocess.Popen(
        [sys.executable, "-c", LOOP, rank],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    for rank in "01"
]


# Call the first function in two processes, and return what the first one prints.
def run(function, *needed):
    address = Path(folder.name, function.__name__).as_uri()
    code = "".join(map(inspect.getsource, [function, *needed]))
    code += f"dist.init_process_group('gloo', {address!r}, **group)\n"
    code += f"{function.__name__}(dist.get_rank())"
    for process in processes:
        process.stdin.write(f"{code!a}\n")
        process.stdin.flush()
    said = [], []
    for process, lines in zip(processes, said, strict=True):
        while (line := process.stdout.readline()) not in {"end\n", ""}:
            lines.append(line.rstrip())
    return [line for line in said[0] if line and not line.startswith("[Gloo]")]


# %%
# Why put the own features back, and is the gradient then right?
# --------------------------------------------------------------
# In a contrastive loss, as in CLIP, each sample of the whole batch is compared with all
# others. Two ranks have one half of the batch each. The two numbers of a line are
# multiples: how many times the gradient that a single process computes from the whole
# batch is the gradient under DDP? The first is for the encoders, the second for the
# trainable temperature. The line of *all_gather* has no numbers: it shows
# ``requires_grad`` of the image features and of the text features.
#
# - *all_gather*: the features require no gradient. Only the temperature trains, and
#   without one ``backward()`` raises ``element 0 of tensors does not require grad``.
# - *own*: the features of the own rank are put back. Each rank computes the part of the
#   gradient that flows through its own features. The parts add up to the whole, but DDP
#   divides by the number of ranks. The temperature is not affected, so a factor for the
#   loss does not mend it. With SGD, the encoders learn more slowly. Adam hides it.
# - *with a backward*: ``Gather`` hands each rank the sum of what all ranks compute for
#   its features. Each rank has the same loss, so the sum is as many times too large as
#   DDP then divides by, and everything is right.
#
# The order of the features must fit the labels. ``gathered[rank] = features`` keeps it.
# In *own first*, as in Chinese-CLIP, the own features come first, in images and texts
# alike, so that the pairs still stand at the same index, and the gradient is the same.
def gather_with_backward(features):
    class Gather(torch.autograd.Function):
        @staticmethod
        def forward(ctx, features):
            parts = [torch.empty_like(features) for _ in range(dist.get_world_size())]
            dist.all_gather(parts, features)
            return torch.stack(parts)

        @staticmethod
        def backward(ctx, gradient):
            gradient = gradient.contiguous()
            dist.all_reduce(gradient)  # the sum over the ranks
            return gradient[dist.get_rank()]

    return Gather.apply(features).flatten(0, 1)


def gather(features, how):
    if how == "with a backward":
        return gather_with_backward(features)
    rank, parts = dist.get_rank(), [torch.empty_like(features) for _ in range(2)]
    dist.all_gather(parts, features)
    if how == "own first":
        return torch.cat([features, *parts[:rank], *parts[rank + 1 :]])
    if how == "own":
        parts[rank] = features
    return torch.cat(parts)


def two_towers():
    class TwoTowers(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.image, self.text = nn.Linear(3, 2), nn.Linear(3, 2)
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, images, texts):
            return self.image(images), self.text(texts), self.scale

    return TwoTowers()


# The data, and a model with the gradient of the whole batch in a single process.
def single():
    model, generator = two_towers(), torch.Generator().manual_seed(1)
    data = torch.randn(2, 4, 3, generator=generator)
    image, text, scale = model(*data)
    cross_entropy(scale * image @ text.T, torch.arange(4)).backward()
    return data, model


def multiple(found, expected):
    found, expected = (
        torch.cat([p.grad.flatten() for p in parameters])
        for parameters in (found, expected)
    )
    ratio = (found @ expected / (expected @ expected)).item()
    if torch.allclose(found, ratio * expected, atol=1e-5):
        return f"{ratio:.2f}"
    return "another direction"


def compare(name, model, right):
    encoders = [(*m.image.parameters(), *m.text.parameters()) for m in (model, right)]
    print(f"{name}:", multiple(*encoders), multiple([model.scale], [right.scale]))


def whole_loss(rank):
    data, right = single()
    for how in ("all_gather", "own", "own first", "with a backward"):
        model = two_towers()
        wrapped = DistributedDataParallel(model)
        image, text, scale = wrapped(*data.chunk(2, dim=1)[rank])
        image, text = gather(image, how), gather(text, how)
        if not image.requires_grad:
            print(f"{how}:", image.requires_grad, text.requires_grad)
            continue
        cross_entropy(scale * image @ text.T, torch.arange(4)).backward()
        compare(how, model, right)
    dist.barrier()
    del wrapped  # a DDP that outlives its group may hang when it is freed
    dist.destroy_process_group()


tools = gather_with_backward, gather, two_towers, single, multiple, compare
lines = run(whole_loss, *tools)
print(*lines, sep="\n")
assert lines == [
    "all_gather: False False",
    "own: 0.50 1.00",
    "own first: 0.50 1.00",
    "with a backward: 1.00 1.00",
]


# %%
# A local loss needs a gather with a backward
# -------------------------------------------
# To save memory, each rank may compute only the rows of its own samples, against the
# columns of all (``local_loss`` in OpenCLIP). Then the loss of another rank depends on
# the features of this rank, too, as columns. If the own features are only put back,
# this part is missing, and no factor mends it: the gradient points in another
# direction, and there is no error. Gather with a backward (``gather_with_grad`` in
# OpenCLIP).
def local_loss(rank):
    data, right = single()
    for how in ("own", "with a backward"):
        model = two_towers()
        wrapped = DistributedDataParallel(model)
        image, text, scale = wrapped(*data.chunk(2, dim=1)[rank])
        labels = torch.arange(2) + 2 * rank
        cross_entropy(scale * image @ gather(text, how).T, labels).backward()
        compare(how, model, right)
    dist.barrier()
    del wrapped
    dist.destroy_process_group()


lines = run(local_loss, *tools)
print(*lines, sep="\n")
assert lines == ["own: another direction 1.00", "with a backward: 1.00 1.00"]


# %%
# DDP: ``loss.backward()`` or ``reduce_loss.backward()``?
# -------------------------------------------------------
# ``loss.backward()``, with the loss of your own rank. DDP averages the gradients of all
# ranks in this backward. If the loss is a mean over samples that do not depend on each
# other, and all ranks have equally many, the result is the gradient of the whole batch.
# ``reduce_loss``, what ``dist.all_reduce()`` has summed up, is a number for the log:
# reduce a copy, ``reduce_loss = loss.detach().clone()``. What its backward does:
#
# - *of the copy:* ``element 0 of tensors does not require grad``.
# - *of the loss itself, reduced in place and divided by the number of ranks:* DDP
#   divides a second time, so with two ranks the gradient is one half of the right one,
#   with the warning of the next section.
# - *reduced, but not divided:* the gradient is right only because ``all_reduce()`` has
#   no backward that adds up. Do not rely on it.
#
# Each number is a multiple of the gradient that one process computes from both batches.
def which_loss(rank):
    for way in ("loss", "copy", "reduced, divided", "reduced"):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.ones_(layer.weight)
        wrapped = DistributedDataParallel(layer)
        loss = wrapped(torch.full((1, 1), rank + 1.0)).square().mean()
        reduce_loss = loss.detach().clone() if way == "copy" else loss
        if way != "loss":
            dist.all_reduce(reduce_loss)
        if way.endswith("divided"):
            reduce_loss = reduce_loss / dist.get_world_size()
        try:
            reduce_loss.backward()
        except RuntimeError as error:
            print(f"{way}:", str(error).split(" and ")[0])
        else:
            # (1 ** 2 + 2 ** 2) / 2 has the derivative 5 at weight = 1
            print(f"{way}:", layer.weight.grad.item() / 5)
    dist.barrier()
    del wrapped
    dist.destroy_process_group()


lines = run(which_loss)
print(*lines, sep="\n")
assert lines == [
    "loss: 1.0",
    "copy: element 0 of tensors does not require grad",
    "reduced, divided: 0.5",
    "reduced: 1.0",
]


# %%
# Why is the loss multiplied by ``world_size``? Sums, and ranks of unequal size
# -----------------------------------------------------------------------------
# DDP and FSDP divide the sum of the gradients by the number of ranks. That fits a mean
# over equally many samples, so leave such a loss as it is. In three cases the result is
# not the gradient of the whole batch:
#
# - *A sum,* ``reduction="sum"``: the gradient is too small by the number of ranks. To
#   undo the division, multiply the loss by ``world_size``.
# - *Unequal ranks,* such as a mean over tokens or over positives: the mean of the means
#   gives a sample on a small rank more weight. Take the sum, divide it by the number of
#   samples on all ranks, which ``dist.all_reduce()`` adds up, and multiply by
#   ``world_size``.
# - *Samples that depend on each other,* in a contrastive loss or through batch norm: no
#   factor helps. Gather them, as above, or take ``SyncBatchNorm``.
#
# Rank 0 has one sample and rank 1 has three. Each number is a multiple of the gradient
# of the mean over all four.
def unequal(rank):
    x = torch.arange(1.0, 5.0).view(4, 1).split([1, 3])[rank]
    for way in ("mean", "sum of all, divided", "times world_size"):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.ones_(layer.weight)
        wrapped = DistributedDataParallel(layer)
        losses = wrapped(x).square()
        number = torch.tensor(float(len(x)))
        dist.all_reduce(number)
        loss = losses.mean() if way == "mean" else losses.sum() / number
        if way == "times world_size":
            loss = loss * dist.get_world_size()
        loss.backward()
        # (1 + 4 + 9 + 16) / 4 has the derivative 15 at weight = 1
        print(f"{way}: {layer.weight.grad.item() / 15:.2f}")
    dist.barrier()
    del wrapped
    dist.destroy_process_group()


lines = run(unequal)
print(*lines, sep="\n")
found = [line.split(": ")[1] for line in lines]
assert found == ["0.71", "0.50", "1.00"]

# %%
# ``c10d::allreduce_: an autograd kernel was not registered to the Autograd key(s)``
# ----------------------------------------------------------------------------------
# A backward pass has gone through ``dist.all_reduce()``, or, with ``c10d::broadcast_``,
# through ``dist.broadcast()``. ``This may lead to silently incorrect behavior``, the
# warning goes on, and it does: the value is that of all ranks, but the gradient is
# passed on as if there were only this rank. Here it is half of the right one.
#
# - A loss that you log: reduce a copy, ``loss.detach().clone()``. For the training
#   nothing has to be reduced, because DDP averages the gradients.
# - A value inside the forward, such as a mean over the whole batch: reduce it with a
#   function that has a backward, such as ``Sum`` here.
#
# The warning also comes from the code of DeepSpeed with ZeRO-3, as in `a report for
# LLaVA <https://github.com/haotian-liu/LLaVA/issues/1893>`__ (read and not run). Then
# it is not about a line of yours.


def total_of_ranks(rank):
    class Sum(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x = x.clone()
            dist.all_reduce(x)
            return x

        @staticmethod
        def backward(ctx, gradient):
            gradient = gradient.clone()
            dist.all_reduce(gradient)
            return gradient

    for how in ("all_reduce", "with a backward"):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.ones_(layer.weight)
        wrapped = DistributedDataParallel(layer)
        total = wrapped(torch.full((1, 1), rank + 1.0))
        if how == "all_reduce":
            dist.all_reduce(total)
        else:
            total = Sum.apply(total)
        total.square().sum().backward()
        print(f"{how}:", total.item(), layer.weight.grad.item())
    dist.barrier()
    del wrapped
    dist.destroy_process_group()


lines = run(total_of_ranks)
print(*lines, sep="\n")
# (weight * 1 + weight * 2) ** 2 has the derivative 18 at weight = 1.
assert lines == ["all_reduce: 3.0 9.0", "with a backward: 3.0 18.0"]

# %% tags=["hide-input"]
# Which gather has a gradient? Lightning, Accelerate and others
# -------------------------------------------------------------
# - None: ``dist.all_gather()``, ``dist.gather()``, ``accelerator.gather()`` and
#   ``gather_for_metrics()``, and ``self.all_gather(x)`` of a LightningModule.
# - Like ``Gather`` above: ``self.all_gather(x, sync_grads=True)`` of a LightningModule
#   (the calls of Lightning and Accelerate were read in the sources, not run).
#
# The ranks must have equally many samples, or the program may hang: pass
# ``drop_last=True`` to the ``DataLoader``.
for process in processes:
    process.stdin.close()
    assert process.wait() == 0
folder.cleanup()

# %%
# ``torch.distributed.nn.functional.all_gather()`` does the same as ``Gather``; PyTorch
# 2.13 warns that it is deprecated. For metrics, no gradient is needed: keep
# ``dist.all_gather()`` there. A loss that each rank computes from its own samples alone
# needs no gather, because DDP averages the gradients.
#
# Sources: :torch:`torch.distributed.all_gather <distributed.html>`, `the loss of
# OpenCLIP <https://github.com/mlfoundations/open_clip/blob/main/src/open_clip/loss.py>`__
# (read, not run), and `a question about Chinese-CLIP
# <https://github.com/OFA-Sys/Chinese-CLIP/issues/54>`__.
#
# Related: :doc:`two_backward_passes_under_ddp`, :doc:`freezing_under_ddp`,
# :doc:`/gallery/graph/what_drops_the_graph`,
# :doc:`/gallery/recipes/freeze_in_gradient_accumulation`.
