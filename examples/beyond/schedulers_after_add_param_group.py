"""
zip() argument 2 is shorter than argument 1: add_param_group() and schedulers
=============================================================================

A scheduler records the parameter groups when it is made. Add a group later, and some
schedulers raise, others go on with a wrong learning rate. Give the optimizer all
parameters from the start, and freeze by ``requires_grad``.
"""

# %%
# A group that comes after the scheduler, beside one that was there from the start.
import torch
from torch.optim.lr_scheduler import LambdaLR

backbone, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
backbone.requires_grad_(False)
for late in (True, False):
    optimizer = torch.optim.SGD(head.parameters(), lr=1.0)
    new = {"params": backbone.parameters(), "lr": 0.1}
    if not late:
        optimizer.add_param_group(new)
    scheduler = LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    if late:
        optimizer.add_param_group(new)
    optimizer.step()
    try:
        scheduler.step()
    except ValueError as error:
        print(f"{type(error).__name__}: {error}")
print([group["lr"] for group in optimizer.param_groups])
assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.05]

# %%
# With the group there from the start, unfreezing is a matter of ``requires_grad``
# alone. (DeepSpeed is an exception: its ZeRO optimizers take over only the parameters
# that require a gradient when they are made. DeepSpeed was not run here.)
#
# If the group must come later
# ----------------------------
# A new ``LambdaLR`` alone starts the schedule again: the rate of the old group jumps
# back. To go on, write ``initial_lr`` into the new group, and pass ``last_epoch`` of
# the old scheduler, less one, because a scheduler takes one step when it is made.


def new_parameter():
    parameter = torch.nn.Parameter(torch.ones(1))
    parameter.grad = torch.zeros(1)
    return parameter


def make_lambda(optimizer, last_epoch=-1):
    return LambdaLR(optimizer, lambda epoch: 0.5**epoch, last_epoch)


def four_steps(make, **extra):
    optimizer = torch.optim.SGD([new_parameter()], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    optimizer.add_param_group({"params": [new_parameter()], "lr": 0.1, **extra})
    return optimizer, scheduler


def rates(optimizer):
    return [round(group["lr"], 6) for group in optimizer.param_groups]


optimizer, scheduler = four_steps(make_lambda)
assert rates(optimizer) == [0.0625, 0.1]
make_lambda(optimizer)
print("new scheduler:", rates(optimizer))
assert rates(optimizer) == [1, 0.1]

optimizer, scheduler = four_steps(make_lambda, initial_lr=0.1)
make_lambda(optimizer, last_epoch=scheduler.last_epoch - 1)
print("initial_lr, last_epoch:", rates(optimizer))
assert rates(optimizer) == [0.0625, 0.00625]

# %%
# Unfrozen late, and the learning rate has already decayed: a schedule for each group
# -----------------------------------------------------------------------------------
# A scheduler counts for all groups from the first step, also for a group that is still
# frozen. With a cosine or linear schedule, a layer that is unfrozen late gets what is
# left of the rate. Give ``LambdaLR`` one function for each group, and let that of the
# frozen group begin when it is unfrozen. The list must have one function per group:
# ``Expected 2 lr_lambdas, but got 1``. ``get_linear_schedule_with_warmup()`` of
# transformers is a ``LambdaLR`` with one function for all, so write the list yourself.
# ``OneCycleLR`` takes a list of ``max_lr``, but turns for all groups at the same time.
# :doc:`/gallery/freezing/unfreeze_gradually` has the whole loop.
import math

STEPS, OPENS = 10, 6


def cosine(begin, warm_up):
    def factor(step):
        if step < begin:
            return 0.0
        if step < begin + warm_up:
            return (step - begin + 1) / warm_up
        done = (step - begin - warm_up) / (STEPS - begin - warm_up)
        return 0.5 * (1 + math.cos(math.pi * done))

    return factor


def rates_of_backbone(make):
    groups = [
        {"params": head.parameters(), "lr": 1.0},
        {"params": backbone.parameters(), "lr": 0.1},
    ]
    optimizer = torch.optim.SGD(groups)
    scheduler, history = make(optimizer), []
    for _ in range(STEPS):
        history.append(round(optimizer.param_groups[1]["lr"], 3))
        optimizer.step()
        scheduler.step()
    return history


shared = rates_of_backbone(lambda o: LambdaLR(o, cosine(0, 1)))  # wrong
own = rates_of_backbone(lambda o: LambdaLR(o, [cosine(0, 1), cosine(OPENS, 2)]))
print("one function:", shared[OPENS:])
print("its own:     ", own[OPENS:])
assert max(shared[OPENS:]) < 0.05
assert own[:OPENS] == [0.0] * OPENS
assert max(own[OPENS:]) == 0.1
try:
    rates_of_backbone(lambda o: LambdaLR(o, [cosine(0, 1)]))
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("one function was taken for two groups")
assert message == "Expected 2 lr_lambdas, but got 1"

# %% tags=["hide-input"]
# Which schedulers raise?
# -----------------------
# Each gets an optimizer with one group, then a second group is added, with ``lr=0.1``,
# and five steps are made. For comparison, the same with both groups from the start.
from torch.optim import lr_scheduler

SCHEDULERS = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 1, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1], 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.5),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 10),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 3),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.5, 1.0, 4),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.5, 3),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 0.5**step),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda step: 0.5),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=10),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(
        o, 5
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0),
}


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
assert len(outcomes) == 13
right = {
    "StepLR": "right",
    "MultiStepLR": "right",
    "ExponentialLR": "right",
    "PolynomialLR": "right",
    "LinearLR": "0.2, not 0.1",
    "ConstantLR": "0.2, not 0.1",
    "ReduceLROnPlateau": "right",
}
assert survivors == right, "before PyTorch 2.10, five more go on"

