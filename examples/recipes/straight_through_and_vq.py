"""
The straight-through estimator: x + (round(x) - x).detach()
===========================================================

Rounding has a gradient of zero everywhere, so nothing before it learns. Add the change
as a constant, and the value is rounded while the gradient passes as if it were not.
"""

# %%
# Why does nothing before ``round()`` learn?
# ------------------------------------------
# Not because the graph is cut. The gradient is there, and it is zero.
import torch

x = torch.tensor([0.2, 0.7, 1.4], requires_grad=True)
torch.round(x).sum().backward()
print(x.grad)
assert x.grad.tolist() == [0, 0, 0]

# %%
# The one line
# ------------
# The bracket is detached: in the forward it adds what is missing to the rounded value,
# in the backward it is a constant.
x.grad = None
y = x + (torch.round(x) - x).detach()
y.sum().backward()
print(y.tolist(), x.grad)
assert y.tolist() == [0, 1, 1]
assert x.grad.tolist() == [1, 1, 1]

# %%
# With ``round`` the sum is exact, because the rounded value is close to ``x``. With a
# value further away, like an entry of the codebook below, it need not be.
values = torch.linspace(-1000, 1000, 99_999)
assert torch.equal(values + (values.round() - values), values.round())

# %% tags=["hide-input"]
# Left: the forward is a staircase. Right: the gradient of ``round(x)`` is zero
# (dashed), that of the straight-through estimator is one.
import matplotlib.pyplot as plt

xs = torch.linspace(-1, 2, 301, requires_grad=True)
ys = xs + (xs.round() - xs).detach()
(through,) = torch.autograd.grad(ys.sum(), xs)
(zero,) = torch.autograd.grad(xs.round().sum(), xs)
_, (left, right) = plt.subplots(1, 2, figsize=(6, 2.8), layout="constrained")
left.plot(xs.detach(), ys.detach(), "C0")
left.set(xlabel="x", ylabel="y")
right.plot(xs.detach(), through, "C0")
right.plot(xs.detach(), zero, "C2--")
right.set(xlabel="x", ylabel="gradient", ylim=(-0.2, 1.4))
plt.show()

# %%
# A codebook: two detaches, two losses
# ------------------------------------
# A vector-quantised autoencoder replaces each ``z`` by the nearest entry of a codebook.
# The choice, an ``argmin``, has no gradient at all. Straight through, the task teaches
# the encoder, and not the codebook. With the entry outside the bracket, the value is
# exact: the bracket is zero, and still passes the gradient.
torch.manual_seed(0)
codebook = torch.nn.Embedding(4, 2)
z = torch.randn(3, 2, requires_grad=True)
nearest = torch.cdist(z, codebook.weight).argmin(1)
entry = codebook(nearest)
quantised = entry.detach() + (z - z.detach())
assert torch.equal(quantised, entry)
assert not torch.equal(z + (entry - z).detach(), entry)
quantised.square().sum().backward(retain_graph=True)
print("task:    ", z.grad is not None, codebook.weight.grad is not None)
assert z.grad is not None
assert codebook.weight.grad is None

# %%
# The codebook learns from a loss of its own, with ``z`` detached. Another loss holds
# the encoder to its entry, with the entry detached.
z.grad = None
(entry - z.detach()).square().mean().backward(retain_graph=True)
print("codebook:", z.grad is not None, codebook.weight.grad is not None)
assert z.grad is None
assert codebook.weight.grad is not None
codebook.weight.grad = None
(z - entry.detach()).square().mean().backward()
print("encoder: ", z.grad is not None, codebook.weight.grad is not None)
assert z.grad is not None
assert codebook.weight.grad is None

# %%
# In both losses, what is detached is the target, and the other moves towards it.
# Sources: `Estimating or Propagating Gradients Through Stochastic Neurons
# <https://arxiv.org/abs/1308.3432>`_, `Neural Discrete Representation Learning
# <https://arxiv.org/abs/1711.00937>`_.
#
# Related: :doc:`/gallery/graph/what_drops_the_graph`,
# :doc:`target_network_and_advantage`, :doc:`/gallery/modes/hooks_and_custom_functions`.
