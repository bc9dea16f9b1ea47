"""
.data is not detach(): it hides a write from autograd
=====================================================

``y.data`` shares the memory of ``y``, but not its version counter. After a write to it
``backward()`` can compute a wrong gradient, with no error and no warning.
"""

# %%
# Are ``.data`` and ``.detach()`` the same?
# -----------------------------------------
# It is often said, and it holds as long as you only read. Both use the memory of
# ``y``, and neither requires a gradient. Now write: double the output of ``sigmoid``.
import torch

x = torch.linspace(-4, 4, 33, requires_grad=True)
y = x.sigmoid()
right = (y * (1 - y)).detach()
assert y.data.data_ptr() == y.detach().data_ptr() == y.data_ptr()
y.data.mul_(2)
y.sum().backward()
print(f"right:  {[round(g, 3) for g in right.tolist()[::8]]}")
print(f"x.grad: {[round(g, 3) for g in x.grad.tolist()[::8]]}")
assert y._version == 0
assert (x.grad[x > 0] < 0).all()

# %%
# The right gradient is ``y * (1 - y)``. ``backward()`` finds version 0, as it was when
# ``y`` was saved, and so takes the doubled ``y`` for the saved one. The same write to
# ``y.detach()`` is counted, and ``backward()`` refuses.
y = x.sigmoid()
y.detach().mul_(2)
try:
    y.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the write was not counted")

# %%
# Where it bites: clipped weights, and NumPy
# ------------------------------------------
# ``w.data.clamp_()`` between forward and backward spoils the gradient of what lies
# before: here it is 1, and 5 is right. Under ``no_grad()`` the write is counted. A
# write through ``y.detach().numpy()`` is not, until you count it yourself, with
# :torch:`torch.autograd.graph.increment_version`.
h = torch.ones(1, requires_grad=True)
w = torch.nn.Parameter(torch.tensor([5.0]))
loss = (w * h).sum()
w.data.clamp_(-1, 1)
loss.backward()
assert h.grad.item() == 1.0
with torch.no_grad():
    w.clamp_(-1, 1)
assert w._version == 1

y = h.exp()
y.detach().numpy()[:] = 0
assert y._version == 0
torch.autograd.graph.increment_version(y)
assert y._version == 1

# %%
# ``w.data = ...`` checks neither shape nor dtype
# -----------------------------------------------
# It replaces the memory and keeps the old gradient. ``copy_()`` checks the shape.
w.data = torch.zeros(3, dtype=torch.float64)
print(w.shape, w.dtype, w.grad.shape, w.grad.dtype)
assert w.shape != w.grad.shape
try:
    with torch.no_grad():
        w.copy_(torch.zeros(2))
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("two values were copied into three")

# %% tags=["hide-input"]
# The gradient of ``sigmoid``, right (solid) and after ``y.data.mul_(2)`` (dashed): even
# its sign is wrong where ``x`` is positive.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(x.detach(), right, "C0", label="y * (1 - y)", lw=2)
ax.plot(x.detach(), x.grad, "C2--", label="y.data.mul_(2)", lw=2)
ax.set(xlabel="x", ylabel="x.grad")
ax.legend()
plt.show()

# %%
# To read, use ``detach()``. To write, use ``with torch.no_grad():``.
#
# Related: :doc:`detach_shares_memory_and_version`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`. Source: the PyTorch issue
# `Remove .data <https://github.com/pytorch/pytorch/issues/30987>`__.
