"""
backward() adds to .grad: 6, 12, 18
===================================

Each backward adds to what is in ``.grad``. And ``zero_grad()`` does not set it to zero:
since PyTorch 2.0 it sets it to None.
"""

# %%
# Why does my gradient grow?
# --------------------------
# The derivative of ``x**2`` at 3 is 6. Three backward passes give three times as much.
import torch

x = torch.tensor(3.0, requires_grad=True)
added = []
for _ in range(3):
    (x**2).backward()
    added.append(x.grad.item())
print(added)
assert added == [6, 12, 18]

# %%
# It is added in place, so whoever kept ``x.grad`` sees it change. Take
# ``x.grad.clone()`` if you want to keep a value.
kept = x.grad
(x**2).backward()
assert kept is x.grad
assert kept.item() == 24

# %%
# Autograd adds because a gradient *is* a sum, over all paths from the leaf to the loss.
# Two uses of ``x`` in one loss add up in the same way.
x.grad = None
(x * x + x).backward()
print(x.grad)
assert x.grad.item() == 2 * 3 + 1

# %%
# Does zero_grad() set the gradient to zero?
# ------------------------------------------
# Many tutorials say so. It sets ``.grad`` to None, in the optimizer and in the module.
# Code that reads ``.grad`` after it, say to compute a norm, finds None.
layer = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
layer(torch.ones(1, 1)).sum().backward()
optimizer.zero_grad()
print(layer.weight.grad)
assert layer.weight.grad is None
layer(torch.ones(1, 1)).sum().backward()
optimizer.zero_grad(set_to_none=False)
print(layer.weight.grad)
assert layer.weight.grad.item() == 0

# %%
# The difference matters for what is frozen: a gradient of zero still moves a weight
# under weight decay or momentum (:doc:`zero_is_not_none`).

# %%
# Bars: ``x.grad`` after each of three backward passes, hatched where it is left to add
# up, open where it is set to None before each.
import matplotlib.pyplot as plt
import numpy as np

cleared = []
for _ in range(3):
    x.grad = None
    (x**2).backward()
    cleared.append(x.grad.item())
assert cleared == [6, 6, 6]
passes = np.arange(1, 4)
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.bar(passes - 0.2, added, 0.4, fc="none", ec="C2", hatch="//", label="added")
ax.bar(passes + 0.2, cleared, 0.4, fc="none", ec="C0", lw=2, label="x.grad = None")
ax.set(xticks=passes, xlabel="backward()", ylabel="x.grad")
ax.legend()
plt.show()

# %%
# Call ``optimizer.zero_grad()`` once for each ``step()``. Leave it out between the
# passes that you want to add up on purpose, as in gradient accumulation.
#
# Related: :doc:`leaf_or_not`, :doc:`/gallery/diagnose/why_is_my_gradient_none`. Source:
# :torch:`torch.optim.Optimizer.zero_grad`.
