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
# ``Missing optimizer state for parameter … in checkpoint``
# ---------------------------------------------------------
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


# Run a function in two processes, and return what the first one prints.
def run(worker):
    code = "import faulthandler, os, sys\n"
    code += "faulthandler.dump_traceback_later(50, exit=True)\n"
    code += f"{inspect.getsource(worker)}\n{worker.__name__}()\n"
    code += "sys.stdout.flush()\nos._exit(0)"
    with tempfile.TemporaryDirectory() as folder:
        settings = {"MEET": Path(folder, "meet").as_uri(), "OMP_NUM_THREADS": "1"}
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                env=os.environ | settings | {"RANK": rank},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
            for rank in "01"
        ]
        said = [process.communicate()[0] for process in processes]
    return [line for line in said[0].splitlines() if not line.startswith("[Gloo]")]


# %%
# FSDP2: the saved LoRA weights are empty, or only a part
# -------------------------------------------------------
# Let *all* processes call ``get_model_state_dict()`` with ``full_state_dict=True`` and
# ``cpu_offload=True``. It gathers the whole tensors, and only rank 0 gets them: in the
# others the dictionary is empty. Then rank 0 picks the adapters by their names and
# saves. With peft, that is ``get_peft_model_state_dict(model, state_dict=full)``, or
# ``model.save_pretrained(folder, state_dict=full)``. In Accelerate,
# ``accelerator.get_state_dict(model)`` makes this call.
#
# - *Not by* ``requires_grad``. ``ignore_frozen_params=True`` leaves out what is frozen
#   at this moment. If you set it for the saving by a pattern that matches no name of
#   this model (``lora_A.weight`` in place of ``lora_A.default.weight``), the result is
#   empty, without an error.
# - ``model.state_dict()`` alone has ``DTensor`` values, and each process would write
#   its own part.
# - Accelerate with ``FULL_STATE_DICT`` saved only the part of rank 0 in a checkpoint of
#   adapters, and resuming lost the rest. Upgrade: `a fix of 2026
#   <https://github.com/huggingface/accelerate/pull/4206>`__ (read, not run).
def save():
    import os

    import torch
    import torch.distributed as dist
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_model_state_dict,
    )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    rank = int(os.environ["RANK"])
    dist.init_process_group(
        "gloo", init_method=os.environ["MEET"], rank=rank, world_size=2
    )
    model = torch.nn.Linear(4, 4).requires_grad_(False)
    model.lora_A = torch.nn.Linear(4, 2, bias=False)
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))

    def show(name, state):
        every = [None, None]
        shapes = {key: tuple(value.shape) for key, value in state.items()}
        dist.all_gather_object(every, shapes)
        print(f"{name:12}", *every)

    options = {"full_state_dict": True, "cpu_offload": True}
    full = get_model_state_dict(model, options=StateDictOptions(**options))
    show("right", {key: full[key] for key in full if "lora_" in key})

    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_A.default" in name)
    options["ignore_frozen_params"] = True
    show("no match", get_model_state_dict(model, options=StateDictOptions(**options)))

    part = model.state_dict()["lora_A.weight"]
    show("state_dict()", {type(part).__name__: part.to_local()})
    dist.barrier()
    dist.destroy_process_group()


lines = run(save)
print(*lines, sep="\n")
assert lines[0] == "right        {'lora_A.weight': (2, 4)} {}"
assert lines[1] == "no match     {} {}"
assert lines[2] == "state_dict() {'DTensor': (1, 4)} {'DTensor': (1, 4)}"

# %%
# Where it ends
# -------------
# - Save after ``step()`` and ``zero_grad()``. If a gradient is there and no step was
#   made, ``get_optimizer_state_dict()`` has no state. `Reported for PyTorch
#   <https://github.com/pytorch/pytorch/issues/192202>`__, and so in 2.15.
# - ``optimizer.load_state_dict()`` of an unsharded model does not look at
#   ``requires_grad``.
# - More about what is frozen under FSDP: :doc:`freezing_under_fsdp`.
model, optimizer = adam(frozen=False)
model(torch.ones(1, 4)).sum().backward()
optimizer.step()
state = optimizer.state_dict()
model, optimizer = adam(frozen=True)
optimizer.load_state_dict(state)
print([bool(optimizer.state[p]) for p in model.parameters()])
assert all(optimizer.state[p] for p in model.parameters())
dist.destroy_process_group()
