"""
Optimize the input: freeze the network, not the forward
=======================================================

An adversarial example, a perceptual loss, a prompt that is trained: the gradient goes
through a frozen network to its input. ``no_grad()`` around the forward stops it: freeze
the network with ``requires_grad_(False)``.
"""

# %%
# The gradient of the image
# -------------------------
import torch
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
image = torch.full((1, 4), 0.5, requires_grad=True)
try:
    with torch.no_grad():
        output = network(image)
    output[0, 1].backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the image was reached")
network.requires_grad_(False).eval()
network(image)[0, 1].backward()
print("frozen:", image.grad)
assert image.grad.any()

# %%
# The whole loop: train an image, not the network
# -----------------------------------------------
# The image is a leaf that requires a gradient, and the optimizer gets nothing else. It
# is kept between 0 and 1 by writing to it under ``no_grad()``.
from torch.nn import functional

wanted = torch.tensor([1])
optimizer = torch.optim.Adam([image], lr=0.1)
losses = []
for _ in range(50):
    loss = functional.cross_entropy(network(image), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        image.clamp_(0, 1)
    losses.append(loss.item())
print(f"{losses[0]:.2f} -> {losses[-1]:.2f}", [p.grad for p in network.parameters()])
assert losses[-1] < losses[0]
assert all(p.grad is None for p in network.parameters())
assert ((image >= 0) & (image <= 1)).all()

# %%
# The optimizer refuses an image that is the result of an operation, such as a product
# or a move to another device. Compute first, and require the gradient last.
try:
    torch.optim.Adam([0.5 * torch.ones(1, 4, requires_grad=True)])
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a result was taken")
torch.optim.Adam([(0.5 * torch.ones(1, 4)).requires_grad_()])

# %%
# An adversarial example: one step is enough
# ------------------------------------------
# ``autograd.grad`` returns the gradient of the images and leaves the ``.grad`` of the
# weights alone, even if the network is not frozen. ``backward()`` would add a gradient
# to the weights as well, with each batch.
network.requires_grad_(True)
clean = torch.randn(8, 4, requires_grad=True)
labels = network(clean).argmax(1)
before = functional.cross_entropy(network(clean), labels)
(gradient,) = torch.autograd.grad(before, clean)
attacked = clean.detach() + 0.5 * gradient.sign()
after = functional.cross_entropy(network(attacked), labels)
assert after > before
assert all(p.grad is None for p in network.parameters())
functional.cross_entropy(network(clean), labels).backward()
assert all(p.grad is not None for p in network.parameters())
network.requires_grad_(False).zero_grad()

# %%
# PGD: the gradient of ``delta`` or of ``x_adv``?
# -----------------------------------------------
# They are the same: ``x_adv = x + delta``, and ``x`` is a constant, so the derivative
# of the sum by ``delta`` is 1. With ``delta``, the projection onto the ball of radius
# eps is a ``clamp_()``. Change ``delta`` in place under ``no_grad()``: it stays a leaf
# for all steps.
eps, x = 0.3, torch.rand(8, 4)
classes = network(x).argmax(1)
unchanged = functional.cross_entropy(network(x), classes)
delta = torch.empty_like(x).uniform_(-eps, eps).requires_grad_()
for _ in range(10):
    loss = functional.cross_entropy(network(x + delta), classes)
    (gradient,) = torch.autograd.grad(loss, delta)
    with torch.no_grad():
        delta += eps / 4 * gradient.sign()
        delta.clamp_(-eps, eps)
        delta.copy_((x + delta).clamp(0, 1) - x)
perturbed = functional.cross_entropy(network(x + delta), classes)
print(f"{unchanged.item():.2f} -> {perturbed.item():.2f}", delta.is_leaf)
assert perturbed > unchanged
assert delta.is_leaf
assert delta.abs().max() <= eps + 1e-6

x_adv = (x + delta).detach().requires_grad_()
loss = functional.cross_entropy(network(x_adv), classes)
(of_x_adv,) = torch.autograd.grad(loss, x_adv)
loss = functional.cross_entropy(network(x + delta), classes)
(of_delta,) = torch.autograd.grad(loss, delta)
assert of_delta.equal(of_x_adv)

# %%
# Two things make a difference. A ``clamp`` in the forward has a gradient of zero where
# it cuts off, so these pixels of ``delta`` stop moving. And ``delta = delta + ...``
# outside of ``no_grad()`` makes a result, whose ``.grad`` is None after ``backward()``.
# Write ``delta = (delta + ...).detach().requires_grad_()``.
shifted = torch.tensor([0.9, 0.9], requires_grad=True)
added = torch.tensor([0.05, 0.3], requires_grad=True)
(shifted.detach() + added).clamp(0, 1).sum().backward()
print("with a clamp:", added.grad.tolist())
assert added.grad.tolist() == [1, 0]
moved = added + 0.01
assert not moved.is_leaf
moved = (added + 0.01).detach().requires_grad_()
(2 * moved).sum().backward()
assert moved.grad.tolist() == [2, 2]

# %%
# Adversarial *training* (FGM, PGD) does use ``backward()``: the gradients of the clean
# and of the attacked batch are added. On several GPUs under ``DataParallel``, it is
# ``loss_adv.mean().backward()``. The page of this error has the loop of FGM:
# :doc:`/reference/errors/grad_can_be_implicitly_created_only_for_scalar_outputs`. Under
# ``DistributedDataParallel``, call the wrapped model for the clean batch, then
# ``backward()``, then call it again for the attacked batch:
# :doc:`/gallery/beyond/two_backward_passes_under_ddp` says in which order both are
# averaged.

# %%
# An attack in an evaluation
# --------------------------
# The attack needs a graph, even if nothing is trained. Under the ``no_grad()`` of the
# evaluation it raises the error of the first cell, even if the network is frozen. Make
# the adversarial examples before the block, or inside it under ``enable_grad()``, and
# score them under ``no_grad()``. ``enable_grad()`` does not undo ``inference_mode()``:
# leave that with ``inference_mode(False)``.


def attack(images):
    images = images.detach().requires_grad_()
    loss = functional.cross_entropy(network(images), labels)
    (gradient,) = torch.autograd.grad(loss, images)
    return (images + 0.5 * gradient.sign()).detach()


with torch.no_grad():
    try:
        # Wrong: the attack is not recorded.
        attack(clean)
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("the attack was recorded")
    # Right: recorded here, and only here.
    with torch.enable_grad():
        attacked = attack(clean)
    output = network(attacked)
    after = functional.cross_entropy(output, labels)
print(f"{before.item():.2f} -> {after.item():.2f}")
assert after > before
assert not after.requires_grad

with torch.inference_mode():
    try:
        with torch.enable_grad():
            attack(clean)
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("enable_grad() undid inference_mode()")
    with torch.inference_mode(False), torch.enable_grad():
        again = attack(clean.clone())
assert "does not require grad" in message
assert again.equal(attacked)

# %%
# The VGG of the perceptual loss has no ``requires_grad=False``: is it trained?
# -----------------------------------------------------------------------------
# Not if the optimizer has the generator's parameters only. But a gradient is computed
# for each weight of VGG, adds up in its ``.grad`` with every step, since
# ``optimizer.zero_grad()`` does not reach it, and costs time and memory. The generator
# learns the same. So write ``vgg.requires_grad_(False).eval()``. ``eval()`` alone
# freezes nothing: it turns dropout off and lets batch norm use its stored statistics.
import copy

generator, x = nn.Linear(4, 4), torch.randn(2, 4)
start = copy.deepcopy(generator.state_dict())
optimizer = torch.optim.SGD(generator.parameters(), lr=0.01)
of_generator, of_vgg = [], []
for frozen in (False, True):
    vgg = copy.deepcopy(network).requires_grad_(not frozen).eval()
    before = vgg[0].weight.clone()
    for _ in range(2):
        optimizer.zero_grad()
        functional.l1_loss(vgg(generator(x)), vgg(x).detach() - 5).backward()
        of_vgg.append(None if frozen else round(vgg[0].weight.grad.norm().item(), 4))
    of_generator.append(generator.weight.grad.clone())
    optimizer.step()
    assert vgg[0].weight.equal(before)
    generator.load_state_dict(start)
print(of_vgg)
assert abs(of_vgg[1] - 2 * of_vgg[0]) < 1e-3
assert of_vgg[2:] == [None, None]
torch.testing.assert_close(*of_generator)

# %%
# A perceptual loss: frozen, and not under ``no_grad()``
# ------------------------------------------------------
# A frozen network compares what the generator made with what it should have made. The
# branch of the target needs no graph. That of the prediction must have one, or the
# generator learns nothing from this loss.
generator = torch.nn.Linear(4, 4)
source, target = torch.randn(2, 4), torch.randn(2, 4)
with torch.no_grad():
    wanted_features = network(target)
functional.mse_loss(network(generator(source)), wanted_features).backward()
print(generator.weight.grad is not None)
assert generator.weight.grad is not None

# %%
# With both branches under ``no_grad()``, ``backward()`` raises the error of the first
# cell again.
with torch.no_grad():
    features = network(generator(source))
perceptual = functional.mse_loss(features, wanted_features)
try:
    perceptual.backward()
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
(pixels + perceptual).backward()
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
# Feature matching, pix2pixHD: ``D(fake)`` features against ``D(real).detach()``
# ------------------------------------------------------------------------------
# In the generator's step the discriminator is frozen and measures: the features of the
# real image are the target, so compute them under ``no_grad()``. Those of the fake keep
# their graph. With ``detach()`` or ``no_grad()`` on both, the term trains nothing.
# Without freezing, the term leaves a gradient in the discriminator that moves its
# features of the fake *towards* those of the real image: clear it before its own step.
#
judge = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
body = judge[:2]


def matching(*, freeze, cut_fake):
    generator.zero_grad()
    judge.requires_grad_(not freeze).zero_grad()
    fake = generator(source)
    with torch.no_grad():
        wanted = body(target)
    features = body(fake.detach() if cut_fake else fake)
    loss = functional.l1_loss(features, wanted)
    if loss.requires_grad:
        loss.backward()
    return [part.weight.grad is not None for part in (generator, judge[0])]


for freeze, cut_fake in ((True, False), (False, False), (True, True)):
    reached = matching(freeze=freeze, cut_fake=cut_fake)
    print(f"{freeze=!s:5} {cut_fake=!s:5} generator, discriminator: {reached}")
    assert reached == [not cut_fake, not freeze]

# %%
# LPIPS or VGG as an attribute of the model: the loss network is trained, too
# ---------------------------------------------------------------------------
# Then its weights are in ``self.parameters()``, and an optimizer that gets all of these
# trains the loss to be small: LPIPS comes near zero or becomes negative, whatever the
# images are. Freeze it in ``__init__()``, and give the optimizer the
# generator's parameters. Keep it in ``eval()``: ``train()`` of the model also sets its
# parts. The same holds for a ``LightningModule`` (`torchmetrics 2315
# <https://github.com/Lightning-AI/torchmetrics/issues/2315>`__).


class WithLPIPS(nn.Module):
    def __init__(self, *, freezes):
        super().__init__()
        self.generator = nn.Linear(4, 4)
        self.features, self.lin = nn.Linear(4, 8), nn.Linear(8, 1, bias=False)
        nn.init.ones_(self.lin.weight)
        if freezes:
            self.features.requires_grad_(False)
            self.lin.requires_grad_(False)

    def forward(self, source, target):
        difference = self.features(self.generator(source)) - self.features(target)
        return self.lin(difference.square()).mean()


last, (blurred, sharp) = {}, torch.randn(2, 64, 4)
for freezes in (False, True):
    torch.manual_seed(0)
    model = WithLPIPS(freezes=freezes)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss = model(blurred, sharp)
        loss.backward()
        optimizer.step()
    last[freezes] = loss.item()
    print(f"{freezes=}: loss < 0.01: {last[freezes] < 0.01}")
assert last[False] < 0.01 < last[True]

# %%
# Style transfer: LBFGS needs a closure, and why is the target detached?
# ----------------------------------------------------------------------
# The features of the content and of the style image are targets. Computed by a network
# that is *not* frozen they have a graph, and the second ``backward()`` raises ``Trying
# to backward through the graph a second time``. ``target.detach()`` cuts it; with a
# frozen network there is nothing to cut. ``LBFGS.step()`` calls a function again and
# again: put ``zero_grad()``, forward and ``backward()`` into it, and return the loss.
# If the image does not change, the optimizer holds another tensor: give it
# ``[image.requires_grad_()]``, and clamp in place under ``no_grad()``. A loss that
# becomes nan often comes from a large style weight: take a smaller one, or Adam.
extractor = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
content = torch.rand(1, 4)
targets = {
    "target": extractor(content),
    "target.detach()": extractor(content).detach(),
    "frozen network": extractor.requires_grad_(False)(content),
}
extractor.requires_grad_(True)
for name, goal in targets.items():
    picture = torch.rand(1, 4).requires_grad_()
    optimizer, start = torch.optim.LBFGS([picture]), picture.detach().clone()

    def closure(picture=picture, goal=goal, optimizer=optimizer):
        optimizer.zero_grad()
        loss = functional.mse_loss(extractor(picture), goal)
        loss.backward()
        return loss

    try:
        optimizer.step(closure)
        message = f"the image changes: {not picture.equal(start)}"
    except RuntimeError as error:
        message = str(error).split(" (")[0]
    print(f"{name:16}{message}")
    if name == "target":
        assert message.startswith("Trying to backward through the graph a second time")
    else:
        assert message.endswith("True")

# %%
# GAN inversion, DeepDream: the optimizer runs, and latent or image stay the same
# -------------------------------------------------------------------------------
# In the loop, the name was given to a new tensor: ``z = z.detach().clamp(-1, 1)``,
# ``image = image + ...``, ``z = z.to(device)``. The optimizer still holds the old one,
# whose ``.grad`` is None or old, and which the generator no longer reads. Change the
# leaf in place under ``no_grad()``, and make the optimizer after the last ``to()``. For
# the rest, freeze the generator and put it into ``eval()``. If it draws noise in each
# forward (StyleGAN), the loss jumps: pass fixed noise.
decoder = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4))
decoder.requires_grad_(False)
photo = torch.rand(1, 4)


