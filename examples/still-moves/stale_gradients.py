"""
Four ways in which a frozen weight still moves
==============================================

The optimizer looks at ``.grad``, never at ``requires_grad``. So a frozen weight moves
if it still has a gradient, even of zeros, or if other code writes to it.
"""

# %%
# My frozen layer still changes. Who moves it?
# --------------------------------------------
# Each function below freezes ``weight``, goes on training, and returns it before and
# after. First the gradient that is left: from the last step, if no ``zero_grad()`` came
# since, or from half an accumulation.
import torch


def fresh():
    weight = torch.nn.Parameter(torch.ones(2))
    other = torch.nn.Parameter(torch.ones(2))
    return weight, other, torch.optim.SGD([weight, other], lr=0.1, momentum=0.9)


def left_from_the_last_step():
    weight, other, optimizer = fresh()
    (weight * other).sum().backward()
    optimizer.step()
    weight.requires_grad_(False)
    before = weight.clone()
    (weight * other).sum().backward()
    optimizer.step()
    return before, weight


def left_from_half_an_accumulation():
    weight, other, optimizer = fresh()
    before = weight.detach().clone()
    (weight * other).sum().backward()
    weight.requires_grad_(False)
    (weight * other).sum().backward()
    optimizer.step()
    return before, weight


# %%
# A zero in place of None
# -----------------------
# A gradient of zeros is a gradient, so the update is not skipped, and momentum goes on
# with what it remembers. ``zero_grad()`` sets None unless you ask for zeros.
def zero_instead_of_none():
    weight, other, optimizer = fresh()
    (weight * other).sum().backward()
    optimizer.step()
    weight.requires_grad_(False)
    before = weight.clone()
    optimizer.zero_grad(set_to_none=False)
    (weight * other).sum().backward()
    optimizer.step()
    return before, weight


# %%
# Something writes to it
# ----------------------
# A moving average, ``load_state_dict()``, another parameter on the same memory: they
# write without a gradient, and the flag forbids no write under ``no_grad()``.
def written_to_by_hand():
    weight, other, _ = fresh()
    weight.requires_grad_(False)
    before = weight.clone()
    with torch.no_grad():
        weight.lerp_(2 * other, 0.1)
    return before, weight


ways = [
    left_from_the_last_step,
    left_from_half_an_accumulation,
    zero_instead_of_none,
    written_to_by_hand,
]
moved = {}
for way in ways:
    before, weight = way()
    moved[way.__name__] = (weight - before).abs().max().item()
    print(f"{way.__name__:32}{moved[way.__name__]:.2f}")
    assert not weight.requires_grad
assert all(distance > 0.05 for distance in moved.values())

# %% tags=["hide-input"]
# How far the frozen weight moved in one step, for each way.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
ax.barh(list(moved), list(moved.values()), fc="none", ec="C2", hatch="////", lw=2)
ax.set(xlabel="max |change|")
ax.invert_yaxis()
plt.show()

# %%
# What to do
# ----------
# Clear the gradient in the same line in which you freeze: with None, the optimizer has
# nothing to apply. That is the cure for the first three. The fourth is your own code.
weight, other, optimizer = fresh()
(weight * other).sum().backward()
optimizer.step()
weight.requires_grad_(False).grad = None
before = weight.clone()
(weight * other).sum().backward()
optimizer.step()
assert torch.equal(weight, before)

# %%
# A gradient that is left also counts in ``clip_grad_norm_()``. The gradient of
# ``other`` has a norm of 0.14 here, below the limit of 1, and is scaled down even so.
weight.grad, other.grad = torch.full((2,), 100.0), torch.full((2,), 0.1)
torch.nn.utils.clip_grad_norm_([weight, other], max_norm=1.0)
print(other.grad)
assert other.grad.max() < 0.001

# %%
# :py:func:`gradguide.freeze` sets the flag and clears the gradient. Source: an
# optimizer skips a parameter only if its gradient is None, see
# :torch:`torch.optim.Optimizer.zero_grad`.
#
# Related: :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`,
# :doc:`weight_decay_on_frozen_weights`,
# :doc:`/gallery/diagnose/will_it_really_stay_frozen`.
