"""
GAN training: detach the fakes, then freeze the discriminator
=============================================================

Without ``detach()``, the generator's step fails with "Trying to backward through the
graph a second time". Detach the fakes in the discriminator's step, and freeze the
discriminator in the generator's step: one batch of fakes serves both.
"""

# %%
# Each ``mean()`` stands for a loss: the discriminator's, then the generator's.
import torch
from torch import nn

generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
fake = generator(torch.randn(8, 2))
discriminator(fake.detach()).mean().backward()
(-discriminator(fake)).mean().backward()
print("detached:", generator.weight.grad is not None)
# Wrong: the first loss goes through the generator as well.
fake = generator(torch.randn(8, 2))
discriminator(fake).mean().backward()
try:
    (-discriminator(fake)).mean().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the generator's graph was still there")

# %%
# The whole training loop
# -----------------------
# The generator learns to put points on a ring. It runs once per round. Each
# ``backward()`` comes after the ``zero_grad()`` of its own network.
import copy

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

noise = torch.randn(300, 2)
with torch.no_grad():
    before, after = first(noise), generator(noise)
assert before.norm(dim=1).max() < 1
assert abs(after.norm(dim=1).mean() - 2) < 0.3

# %% tags=["hide-input"]
# The ring (line) and what the generator makes of noise: gray crosses before the
# training, blue circles after it.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(4.5, 4), layout="constrained")
ax.add_patch(plt.Circle((0, 0), 2, fill=False, ec="C3", lw=2))
ax.plot(*before.T, "C1x", label="0")
ax.plot(*after.T, "C0o", mfc="none", label="300")
ax.legend(title="round", loc="center")
ax.set_aspect("equal")
ax.axis("off")
plt.show()


# %%
# Does ``retain_graph=True`` help, as the message says?
# -----------------------------------------------------
# The message goes away. But the discriminator's loss now reaches the generator, too,
# and pushes each fake in the opposite direction. Unless you clear that gradient, the
# two add up.
def gradient(*losses):
    generator.zero_grad()
    for loss in losses:
        loss.backward(retain_graph=True)
    return generator[0].weight.grad


fake = generator(noise)
generator.zero_grad()
bce(discriminator(fake.detach()), 0.0).backward()
assert generator[0].weight.grad is None
d_loss, g_loss = bce(discriminator(fake), 0.0), bce(discriminator(fake), 1.0)
mixed, wrong, right = gradient(d_loss, g_loss), gradient(d_loss), gradient(g_loss)
assert torch.allclose(mixed, wrong + right, atol=1e-5)
assert F.cosine_similarity(wrong.flatten(), right.flatten(), dim=0) < 0
down, up = (torch.autograd.grad(loss, fake)[0] for loss in (d_loss, g_loss))
torch.testing.assert_close(F.cosine_similarity(down, up), torch.full((300,), -1.0))

# %%
# To save a forward, you may want to reuse the discriminator's output of the first step.
# But the optimizer has overwritten the weights that its graph needs.
fake = generator(noise)
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
# CycleGAN: several losses with ``retain_graph=True``, and the memory grows
# -------------------------------------------------------------------------
# ``retain_graph=True`` keeps a graph only as long as something refers to it. What grows
# is an image pool (a list of earlier fakes) whose fakes still hold their graph, or a
# list of losses. Without ``retain_graph``, a pooled fake then raises ``Trying to
# backward through the graph a second time``. ``detach()`` what goes into the pool, add
# the losses that share a forward, and call ``backward()`` once for the generators and
# once for each discriminator: then no ``retain_graph`` is needed.


def rounds(*, detach, retain_graph):
    generator, discriminator = network(2), network(1)
    optimizer, pool = torch.optim.SGD(discriminator.parameters(), lr=0.01), []
    for _ in range(4):
        fake = generator(torch.randn(8, 2))
        cycle, identity = (fake - 1).square().mean(), fake.square().mean()
        total = bce(discriminator(fake), 1.0) + 10 * cycle + 5 * identity
        total.backward(retain_graph=retain_graph)
        pool.append(fake.detach() if detach else fake)
        optimizer.zero_grad()
        bce(discriminator(pool[0]), 0.0).backward(retain_graph=retain_graph)
        optimizer.step()
    return sum(fake.grad_fn is not None for fake in pool)


