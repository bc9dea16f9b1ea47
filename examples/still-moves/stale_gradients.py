"""
A frozen weight still changes: its .grad was left behind
========================================================

An optimizer of PyTorch looks at ``.grad``, not at ``requires_grad``. If you freeze
after a backward, also set ``.grad`` to None. ``LBFGS`` must then be built again, too.
"""

# %%
# Both weights are frozen between ``backward()`` and ``step()``. One still has its
# gradient, and moves. The other does not.
import torch

weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(3)]
stale, cleared, head = weights
optimizer = torch.optim.SGD(weights, lr=0.1)
(stale * cleared * head).sum().backward()

stale.requires_grad_(False)
cleared.requires_grad_(False).grad = None
optimizer.step()
print("requires_grad_(False):", stale.detach())
print("requires_grad_(False).grad = None:", cleared.detach())
assert torch.equal(stale, torch.full((2,), 0.9))
assert torch.equal(cleared, torch.ones(2))


# %%
# Where does such a gradient come from?
# -------------------------------------
# From half an accumulation, or from the last step, if ``zero_grad()`` was not called
# since. Each function below freezes ``weight``, goes on training, and returns it before
# and after.
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


# %%
# ``zero_grad(set_to_none=False)`` leaves a gradient of zeros. The optimizer does not
# skip it, and momentum goes on in the old direction. The default sets None.
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
# A weight can also change without a gradient: ``requires_grad=False`` forbids no write.
# A moving average, ``load_state_dict()`` or another parameter on the same memory write
# to it. Then no setting of the weight helps: change the code that writes.
def written_to_by_hand():
    weight, other, _ = fresh()
    weight.requires_grad_(False)
    before = weight.clone()
    with torch.no_grad():
        weight.lerp_(2 * other, 0.1)
    return before, weight


def shares_its_memory():
    weight, _, _ = fresh()
    shared = torch.nn.Parameter(weight.data)
    weight.requires_grad_(False)
    before = weight.clone()
    shared.sum().backward()
    torch.optim.SGD([shared], lr=0.1).step()
    return before, weight


ways = [
    left_from_the_last_step,
    zero_instead_of_none,
    written_to_by_hand,
    shares_its_memory,
]
moved = {}
for way in ways:
    before, weight = way()
    moved[way.__name__] = (weight - before).abs().max().item()
    print(f"{way.__name__:32}{moved[way.__name__]:.2f}")
    assert not weight.requires_grad
assert all(distance > 0.05 for distance in moved.values())
torch.nn.ParameterList([weight]).load_state_dict({"0": torch.zeros(2)})
assert not weight.any()

# %% tags=["hide-input"]
# How far the frozen weight moved in one step, for each way.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.barh(list(moved), list(moved.values()), fc="none", ec="C2", hatch="////", lw=2)
ax.set(xlabel="max |change|")
ax.invert_yaxis()
plt.show()

# %%
# ``model.zero_grad()`` or ``optimizer.zero_grad()``?
# ---------------------------------------------------
# They do the same if the optimizer holds all parameters of the model. If it holds only
# the head, ``optimizer.zero_grad()`` clears only the head. A backbone that still
# requires a gradient then adds one to its ``.grad`` in each step. It does not move, but
# this costs memory and time, counts in ``clip_grad_norm_(model.parameters())``, and the
# whole sum is applied when you add the backbone to the optimizer. Freeze the backbone,
# or call ``model.zero_grad()``. If one optimizer holds several models,
# ``optimizer.zero_grad()`` is the one that clears all.
backbone, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
network = torch.nn.Sequential(backbone, head)
optimizer = torch.optim.SGD(head.parameters(), lr=0.0)
growth = {}
for name, clear in (("optimizer", optimizer), ("model", network)):
    network.zero_grad()
    norms = []
    for _ in range(3):
        clear.zero_grad()
        network(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        norms.append(backbone.bias.grad.norm().item())
    growth[name] = [round(norm / norms[0], 3) for norm in norms]
    print(f"{name}.zero_grad(): {growth[name]}")
assert growth == {"optimizer": [1, 2, 3], "model": [1, 1, 1]}

# %%
# A gradient that is left also counts in ``clip_grad_norm_()``. The gradient of
# ``other`` has a norm of 0.14 here, below the limit of 1, and is scaled down even so.
weight, other, _ = fresh()
weight.grad, other.grad = torch.full((2,), 100.0), torch.full((2,), 0.1)
torch.nn.utils.clip_grad_norm_([weight, other], max_norm=1.0)
print(other.grad)
assert other.grad.max() < 0.001


# %%
# Where it ends
# -------------
# None is enough for the optimizers below, with ``foreach`` or without, but not for
# LBFGS. It joins all its parameters into one vector, replaces None by zeros, and
# updates the frozen ones from its history. So build a new one after the freeze.
def moves_after_none(name, *, again=False, **options):
    weight, other, _ = fresh()
    optimizer = getattr(torch.optim, name)([weight, other], lr=0.1, **options)

    def closure():
        optimizer.zero_grad()
        loss = (weight * other - 3).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    weight.requires_grad_(False).grad = None
    if again:
        optimizer = type(optimizer)([weight, other], lr=0.1, **options)
    before = weight.clone()
    optimizer.step(closure)
    return not torch.equal(weight, before)


adaptive = ["Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta"]
for name in ["SGD", "ASGD", "RMSprop", "Rprop", *adaptive]:
    assert not moves_after_none(name, foreach=False)
    assert not moves_after_none(name, foreach=True)
assert moves_after_none("LBFGS", max_iter=3)
assert not moves_after_none("LBFGS", max_iter=3, again=True)

# %%
# A gradient of zeros is harmless in ``SGD`` without momentum and weight decay. With
# either of them it moves the weight.
for options in ({}, {"momentum": 0.9}, {"weight_decay": 0.1}):
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1, **options)
    weight.sum().backward()
    optimizer.step()
    before = weight.requires_grad_(False).clone()
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    assert torch.equal(weight, before) == (not options)

# %%
# :py:func:`gradguide.freeze` sets ``requires_grad`` and clears the gradient.
# :torch:`torch.optim.Optimizer.zero_grad` describes how an optimizer treats None and
# zeros.
#
# Related: :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`,
# :doc:`weight_decay_on_frozen_weights`,
# :doc:`/gallery/diagnose/will_it_really_stay_frozen`.
