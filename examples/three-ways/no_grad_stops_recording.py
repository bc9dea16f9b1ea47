"""
Wrong gradient, no error: no_grad() made a term a constant
==========================================================

What is computed under ``torch.no_grad()`` leaves no record, and ``backward()`` treats
its result as a constant. Compute outside the block whatever a gradient must pass
through.
"""

# %%
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():
    y3 = x**5
(wrong,) = torch.autograd.grad((x**2 + y3).sum(), x)
print(wrong)
y3 = x**5
(right,) = torch.autograd.grad((x**2 + y3).sum(), x)
print(right)
assert wrong.equal(2 * x)
assert right.equal(2 * x + 5 * x**4)

# %%
# Why is my gradient wrong under ``no_grad()``?
# ---------------------------------------------
# Of three terms, two are computed without a record.
x = torch.tensor([1.0, 2.0], requires_grad=True)
y1 = x**2

with torch.no_grad():
    y2 = y1 * 2
    y3 = x**5

y4 = y1 + y2 + y3

print(y1, y1.requires_grad)
print(y2, y2.requires_grad)
print(y3, y3.requires_grad)
print(y4, y4.requires_grad)
y4.backward(torch.ones(y4.shape))
print(x.grad)

# %%
# ``[2, 4]`` is the derivative of ``y1`` alone. The derivative of all three terms is
# ``[11, 92]``. There is no error and no warning: two terms were constants.
(derivative,) = torch.autograd.grad((x**2 + 2 * x**2 + x**5).sum(), x)
print(derivative)
assert x.grad.tolist() == [2.0, 4.0]
assert x.grad.equal(2 * x)
assert derivative.tolist() == [11.0, 92.0]
assert derivative.equal(2 * x + 4 * x + 5 * x**4)

# %% tags=["hide-input"]
# The gradient comes back by the recorded path (arrow). The two that were computed under
# ``no_grad()`` are cut (crosses).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.scatter(0, 0, s=1200, marker="s", fc="none", ec="C0", lw=2)
ax.scatter(2, 0, s=1200, marker="D", fc="none", ec="C3", lw=2)
arrow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
ax.annotate("", (0.2, 0), (1.75, 0), arrowprops=arrow)
for y in (1, -1):
    path = [0.2, 1, 1.8], [y / 5, y, y / 5]
    ax.plot(*path, "C2--x", markevery=[1], lw=2, ms=12, mew=3)
for y, term in [(1.15, "y2: 4 * x"), (0.15, "y1: 2 * x"), (-1.4, "y3: 5 * x**4")]:
    ax.text(1, y, term, ha="center")
ax.text(0, -0.7, f"x.grad = {x.grad.tolist()}", ha="center")
ax.text(2, -0.7, "y4.backward()", ha="center")
ax.margins(0.25)
ax.axis("off")
plt.show()

# %%
# Does ``no_grad()`` forbid ``backward()``?
# -----------------------------------------
# It is often said to forbid gradients, or to set every ``requires_grad`` to False. It
# does neither. For ``x`` it stays True, and ``backward()`` runs inside the block on
# what was recorded outside. (The article that this chapter repeats calls it
# ``with_no_grad``. The name is :torch:`torch.no_grad`; ``with`` is a keyword of
# Python.)
loss = (x**2).sum()
with torch.no_grad():
    assert x.requires_grad
    x.grad = None
    loss.backward()
assert x.grad.tolist() == [2.0, 4.0]
assert not hasattr(torch, "with_no_grad")

# %%
# "grad can be implicitly created only for scalar outputs"
# --------------------------------------------------------
# Call ``backward()`` on the terms themselves, and both raise an error. ``y1`` has a
# record, but also two elements, and no factors were passed for them. ``y2`` has no
# record.
for term in (y1, y2):
    try:
        term.backward()
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("backward() ran on two elements")

# %%
# The cure for ``y1`` is ``y1.sum().backward()``, or to pass the factors:
# ``y1.backward(torch.ones_like(y1))``. Both give the same gradient.
y1 = x**2
x.grad = None
y1.sum().backward(retain_graph=True)
assert x.grad.tolist() == [2.0, 4.0]
x.grad = None
y1.backward(torch.ones_like(y1))
assert x.grad.tolist() == [2.0, 4.0]

# %%
# Unfrozen, and the encoder still gets no gradient: no_grad() in its forward()
# ----------------------------------------------------------------------------
# You set ``requires_grad`` to True, the optimizer holds the parameters, and their
# ``.grad`` stays None. Look for ``with torch.no_grad():`` or ``@torch.no_grad()``
# around the call of the encoder: in ``forward()``, in ``encode_image()``, in the
# training script (as in `finetune-SAM
# <https://github.com/mazurowski-lab/finetune-SAM/issues/5>`__). Such a block wins over
# ``requires_grad``, and there is no error as long as something else trains. Make it
# depend on a condition. In fairseq this is ``freeze_finetune_updates``: ``no_grad()``
# for the first updates, then none. ``set_grad_enabled()`` does it, too, but switches
# recording *on* if the caller had it off, so combine it with
# ``torch.is_grad_enabled()``.
import contextlib

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Linear(2, 2), nn.Linear(2, 1)
        self.updates, self.frozen_updates = 0, 2

    def wrong(self, x):
        with torch.no_grad():
            features = self.encoder(x)
        return self.head(features)

    def right(self, x):
        is_frozen = self.updates < self.frozen_updates
        with torch.no_grad() if is_frozen else contextlib.nullcontext():
            features = self.encoder(x)
        return self.head(features)


model, reached = Model(), {"wrong": [], "right": []}
for way, found in reached.items():
    for model.updates in range(4):
        model.zero_grad()
        getattr(model, way)(torch.ones(1, 2)).sum().backward()
        found.append(model.encoder.weight.grad is not None)
    print(f"{way}: {found}")
assert reached == {"wrong": [False] * 4, "right": [False] * 2 + [True] * 2}
assert all(p.requires_grad for p in model.encoder.parameters())

# %%
# Where it ends
# -------------
# - ``enable_grad()`` inside the block records again, and ``torch.func.grad`` inside it
#   differentiates as usual.
# - A tensor that you create inside with ``requires_grad=True``, such as a parameter,
#   requires a gradient as usual.
# - Writing to a tensor makes no new one: ``h`` keeps the record of the values it had
#   before, so the factor 10 is missing from the gradient.
with torch.no_grad():
    with torch.enable_grad():
        assert (x**2).requires_grad
    gradient = torch.func.grad(lambda x: (x**2).sum())(x)
    assert torch.nn.Parameter(torch.ones(2)).requires_grad
assert gradient.tolist() == [2.0, 4.0]
h = x**2
with torch.no_grad():
    h.mul_(10.0)
x.grad = None
h.sum().backward()
print(h, x.grad)
assert h.tolist() == [10.0, 40.0]
assert x.grad.tolist() == [2.0, 4.0]

# %%
# Use ``no_grad()`` where no gradient has to pass, such as for evaluation, weight
# updates and targets.
#
# Related: :doc:`detach_is_not_no_grad`, :doc:`through_or_blocked`,
# :doc:`backward_without_a_graph`.
