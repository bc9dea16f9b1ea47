"""
``Must flatten tensors with uniform requires_grad``
===================================================

``FullyShardedDataParallel`` puts frozen and trainable parameters into one flat tensor,
which has one ``requires_grad`` for all. Pass ``use_orig_params=True``, wrap the layers
one by one, or use ``fully_shard()``, which flattens nothing.
"""

# %%
import torch
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp import ShardingStrategy

store, x = dist.HashStore(), torch.ones(1, 2)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
# for a single process on a CPU; leave these options out
one = {"sharding_strategy": ShardingStrategy.NO_SHARD, "device_id": torch.device("cpu")}
# Wrong: one flat tensor for both layers
try:
    FSDP(model, **one)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("different values were flattened")
# Right: keeps the parameters
wrapped = FSDP(model, use_orig_params=True, **one)
wrapped(x).sum().backward()
trained = [p.grad is not None for p in wrapped.parameters()]
print(trained)
assert trained == [False, False, True, True]

# %%
# One flat tensor for each layer
# ------------------------------
# A policy wraps each layer by itself. Within a layer, all parameters are frozen or all
# train, so the default works. With LoRA that is so if the adapters are layers of their
# own.
from torch.distributed.fsdp.wrap import ModuleWrapPolicy

model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
policy = ModuleWrapPolicy({torch.nn.Linear})
wrapped = FSDP(model, auto_wrap_policy=policy, **one)
wrapped(x).sum().backward()
print([p.grad is not None for p in wrapped.parameters()])
assert [p.grad is not None for p in wrapped.parameters()] == [False, True]

# %%
# Sharding with fully_shard()
# ---------------------------
# The second version of FSDP keeps each parameter, so a group can hold both kinds. It
# needs no GPU (:since:`2.9`).
from torch.distributed.fsdp import fully_shard

model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
fully_shard(model, mesh=dist.init_device_mesh("cpu", (1,)))
model(x).sum().backward()
print([p.grad is not None for p in model.parameters()])
trained = [p.grad is not None for p in model.parameters()]
assert trained == [False, False, True, True]
dist.destroy_process_group()

# %%
# PyTorch 2.0 says ```FlatParameter` requires uniform `requires_grad``` (quoted from an
# `issue <https://github.com/pytorch/pytorch/issues/104690>`__, not run); there,
# ``use_orig_params=True`` does not help.
#
# Read on: :doc:`/gallery/beyond/freezing_under_fsdp`.
