"""
loss.requires_grad_(True) hides the error: the weights get no gradient
======================================================================

``element 0 of tensors does not require grad`` means that the loss has no graph.
Switching ``requires_grad`` on does not bring the graph back. Repair the line that lost
it.
"""

# %%
# The wrong forward runs under ``no_grad()``; the right one is recorded.
import torch
from torch import nn

model, x = nn.Linear(2, 1), torch.ones(1, 2)
with torch.no_grad():
    wrong = model(x).sum()
wrong.requires_grad_(True)
wrong.backward()
print(model.weight.grad)
assert model.weight.grad is None
right = model(x).sum()
right.backward()
print(model.weight.grad)
assert model.weight.grad.tolist() == [[1, 1]]

# %%
# The wrong loss has become a leaf. ``backward()`` starts there and ends there: the
# gradient of the loss with respect to itself is 1, and it is stored in ``loss.grad``.
print(wrong.is_leaf, wrong.grad)
assert wrong.is_leaf
assert wrong.grad.item() == 1

# %%
# The error that it hides
# -----------------------
# Without ``requires_grad_(True)``, ``backward()`` raises.
with torch.no_grad():
    loss = model(x).sum()
try:
    loss.backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the loss had a graph")

# %%
# A new tensor made from the loss
# -------------------------------
# This is worse: it cuts a graph that was there. ``Variable``, from before PyTorch 0.4,
# does so. So do ``torch.tensor``, which warns, and a conversion to NumPy and back. The
# result of ``argmax`` has no graph.
from torch.autograd import Variable

model.zero_grad()
copies = {
    "Variable(loss, requires_grad=True)": Variable(model(x).sum(), requires_grad=True),
    "torch.tensor(loss, ...)": torch.tensor(model(x).sum(), requires_grad=True),
    "from_numpy(...)": torch.from_numpy(model(x).detach().numpy()).requires_grad_(),
    "argmax().float()": model(x).argmax().float().requires_grad_(),
}
for code, loss in copies.items():
    loss.sum().backward()
    print(f"{code:35}", model.weight.grad)
    assert loss.is_leaf
    assert model.weight.grad is None

# %%
# Ten steps
# ---------
# With ``requires_grad_(True)`` the loss stays where it was. With a recorded forward it
# falls.


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
print(f"{hidden[-1]:.2f} {repaired[-1]:.2f}")
assert len(set(hidden)) == 1
assert repaired[-1] < 0.01 * repaired[0]

# %% tags=["hide-input"]
# The loss over ten steps: dashed with ``requires_grad_(True)``, solid with the forward
# recorded.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(hidden, "x--", c="C2", label="loss.requires_grad_(True)")
ax.plot(repaired, "s-", c="C0", mfc="none", label="recorded")
ax.set(xlabel="step()", ylabel="loss")
ax.legend()
plt.show()

# %% tags=["hide-input"]
# Where it ends
# -------------
# - On a loss that has a graph, ``requires_grad_(True)`` changes nothing.
# - On the *input* of a reentrant checkpoint it is the cure: such a checkpoint gives its
#   parameters gradients only if one of its inputs requires one. When a frozen model is
#   fine-tuned, ``model.enable_input_require_grads()`` does that, and with
#   ``gradient_checkpointing_kwargs={"use_reentrant": False}`` it is not needed
#   (:doc:`/gallery/frameworks/checkpointing_with_adapters`).
# - A weight without a new gradient can move: an optimizer still applies a gradient that
#   was left in ``.grad``.
from torch.utils.checkpoint import checkpoint

model.zero_grad()
model(x).sum().requires_grad_(True).backward()
assert model.weight.grad.tolist() == [[1, 1]]

model.zero_grad()
checkpoint(model, x.clone().requires_grad_(True), use_reentrant=True).sum().backward()
assert model.weight.grad.tolist() == [[1, 1]]
assert not checkpoint(model, x, use_reentrant=True).requires_grad

before = model.weight.detach().clone()
torch.optim.SGD(model.parameters(), lr=0.1).step()
assert not model.weight.equal(before)

# %%
# If the loss requires no gradient, ask why.
#
# Related: :doc:`what_drops_the_graph`,
# :doc:`/gallery/diagnose/why_is_my_gradient_none`,
# :doc:`/gallery/three-ways/backward_without_a_graph`. Source:
# :torch:`torch.Tensor.requires_grad_`.
