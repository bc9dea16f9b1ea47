"""
My GAN's generator doesn't learn: detach() in the wrong step
============================================================

After ``fake.detach()`` the discriminator's output gives the generator no gradient. In
the discriminator's step that is right. In the generator's own step, don't detach.
"""

# %%
import torch

torch.manual_seed(0)
generator, discriminator = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
fake = generator(torch.ones(8, 2))
criterion = torch.nn.BCEWithLogitsLoss()
real = torch.ones(8, 1)
criterion(discriminator(fake.detach()), real).backward()  # wrong
print(generator.weight.grad)
assert generator.weight.grad is None
criterion(discriminator(fake), real).backward()  # right
print(generator.weight.grad)
assert generator.weight.grad is not None

# %%
# Does ``detach()`` freeze the generator?
# ---------------------------------------
# No, though it is often said. Here is a minimal GAN: ``z`` is the generated image,
# ``y`` a weight of the discriminator, ``z2`` its output and ``y1`` the loss. (This
# chapter takes these names and numbers from an article that it tests.) The loss reaches
# ``y`` and not ``z``. (``z2`` is a result that does not retain its gradient: its
# ``.grad`` is None, and reading it gives a warning.)
y = torch.tensor([3.0, 4.0], requires_grad=True)
z = torch.tensor([3.0, 2.0], requires_grad=True)
z1 = z.detach()
z2 = z1 + y
y1 = torch.sum(3 * z2)
y1.backward()
print(z2, z2.requires_grad)
print(y.grad)
print(z2.grad)
print(z1.grad)
assert y.grad.tolist() == [3.0, 3.0]
assert z.grad is None

# %%
# ``z`` still requires a gradient, and a loss that comes by another path reaches it.
# (The article writes ``fetch()`` and means ``detach()``. A tensor has no ``fetch()``.)
torch.sum(2 * z).backward()
assert z.grad.tolist() == [2.0, 2.0]
assert not hasattr(z, "fetch")

# %%
# The generator is not fixed while the discriminator trains: is it updated?
# -------------------------------------------------------------------------
# No. ``d_optimizer.step()`` changes only the parameters that this optimizer holds,
# those of the discriminator. So no line is needed that freezes the generator. But
# without ``detach()``, ``d_loss.backward()`` also goes through the generator and leaves
# gradients in it. That costs time, and they must be cleared before the generator's own
# step: ``g_optimizer.zero_grad()`` before ``g_loss.backward()``. Better is
# ``discriminator(fake.detach())`` in the discriminator's step, and no ``detach()`` in
# the generator's. Two things do change a generator here: one optimizer that holds both
# networks, and batch norm in it, whose statistics follow each forward pass in
# ``train()``, even with ``detach()``.
for of_both in (False, True):
    torch.manual_seed(0)
    generator, discriminator = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    held = [*discriminator.parameters()]
    d_optimizer = torch.optim.SGD(held + of_both * [*generator.parameters()], lr=0.1)
    before = generator.weight.detach().clone()
    fake = generator(torch.ones(8, 2))  # no detach()
    criterion(discriminator(fake), torch.zeros(8, 1)).backward()
    d_optimizer.step()
    has_gradient, changed = (
        generator.weight.grad is not None,
        not generator.weight.equal(before),
    )
    print(f"one for both: {of_both!s:5} gradient: {has_gradient}, updated: {changed}")
    assert has_gradient
    assert changed == of_both

# %%
# Which step needs ``detach()``, and which a frozen discriminator?
# ----------------------------------------------------------------
# Five steps that people write. With label 0 the discriminator learns to classify the
# fake as fake. With label 1 the generator learns to get it classified as real.
noise = torch.ones(8, 2)


def step(*, label, detach, frozen):
    generator.zero_grad()
    discriminator.zero_grad()
    discriminator.requires_grad_(not frozen)
    fake = generator(noise)
    verdict = discriminator(fake.detach() if detach else fake)
    criterion(verdict, torch.full((8, 1), label)).backward()
    return generator.weight.grad, discriminator.weight.grad


gradients = []
for label, detach, frozen, expected in [
    (0.0, True, False, [False, True]),  # right
    (0.0, False, False, [True, True]),  # one too many, for the generator
    (1.0, True, False, [False, True]),  # the bug: none for the generator
    (1.0, False, False, [True, True]),  # one too many, for the discriminator
    (1.0, False, True, [True, False]),  # right, and the generator's is the same
]:
    gradients.append(step(label=label, detach=detach, frozen=frozen))
    reached = [gradient is not None for gradient in gradients[-1]]
    print(f"{label=} {detach=!s:5} {frozen=!s:5} [generator, discriminator]: {reached}")
    assert reached == expected
