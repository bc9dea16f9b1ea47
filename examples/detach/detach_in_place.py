"""
detach_() cuts what comes later, not what was computed before
=============================================================

``detach_()`` makes the tensor itself a leaf. Through what was computed from it before,
gradients still flow back. On a view it raises.
"""

# %%
# What does the underscore change?
# --------------------------------
# ``detach()`` returns another tensor. ``detach_()`` changes this one, for all code that
# holds it.
import torch

x = torch.ones(2, requires_grad=True)
y = x * 2
y.detach_()
print(y.requires_grad, y.is_leaf, y.grad_fn)
assert not y.requires_grad
assert y.is_leaf

# %%
# On a leaf it switches ``requires_grad`` off, as ``requires_grad_(False)`` does.
leaf = torch.ones(2, requires_grad=True)
leaf.detach_()
assert not leaf.requires_grad

# %%
# Does a late ``detach_()`` cut the graph?
# ----------------------------------------
# It is often said that it cuts ``x → y → z`` at ``y``. If ``z`` was computed before, it
# does not: ``z`` holds the node that made ``y``, and that node leads on to ``x``. It
# also has the hook that you registered on ``y``, so the hook still runs.
seen = []
y = x * 2
y.register_hook(seen.append)
z = y * 3
y.detach_()
z.sum().backward()
late = x.grad
print("late: ", late)
assert late.tolist() == [6, 6]
assert seen[0].tolist() == [3, 3]

# %%
# If ``z`` has saved ``y`` for its backward, as a square does, there is an error.
y = x * 2
z = y.square()
y.detach_()
try:
    z.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a saved tensor was detached in place")

# %%
# Called before ``z`` is computed, it cuts.
x.grad = None
y = x * 2
y.detach_()
z = y * 3 + x
z.sum().backward()
print("early:", x.grad)
assert x.grad.tolist() == [1, 1]

# %%
# Can't detach views in-place
# ---------------------------
# A view shares its history with its base, so it can't drop it on its own.
view = (x * 2)[:1]
try:
    view.detach_()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a view was detached in place")
assert not view.detach().requires_grad

# %% tags=["hide-input"]
# Above: ``detach_()`` comes after ``z`` and cuts nothing. Below: it comes before ``z``,
# and cuts.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
flow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for row, is_cut in ((0, False), (1, True)):
    ax.scatter(0, row, s=350, marker="s", fc="none", ec="C2" if is_cut else "C0", lw=2)
    ax.scatter(1, row, s=350, marker="s", fc="none", ec="0.3", lw=2)
    ax.scatter(2, row, s=200, marker="D", fc="none", ec="C3", lw=2)
    ax.annotate("", (1.15, row), (1.85, row), arrowprops=flow)
    if is_cut:
        ax.plot([0.15, 0.85], [row, row], "C2--", lw=2)
        ax.scatter(0.5, row, s=120, marker="x", color="C2", lw=3)
    else:
        ax.annotate("", (0.15, row), (0.85, row), arrowprops=flow)
ax.set_xticks([0, 1, 2], ["x", "y", "z"])
ax.set_yticks([0, 1], ["z = y * 3; y.detach_()", "y.detach_(); z = y * 3"])
ax.set_frame_on(False)
ax.margins(0.15, 0.4)
ax.invert_yaxis()
plt.show()

# %%
# Prefer ``detach()``: it says where the cut is, and surprises nobody who holds the
# tensor (:torch:`torch.Tensor.detach_`).
#
# Related: :doc:`detach_then_requires_grad`, :doc:`detach_shares_memory_and_version`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
