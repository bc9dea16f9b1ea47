"""
``loaded state dict has a different number of parameter groups``
================================================================

The state was saved by an optimizer with more or fewer groups, for example after
``add_param_group()``. Create the same groups in the same order, then load. If you
can't, start without the old state: a new optimizer has no momentum yet.
"""

# %%
import torch

body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
old = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
old.add_param_group({"params": body.parameters(), "lr": 0.01})
saved = old.state_dict()

new = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
try:
    # Wrong: new has one group, saved has two.
    new.load_state_dict(saved)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("the numbers of groups differ")
# Right: create the same groups, then load.
new.add_param_group({"params": body.parameters()})
new.load_state_dict(saved)
print([group["lr"] for group in new.param_groups])
assert [group["lr"] for group in new.param_groups] == [0.1, 0.01]

# %%
# Loading replaces the options of each group, as the learning rates show. Only the
# number of groups and their sizes are compared: groups in another order load without an
# error, and each gets the options and the momentum of another one.
groups = [{"params": part.parameters()} for part in (body, head)]
swapped = torch.optim.SGD(groups, lr=1.0, momentum=0.9)
swapped.load_state_dict(saved)
print([group["lr"] for group in swapped.param_groups])
assert swapped.param_groups[0]["params"][0] is body.weight
assert swapped.param_groups[0]["lr"] == 0.1

# %%
# The optimizer got more parameter groups during training, and its checkpoint fails
# ---------------------------------------------------------------------------------
# ``add_param_group()`` during the run (gradual unfreezing, adapters whose rank grows,
# new classes) changes what the checkpoint contains, and the start of the script builds
# the optimizer as it was at the beginning. So save beside the state what has been
# added, and when you resume, do the same in the same order, first in the model, then in
# the optimizer, and load at the end. Without this note: the saved state has the number
# of groups and their sizes, which show how many parameters each group had. If you can't
# build the same model, load the weights alone and begin with a new optimizer.
layers = torch.nn.ModuleDict({"head": torch.nn.Linear(2, 1)})


def grow(layers, optimizer, name):
    layers[name] = torch.nn.Linear(2, 2)
    optimizer.add_param_group({"params": layers[name].parameters(), "lr": 0.01})


optimizer = torch.optim.Adam(layers.parameters())
added = ["first", "second"]
for name in added:
    grow(layers, optimizer, name)
checkpoint = {"added": added, "model": layers.state_dict()}
checkpoint["optimizer"] = optimizer.state_dict()
print([len(group["params"]) for group in checkpoint["optimizer"]["param_groups"]])
# Right: the same groups in the same order, then load.
layers = torch.nn.ModuleDict({"head": torch.nn.Linear(2, 1)})
optimizer = torch.optim.Adam(layers.parameters())
for name in checkpoint["added"]:
    grow(layers, optimizer, name)
layers.load_state_dict(checkpoint["model"])
optimizer.load_state_dict(checkpoint["optimizer"])
assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.01, 0.01]

# %%
# Read on: :doc:`/gallery/beyond/add_param_group_errors`.
