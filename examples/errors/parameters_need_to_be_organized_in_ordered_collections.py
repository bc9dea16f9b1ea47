"""
``optimizer parameters need to be organized in ordered collections``
====================================================================

A parameter group is a set. The state of an optimizer is saved in the order of its
parameters, and the order of a set of tensors can change from run to run. Pass a list;
``list(dict.fromkeys(parameters))`` removes duplicates and keeps the order.
"""

# %%
import torch

layer = torch.nn.Linear(2, 1)
parameters = [layer.weight, layer.bias, layer.weight]
try:
    # Wrong: a set removes duplicates, and loses the order.
    torch.optim.SGD([{"params": set(parameters)}], lr=0.1)
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("the optimizer took a set")
# Right: the keys of a dict are unique and keep their order.
unique = list(dict.fromkeys(parameters))
optimizer = torch.optim.SGD([{"params": unique}], lr=0.1)
print([tuple(p.shape) for p in unique])
assert len(unique) == 2
assert unique[0] is layer.weight

# %%
# Sets that raise no error
# ------------------------
# A set as the whole argument, or a ``frozenset`` in a group, is accepted, in the order
# that it has in this run. If the order differs in the next run, a saved state goes to
# the wrong parameters. Pass a list here, too.
whole = torch.optim.SGD(set(parameters), lr=0.1)
frozen = torch.optim.SGD([{"params": frozenset(parameters)}], lr=0.1)
for optimizer in (whole, frozen):
    print(len(optimizer.param_groups[0]["params"]))
    assert len(optimizer.param_groups[0]["params"]) == 2

# %%
# Read on: :doc:`/gallery/beyond/add_param_group_errors`.
