"""
Hooks and functions change gradients, but a zero does not freeze
================================================================

They can reverse a gradient, or skip one that nobody needs. A hook that makes a weight's
gradient zero does not freeze the weight: AdamW moves it all the same.
"""

# %%
# Reverse a gradient
# ------------------
# A head learns to tell domains apart, and the backbone learns features in which it
# can't (`domain-adversarial training <https://arxiv.org/abs/1505.07818>`_). A custom
# function or a hook between the two does it: the values pass, the gradient changes its
# sign.
import torch
from torch import nn


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, features):
        return features.view_as(features)

    @staticmethod
    def backward(_ctx, gradient):
        return -gradient


def reverse_by_hook(features):
    features.register_hook(torch.neg)
    return features


torch.manual_seed(0)
backbone, head = nn.Linear(3, 2), nn.Linear(2, 1)
x = torch.ones(4, 3)


def gradients(change):
    loss = head(change(backbone(x))).sum()
    return torch.autograd.grad(loss, [backbone.weight, head.weight])


plain = gradients(nn.Identity())
for change in (Reverse.apply, reverse_by_hook):
    of_backbone, of_head = gradients(change)
    assert of_backbone.equal(-plain[0])
    assert of_head.equal(plain[1])

# %%
# Skip a gradient that nobody needs
# ---------------------------------
# ``ctx.needs_input_grad`` tells which inputs want a gradient
# (:torch:`torch.autograd.Function.backward`). With a frozen weight this layer saves no
# input and returns ``None`` for the weight. The input gets its gradient as before.


class LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return x @ weight.T

    @staticmethod
    def backward(ctx, gradient):
        print(f"needs_input_grad: {ctx.needs_input_grad}")
        x, weight = ctx.saved_tensors
        for_x = gradient @ weight if ctx.needs_input_grad[0] else None
        for_weight = gradient.T @ x if ctx.needs_input_grad[1] else None
        return for_x, for_weight


for frozen in (False, True):
    x = torch.ones(4, 3, requires_grad=True)
    weight = nn.Parameter(torch.ones(2, 3), requires_grad=not frozen)
    y = LinearFunction.apply(x, weight)
    assert (y.grad_fn.saved_tensors[0] is None) == frozen
    y.sum().backward()
    assert (weight.grad is None) == frozen
    assert x.grad.tolist() == 4 * [[2.0, 2.0, 2.0]]

# %%
# Can I freeze a weight with a hook that returns zero?
# ----------------------------------------------------
# It seems so: no gradient comes through. But to an optimizer zero is a gradient like
# any other, and AdamW applies its weight decay. It skips a weight only where ``.grad``
# is ``None``, as it is for a weight that was frozen from the start.


def train(freeze, after=0, decay=0.01):
    w, v = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.AdamW([w, v], lr=0.1, weight_decay=decay)
    values = [w.item()]
    for step in range(50):
        if step == after:
            freeze(w)
        optimizer.zero_grad()
        (w * v).sum().backward()
        optimizer.step()
        values.append(w.item())
    return values


def zero_by_hook(w):
    w.register_hook(torch.zeros_like)


zeroed = train(zero_by_hook)
frozen = train(lambda w: w.requires_grad_(False))
print(f"w: {zeroed[-1]:.3f} {frozen[-1]:.3f}")
assert zeroed[-1] < 0.96
assert frozen == 51 * [1.0]

# %% tags=["hide-input"]
# The weight over 50 steps. Frozen, it stays where it is (solid line). With the hook it
# drifts towards zero (crosses).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(frozen, "C1-", lw=3, label="requires_grad_(False)")
ax.plot(zeroed, "C2x--", lw=2, ms=9, mew=2, markevery=5, label="register_hook")
ax.set(xlabel="step", ylabel="w")
ax.legend(loc="lower left")
plt.show()

# %%
# ``weight_decay=0`` helps only if the hook is there from the first step on. After a
# step with a gradient, momentum carries the weight further.
late = train(zero_by_hook, after=1, decay=0)
assert train(zero_by_hook, decay=0) == frozen
assert late[2] < late[1]

# %%
# Freeze with the flag. Use hooks and functions for gradients that must arrive, but
# changed.
#
# Related: :doc:`/gallery/graph/zero_is_not_none`,
# :doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`,
# :doc:`/gallery/three-ways/through_or_blocked`. Source:
# :torch:`torch.Tensor.register_hook`.
