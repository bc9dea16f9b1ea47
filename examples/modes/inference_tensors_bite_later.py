"""
Inference tensors fail later, or silently
=========================================

A tensor made under ``inference_mode()`` stays an inference tensor outside. Adding it
works, multiplying raises an error, and in a layer made there only the bias gets a
gradient.
"""

# %%
# "Inference tensors cannot be saved for backward"
# ------------------------------------------------
# You cache the features of a frozen backbone under ``inference_mode()`` and train on
# them. A sum works: its backward needs neither term. That of a product needs both
# factors. But an inference tensor has no version counter, so autograd could not tell if
# it is overwritten later, and refuses to save it.
import copy

import torch

w = torch.ones(2, requires_grad=True)
with torch.inference_mode():
    features = torch.ones(2) * 2
(w + features).sum().backward()
assert w.grad.tolist() == [1.0, 1.0]
try:
    w * features
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an inference tensor was saved")

# %%
# The cure is a copy made outside: ``clone()``. ``detach()`` copies nothing and returns
# an inference tensor again. A tensor made under ``no_grad()`` needs no cure.
assert features.detach().is_inference()
assert (w * features.clone()).requires_grad
with torch.no_grad():
    features = torch.ones(2) * 2
assert (w * features).requires_grad

# %%
# Why is weight.grad None and bias.grad not?
# ------------------------------------------
# Build a layer under ``inference_mode()``. Its parameters require a gradient, and
# ``backward()`` runs without a word.
with torch.inference_mode():
    head = torch.nn.Linear(2, 1)
head(torch.ones(4, 2)).sum().backward()
print(head.weight.grad, head.bias.grad)
assert head.weight.grad is None
assert head.bias.grad is not None

# %%
# An operation on nothing but inference tensors is not recorded, whatever their flags
# say. The layer transposes its weight, and that is such an operation: the result is a
# constant. The bias is added to an ordinary tensor, and that is recorded.
assert head.weight.requires_grad
assert not head.weight.t().requires_grad

# %%
# The optimizer is the first to complain, and only after it has moved the bias. A deep
# copy made outside is an ordinary layer and trains.
bias = head.bias.item()
try:
    torch.optim.SGD(head.parameters(), lr=0.1).step()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an inference tensor was updated")
assert head.bias.item() != bias
assert not any(p.is_inference() for p in copy.deepcopy(head).parameters())

# %% tags=["hide-input"]
# From the loss (diamond) the gradient reaches the bias (solid). The path to the weight
# (dashed) is cut (cross).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3))
ax.scatter(2, 0.5, s=900, marker="D", fc="none", ec="C0", lw=2)
for y, name in enumerate(["weight", "bias"]):
    cut = getattr(head, name).grad is None
    look = {"ec": "C2", "ls": "--"} if cut else {"ec": "C0"}
    ax.scatter(0, y, s=2500, marker="s", fc="none", lw=2, **look)
    ax.text(0, y, name, ha="center", va="center")
    way = [0.4, 1, 1.7], [y, y * 0.6 + 0.2, 0.5]
    ax.plot(*way, "C2--x" if cut else "C0-<", lw=2, ms=12, mew=3, markevery=[1])
ax.margins(0.2, 0.5)
ax.axis("off")
plt.show()

# %%
# Build and load models outside ``inference_mode()``. To cache features for training,
# use ``no_grad()``.
#
# Related: :doc:`no_grad_inference_mode_enable_grad`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`. Source:
# :torch:`torch.autograd.grad_mode.inference_mode`.
