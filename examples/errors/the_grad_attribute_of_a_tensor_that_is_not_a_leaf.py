"""
``The .grad attribute of a Tensor that is not a leaf Tensor is being accessed``
===============================================================================

The tensor is the result of an operation, and ``backward()`` does not fill its ``.grad``
unless you ask for it. Call ``retain_grad()`` on it before ``backward()``. If you
expected a leaf, set ``requires_grad`` after the last operation on it.
"""

# %%
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
hidden = x * 2
hidden.square().sum().backward()
# Wrong: hidden is a result, so this is None.
print(hidden.grad)

hidden = x * 2
# Right: ask for the gradient before backward().
hidden.retain_grad()
hidden.square().sum().backward()
print(hidden.grad)
assert hidden.grad.tolist() == [4, 8]

# %%
# If you expected a leaf
# ----------------------
# ``.to()``, indexing and arithmetic return a new tensor, which is a result if the
# tensor before it requires a gradient. A ``.to()`` with nothing to convert returns the
# tensor itself. Convert first, and set ``requires_grad`` last.

# Wrong: the leaf is the tensor before to().
wrong = torch.ones(2, requires_grad=True).to(torch.float64)
# Right: requires_grad comes last.
right = torch.ones(2).to(torch.float64).requires_grad_()
(wrong * right).sum().backward()
print(wrong.is_leaf, right.is_leaf, right.grad)
assert not wrong.is_leaf
assert right.grad.tolist() == [1, 1]
assert x.to(torch.float32) is x
assert not x[0].is_leaf

# %%
# Can I ignore the warning? It comes from a library, a debugger or at inference
# -----------------------------------------------------------------------------
# Yes, if nothing needs the gradient of this tensor. Some code reads the ``.grad`` of a
# result, for example to ask ``if tensor.grad is not None``, or a debugger reads all
# attributes of a variable. It gets None, and nothing else changes: the results and all
# other gradients are right. To make the warning go away:
#
# - At inference, compute the tensor under ``no_grad()``. Around the line that reads,
#   ``no_grad()`` changes nothing.
# - In your own code, ask ``tensor.is_leaf or tensor.retains_grad`` first.
# - For a library that you can't change, filter the warning by its text.
#
# Don't ignore it where that code needs the gradient, for example to choose channels for
# pruning: after such a check it skips the tensor without an error. Call
# ``retain_grad()`` before ``backward()``.
import warnings


def warnings_of(read):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read()
    return [str(warning.message) for warning in caught]


hidden = x * 2
with torch.no_grad():
    inferred = x * 2
print(len(warnings_of(lambda: hidden.grad)), len(warnings_of(lambda: inferred.grad)))
for read in (lambda: hidden.grad is not None, torch.no_grad()(lambda: hidden.grad)):
    (message,) = warnings_of(read)
    assert message.startswith("The .grad attribute of a Tensor that is not a leaf")
assert not warnings_of(lambda: inferred.grad)
assert not warnings_of(lambda: hidden.is_leaf or hidden.retains_grad)
with warnings.catch_warnings():
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor")
    assert hidden.grad is None

# %%
# Without ``retain_grad()``
# -------------------------
# ``torch.autograd.grad`` returns the gradient of a result, and
# ``backward(inputs=[hidden])`` fills its ``.grad``. Without either, reading ``.grad``
# gives the warning. ``hasattr(hidden, "grad")`` gives it, too, because it also reads
# ``.grad``.
hidden = x * 2
(gradient,) = torch.autograd.grad(hidden.square().sum(), hidden)
assert gradient.tolist() == [4, 8]
hidden = x * 2
hidden.square().sum().backward(inputs=[hidden])
assert hidden.grad.tolist() == [4, 8]
hidden = x * 2
(message,) = warnings_of(lambda: hasattr(hidden, "grad"))
assert ".grad attribute" in message

# %%
# Read on: :doc:`/gallery/graph/retain_grad`.
