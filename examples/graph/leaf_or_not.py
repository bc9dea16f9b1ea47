"""
Only leaves get a .grad, and .to() makes a result
=================================================

A leaf is a tensor that no recorded operation made. Arithmetic, indexing, ``clone()``
and ``.to()`` make results of it, and the gradient passes through them to the leaf.
"""

# %%
# Why is .grad None after .to(device)?
# ------------------------------------
# A weight is created with ``requires_grad=True`` and then moved or converted. What the
# name ``weight`` stands for now is the result of that operation. The leaf, which gets
# the gradient, has no name any more.
import torch

weight = torch.ones(2, requires_grad=True).to(torch.float64)
weight.sum().backward()
print(weight.grad)
print(weight.is_leaf, weight.grad_fn.name())
assert not weight.is_leaf

# %%
# An optimizer refuses such a tensor.
try:
    torch.optim.SGD([weight], lr=0.1)
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result was taken for a parameter")

# %%
# Convert first and switch ``requires_grad`` on last. Nothing was recorded before that,
# so the converted tensor is a leaf. ``torch.ones(2, dtype=..., device=...)`` is better
# still.
weight = torch.ones(2).to(torch.float64).requires_grad_()
weight.sum().backward()
print(weight.grad)
assert weight.is_leaf
assert weight.grad is not None

# %%
# Which of these are leaves?
# --------------------------
# What requires no gradient is always a leaf, whatever made it: nothing was recorded. A
# ``Parameter`` is a leaf, ``Parameter * 1`` is not.
data = torch.ones(2)
leaf = torch.ones(2, requires_grad=True)
parameter = torch.nn.Parameter(torch.ones(2))
tensors = {
    "data": data,
    "data * 2": data * 2,
    "leaf": leaf,
    "leaf * 2": leaf * 2,
    "leaf[0]": leaf[0],
    "leaf.clone()": leaf.clone(),
    "leaf.double()": leaf.double(),
    "leaf.float()": leaf.float(),
    "leaf.detach()": leaf.detach(),
    "parameter": parameter,
    "parameter * 1": parameter * 1,
}
for name, tensor in tensors.items():
    print(
        f"{name:14}  is_leaf {tensor.is_leaf!s:5}  requires_grad", tensor.requires_grad
    )
results = {name for name, tensor in tensors.items() if not tensor.is_leaf}
assert results == {
    "leaf * 2",
    "leaf[0]",
    "leaf.clone()",
    "leaf.double()",
    "parameter * 1",
}

# %%
# ``leaf.float()`` has nothing to convert and returns the leaf itself. So does
# ``leaf.to(device)`` on a machine without a GPU: there the same line works.
assert leaf.float() is leaf
assert leaf.to("cpu") is leaf

# %%
# A module is safe to move: ``to()`` gives each parameter new memory and keeps the
# parameter, so it stays a leaf.
linear = torch.nn.Linear(2, 1)
weight = linear.weight
linear.to(torch.float64)
assert linear.weight is weight
assert weight.is_leaf
assert weight.dtype == torch.float64

# %% tags=["hide-input"]
# Square: a leaf that requires a gradient, and so gets a ``.grad``. Cross: a result.
# Dot: a leaf that requires none.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
for name, tensor in tensors.items():
    if not tensor.is_leaf:
        ax.scatter("result", name, marker="x", s=120, lw=2, c="C2")
    elif tensor.requires_grad:
        ax.scatter("leaf", name, marker="s", s=120, lw=2, fc="none", ec="C0")
    else:
        ax.scatter("leaf", name, marker=".", s=120, c="C1")
ax.margins(0.4, 0.08)
ax.invert_yaxis()
plt.show()

# %%
# Move the module, not its tensors. Create a tensor of your own on its device, or set
# ``requires_grad`` last. If you need the gradient of a result, see :doc:`retain_grad`;
# what else loses the graph is on :doc:`what_drops_the_graph`.
#
# Source: :torch:`torch.Tensor.is_leaf`.
