"""
``inputs argument to backward() cannot be empty``
=================================================

The list that was passed as ``backward(inputs=...)`` is empty, for example because a
filter removed everything. Leave ``inputs`` out, and each leaf that requires a gradient
and that the loss depends on gets one. Or correct the filter.
"""

# %%
import torch
from torch import nn

model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
model[0].requires_grad_(False)
inputs = [p for p in model[0].parameters() if p.requires_grad]
# Wrong: model[0] is frozen, so the list is empty.
loss = model(torch.ones(1, 2)).sum()
try:
    loss.backward(inputs=inputs)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the list was not empty")
# Right: without inputs, all trainable parameters get a gradient.
loss.backward()
print(model[1].bias.grad)
assert model[1].bias.grad == 1

# %%
# The list should contain something
# ---------------------------------
# Print the names that the filter keeps. A misspelt name keeps none. A frozen parameter
# in ``inputs`` raises another error, so filter by ``requires_grad``, too, and unfreeze
# before the forward pass.


def chosen(prefix):
    named = model.named_parameters()
    return {n: p for n, p in named if n.startswith(prefix) and p.requires_grad}


# Wrong: no parameter has such a name.
print([*chosen("head")])
assert not chosen("head")
# Right: the second layer is named "1".
print([*chosen("1.")])
model.zero_grad()
loss = model(torch.ones(1, 2)).sum()
loss.backward(inputs=[*chosen("1.").values()])
assert model[1].bias.grad == 1

# %%
# Read on: :doc:`/gallery/graph/gradients_of_some_inputs`.