def inverted(*, in_place):
    z = torch.zeros(1, 3, requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    for _ in range(20):
        loss = functional.mse_loss(decoder(z), photo)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if in_place:
            with torch.no_grad():
                z.clamp_(-2, 2)  # right
        else:
            z = z.detach().clamp(-2, 2).requires_grad_()  # wrong
    return z.detach()


once = 0.1  # one step of Adam
for in_place in (False, True):
    distance = inverted(in_place=in_place).abs().max().item()
    print(f"{in_place=!s:6} more than one step: {distance > 1.01 * once}")
    assert (distance > 1.01 * once) == in_place

# %%
# The gradient of the image is zero, and the attack changes nothing
# -----------------------------------------------------------------
# - *The network is too sure.* With a probability of exactly 1 the gradient of
#   ``cross_entropy`` is 0, and ``sign()`` of it is 0. Take the difference of two logits
#   as the loss, or compute in float64. An attack that fails for this reason does not
#   show that the network is robust.
# - *A step without a derivative*: ``round()``, ``.byte()``, ``to_pil_image()``, JPEG,
#   ``argmax``. The first has a gradient of zero, the others have none:
#   :doc:`straight_through_and_vq`.
# - *Softmax twice*: ``cross_entropy`` gets logits, not probabilities.
# - *A ReLU that is off, or a clamp that cuts off*: begin at a random point of the ball.
sure = nn.Linear(4, 2).requires_grad_(False)
with torch.no_grad():
    sure.weight.mul_(0).add_(torch.tensor([[300.0], [-300.0]]))
victim = torch.full((1, 4), 0.5, requires_grad=True)
logits, label = sure(victim), torch.tensor([0])
gradients = {
    "cross_entropy": functional.cross_entropy(logits, label),
    "difference of logits": logits[0, 1] - logits[0, 0],
}
for name, loss in gradients.items():
    (gradient,) = torch.autograd.grad(loss, victim, retain_graph=True)
    print(f"{name:22}{gradient.tolist()[0]}")
    assert gradient.any() == (name != "cross_entropy")

# %%
# SDS, DreamFusion: the gradient comes from a network under ``no_grad()``
# -----------------------------------------------------------------------
# In score distillation, ``grad = w * (noise_pred - noise)`` is computed under
# ``no_grad()`` and *is* the gradient of the loss by the latents: the derivative of the
# U-Net is left out on purpose. To pass it on, call ``latents.backward(gradient=grad)``,
# or write a loss whose gradient it is. Both ways below give the image the same one. The
# value of the first loss means nothing, so don't expect it to fall. What makes the
# latents, such as the VAE's encoder, is frozen, but not under ``no_grad()``. With a
# ``GradScaler``, use one of the losses: ``latents.backward()`` would not be scaled.
picture = torch.randn(2, 4, requires_grad=True)
encoder, unet = (nn.Linear(4, 4).requires_grad_(False) for _ in range(2))
latents = encoder(picture)
with torch.no_grad():
    noise = torch.randn_like(latents)
    grad = 0.5 * (unet(latents + noise) - noise)
target_latents = (latents - grad).detach()
losses = {
    "(latents * grad).sum()": (latents * grad).sum(),
    "mse_loss": 0.5 * functional.mse_loss(latents, target_latents, reduction="sum"),
}
latents.backward(gradient=grad, retain_graph=True)
for name, loss in losses.items():
    (by_loss,) = torch.autograd.grad(loss, picture, retain_graph=True)
    print(f"{name:23}", by_loss.allclose(picture.grad, atol=1e-6))
    torch.testing.assert_close(by_loss, picture.grad)
assert picture.grad.any()

# %%
# Guidance: ``latents.requires_grad_()`` before or after the U-Net?
# -----------------------------------------------------------------
# In sampling with a loss (of CLIP, a classifier, a measurement) the latents get a
# gradient in each step. Where it begins decides what it contains:
#
# - After the U-Net, which ran under ``no_grad()``: the noise prediction is a constant.
#   The gradient goes through the formula of the scheduler and through the decoder. It
#   is cheap, and an approximation.
# - Before the U-Net, without ``no_grad()``: the whole gradient, which also has the part
#   through the U-Net. All activations of the U-Net are kept for it, in each step.
#   Freeze its weights; activation checkpointing saves memory.
#
# In both, ``detach()`` the latents after each step. Otherwise the graph of each step
# holds on to the one before, and the memory grows. Which one gives better pictures,
# only a comparison shows.
from gradguide import saved

unet = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 4))
unet.requires_grad_(False)
aim, signal = torch.randn(2, 4), 0.5
noisy = torch.randn(2, 4)


