"""
FSDP2: freeze single layers, and make the optimizer after fully_shard()
=======================================================================

``fully_shard`` replaces the parameters. An optimizer that was made before updates
nothing of the model, without an error. Frozen and trainable parameters may share a
group.
"""

# %%
# One process is enough to see it. One layer of the group is frozen.
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard

store, x = dist.HashStore(), torch.ones(1, 4)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
mesh = dist.init_device_mesh("cpu", (1,))
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
model[0].requires_grad_(False)
early = torch.optim.SGD(model.parameters(), lr=0.1)
fully_shard(model, mesh=mesh)
late = torch.optim.SGD(model.parameters(), lr=0.1)
model(x).sum().backward()
for optimizer in (early, late):
    groups = optimizer.param_groups
    print([p.grad is not None for p in groups[0]["params"]])

# %%
# The early optimizer gets no gradient: it has the old parameters. In the late one, the
# frozen layer has none and the other layer has. FSDP2 needs no GPU (:since:`2.9`; in
# 2.6, it raised an error on a CPU).
has_gradient = [
    [p.grad is not None for p in optimizer.param_groups[0]["params"]]
    for optimizer in (early, late)
]
assert has_gradient == [[False] * 4, [False, False, True, True]]

# %% tags=["hide-input"]
# Two processes, from one script
# ------------------------------
# As in :doc:`freezing_under_ddp`: each process gets the source of one function.
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Each process runs the lines that it reads. The last line of an answer is "end".
LOOP = """
import faulthandler, os, sys, traceback
faulthandler.dump_traceback_later(120, exit=True)
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
        [sys.executable, "-c", LOOP],
        env=os.environ | {"RANK": rank, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    for rank in "01"
]


# Run a function in two processes, and return what the first one prints.
def run(worker):
    address = Path(folder.name, worker.__name__).as_uri()
    code = f"os.environ['MEET'] = {address!r}\n"
    code += f"{inspect.getsource(worker)}\n{worker.__name__}()"
    for process in processes:
        process.stdin.write(f"{code!a}\n")
        process.stdin.flush()
    said = [], []
    for process, lines in zip(processes, said, strict=True):
        while (line := process.stdout.readline()) not in {"end\n", ""}:
            lines.append(line.rstrip())
    return [line for line in said[0] if line and not line.startswith("[Gloo]")]


# %%
# May I unfreeze after the sharding?
# ----------------------------------
# In one group, a layer is frozen before the sharding and thawed after it. Then two
# optimizers make a step, one from before the sharding, one from after it. The last line
# is for the first version of FSDP, with the same model.
def train():
    import os

    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

    rank = int(os.environ["RANK"])
    dist.init_process_group(
        "gloo", init_method=os.environ["MEET"], rank=rank, world_size=2
    )
    batch = torch.full((2, 4), rank + 1.0)

    def half_frozen():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
        model[0].requires_grad_(False)
        return model

    model = half_frozen()
    early = torch.optim.SGD(model.parameters(), lr=0.1)
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    model(batch).sum().backward()
    first, second = (layer.weight for layer in model)
    print("frozen:", first.grad, type(second.grad).__name__)

    model.zero_grad()
    first.requires_grad_(True)
    model(batch).sum().backward()
    mean = torch.full((4, 4), 0.0)
    for own in (1.0, 2.0):
        full = half_frozen().requires_grad_(True)
        full(torch.full((2, 4), own)).sum().backward()
        mean += full[0].weight.grad / 2
    print("thawed:", torch.allclose(first.grad.full_tensor(), mean))

    old = first.detach().full_tensor().clone()
    for optimizer in (early, torch.optim.SGD(model.parameters(), lr=0.1)):
        optimizer.step()
        name = "early" if optimizer is early else "late"
        print(f"{name} optimizer moves:", not torch.equal(first.full_tensor(), old))

    try:
        FullyShardedDataParallel(half_frozen(), device_id=torch.device("cpu"))
    except ValueError as error:
        print(f"{type(error).__name__}: {error}")
    model = FullyShardedDataParallel(
        half_frozen(), use_orig_params=True, device_id=torch.device("cpu")
    )
    model(batch).sum().backward()
    print("use_orig_params:", [p.requires_grad for p in model.parameters()])
    head = torch.nn.Sequential(half_frozen()[0], torch.nn.Linear(4, 1))
    flat = FullyShardedDataParallel(
        head, use_orig_params=True, device_id=torch.device("cpu")
    )
    flat(batch).sum().backward()
    grads = [p.grad for p in flat.parameters() if p.grad is not None]
    held = [grad.untyped_storage().nbytes() // grad.element_size() for grad in grads]
    every = [None, None]
    dist.all_gather_object(every, (sum(grad.numel() for grad in grads), held))
    print("elements that train, that are held:", *every[1])
    dist.barrier()
    dist.destroy_process_group()


lines = run(train)
print(*lines, sep="\n")

# %%
# Each parameter is a ``DTensor``, of which each process holds a part. The frozen one
# has no gradient. Thawed after the sharding, it gets the mean over both processes,
# unlike under DDP.
#
# The optimizer that was made before the sharding has the old parameters. They get no
# gradient any more, so it updates nothing of the model, without an error.
#
# The first version flattens a whole group into one tensor, which has one
# ``requires_grad`` for all, unless it is told to keep the original parameters. The
# gradient stays flat, too: of the 13 elements that the second process holds, only 5
# belong to the layer that trains. The others are for frozen parameters and padding.
assert lines[:2] == ["frozen: None DTensor", "thawed: True"]
assert lines[2:4] == ["early optimizer moves: False", "late optimizer moves: True"]
assert "Must flatten tensors with uniform `requires_grad`" in lines[4]
assert lines[5] == "use_orig_params: [False, False, True, True]"
assert lines[6] == "elements that train, that are held: 5 [13, 13]"

# %%
# got mixed torch.Tensor and DTensor: ``model.generate()``, LoRA, GRPO, clipping
# ------------------------------------------------------------------------------
# FSDP2 gathers the weights of a unit for its ``forward()`` and its backward. Elsewhere
# they are shards (``DTensor``), and together with a plain tensor they raise this error.
# (Those of the root stay whole after a forward, until its backward, so that the same
# line may work there.) The cure depends on the line that raises:
#
# - *A method other than the call of the model:* ``model.generate()`` in GRPO or in an
#   evaluation, ``model.encode(x)``, ``model.forward(x)``. Name it after the sharding:
#   ``register_fsdp_forward_method(model, "generate")``. All ranks must generate equally
#   many tokens (``synced_gpus=True`` in transformers). The ``Trainer`` of transformers
#   5.23 names ``generate`` itself, which it did not at the time of `a report for TRL
#   with LoRA <https://github.com/huggingface/trl/issues/4550>`__ (read, not run):
#   upgrade.
# - *A part of a unit,* such as ``model.base_model(x)``: shard it as a unit of its own.
# - *clip_grad_norm_() or an optimizer with foreach=True:* some parameters are not
#   sharded. LoRA that is added after ``fully_shard()`` trains, but its gradient stays
#   in its process and is not averaged, without an error. Add adapters, freeze, shard,
#   and then make the optimizer.
# - *A mask for the gradient, or your own change of a weight:* take the part,
#   ``p.grad.to_local()``, or the whole, ``p.grad.full_tensor()``.
# - *backward() with activation checkpointing,* after several forwards as in DPO, with a
#   smaller unit inside the checkpoint: 2.10 raises, 2.11 does not (run apart; `the fix
#   <https://github.com/pytorch/pytorch/pull/171779>`__). Upgrade PyTorch.
from torch.distributed.fsdp import register_fsdp_forward_method


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.base_model = nn.Linear(4, 4).requires_grad_(False)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.base_model(x))

    def generate(self, x):
        return self.head(self.base_model(x))


def works(call):
    try:
        call()
    except RuntimeError as error:
        return str(error).split(", need")[0]
    return "works"


# Wrong: generate() is not the forward of a unit.
writer = fully_shard(Writer(), mesh=mesh)
wrong = {
    "generate": works(lambda: writer.generate(x)),
    "forward": works(lambda: writer.forward(x)),
    "base_model": works(lambda: writer.base_model(x)),
}
# After a forward, the root is whole, and the same line works by chance.
with torch.no_grad():
    writer(x)
assert works(lambda: writer.generate(x)) == "works"
# Wrong: an adapter that is added after the sharding.
writer.lora_A = nn.Linear(4, 1)
(writer(x) + writer.lora_A(x)).sum().backward()
wrong["clipping"] = works(lambda: nn.utils.clip_grad_norm_(writer.parameters(), 1.0))
print(*wrong.items(), sep="\n")
for text in wrong.values():
    assert text.endswith("got mixed torch.Tensor and DTensor")
# Right: generate() is named. The part is a unit. The adapter comes first.
writer = Writer()
writer.lora_A = nn.Linear(4, 1)
fully_shard(writer.base_model, mesh=mesh)
fully_shard(writer, mesh=mesh)
register_fsdp_forward_method(writer, "generate")
right = {
    "generate": works(lambda: writer.generate(x)),
    "base_model": works(lambda: writer.base_model(x)),
}
writer(x).sum().backward()
right["clipping"] = works(lambda: nn.utils.clip_grad_norm_(writer.parameters(), 1.0))
print(right)
assert set(right.values()) == {"works"}

# %%
# Memory of LoRA: wrap what trains by itself
# ------------------------------------------
# With FSDP1 and ``use_orig_params=True``, wrap the trainable layers in units of their
# own, so that the flat gradient covers them alone. A policy does it, here for each
# trainable layer without children. For a model of peft,
# ``peft.utils.other.fsdp_auto_wrap_policy(model)`` makes one. FSDP2 needs none: a
# frozen parameter has no gradient. What LoRA saves without FSDP:
# :doc:`/gallery/cost/memory_that_freezing_saves`.
from functools import partial

from torch.distributed.fsdp import FullyShardedDataParallel, ShardingStrategy
from torch.distributed.fsdp.wrap import lambda_auto_wrap_policy

# for a single process on a CPU; leave these options out
one = {"sharding_strategy": ShardingStrategy.NO_SHARD, "device_id": torch.device("cpu")}


def trains(module):
    parameters = list(module.parameters())
    leaf = not list(module.children())
    return leaf and bool(parameters) and all(p.requires_grad for p in parameters)


def held(policy):
    model = nn.Sequential(nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 1))
    options = {"auto_wrap_policy": policy, "use_orig_params": True}
    wrapped = FullyShardedDataParallel(model, **options, **one)
    wrapped(x).sum().backward()
    storages = [p.grad.untyped_storage() for p in model[1].parameters()]
    return sum({s.data_ptr(): s.nbytes() // 4 for s in storages}.values())


# Wrong: one unit. Right: a unit for what trains.
whole, split = held(None), held(partial(lambda_auto_wrap_policy, lambda_fn=trains))
print(whole, split)
assert whole >= 25
assert split < 10


# %%
# Frozen backbone: avoid the all-gather, replicate instead of shard
# -----------------------------------------------------------------
# A frozen weight has no gradient and no state of the optimizer, so sharding saves its
# own size only. In return it is gathered in each step: in the forward, and again in the
# backward if something trains in it or before it, as with LoRA. If the model fits on
# each GPU, replicate it. The table counts the calls of ``all_gather``,
# ``reduce_scatter`` and ``all_reduce`` in one step with two units, and the elements
# that rank 0 holds, frozen and trainable. The gradient is the same in all rows.
#
# - *sharded:* the least memory, the most gathering.
# - *no reshard:* ``reshard_after_forward=False`` gathers once. From the forward to the
#   backward, all weights are whole.
# - *mesh (2, 1):* replicated over all ranks, sharded over one. Nothing is gathered, and
#   code that expects ``DTensor``, such as that of a checkpoint, stays.
# - *ignored:* ``ignored_params=`` keeps the frozen weights whole and shards what
#   trains. FSDP neither moves nor casts them: with a ``MixedPrecisionPolicy``, convert
#   them yourself, or an error about the dtype comes, such as ``mat1 and mat2 must have
#   the same dtype``. Never ignore what trains: its gradient is not averaged.
# - *DDP* reduces the gradients of what trains and gathers nothing. It is the simplest
#   choice: ``NO_SHARD`` of FSDP1 warns, with several processes, that it is deprecated,
#   and recommends DDP.
#
# If the frozen part does not fit, or much trains, shard. With several nodes, a mesh of
# the shape (nodes, GPUs of a node) gathers within a node only. In each row, LoRA is
# added and the base is frozen before the wrapping.
def replicate():
    import os

    import torch
    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor
    from torch.nn.parallel import DistributedDataParallel
    from torch.utils._python_dispatch import TorchDispatchMode

    class Calls(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            if any("DTensor" in kind.__name__ for kind in types):
                return NotImplemented
            calls.append(str(operation))
            return operation(*args, **kwargs or {})

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.base = torch.nn.Linear(8, 8).requires_grad_(False)
            self.lora = torch.nn.Linear(8, 8, bias=False)

        def forward(self, x):
            return self.base(x) + self.lora(x)

    rank = int(os.environ["RANK"])
    dist.init_process_group(
        "gloo", init_method=os.environ["MEET"], rank=rank, world_size=2
    )
    flat = dist.init_device_mesh("cpu", (2,))
    both = "replicate", "shard"
    whole = dist.init_device_mesh("cpu", (2, 1), mesh_dim_names=both)
    ways = {
        "sharded": {"mesh": flat},
        "no reshard": {"mesh": flat, "reshard_after_forward": False},
        "mesh (2, 1)": {"mesh": whole},
        "ignored": {"mesh": flat},
        "DDP": None,
    }
    for way, options in ways.items():
        torch.manual_seed(0)
        model = wrapped = torch.nn.Sequential(Block(), Block())
        if way == "ignored":
            frozen = [p for p in model.parameters() if not p.requires_grad]
            options["ignored_params"] = set(frozen)
        if options is None:
            wrapped = DistributedDataParallel(model)
        for part in (*model, model) if options else ():
            fully_shard(part, **options)
        calls = []
        with Calls():
            wrapped(torch.full((1, 8), rank + 1.0)).sum().backward()
        names = "_allgather_base_", "_reduce_scatter_base_", "allreduce_"
        sent = [sum(f"c10d.{name}." in call for call in calls) for name in names]
        held = {False: 0, True: 0}
        for p in model.parameters():
            part = p.to_local() if isinstance(p, DTensor) else p
            held[p.requires_grad] += part.numel()
        grad = model[0].lora.weight.grad
        grad = grad.full_tensor() if isinstance(grad, DTensor) else grad
        print(f"{way:12}", *sent, *held.values(), f"{grad.square().sum():.3f}")
    dist.barrier()
    del wrapped
    dist.destroy_process_group()


lines = run(replicate)
head = "gather", "scatter", "reduce", "frozen", "trains", "gradient"
print(" " * 12, *(f"{name:>8}" for name in head))
rows = {line[:12].strip(): line[12:].split() for line in lines}
for way, row in rows.items():
    print(f"{way:12}", *(f"{number:>8}" for number in row))
assert [row[0] for row in rows.values()] == ["4", "2", "0", "4", "0"]
assert rows["sharded"][3:5] == rows["no reshard"][3:5] == ["72", "64"]
assert rows["mesh (2, 1)"][3:5] == rows["DDP"][3:5] == ["144", "128"]
assert rows["ignored"][3:5] == ["144", "64"]
assert len({row[5] for row in rows.values()}) == 1

# %%
# Warning: has both parameters with requires_grad=True and False
# --------------------------------------------------------------
# With a ``ModuleWrapPolicy`` or a ``CustomPolicy``, FSDP1 warns of each unit that has
# frozen and trainable parameters, such as each block of a model with LoRA: ``We do not
# recommend wrapping such modules since the gradient memory usage will be higher than
# expected``. The training is right, and its gradients take more memory. Wrap what
# trains as well, and the warning ends.
import warnings

from torch.distributed.fsdp.wrap import CustomPolicy, ModuleWrapPolicy


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.base = nn.Linear(4, 4).requires_grad_(False)
        self.adapter = nn.Linear(4, 4)


# Wrong: blocks alone. Right: what trains inside a block is a unit, too.
blocks = ModuleWrapPolicy({Block})
both = CustomPolicy(lambda module: isinstance(module, Block) or trains(module))
counts = []
for policy in (blocks, both):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = nn.Sequential(Block(), Block())
        options = {"auto_wrap_policy": policy, "use_orig_params": True}
        FullyShardedDataParallel(model, **options, **one)
    texts = [str(warning.message).splitlines()[0] for warning in caught]
    texts = [text for text in texts if "has both parameters" in text]
    counts.append(len(texts))
    print(texts[:1])
assert counts == [2, 0]


# %%
# Linear evaluation: a unit that is frozen as a whole
# ---------------------------------------------------
# Only a head trains on a frozen trunk, and the trunk has units of its own, in which
# nothing trains. FSDP1 and FSDP2 of PyTorch allow that. FairScale (not run) failed with
# ``expected to be in states [<TrainingState.BACKWARD_POST: 4>] but current state is
# TrainingState.IDLE`` before `a correction of 2021
# <https://github.com/facebookresearch/fairscale/pull/614>`__: use FSDP of PyTorch.
# ``ignored_params=`` of ``fully_shard()`` leaves a frozen part whole.
def trunk_and_head():
    trunk = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).requires_grad_(False)
    return nn.Sequential(trunk, nn.Linear(4, 1))


layers = ModuleWrapPolicy({nn.Linear, nn.Sequential})
first = FullyShardedDataParallel(trunk_and_head(), auto_wrap_policy=layers, **one)
second = trunk_and_head()
for part in (*second[0], second[0], second):
    fully_shard(part, mesh=mesh)
for model in (first, second):
    for _ in range(2):
        model.zero_grad()
        model(x).sum().backward()
    trained = [p.grad is not None for p in model.parameters()]
    print(trained)
    assert any(trained)
    assert trained == [p.requires_grad for p in model.parameters()]

# %%
# LoRA under FSDP1: uniform dtype, and a loss of NaN
# --------------------------------------------------
# A frozen base in ``bfloat16`` and adapters in ``float32`` cannot share a unit of
# FSDP1: it raises ``Must flatten tensors with uniform dtype``. Convert both to
# ``float32`` before the wrapping, and let ``MixedPrecision`` compute in ``bfloat16``.
# Or, to save memory, give the adapters units of their own, as above. FSDP2 needs
# neither.
#
# If LoRA learns under DDP and the loss is NaN under FSDP, try one dtype as well: the
# trainer of LTX-2 converts the base to ``float32`` since `such a report
# <https://github.com/Lightricks/LTX-2/issues/114>`__ (read, not run; the cause of the
# NaN is not named there). ``use_orig_params=False`` is no cure: a unit must then be
# frozen or trainable as a whole.
from torch.distributed.fsdp import MixedPrecision


class Adapted(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.base = nn.Linear(4, 1, dtype=dtype).requires_grad_(False)
        self.adapter = nn.Linear(4, 1)

    def forward(self, x):
        return self.base(x.bfloat16()) + self.adapter(x)


def wrap(dtype, **options):
    half = MixedPrecision(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    return FullyShardedDataParallel(
        Adapted(dtype), mixed_precision=half, **options, **one
    )


# Wrong: two dtypes in one unit, or no original parameters.
messages = []
for dtype, keeps in ((torch.bfloat16, True), (torch.float32, False)):
    try:
        wrap(dtype, use_orig_params=keeps)
    except ValueError as error:
        messages.append(str(error))
print(*messages, sep="\n")
assert messages[0].startswith("Must flatten tensors with uniform dtype")
assert messages[1].startswith("Must flatten tensors with uniform `requires_grad`")
# Right: one dtype, or a unit for what trains.
apart = partial(lambda_auto_wrap_policy, lambda_fn=trains)
for dtype, policy in ((torch.float32, None), (torch.bfloat16, apart)):
    model = wrap(dtype, use_orig_params=True, auto_wrap_policy=policy)
    model(x).sum().backward()
    grads = [p.grad.dtype for p in model.parameters() if p.grad is not None]
    print(grads)
    assert grads == [torch.float32] * 2

# %%
# Unfrozen under mixed precision: the gradient is in bfloat16
# -----------------------------------------------------------
# FSDP2 notes the dtypes of a group at its first forward, from the parameters that train
# then. If all are frozen, in an early evaluation or before a gradual unfreezing, it
# notes none. After you unfreeze the group, its gradients stay in ``bfloat16``, and
# before PyTorch 2.14 ``backward()`` raises ``attempting to assign a gradient with dtype
# 'c10::BFloat16' to a tensor with grad_dtype 'Float'``. Make the first forward while
# all parameters are trainable, under ``no_grad()`` if you like, call
# ``model.reshard()``, and then freeze.
from torch.distributed.fsdp import MixedPrecisionPolicy

precise = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)


def unfrozen(trains):
    model = fully_shard(nn.Linear(4, 1), mesh=mesh, mp_policy=precise)
    model.requires_grad_(trains)
    with torch.no_grad():
        model(x)
    model.reshard()
    model.requires_grad_(False)
    model(x)
    model.reshard()
    model.requires_grad_(True)
    try:
        model(x).sum().backward()
    except RuntimeError as error:
        return str(error).split(". ")[0]
    return model.weight.grad.dtype


# Wrong: frozen in the first forward. Right: frozen after it.
wrong, right = unfrozen(False), unfrozen(True)
print(wrong)
print(right)
if torch.__version__ < "2.14":
    assert wrong.startswith("attempting to assign a gradient with dtype")
else:
    assert wrong == torch.float32
assert right == torch.float32

# %%
# One trainable layer in the group is enough. ``parameter.grad_dtype = None`` only hides
# the error, and the gradients of all processes are still added in ``bfloat16``. So are
# those of weights in ``bfloat16``, without an error. `PyTorch 2.14
# <https://github.com/pytorch/pytorch/pull/187376>`__ takes the dtypes of the frozen
# parameters if none trains.

# %%
# With FSDP2, a frozen base in bfloat16 took twice the memory in Accelerate: it
# converted the whole model to float32, and with FSDP1 only what trains. Print the
# dtypes after ``prepare()``, and upgrade: with `a fix of 2025
# <https://github.com/huggingface/accelerate/pull/3848>`__ it converts only what trains
# (read, not run).

# %% tags=["hide-input"]
# One group of two layers, in two processes: each holds one half of the frozen layer
# (hatched) and one half of the trainable one.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
frozen, trained = {"ec": "C1", "hatch": "//////"}, {"ec": "C0"}
for rank in range(2):
    for layer, look in enumerate((frozen, trained)):
        ax.bar(layer, 0.45, bottom=rank * 0.5, width=0.7, fc="none", lw=2, **look)
ax.set_xticks([0, 1], ["layer 0", "layer 1"])
ax.set_yticks([0.22, 0.72], ["rank 0", "rank 1"])
ax.tick_params(length=0)
ax.set_frame_on(False)
plt.show()


# %%
# An empty parameter: ``shape [0]``, ``tensor([])``, ``grad`` None
# ----------------------------------------------------------------
# A process that holds no part of a parameter shows it empty, with no gradient, although
# it trains. Ask for the whole parameter, in all processes alike:
#
# - FSDP2: ``parameter.full_tensor()`` and ``parameter.grad.full_tensor()``;
#   ``to_local()`` is the part. The parameter itself shows the full shape.
# - FSDP1 with ``use_orig_params=True``: the block
#   ``with FullyShardedDataParallel.summon_full_params(model, with_grads=True):``.
# - DeepSpeed ZeRO-3, not run: ``with deepspeed.zero.GatheredParameters(parameter):``
#   for the value, ``deepspeed.utils.safe_get_full_grad(parameter)`` for the gradient.
#   Outside, the shape is ``[0]`` and ``.grad`` is None in each process; ``ds_numel`` is
#   the size (`DeepSpeed about ZeRO
#   <https://deepspeed.readthedocs.io/en/latest/zero3.html>`__). To train some rows,
#   make them a parameter of their own before ``deepspeed.initialize()``.
#
# If the whole gradient is None as well, look for ``no_grad()``, ``detach()`` or a
# frozen parameter, as without sharding.
def look():
    import os

    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

    rank = int(os.environ["RANK"])
    dist.init_process_group(
        "gloo", init_method=os.environ["MEET"], rank=rank, world_size=2
    )
    x = torch.ones(1, 4)

    def each(*found):
        every = [None, None]
        dist.all_gather_object(every, found)
        return every

    layer = fully_shard(torch.nn.Linear(4, 1), mesh=init_device_mesh("cpu", (2,)))
    layer(x).sum().backward()
    bias, grad = layer.bias, layer.bias.grad
    print(tuple(bias.shape), *each(bias.to_local().numel(), grad.to_local().numel()))
    print("full_tensor:", *each(bias.full_tensor().numel(), grad.full_tensor().item()))

    layer = FullyShardedDataParallel(
        torch.nn.Linear(4, 1), use_orig_params=True, device_id=torch.device("cpu")
    )
    layer(x).sum().backward()
    print(*each(layer.bias.numel(), layer.bias.grad is None))
    with FullyShardedDataParallel.summon_full_params(layer, with_grads=True):
        print("summon:", *each(layer.bias.numel(), layer.bias.grad.item()))
    dist.barrier()
    dist.destroy_process_group()


lines = run(look)
print(*lines, sep="\n")
assert lines[0] == "(1,) (1, 1) (0, 0)"
assert lines[1] == "full_tensor: (1, 1.0) (1, 1.0)"
assert lines[2] == "(0, True) (1, False)"
assert lines[3] == "summon: (1, 1.0) (1, 1.0)"


# %%
# weight should have at least three dimensions, 'weight' must be 2-D
# ------------------------------------------------------------------
# A convolution or an embedding got such an empty or flat weight: its parameter was
# sharded and not gathered. Freezing does not exempt a vision tower, a text encoder or a
# reference model from sharding.
#
# - *FSDP:* the ``forward()`` of a unit gathers its weights. If you call a part of it,
#   or another method such as ``model.encode(x)``, the weights are still shards. Shard
#   that part as a unit of its own. FSDP2 raises ``got mixed torch.Tensor and DTensor``
#   in its place (see that section above).
# - *DeepSpeed ZeRO-3:* after ``TrainingArguments`` or ``Accelerator`` has read its
#   configuration, ``from_pretrained()`` shards each model that it loads. Only the
#   modules of the model that you give to DeepSpeed are gathered, and only after
#   ``deepspeed.initialize()``. Make the frozen tower a submodule of that model, and
#   call it from its ``forward()``. Or load the tower inside
#   ``zero3_init_context_manager(enable=False)`` of
#   ``accelerator.state.deepspeed_plugin``, as `a script of diffusers
#   <https://github.com/huggingface/diffusers/blob/main/examples/text_to_image/train_text_to_image.py>`__
#   does. Or use ZeRO-2. For a single call, ``deepspeed.zero.GatheredParameters()``
#   gathers the weights. This was read, not run: reports for `LLaVA
#   <https://github.com/haotian-liu/LLaVA/issues/381>`__ and `diffusers
#   <https://github.com/huggingface/diffusers/issues/989>`__.
empty = torch.empty(0)
calls = {
    "Conv2d": lambda: nn.functional.conv2d(torch.ones(1, 3, 2, 2), empty),
    "Embedding": lambda: nn.functional.embedding(torch.tensor([0]), empty),
}
messages = []
for name, call in calls.items():
    try:
        call()
    except RuntimeError as error:
        messages.append(str(error))
        print(f"{name:10}{error}")
assert messages[0] == "weight should have at least three dimensions"
assert messages[1] == "'weight' must be 2-D"


# %% tags=["hide-input"]
# Where it ends
# -------------
# - After a forward without a backward, such as a validation, the parameters of the root
#   are whole tensors, which replace the sharded ones temporarily. A change that you
#   make then is lost: an unfrozen layer trains for one step, and an optimizer that is
#   made then updates nothing of it. Call ``model.reshard()`` first.
# - Between the forward and the backward, unfreezing comes too late.
# - In FSDP2, parameters of one group that train must have one dtype. A frozen layer in
#   ``bfloat16`` beside a trainable one in ``float32`` is allowed. If both train, the
#   forward raises.
def sharded():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    model[0].requires_grad_(False)
    return fully_shard(model, mesh=mesh)


for reshards in (False, True):
    model = sharded()
    with torch.no_grad():
        model(x)
    if reshards:
        model.reshard()
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trained = []
    for _ in range(2):
        model(x).sum().backward()
        trained.append(model[0].weight.grad is not None)
        model.zero_grad()
    held = [type(p).__name__ for p in optimizer.param_groups[0]["params"]]
    assert trained == [True, reshards]
    assert held == (["DTensor"] if reshards else ["Parameter"]) * 4

model = sharded()
loss = model(x).sum()
model.requires_grad_(True)
loss.backward()
assert model[0].weight.grad is None


class Mixed(nn.Sequential):
    def forward(self, x):
        return self[1](self[0](x.bfloat16()).float())


for trains in (False, True):
    model = Mixed(nn.Linear(4, 4, dtype=torch.bfloat16), nn.Linear(4, 1))
    model[0].requires_grad_(trains)
    fully_shard(model, mesh=mesh)
    message = ""
    try:
        model(x).sum().backward()
    except AssertionError as error:
        message = str(error)
    assert ("uniform original parameter dtype" in message) == trains
    assert (model[1].weight.grad is None) == trains
dist.destroy_process_group()
for process in processes:
    process.stdin.close()
    assert process.wait() == 0
folder.cleanup()

# %%
# Shard first, then make the optimizer. Change ``requires_grad`` after a backward, in
# all processes alike. Source: :torch:`torch.distributed.fsdp.fully_shard
# <distributed.fsdp.fully_shard.html>`.
#
# Related: :doc:`freezing_under_ddp`, :doc:`distributed_checkpoint`,
# :doc:`/gallery/freezing/unfreeze_gradually`, :doc:`/gallery/recipes/lora_by_hand`.
