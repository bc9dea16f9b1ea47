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

import warnings

hidden = x * 2
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert hasattr(hidden, "grad")
assert ".grad attribute" in str(caught[0].message)

# %%
# Read on: :doc:`/gallery/graph/retain_grad`.
