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
# Has ``use_reentrant=True`` an advantage, in memory or in speed? Hardly. It frees the
# same activations, is faster only with very small tensors, and tolerates changes that
# the other form reports: :doc:`/gallery/beyond/checkpointing_frozen_layers` compares
# the two.

# %%
# ``Unexpected keyword arguments: use_reentrant``
# -----------------------------------------------
# This PyTorch is older than 1.11. Its ``checkpoint()`` has no parameter
# ``use_reentrant`` and knows only the reentrant form (the functions of 1.10.2 and
# 1.11.0 were compared, and that of 1.10.2 was run). Upgrade PyTorch. If you delete the
# argument instead, the reentrant form stays, and behind a frozen layer the block gets
# no gradient, unless you let the input require one: ``hidden.requires_grad_()``.
#
# If the text names another argument, you passed it for your own function. The
# reentrant form takes no keyword arguments. With ``use_reentrant=False`` they are
# passed on.


def scaled(x, factor=1.0):
    return block(x) * factor


try:
    # Wrong: a keyword argument in the reentrant form.
    checkpoint(scaled, hidden, use_reentrant=True, factor=2.0)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the reentrant form took a keyword argument")
print(message)
assert message == "Unexpected keyword arguments: factor"
block.zero_grad()
# Right: a form that passes it on.
checkpoint(scaled, hidden, use_reentrant=False, factor=2.0).sum().backward()
assert block.bias.grad.tolist() == [2, 2]
# Before PyTorch 1.11: an input that requires a gradient.
block.zero_grad()
checkpoint(block, hidden.requires_grad_(), use_reentrant=True).sum().backward()
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