print("graphs in the pool:", rounds(detach=True, retain_graph=False))
print("graphs in the pool:", rounds(detach=False, retain_graph=True))
assert rounds(detach=True, retain_graph=False) == 0
assert rounds(detach=False, retain_graph=True) == 4
try:
    rounds(detach=False, retain_graph=False)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the graph of a pooled fake was still there")
assert message.startswith("Trying to backward through the graph a second time")

# %%
# Why freeze the discriminator, if its optimizer does not step?
# -------------------------------------------------------------
# First, no gradients of its weights are computed in the generator's step. Second, fakes
# that were detached, or made under ``no_grad()``, leave nothing to train, and
# ``backward()`` raises an error. With the discriminator trainable it runs, and the
# generator gets no gradient.
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
# The discriminator has requires_grad=False: how does the error reach the generator?
# ----------------------------------------------------------------------------------
# Through the frozen discriminator. To pass the gradient on from its output to its
# input, ``backward()`` multiplies with the *values* of its weights. The gradient *of*
# these weights is another product, which only the discriminator's own step needs.
# ``requires_grad=False`` leaves out this one, which saves time and memory. The
# generator's gradient is the same.
#
# What does cut it is ``no_grad()`` around the discriminator, or ``detach()`` of the
# fakes or of its output. Set ``requires_grad`` to True again for the discriminator's
# own step.
gradients = []
for trains in (True, False):
    discriminator.requires_grad_(trains).zero_grad()
    generator.zero_grad()
    bce(discriminator(generator(noise)), 1.0).backward()
    gradients.append(generator[0].weight.grad)
    print(f"{trains=}:", discriminator[0].weight.grad is not None)
    assert (discriminator[0].weight.grad is not None) == trains
assert torch.allclose(*gradients)
assert gradients[1].any()
# Wrong: the discriminator under no_grad().
with torch.no_grad():
    verdict = discriminator(generator(noise))
assert not verdict.requires_grad

# %%
# ``backward()`` or ``step()``: which one changes the second network?
# -------------------------------------------------------------------
# ``backward()`` changes no weight. It adds a gradient to the ``.grad`` of all leaves
# that require one, in both networks. ``step()`` changes only what its own optimizer
# holds. So if the loss of a second, pretrained network trains the first one, the second
# stays as it is without ``optimizer2.step()``. But its ``.grad`` grows with each
# ``backward()``, and its batch norm follows the batches. Freeze it and call ``eval()``,
# as in :doc:`optimise_the_input`; ``no_grad()`` or ``detach()`` would stop the gradient
# of the first. And one ``backward()`` of ``loss1 + loss2`` needs no
# ``retain_graph=True``: both are in one backward pass.
net1, net2, x = nn.Linear(2, 2), nn.Linear(2, 1), torch.randn(4, 2)
optimizer1 = torch.optim.SGD(net1.parameters(), lr=0.1)
for frozen in (False, True):
    net2.requires_grad_(not frozen).zero_grad()
    weights, sizes = [net.weight.clone() for net in (net1, net2)], []
    for _ in range(2):
        optimizer1.zero_grad()
        out = net1(x)
        loss1, loss2 = (out - 1).square().mean(), net2(out).mean()
        (loss1 + loss2).backward()
        unchanged = net1.weight.equal(weights[0])
        sizes.append(None if frozen else net2.bias.grad.item())
    optimizer1.step()
    pairs = zip((net1, net2), weights, strict=True)
    moved = [not net.weight.equal(old) for net, old in pairs]
    print(f"{frozen=!s:6} moved: {moved}, .grad of net2: {sizes}")
    assert unchanged
    assert moved == [True, False]
    assert sizes == ([None, None] if frozen else [1, 2])

