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
# train, so the default works.
from torch.distributed.fsdp.wrap import ModuleWrapPolicy

model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
policy = ModuleWrapPolicy({torch.nn.Linear})
wrapped = FSDP(model, auto_wrap_policy=policy, **one)
wrapped(x).sum().backward()
print([p.grad is not None for p in wrapped.parameters()])
assert [p.grad is not None for p in wrapped.parameters()] == [False, True]

# %%
# LoRA: give the policy ``nn.Linear``, not the block and not the LoRA layer
# -------------------------------------------------------------------------
# A LoRA layer holds the frozen ``base_layer`` and the trainable ``lora_A`` and
# ``lora_B``, so it is mixed, and so is each block that contains it. With a policy for
# one of these types the error is ``... has both parameters with requires_grad=True and
# False. FSDP does not support wrapping such modules when use_orig_params=False``. The
# three parts inside are ``nn.Linear``, also in peft, and each is of one kind. So name
# this type in the policy, or call ``peft.utils.other.fsdp_auto_wrap_policy(model)``. It
# saves memory, too: :doc:`/gallery/beyond/freezing_under_fsdp`, section "Memory of
# LoRA". What is left for the outermost unit has to be of one kind as well: freeze the
# embedding and the norms, or wrap them.


class LoRALinear(torch.nn.Module):
    def __init__(self, base_layer):
        super().__init__()
        self.base_layer = base_layer.requires_grad_(False)
        self.lora_A = torch.nn.Linear(2, 1, bias=False)
        self.lora_B = torch.nn.Linear(1, 2, bias=False)

    def forward(self, x):
        return self.base_layer(x) + self.lora_B(self.lora_A(x))


def with_lora():
    return torch.nn.Sequential(*(LoRALinear(torch.nn.Linear(2, 2)) for _ in range(2)))


# Wrong: each LoRA layer is one unit.
try:
    FSDP(with_lora(), auto_wrap_policy=ModuleWrapPolicy({LoRALinear}), **one)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("a mixed unit was flattened")
assert "FSDP does not support wrapping such modules" in message
# Right: its three parts are units.
wrapped = FSDP(with_lora(), auto_wrap_policy=policy, **one)
wrapped(x).sum().backward()
print(trained := [p.grad is not None for p in wrapped.parameters()])
assert trained == 2 * [False, True, True]

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
# fairscale: ``AssertionError: expects all parameters to have same requires_grad``
# ---------------------------------------------------------------------------------
# The same cause in the older library, whose FSDP has no ``use_orig_params``. Wrap the
# frozen part in an FSDP of its own, then the whole: what is wrapped already is left out
# of the outer flat tensor. Or pass ``flatten_parameters=False`` (read in `its source
# <https://github.com/facebookresearch/fairscale/blob/main/fairscale/nn/data_parallel/fully_sharded_data_parallel.py>`__,
# not run). For new code, take the FSDP of PyTorch.
#
# FSDP takes the place of ``DistributedDataParallel``: don't wrap one in the other, as
# in `the question <https://github.com/facebookresearch/fairscale/issues/1047>`__. DDP
# keeps whole parameters and averages whole gradients, and FSDP splits both.

# %%
# PyTorch 2.0 says ```FlatParameter` requires uniform `requires_grad``` (quoted from an
# `issue <https://github.com/pytorch/pytorch/issues/104690>`__, not run); there,
# ``use_orig_params=True`` does not help.
#
# Read on: :doc:`/gallery/beyond/freezing_under_fsdp`.
