"""
Expected to have finished reduction: freeze before DDP wraps the model
======================================================================

``DistributedDataParallel`` records which parameters train when it wraps the model.
Freeze later, and by default the second iteration fails. Unfreeze later, and no error
says that gradients are not averaged. Wrap again after each change.
"""

# %%
# One process shows the error. The second time, it wraps a model that is already frozen.
import torch
import torch.distributed as dist
from torch import nn

store, x = dist.HashStore(), torch.ones(1, 2)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
found = []
for order in ("wrap, freeze", "freeze, wrap"):
    wrapped = nn.parallel.DistributedDataParallel(model)
    model[0].requires_grad_(False)
    wrapped(x).sum().backward()
    try:
        found.append((order, wrapped(x).requires_grad))
    except RuntimeError as error:
        found.append((order, str(error)[:58]))
print(*found, sep="\n")

# %% tags=["hide-input"]
# Two processes, from one script
# ------------------------------
# To see whether gradients are averaged, two processes are needed. Usually ``torchrun``
# starts them. Here each process gets the source of one function. It runs on the CPU
# with the gloo backend, and both connect through a file, so no port is needed.
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

dist.destroy_process_group()
(_, message), freeze_wrap = found
assert message.startswith("Expected to have finished reduction in the prior iteration")
assert freeze_wrap == ("freeze, wrap", True)


# Run a function in two processes, and return what the first one prints.
def run(worker):
    # os._exit does not wait for threads that a failed step has left behind
    leave = "import os; print(flush=True); os._exit(0)"
    code = f"{inspect.getsource(worker)}\n{worker.__name__}()\n{leave}"
    with tempfile.TemporaryDirectory() as folder:
        shared = os.environ | {"WORLD_SIZE": "2", "MEET": Path(folder, "meet").as_uri()}
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                env=shared | {"RANK": rank, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            for rank in "01"
        ]
        try:
            said = [process.communicate(timeout=120) for process in processes]
        finally:
            for process in processes:
                process.kill()
    for process, (_, complaint) in zip(processes, said, strict=True):
        assert process.returncode == 0, complaint
    lines = said[0][0].splitlines()
    return [line for line in lines if line and not line.startswith("[Gloo]")]


# %%
# What happens when requires_grad changes after the wrapping?
# -----------------------------------------------------------
# Experiments on one model of two layers. Each process has its own input, so their
# gradients agree only if DDP averages them. Each line says whether they do, layer by
# layer. None stands for no gradient.
def train():
    import os

    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    rank = int(os.environ["RANK"])
    dist.init_process_group(
        "gloo", init_method=os.environ["MEET"], rank=rank, world_size=2
    )

    def new_model(*, frozen=False):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
        model[0].requires_grad_(not frozen)
        return model

    def step(wrapped, times=1):
        for _ in range(times):
            wrapped.zero_grad()
            wrapped(torch.full((1, 2), rank + 1.0)).sum().backward()

    def agrees(layer):
        if layer.weight.grad is None:
            return None
        found = [torch.zeros_like(layer.weight) for _ in range(2)]
        dist.all_gather(found, layer.weight.grad)
        return torch.equal(*found)

    before = new_model(frozen=True)
    step(DistributedDataParallel(before), times=2)
    print("frozen before:", *map(agrees, before))

    after = new_model()
    wrapped = DistributedDataParallel(after)
    after[0].requires_grad_(False)
    step(wrapped)
    print("frozen after:", *map(agrees, after))
    try:
        step(wrapped)
    except RuntimeError as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}")

    for option in ("", "find_unused_parameters", "static_graph"):
        thawed = new_model(frozen=True)
        wrapped = DistributedDataParallel(thawed, **{option: True} if option else {})
        thawed[0].requires_grad_(True)
        step(wrapped, times=2)
        print("thawed after:", *map(agrees, thawed), option)
    step(DistributedDataParallel(thawed))
    print("wrapped again:", *map(agrees, thawed))

    both = new_model()
    wrapped = DistributedDataParallel(both, find_unused_parameters=True)
    for trains in (False, True):
        both[0].requires_grad_(trains)
        step(wrapped)
        print("find_unused_parameters:", *map(agrees, both))

    try:
        DistributedDataParallel(new_model().requires_grad_(False))
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
    dist.barrier()
    del wrapped  # a DDP that outlives its group may hang when it is freed
    dist.destroy_process_group()


lines = run(train)
print(*lines, sep="\n")