# %%
# The generator's loss leaves a gradient in the discriminator
# -----------------------------------------------------------
# If the discriminator is not frozen in the generator's step, ``g_loss.backward()`` also
# fills its ``.grad``, with a gradient that makes it call fakes real. Directly before
# ``d_loss.backward()``, ``d_optimizer.zero_grad()`` throws it away. Called after
# ``d_optimizer.step()`` instead, it lets the two gradients add up. With gradient
# accumulation you can't clear in between. Frozen, the discriminator collects nothing,
# wherever ``zero_grad()`` is.
fake, real = generator(noise), ring()


def gradient_of_discriminator(*, freeze, clear_first):
    discriminator.requires_grad_(True).zero_grad()
    discriminator.requires_grad_(not freeze)
    bce(discriminator(fake), 1.0).backward(retain_graph=True)
    discriminator.requires_grad_(True)
    if clear_first:
        discriminator.zero_grad()
    d_loss = bce(discriminator(real), 1.0) + bce(discriminator(fake.detach()), 0.0)
    d_loss.backward()
    return discriminator[0].weight.grad.clone()


own = gradient_of_discriminator(freeze=False, clear_first=True)
added = gradient_of_discriminator(freeze=False, clear_first=False)
(of_generator,) = torch.autograd.grad(
    bce(discriminator(fake), 1.0), [discriminator[0].weight]
)
torch.testing.assert_close(added, own + of_generator)
assert of_generator.any()
frozen = gradient_of_discriminator(freeze=True, clear_first=False)
print("not cleared:", added.allclose(own), " frozen:", frozen.allclose(own))
torch.testing.assert_close(frozen, own)
assert not added.allclose(own)

# %%
# A gradient penalty of a frozen discriminator trains nothing
# -----------------------------------------------------------
# It raises no error (unless the discriminator is linear), because the real points
# require a gradient, and its value is the right one. But its ``backward()`` gives the
# weights of the discriminator no gradient.
# Unfreeze the discriminator before the forward of the penalty: ``requires_grad_(True)``
# behind it is too late. WGAN-GP and R1 (StyleGAN) have such a penalty. In Lightning,
# ``toggle_optimizer()`` freezes it for you; a penalty that is to train both networks
# needs a step without that:
# :doc:`/gallery/frameworks/lightning_manual_optimization`.


def gradient_penalty():
    real = ring().requires_grad_()
    verdict = discriminator(real).sum()
    (slope,) = torch.autograd.grad(verdict, real, create_graph=True)
    return slope.square().sum(dim=1).mean()


penalties = []
for frozen in (True, False):
    torch.manual_seed(0)
    discriminator.requires_grad_(not frozen).zero_grad()
    penalty = gradient_penalty()
    discriminator.requires_grad_(True)
    penalty.backward()
    penalties.append(penalty.item())
    trained = discriminator[0].weight.grad is not None
    print(f"{frozen=}: penalty {penalty.item():.2f}, {trained=}")
    assert trained != frozen
assert penalties[0] == penalties[1] > 0
linear, real = nn.Linear(2, 1).requires_grad_(False), ring().requires_grad_()
(slope,) = torch.autograd.grad(linear(real).sum(), real, create_graph=True)
assert not slope.requires_grad

# %%
# WGAN-GP: ``Trying to backward through the graph a second time`` from the penalty
# --------------------------------------------------------------------------------
# Pass ``fake.detach()`` to the gradient penalty, too, not only to the discriminator.
# The penalty mixes real and fake points. With a fake that has a graph, the loss of the
# discriminator runs back through the generator and frees its graph. The error comes at
# the next backward pass through this graph: in the second update of the discriminator
# with the same fakes (``n_critic``), or in the step of the generator. Each use of
# ``fake`` in the loss of the discriminator must be detached. In pix2pix, where the fake
# is concatenated with its condition, detach either the fake or what ``torch.cat()``
# returns.
#
# ``retain_graph=True`` only hides the error: each update then computes through the
# generator. If the discriminator has smooth activations, such as ``Tanh`` or ``SiLU``,
# or batch or instance norm, that also leaves a gradient in the generator. With only
# linear layers or convolutions and ReLU or LeakyReLU, this gradient is zero.


def mixed_penalty(discriminator, real, fake):
    share = torch.rand(len(real), 1)
    mixed = share * real + (1 - share) * fake
    if not mixed.requires_grad:
        mixed.requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(mixed).sum(), mixed, create_graph=True)
    return (slope.norm(dim=1) - 1).square().mean()


