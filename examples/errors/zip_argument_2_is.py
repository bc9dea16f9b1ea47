"""
``zip() argument 2 is shorter than argument 1``
===============================================

The learning rate scheduler was created before ``add_param_group()`` and has no entry
for the new group. Give the optimizer all groups before you create the scheduler. If the
group must come later, create a new scheduler that goes on where the old one was.
"""

# %%
import torch
from torch.optim.lr_scheduler import LambdaLR

new, old = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(old.parameters(), lr=1.0)
scheduler = LambdaLR(optimizer, lambda epoch: 0.5**epoch)
# Wrong: the group comes after the scheduler.
optimizer.add_param_group({"params": new.parameters(), "lr": 0.1})
optimizer.step()
try:
    scheduler.step()
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("before PyTorch 2.10, no error")
# Right: all groups first, then the scheduler.
scheduler = LambdaLR(optimizer, lambda epoch: 0.5**epoch)
optimizer.step()
scheduler.step()
print([group["lr"] for group in optimizer.param_groups])
assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.05]

# %%
# The error is raised in :since:`2.10`. Before, ``LambdaLR`` changed the rates of the
# old groups only, without an error. ``MultiplicativeLR`` says ``longer`` in place of
# ``shorter``. So do the others if a group was removed after the scheduler was created,
# as DeepSpeed does with empty groups (`OpenRLHF 1253
# <https://github.com/OpenRLHF/OpenRLHF/pull/1253>`__, reported there, not run).
# Any other ``zip(..., strict=True)`` of two arguments with different lengths raises one
# of these two texts.
#
# If the group must come later
# ----------------------------
# The scheduler above was created before the first epoch. If you create one later, it
# starts from the beginning, and the rate of the old group jumps back. To continue,
# write ``initial_lr`` into the new group, and pass ``last_epoch`` minus 1, because a
# scheduler makes one step when it is created. For ``OneCycleLR`` this is not enough.


def after_two_epochs(**options):
    optimizer = torch.optim.SGD(old.parameters(), lr=1.0)
    scheduler = LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    group = {"params": new.parameters(), "lr": 0.1, **options}
    optimizer.add_param_group(group)
    return optimizer, scheduler.last_epoch


optimizer = torch.optim.SGD(old.parameters(), lr=1.0)
multiplied = torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
optimizer.add_param_group({"params": new.parameters(), "lr": 0.1})
of_two = LambdaLR(optimizer, lambda epoch: 0.5**epoch)
optimizer.step()
for removed, late in ((False, multiplied), (True, of_two)):
    if removed:
        optimizer.param_groups.pop()
    try:
        late.step()
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError("before PyTorch 2.10, no error")
    assert message == "zip() argument 2 is longer than argument 1"

# Wrong: the old group is back at 1.
optimizer, _ = after_two_epochs()
LambdaLR(optimizer, lambda epoch: 0.5**epoch)
print([group["lr"] for group in optimizer.param_groups])
assert [g["lr"] for g in optimizer.param_groups] == [1, 0.1]

# Right: both groups go on in epoch 2.
optimizer, epoch = after_two_epochs(initial_lr=0.1)
LambdaLR(optimizer, lambda epoch: 0.5**epoch, last_epoch=epoch - 1)
print([group["lr"] for group in optimizer.param_groups])
assert [g["lr"] for g in optimizer.param_groups] == [0.25, 0.025]

# %%
# It fails only after many epochs
# -------------------------------
# ``CosineAnnealingLR`` needs its list of rates only when a period of ``T_max`` steps is
# over. With ``T_max=3``, the fourth step raises.
from torch.optim.lr_scheduler import CosineAnnealingLR

optimizer = torch.optim.SGD(old.parameters(), lr=1.0)
scheduler = CosineAnnealingLR(optimizer, T_max=3)
optimizer.add_param_group({"params": new.parameters(), "lr": 0.1})
for step in range(1, 5):
    optimizer.step()
    try:
        scheduler.step()
    except ValueError as error:
        print(f"ValueError: {error}")
        failed = step
assert failed == 4

# %%
# Read on: :doc:`/gallery/beyond/schedulers_after_add_param_group`.
