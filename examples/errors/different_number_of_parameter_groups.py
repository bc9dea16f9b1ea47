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
# Read on: :doc:`/gallery/beyond/add_param_group_errors`.