def wgan_round(updates, *, detach):
    generator.zero_grad()
    fake = generator(torch.randn(128, 2))
    for _ in range(updates):
        d_loss = discriminator(fake.detach()).mean() - discriminator(ring()).mean()
        # Wrong: fake. Right: fake.detach().
        given = fake.detach() if detach else fake
        penalty = mixed_penalty(discriminator, ring(), given)
        (d_loss + 10 * penalty).backward()
    untouched = all(p.grad is None for p in generator.parameters())
    (-discriminator(fake)).mean().backward()
    return untouched


for updates in (1, 2):
    try:
        wgan_round(updates, detach=False)
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("the graph of the fakes was still there")
    right = wgan_round(updates, detach=True)
    print(updates, message.split(" (")[0], right)
    assert message.startswith("Trying to backward through the graph a second time")
    assert right
assert generator[0].weight.grad.any()
smooth = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
for critic in (discriminator, smooth):
    generator.zero_grad()
    mixed_penalty(critic, ring(), generator(torch.randn(128, 2))).backward()
    left = any(p.grad is not None and p.grad.any() for p in generator.parameters())
    print(type(critic[1]).__name__, left)
    assert left == (critic is smooth)

# %%
# Relativistic GAN (RaGAN, ESRGAN): why ``detach()`` the discriminator's output?
# ------------------------------------------------------------------------------
# To call ``backward()`` for each half of the loss. A relativistic loss compares the
# verdict on real points with the mean verdict on fakes, and the other way round. If you
# add the halves and call ``backward()`` once, you need ``fake.detach()`` alone, which
# spares the generator.
#
# ESRGAN in `mmagic
# <https://github.com/open-mmlab/mmagic/blob/main/mmagic/models/editors/esrgan/esrgan.py>`__
# (read, not run) detaches the verdict on the fakes in the real half: there it is only
# the reference. In the fake half, the discriminator runs on the detached fakes once
# more, and the verdict on the real points is the detached reference. So the fakes do
# train the discriminator. No ``retain_graph=True`` is needed, and the two graphs are
# not in memory at the same time.
#
# The gradients through the references are dropped. If real and fake points are compared
# in pairs, exactly half of the gradient is left, and with means about half, in nearly
# the same direction. Adam hardly notices such a factor: it is a choice, and no mistake.
# In the generator's step, do not detach the verdict on the fakes. The one on the real
# points gives the generator no gradient anyway.
discriminator.requires_grad_(True)
weights = list(discriminator.parameters())
fake, real = generator(noise), 2 * F.normalize(torch.randn(300, 2))


def halves(of_real, of_fake, *, pairs, detach):
    reference = [of_fake, of_real] if pairs else [of_fake.mean(), of_real.mean()]
    if detach:
        reference = [one.detach() for one in reference]
    return bce(of_real - reference[0], 1.0), bce(of_fake - reference[1], 0.0)


def flat(gradients):
    return torch.cat([gradient.flatten() for gradient in gradients])


for pairs in (True, False):
    found = {}
    for detach in (False, True):
        verdicts = discriminator(real), discriminator(fake.detach())
        loss = sum(halves(*verdicts, pairs=pairs, detach=detach))
        found[detach] = flat(torch.autograd.grad(loss, weights))
    ratio = (found[True].norm() / found[False].norm()).item()
    cosine = F.cosine_similarity(found[True], found[False], dim=0).item()
    print(f"{pairs=!s:6} length {ratio:.2f}, cosine {cosine:.2f}")
    assert abs(ratio - 0.5) < (1e-4 if pairs else 0.2)
    assert cosine > (0.9999 if pairs else 0.8)

discriminator.zero_grad()
generator.zero_grad()
reference = discriminator(fake).detach().mean()
of_real = discriminator(real)
bce(of_real - reference, 1.0).backward()
bce(discriminator(fake.detach()) - of_real.detach().mean(), 0.0).backward()
torch.testing.assert_close(flat(p.grad for p in weights), found[True])
assert all(p.grad is None for p in generator.parameters())

