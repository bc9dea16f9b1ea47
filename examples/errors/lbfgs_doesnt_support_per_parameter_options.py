"""
``LBFGS doesn't support per-parameter options (parameter groups)``
==================================================================

LBFGS computes one step for all its parameters together, so it takes one group with one
learning rate. Pass all parameters in one list, without those that must not change.
"""

# %%
import torch

body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
groups = [{"params": body.parameters(), "lr": 0.1}, {"params": head.parameters()}]
try:
    # Wrong: two groups.
    torch.optim.LBFGS(groups)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("LBFGS took two groups")
# Right: one list.
both = [*body.parameters(), *head.parameters()]
optimizer = torch.optim.LBFGS(both, lr=0.1)
print(len(optimizer.param_groups[0]["params"]))
assert len(optimizer.param_groups) == 1

# %%
# If you freeze a layer later
# ---------------------------
# LBFGS puts zeros in the place of a missing gradient, and after a first step its
# history still moves the parameter. Create a new optimizer without it.
x = torch.eye(2)


def closure():
    body.zero_grad()
    head.zero_grad()
    loss = (head(body(x)) - 1).square().mean()
    loss.backward()
    return loss


optimizer.step(closure)
body.requires_grad_(False)
body.zero_grad()
# Wrong: the old optimizer still holds the frozen parameters.
start = body.weight.clone()
optimizer.step(closure)
print(body.weight.equal(start))
assert not body.weight.equal(start)
# Right: a new optimizer without them.
start = body.weight.clone()
torch.optim.LBFGS(head.parameters(), lr=0.1).step(closure)
print(body.weight.equal(start))
assert body.weight.equal(start)

# %%
# ``step() missing 1 required positional argument: 'closure'``
# ------------------------------------------------------------
# LBFGS computes the loss several times in one ``step()``, so it needs a function that
# does it: clear the gradients, compute the loss, call ``backward()``, return the loss.
# Other optimizers work without it. A trainer that calls ``optimizer.step()`` without an
# argument, such as the ``Trainer`` of transformers, can't use LBFGS; Lightning passes a
# closure. ``scaler.step()`` takes none: LBFGS does not work with a ``GradScaler``. Use
# the same batch for the whole step.
lbfgs = torch.optim.LBFGS(both, lr=0.1)
try:
    # Wrong: no closure.
    lbfgs.step()
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("LBFGS made a step without a closure")
print(message)
assert "missing 1 required positional argument: 'closure'" in message
# Right: with one. It returns the loss of before the step.
before = closure().item()
print(lbfgs.step(closure).item() == before)
assert closure().item() < before

# %%
# If you need two learning rates
# ------------------------------
# Use two optimizers in turn, or one that takes groups, such as Adam. While one LBFGS
# makes its step, the parameters of the other stay as they are.
body.requires_grad_(True)
slow = torch.optim.LBFGS(body.parameters(), lr=0.1)
fast = torch.optim.LBFGS(head.parameters(), lr=0.5)
with torch.no_grad():
    head.bias.add_(1)
before = closure().item()
for _ in range(3):
    slow.step(closure)
    fast.step(closure)
print(closure().item() < before)
assert closure().item() < before

# %%
# ``add_param_group()`` raises nothing. The next ``step()`` raises ``AssertionError``.
fast.add_param_group({"params": body.parameters()})
try:
    fast.step(closure)
except AssertionError:
    print(len(fast.param_groups))
else:
    raise RuntimeError("LBFGS took two groups")

# %%
# Read on: :doc:`/gallery/freezing/different_learning_rates`.
