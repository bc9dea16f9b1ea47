"""
``can't optimize a non-leaf Tensor``
====================================

The tensor is the result of an operation such as ``.to()``, indexing or arithmetic, and
by default ``backward()`` leaves the ``.grad`` of a result None. Convert first, and set
``requires_grad`` last. To move a module, call ``module.to()``.
"""

# %%
import torch

# Wrong: to() returns a result, because it has to convert.
wrong = torch.ones(2, requires_grad=True).to(torch.float64)
try:
    torch.optim.SGD([wrong], lr=0.1)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("the optimizer accepted a result")

# Right: requires_grad comes last.
right = torch.ones(2).to(torch.float64).requires_grad_()
optimizer = torch.optim.SGD([right], lr=0.1)
right.sum().backward()
optimizer.step()
print(right.tolist())
assert right.tolist() == [0.9, 0.9]

# %%
# The weight of a parametrized layer
# ----------------------------------
# With ``weight_norm`` or another parametrization, ``layer.weight`` is a result that is
# computed from other parameters. Pass ``layer.parameters()``.
from torch.nn.utils.parametrizations import weight_norm

layer = weight_norm(torch.nn.Linear(2, 1))
try:
    # Wrong: the computed weight.
    torch.optim.SGD([layer.weight], lr=0.1)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the optimizer took a computed weight")
assert message == "can't optimize a non-leaf Tensor"
# Right: the parameters that it is computed from.
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
print([name for name, _ in layer.named_parameters()])
assert len(optimizer.param_groups[0]["params"]) == 3

# %%
# No error, and nothing trains
# ----------------------------
# A result that retains its gradient is accepted. ``step()`` changes the result, and the
# leaf that it was computed from stays as it is, unless the result is a view of it.
leaf = torch.ones(2, requires_grad=True)
result = leaf * 1
result.retain_grad()
optimizer = torch.optim.SGD([result], lr=0.1)
result.sum().backward()
optimizer.step()
print(leaf.tolist())
assert leaf.tolist() == [1, 1]
assert result.tolist() != [1, 1]
view = leaf.view(2)
view.retain_grad()
view.sum().backward()
torch.optim.SGD([view], lr=0.1).step()
assert leaf.tolist() != [1, 1]

# %%
# Read on: :doc:`/gallery/graph/leaf_or_not`.
