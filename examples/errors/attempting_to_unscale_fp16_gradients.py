"""
``Attempting to unscale FP16 gradients``
========================================

A trainable parameter is in float16, so its gradient is, too, and ``GradScaler`` refuses
to unscale it. Keep what is trainable in float32, run the forward pass under
``autocast``, and leave only frozen parameters in float16.
"""

# %%
import torch

x, net = torch.ones(1, 2), torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
# Wrong: the parameters are in float16.
net.half()
scaler.scale(net(x.half()).sum()).backward()
try:
    scaler.step(optimizer)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("the scaler accepted float16 gradients")
# Right: the parameters are in float32, and autocast converts.
net.float().zero_grad()
with torch.autocast("cpu", torch.float16):
    loss = net(x).sum()
scaler.scale(loss).backward()
scaler.step(optimizer)
print(loss.dtype, net.bias.grad)
assert net.bias.grad.tolist() == [1]

# %%
# The base is frozen and in float16
# ---------------------------------
# That is allowed. Convert the trainable parameters, and keep the optimizer:
# ``p.data = p.data.float()`` does not replace the parameter.
base, head = torch.nn.Linear(2, 2).half().requires_grad_(False), torch.nn.Linear(2, 1)
head.half()
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
for p in head.parameters():
    p.data = p.data.float()
before = head.bias.item()
with torch.autocast("cpu", torch.float16):
    loss = head(base(x)).sum()
scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
scaler.scale(loss).backward()
scaler.step(optimizer)
print(base.weight.dtype, head.weight.dtype)
assert base.weight.dtype == torch.float16
assert round(before - head.bias.item(), 4) == 0.1

# %%
# ``fp16=True`` of the Trainer, ``mixed_precision="fp16"``, diffusers, Lightning
# ------------------------------------------------------------------------------
# Mixed precision means that the weights are in float32. So do not load or convert what
# trains in float16 yourself:
#
# - ``Trainer``: ``from_pretrained(path, dtype=torch.float32)`` with ``fp16=True``.
# - Accelerate: no ``model.half()`` before ``prepare()``.
# - diffusers: only the frozen parts get ``weight_dtype``. After ``add_adapter()``, call
#   ``cast_training_params(unet, dtype=torch.float32)`` of ``diffusers.training_utils``.
# - Lightning: ``precision="16-mixed"``.
# - With ``bf16=True``, ``mixed_precision="bf16"`` or ``precision="bf16-mixed"`` there
#   is no ``GradScaler``, and so no such error. Weights in pure bfloat16 have another
#   problem: :doc:`/gallery/beyond/bfloat16_updates_are_rounded_away`.
#
# These options were read, not run. The call of diffusers does this:
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)).half()
net[0].requires_grad_(False)
for p in net.parameters():
    if p.requires_grad:
        p.data = p.data.float()
print([p.dtype for p in net.parameters()])
assert net[0].weight.dtype == torch.float16
assert net[1].weight.dtype == torch.float32

# %%
# It trained before, and raises this after an upgrade of ``peft`` or ``transformers``
# -----------------------------------------------------------------------------------
# Your code is the same, but the upgrade has changed the dtype of what it trains. You
# don't need the old version: convert the parameters that require a gradient to float32,
# before the optimizer is made, or use bfloat16. Then it does not depend on a version.
# On a float16 base, an adapter gets this dtype (read in the sources, not run):
#
# - peft up to 0.5: the LoRA weights stay float32.
# - peft 0.6 to 0.11: they take the dtype of the base, so ``fp16=True`` raises. This is
#   why older scripts fail after an upgrade, and why going back to 0.4.0 helps.
# - peft from 0.12 (`pull request 1706 <https://github.com/huggingface/peft/pull/1706>`__):
#   float32 again, unless you write ``autocast_adapter_dtype=False`` or call
#   ``model.half()`` afterwards. ``modules_to_save`` keep the dtype of the base.
#
# The base itself: transformers 4 loads float32 if you don't write a dtype, transformers
# 5 the dtype of the file. So full fine-tuning of a float16 file with ``fp16=True``
# raises since then: write ``dtype=torch.float32``. The same lines after each kind of
# loading:
lora = torch.nn.ModuleDict(
    {"base": torch.nn.Linear(2, 2).half(), "lora_B": torch.nn.Linear(2, 1).half()}
)
lora["base"].requires_grad_(False)
trainable = [p for p in lora.parameters() if p.requires_grad]
print({p.dtype for p in trainable})
for p in trainable:
    p.data = p.data.float()
optimizer = torch.optim.AdamW(trainable)
scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
with torch.autocast("cpu", torch.float16):
    loss = lora["lora_B"](lora["base"](x)).sum()
scaler.scale(loss).backward()
scaler.unscale_(optimizer)
print({p.dtype for p in trainable}, lora["base"].weight.dtype)
assert {p.grad.dtype for p in trainable} == {torch.float32}
assert lora["base"].weight.dtype == torch.float16

# %%
# No error, although the parameters are in float16
# ------------------------------------------------
# A fused optimizer unscales by itself, so ``scaler.step()`` raises no error. But before
# gradients are clipped, ``scaler.unscale_()`` is called, and it raises the error.
net = torch.nn.Linear(2, 1).half()
optimizer = torch.optim.AdamW(net.parameters(), fused=True)
scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
for method in (scaler.step, scaler.unscale_):
    scaler.scale(net(x.half()).sum()).backward()
    try:
        method(optimizer)
        scaler.update()
        found = "no error"
    except ValueError as error:
        found = type(error).__name__
    print(method.__name__, found)
assert found == "ValueError"

# %%
# ``_amp_foreach_non_finite_check_and_unscale_cuda`` not implemented for 'BFloat16'
# ---------------------------------------------------------------------------------
# The trainable parameters are in bfloat16, and a ``GradScaler`` is used, that is
# ``fp16=True``. bfloat16 needs no scaler: take ``bf16=True`` instead, or load what
# trains in float32. Often the model was loaded with the dtype of its configuration
# (``torch_dtype="auto"``), which is bfloat16, on a card that has only fp16; then the
# cast below helps. The text comes from GPUs (quoted from `pytorch 127176
# <https://github.com/pytorch/pytorch/issues/127176>`__, not run). On the CPU the same
# code runs:
net = torch.nn.Linear(2, 1).bfloat16()
found = {}
for convert in (False, True):
    if convert:  # right
        for p in net.parameters():
            p.data = p.data.float()
    net.zero_grad()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    with torch.autocast("cpu", torch.bfloat16):
        loss = net(x).sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    found[convert] = net.bias.grad.dtype
print(found)
assert found == {False: torch.bfloat16, True: torch.float32}

# %%
# Read on: :doc:`/gallery/frameworks/trainable_parameters_in_fp16`.
