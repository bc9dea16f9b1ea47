"""
Writing to .data gives a wrong gradient without an error: use detach()
======================================================================

``y.data`` shares the memory of ``y``, but not its version counter, so ``backward()``
can't notice a write. To read, use ``detach()``. To write, use ``torch.no_grad()``.
"""

# %%
# Are ``.data`` and ``.detach()`` the same?
# -----------------------------------------
# Not if you write: ``sigmoid`` has saved ``y`` to compute its gradient,
# ``y * (1 - y)``.
import torch

x = torch.linspace(-4, 4, 33, requires_grad=True)
y = x.sigmoid()
y.data.mul_(2)  # wrong
y.sum().backward()
wrong, x.grad = x.grad, None
y = x.sigmoid()
doubled = y.detach() * 2  # right
y.sum().backward()
print("wrong:", [round(g, 3) for g in wrong.tolist()[::8]])
print("right:", [round(g, 3) for g in x.grad.tolist()[::8]])
assert x.grad.allclose(y * (1 - y))
assert (wrong[x > 0] < 0).all()

# %%
# What happens with the same write to ``detach()``?
# -------------------------------------------------
# It is counted, and ``backward()`` raises an error instead of using the doubled ``y``.
# A write under ``no_grad()`` is counted, too. As long as you only read, there is no
# difference: both use the memory of ``y``, and neither requires a gradient.
y = x.sigmoid()
y.data.mul_(2)
assert y._version == 0
assert y.data.data_ptr() == y.detach().data_ptr() == y.data_ptr()
assert not y.data.requires_grad
assert not y.detach().requires_grad
for write in (lambda y: y.detach().mul_(2), torch.no_grad()(lambda y: y.mul_(2))):
    y = x.sigmoid()
    write(y)
    assert y._version == 1
    try:
        y.sum().backward()
    except RuntimeError as error:
        message = f"{type(error).__name__}: {error}"
    else:
        raise AssertionError("the write was not counted")
print(message)

# %% tags=["hide-input"]
# The gradient of ``sigmoid``, right (solid) and after ``y.data.mul_(2)`` (dashed): even
# its sign is wrong where ``x`` is positive.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(x.detach(), x.grad, "C0", label="y * (1 - y)", lw=2)
ax.plot(x.detach(), wrong, "C2--", label="y.data.mul_(2)", lw=2)
ax.set(xlabel="x", ylabel="x.grad")
ax.legend()
plt.show()

# %%
# Where does this go wrong in practice?
# -------------------------------------
# Where weights are clipped. Between forward and backward, ``w.data.clamp_()`` spoils
# the gradients that are computed from ``w``: here the result is 1, and 5 is right. Clip
# after ``backward()``, under ``no_grad()``.
h = torch.ones(1, requires_grad=True)
w = torch.nn.Parameter(torch.tensor([5.0]))
loss = (w * h).sum()
w.data.clamp_(-1, 1)
loss.backward()
assert h.grad.item() == 1.0

h.grad, w = None, torch.nn.Parameter(torch.tensor([5.0]))
(w * h).sum().backward()
with torch.no_grad():
    w.clamp_(-1, 1)
assert (h.grad.item(), w.item(), w._version) == (5.0, 1.0, 1)

# %%
# What does ``w.data = ...`` check?
# ---------------------------------
# Neither the shape, nor whether the dtype is the same. It replaces the memory and keeps
# the old gradient. It does refuse another layout, and integers for a tensor that
# requires a gradient. ``copy_()`` keeps shape and dtype: it converts the values, and
# raises an error if they can't be broadcast to the shape.
w.data = torch.zeros(3, dtype=torch.float64)
print(w.shape, w.dtype, w.grad.shape, w.grad.dtype)
assert w.shape != w.grad.shape
assert w.dtype != w.grad.dtype
for values in (torch.zeros(3, dtype=torch.int64), torch.zeros(3).to_sparse()):
    try:
        w.data = values
    except RuntimeError:
        assert w.dtype == torch.float64
    else:
        raise AssertionError("integers and sparse tensors are refused")

with torch.no_grad():
    w.copy_(torch.ones(1, dtype=torch.int64))
    assert w.tolist() == [1, 1, 1]
    try:
        w.copy_(torch.zeros(2))
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("two values were copied into three")

# %%
# What do I write instead of ``.data``?
# -------------------------------------
# - ``w.data.normal_()``, ``w.data.fill_(0)``: ``torch.nn.init.normal_(w)``,
#   ``torch.nn.init.zeros_(w)``. They enter ``no_grad()`` themselves.
# - ``w.data -= lr * w.grad.data``: ``w -= lr * w.grad`` under ``no_grad()``. Without
#   it, this raises ``a leaf Variable that requires grad …``.
# - ``w.grad.data.zero_()``: ``w.grad = None``, or ``optimizer.zero_grad()``.
# - ``target.data.copy_(tau * w.data + (1 - tau) * target.data)``, for a target network
#   or an EMA: ``target.lerp_(w, tau)`` under ``no_grad()``.
# - ``layer.weight.data = pretrained``: ``layer.weight.copy_(pretrained)`` under
#   ``no_grad()``, or ``load_state_dict()``.
# - ``y.data.cpu().numpy()`` and ``loss.data[0]``: ``y.numpy(force=True)`` and
#   ``loss.item()``.
# - ``Variable(x.data)``: ``x.detach()``.
#
# The values are the same. What you gain is the check: a write under ``no_grad()``
# between forward and ``backward()`` is noticed.


