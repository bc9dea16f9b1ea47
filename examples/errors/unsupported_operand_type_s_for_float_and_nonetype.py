"""
``unsupported operand type(s) for *: 'float' and 'NoneType'``
=============================================================

The weight has no gradient: the loss does not depend on it, it is frozen, or
``weight = weight - ...`` has made it a result. Skip weights without a gradient, and
update in place with ``weight -= lr * weight.grad`` under ``no_grad()``.
"""

# %%
import torch

used = torch.nn.Parameter(torch.tensor([1.0]))
unused = torch.nn.Parameter(torch.tensor([1.0]))
used.square().sum().backward()
try:
    with torch.no_grad():
        # Wrong: unused.grad is None.
        unused -= 0.1 * unused.grad
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a weight has no gradient")
with torch.no_grad():
    for weight in (used, unused):
        # Right: skip a weight that has no gradient.
        if weight.grad is not None:
            weight.sub_(0.1 * weight.grad)
print(round(used.item(), 4), unused.item())
assert used.item() != unused.item() == 1

# %%
# The second step of a loop fails
# -------------------------------
# ``weight = weight - ...`` makes a new tensor, a result. By default the next
# ``backward()`` leaves its ``.grad`` None, and reading that gives a warning, too.
weight = torch.tensor([1.0], requires_grad=True)
steps = 0
try:
    for _ in range(3):
        weight.square().sum().backward()
        # Wrong: from now on, weight is a result.
        weight = weight - 0.1 * weight.grad
        steps += 1
except TypeError as error:
    message = str(error)
assert "'float' and 'NoneType'" in message
assert steps == 1

weight = torch.tensor([1.0], requires_grad=True)
for _ in range(3):
    weight.square().sum().backward()
    # Right: in place, under no_grad(), and weight stays the leaf.
    with torch.no_grad():
        weight -= 0.1 * weight.grad
    weight.grad = None
print(round(weight.item(), 4))
assert weight.is_leaf
assert weight.isclose(torch.tensor(0.8**3))

# %%
# In the other order, ``weight.grad * lr``, the error says ``'NoneType' and 'float'``.
# If ``lr`` is a tensor, it says ``'Tensor' and 'NoneType'``.
#
# Read on: :doc:`/gallery/modes/updating_weights_by_hand`.
