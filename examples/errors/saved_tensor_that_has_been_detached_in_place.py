"""
``Trying to use a saved tensor that has been detached in-place, i.e. with .detach_()``
======================================================================================

``detach_()`` was called on a result after another operation had saved it for its
backward pass. Use ``detach()``, which returns another tensor and leaves this one as it
is.
"""

# %%
import torch

x = torch.tensor([3.0], requires_grad=True)
# Wrong: square() has saved y, and detach_() changes y itself.
y = x * 2
loss = y.square().sum()
y.detach_()
try:
    loss.backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("square() had not saved y")
# Right: detach() returns another tensor.
y = x * 2
loss = y.square().sum()
state = y.detach()
loss.backward()
print(x.grad, state.requires_grad)
assert x.grad == 24

# %%
# Without the error, nothing is cut
# ---------------------------------
# An operation that has not saved ``y``, such as a product with a number, raises
# nothing, and its gradient still passes to ``x``: ``detach_()`` came too late. To cut
# the gradient from ``z`` to ``x``, detach before you compute ``z``.

# Wrong: z was computed before.
x.grad = None
y = x * 2
z = y * 3
y.detach_()
z.sum().backward()
print(x.grad)
assert x.grad == 6
# Right: z is computed from the detached tensor.
y = x * 2
z = y.detach() * 3
print(z.requires_grad)
assert not z.requires_grad

# %%
# Read on: :doc:`/gallery/detach/detach_in_place`.
