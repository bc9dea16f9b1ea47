"""
``none of output has requires_grad=True, this checkpoint() is not necessary``
=============================================================================

A reentrant checkpoint ran a part in which nothing requires a gradient, or one that ends
in ``detach()`` or ``no_grad()``. Pass ``use_reentrant=False``, or call a frozen part
without a checkpoint. If the part should train, remove the cut.
"""

# %%
import torch
from torch.utils.checkpoint import checkpoint

block, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
x = torch.ones(1, 2, requires_grad=True)


def part(x):
    return block(x).detach()


try:
    head(checkpoint(part, x, use_reentrant=True)).sum().backward()  # wrong
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a part without a graph had a gradient")
# Right: the other form has the requires_grad of the part.
out = checkpoint(part, x, use_reentrant=False)
print(out.requires_grad)
assert not out.requires_grad
head(out).sum().backward()

# %%
# The part should train
# ---------------------
# Then the other form hides the mistake: no error, and the block gets no gradient. Look
# for ``no_grad()``, ``detach()``, ``.data``, ``argmax()`` or a conversion to integers
# inside the part.
assert block.weight.grad is None
# Right: nothing is cut.
for reentrant in (True, False):
    block.zero_grad()
    head(checkpoint(block, x, use_reentrant=reentrant)).sum().backward()
    print(reentrant, block.weight.grad is not None)
    assert block.weight.grad is not None

# %%
# Frozen blocks behind ``enable_input_require_grads()``
# -----------------------------------------------------
# The input requires a gradient, and so does the output of a frozen block: no error. A
# frozen part whose output does not depend on its input raises it, for instance a
# position embedding that reads only the shape.
block.requires_grad_(False)
checkpoint(block, x, use_reentrant=True).sum().backward()
positions = torch.nn.Parameter(torch.ones(1, 2), requires_grad=False)


def skipped(x):
    return positions + torch.zeros_like(x)


# Wrong: nothing in this part depends on the input.
try:
    checkpoint(skipped, x, use_reentrant=True).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a part without a graph had a gradient")
assert message.startswith("none of output has requires_grad=True")
# Right: a part without anything to train needs no checkpoint.
print(skipped(x).requires_grad)
assert not skipped(x).requires_grad

# %%
# Where it comes from: the part runs under ``no_grad()`` in the forward pass, and one
# node stands for all of it. Only the second run, in the backward pass, shows that the
# part has no graph. In `LlamaFactory 6358
# <https://github.com/hiyouga/LlamaFactory/issues/6358>`__ it is raised in full
# fine-tuning with PyTorch 2.5 (not run).
#
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
