"""
``DistributedDataParallel is not needed when a module doesn't have any parameter``
==================================================================================

All parameters were frozen when ``DistributedDataParallel`` got the model, so there are
no gradients to average. Use the model without it. If a part should train, unfreeze this
part before you wrap.
"""

# %%
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP

store, x = dist.HashStore(), torch.ones(1, 2)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
teacher = torch.nn.Linear(2, 1).requires_grad_(False)

# Wrong: wraps a model that does not train
try:
    DDP(teacher)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a frozen model was wrapped")

# Right: calls the model itself
print(teacher(x).shape)

# %%
# A part that should train
# ------------------------
# DDP decides when it wraps the model. A layer that you unfreeze afterwards would not be
# averaged, so unfreeze first.
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model.requires_grad_(False)

# Wrong: wraps before anything trains
try:
    DDP(model)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a frozen model was wrapped")
assert message.startswith("DistributedDataParallel is not needed")

# Right: unfreezes, then wraps
model[1].requires_grad_(True)
wrapped = DDP(model)
wrapped(x).sum().backward()
print(model[0].weight.grad, model[1].weight.grad is not None)
assert model[0].weight.grad is None
assert model[1].weight.grad is not None
dist.destroy_process_group()

# %%
# Read on: :doc:`/gallery/beyond/freezing_under_ddp`.
