"""
Different learning rates, and why lr=0 is not freezing
======================================================

Each parameter group has its own learning rate. With ``lr=0`` its weights stay, but you
still pay for their gradients and optimizer state, and a scheduler may raise the rate.
"""

# %%
# A slower backbone
# -----------------
# One dictionary per group. What a group does not set, here the rate of the head, comes
# from the arguments of the optimizer.
import torch


def new_model():
    layers = [torch.nn.Linear(1, 1, bias=False) for _ in range(2)]
    for layer in layers:
        torch.nn.init.ones_(layer.weight)
    return torch.nn.Sequential(*layers)


def groups(model, slow):
    backbone, head = model
    return [
        {"params": backbone.parameters(), "lr": slow},
        {"params": head.parameters()},
    ]


model = new_model()
optimizer = torch.optim.SGD(groups(model, slow=0.01), lr=0.1)
model(torch.ones(1, 1)).sum().backward()
optimizer.step()
print([round(p.item(), 4) for p in model.parameters()])
assert [round(p.item(), 4) for p in model.parameters()] == [0.99, 0.9]

# %%
# Is ``lr=0`` the same as freezing?
# ---------------------------------
# The weight stays. But its gradient is computed in each backward, and Adam keeps two
# averages for it. A frozen weight has neither.
model = new_model()
optimizer = torch.optim.AdamW(groups(model, slow=0.0), lr=0.1)
model(torch.ones(1, 1)).sum().backward()
optimizer.step()
backbone = model[0].weight
print(backbone.item(), backbone.grad, backbone in optimizer.state)
assert backbone.item() == 1
assert backbone.grad is not None
assert backbone in optimizer.state

# %%
# And ``Rprop`` moves the weight even so. It takes the rate for the size of its first
# step, which is never smaller than a millionth.
weight = torch.nn.Parameter(torch.ones(1))
weight.grad = torch.ones(1)
torch.optim.Rprop([weight], lr=0.0).step()
assert weight.item() < 1

# %%
# The scheduler raises it again
# -----------------------------
# A schedule with a floor, here ``eta_min``, raises a rate of zero to it, and the weight
# that you took for frozen moves.
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10, eta_min=0.02)
rates, weights = [], []
for _ in range(10):
    rates.append(optimizer.param_groups[0]["lr"])
    weights.append(backbone.item())
    optimizer.zero_grad()
    model(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    scheduler.step()
print(rates[0], rates[1] > 0, weights[-1] < 1)
assert rates[0] == 0
assert rates[1] > 0
assert weights[-1] < 1

# %% tags=["hide-input"]
# The learning rate of the group (dashed) begins at zero, and the scheduler raises it.
# The weight (solid) moves.
import matplotlib.pyplot as plt

_, (left, right) = plt.subplots(1, 2, figsize=(6, 2.8), layout="constrained")
left.plot(rates, "C2--")
left.set(xlabel="step", ylabel="lr")
right.plot(weights, "C0-")
right.set(xlabel="step", ylabel="weight")
plt.show()

# %%
# Use a group to let a layer learn slowly, ``requires_grad_(False)`` to keep it still.
# :py:func:`gradguide.explain` calls the first ``lr=0``, the second ``frozen``. Source:
# :torch:`torch.optim, per-parameter options <optim.html#per-parameter-options>`.
#
# Related: :doc:`unfreeze_gradually`, :doc:`freeze_a_backbone`,
# :doc:`/gallery/still-moves/stale_gradients`.
