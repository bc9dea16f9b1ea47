"""
``To copy construct from a tensor, it is recommended to use``
=============================================================

``torch.tensor(t)`` and ``t.new_tensor(t)`` copy the values without the graph, and the
warning asks you to write that explicitly: ``t.detach().clone()``. If the gradient
should pass through the copy, write ``t.clone()``.
"""

# %%
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
output = x * 2
# Wrong: drops the graph implicitly.
copy = torch.tensor(output)

# Right, without a gradient:
copy = output.detach().clone()
print(copy.requires_grad)
# Right, with a gradient:
clone = output.clone()
print(clone.requires_grad)
assert not copy.requires_grad
assert clone.requires_grad
assert copy.equal(clone)

# %%
# The same warning, other code
# ----------------------------
# - For a new leaf with a gradient of its own, instead of
#   ``torch.tensor(t, requires_grad=True)``: ``t.detach().clone().requires_grad_()``.
# - To convert the dtype or the device: ``t.to(torch.float64)``. The gradient passes.
# - For code that takes tensors, arrays and lists: ``torch.as_tensor(data)``. It returns
#   a tensor itself if there is nothing to convert, so it does not copy.
leaf = output.detach().clone().requires_grad_()
assert leaf.is_leaf
assert leaf.data_ptr() != output.data_ptr()
assert output.to(torch.float64).requires_grad
assert torch.as_tensor(output) is output
print(torch.as_tensor([1.0, 2.0]))

# %%
# Read on: :doc:`/gallery/detach/copying_a_tensor`.