def guidance(latents, *, before):
    latents = latents.detach().requires_grad_(before)
    with torch.set_grad_enabled(before):
        noise_pred = unet(latents)
    latents.requires_grad_()
    clean = (latents - (1 - signal) ** 0.5 * noise_pred) / signal**0.5
    loss = functional.mse_loss(encoder(clean), aim)
    kept = saved(loss, unet).bytes
    (gradient,) = torch.autograd.grad(loss, latents)
    return gradient, noise_pred.requires_grad, kept


cheap, constant, little = guidance(noisy, before=False)
whole, recorded, much = guidance(noisy, before=True)
print("the same gradient:", cheap.allclose(whole))
print(f"bytes: {little} after, {much} before")
assert (constant, recorded) == (False, True)
assert not cheap.allclose(whole, rtol=0.01)
assert much > 2 * little

# %%
# Where it ends
# -------------
# - In training mode, a frozen network still changes: the statistics of its batch norm
#   follow the image that you train. So call ``eval()``.
# - No gradient passes through weights that were made in inference mode, frozen or not:
#   :doc:`/gallery/modes/inference_tensors_bite_later`.
# - An integer input, such as token ids, has no gradient. Train its embeddings instead,
#   as a leaf: that is a trained prompt.
# - ``autograd.grad`` fills the ``.grad`` of a result that ``retain_grad()`` was called
#   on.
norm = nn.BatchNorm1d(4).requires_grad_(False)
norm(torch.rand(8, 4))
assert norm.running_mean.any()

with torch.inference_mode():
    unusable = nn.Linear(4, 2).requires_grad_(False)
try:
    unusable(image)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an inference tensor was saved")

embedding = nn.Embedding(10, 4).requires_grad_(False)
prompt = embedding(torch.tensor([1, 2])).requires_grad_()
network(prompt).sum().backward()
assert prompt.is_leaf
assert prompt.grad.any()

hidden = network[0](clean)
hidden.retain_grad()
torch.autograd.grad(network[2](hidden).sum(), clean)
assert hidden.grad is not None

# %%
# Freeze with ``requires_grad_(False)``, put the network into ``eval()``, and keep
# ``no_grad()`` for the branch of the target. Sources: `Explaining and Harnessing
# Adversarial Examples <https://arxiv.org/abs/1412.6572>`__, `Perceptual Losses for
# Real-Time Style Transfer <https://arxiv.org/abs/1603.08155>`__.
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`, :doc:`gan_training`,
# :doc:`/gallery/graph/gradients_of_some_inputs`.
