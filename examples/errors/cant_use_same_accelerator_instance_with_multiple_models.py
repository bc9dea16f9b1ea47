"""
``You can't use same Accelerator() instance with multiple models``
==================================================================

With DeepSpeed, one call of ``prepare()`` takes one model. A frozen one, such as a
teacher, a VAE or a text encoder, needs no ``prepare()``: freeze it, move it to
``accelerator.device``, and call it under ``no_grad()``.
"""

# %% tags=["hide-input"]
# A student that trains, and a teacher.
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType

accelerator, x = Accelerator(cpu=True), torch.ones(1, 2)
student, teacher = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
usual = accelerator.state.distributed_type
# As in a run with DeepSpeed, which is not needed for the check of Accelerate.
accelerator.state.distributed_type = DistributedType.DEEPSPEED

# %%
try:
    # Wrong: both models go into prepare().
    accelerator.prepare(student, teacher, optimizer)
except AssertionError as error:
    print(f"AssertionError: {error}")
else:
    raise AssertionError("two models were prepared")
finally:
    accelerator.state.distributed_type = usual
# Right: the teacher stays outside.
teacher.to(accelerator.device).eval().requires_grad_(False)
student, optimizer = accelerator.prepare(student, optimizer)
with torch.no_grad():
    target = teacher(x)
accelerator.backward((student(x) - target).square().mean())
optimizer.step()
print(student.weight.grad is not None, teacher.weight.grad)
assert student.weight.grad is not None
assert teacher.weight.grad is None

# %%
# The second half runs here without DeepSpeed, in one process. With 16 bits, convert the
# frozen model, too: ``teacher.to(accelerator.device, dtype=torch.bfloat16)``.
#
# Two models that both train
# --------------------------
# - Put them into one module whose forward pass calls both, and prepare that one.
# - Or give each one a plugin of its own: ``Accelerator(deepspeed_plugins={…})`` and
#   ``select_deepspeed_plugin()``, with one ``prepare()`` for each model (`Accelerate
#   about several models with DeepSpeed
#   <https://huggingface.co/docs/accelerate/usage_guides/deepspeed_multiple_model>`__,
#   not run here). It also shows how ZeRO-3 shards a frozen model that is too large for
#   one GPU.

# %%
# Read on: :doc:`/gallery/frameworks/frozen_second_network`.
