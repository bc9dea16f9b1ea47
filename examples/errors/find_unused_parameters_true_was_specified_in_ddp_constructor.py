"""
``find_unused_parameters=True was specified in DDP constructor``
================================================================

Training is right, it is only slower than it could be: a step used every trainable
parameter, so the search for unused ones was for nothing. Leave out the option, unless
some other step leaves out a parameter that requires a gradient.
"""

# %% tags=["hide-input"]
# DDP writes this warning from C++ to the standard error stream, once in a process.
# Here PyTorch is told to give it each time, and the stream is read.
import gc
import os
import re
import tempfile

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP


def steps(used, frozen=False, **options):
    """Train in steps that use both branches or one; return whether it failed."""

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x, both=True):
            return self.first(x) + self.second(x) if both else self.first(x)

    model = Branches()
    model.second.requires_grad_(not frozen)
    wrapped, message = DDP(model, **options), ""
    try:
        for both in used:
            wrapped(torch.ones(1, 2), both).sum().backward()
    except RuntimeError as error:
        message = str(error)
    return message.startswith("Expected to have finished reduction")


def warning_of(*calls):
    """Run calls in a process group; return their warning or None, and the results."""
    always, stream = torch.is_warn_always_enabled(), os.dup(2)
    store = dist.HashStore()
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    torch.set_warn_always(True)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            results = [eval(call) for call in calls]  # noqa: S307
            gc.collect()  # a DDP that outlives its group may hang when it is freed
            dist.barrier()
        finally:
            os.dup2(stream, 2)
            os.close(stream)
            torch.set_warn_always(always)
            dist.destroy_process_group()
        file.seek(0)
        written = file.read().decode()
    found = re.search(r"Warning: (find_unused.*?)(?: \(function.*)?\n", written)
    return found and f"UserWarning: {found[1]}", str(results)


# %%
# Wrong: every step uses all parameters.
warning, _ = warning_of("steps([True] * 2, find_unused_parameters=True)")
print(warning)
# Right: without the option. A branch that is frozen before the wrapping is fine.
some = "steps([False, True, True]"
right, failed = warning_of(
    "steps([True] * 2)", "steps([True] * 2, frozen=True)", f"{some})"
)
print(right)
assert "did not find any unused parameters" in warning
assert right is None

# %%
# Where is it set?
# ----------------
# - PyTorch: in ``DistributedDataParallel(…)``. The default is False.
# - Trainer of transformers: ``TrainingArguments(ddp_find_unused_parameters=False)``.
#   Without it, the ``Trainer`` of transformers 5 passes True, unless the model is one
#   of transformers and uses gradient checkpointing.
# - Accelerate: a ``DistributedDataParallelKwargs`` in ``kwargs_handlers``, which you
#   can leave out.
# - Lightning: ``strategy="ddp"`` in place of ``"ddp_find_unused_parameters_true"``.
# - MMDetection: ``find_unused_parameters = False`` in the config.
#
# All but the first are taken from the sources of the libraries, and not run here.
#
# When do you need it?
# --------------------
# If a parameter that was trainable at the wrapping is left out in some steps, such as a
# branch that not every batch takes. The warning comes then, too, in the first step that
# uses all of them. Keep the option: without it, the step after one that leaves a
# parameter out raises
# :doc:`Expected to have finished reduction <expected_to_have_finished_reduction>`.
#
# Without it, whether the steps failed: all branches, one frozen, one left out. Then
# with it, the last of these.
same, kept = warning_of(f"{some}, find_unused_parameters=True)")
print(failed, kept, same == warning)
assert failed == "[False, False, True]"
assert kept == "[False]"
assert same == warning

# %%
# Layers that no step uses are better frozen before you wrap: DDP then leaves them out.
#
# Read on: :doc:`/gallery/beyond/freezing_under_ddp`.
