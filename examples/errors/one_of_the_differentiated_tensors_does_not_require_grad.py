"""
``One of the differentiated Tensors does not require grad``
===========================================================

A tensor in the inputs of ``autograd.grad`` has ``requires_grad=False``. Set it to True
before the forward pass, or leave the tensor out if it is frozen on purpose.
"""

# %%
import torch

weight = torch.ones(2, requires_grad=True)
x = torch.tensor([3.0, 4.0])
# Wrong: x does not require a gradient.
loss = (weight * x).sum()
try:
    torch.autograd.grad(loss, x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("x required a gradient")
# Right: requires_grad_() comes first, then the forward pass.
x.requires_grad_()
loss = (weight * x).sum()
(gradient,) = torch.autograd.grad(loss, x)
print(gradient)
assert gradient.tolist() == [1, 1]

# %%
# After the forward pass it is too late
# -------------------------------------
# The forward pass decides what is recorded. If you set ``requires_grad`` after it, you
# get another error.
x = torch.tensor([3.0, 4.0])
# Wrong: the loss was computed before.
loss = (weight * x).sum()
x.requires_grad_()
try:
    torch.autograd.grad(loss, x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("x was recorded")
# Right: the loss is computed again.
loss = (weight * x).sum()
(gradient,) = torch.autograd.grad(loss, x)
assert gradient.tolist() == [1, 1]

# %%
# A frozen parameter is in the list
# ---------------------------------
# Leave out what is frozen. ``allow_unused=True`` does not help here.
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
# Wrong: the list contains the frozen parameters.
try:
    torch.autograd.grad(model(x).sum(), [*model.parameters()], allow_unused=True)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("nothing was frozen")
# Right: only the parameters that require a gradient.
trainable = [p for p in model.parameters() if p.requires_grad]
gradients = torch.autograd.grad(model(x).sum(), trainable)
print(len(gradients))
assert len(gradients) == 2

# %%
# The gradient penalty of a WGAN-GP: the interpolated images
# ----------------------------------------------------------
# The real images require no gradient, and the fake ones are detached, so their mixture
# requires none either. Call ``requires_grad_()`` on the mixture, before the critic sees
# it. ``create_graph=True`` is needed as well, or the penalty trains nothing. A penalty
# on real images (R1) is the same with ``real.detach().requires_grad_()``.
critic, real, fake = (
    torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)),
    torch.ones(3, 2),
    torch.zeros(3, 2),
)


def penalty(mixed):
    score = critic(mixed).sum()
    (slope,) = torch.autograd.grad(score, mixed, create_graph=True)
    return (slope.norm(dim=1) - 1).square().mean()


alpha = torch.rand(3, 1)
mixed = alpha * real + (1 - alpha) * fake
try:
    # Wrong: the mixture requires no gradient.
    penalty(mixed)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the mixture required a gradient")
assert message.startswith("One of the differentiated Tensors does not require grad")
# Right: it does, before the critic.
penalty(mixed.requires_grad_()).backward()
print(critic[0].weight.grad.any())
assert critic[0].weight.grad.any()

# %%
# A frozen UNet with ``use_checkpoint=True``: LDM, ControlNet, T2I-Adapter
# ------------------------------------------------------------------------
# You don't call ``autograd.grad`` yourself, but gradient checkpointing does: the
# ``backward()`` of the ``CheckpointFunction`` in `LDM
# <https://github.com/CompVis/latent-diffusion/blob/main/ldm/modules/diffusionmodules/util.py>`__
# and `guided-diffusion
# <https://github.com/openai/guided-diffusion/blob/main/guided_diffusion/nn.py>`__ asks
# for the gradients of all parameters of its block (read, not run). If one of them is
# frozen, it raises this error. The UNet can stay frozen: the gradient goes through it
# to an adapter all the same. Replace the body of ``checkpoint(func, inputs, params,
# flag)`` by ``torch.utils.checkpoint.checkpoint(func, *inputs, use_reentrant=False)``,
# or switch ``use_checkpoint`` off, which needs more memory. A function of your own has
# to ask only for what requires a gradient:
# :doc:`/gallery/modes/custom_functions_that_fail`.
from torch.utils.checkpoint import checkpoint


class CheckpointFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, block, hidden, *parameters):
        ctx.block, ctx.parameters = block, parameters
        ctx.save_for_backward(hidden)
        return block(hidden)

    @staticmethod
    def backward(ctx, gradient):
        hidden = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            output = ctx.block(hidden)
        inputs = (hidden, *ctx.parameters)
        return None, *torch.autograd.grad(output, inputs, gradient, allow_unused=True)


adapter, block = torch.nn.Linear(2, 2), model
# Wrong: backward() asks for all parameters of the block, and some are frozen.
hidden = adapter(torch.ones(1, 2))
try:
    CheckpointFunction.apply(block, hidden, *block.parameters()).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("nothing was frozen")
assert message.startswith("One of the differentiated Tensors does not require grad")
# Right: the checkpoint of PyTorch leaves out what is frozen.
checkpoint(block, adapter(torch.ones(1, 2)), use_reentrant=False).sum().backward()
print(adapter.bias.grad is not None)
assert block[0].weight.grad is None
assert adapter.bias.grad.any()
block.zero_grad()

# %%
# The tensor is a detached result
# -------------------------------
# The result of ``detach()``, or of an operation under ``no_grad()``, has
# ``requires_grad=False``. Ask for the tensor that the loss was computed from.
hidden = model[0](x)
# Wrong: the detached tensor is asked for.
loss = model[1](hidden).sum()
try:
    torch.autograd.grad(loss, hidden.detach())
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the detached tensor required a gradient")
# Right: the tensor that was used is asked for.
loss = model[1](hidden).sum()
(gradient,) = torch.autograd.grad(loss, hidden)
assert gradient.equal(model[1].weight[0])

# %%
# Read on: :doc:`/gallery/graph/gradients_of_some_inputs`.
