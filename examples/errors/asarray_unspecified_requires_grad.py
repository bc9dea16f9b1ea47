"""
``torch.asarray: unspecified requires_grad now defaults to obj.requires_grad``
==============================================================================

For a tensor that requires a gradient, ``torch.asarray(t)`` now returns a tensor with
its graph; in earlier versions it dropped the graph. To drop it, write
``torch.asarray(t.detach())``. To keep it, write ``torch.as_tensor(t)``.
"""

# %%
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
output = x * 2
# Wrong: the result depends on the version of PyTorch.
array = torch.asarray(output)

# Right, without a gradient:
cut = torch.asarray(output.detach())
print(cut.requires_grad)
# Right, with a gradient:
kept = torch.as_tensor(output)
print(kept.requires_grad)
assert not cut.requires_grad
assert kept.requires_grad
assert array.requires_grad, "before PyTorch 2.12, no graph"

# %%
# The graph is kept, and this warning given, in :since:`2.12`.
#
# The advice of the warning can freeze your weight
# ------------------------------------------------
# ``requires_grad=False`` drops the graph of a result. On a leaf with nothing to copy or
# convert, ``asarray`` returns the leaf itself and sets its ``requires_grad``: False
# freezes a weight, and True makes your data require a gradient. Call
# ``detach()`` first.
weight = torch.nn.Parameter(torch.ones(2))
# Wrong: freezes the weight.
array = torch.asarray(weight, requires_grad=False)
print(array is weight, weight.requires_grad)
assert array is weight
assert not weight.requires_grad
# Right: another tensor, and the weight still trains.
weight.requires_grad_(True)
array = torch.asarray(weight.detach())
print(array.requires_grad, weight.requires_grad)
assert not array.requires_grad
assert weight.requires_grad

data = torch.ones(2)
torch.asarray(data, requires_grad=True)
assert data.requires_grad

# %%
# Read on: :doc:`/gallery/detach/copying_a_tensor`.