# %%
# - *Frozen before:* works. The frozen layer has no gradient, that of the other layer is
#   averaged.
# - *Frozen after:* the second iteration raises, and the first was wrong already. DDP
#   sends gradients in buckets and waits until a bucket is full. The gradient of the
#   frozen layer never comes, so the other layer, in the same bucket, is not averaged.
# - *Thawed after:* no error. DDP doesn't average the gradient of this layer, so each
#   process keeps its own, and from the next step on the copies of the model differ.
#   That is so with ``find_unused_parameters`` and ``static_graph``, too. Wrapped again,
#   it works.
# - *find_unused_parameters:* what trained when it was wrapped can be frozen and thawed.
# - *All frozen:* there is nothing to average, and DDP raises an error.
assert lines[:2] == ["frozen before: None True", "frozen after: None False"]
assert "Expected to have finished reduction in the prior iteration" in lines[2]
assert [line.split()[:4] for line in lines[3:6]] == [
    ["thawed", "after:", "False", "True"]
] * 3
assert lines[6] == "wrapped again: True True"
assert lines[7] == "find_unused_parameters: None True"
assert lines[8] == "find_unused_parameters: True True"
assert "doesn't have any parameter that requires a gradient" in lines[9]

# %% tags=["hide-input"]
# What becomes of the first layer, in each order? Hatched: it is frozen, as it should
# be. Square: its gradient is averaged. Cross: an error, or gradients that differ.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.6), layout="constrained")
hatched = {"marker": "s", "fc": "none", "ec": "C1", "hatch": "//////"}
cross, square = {"marker": "x", "c": "C2"}, {"marker": "s", "fc": "none", "ec": "C0"}
marks = {
    "frozen, wrapped": hatched,
    "wrapped, frozen": cross,
    "wrapped, thawed": cross,
    "thawed, wrapped": square,
}
for way, look in marks.items():
    ax.scatter(0, way, s=250, lw=2, **look)
ax.set_xticks([0], ["layer 0"])
ax.margins(0.5, 0.25)
ax.invert_yaxis()
plt.show()

# %%
# What is frozen before the wrapping costs DDP nothing, and SyncBatchNorm keeps it
# --------------------------------------------------------------------------------
# DDP sends no gradient for it and waits for none, so leave ``find_unused_parameters``
# off. A hook counts here what is sent: 9 elements, or the 3 of the layer that trains.
# Freeze the same layers in each process.
#
# ``nn.SyncBatchNorm.convert_sync_batchnorm(model)`` makes new modules, which keep the
# parameters, with their ``requires_grad``, and the mode: a batch norm that was frozen
# and in ``eval()`` stays so, and in ``eval()`` it synchronises nothing. Convert before
# the wrapping. DDP accepts such a layer on a GPU only.
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

store = dist.HashStore()
dist.init_process_group("gloo", store=store, rank=0, world_size=1)


def sent(model):
    sizes = []

    def hook(group, bucket):
        sizes.append(bucket.buffer().numel())
        return default_hooks.allreduce_hook(group, bucket)

    wrapped = nn.parallel.DistributedDataParallel(model)
    wrapped.register_comm_hook(None, hook)
    wrapped(x).sum().backward()
    return sum(sizes)


model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
whole = sent(model)
model[0].requires_grad_(False)
print(whole, sent(model))
assert (whole, sent(model)) == (9, 3)
dist.destroy_process_group()

norm = nn.BatchNorm1d(2).requires_grad_(False).eval()
converted = nn.SyncBatchNorm.convert_sync_batchnorm(norm)
print(type(converted).__name__, converted.training, converted.weight.requires_grad)
assert not converted.training
assert not converted.weight.requires_grad


# %%
# LoRA: ``Parameters which did not receive grad``, and find_unused_parameters=True
# --------------------------------------------------------------------------------
# The listed adapters get no gradient because nothing that they compute reaches the
# loss. Often they sit in the last block of a model with two streams, image and text:
# only the image is decoded, so the text branch of this block is computed for nothing.
# They would learn nothing on one GPU either; there, nobody waits for them.
#
# - ``find_unused_parameters=True`` (in the ``Trainer``: ``ddp_find_unused_parameters``)
#   looks in each step which parameters the output of the forward does not depend on,
#   and does not wait for them. The gradients of the others stay the same, and so does
#   the result; it costs time. With reentrant checkpointing there may be :doc:`another
#   error </reference/errors/expected_to_mark_a_variable_ready_only_once>`.
# - Cheaper: leave these layers out of ``target_modules`` (``exclude_modules`` in peft),
#   or freeze their adapters before the wrapping, and leave the option off.
# - If the list names layers that should learn, in the middle of the model for instance,
#   a ``detach()``, a ``no_grad()`` or a loss that is not added cuts them off: repair
#   that.
class TwoStreams(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
        self.text = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))

    def forward(self, image):
        text = image
        for for_image, for_text in zip(self.image, self.text, strict=True):
            image, text = for_image(image + text), for_text(text)
        return image


def gradients(*, freeze=(), **options):
    model = TwoStreams()
    for name in freeze:
        model.get_parameter(name).requires_grad_(False)
    wrapped = nn.parallel.DistributedDataParallel(model, **options)
    for _ in range(2):
        wrapped.zero_grad()
        wrapped(x).sum().backward()
    return {name: p.grad for name, p in model.named_parameters()}


