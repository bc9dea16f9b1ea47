"""
Update weights in place, under no_grad()
========================================

With recording on, an in-place update raises an error. ``w = w - lr * w.grad`` raises
none at first, but ``w`` is then the name of a new tensor, and the second step fails.
"""

# %%
# "a leaf Variable that requires grad is being used in an in-place operation"
# ---------------------------------------------------------------------------
# To record a change, autograd would have to make ``w`` the result of an operation. Then
# it would no longer be a leaf, and get no gradient. So autograd refuses. Setting one
# element changes ``w`` through a view, and fails in the same way.
import torch


def loss_of(w):
    return (torch.tensor([0.5, 2.0]) * w**2).sum(-1)


def weight_with_gradient():
    w = torch.nn.Parameter(torch.tensor([-4.0, 3.0]))
    loss_of(w).backward()
    return w


def descend(w):
    w -= 0.4 * w.grad


def set_first(w):
    w[0] = 1.0


w = weight_with_gradient()
for update in (descend, set_first):
    try:
        update(w)
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("a leaf was changed in place, with recording on")

# %%
# Why not write w = w - lr * w.grad?
# ----------------------------------
# That makes a new tensor, the result of a subtraction. It is not a leaf, so the next
# ``backward()`` leaves its ``.grad`` at ``None``, and the next step fails.
w = w - 0.4 * w.grad
assert not w.is_leaf
loss_of(w).backward()
try:
    w = w - 0.4 * w.grad
except TypeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("w is still a leaf")
stuck = w.tolist()

# %%
# Under ``no_grad()`` the new tensor is a leaf, but it requires no gradient, and
# ``backward()`` fails. A model or an optimizer would know nothing of it, either: they
# still hold the old one.
w = parameter = weight_with_gradient()
with torch.no_grad():
    w = w - 0.4 * w.grad
assert w.is_leaf
assert not w.requires_grad
assert parameter.tolist() == [-4.0, 3.0]
try:
    loss_of(w).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("w still requires a gradient")

# %%
# What to do
# ----------
# Both: ``no_grad()``, and in place. ``w`` stays the same leaf and nothing is recorded.
# Optimizers do it like this (:torch:`Autograd mechanics
# <notes/autograd.html#no-grad-mode>`), and the result is the same.
w, reference = weight_with_gradient(), weight_with_gradient()
optimizer = torch.optim.SGD([reference], lr=0.4)
path = [w.tolist()]
for _ in range(5):
    with torch.no_grad():
        descend(w)
    w.grad = None
    loss_of(w).backward()
    path.append(w.tolist())

    optimizer.step()
    optimizer.zero_grad()
    loss_of(reference).backward()
assert w.is_leaf
assert w.requires_grad
assert torch.allclose(w, reference)

# %% tags=["hide-input"]
# Updated in place, the weight (squares) goes down to the minimum of the loss. With a
# new tensor there is one step, and no second (cross).
import matplotlib.pyplot as plt

grid = torch.linspace(-5, 5, 50)
points = torch.stack(torch.meshgrid(grid, grid, indexing="xy"), dim=-1)
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.contour(grid, grid, loss_of(points), 8, colors="C1", linestyles=":")
ax.plot(*zip(*path, strict=True), "C0s-", mfc="white", ms=9, mew=2)
ax.plot(*stuck, "C2x", ms=18, mew=4)
ax.set(xlabel="w[0]", ylabel="w[1]", ylim=(-4, 4))
plt.show()

# %%
# Clear the gradient after each update, as ``zero_grad()`` does, or the next one adds to
# it.
#
# Related: :doc:`/gallery/three-ways/what_requires_grad_records` on leaves,
# :doc:`/gallery/three-ways/no_grad_stops_recording`, :doc:`no_grad_as_decorator`.
