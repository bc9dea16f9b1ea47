"""
``Recomputed values for the following tensors have different metadata``
=======================================================================

A checkpoint with ``use_reentrant=False`` repeats the forward pass in ``backward()``.
The second run saved other tensors, here because a layer was unfrozen in between. Freeze
and unfreeze after ``backward()`` and before the next forward pass.
"""

# %%
import torch
from torch.utils.checkpoint import CheckpointError, checkpoint

net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
net[0].requires_grad_(False)
x = torch.ones(4, 2, requires_grad=True)
loss = checkpoint(net, x, use_reentrant=False).sum()
# Wrong: unfreezes a layer between forward and backward.
net[0].requires_grad_(True)
try:
    loss.backward()
except CheckpointError as error:
    print(f"CheckpointError: {str(error).splitlines()[0]}")
else:
    raise AssertionError("the same tensors were saved")
# Right: the layer is unfrozen before the forward pass.
loss = checkpoint(net, x, use_reentrant=False).sum()
loss.backward()
print(net[0].bias.grad is not None)
assert net[0].bias.grad is not None

# %%
# eval() between forward and backward
# -----------------------------------
# In training, a batch norm saves the statistics of the batch; after ``eval()``, it
# saves empty tensors in their place. If you evaluate the model in between, call
# ``train()`` before ``backward()``.
norm = torch.nn.BatchNorm1d(2)
loss = checkpoint(norm, x, use_reentrant=False).sum()
norm.eval()
try:
    # Wrong: the layer is still in evaluation mode.
    loss.backward()
except CheckpointError as error:
    message = str(error)
else:
    raise AssertionError("the same tensors were saved")
assert "have different metadata" in message
# Right: the layer is in training mode again.
norm.train()
loss = checkpoint(norm, x, use_reentrant=False).sum()
norm.eval()
norm.train()
loss.backward()
print(norm.bias.grad)
assert norm.bias.grad.tolist() == [4, 4]

# %%
# Data that is not an argument
# ----------------------------
# The checkpoint keeps its arguments for the second run. What the function takes from
# elsewhere must not change before ``backward()``.
batch = {"x": x}


def read():
    return net(batch["x"])


# Wrong: the next batch has another size.
loss = checkpoint(read, use_reentrant=False).sum()
batch["x"] = x[:3]
try:
    loss.backward()
except CheckpointError as error:
    message = str(error)
else:
    raise AssertionError("the same tensors were saved")
assert "have different metadata" in message
# Right: the batch is an argument.
net.zero_grad()
batch["x"] = x
loss = checkpoint(net, batch["x"], use_reentrant=False).sum()
batch["x"] = x[:3]
loss.backward()
print(net[1].bias.grad)
assert net[1].bias.grad.tolist() == [4]

# %%
# No error, and a wrong gradient
# ------------------------------
# The saved tensors are compared by shape, dtype and device, not by value. Here all have
# one shape, so the input takes the place of the frozen weight, and no error is raised.
# ``determinism_check="none"`` switches this comparison off, and corrects nothing.
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
net[0].requires_grad_(False)
square = x[:2].detach().requires_grad_()
(right,) = torch.autograd.grad(net(square).sum(), square)
loss = checkpoint(net, square, use_reentrant=False).sum()
net[0].requires_grad_(True)
(wrong,) = torch.autograd.grad(loss, square)
print(right[0], wrong[0])
assert not wrong.allclose(right)

# %%
# DeepSpeed ZeRO-3: the recomputed shape is 0
# -------------------------------------------
# ZeRO-3 gathers a parameter before the forward of its layer and releases it after it:
# its shape is then ``torch.Size([0])``. The checkpoint keeps a frozen parameter itself,
# not a detached copy, so in the second run it finds the shape 0. Hooks on a norm show
# it without DeepSpeed. If the norm trains, there is no error.


def released(*, frozen):
    first, second = torch.nn.LayerNorm(2), torch.nn.Linear(2, 2)
    whole = first.weight.data

    def gather(*_):
        first.weight.data = whole

    def release(*_):
        first.weight.data = torch.empty(0)

    first.register_forward_pre_hook(gather)
    first.register_forward_hook(release)
    first.register_full_backward_pre_hook(gather)
    first.requires_grad_(not frozen)
    block = torch.nn.Sequential(first, second)
    loss = checkpoint(block, x, use_reentrant=False).sum()
    try:
        loss.backward()
    except CheckpointError as error:
        return [line for line in str(error).splitlines() if "metadata: " in line]
    return []


print(*released(frozen=True), sep="\n")
assert "'shape': torch.Size([2])" in released(frozen=True)[0]
assert "'shape': torch.Size([0])" in released(frozen=True)[1]
assert not released(frozen=False)

# %%
# DeepSpeed itself was not run here. What its developers and users say:
#
# - The cause is described in `an issue of transformers
#   <https://github.com/huggingface/transformers/issues/47254>`__. A `later change
#   <https://github.com/deepspeedai/DeepSpeed/pull/8148>`__ allows frozen parameters in
#   a checkpoint. Update DeepSpeed.
# - Outside the forward and the backward, each parameter has the shape 0, so code that
#   chooses by shape or by row what to freeze does not work (`issue
#   <https://github.com/axolotl-ai-cloud/axolotl/issues/1687>`__). Choose by name.
#
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