def old(w, target, gradient):
    w.data -= 0.1 * gradient
    target.data.copy_(0.2 * w.data + 0.8 * target.data)
    w.data.clamp_(-1, 1)


@torch.no_grad()
def new(w, target, gradient):
    w -= 0.1 * gradient
    target.lerp_(w, 0.2)
    w.clamp_(-1, 1)


results = []
for update in (old, new):
    w = torch.nn.Parameter(torch.tensor([5.0, 0.5]))
    target = torch.nn.Parameter(torch.zeros(2))
    update(w, target, torch.ones(2))
    results.append(torch.stack([w, target]).detach())
    print(f"{update.__name__}: {w.tolist()} {w._version > 0}")
    assert (w._version > 0) == (update is new)
torch.testing.assert_close(*results)
assert torch.nn.init.zeros_(w).tolist() == [0, 0]
assert w.requires_grad

# %%
# ``set_storage is not allowed on a Tensor created from .data or .detach()``
# --------------------------------------------------------------------------
# ``w.data.set_(new)`` was written to give a weight other values. Write
# ``w.copy_(new)`` under ``no_grad()`` instead, without ``.data``. ``no_grad()`` around
# the old line does not help: ``w.data`` is another tensor, and ``set_()`` gives other
# memory to that one alone. The same is true of ``resize_()``, ``squeeze_()`` and other
# changes of shape or memory through ``.data`` or ``detach()``.
#
# Versions before `this change of 2022
# <https://github.com/pytorch/pytorch/pull/83590>`__ raise the error (not run here). In
# PyTorch 2.13 the line runs, and the weight keeps its old values. So look for such
# lines in code that once raised this error, and in code from before PyTorch 1.1, which
# `brought the error <https://github.com/jwyang/faster-rcnn.pytorch/issues/543>`__.
weight, new = torch.nn.Parameter(torch.ones(2)), torch.tensor([3.0, 4.0])
for other in (weight.data, weight.detach()):
    other.set_(new)  # wrong
    other.unsqueeze_(0)
    print(other, weight.tolist())
    assert other.tolist() == [[3, 4]]
    assert weight.tolist() == [1, 1]
weight.data.resize_(4)
assert weight.tolist() == [1, 1]
with torch.no_grad():
    weight.copy_(new)  # right
print(weight.tolist())
assert weight.tolist() == [3, 4]

# %%
# ``w.set_(new)`` under ``no_grad()`` changes the weight, too, even its shape. But the
# weight then shares the memory of ``new``, and an optimizer keeps the state of the old
# shape.
memory = weight.data_ptr()
with torch.no_grad():
    weight.copy_(new)
    assert weight.data_ptr() == memory
    weight.set_(new)
    assert weight.data_ptr() == new.data_ptr()
    weight.grad = torch.ones(2)
    optimizer = torch.optim.Adam([weight])
    optimizer.step()
    weight.set_(torch.ones(3))
assert optimizer.state[weight]["exp_avg"].shape == (2,)
assert weight.shape == (3,)

# %%
# Does ``h.data[i] = y`` pass the gradient to ``y``?
# --------------------------------------------------
# No: it writes the numbers of ``y`` and drops its graph. Assign to a clone of ``h``:
# :doc:`/reference/errors/element_0_of_tensors_does_not_require_grad` has the case of
# image features among frozen embeddings.
y = torch.ones(2, requires_grad=True)
h = torch.zeros(3, 2)
h.data[1] = y  # wrong
assert not h.requires_grad
h = h.clone()
h[1] = y  # right
h.sum().backward()
assert y.grad.tolist() == [1, 1]

# %%
# Where it ends
# -------------
# A write to ``.data`` does no harm where ``backward()`` does not need the value. And
# not every write through ``detach()`` is counted: one through ``y.detach().numpy()`` is
# not, unless you count it yourself with
# :torch:`torch.autograd.graph.increment_version`. An optimizer with ``fused=True`` does
# not count its writes either (:doc:`detach_shares_memory_and_version`).
x = torch.ones(2, requires_grad=True)
y = x * 2
y.data.zero_()
(gradient,) = torch.autograd.grad(y.sum(), x)
assert gradient.tolist() == [2, 2]

y = x.exp()
y.detach().numpy()[:] = 0
assert y._version == 0
torch.autograd.graph.increment_version(y)
assert y._version == 1

# %%
# Related: :doc:`detach_shares_memory_and_version`, :doc:`to_numpy`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`. Source: the PyTorch issue
# `Remove .data <https://github.com/pytorch/pytorch/issues/30987>`__.
