"""
add_param_group() after the scheduler: six of eleven raise
==========================================================

A scheduler notes the parameter groups when it is made. Unfreeze with
``add_param_group()`` later, and some schedulers raise, one goes on with a wrong
learning rate, and four are right.
"""

# %%
# Which schedulers survive a new group?
# -------------------------------------
# Each gets an optimizer with one group, then a second group is added, with ``lr=0.1``,
# and five steps are made. For comparison, the same with both groups from the start.
import torch
from torch.optim import lr_scheduler

SCHEDULERS = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 1, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1], 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 3),
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


def learning_rate(make, *, late):
    optimizer = torch.optim.SGD([new_parameter()], lr=1.0, momentum=0.9)
    group = {"params": [new_parameter()], "lr": 0.1}
    if not late:
        optimizer.add_param_group(group)
    scheduler = make(optimizer)
    if late:
        optimizer.add_param_group(group)
    for _ in range(5):
        optimizer.step()
        is_plateau = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)
        scheduler.step(*([1.0] if is_plateau else []))
    return round(optimizer.param_groups[1]["lr"], 9)


outcomes = {}
for name, make in SCHEDULERS.items():
    expected = learning_rate(make, late=False)
    try:
        found = learning_rate(make, late=True)
    except (ValueError, KeyError) as error:
        outcomes[name] = "raises"
        print(f"{type(error).__name__}: {error} ({name})")
    else:
        outcomes[name] = "right" if found == expected else f"{found}, not {expected}"
survivors = {name: end for name, end in outcomes.items() if end != "raises"}
print(survivors)
assert len(outcomes) == 11
right = {
    "StepLR": "right",
    "MultiStepLR": "right",
    "ExponentialLR": "right",
    "LinearLR": "0.2, not 0.1",
    "ReduceLROnPlateau": "right",
}
assert survivors == right, "before PyTorch 2.10, five more go on"

# %%
# Why these?
# ----------
# They keep a list with one entry per group, such as the base rate or the function, and
# go through it side by side with the groups. They raise if the lengths differ
# (:since:`2.10`; before, only ``OneCycleLR`` raised, and four went on at a wrong rate
# without a word). ``CosineAnnealingLR`` needs its list only when a period is over: with
# ``T_max=3`` it raises in the fourth step, so in a real training many epochs later.
#
# The others compute the next rate from the rate that a group has. ``LinearLR`` halves
# the rates when it is made and then raises them step by step to twice that. The new
# group was not halved, and ends at twice what you asked for.

# %% tags=["hide-input"]
# Square: goes on with the new group. Triangle: goes on with a wrong rate. Cross:
# raises.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
looks = {
    "right": {"marker": "s", "fc": "none", "ec": "C0"},
    "raises": {"marker": "x", "c": "C2"},
}
wrong = {"marker": "^", "fc": "none", "ec": "C2"}
for name, outcome in outcomes.items():
    ax.scatter(0, name, s=140, lw=2, **looks.get(outcome, wrong))
ax.set_xticks([0], ["add_param_group()"])
ax.margins(0.5, 0.08)
ax.invert_yaxis()
plt.show()

# %%
# Give the optimizer all parameters at the start, and freeze by flag: then no group is
# added. If you must add one, make a new scheduler afterwards. Source: :torch:`How to
# adjust learning rate <optim.html#how-to-adjust-learning-rate>`.
#
# Related: :doc:`/gallery/freezing/unfreeze_gradually`, :doc:`add_param_group_errors`,
# :doc:`/gallery/freezing/different_learning_rates`.