# %%
# StarGAN v2, diversity or mode-seeking loss: why ``x_fake2.detach()``?
# ---------------------------------------------------------------------
# To save a backward pass through the generator, and its memory. Both fakes come from
# the same generator and from codes of the same distribution. So the gradient through
# ``x_fake`` alone has, on average, half the size and the same direction, with
# ``x_fake2`` as a fixed point to move away from. It is no mistake to leave ``detach()``
# out: the term then counts twice (halve its weight), and costs a second graph.
#
# In one small batch, such as 8 images, the two differ much, because what both images
# share no longer cancels. ``no_grad()`` around the second call of the generator gives
# the same gradient as ``detach()``, and does not even make the graph for a moment. The
# adversarial and the cycle loss need ``x_fake``, so that one stays attached. With both
# detached, the term trains nothing.
from gradguide import saved

images = nn.Sequential(nn.Linear(4, 32), nn.LeakyReLU(0.2), nn.Linear(32, 8))
codes = torch.randn(2, 4096, 4, generator=torch.Generator().manual_seed(0))


def diversity(z1, z2, way):
    x_fake = images(z1)
    with torch.set_grad_enabled(way != "no_grad()"):
        x_fake2 = images(z2)
    x_fake2 = x_fake2.detach() if way == "detach()" else x_fake2
    return (x_fake - x_fake2).abs().mean()


slopes, kept = {}, {}
for way in ("attached", "detach()", "no_grad()"):
    loss = diversity(*codes, way)
    kept[way] = saved(loss, images).bytes // 1024
    slopes[way] = flat(torch.autograd.grad(loss, list(images.parameters())))
    ratio = (slopes[way].norm() / slopes["attached"].norm()).item()
    cosine = F.cosine_similarity(slopes[way], slopes["attached"], dim=0).item()
    print(f"{way:10} length {ratio:.2f}, cosine {cosine:.2f}, kept {kept[way]} KiB")
    assert cosine > 0.98
    assert abs(ratio - (1 if way == "attached" else 0.5)) < 0.05
torch.testing.assert_close(slopes["detach()"], slopes["no_grad()"])
assert kept["detach()"] == kept["no_grad()"] < 0.7 * kept["attached"]

cosines = []
for batch in codes.split(8, dim=1)[:64]:
    pair = [
        flat(torch.autograd.grad(diversity(*batch, way), list(images.parameters())))
        for way in ("attached", "detach()")
    ]
    cosines.append(F.cosine_similarity(*pair, dim=0).item())
print(f"8 images: cosine {sum(cosines) / 64:.2f}")
assert sum(cosines) / 64 < 0.8

# %%
# FreezeD: ``requires_grad_(True)`` also unfreezes what should stay frozen
# ------------------------------------------------------------------------
# You froze the first layers of a pretrained discriminator, or of the generator, and the
# loop above unfreezes them in its first round: ``discriminator.requires_grad_(True)``
# is for all parameters. Remember what trains, and switch only that. StyleGAN2-ADA has
# the same line in `its loop
# <https://github.com/NVlabs/stylegan2-ada-pytorch/blob/main/training/training_loop.py>`__
# for each phase, so a generator that you froze before trains all the same. To freeze it
# there, leave out its phases. (Read, not run.)


def first_layer_stays(*, remembers):
    generator, discriminator = network(2), network(1)
    discriminator[0].requires_grad_(False)
    start = discriminator[0].weight.clone()
    trains = list(discriminator.parameters())
    if remembers:
        trains = [p for p in trains if p.requires_grad]
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=0.004)
    for _ in range(2):
        fake = generator(torch.randn(128, 2))
        optimizer.zero_grad()
        d_loss = bce(discriminator(ring()), 1.0)
        (d_loss + bce(discriminator(fake.detach()), 0.0)).backward()
        optimizer.step()
        for parameter in trains:
            parameter.requires_grad_(False)
        bce(discriminator(fake), 1.0).backward()
        for parameter in trains:
            parameter.requires_grad_(True)
    return torch.equal(discriminator[0].weight, start)


stays = {way: first_layer_stays(remembers=way) for way in (False, True)}
print(stays)
assert stays == {False: False, True: True}

