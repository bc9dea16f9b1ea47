"""
``None of the inputs have requires_grad=True. Gradients will be None``
======================================================================

A reentrant checkpoint looks only at its inputs, and the output of a frozen layer
requires no gradient. So the layers inside the checkpoint get none. Pass
``use_reentrant=False``, or let the input require a gradient.
"""

# %%
import torch
from torch.utils.checkpoint import checkpoint

embedding = torch.nn.Linear(2, 2).requires_grad_(False)
block = torch.nn.Linear(2, 2)
hidden = embedding(torch.ones(1, 2))
# Wrong: a reentrant checkpoint behind a frozen layer.
out = checkpoint(block, hidden, use_reentrant=True)
print(out.requires_grad)
assert not out.requires_grad
# Right: a checkpoint that is not reentrant.
out = checkpoint(block, hidden, use_reentrant=False)
out.sum().backward()
print(block.bias.grad)
assert block.bias.grad.tolist() == [1, 1]

# %%
# With a trainable layer behind the checkpoint, ``backward()`` raises no error: that
# layer gets a gradient, and the block gets none. Without one, ``backward()`` raises.
head = torch.nn.Linear(2, 1)
block.zero_grad()
out = checkpoint(block, hidden, use_reentrant=True)
head(out).sum().backward()
print(head.bias.grad, block.bias.grad)
assert block.bias.grad is None
try:
    out.sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the block was recorded")

# %%
# If the checkpoint must stay reentrant
# -------------------------------------
# Let the input require a gradient. In the library transformers,
# ``model.enable_input_require_grads()`` does this. A tensor inside a list or a
# dictionary does not count: pass it as an argument of its own.
asked = hidden.clone().requires_grad_()


def by_key(inputs):
    return block(inputs["hidden"])


# Wrong: the tensor is inside a dictionary.
out = checkpoint(by_key, {"hidden": asked}, use_reentrant=True)
assert not out.requires_grad
# Right: the tensor is an argument.
out = checkpoint(block, asked, use_reentrant=True)
out.sum().backward()
print(block.bias.grad)
assert block.bias.grad.tolist() == [1, 1]

# %%
# When is it harmless?
# --------------------
# In an evaluation under ``no_grad()``, where no gradient is wanted, and if everything
# inside the checkpoint and before it is frozen, as in a frozen vision tower without
# adapters. If layers inside the checkpoint are to train, look at the ``p.grad`` of
# their parameters after ``zero_grad()`` and ``backward()``: ``None`` means that they
# get no gradient. A loss that falls, or a norm of all gradients above zero, proves
# nothing: the layers behind the checkpoint train in any case.

# %%
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
