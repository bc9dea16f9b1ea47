"""
loss.requires_grad_(True) hides the error and trains nothing
============================================================

The advice is everywhere: if ``backward()`` complains, switch ``requires_grad`` on for
the loss. The error goes away. The gradients don't come back, since the graph doesn't.
"""

# %%
# The error
# ---------
# The forward ran under ``no_grad()``, so the loss has no graph.
import torch
from torch import nn

model = nn.Linear(2, 1)
x = torch.ones(1, 2)
with torch.no_grad():
    loss = model(x).sum()
try:
    loss.backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the loss had a graph")

# %%
# The fix that breaks
# -------------------
# Now the loss is a leaf. ``backward()`` starts there and ends there: the gradient of
# the loss with respect to itself is 1, and it lies in ``loss.grad``.
loss.requires_grad_(True)
loss.backward()
print(loss.grad, model.weight.grad)
assert loss.grad.item() == 1
assert model.weight.grad is None

# %%
# To wrap the loss in a new tensor is worse: it cuts a graph that was there. The old
# ``Variable`` does so, and ``torch.tensor``, which at least warns, and the way through
# NumPy and back. ``argmax`` had no graph to begin with.
from torch.autograd import Variable

wrapped = {
    "Variable(loss, requires_grad=True)": Variable(model(x).sum(), requires_grad=True),
    "torch.tensor(loss, ...)": torch.tensor(model(x).sum(), requires_grad=True),
    "from_numpy(...)": torch.from_numpy(model(x).detach().numpy()).requires_grad_(),
    "argmax().float()": model(x).argmax().float().requires_grad_(),
}
for code, loss in wrapped.items():
    loss.sum().backward()
    print(f"{code:35}", model.weight.grad)
    assert loss.is_leaf
    assert model.weight.grad is None

# %%
# What repairs it
# ---------------
# Find the line that lost the graph and change that one. Here the forward leaves the
# ``no_grad()`` block.
model(x).sum().backward()
print(model.weight.grad)
assert model.weight.grad.tolist() == [[1, 1]]

# %%
# The loss over ten steps. Dashed, with ``requires_grad_(True)`` on a loss without a
# graph: it stays where it was. Solid, with the forward recorded: it falls.
import matplotlib.pyplot as plt


def train(recorded):
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(10):
        with torch.set_grad_enabled(recorded):
            loss = (model(x) - 3).square().mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        (loss if recorded else loss.requires_grad_(True)).backward()
        optimizer.step()
    return losses


hidden, repaired = train(recorded=False), train(recorded=True)
assert len(set(hidden)) == 1
assert repaired[-1] < 0.01 * repaired[0]
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(hidden, "x--", c="C2", label="loss.requires_grad_(True)")
ax.plot(repaired, "s-", c="C0", mfc="none", label="recorded")
ax.set(xlabel="step()", ylabel="loss")
ax.legend()
plt.show()

# %%
# Don't switch ``requires_grad`` on to silence an error. If the loss requires no
# gradient, ask why: :doc:`what_drops_the_graph`, or let
# :doc:`explain </gallery/diagnose/why_is_my_gradient_none>` name the line.
#
# Source: :torch:`torch.Tensor.requires_grad_`.