# %%
# If the optimizer is made from the parameters that train, make it before you freeze the
# discriminator for the generator's step. Made in between, it holds none of them, or
# fewer than in the saved run: then :doc:`loading its state fails
# </reference/errors/parameter_group_that_doesnt_match_the_size>`.
#
# Mixed precision: one ``GradScaler`` for both networks, or two?
# --------------------------------------------------------------
# One is enough. Call ``scaler.step()`` for each optimizer and ``scaler.update()`` once,
# at the end of the round. The scaler looks at each optimizer by itself: if only the
# generator's gradient overflows, only its step is skipped, but the scale becomes
# smaller for both. With two scalers, each network has its own scale. A generator that
# gets no gradient, because the fakes were detached in its step, raises ``No inf checks
# were recorded for this optimizer.``
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
moved = []
for factor in (1.0, torch.inf):
    before = [net[0].weight.clone() for net in (generator, discriminator)]
    fake = generator(noise)
    d_loss = bce(discriminator(ring()), 1.0) + bce(discriminator(fake.detach()), 0.0)
    d_optimizer.zero_grad()
    scaler.scale(d_loss).backward()
    scaler.step(d_optimizer)

    discriminator.requires_grad_(False)
    g_loss = factor * bce(discriminator(fake), 1.0)
    g_optimizer.zero_grad()
    scaler.scale(g_loss).backward()
    scaler.step(g_optimizer)
    discriminator.requires_grad_(True)
    scaler.update()
    pairs = zip((generator, discriminator), before, strict=True)
    moved.append([not torch.equal(net[0].weight, old) for net, old in pairs])
    print("moved:", moved[-1], "scale:", scaler.get_scale())
assert moved == [[True, True], [False, True]]
assert scaler.get_scale() == 512
g_optimizer.zero_grad()
scaler.scale(bce(discriminator(generator(noise).detach()), 1.0)).backward()
try:
    scaler.step(g_optimizer)
except AssertionError as error:
    message = str(error)
else:
    raise AssertionError("the generator had a gradient")
assert message == "No inf checks were recorded for this optimizer."

# %%
# The discriminator's loss goes to 0 and the generator's rises: is it normal?
# ---------------------------------------------------------------------------
# It means that the discriminator tells all fakes apart. For some rounds that is normal.
# If it stays, it is a mistake or a balance problem. The two losses of a GAN are not
# measures of quality: look at samples. What the values say, with binary cross entropy:
#
# - 1.39 (twice 0.69) for the discriminator, or 0.69 if it takes the mean of its two
#   parts, and 0.69 for the generator: it can't tell them apart. That is the balance, or
#   a discriminator that learns nothing: see whether its weights change.
# - The discriminator near 0, the generator above 5: first look for a mistake. The real
#   images and the fakes have another range (0 to 1 against ``tanh``), the labels are
#   swapped, ``eval()`` on one side, the fakes are detached in the generator's step.
# - Negative values: normal for both losses of WGAN and for the generator's hinge loss,
#   which have no lower limit.
#
# Then slow the discriminator down: a smaller learning rate than the generator's, R1 or
# a gradient penalty, spectral norm, augmentation of both inputs. Don't let the
# generator minimize ``log(1 - D(fake))``: when the discriminator is sure, this has
# hardly a gradient. ``-log(D(fake))``, which is BCE with label 1, has one.
print("logit of a fake   log(1 - D)   -log(D)")
for value in (0.0, -4.0, -12.0):
    logit = torch.tensor(value, requires_grad=True)
    saturating = -F.binary_cross_entropy_with_logits(logit, torch.tensor(0.0))
    usual = F.binary_cross_entropy_with_logits(logit, torch.tensor(1.0))
    slopes = [
        torch.autograd.grad(loss, logit)[0].item() for loss in (saturating, usual)
    ]
    print(f"{value:15}{slopes[0]:13.5f}{slopes[1]:10.5f}")
assert abs(slopes[0]) < 1e-4
assert abs(slopes[1]) > 0.99
undecided = torch.zeros(4, 1)
balance = bce(undecided, 1.0) + bce(undecided, 0.0)
assert abs(balance.item() - 1.386) < 0.001

