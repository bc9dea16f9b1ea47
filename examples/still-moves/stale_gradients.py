"""
Four ways in which a frozen weight still moves
==============================================

The optimizer looks at ``.grad``, and code under ``no_grad()`` looks at nothing. So a
weight with ``requires_grad=False`` moves if a gradient is left, or if something writes.
"""

# %%
# My frozen layer still changes. Who moves it?
# --------------------------------------------
# Each function below freezes a weight, trains on, and returns it before and after.
# First the gradient that is left: from the last step, or from half an accumulation.
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
# A gradient of zeros is a gradient. Momentum goes on with what it remembers.
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
# An averaged copy, tied weights, ``load_state_dict()``: no gradient is asked, and none
# is needed.
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

# %%
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
# Clear the gradient in the same line in which you freeze: nothing is left that could be
# applied. The fourth way is your own code.
weight, other, optimizer = fresh()
(weight * other).sum().backward()
optimizer.step()
weight.requires_grad_(False).grad = None
before = weight.clone()
(weight * other).sum().backward()
optimizer.step()
assert torch.equal(weight, before)

# %%
# :py:func:`gradguide.freeze` does both. Source: an optimizer skips a parameter only if
# its gradient is None, see :torch:`torch.optim.Optimizer.zero_grad`.
#
# Related: :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`,
# :doc:`weight_decay_on_frozen_weights`,
# :doc:`/gallery/diagnose/will_it_really_stay_frozen`.
