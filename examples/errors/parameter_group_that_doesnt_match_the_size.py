"""
``loaded state dict contains a parameter group that doesn't match the size``
============================================================================

The state was saved by an optimizer that had more or fewer parameters in this group,
often only those that were trainable then. Create the optimizer from the same ones,
load, and add the others with ``add_param_group()``. Or start anew, without momentum.
"""

# %%
import torch

body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
parameters = [*body.parameters(), *head.parameters()]
# At that time, the body was frozen and filtered out.
saved = torch.optim.Adam(head.parameters()).state_dict()

try:
    # Wrong: four parameters, and the state is that of two.
    torch.optim.Adam(parameters).load_state_dict(saved)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("the sizes of the groups differ")
# Right: the same parameters as then, load, add the others.
optimizer = torch.optim.Adam(head.parameters())
optimizer.load_state_dict(saved)
optimizer.add_param_group({"params": body.parameters()})
print([len(group["params"]) for group in optimizer.param_groups])
assert [len(g["params"]) for g in optimizer.param_groups] == [2, 2]

# %%
# Create a learning rate scheduler after ``add_param_group()``: it makes an entry for
# each group when it is created. ``LBFGS`` works with one group only; create a new one.
#
# Only the number is compared. The same parameters in another order load without an
# error, and then each has the state of another one.
head(torch.ones(1, 2)).sum().backward()
optimizer = torch.optim.Adam(head.parameters())
optimizer.step()
reordered = torch.optim.Adam([head.bias, head.weight])
reordered.load_state_dict(optimizer.state_dict())
shape = reordered.state[head.bias]["exp_avg"].shape
print(tuple(head.bias.shape), tuple(shape))
assert shape == head.weight.shape != head.bias.shape

# %%
# Read on: :doc:`/gallery/beyond/add_param_group_errors`.