assert torch.equal(gradients[4][0], gradients[3][0])

# %% tags=["hide-input"]
# The two right ones. For the discriminator the path is cut (top). For the generator the
# gradient goes *through* the frozen discriminator (bottom).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
box = {"s": 1200, "marker": "s", "fc": "none", "lw": 2}
ax.scatter([0, 1, 0], [1, 1, 0], ec="C0", **box)
ax.scatter(1, 0, ec="C1", hatch="////", **box)
ax.scatter([2, 2], [0, 1], ec="C3", **box | {"marker": "D"})
ax.plot([0.15, 0.5, 0.85], [1, 1, 1], "C2--x", markevery=[1], lw=2, ms=12, mew=3)
arrow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for x, y in [(1, 1), (1, 0), (0, 0)]:
    ax.annotate("", (x + 0.15, y), (x + 0.8, y), arrowprops=arrow)
for place, name in enumerate(("generator", "discriminator", "loss")):
    ax.text(place, 1.3, name, ha="center")
ax.text(0.5, 0.75, "detach()", ha="center")
ax.margins(0.15, 0.35)
ax.axis("off")
plt.show()

# %%
# Why ``detach()`` the fake images, but not the real ones?
# --------------------------------------------------------
# In the real ones there is nothing to detach. ``real_imgs`` comes from the data and has
# no history: with ``real_imgs.detach()`` the gradients are the same. The fakes have the
# graph of the generator behind them. A real input that a network has computed, such as
# an encoder's code, has a history, too: detach it if that network must not learn in
# this step. Don't detach where you need the gradient with respect to the real image, as
# in the R1 penalty: there is none through ``detach()``.
real_images = torch.randn(8, 2)
discriminator.requires_grad_(True)
reals = []
for images in (real_images, real_images.detach()):
    discriminator.zero_grad()
    criterion(discriminator(images), real).backward()
    reals.append(discriminator.weight.grad)
print(real_images.requires_grad, real_images.grad_fn, reals[0].equal(reals[1]))
assert reals[0].equal(reals[1])
assert real_images.grad_fn is None
assert generator(noise).grad_fn is not None

real_images.requires_grad_()  # for a penalty
for images, reached in ((real_images, True), (real_images.detach(), False)):
    scores = discriminator(images).sum()
    (slope,) = torch.autograd.grad(scores, real_images, allow_unused=True)
    assert (slope is not None) == reached

# %%
# Why ``requires_grad_()`` after ``detach()`` of the fake image?
# --------------------------------------------------------------
# Some code writes ``fake.detach().requires_grad_()`` in the discriminator's step. The
# generator gets nothing from it: the result is a new leaf, and the gradient ends there.
# It is for the gradient of the discriminator *by the image*, as in a gradient penalty.
# A plain loss doesn't need it. The discriminator's gradient is the same, and
# ``backward()`` computes that of the image in addition.
image = generator(noise).detach().requires_grad_()
generator.zero_grad()
discriminator.requires_grad_(True).zero_grad()
criterion(discriminator(image), torch.zeros(8, 1)).backward()
print(generator.weight.grad, image.grad is not None)
assert generator.weight.grad is None
assert image.grad.any()
assert torch.equal(discriminator.weight.grad, gradients[0][1])

# %%
# Where it ends
# -------------
# - Without ``detach()`` the discriminator's gradient is the same. But backward also
#   runs through the generator. Clear the gradients that it leaves there before the
#   generator's step.
# - If the generator has a second loss, such as the distance to a target image, it
#   learns from that one in spite of ``detach()``.
# - In train mode, a batch norm in a frozen discriminator still moves its running mean.
assert torch.equal(gradients[1][1], gradients[0][1])
generator.zero_grad()
fake = generator(noise)
(criterion(discriminator(fake.detach()), real) + fake.abs().mean()).backward()
assert generator.weight.grad is not None
norm = torch.nn.BatchNorm1d(2).requires_grad_(False)
norm(generator(noise))
assert norm.running_mean.any()

# %%
# In the discriminator's step, detach the fake. In the generator's, freeze the
# discriminator (:torch:`Module.requires_grad_ <generated/torch.nn.Module.html>`) and
# unfreeze it afterwards. Either way, call ``zero_grad()`` before each step to clear any
# gradients you didn't need.
#
# Related: :doc:`/gallery/recipes/gan_training`, :doc:`through_or_blocked`,
# :doc:`detach_cuts_one_tensor`.
