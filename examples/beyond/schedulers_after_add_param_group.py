"""
add_param_group() after the scheduler: five of eleven raise
===========================================================

A scheduler notes the parameter groups when it is made. Unfreeze with
``add_param_group()`` later, and some go on with the new group, some raise.
"""

# %%
# Which schedulers survive a new group?
# -------------------------------------
# Each gets an optimizer with one group, then a second group is added, and three steps
# are made.
import torch
from torch.optim import lr_scheduler

SCHEDULERS = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 1, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1], 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 10),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.5, 1.0, 4),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 0.5**step),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda step: 0.5),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=10),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(
        o, 5
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0),
}


def new_parameter():
    parameter = torch.nn.Parameter(torch.ones(1))
    parameter.grad = torch.zeros(1)
    return parameter


def step_three_times(make, *, late):
    optimizer = torch.optim.SGD([new_parameter()], lr=1.0, momentum=0.9)
    group = {"params": [new_parameter()], "lr": 0.1}
    if not late:
        optimizer.add_param_group(group)
    scheduler = make(optimizer)
    if late:
        optimizer.add_param_group(group)
    for _ in range(3):
        optimizer.step()
        is_plateau = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)
        scheduler.step(*([1.0] if is_plateau else []))


raised = {}
for name, make in SCHEDULERS.items():
    step_three_times(make, late=False)
    try:
        step_three_times(make, late=True)
    except (ValueError, KeyError) as error:
        raised[name] = True
        print(f"{type(error).__name__}: {error} ({name})")
    else:
        raised[name] = False
survivors = [name for name, failed in raised.items() if not failed]
print(*survivors)
assert len(raised) == 11
assert [name for name in raised if name not in survivors] == [
    "LambdaLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
]

# %%
# Why these?
# ----------
# They keep a list with one entry per group, such as the base rate or the function, and
# go through it side by side with the groups. The others compute the next rate from the
# rate that a group has.

# %%
# Square: goes on with the new group. Cross: raises.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
for name, failed in raised.items():
    square = {"marker": "s", "fc": "none", "ec": "C0"}
    look = {"marker": "x", "c": "C2"} if failed else square
    ax.scatter(0, name, s=140, lw=2, **look)
ax.set_xticks([0], ["add_param_group()"])
ax.margins(0.5, 0.08)
ax.invert_yaxis()
plt.show()

# %%
# Give the optimizer all parameters at the start, and freeze by flag: then no group is
# added. If you must add one, make the scheduler anew. Source: :torch:`How to adjust
# learning rate <optim.html#how-to-adjust-learning-rate>`.
#
# Related: :doc:`/gallery/freezing/unfreeze_gradually`, :doc:`add_param_group_errors`,
# :doc:`/gallery/freezing/different_learning_rates`.
