"""
``element 0 of tensors does not require grad and does not have a grad_fn``
==========================================================================

The loss has no graph: all parameters that it depends on are frozen, or a call on the
way dropped the graph. Remove that call; ``loss.requires_grad_()`` only hides the error.
"""

# %%
import torch

layer = torch.nn.Linear(2, 1)
output = layer(torch.ones(1, 2))

loss = torch.tensor(output.sum())  # wrong: copies the number without its graph
try:
    loss.backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError

loss = output.sum()  # right: the loss is a result of the layer
loss.backward()
print(layer.weight.grad)
assert layer.weight.grad is not None

# %%
# Read on: :doc:`/gallery/graph/what_drops_the_graph`.
