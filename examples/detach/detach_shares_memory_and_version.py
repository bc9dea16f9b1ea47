"""
detach() shares the memory and its version counter
==================================================

A write to a detached tensor changes the original, and autograd counts it as a write to
the original. ``backward()`` refuses to run only if it needs the value that is gone.
"""

# %%
# "modified by an inplace operation"
# ----------------------------------
# You round an output for display, and only in the detached tensor. Still,
# ``backward()`` fails.
import torch

x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
y = x.sigmoid()
shown = y.detach()
shown.round_()
try:
    y.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("backward() used an overwritten value")

# %%
# Why a write to ``shown`` is a write to ``y``
# --------------------------------------------
# They are two tensors with one memory and one version counter. Autograd has saved the
# output of ``sigmoid`` for ``backward()``, at version 0. It finds version 1.
print(f"{y.tolist()} {y._version=} {shown._version=}")
assert y.tolist() == [0.0, 0.0, 1.0]
assert shown.data_ptr() == y.data_ptr()
assert y._version == shown._version == 1

# %%
# Does every write to a detached tensor break ``backward()``?
# -----------------------------------------------------------
# Many say so. It depends on what the operation has saved: its output, its input, or
# neither. Where the value is not needed, nothing is raised, and the gradient is right.


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


print(f"{'y':12}{'x.detach().zero_()':>20}{'y.detach().zero_()':>20}")
for name, operation, expected in [
    ("sigmoid(x)", torch.sigmoid, ["right", "error"]),
    ("x ** 2", torch.square, ["error", "right"]),
    ("x * 2", lambda x: x * 2, ["right", "right"]),
]:
    found = [after_write(operation, to=to) for to in ("x", "y")]
    print(f"{name:12}{found[0]:>20}{found[1]:>20}")
    assert found == expected

# %%
# The counters after three writes. ``y`` (circles) and ``d`` (crosses) count together,
# whichever of them is written to. ``c`` (dashed) counts its own alone.
import matplotlib.pyplot as plt

y = torch.ones(2)
d, c = y.detach(), y.detach().clone()
versions = []
for tensor in (y, d, c):
    tensor.zero_()
    versions.append([y._version, d._version, c._version])
assert versions == [[1, 1, 0], [2, 2, 0], [2, 2, 1]]

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
# Write to ``y.detach().clone()``, or make a new tensor: ``y.detach().round()``.
#
# Related: :doc:`/gallery/three-ways/detach_cuts_one_tensor`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`. Source:
# :torch:`in-place checks <notes/autograd.html#in-place-correctness-checks>`.
