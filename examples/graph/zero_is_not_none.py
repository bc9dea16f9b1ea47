"""
A gradient of zero is not None: the weight still moves
======================================================

Multiply a loss by 0, mask it, or clear with ``set_to_none=False``: the gradient is
zero. An optimizer skips None. It does not skip zero.
"""

# %%
# Zero moves, None stays
# ----------------------
# A weight trains for one step. Then its gradient is None, or zero, for one more step.
import torch
from torch import nn

optimizers = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD, momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "SGD, weight_decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1),
}


def drift(make_optimizer, gradient):
    weight = nn.Parameter(torch.ones(1))
    optimizer = make_optimizer([weight])
    weight.grad = torch.ones(1)
    optimizer.step()
    before = weight.item()
    weight.grad = gradient
    optimizer.step()
    return weight.item() - before


drifts = {}
for name, make_optimizer in optimizers.items():
    drifts[name] = drift(make_optimizer, torch.zeros(1))
    print(f"{name:18} None: {drift(make_optimizer, None)}  zero: {drifts[name]:.4f}")
    assert drift(make_optimizer, None) == 0
still = [name for name, moved in drifts.items() if moved == 0]
assert still == ["SGD", "Adagrad", "RMSprop"]

# %%
# Momentum and Adam's averages remember the step before. Weight decay doesn't care how
# large the gradient is, only that it is not None.

# %%
# Where zeros come from
# ---------------------
# Everything that is recorded sends a gradient back, even if it is zero: a loss with the
# weight 0, a clamp beyond its bounds, a ReLU that is off.
x = torch.tensor([2.0], requires_grad=True)
(x * 0).sum().backward()
print(x.grad)
assert x.grad.item() == 0

# %%
# Why is my gradient NaN although I multiply by 0?
# ------------------------------------------------
# Multiplying by 0 does not switch a branch off. The derivative of ``sqrt`` at 0 is
# infinite, and 0 times infinity is NaN. ``torch.where`` computes both branches and
# sends 0 into the one that was not taken, with the same result.
y = torch.tensor([0.0], requires_grad=True)
(of_product,) = torch.autograd.grad((y.sqrt() * 0).sum(), y)
(of_where,) = torch.autograd.grad(torch.where(y > 0, y.sqrt(), 0.0).sum(), y)
print(of_product, of_where)
assert of_product.isnan()
assert of_where.isnan()

# %%
# So replace the value before ``sqrt`` sees it.
safe = torch.where(y > 0, y, 1.0).sqrt()
(of_safe,) = torch.autograd.grad(torch.where(y > 0, safe, 0.0).sum(), y)
assert of_safe.item() == 0

# %% tags=["hide-input"]
# How far each optimizer moves the weight in one step with a gradient of zero. Three
# don't move it, the others do. With None, none does.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.4, 3), layout="constrained")
ax.barh(
    list(drifts), [-moved for moved in drifts.values()], fc="none", ec="C0", hatch="//"
)
ax.set_xlabel("|step()|, grad = 0")
ax.invert_yaxis()
plt.show()

# %%
# To keep a weight still, set ``.grad = None`` or leave the branch out of the loss with
# ``if``. A term that you want to see and not to learn from needs ``detach()``, not the
# weight 0.
#
# Related: :doc:`gradients_accumulate`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`. Source:
# :torch:`torch.optim.Optimizer.zero_grad`.
