"""
Distributed checkpoint: the optimizer state of frozen parameters is lost after loading
======================================================================================

Set ``requires_grad`` as it was when you saved, load, and only then freeze or unfreeze.
``set_optimizer_state_dict()`` leaves out what is frozen, without an error.
"""

# %%
import torch
from torch import nn
from torch.distributed.checkpoint import state_dict as dcp


def adam(*, frozen):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    model[0].requires_grad_(not frozen)
    return model, torch.optim.Adam(model.parameters())


model, optimizer = adam(frozen=False)
model(torch.ones(1, 4)).sum().backward()
optimizer.step()
optimizer.zero_grad()
state = dcp.get_optimizer_state_dict(model, optimizer)
for frozen_before in (True, False):  # the first is wrong, the second is right
    model, optimizer = adam(frozen=frozen_before)
    dcp.set_optimizer_state_dict(model, optimizer, state)
    model[0].requires_grad_(False)
    kept = [bool(optimizer.state[p]) for p in model.parameters()]
    print(kept)
    assert all(kept) != frozen_before

# %%
# In the wrong way, the first layer has lost its averages of Adam. It starts without
# them when you unfreeze it.
#
# Missing optimizer state for parameter in checkpoint
# ---------------------------------------------------
# A parameter that was frozen in the old run and trains in the new one raises this
# error. ``dcp.load()`` from a file says ``Missing key in checkpoint state_dict:
# optim.state.0.weight.step`` (run apart). Load it frozen, and unfreeze it then. With
# ``StateDictOptions(strict=False)``, what is there is loaded.
#
# Here with ``fully_shard``: it is the same with and without sharding.
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard

store = dist.HashStore()
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
mesh = dist.init_device_mesh("cpu", (1,))


def sharded(*, frozen):
    model, _ = adam(frozen=frozen)
    fully_shard(model, mesh=mesh)
    return model, torch.optim.Adam(model.parameters())


def saved(*, frozen):
    model, optimizer = sharded(frozen=frozen)
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return dcp.get_optimizer_state_dict(model, optimizer)


def loaded(state, *, frozen, freeze=None, **options):
    model, optimizer = sharded(frozen=frozen)
    options = dcp.StateDictOptions(**options)
    try:
        dcp.set_optimizer_state_dict(model, optimizer, state, options=options)
    except RuntimeError as error:
        return str(error).split(". ")[0]
    if freeze is not None:
        model[0].requires_grad_(not freeze)
    return [bool(optimizer.state[p]) for p in model.parameters()]


all_trained, one_frozen = saved(frozen=False), saved(frozen=True)
# Wrong: frozen or unfrozen before the loading.
wrong = loaded(all_trained, frozen=True), loaded(one_frozen, frozen=False)
# Right: as in the saved run, and changed after the loading.
right = loaded(all_trained, frozen=False, freeze=True)
print(*wrong, right, sep="\n")
assert wrong[0] == [False, False, True, True]
assert wrong[1].startswith("Missing optimizer state for parameter '0.weight'")
assert right == [True] * 4
assert loaded(one_frozen, frozen=True, freeze=False) == [False, False, True, True]
assert loaded(one_frozen, frozen=False, strict=False) == [False, False, True, True]

# %%
# Where it ends
# -------------
# - Save after ``step()`` and ``zero_grad()``. If a gradient is there and no step was
#   made, ``get_optimizer_state_dict()`` has no state. `Reported for PyTorch
#   <https://github.com/pytorch/pytorch/issues/192202>`__, and so in 2.15.
# - ``optimizer.load_state_dict()`` of an unsharded model does not look at
#   ``requires_grad``.
# - To save the weights of adapters under FSDP2, see :doc:`freezing_under_fsdp`.
model, optimizer = adam(frozen=False)
model(torch.ones(1, 4)).sum().backward()
optimizer.step()
state = optimizer.state_dict()
model, optimizer = adam(frozen=True)
optimizer.load_state_dict(state)
print([bool(optimizer.state[p]) for p in model.parameters()])
assert all(optimizer.state[p] for p in model.parameters())
dist.destroy_process_group()
