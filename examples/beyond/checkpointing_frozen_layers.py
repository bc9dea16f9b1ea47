"""
None of the inputs have requires_grad=True: checkpoints behind frozen layers
============================================================================

A reentrant checkpoint asks its inputs whether a gradient is wanted. Behind a frozen
layer they say no, and the trainable layer inside gets none.
"""

# %%
# Why does the checkpointed layer not train?
# ------------------------------------------
# The embedding is frozen, so what comes out of it needs no gradient. The block behind
# it trains, and is checkpointed to save memory. Without ``use_reentrant``, PyTorch
# takes the reentrant form and warns.
import torch
from torch.utils.checkpoint import checkpoint

torch.manual_seed(0)
embedding = torch.nn.Linear(2, 2).requires_grad_(False)
block = torch.nn.Linear(2, 2)
hidden = embedding(torch.ones(1, 2))
out = checkpoint(block, hidden)
try:
    out.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the block was reached")

# %%
# The second warning says it. With a trainable head behind the block there is not even
# an error: the head learns, the block does not.
head = torch.nn.Linear(2, 1)
head(checkpoint(block, hidden, use_reentrant=True)).sum().backward()
print(head.weight.grad is not None, block.weight.grad)
assert head.weight.grad is not None
assert block.weight.grad is None

# %%
# Why? The reentrant form runs the block under ``no_grad()`` and puts one node into the
# graph for all of it. That node requires a gradient if one of its inputs does. The
# parameters inside are no inputs of it, so nobody asks them.

# %%
# Two cures
# ---------
# ``use_reentrant=False`` records the block itself, and only drops what its nodes saved.
# Or let the input require a gradient, as ``model.enable_input_require_grads()`` does in
# the library transformers.


def reached(value, *, reentrant):
    block.zero_grad()
    checkpoint(block, value, use_reentrant=reentrant).sum().backward()
    return block.weight.grad is not None


cures = {
    "use_reentrant=False": reached(hidden, reentrant=False),
    "hidden.requires_grad_()": reached(hidden.clone().requires_grad_(), reentrant=True),
}
print(cures)
assert all(cures.values())

# %%
# The reentrant form has other limits: no ``autograd.grad()``, no ``backward(inputs=)``.
value = hidden.clone().requires_grad_()
try:
    torch.autograd.grad(checkpoint(block, value, use_reentrant=True).sum(), value)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("autograd.grad ran")

# %%
# What a cut inside does
# ----------------------
# ``no_grad()`` and ``detach()`` in the checkpointed function cut as they do outside, in
# both forms.
first = torch.nn.Linear(2, 2)


def half_cut(value):
    with torch.no_grad():
        middle = first(value)
    return block(middle)


for reentrant in (True, False):
    block.zero_grad()
    checkpoint(half_cut, value, use_reentrant=reentrant).sum().backward()
    assert first.weight.grad is None
    assert block.weight.grad is not None

# %% tags=["hide-input"]
# Does the gradient reach the block? Cross: not with a reentrant checkpoint on an input
# that needs no gradient.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.2), layout="constrained")
for way, ok in {"use_reentrant=True": False, **cures}.items():
    square = {"marker": "s", "fc": "none", "ec": "C0"}
    ax.scatter(0, way, s=250, lw=2, **(square if ok else {"marker": "x", "c": "C2"}))
ax.set_xticks([0], ["block.weight.grad"])
ax.margins(0.5, 0.4)
ax.invert_yaxis()
plt.show()

# %%
# Always pass ``use_reentrant=False``. :torch:`torch.utils.checkpoint <checkpoint.html>`
# lists the differences.
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`,
# :doc:`/gallery/diagnose/why_is_my_gradient_none`,
# :doc:`/gallery/cost/memory_that_freezing_saves`.
