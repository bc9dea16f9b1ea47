"""
Diffusion fine-tuning: freeze VAE, text encoder or UNet, and let the gradient pass
==================================================================================

A token that is learned (textual inversion) gets its gradient through the frozen text
encoder and the frozen UNet. Freeze both with ``requires_grad_(False)``. Only the VAE's
encoder, and a text encoder with nothing to learn in it, run under ``no_grad()``.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
text_encoder, unet = (nn.Linear(n, 4).requires_grad_(False) for n in (4, 8))
token, latents, noise = nn.Parameter(torch.ones(1, 4)), torch.ones(1, 4), torch.ones(4)


def loss(words):
    return (unet(torch.cat([latents + noise, words], 1)) - noise).square().mean()


try:
    with torch.no_grad():  # wrong
        words = text_encoder(token)
    loss(words).backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the token was reached")
loss(text_encoder(token)).backward()  # right
print("frozen:", token.grad is not None)
assert token.grad.any()

# %%
# DreamBooth, LoRA, textual inversion, ControlNet: what is frozen, what trains?
# -----------------------------------------------------------------------------
# - *VAE*: frozen in all of them, in ``eval()``, and its encoder under ``no_grad()``.
# - *Text encoder*: frozen, and under ``no_grad()`` or computed once. In textual
#   inversion it is frozen, and not under ``no_grad()``. With ``--train_text_encoder``
#   it trains.
# - *UNet or transformer*: it trains in DreamBooth and full fine-tuning. It is frozen,
#   and not under ``no_grad()``, in LoRA (the adapters train), in textual inversion and
#   in ControlNet (the copy of its encoder trains).
#
# One step of DreamBooth: only what trains is in the optimizer.
import copy


def parts():
    torch.manual_seed(0)
    vae = nn.Sequential(nn.Linear(6, 4), nn.Dropout())
    return vae, nn.Sequential(nn.Linear(4, 4), nn.Dropout()), nn.Linear(8, 4)


vae, text_encoder, unet = parts()
vae.requires_grad_(False).eval()
text_encoder.requires_grad_(False).eval()
optimizer = torch.optim.AdamW(unet.parameters(), lr=0.01)
before = copy.deepcopy([vae, text_encoder, unet])
images, prompts = torch.randn(8, 6), torch.randn(8, 4)
with torch.no_grad():
    latents, words = vae(images), text_encoder(prompts)
noise, kept = torch.randn_like(latents), torch.rand(8, 1)
noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
optimizer.zero_grad()
(unet(torch.cat([noisy, words], 1)) - noise).square().mean().backward()
optimizer.step()


def moved(old, new):
    pairs = zip(old.parameters(), new.parameters(), strict=True)
    return any(not a.equal(b) for a, b in pairs)


names, now = ("vae", "text_encoder", "unet"), (vae, text_encoder, unet)
changed = {n: moved(a, b) for n, a, b in zip(names, before, now, strict=True)}
print(changed)
assert changed == {"vae": False, "text_encoder": False, "unet": True}

# %%
# Textual inversion: the other token embeddings change, too
# ---------------------------------------------------------
# The gradients of all other rows were set to zero, and AdamW still makes these rows
# smaller in each step: its weight decay needs no gradient. Then every prompt is
# damaged. Set ``weight_decay=0``, or write the old rows back after each step, as
# diffusers does since `pull request 1665
# <https://github.com/huggingface/diffusers/pull/1665>`__. Set the gradient to zero
# after the last ``backward()`` of an accumulation and before clipping, or it counts in
# the norm. Rows that once had a gradient go on moving in Adam: writing them back stops
# that, too. A parameter of its own for the new row needs neither:
# :doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`.


def others_move(*, weight_decay=0.01, write_back=False):
    embedding, new = nn.Embedding(6, 4), torch.arange(6) == 5
    old = embedding.weight.detach().clone()
    optimizer = torch.optim.AdamW(
        embedding.parameters(), lr=0.1, weight_decay=weight_decay
    )
    for _ in range(3):
        optimizer.zero_grad()
        embedding(torch.tensor([2, 5])).square().sum().backward()
        embedding.weight.grad[~new] = 0
        optimizer.step()
        if write_back:
            with torch.no_grad():
                embedding.weight[~new] = old[~new]
    assert not embedding.weight[5].equal(old[5])
    return not embedding.weight[~new].equal(old[~new])


ways = {
    "gradient 0": others_move(),
    "weight_decay=0": others_move(weight_decay=0),
    "written back": others_move(write_back=True),
}
print(ways)
assert list(ways.values()) == [True, False, False]

# %%
# T2I-Adapter: why ``unet.train()``, and no ``requires_grad_(False)`` for the UNet?
# ---------------------------------------------------------------------------------
# The UNet is not trained there: the optimizer holds ``adapter.parameters()`` alone.
# ``unet.train()`` is only a mode (dropout, and in older diffusers a condition for
# gradient checkpointing). It unfreezes nothing, as ``eval()`` freezes nothing. And the
# adapter gets its gradient *through* the UNet, so that must not run under
# ``no_grad()``.
#
# ``unet.requires_grad_(False)`` is missing in `the SDXL script
# <https://github.com/TencentARC/T2I-Adapter/issues/129>`__ (read, not run), and you can
# add it: the adapter's gradient is the same, and the UNet gets no ``.grad``, which for
# 2.6 billion parameters takes 10 GB in float32, and 5 GB in mixed precision, for which
# the script casts the UNet. That "the gradient of the UNet must be enabled" is often
# answered, and not true for its weights. If freezing raises
# ``One of the differentiated Tensors does not require grad``, it is the checkpointing
# of the older code:
# :doc:`/reference/errors/one_of_the_differentiated_tensors_does_not_require_grad`.
#
# IP-Adapter freezes the UNet first and puts new attention processors into it
# afterwards: these train. Its ``adapter_modules`` is a list of the same objects, for
# the optimizer and the file; the forward calls them inside of the UNet (`an answer of
# its author <https://github.com/tencent-ailab/IP-Adapter/issues/274>`__, read).
adapter, of_adapter = nn.Linear(4, 4), {}
for way in ("trainable", "frozen", "no_grad()"):
    unet.requires_grad_(way == "trainable").train().zero_grad()
    adapter.zero_grad()
    with torch.set_grad_enabled(way != "no_grad()"):
        predicted = unet(torch.cat([noisy, words + adapter(words)], 1))
    if predicted.requires_grad:
        (predicted - noise).square().mean().backward()
    of_adapter[way] = adapter.weight.grad
    held = unet.weight.grad is not None
    print(f"{way:10} adapter: {adapter.weight.grad is not None}, .grad of unet: {held}")
    assert held == (way == "trainable")
assert of_adapter["trainable"].equal(of_adapter["frozen"])
assert of_adapter["no_grad()"] is None
assert [round(2.6 * size) for size in (4, 2)] == [10, 5]
unet.requires_grad_(True)

# %%
# A loss on the decoded image: may ``vae.decode()`` run under ``no_grad()``?
# --------------------------------------------------------------------------
# No. An LPIPS, identity or pixel loss on the decoded image gets to the UNet only
# through the decoder. Under ``no_grad()``, or in a pipeline's ``__call__``, this term
# is a constant. There is no error as long as the noise loss is there, and the term does
# nothing. Freeze the VAE, and run the decoder with a graph. Its activations cost much
# memory: decode a crop or a smaller batch, or call
# ``vae.enable_gradient_checkpointing()``. The target image needs no graph.
decoder = nn.Linear(4, 6).requires_grad_(False)


def gradient(pixel_weight, *, under_no_grad=False):
    predicted = unet(torch.cat([noisy, words], 1))
    total = (predicted - noise).square().mean()
    with torch.set_grad_enabled(not under_no_grad):
        decoded = decoder(noisy - predicted)
    total = total + pixel_weight * (decoded - images).abs().mean()
    return torch.autograd.grad(total, unet.weight)[0]


alone = gradient(0)
for under_no_grad in (True, False):
    has_effect = not gradient(1, under_no_grad=under_no_grad).allclose(alone)
    print(f"{under_no_grad=}: {has_effect=}")
    assert has_effect != under_no_grad

# %%
# Should I train the text encoder? Which learning rate for UNet and text encoder?
# -------------------------------------------------------------------------------
# Begin with the UNet alone. Training the text encoder as well gave better results above
# all for faces (README below). It needs more memory, and with few images it can
# overfit, so that words lose their meaning. Then stop it earlier than the UNet, or give
# it a smaller rate in a parameter group of its own. Rates in the commands of diffusers
# for Stable Diffusion 1 (`its README
# <https://github.com/huggingface/diffusers/tree/v0.20.0/examples/dreambooth>`__) and in
# `ControlNet's
# <https://github.com/lllyasviel/ControlNet/blob/main/docs/train.md>`__:
#
# - DreamBooth, UNet alone: ``5e-6``, batch size 1, 400 to 800 steps.
# - DreamBooth, UNet and text encoder: ``2e-6`` for both. It asks for 24 GB, not 16.
# - DreamBooth with LoRA: ``1e-4``, 500 steps.
# - ControlNet: ``1e-5``, batch size 4; with the decoder of the UNet unlocked
#   (``sd_locked=False``), ``2e-6``.
#
# With few images (3 to 5), also pass the prior-preservation loss, or the model forgets
# the class. What the options of kohya and diffusers freeze:
# :doc:`/gallery/frameworks/options_that_freeze`.

# %%
# The loss does not decrease and jumps between 0.01 and 0.9: is it normal?
# ------------------------------------------------------------------------
# Yes. The loss of a step depends on the drawn timestep and noise more than on the
# model: below, a *perfect* model has a loss of 0.99 at one timestep and of 0.00 at
# another. Fine-tuning moves the mean by little. Judge by images for fixed prompts and
# seeds, and by a validation loss with the same timesteps and the same noise each time.
# On it, the difference between two models is visible; single steps often say the
# opposite. To see whether anything learns at all, overfit on one image with one
# timestep: then the loss must fall. The data here are drawn from a normal distribution,
# for which the best prediction is known.
alphas = (1 - torch.linspace(1e-4, 0.02, 1000)).cumprod(0)


def step_loss(t, factor, generator):
    data, noise = torch.randn(2, 4096, generator=generator)
    noisy = alphas[t].sqrt() * data + (1 - alphas[t]).sqrt() * noise
    best = (1 - alphas[t]).sqrt() * noisy
    return (factor * best - noise).square().mean().item()


generator = torch.Generator().manual_seed(0)
for t in (50, 300, 900):
    print(f"timestep {t}: best loss {step_loss(t, 1.0, generator):.2f}")
steps = torch.randint(1000, (2, 40), generator=generator).tolist()
good, bad = (
    [step_loss(t, factor, generator) for t in steps[i]]
    for i, factor in enumerate((1.0, 0.9))
)
wrong_order = sum(b < g for g, b in zip(good, bad, strict=True))
print("single steps in which the worse model looks better:", wrong_order > 5)
assert max(good) > 0.9
assert min(good) < 0.05
assert wrong_order > 5


def validation(factor):
    generator = torch.Generator().manual_seed(1)
    return sum(step_loss(t, factor, generator) for t in range(25, 1000, 50)) / 20


assert validation(1.0) < validation(0.9)

# %%
# ControlNet ignores the condition, the loss is flat: sudden convergence
# ----------------------------------------------------------------------
# It can be normal. Its authors see the control appear suddenly, after 3000 to 7000
# optimizer steps at batch size 4 (`source
# <https://github.com/lllyasviel/ControlNet/blob/main/docs/train.md>`__). Accumulated
# micro-batches count as one step. Before you wait, check after two steps: the zero
# layers are no longer zero, and the branch has a gradient. If the zero layers stay
# zero, the UNet's decoder is under ``no_grad()``, or the zero layers are not in the
# optimizer. If two layers *in series* are zero, such as a zero layer behind a branch
# whose last layer is zero as well, the gradient of both weights stays zero (with
# nothing, ReLU or SiLU in between): only the last bias learns. The hint is between 0
# and 1 there, the image between -1 and 1.


def zero_layer():
    layer = nn.Linear(4, 4)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


for name, branch in (
    ("one zero layer", nn.Sequential(nn.Linear(4, 4), nn.SiLU(), zero_layer())),
    ("two in series", nn.Sequential(zero_layer(), nn.SiLU(), zero_layer())),
):
    frozen = nn.Linear(4, 4).requires_grad_(False)
    optimizer = torch.optim.SGD(branch.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (frozen(latents + branch(words)) - noise).square().mean().backward()
        optimizer.step()
    state = [layer.weight.any().item() for layer in (branch[0], branch[2])]
    first = branch[0].weight.grad.any().item()
    print(f"{name}: not zero {state}, gradient of the branch {first}")
    assert (state, first) == (
        ([True, True], True) if name == "one zero layer" else ([False, False], False)
    )

# %%
# Train only the cross-attention (``attn2``), or only ``to_k`` and ``to_v``
# -------------------------------------------------------------------------
# In a UNet of diffusers, ``attn1`` is the self-attention and ``attn2`` the
# cross-attention, which reads the text. Freeze everything, then unfreeze by these
# names, and make the optimizer from what is trainable. `Custom Diffusion
# <https://huggingface.co/docs/diffusers/training/custom_diffusion>`__ trains
# ``attn2.to_k`` and ``attn2.to_v``. Write the dot: ``attn2`` alone would fit
# ``attn20``, too. The gradient still goes through most of the UNet, so this saves
# memory for gradients and optimizer, and few activations. Transformers such as SD3 or
# FLUX have joint attention and no ``attn2`` for the text: print the names first.
blocks = nn.ModuleDict()
for attention in ("attn1", "attn2"):
    layers = {name: nn.Linear(4, 4, bias=False) for name in ("to_q", "to_k", "to_v")}
    blocks[attention] = nn.ModuleDict(layers)
unet_of_diffusers = nn.ModuleDict({"down_blocks": nn.ModuleList([blocks])})
unet_of_diffusers.requires_grad_(False)
for name, parameter in unet_of_diffusers.named_parameters():
    if "attn2.to_k." in name or "attn2.to_v." in name:
        parameter.requires_grad_(True)
trains = [n for n, p in unet_of_diffusers.named_parameters() if p.requires_grad]
print(*trains, sep="\n")
assert trains == [f"down_blocks.0.attn2.to_{x}.weight" for x in "kv"]

# %%
# ``first_stage_model``, ``cond_stage_trainable``, ``freeze_vae``: is the VAE trained?
# ------------------------------------------------------------------------------------
# In the code of latent diffusion (CompVis, ControlNet and their descendants) the VAE,
# ``first_stage_model``, is always frozen, and the text encoder is, unless
# ``cond_stage_trainable`` is true: there is nothing to do (`ddpm.py
# <https://github.com/CompVis/latent-diffusion/blob/main/ldm/models/diffusion/ddpm.py>`__,
# read, not run). Four lines do it: ``eval()``, a ``train`` that does nothing,
# ``requires_grad = False``, and ``no_grad()`` on ``get_input()``; and it is not in the
# optimizer. So ``requires_grad_(True)`` alone trains nothing. An option such as
# ``freeze_vae=False`` may have no effect for the last reason (`reported for Bagel
# <https://github.com/ByteDance-Seed/Bagel/issues/233>`__). Look at what the optimizer
# holds.


class LatentDiffusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.model, self.first_stage_model = nn.Linear(4, 4), nn.Linear(6, 4).eval()
        self.first_stage_model.train = lambda mode=True: self.first_stage_model
        self.first_stage_model.requires_grad_(False)

    @torch.no_grad()
    def get_input(self, images):
        return self.first_stage_model(images)

    def forward(self, images):
        return self.model(self.get_input(images)).square().mean()


diffusion = LatentDiffusion().train()
diffusion.first_stage_model.requires_grad_(True)  # not enough
diffusion(images).backward()
print(diffusion.first_stage_model.training, diffusion.first_stage_model.weight.grad)
assert not diffusion.first_stage_model.training
assert diffusion.first_stage_model.weight.grad is None
assert diffusion.model.weight.grad.any()

# %%
# Related: :doc:`optimise_the_input` (SDS, perceptual losses),
# :doc:`/gallery/frameworks/diffusers_add_adapter`,
# :doc:`/gallery/frameworks/frozen_second_network`,
# :doc:`/gallery/three-ways/through_or_blocked` (ControlNet and its memory).
