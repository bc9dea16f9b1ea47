"""
``When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad()``
================================================================================

``autograd.grad`` or ``backward(inputs=...)`` was called, and the gradient passes
through a reentrant checkpoint. Pass ``use_reentrant=False`` to ``checkpoint()``, or
call ``backward()`` without ``inputs``.
"""

# %%
import torch
from torch.utils.checkpoint import checkpoint

x = torch.zeros(2, requires_grad=True)
# Wrong: the checkpoint is reentrant.
loss = checkpoint(torch.exp, x, use_reentrant=True).sum()
try:
    torch.autograd.grad(loss, x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("autograd.grad passed the checkpoint")
# Right: a checkpoint that is not reentrant.
loss = checkpoint(torch.exp, x, use_reentrant=False).sum()
(gradient,) = torch.autograd.grad(loss, x)
print(gradient)
assert gradient.tolist() == [1, 1]

# %%
# If the checkpoint must stay reentrant
# -------------------------------------
# Call ``backward()`` without ``inputs``, and read ``.grad``.

# Wrong: inputs are passed.
loss = checkpoint(torch.exp, x, use_reentrant=True).sum()
try:
    loss.backward(inputs=[x])
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("backward(inputs=) passed the checkpoint")
# Right: without inputs.
loss = checkpoint(torch.exp, x, use_reentrant=True).sum()
loss.backward()
print(x.grad)
assert x.grad.tolist() == [1, 1]

# %%
# No error, and no gradient
# -------------------------
# A parameter inside the reentrant checkpoint that you name in ``inputs`` gets no
# gradient, and nothing is raised if you name nothing before the checkpoint. The layers
# behind it get their gradients.
block, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
for use_reentrant in (True, False):
    block.zero_grad()
    loss = head(checkpoint(block, x, use_reentrant=use_reentrant)).sum()
    loss.backward(inputs=[block.weight, head.bias])
    print(block.weight.grad is None, head.bias.grad is None)
    assert (block.weight.grad is None) == use_reentrant
    assert head.bias.grad is not None

# %%
# Older versions have other words, as quoted in issues: ``Checkpointing is not
# compatible with .grad(), please use .backward() if possible`` (PyTorch of February
# 2021, `issue 51743 <https://github.com/pytorch/pytorch/issues/51743>`__), and later
# ``Checkpointing is not compatible with .grad() or when an `inputs` parameter is passed
# to .backward()`` (`rq-vae-transformer 26
# <https://github.com/kakaobrain/rq-vae-transformer/issues/26>`__).

# %%
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