# %%
# Why these?
# ----------
# Five of the six that raise keep a list with one entry per group, such as the base rate
# or the function, and go through it side by side with the groups. They raise if the
# lengths differ (:since:`2.10`; before, only ``OneCycleLR`` raised, and four went on at
# a wrong rate without an error). ``OneCycleLR`` keeps its numbers in the groups, where
# the new one has none. ``CosineAnnealingLR`` needs its list only when a period is over:
# with ``T_max=3`` it raises in the fourth step, so in a real training many epochs
# later.
#
# The others compute the next rate from the rate that a group has. ``LinearLR`` and
# ``ConstantLR`` halve the rates here when they are made, and multiply them by two in
# all until they end. The new group was not halved, and ends at twice what you asked
# for.

# %% tags=["hide-input"]
# Square: goes on with the new group. Triangle: goes on with a wrong rate. Cross:
# raises.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
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

# %% tags=["hide-input"]
# Where it ends
# -------------
# - In a ``SequentialLR``, one scheduler that raises is enough.
# - ``ReduceLROnPlateau`` raises if ``min_lr`` is a list.
# - ``OneCycleLR`` goes on only if the new group also has ``max_lr`` and ``min_lr``, and
#   the bounds of the momentum.
# - Resumed with ``last_epoch``, a scheduler that computes the next rate from the rate
#   that a group has starts the new group at ``lr`` and changes it from there.


def make_sequence(optimizer):
    first = lr_scheduler.LinearLR(optimizer, 0.5, 1.0, 4)
    return lr_scheduler.SequentialLR(optimizer, [first, make_lambda(optimizer)], [4])


def make_plateau(optimizer):
    return lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.01])


for make, expected in ((make_sequence, ValueError), (make_plateau, RuntimeError)):
    try:
        learning_rate(make, late=True)
    except (ValueError, RuntimeError) as error:
        raised = type(error)
    else:
        raise AssertionError("the scheduler went on")
    assert raised is expected


def make_cycle(optimizer, last_epoch=-1):
    total = {"total_steps": 20, "last_epoch": last_epoch}
    return lr_scheduler.OneCycleLR(optimizer, 1.0, **total)


bounds = {"max_lr": 1.0, "min_lr": 4e-6, "max_momentum": 0.95, "base_momentum": 0.85}
for extra in ({}, bounds):
    optimizer, scheduler = four_steps(make_cycle, initial_lr=0.04, **extra)
    old_rate = optimizer.param_groups[0]["lr"]
    missing = ()
    try:
        make_cycle(optimizer, scheduler.last_epoch - 1)
    except KeyError as error:
        missing = error.args
    assert missing == (() if extra else ("max_lr",))
    if extra:
        assert optimizer.param_groups[0]["lr"] == old_rate


def make_multiplicative(optimizer, last_epoch=-1):
    return lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5, last_epoch)


optimizer, scheduler = four_steps(make_multiplicative, initial_lr=0.1)
scheduler = make_multiplicative(optimizer, scheduler.last_epoch - 1)
assert rates(optimizer) == [0.0625, 0.1]
optimizer.step()
scheduler.step()
assert rates(optimizer) == [0.03125, 0.05]

# %%
# Give the optimizer all parameters at the start, and freeze by ``requires_grad``: then
# no group is added. Source: :torch:`How to adjust learning rate
# <optim.html#how-to-adjust-learning-rate>`.
#
# Related: :doc:`/gallery/freezing/unfreeze_gradually`, :doc:`add_param_group_errors`,
# :doc:`/gallery/freezing/different_learning_rates`.
