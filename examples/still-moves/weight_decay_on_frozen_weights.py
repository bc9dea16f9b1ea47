"""
Weight decay does not shrink a frozen weight, unless .grad is left
==================================================================

It is often said that weight decay shrinks frozen parameters unless you filter them out
of the optimizer. It does not, as long as their ``.grad`` is None.
"""

# %%
# Does weight decay move what is frozen?
# --------------------------------------
# Weight decay is a part of the update of a parameter, and an optimizer skips the update
# of a parameter whose ``.grad`` is None. Here the frozen weight is in the optimizer,
# with a strong decay, for five steps.
import torch

OPTIMIZERS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"]


def after_five_steps(name, grad):
    frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    trained = torch.nn.Parameter(torch.ones(1))
    frozen.grad = grad
    optimizer = getattr(torch.optim, name)([frozen, trained], lr=0.1, weight_decay=0.5)
    for _ in range(5):
        trained.grad = None
        (frozen * trained).sum().backward()
        optimizer.step()
    return frozen.item()


none = [after_five_steps(name, None) for name in OPTIMIZERS]
print("grad is None", none)
assert none == [1.0] * 5

# %%
# And if the gradient is zero?
# ----------------------------
# Then the update is not skipped, and each of the five shrinks the frozen weight. Zeros
# come from ``zero_grad(set_to_none=False)``, from a mask, or from a hook.
zero = [after_five_steps(name, torch.zeros(1)) for name in OPTIMIZERS]
for name, value in zip(OPTIMIZERS, zero, strict=True):
    print(f"grad is zero {name:8} {value:.3f}")
assert all(value < 1 for value in zero)

# %% tags=["hide-input"]
# The frozen weight, which began at 1, after five steps. Hatched: its gradient is None.
# Dashed: its gradient is zero, and weight decay shrinks it.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
places = range(len(OPTIMIZERS))
ax.bar([p - 0.2 for p in places], none, 0.36, fc="none", ec="C1", hatch="////", lw=2)
ax.bar([p + 0.2 for p in places], zero, 0.36, fc="none", ec="C2", ls="--", lw=2)
ax.set_xticks(places, OPTIMIZERS)
ax.set(ylabel="frozen weight")
plt.show()

# %%
# A penalty in the loss is another matter
# ---------------------------------------
# If you add the squares of the weights to the loss yourself, autograd computes the
# decay, and gives a frozen weight no gradient.
frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
trained = torch.nn.Parameter(torch.ones(1))
(0.5 * (frozen.square() + trained.square()).sum()).backward()
assert frozen.grad is None
assert trained.grad.item() == 1

# %%
# You need no filter to keep weight decay off. Freeze, set ``.grad`` to None, and keep
# ``zero_grad()`` at its default (:torch:`torch.optim.Optimizer.zero_grad`).
#
# Related: :doc:`stale_gradients`, :doc:`/gallery/graph/zero_is_not_none`,
# :doc:`/gallery/three-ways/filter_parameters_into_the_optimizer`.
