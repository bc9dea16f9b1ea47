"""
backward() needs a tensor with a record
=======================================

``backward()`` fails on a tensor that does not require a gradient itself and whose
computation was not recorded. An integer tensor can't have ``requires_grad=True``; only
floating-point and complex tensors can.
"""

# %%
# "element 0 of tensors does not require grad and does not have a grad_fn"
# ------------------------------------------------------------------------
# ``y`` does not require a gradient itself (*does not require grad*), and it is not the
# result of a recorded operation (*does not have a grad_fn*). *Element 0* is the first
# tensor that ``backward()`` was given.
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([3.0, 4.0], requires_grad=False)
y1 = 2.0 * x + 2.0 * y
try:
    y.backward(torch.tensor([1.0, 1.0]))
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("backward() ran without a record")
assert not y.requires_grad
assert y.grad_fn is None

# %%
# In training code that tensor is the loss, and no trainable parameter leads to it: all
# are frozen, or the record was lost on the way. ``y1`` has its record. These four have
# none:
frozen = torch.nn.Linear(2, 1).requires_grad_(False)
losses = [frozen(y), y1.detach(), y1.argmax(), y1 > 0]
assert y1.grad_fn is not None
assert all(loss.grad_fn is None for loss in losses)

# %%
# "Only Tensors of floating point and complex dtype can require gradients"
# ------------------------------------------------------------------------
# Integer tensors are often said to have no ``requires_grad``. They have it, and it is
# False. Only setting it to True fails. The error has three wordings, and the last one
# forgets the complex tensors.
a = torch.tensor([1, 2])
assert a.requires_grad is False
wordings = set()
for request in (
    lambda: torch.tensor([3, 4], requires_grad=True),
    lambda: setattr(a, "requires_grad", True),
    a.requires_grad_,
):
    try:
        request()
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
        wordings.add(str(error))
    else:
        raise AssertionError("an integer tensor requires a gradient")
assert len(wordings) == 3

# %%
# Write ``[3.0, 4.0]`` instead of ``[3, 4]``. Then ``a + b`` is recorded, and ``a``
# stays as it is.
b = torch.tensor([3.0, 4.0], requires_grad=True)
c = a + b
print(a.requires_grad)
assert not a.requires_grad
assert c.requires_grad

# %%
# Which dtypes can have ``requires_grad=True`` (square)? All that are floating or
# complex; the others raise an error (cross).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
dtypes = ["bool", "int32", "int64", "float16", "bfloat16", "float32", "complex64"]
for name in dtypes:
    tensor = torch.zeros(1, dtype=getattr(torch, name))
    try:
        tensor.requires_grad_()
    except RuntimeError:
        ax.scatter(0, name, s=150, marker="x", color="C2")
    else:
        ax.scatter(1, name, s=150, marker="s", fc="none", ec="C0", lw=2)
    can = tensor.is_floating_point() or tensor.is_complex()
    assert tensor.requires_grad == can
ax.set(xticks=[0, 1], xticklabels=["RuntimeError", "requires_grad=True"])
ax.margins(0.4, 0.1)
plt.show()

# %%
# When ``backward()`` refuses, walk back from the loss until ``requires_grad`` is True.
# The record is lost in the line after it.
#
# Related: :doc:`what_requires_grad_records`, :doc:`detach_cuts_one_tensor`,
# :doc:`no_grad_stops_recording`.
