"""
A GAN trains in two steps that share one batch of fakes
=======================================================

Detach the fakes while the discriminator learns, freeze the discriminator while the
generator learns. Then one forward of the generator serves both steps, and a mistake
raises an error.
"""

# %%
# What does a GAN training loop look like?
# ----------------------------------------
# The generator learns to put points on a ring. It runs once per round.
import copy

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


def network(outputs):
    hidden = nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2)
    return nn.Sequential(*hidden, nn.Linear(32, outputs))


def bce(verdict, label):
    return F.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, label))


def ring():
    return 2 * F.normalize(torch.randn(128, 2))


generator, discriminator = network(2), network(1)
first = copy.deepcopy(generator)
g_optimizer = torch.optim.Adam(generator.parameters(), lr=0.002, betas=(0.5, 0.9))
d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=0.004, betas=(0.5, 0.9))
for _ in range(300):
    fake = generator(torch.randn(128, 2))

    d_loss = bce(discriminator(ring()), 1.0) + bce(discriminator(fake.detach()), 0.0)
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()

    discriminator.requires_grad_(False)
    g_loss = bce(discriminator(fake), 1.0)
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    discriminator.requires_grad_(True)

# %%
# The ring (line) and what the generator makes of noise: gray crosses before the
# training, blue circles after it.
import matplotlib.pyplot as plt

noise = torch.randn(300, 2)
with torch.no_grad():
    before, after = first(noise), generator(noise)
_, ax = plt.subplots(figsize=(4.5, 4), layout="constrained")
ax.add_patch(plt.Circle((0, 0), 2, fill=False, ec="C3", lw=2))
ax.plot(*before.T, "C1x", label="0")
ax.plot(*after.T, "C0o", mfc="none", label="300")
ax.legend(title="round", loc="center")
ax.set_aspect("equal")
ax.axis("off")
plt.show()
assert before.norm(dim=1).max() < 1
assert abs(after.norm(dim=1).mean() - 2) < 0.3

# %%
# Trying to backward through the graph a second time
# --------------------------------------------------
# You get this without ``detach()`` in the first step. Its ``backward()`` runs through
# the generator, too, and frees the graph that the second step needs.
fake = generator(noise)
bce(discriminator(fake), 0.0).backward()
try:
    bce(discriminator(fake), 1.0).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the generator's graph was still there")


# %%
# Does ``retain_graph=True`` help, as the message says?
# -----------------------------------------------------
# The message goes away. But now the discriminator's loss gives the generator a
# gradient, too, and that one asks for worse fakes. Unless you clear it, the two add up.
def gradient(*losses):
    generator.zero_grad()
    for loss in losses:
        loss.backward(retain_graph=True)
    return generator[0].weight.grad


fake = generator(noise)
d_loss, g_loss = bce(discriminator(fake), 0.0), bce(discriminator(fake), 1.0)
mixed, wrong, right = gradient(d_loss, g_loss), gradient(d_loss), gradient(g_loss)
assert torch.allclose(mixed, wrong + right, atol=1e-5)
assert F.cosine_similarity(wrong.flatten(), right.flatten(), dim=0) < 0

# %%
# And if you keep the verdict of the first step, to save a forward, the optimizer
# overwrites the weights that its graph needs.
verdict = discriminator(fake)
bce(verdict, 0.0).backward(retain_graph=True)
d_optimizer.step()
try:
    bce(verdict, 1.0).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("step() did not write to the weights")

# %%
# Why freeze the discriminator, if its optimizer does not step?
# -------------------------------------------------------------
# It spares the gradients of the discriminator's weights, and it turns mistakes into
# errors. Fakes that are detached, or made under ``no_grad()``, are fine for the first
# step. In the second, nothing is left to train, and ``backward()`` says so. Without
# freezing it runs, and the generator silently learns nothing.
with torch.no_grad():
    fake = generator(noise)
generator.zero_grad()
bce(discriminator(fake), 1.0).backward()
assert all(p.grad is None for p in generator.parameters())
discriminator.requires_grad_(False)
try:
    bce(discriminator(fake), 1.0).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("something still had a gradient")

# %%
# One batch of fakes, detached in the first step and whole in the second; freeze and
# unfreeze around the second; ``zero_grad()`` before each ``backward()``.
#
# Related: :doc:`/gallery/three-ways/detach_in_a_gan`,
# :doc:`/gallery/three-ways/through_or_blocked`, :doc:`/gallery/graph/backward_twice`.
# Source: the `DCGAN tutorial
# <https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html>`__.
