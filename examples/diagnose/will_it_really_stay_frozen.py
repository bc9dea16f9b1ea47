"""
A layer that you froze by hand can still move
=============================================

``requires_grad_(False)`` leaves an old gradient to the optimizer and doesn't stop a
batch norm. :py:func:`gradguide.explain` predicts what will move,
:py:func:`gradguide.changed` proves it.
"""

# %%
# A backbone with a batch norm learns for one step and is then frozen. ``state`` is what
# its ``.grad`` is at that moment.
from collections import OrderedDict

import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
from gradguide import changed, explain, freeze

torch.manual_seed(0)
images = torch.randn(16, 4)


def frozen(state, *, by_hand=True):
    backbone = nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8))
    model = nn.Sequential(OrderedDict(backbone=backbone, head=nn.Linear(8, 1)))
    optimizer = torch.optim.AdamW(model.parameters())
    model(images).square().mean().backward()
    optimizer.step()
    if state != "old":
        optimizer.zero_grad(set_to_none=state == "None")
    if by_hand:
        backbone.requires_grad_(False)
    else:
        freeze(model, "backbone")
    return model, optimizer


# %%
# Will it really stay?
# --------------------
# The verdict ``moves`` means: frozen, and it will move all the same. The optimizer
# holds the backbone and finds a gradient there. The forward updates the running
# statistics.
model, optimizer = frozen("old")
report = explain(model, optimizer)
print(report)
assert len(report.problems) == 6

# %%
# Take that step, and list what has other values afterwards. It is what was predicted to
# train or to move, no more and no less.


def step(model, optimizer):
    with changed(model.train()) as names:
        model(images).square().mean().backward()
        optimizer.step()
    return set(names)


def predicted(report):
    return {row.name for row in report if row.verdict != "frozen"}


moved = step(model, optimizer)
print(*sorted(moved), sep="\n")
assert moved == predicted(report)

# %%
# How to freeze so that it stays
# ------------------------------
# A gradient of zero is no cure: weight decay and momentum go on. With None the weights
# stay, the statistics don't. :py:func:`gradguide.freeze` takes the gradient away and
# holds the batch norm, even through the ``model.train()`` of each step.
moves = {}
for state, by_hand in [("old", True), ("0", True), ("None", True), ("old", False)]:
    model, optimizer = frozen(state, by_hand=by_hand)
    way = f".grad: {state}" if by_hand else "freeze()"
    report = explain(model, optimizer)
    moves[way] = step(model, optimizer)
    assert moves[way] == predicted(report)
    print(way, *sorted({row.why for row in report.problems}), sep="\n  ")
assert moves[".grad: 0"] == moves[".grad: old"]
assert "backbone.0.weight" not in moves[".grad: None"]
assert moves["freeze()"] == {"head.weight", "head.bias"}

# %% tags=["hide-input"]
# What moved in a step (open square) and what stayed (hatched). Three times the backbone
# is frozen by hand, and each time something of it moves. In the last column nothing but
# the head does.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for way, names in moves.items():
    for name in model.state_dict():
        look = {"ec": "C0"} if name in names else {"ec": "C1", "hatch": "//////"}
        ax.scatter(way, name, s=130, marker="s", fc="none", lw=2, **look)
ax.margins(0.15, 0.1)
ax.invert_yaxis()
plt.show()

# %%
# Freeze with ``freeze()``, or let ``assert not explain(model, optimizer).problems``
# stand guard after your own way of freezing.
#
# Related: :doc:`why_is_my_gradient_none`, :doc:`where_did_the_memory_go`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`.
