"""
Optimize the input: freeze the network, not the forward
=======================================================

An adversarial example, a perceptual loss, a prompt that is trained: the network is
frozen, and the gradient goes through it to its input. ``no_grad()`` would stop it.
"""

# %%
# Train an image, not the network
# -------------------------------
# The input is a leaf that requires a gradient, and the optimizer gets nothing else.
import torch
from torch.nn import functional

torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)
)
network.requires_grad_(False).eval()
image = torch.zeros(1, 4, requires_grad=True)
wanted = torch.tensor([1])
optimizer = torch.optim.Adam([image], lr=0.1)
losses = []
for _ in range(50):
    optimizer.zero_grad()
    loss = functional.cross_entropy(network(image), wanted)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(losses[-1] < losses[0], [p.grad for p in network.parameters()])
assert losses[-1] < losses[0]
assert all(p.grad is None for p in network.parameters())

# %%
# An adversarial example: one step is enough
# ------------------------------------------
# ``autograd.grad`` returns the gradient of the images and leaves every ``.grad`` alone,
# even if the network is not frozen. ``backward()`` would add a gradient to the weights
# as well, unseen, with each image.
network.requires_grad_(True)
clean = torch.randn(8, 4, requires_grad=True)
labels = network(clean).argmax(1)
before = functional.cross_entropy(network(clean), labels)
(gradient,) = torch.autograd.grad(before, clean)
attacked = clean.detach() + 0.5 * gradient.sign()
after = functional.cross_entropy(network(attacked), labels)
assert after > before
assert all(p.grad is None for p in network.parameters())
network.requires_grad_(False)

# %%
# A perceptual loss: frozen, and not under ``no_grad()``
# ------------------------------------------------------
# A frozen network compares what the generator made with what it should have made. The
# branch of the target needs no graph. That of the prediction must have one, or the
# generator learns nothing.
generator = torch.nn.Linear(4, 4)
source, target = torch.randn(2, 4), torch.randn(2, 4)
with torch.no_grad():
    wanted_features = network(target)
functional.mse_loss(network(generator(source)), wanted_features).backward()
print(generator.weight.grad is not None)
assert generator.weight.grad is not None

# %%
# With both branches under ``no_grad()``:
with torch.no_grad():
    features = network(generator(source))
try:
    functional.mse_loss(features, wanted_features).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the generator was reached")

# %%
# With another term in the loss there is no error, and the perceptual part does nothing.
generator.zero_grad()
pixels = functional.mse_loss(generator(source), target)
pixels.backward()
alone = generator.weight.grad.clone()
generator.zero_grad()
pixels = functional.mse_loss(generator(source), target)
(pixels + functional.mse_loss(features, wanted_features)).backward()
assert torch.equal(generator.weight.grad, alone)

# %% tags=["hide-input"]
# The loss goes down, although only the image is trained. The network is frozen and
# stays as it is.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(losses, "C0")
ax.set(xlabel="step", ylabel="loss", ylim=0)
plt.show()

# %%
# Freeze with flags, put the network into ``eval()``, and keep ``no_grad()`` for the
# branch of the target. Sources: `Explaining and Harnessing Adversarial Examples
# <https://arxiv.org/abs/1412.6572>`__, `Perceptual Losses for Real-Time Style Transfer
# <https://arxiv.org/abs/1603.08155>`__.
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`, :doc:`gan_training`,
# :doc:`/gallery/graph/gradients_of_some_inputs`.
