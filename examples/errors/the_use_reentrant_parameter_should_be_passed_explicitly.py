"""
``torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly``
===================================================================================

``checkpoint()`` was called without ``use_reentrant``, and takes the reentrant form, in
which layers behind a frozen layer get no gradient. Pass ``use_reentrant=False``. The
exception that the warning announces has not come up to PyTorch 2.15.
"""

# %%
import torch
from torch.utils.checkpoint import checkpoint

block = torch.nn.Linear(2, 2)
x = torch.ones(1, 2, requires_grad=True)
# Wrong: use_reentrant is missing.
checkpoint(block, x).sum().backward()
# Right: use_reentrant is passed.
block.zero_grad()
checkpoint(block, x, use_reentrant=False).sum().backward()
print(block.bias.grad)
assert block.bias.grad.tolist() == [1, 1]

# %%
# What the default does
# ---------------------
# With ``backward()``, the gradients are the same if an input of the checkpoint requires
# a gradient; ``autograd.grad`` raises :doc:`checkpoint_is_incompatible_with_grad`. If
# none does, for example behind a frozen layer, the block gets no gradient, and PyTorch
# warns of it in other words.
try:
    torch.autograd.grad(checkpoint(block, x, use_reentrant=True).sum(), x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("autograd.grad passed a reentrant checkpoint")
assert "incompatible with .grad()" in message
block.zero_grad()
frozen = torch.nn.Linear(2, 2).requires_grad_(False)
hidden = frozen(torch.ones(1, 2))
# Wrong: the default is the reentrant form.
assert not checkpoint(block, hidden).requires_grad
# Right: the block gets its gradient.
checkpoint(block, hidden, use_reentrant=False).sum().backward()
print(block.bias.grad)
assert block.bias.grad.tolist() == [1, 1]

# %%
# The warning came with PyTorch 2.1 (`pull request 100551
# <https://github.com/pytorch/pytorch/pull/100551>`__), in other words, as quoted in
# `kohya_ss 2481 <https://github.com/bmaltais/kohya_ss/issues/2481>`__:
# ``torch.utils.checkpoint: please pass in use_reentrant=True or use_reentrant=False
# explicitly. The default value of use_reentrant will be updated to be False in the
# future.``

# %%
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
