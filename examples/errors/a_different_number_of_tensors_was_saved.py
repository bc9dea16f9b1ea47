"""
``A different number of tensors was saved during the original forward``
=======================================================================

A checkpoint with ``use_reentrant=False`` repeats the forward pass in ``backward()``.
The second run saved other tensors, here because a layer was frozen in between. Freeze
and unfreeze after ``backward()`` and before the next forward pass.
"""

# %%
import torch
from torch.utils.checkpoint import CheckpointError, checkpoint

net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
x = torch.ones(4, 2)
loss = checkpoint(net, x, use_reentrant=False).sum()
# Wrong: freezes a layer between forward and backward.
net[0].requires_grad_(False)
try:
    loss.backward()
except CheckpointError as error:
    print(f"CheckpointError: {str(error).splitlines()[0]}")
else:
    raise AssertionError("the same number of tensors was saved")
# Right: the layer is frozen before the forward pass.
loss = checkpoint(net, x, use_reentrant=False).sum()
loss.backward()
print(net[0].bias.grad, net[1].bias.grad)
assert net[0].bias.grad is None
assert net[1].bias.grad.tolist() == [4]

# %%
# eval() between forward and backward
# -----------------------------------
# In training, dropout saves its mask; after ``eval()`` it saves nothing. If you
# evaluate the model in between, call ``train()`` before ``backward()``.
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
loss = checkpoint(net, x, use_reentrant=False).sum()
net.eval()
try:
    # Wrong: the model is still in evaluation mode.
    loss.backward()
except CheckpointError as error:
    message = str(error)
else:
    raise AssertionError("the same number of tensors was saved")
assert "A different number of tensors was saved" in message
# Right: the model is in training mode again.
net.train()
loss = checkpoint(net, x, use_reentrant=False).sum()
net.eval()
net.train()
loss.backward()
print(net[0].bias.grad is not None)
assert net[0].bias.grad is not None

# %%
# A random choice inside the checkpoint
# -------------------------------------
# By default, the checkpoint restores the state of PyTorch's default generators, so that
# dropout draws the same mask again. It restores neither Python's ``random`` nor NumPy,
# nor a generator that you pass yourself. Draw outside, and pass the result.
import numpy as np


def block(x, keep):
    return x.sin() if keep else x.sin().cos()


def draw(x):
    return block(x, generator.random() < 0.5)


x.requires_grad_()
generator = np.random.default_rng(0)
# Wrong: the second run draws another number.
loss = checkpoint(draw, x, use_reentrant=False).sum()
try:
    loss.backward()
except CheckpointError as error:
    message = str(error)
else:
    raise AssertionError("the same number of tensors was saved")
assert "A different number of tensors was saved" in message
# Right: the number is drawn outside.
generator = np.random.default_rng(0)
keep = generator.random() < 0.5
loss = checkpoint(block, x, keep, use_reentrant=False).sum()
loss.backward()
print(x.grad[0])
assert x.grad.allclose(-x.sin().sin() * x.cos())

# %%
# The block remembers something
# -----------------------------
# A cache that the first run fills is read in the second run, which then saves other
# tensors: for example a table of positions, or a weight that is converted once. Fill it
# before the checkpoint, or compute it in each run.


class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = torch.nn.Parameter(torch.zeros(2))
        self.scale = None

    def forward(self, x):
        if self.scale is None:
            self.scale = self.log_scale.exp()
        return x * self.scale


net = Scaled()
# Wrong: the first run computes the scale, the second one finds it.
loss = checkpoint(net, x, use_reentrant=False).sum()
try:
    loss.backward()
except CheckpointError as error:
    message = str(error)
else:
    raise AssertionError("the same number of tensors was saved")
assert "A different number of tensors was saved" in message
# Right: the scale is computed before the checkpoint, in each step.
net.scale = net.log_scale.exp()
checkpoint(net, x, use_reentrant=False).sum().backward()
print(net.log_scale.grad)
assert net.log_scale.grad.tolist() == [4, 4]

# %%
# You changed nothing, and the block remembers nothing
# ----------------------------------------------------
# Then an operation in it may save other tensors by itself when it is repeated. The
# fused ``SwiGLU`` of xformers did (`TinyLlama 152
# <https://github.com/jzhang38/TinyLlama/issues/152>`__, fixed in `xformers 1127
# <https://github.com/facebookresearch/xformers/pull/1127>`__ and `1152
# <https://github.com/facebookresearch/xformers/pull/1152>`__; not run here). Upgrade,
# replace the operation by plain PyTorch, or call it outside of the checkpoint. To find
# it, checkpoint smaller blocks, or pass ``debug=True``: the message then lists the
# operations of both runs. Here is the random choice of above:
generator = np.random.default_rng(0)
try:
    checkpoint(draw, x, use_reentrant=False, debug=True).sum().backward()
except CheckpointError as error:
    lines = str(error).splitlines()
else:
    raise AssertionError("the same number of tensors was saved")
ends = ("in original)", "in recompute)")
original, recompute = ([x for x in lines if x.endswith(end)] for end in ends)
print(*original, *recompute, sep="\n")
assert any("cos" in line for line in original)
assert not any("cos" in line for line in recompute)

# %%
# No error, although something changed
# ------------------------------------
# The number, shapes, dtypes and devices of the saved tensors are compared, not their
# values. If only these agree, the gradients are computed with the wrong tensors. A
# linear layer saves nothing for the gradient of its bias. So if you freeze a bias in
# between, no error is raised, and it gets no gradient.
layer = torch.nn.Linear(2, 1)
loss = checkpoint(layer, x, use_reentrant=False).sum()
layer.bias.requires_grad_(False)
loss.backward()
print(layer.weight.grad is None, layer.bias.grad is None)
assert layer.weight.grad.allclose(x.sum(0))
assert layer.bias.grad is None

# %%
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
