"""
A write to a detached tensor can break backward()
=================================================

The write changes the original: ``detach()`` shares its memory and its version counter.
Before you write, copy: ``detach().clone()``.
"""

# %%
# "modified by an inplace operation"
# ----------------------------------
# Here, ``backward()`` needs the output of ``sigmoid``.
import torch

x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
y = x.sigmoid()
y.detach().clone().round_()  # right
y.sum().backward()
print("clone:", [round(g, 3) for g in x.grad.tolist()])
assert x.grad.allclose(y * (1 - y))
y = x.sigmoid()
shown = y.detach().round_()  # wrong
try:
    y.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("backward() used an overwritten value")

# %%
# Why a write to ``shown`` is a write to ``y``
# --------------------------------------------
# They are two tensors with one memory and one version counter. Autograd saved the
# output of ``sigmoid`` at version 0, and now the counter is at 1.
print(f"{y.tolist()} {y._version=} {shown._version=}")
assert y.tolist() == [0.0, 0.0, 1.0]
assert shown.data_ptr() == y.data_ptr()
assert y._version == shown._version == 1

# %%
# Does every write to a detached tensor break ``backward()``?
# -----------------------------------------------------------
# No. It depends on what the operation has saved: its output, its input, or neither. If
# no operation has saved the tensor that you wrote to, there is no error, and the
# gradient is right.


def after_write(operation, *, to):
    x = torch.ones(2, requires_grad=True)
    y = operation(x)
    (right,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    {"x": x, "y": y}[to].detach().zero_()
    try:
        y.sum().backward()
    except RuntimeError:
        return "error"
    assert x.grad.equal(right)
    return "right"


print(f"{'':10}{'x.detach().zero_()':>20}{'y.detach().zero_()':>20}")
for name, operation, expected in [
    ("sigmoid(x)", torch.sigmoid, ["right", "error"]),
    ("x ** 2", torch.square, ["error", "right"]),
    ("x * 2", lambda x: x * 2, ["right", "right"]),
]:
    results = [after_write(operation, to=to) for to in ("x", "y")]
    print(f"{name:10}{results[0]:>20}{results[1]:>20}")
    assert results == expected

# %%
# Which tensors share a counter?
# ------------------------------
# ``y`` and ``d`` share one: a write to either raises both versions. The copy ``c`` has
# a counter of its own.
y = torch.ones(2)
d, c = y.detach(), y.detach().clone()
versions = []
for tensor in (y, d, c):
    tensor.zero_()
    versions.append([y._version, d._version, c._version])
assert versions == [[1, 1, 0], [2, 2, 0], [2, 2, 1]]

# %% tags=["hide-input"]
# The versions after three writes: ``y`` (circles) and ``d`` (crosses) are always equal,
# ``c`` (dashed) changes only with the write to ``c``.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
of_y, of_d, of_c = zip(*versions, strict=True)
ax.plot(of_y, "C0o-", label="y", ms=14, mfc="none", mew=2, lw=2)
ax.plot(of_d, "C2x", label="d = y.detach()", ms=8, mew=3)
ax.plot(of_c, "C1s--", label="c = y.detach().clone()", ms=9, mfc="none", mew=2, lw=2)
ax.set_xticks(range(3), ["y.zero_()", "d.zero_()", "c.zero_()"])
ax.set(yticks=range(4), ylabel="_version")
ax.margins(0.1)
ax.legend()
plt.show()

# %%
# Where it ends
# -------------
# The counter says that something was written, not what. ``backward()`` also fails if
# the same values were written, or another row of the same memory.
x = torch.ones(2, requires_grad=True)


def same_values(y):
    y.copy_(y.clone())


def other_row(y):
    y[1].zero_()


for write in (same_values, other_row):
    y = (x * torch.ones(2, 1)).sigmoid()
    write(y.detach())
    try:
        y[0].sum().backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError(f"{write.__name__} was not counted")
    assert "modified by an inplace operation" in message

# %%
# Some writes are not counted, and the gradient is wrong without an error: through
# ``.data``, through a NumPy array, and by an optimizer with ``fused=True``. A tensor
# that was saved through ``saved_tensors_hooks`` is not checked at all: here, the hooks
# keep the tensor itself, so they must copy it.


def write_data(w):
    w.data.zero_()


def write_array(w):
    w.detach().numpy()[:] = 0


def write_fused(w):
    w.grad = torch.ones(2)
    torch.optim.SGD([w], lr=1, fused=True).step()


for write in (write_data, write_array, write_fused):
    w = torch.nn.Parameter(torch.ones(2))
    loss = (w * x).sum()
    write(w)
    (gradient,) = torch.autograd.grad(loss, x)
    assert w._version == 0
    assert gradient.tolist() == [0, 0], "right is [1, 1]"

for pack, expected in [(lambda t: t, [0, 0]), (torch.clone, [2, 2])]:
    x = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = x.square().sum()
    x.detach().zero_()
    assert torch.autograd.grad(loss, x)[0].tolist() == expected

# %%
# Write to ``y.detach().clone()``, or make a new tensor: ``y.detach().round()``.
#
# Related: :doc:`data_is_not_detach`, :doc:`clone_and_detach`,
# :doc:`/gallery/graph/inplace_modified`. Source:
# :torch:`in-place checks <notes/autograd.html#in-place-correctness-checks>`.
