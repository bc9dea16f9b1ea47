"""
A layer that you froze by hand can still change
===============================================

``requires_grad_(False)`` leaves an old ``.grad`` to the optimizer, and a batch norm
goes on updating its statistics. :py:func:`gradguide.freeze` stops both, and
:py:func:`gradguide.changed` shows it.
"""

# %%
import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
from gradguide import changed, explain, freeze

images = torch.randn(16, 4)
backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
optimizer = torch.optim.AdamW(backbone.parameters())
backbone(images).square().mean().backward()
backbone.requires_grad_(False)
with changed(backbone) as by_hand:
    backbone(images)
    optimizer.step()
freeze(backbone)
with changed(backbone) as by_freeze:
    backbone(images)
    optimizer.step()
print("by hand: ", *by_hand)
print("freeze():", by_freeze)
assert len(by_hand) == 7
assert not by_freeze

# %%
# In a network that goes on training
# ----------------------------------
# A backbone with a batch norm learns for one step and is then frozen. ``state`` is what
# its ``.grad`` is at that moment: the old gradient, zero, or None.
from collections import OrderedDict

torch.manual_seed(0)


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
# The verdict ``moves`` means that it is frozen and will change. The optimizer holds the
# backbone and finds a gradient there. The forward updates the running statistics.
model, optimizer = frozen("old")
report = explain(model, optimizer)
print(report)
assert len(report.problems) == 6

# %%
# Take that step, and list what has other values afterwards. Here it is exactly what was
# predicted to train or to move.


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
# With AdamW, a gradient of zero is no cure: weight decay and momentum go on. With None
# AdamW skips the weights, and the statistics still change. :py:func:`gradguide.freeze`
# sets ``.grad`` to None and holds the batch norm, even after ``model.train()``.
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
# What changed in a step (open square) and what stayed (hatched). Three times the
# backbone is frozen by hand, and each time something of it changes. In the last column
# the head alone does.
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
# Compare by hand: ``before = model.state_dict()`` is no copy
# -----------------------------------------------------------
# Its tensors share the memory of the model. After the training they have the new
# values, and each comparison says that nothing has changed. Clone them. Compare the
# entries of ``state_dict()``, not only the parameters: the statistics of a batch norm
# are buffers. ``torch.equal()`` is right here; ``allclose()`` overlooks a small step.
backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)).requires_grad_(False)
model = nn.Sequential(backbone, nn.Linear(8, 1))
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
# Wrong: the same memory.
shared = model.state_dict()
# Right: a copy of the values.
copied = {name: value.clone() for name, value in model.state_dict().items()}
model(images).square().mean().backward()
optimizer.step()
after = model.state_dict()
print([name for name in after if not after[name].equal(shared[name])])
print([name for name in after if not after[name].equal(copied[name])])
assert all(after[name].equal(shared[name]) for name in after)
assert {name for name in after if not after[name].equal(copied[name])} == {
    "0.1.running_mean",
    "0.1.running_var",
    "0.1.num_batches_tracked",
    "1.weight",
    "1.bias",
}

# %%
# Where it ends
# -------------
# - ``LBFGS`` updates all parameters that it holds from its history, also those that
#   ``freeze()`` froze after a step. ``explain`` reports it: create a new one, with the
#   parameters that train.
# - Your own code can still write to a frozen weight. ``changed`` sees it, ``explain``
#   doesn't foresee it.
linear = nn.Linear(4, 1)
optimizer = torch.optim.LBFGS(linear.parameters(), lr=0.1)


def closure():
    optimizer.zero_grad()
    loss = (linear(images) - 1).square().mean()
    if loss.requires_grad:
        loss.backward()
    return loss


optimizer.step(closure)
freeze(linear, "weight")
report = explain(linear, optimizer)
print(*{row.why for row in report.problems})
with changed(linear) as names:
    optimizer.step(closure)
assert names == ["weight", "bias"]
assert [row.name for row in report.problems] == ["weight"]

optimizer = torch.optim.SGD(linear.parameters(), lr=0.1)
assert not explain(linear, optimizer).problems
with changed(linear) as names, torch.no_grad():
    linear.weight.mul_(0.5)
assert names == ["weight"]

# %%
# Freeze with ``freeze()``. After freezing in another way, check with
# ``assert not explain(model, optimizer).problems``.
#
# Related: :doc:`why_is_my_gradient_none`, :doc:`where_did_the_memory_go`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`.
