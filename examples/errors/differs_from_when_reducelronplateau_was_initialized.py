"""
``differs from when ReduceLROnPlateau was initialized``
=======================================================

``ReduceLROnPlateau`` got ``min_lr`` as a list, with an entry for each group, and the
optimizer has a new group. Pass ``min_lr`` as a number. Or add an entry to ``min_lrs``
of the scheduler when you add the group.
"""

# %%
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

head, backbone = torch.nn.Linear(2, 1), torch.nn.Linear(2, 2)
for min_lr in ([0.01], 0.01):
    optimizer = torch.optim.SGD(head.parameters(), lr=1.0)
    # Wrong with a list, right with a number.
    scheduler = ReduceLROnPlateau(optimizer, patience=0, min_lr=min_lr)
    optimizer.add_param_group({"params": backbone.parameters(), "lr": 0.5})
    try:
        for _ in range(2):
            scheduler.step(1.0)
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    rates = [group["lr"] for group in optimizer.param_groups]
    print(rates)
    assert rates == ([1.0, 0.5] if min_lr == [0.01] else [0.1, 0.05])

# %%
# The error comes late: the lists are compared only when the rate is reduced, and that
# may be many epochs after the group was added. An added group with another minimum gets
# an entry of its own.
optimizer = torch.optim.SGD(head.parameters(), lr=1.0)
scheduler = ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.01])
optimizer.add_param_group({"params": backbone.parameters(), "lr": 0.5})
scheduler.step(1.0)
# Right: the minimum of the new group.
scheduler.min_lrs.append(0.2)
scheduler.step(1.0)
print([group["lr"] for group in optimizer.param_groups])
assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.2]

# %%
# A scheduler that was saved before the group came
# ------------------------------------------------
# ``state_dict()`` has the list ``min_lrs``. Loaded for an optimizer with more groups, a
# number is enough for a repair, and a list raises, as above.
for min_lr in (0.01, [0.01]):
    optimizer = torch.optim.SGD(head.parameters(), lr=1.0)
    saved = ReduceLROnPlateau(optimizer, patience=0, min_lr=min_lr).state_dict()
    optimizer.add_param_group({"params": backbone.parameters(), "lr": 0.5})
    scheduler = ReduceLROnPlateau(optimizer, patience=0)
    scheduler.load_state_dict(saved)
    try:
        for _ in range(2):
            scheduler.step(1.0)
        outcome = "works"
    except RuntimeError as error:
        outcome = type(error).__name__
    print(f"min_lr={min_lr}: {outcome}")
    assert (outcome == "works") == (min_lr == 0.01)

# %%
# Before PyTorch 2.6, ``min_lr`` as a number raised, too: ``IndexError: list index out
# of range``, in ``_reduce_lr`` (quoted from `issue 104361
# <https://github.com/pytorch/pytorch/issues/104361>`__, not run; the change is `137637
# <https://github.com/pytorch/pytorch/pull/137637>`__). There, set ``scheduler.min_lrs``
# yourself. With Lightning's ``BackboneFinetuning`` it comes when the backbone is
# unfrozen (`issue 62475 <https://github.com/pytorch/pytorch/issues/62475>`__).
#
# Read on: :doc:`/gallery/beyond/schedulers_after_add_param_group`.
