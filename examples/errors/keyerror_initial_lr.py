"""
``KeyError: 'initial_lr'``
==========================

``OneCycleLR`` writes ``initial_lr`` into each group of the optimizer when it is
created. A group that is added later has none, and loading a state from before removes
it. Add groups and load such a state before you create the scheduler.
"""

# %%
import torch
from torch.optim.lr_scheduler import OneCycleLR

new, old = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(old.parameters(), lr=0.1, momentum=0.9)
scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
# Wrong: the group comes after the scheduler.
optimizer.add_param_group({"params": new.parameters()})
optimizer.step()
try:
    scheduler.step()
except KeyError as error:
    print(f"KeyError: {error}")
else:
    raise AssertionError("the new group has no initial_lr")
# Right: the group first, then the scheduler.
scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
optimizer.step()
scheduler.step()
print(["initial_lr" in group for group in optimizer.param_groups])
assert all("initial_lr" in g for g in optimizer.param_groups)

# %%
# In the middle of a cycle, a new ``OneCycleLR`` starts the cycle again, for the old
# group, too. To go on, give the optimizer all parameters at the start, and freeze with
# ``requires_grad``.
start = optimizer.param_groups[0]["initial_lr"]
for _ in range(2):
    optimizer.step()
    scheduler.step()
in_the_cycle = optimizer.param_groups[0]["lr"]
OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
rates = in_the_cycle, optimizer.param_groups[0]["lr"]
print([round(rate, 3) for rate in rates])
assert round(rates[1], 6) == round(start, 6) < in_the_cycle

# %%
# Loading the state of an optimizer
# ---------------------------------
# ``load_state_dict()`` replaces the entries of each group. A state that was saved
# before there was a scheduler has no ``initial_lr``.
optimizer = torch.optim.SGD(old.parameters(), lr=0.1, momentum=0.9)
saved = optimizer.state_dict()
scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
# Wrong: loaded after the scheduler was created.
optimizer.load_state_dict(saved)
optimizer.step()
try:
    scheduler.step()
except KeyError as error:
    message = error.args[0]
else:
    raise AssertionError("the loaded group has no initial_lr")
assert message == "initial_lr"
# Right: load first.
optimizer.load_state_dict(saved)
scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
optimizer.step()
scheduler.step()
print(scheduler.last_epoch)
assert scheduler.last_epoch == 1

# %%
# ``param 'initial_lr' is not specified in param_groups[0]``
# ----------------------------------------------------------
# This longer ``KeyError`` comes when a scheduler gets ``last_epoch`` and the optimizer
# is new. Load the saved state of the optimizer first.
from torch.optim.lr_scheduler import LambdaLR

optimizer = torch.optim.SGD(old.parameters(), lr=1.0)
scheduler = LambdaLR(optimizer, lambda epoch: 0.5**epoch)
optimizer.step()
scheduler.step()
saved = optimizer.state_dict()

optimizer = torch.optim.SGD(old.parameters(), lr=1.0)
try:
    # Wrong: the new optimizer has no initial_lr.
    LambdaLR(optimizer, lambda epoch: 0.5**epoch, last_epoch=0)
except KeyError as error:
    message = error.args[0]
else:
    raise AssertionError("the new optimizer has no initial_lr")
assert "param 'initial_lr' is not specified" in message
# Right: the loaded group has one.
optimizer.load_state_dict(saved)
LambdaLR(optimizer, lambda epoch: 0.5**epoch, last_epoch=0)
print(optimizer.param_groups[0]["lr"])
assert optimizer.param_groups[0]["lr"] == 0.5

# %%
# ``Tried to step 11 times. The specified number of total steps is 10``
# ---------------------------------------------------------------------
# ``OneCycleLR`` counts its own steps. ``total_steps`` is ``epochs * len(loader)`` if
# you step it after each batch, divided by the number of accumulated batches if you
# accumulate. The error also comes after a resume, if the saved count goes on and the
# total was not raised. One batch more in each epoch, because ``drop_last`` is missing
# or ``len(loader) // n`` is rounded down, is enough. Compute the total with
# ``math.ceil``.
optimizer = torch.optim.SGD(old.parameters(), lr=0.1, momentum=0.9)
scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
steps = 0
try:
    for _ in range(20):
        optimizer.step()
        scheduler.step()
        steps += 1
except ValueError as error:
    message = str(error)
print(message)
assert message.startswith("Tried to step")
assert message.endswith("The specified number of total steps is 10")
assert steps in (9, 10)

# %%
# Read on: :doc:`/gallery/beyond/schedulers_after_add_param_group`.
