"""
detach() returns a second tensor: no gradient, the same memory
==============================================================

``z.detach()`` returns a tensor that shares the memory of ``z`` but not its history: no
gradient reaches ``z`` through it. ``z`` itself keeps its history, so use the tensor
that ``detach()`` returns, and ``clone()`` that one before you write to it.
"""

# %%
import torch

z = torch.tensor([3.0, 2.0], requires_grad=True)
z.detach()  # wrong: its result is dropped, and z is as before
z1 = z.detach()  # right
print(z.requires_grad, z1.requires_grad)
z1[0] = 5.0  # wrong: this writes to z, too
copy = z.detach().clone()  # right
copy[1] = 7.0
print(z)
print(copy)
assert z.tolist() == [5.0, 2.0]

# %%
# What does ``detach()`` cut?
# ---------------------------
# ``x`` and ``z`` go into ``y1`` detached, ``y`` as it is. Of the three, only ``y`` gets
# a gradient, and reading ``x.grad`` gives a warning.
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([3.0, 4.0], requires_grad=True)
z = torch.tensor([3.0, 2.0], requires_grad=True)
x = x * 2
z1 = z.detach()
x1 = x.detach()
y1 = 2.0 * x1 + 2.0 * y + 3 * z1
y1.backward(torch.tensor([1.0, 1.0]))
print(x.requires_grad)
print(x.grad)
print(y.requires_grad)
print(y.grad)
print(z.requires_grad)
print(z.grad)
print(z1.requires_grad)
print(z1.grad)
assert y.grad.tolist() == [2.0, 2.0]
assert z.grad is None
assert z.requires_grad
assert not z1.requires_grad

# %% tags=["hide-input"]
# The gradient of ``y1`` reaches ``y``. The paths to ``x`` and ``z`` are cut.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.scatter(2, 1, s=1200, marker="D", fc="none", ec="C3", lw=2)
ax.text(2, 1.5, "y1.backward()", ha="center")
for name, height in {"x": 2, "y": 1, "z": 0}.items():
    ax.scatter(0, height, s=800, marker="s", fc="none", ec="C0", lw=2)
    ax.text(-0.25, height, name, ha="right", va="center")
for name, height in {"x": 2, "z": 0}.items():
    middle = (height + 1) / 2
    path = [0.25, 1, 1.75], [height, middle, 1]
    ax.plot(*path, "C2--x", markevery=[1], lw=2, ms=12, mew=3)
    ax.text(1, middle + 0.3, f"{name}.detach()", ha="center")
arrow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
ax.annotate("", (0.2, 1), (1.75, 1), arrowprops=arrow)
ax.margins(0.25)
ax.axis("off")
plt.show()

# %%
# "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed"
# -----------------------------------------------------------------------------
# The warning is right, and ``detach()`` does not cause it. After ``x = x * 2`` the name
# ``x`` stands for a result: the gradient passes through it and stays at the leaf. A
# result keeps its gradient if you ask for it (:torch:`torch.Tensor.retain_grad`). Then
# its ``.grad`` shows what detaching changes.
#
# A copy on another device or in another dtype is a result, too: what
# ``torch.ones(2, requires_grad=True).cuda()`` returns is not a leaf.
leaf = torch.tensor([1.0, 2.0], requires_grad=True)
x = leaf * 2
(2.0 * x).sum().backward()  # nothing is detached
assert leaf.grad.tolist() == [4.0, 4.0]
assert not x.retains_grad
assert not leaf.double().is_leaf

x = leaf * 2
x.retain_grad()
(2.0 * x.detach() + y).sum().backward()
assert x.grad is None
(2.0 * x).sum().backward()
assert x.grad.tolist() == [2.0, 2.0]

# %%
# "you can only change requires_grad flags of leaf variables"
# -----------------------------------------------------------
# Why not set ``requires_grad`` of ``x`` to False? For a result it follows from the
# inputs; it can be *changed* only on leaves. The first two errors recommend
# ``detach()``. ``requires_grad_(True)`` raises no error and does nothing, because it is
# True already.
assert x.requires_grad_(True) is x
messages = []
for change in (
    lambda: x.requires_grad_(False),
    lambda: setattr(x, "requires_grad", False),
    lambda: setattr(x, "requires_grad", True),
):
    try:
        change()
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
        messages.append(str(error))
    else:
        raise AssertionError("requires_grad of a result was changed")
assert ["detach()" in message for message in messages] == [True, True, False]

# %%
# Detach only some elements: a mask, some samples, channels or time steps
# -----------------------------------------------------------------------
# ``h[:2].detach_()`` raises an error, and ``h[:2].detach()`` alone changes nothing. Put
# together what may pass a gradient and what may not: ``torch.where`` for a mask, which
# broadcasts, and ``torch.cat`` for a range of samples or channels. The values stay as
# they are. A parameter that computed both parts still gets the gradient of the other
# part.
h = torch.ones(3, 4, requires_grad=True) * 2
passes = torch.tensor([[True], [False], [True]])  # one for each sample
by_mask = torch.where(passes, h, h.detach())
by_range = torch.cat([h[:, :1].detach(), h[:, 1:]], dim=1)
reached = []
for part in (by_mask, by_range):
    (gradient,) = torch.autograd.grad(part.sum(), h, retain_graph=True)
    print(gradient)
    reached.append(gradient)
    assert part.equal(h)
assert reached[0].any(1).tolist() == [True, False, True]
assert reached[1].any(0).tolist() == [False, True, True, True]
try:
    h[:2].detach_()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a view was detached in place")
assert "Can't detach views in-place" in message

# %%
# Where it ends
# -------------
# - Both share one storage (:torch:`torch.Tensor.detach`) and one version counter: a
#   write to one is a write to the other, and counts for both
#   (:doc:`/gallery/detach/detach_shares_memory_and_version`). If they are sparse COO
#   tensors, ``mul_()`` on one counts for both, but changes only this one.
# - A path that does not go through the detached tensor still leads to ``z``.
# - ``detach_()`` returns no second tensor: it cuts the tensor itself.
# - A conversion that changes nothing returns its input, and a leaf is still a leaf.
assert z1.data_ptr() == z.data_ptr()
assert z1.clone().data_ptr() != z.data_ptr()
h = z.exp()
h.detach()[0] = 5.0
assert h._version == 1
sparse = torch.eye(2).to_sparse()
other = sparse.detach()
sparse.mul_(5)
assert other._version == sparse._version > 0
assert (sparse.to_dense()[0, 0], other.to_dense()[0, 0]) == (5, 1)
(z + 3 * z.detach()).sum().backward()
assert z.grad.tolist() == [1.0, 1.0]
h = z * 2
assert h.detach_() is h
assert h.grad_fn is None
assert leaf.to(torch.float32) is leaf

# %%
# Detach where the gradient must stop, and ``clone()`` before you write.
#
# Related: :doc:`detach_in_a_gan`, :doc:`detach_is_not_no_grad`,
# :doc:`through_or_blocked`.