store = dist.HashStore()
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
alone = TwoStreams()
alone(x).sum().backward()
unused = [name for name, p in alone.named_parameters() if p.grad is None]
print(unused)
assert unused == ["text.1.weight", "text.1.bias"]
with_option = gradients(find_unused_parameters=True)
left_out = gradients(freeze=unused)
for name, p in alone.named_parameters():
    if name in unused:
        assert with_option[name] is left_out[name] is None
    else:
        assert with_option[name].equal(p.grad)
        assert left_out[name].equal(p.grad)
dist.destroy_process_group()

# %%
# DeepSpeed ZeRO: layers that are unfrozen during training do not learn
# ---------------------------------------------------------------------
# As DDP does, ZeRO notes in ``deepspeed.initialize()``, and so in ``prepare()`` and in
# the ``Trainer``, what requires a gradient, and joins it into its buffers. What you
# unfreeze later, in a callback for instance, is not in them and is not updated, without
# an error. What you freeze later keeps its share of the memory, and ZeRO-1 and 2 still
# move it: for its gradient they put zeros, so momentum and weight decay go on.
#
# - Make a new engine for each stage: save the weights, freeze, and call
#   ``deepspeed.initialize()`` again, with a new optimizer of what trains.
# - Or let everything train, and give the layers in question a parameter group of their
#   own, with ``lr`` 0 as long as they rest. That costs the memory of their states.
#
# This was read, not run: `the source
# <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/zero/stage_1_and_2.py>`__
# and reports about `unfreezing
# <https://github.com/deepspeedai/DeepSpeed/issues/1767>`__ and `memory
# <https://github.com/deepspeedai/DeepSpeed/issues/5341>`__.

# %% tags=["hide-input"]
# Where it ends
# -------------
# Freezing after the wrapping works with ``find_unused_parameters=True``, as above, and
# with ``static_graph=True`` before the first iteration. After that, it raises with
# ``static_graph=True``, too. A forward under ``no_grad()`` doesn't raise.
#
# ``find_unused_parameters=True`` also hides a mistake: if ``detach()`` cuts off a layer
# that should train, no error is raised. So for a head that is never used, freeze or
# delete it before wrapping, and leave the option off.
store = dist.HashStore()
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
for iterations, expected in ((0, 3), (2, 1)):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    wrapped = nn.parallel.DistributedDataParallel(model, static_graph=True)
    for _ in range(iterations):
        wrapped(x).sum().backward()
    model[0].requires_grad_(False)
    done, message = 0, ""
    try:
        while done < 3:
            wrapped(x).sum().backward()
            done += 1
    except RuntimeError as error:
        message = str(error)
    assert done == expected
    assert ("Expected to have finished reduction" in message) == (done < 3)

model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
weight = model[0].weight
wrapped = nn.parallel.DistributedDataParallel(model)
assert wrapped.module[0].weight is weight
model[0].requires_grad_(False)
wrapped(x).sum().backward()
with torch.no_grad():
    assert not wrapped(x).requires_grad
with_all = torch.optim.SGD(model.parameters(), lr=0.1)
trainable = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model[0].requires_grad_(True)
wrapped = nn.parallel.DistributedDataParallel(model)
wrapped(x).sum().backward()
moved = []
for optimizer in (trainable, with_all):
    before = model[0].bias.clone()
    optimizer.step()
    moved.append(not model[0].bias.equal(before))
assert moved == [False, True]


class CutOff(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(2, 2), nn.Linear(2, 1)
        self.unused = nn.Linear(2, 1).requires_grad_(False)
        self.cuts = False

    def forward(self, x):
        features = self.body(x)
        return self.head(features.detach() if self.cuts else features)


for cuts, option in ((True, True), (True, False), (False, False)):
    model = CutOff()
    model.cuts = cuts
    wrapped = nn.parallel.DistributedDataParallel(model, find_unused_parameters=option)
    message = ""
    try:
        for _ in range(3):
            wrapped(x).sum().backward()
    except RuntimeError as error:
        message = str(error)
    assert ("Expected to have finished reduction" in message) == (cuts and not option)
    assert (model.body.weight.grad is None) == cuts
dist.destroy_process_group()

# %%
# Wrap again after each change of ``requires_grad``. The parameters stay the same ones,
# so you can keep an optimizer that was made with all of them. One that was made with
# the trainable ones alone lacks what you unfreeze later: add it with
# ``add_param_group()`` (:doc:`/gallery/freezing/unfreeze_gradually`).
# ``find_unused_parameters=True``, which the message recommends, costs a walk through
# the graph in each step. It pays if parameters that were trainable when you wrapped are
# left out in some steps: by a branch that not every step takes, or because
# ``requires_grad`` changes often. If every step uses all of them, :doc:`a warning
# </reference/errors/find_unused_parameters_true_was_specified_in_ddp_constructor>` says
# so. Source: :torch:`torch.nn.parallel.DistributedDataParallel`, which warns of changed
# parameters.
#
# Related: :doc:`freezing_under_fsdp`, :doc:`/gallery/freezing/unfreeze_gradually`,
# :doc:`/gallery/freezing/freeze_a_backbone`.
