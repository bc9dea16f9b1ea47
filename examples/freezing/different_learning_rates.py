"""
Different learning rates per layer, and why lr=0 is not freezing
================================================================

Give each part a parameter group with its own ``lr``. A rate of zero is no freeze: the
gradient and the optimizer state are still computed, and a scheduler may raise the rate.
"""

# %%
import torch
from torch import nn

for rate, freeze in ((0.01, False), (0.0, False), (0.0, True)):
    backbone, head = nn.Linear(2, 2), nn.Linear(2, 1)
    backbone.requires_grad_(not freeze)
    slow = {"params": backbone.parameters(), "lr": rate}
    fast = {"params": head.parameters()}  # takes lr=0.1
    optimizer = torch.optim.AdamW([slow, fast], lr=0.1)
    head(backbone(torch.ones(1, 2))).sum().backward()
    weight, before = backbone.weight, backbone.weight.clone()
    optimizer.step()
    stays, cost = weight.equal(before), weight in optimizer.state
    print(f"lr={rate}, frozen {freeze}: {stays=}, state={cost}")
    assert (stays, cost) == (rate == 0, not freeze)
    assert (weight.grad is None) == freeze

# %%
# The scheduler raises it again
# -----------------------------
# A schedule with a floor, here ``eta_min``, moves a rate of zero towards the floor, and
# the weights that you took for frozen change.
backbone, head = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
groups = [
    {"params": backbone.parameters(), "lr": 0.0},
    {"params": head.parameters()},
]
optimizer = torch.optim.AdamW(groups, lr=0.1)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10, eta_min=0.02)
rates, weights = [], []
for _ in range(10):
    rates.append(optimizer.param_groups[0]["lr"])
    weights.append(backbone.weight.item())
    optimizer.zero_grad()
    head(backbone(torch.ones(1, 1))).sum().backward()
    optimizer.step()
    scheduler.step()
print(rates[0], rates[1] > 0, weights[-1] != weights[0])
assert rates[0] == 0
assert rates[1] > 0
assert weights[1] == weights[0] != weights[-1]
assert abs(optimizer.param_groups[0]["lr"] - 0.02) < 1e-6

# %% tags=["hide-input"]
# The learning rate of the group (dashed) begins at zero, and the scheduler raises it.
# The weight (solid) changes.
import matplotlib.pyplot as plt

_, (left, right) = plt.subplots(1, 2, figsize=(6, 2.8), layout="constrained")
left.plot(rates, "C2--")
left.set(xlabel="step", ylabel="lr")
right.plot(weights, "C0-")
right.set(xlabel="step", ylabel="weight")
plt.show()

# %%
# A gradient of inf makes it NaN
# ------------------------------
# Zero times infinity is NaN, so with SGD, Adam and others one infinite gradient makes a
# weight with ``lr=0`` NaN. A frozen weight without a gradient stays.
for make in (torch.optim.SGD, torch.optim.Adam):
    weight, frozen = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    weight.grad = torch.tensor([float("inf")])
    make([weight, frozen.requires_grad_(False)], lr=0.0).step()
    print(weight.item(), frozen.item())
    assert weight.isnan().all()
    assert frozen.item() == 1

# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``Rprop`` moves weights with ``lr=0``: it takes the rate for the size of its first
#   step, which it makes at least ``1e-6``.
# - SGD without momentum keeps no state, so there ``lr=0`` costs only the gradient.
# - LBFGS accepts only one group.
weight = nn.Parameter(torch.ones(1))
weight.grad = torch.ones(1)
sgd = torch.optim.SGD([weight], lr=0.0)
sgd.step()
assert weight.item() == 1
assert not any(sgd.state[weight].values())
torch.optim.Rprop([weight], lr=0.0).step()
assert weight.item() < 1
try:
    torch.optim.LBFGS(groups)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("LBFGS took two groups")
assert "parameter groups" in message

# %%
# Use a group to let a layer learn slowly, and ``requires_grad_(False)`` to freeze it.
# :py:func:`gradguide.explain` calls the first ``lr=0``, the second ``frozen``. Source:
# :torch:`torch.optim, per-parameter options <optim.html#per-parameter-options>`.
from gradguide import explain

model = nn.Sequential(backbone, head.requires_grad_(False))
optimizer.zero_grad()
optimizer.param_groups[0]["lr"] = 0.0
report = explain(model, optimizer=optimizer)
assert [row.verdict for row in report] == ["lr=0", "frozen"]

# %%
# Related: :doc:`unfreeze_gradually`, :doc:`freeze_a_backbone`,
# :doc:`/gallery/still-moves/stale_gradients`.