# %%
# Two generator steps per discriminator step, or first only the discriminator
# ---------------------------------------------------------------------------
# Make new fakes for each step of the generator. With the old ones, the second
# ``backward()`` goes through a graph that is freed, or, with ``retain_graph=True``,
# through weights that ``step()`` has overwritten. While only the discriminator trains
# (a warm-up, or ``n_critic`` steps of it), make the fakes under ``no_grad()``: that
# saves the generator's graph, and nothing has to be frozen. To pause the discriminator,
# leave its step out. A rule such as "only if its loss is above 0.5" is such a pause.


def generator_steps(count, *, new_fakes):
    generator, discriminator = network(2), network(1).requires_grad_(False)
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.01)
    fake = generator(noise)
    for number in range(count):
        if number and new_fakes:
            fake = generator(noise)
        optimizer.zero_grad()
        bce(discriminator(fake), 1.0).backward()
        optimizer.step()


generator_steps(2, new_fakes=True)  # right
try:
    generator_steps(2, new_fakes=False)  # wrong
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the fakes were used twice")
print(message.split(" (")[0])
assert message.startswith("Trying to backward through the graph a second time")
discriminator.requires_grad_(True)
with torch.no_grad():
    fake = generator(noise)
d_loss = bce(discriminator(ring()), 1.0) + bce(discriminator(fake), 0.0)
d_optimizer.zero_grad()
d_loss.backward()
d_optimizer.step()
assert not fake.requires_grad

# %%
# Where it ends
# -------------
# Not each of these mistakes raises an error:
#
# - A step with ``fused=True`` overwrites the weights, and autograd does not notice it.
#   The reused output then gives a wrong gradient.
# - Without ``detach()``, a generator that saves nothing for its backward, such as an
#   offset that is added, raises no error. The gradients of both losses are added.
# - A second term in the generator's loss, such as a distance to a target, leaves
#   something to train. With detached fakes, only that term trains the generator.
# - Batch norm in the discriminator updates its statistics although it is frozen:
#   :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`.
# - Under DDP, a discriminator with batch norm that is called on real and on fake points
#   before one ``backward()`` may raise ``has been modified by an inplace operation``,
#   depending on the version:
#   :doc:`/reference/errors/modified_by_an_inplace_operation`. For two optimizers in
#   Lightning, see :doc:`/gallery/frameworks/lightning_manual_optimization`.
discriminator.requires_grad_(True)
verdict = discriminator(generator(noise)).mean()
weights = list(generator.parameters())
right = torch.autograd.grad(verdict, weights, retain_graph=True)
verdict.backward(retain_graph=True)
torch.optim.SGD(discriminator.parameters(), lr=0.1, fused=True).step()
wrong = torch.autograd.grad(verdict, weights)
assert not torch.allclose(wrong[0], right[0])

offset = torch.zeros(2, requires_grad=True)
fake = noise + offset
for label in (0.0, 1.0):
    bce(discriminator(fake), label).backward()
fakes = [(noise + offset).detach().requires_grad_() for _ in range(2)]
parts = [
    torch.autograd.grad(bce(discriminator(fake), label), fake)[0].sum(0)
    for fake, label in zip(fakes, (0.0, 1.0), strict=True)
]
torch.testing.assert_close(offset.grad, sum(parts))

discriminator.requires_grad_(False)
generator.zero_grad()
fake = generator(noise)
(bce(discriminator(fake.detach()), 1.0) + F.mse_loss(fake, noise)).backward()
(alone,) = torch.autograd.grad(F.mse_loss(generator(noise), noise), weights[:1])
torch.testing.assert_close(weights[0].grad, alone)

critic = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1)).requires_grad_(False)
critic(generator(noise))
assert critic[0].running_mean.any()

# %%
# Use one batch of fakes, detached in the first step and not detached in the second;
# freeze and unfreeze around the second; ``zero_grad()`` before each ``backward()``.
#
# Related: :doc:`/gallery/three-ways/detach_in_a_gan`,
# :doc:`/gallery/three-ways/through_or_blocked`, :doc:`/gallery/graph/backward_twice`.
# Source: the `DCGAN tutorial
# <https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html>`__.
