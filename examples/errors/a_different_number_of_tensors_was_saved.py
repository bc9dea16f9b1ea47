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
# An operation that saves something else the second time
# ------------------------------------------------------
# A fused kernel, or a function of your own, may decide itself what it saves, for
# instance by a cache. Replace it by plain operations, or leave it outside of the
# checkpoint. `An issue <https://github.com/jzhang38/TinyLlama/issues/152>`__ names
# SwiGLU of xformers (read, not run).


class Cached(torch.autograd.Function):
    calls = 0

    @staticmethod
    def forward(ctx, x):
        Cached.calls += 1
        ctx.save_for_backward(*[x] * (3 - Cached.calls))
        return x.sin()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].cos()


# Wrong: the second call saves one tensor less. Right: a plain operation.
messages = []
for operation in (Cached.apply, torch.sin):
    x.grad = None
    loss = checkpoint(operation, x, use_reentrant=False).sum()
    try:
        loss.backward()
    except CheckpointError as error:
        messages.append(str(error))
print(len(messages), x.grad[0])
assert len(messages) == 1
assert "A different number of tensors was saved" in messages[0]
assert x.grad.allclose(x.cos())

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
