"""
round() gives a gradient of zero: the straight-through estimator
================================================================

Through ``round()``, everything before it gets a gradient of zero, so it is not trained.
Write ``x + (round(x) - x).detach()``: the value is rounded, and the gradient passes as
if it were not.
"""

# %%
# ``round()``, and the one line that trains
# -----------------------------------------
import torch

x = torch.tensor([0.2, 0.7, 1.4], requires_grad=True)
torch.round(x).sum().backward()
print("round(x):        ", x.grad.tolist())
assert x.grad.tolist() == [0, 0, 0]

x.grad = None
y = x + (torch.round(x) - x).detach()
y.sum().backward()
print("straight through:", x.grad.tolist(), "value:", y.tolist())
assert y.tolist() == [0, 1, 1]
assert x.grad.tolist() == [1, 1, 1]

# %%
# The graph of ``round(x)`` is not cut: the gradient is there, and it is zero. In the
# one line, the bracket is detached. In the forward it adds what is missing to the
# rounded value, in the backward it is a constant. The sum is exact for finite numbers,
# here for all of two dtypes. For an infinite one it is ``nan``.
assert torch.round(x).requires_grad
for dtype in (torch.float16, torch.bfloat16):
    values = torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)
    values = values[values.isfinite()]
    assert len(values) > 60_000
    assert torch.equal(values + (values.round() - values), values.round())
values = torch.linspace(-1000, 1000, 99_999)
assert torch.equal(values + (values.round() - values), values.round())
infinite = torch.tensor(torch.inf)
assert (infinite + (infinite.round() - infinite)).isnan()

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
# The value is always 0 or 1: where does the gradient come from?
# --------------------------------------------------------------
# Value and gradient are two things. The forward uses the value of a detached tensor,
# and the backward takes it for a constant. So a term may always be 0 or 1 and have a
# gradient all the same, or have the value of one expression and the gradient of
# another: ``(hard - soft).detach() + soft``. The last two lines train nothing: one is
# detached as a whole, and in the other the two gradients cancel.
soft = torch.tensor(0.7, requires_grad=True)
hard = (soft > 0.5).float()
terms = {
    "soft - soft.detach()": soft - soft.detach(),
    "(soft - soft.detach()).exp()": (soft - soft.detach()).exp(),
    "soft / soft.detach()": soft / soft.detach(),
    "(hard - soft).detach() + soft": (hard - soft).detach() + soft,
    "soft.detach()": soft.detach(),
    "soft - soft": soft - soft,
}
found = {}
for code, term in terms.items():
    gradient = None
    if term.requires_grad:
        gradient = round(torch.autograd.grad(term, soft)[0].item(), 2)
    found[code] = round(term.item(), 2), gradient
    print(f"{code:30} value {found[code][0]}, gradient {gradient}")
assert list(found.values()) == [(0, 1), (1, 1), (1, 1.43), (1, 1), (0.7, None), (0, 0)]

# %%
# The ratio in PPO and GRPO, ``exp(log_prob - log_prob.detach())``, is the second line:
# :doc:`target_network_and_advantage`.
#
# The whole loop: a vector-quantised autoencoder (VQ-VAE)
# -------------------------------------------------------
# Each ``z`` is replaced by the nearest entry of a codebook. The choice, an ``argmin``,
# has no gradient. So the decoder's loss goes straight through to the encoder, the
# codebook has a loss of its own, and a third one holds the encoder to its entry.
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
centers = torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 2)
codebook = nn.Embedding(8, 2)
networks = nn.ModuleList([encoder, decoder, codebook])
optimizer = torch.optim.Adam(networks.parameters(), lr=0.02)
losses = []
for _ in range(300):
    inputs = centers[torch.randint(4, (64,))] + 0.1 * torch.randn(64, 2)
    z = encoder(inputs)
    nearest = torch.cdist(z, codebook.weight).argmin(1)
    entry = codebook(nearest)
    quantised = entry.detach() + (z - z.detach())
    reconstruction = F.mse_loss(decoder(quantised), inputs)
    codebook_loss = F.mse_loss(entry, z.detach())
    commitment = F.mse_loss(z, entry.detach())
    optimizer.zero_grad()
    (reconstruction + codebook_loss + 0.25 * commitment).backward()
    optimizer.step()
    losses.append(reconstruction.item())
print(f"reconstruction: {losses[0]:.2f} -> {losses[-1]:.2f}")
assert losses[-1] < 0.2 * losses[0]

# %%
# VQ-VAE: which loss trains the encoder, the decoder, the codebook?
# -----------------------------------------------------------------
# Straight through, the task trains the encoder, and not the codebook. An entry is not
# close to ``z``, so here the sum ``z + (entry - z)`` is rounded. With the entry outside
# of the bracket the value is exact: the bracket is zero, and passes the gradient.
torch.manual_seed(0)
codebook = torch.nn.Embedding(4, 2)
z = torch.randn(3, 2, requires_grad=True)
nearest = torch.cdist(z, codebook.weight).argmin(1)
assert not nearest.requires_grad
entry = codebook(nearest)
quantised = entry.detach() + (z - z.detach())
assert torch.equal(quantised, entry)
assert not torch.equal(z + (entry - z).detach(), entry)
quantised.square().sum().backward(retain_graph=True)
print("task:    ", z.grad is not None, codebook.weight.grad is not None)
assert z.grad is not None
assert codebook.weight.grad is None

# %%
# In the two other losses, the detached tensor is the target, and the other one moves
# towards it.
z.grad = None
(entry - z.detach()).square().mean().backward(retain_graph=True)
print("codebook:", z.grad is not None, codebook.weight.grad is not None)
assert z.grad is None
assert codebook.weight.grad is not None
unused = sorted(set(range(4)) - set(nearest.tolist()))
assert unused
assert not codebook.weight.grad[unused].any()
codebook.weight.grad = None
(z - entry.detach()).square().mean().backward()
print("encoder: ", z.grad is not None, codebook.weight.grad is not None)
assert z.grad is not None
assert codebook.weight.grad is None


# %%
# VQ-VAE: the reconstruction loss also updates the codebook (the embedding)
# -------------------------------------------------------------------------
# Give the decoder ``z + (entry - z).detach()``: in the paper, the codebook learns from
# its own loss alone. Ask ``torch.autograd.grad(..., allow_unused=True)`` for the
# gradient of the reconstruction loss with respect to ``codebook.weight``: it has to be
# None, while that of ``z`` is not. The mistakes, as in the table below:
#
# - The entry is not inside ``detach()``: ``z + (entry - z.detach())``. The codebook
#   then gets the gradient of the decoder in addition to its own.
# - The decoder gets ``entry`` itself: the codebook trains, and the encoder gets nothing
#   from the reconstruction loss.
# - A ``torch.autograd.Function`` whose ``backward()`` also returns a gradient for the
#   codebook. Return None for it, or pass ``codebook.weight.detach()``, as
#   `pytorch-vqvae <https://github.com/ritheshkumar95/pytorch-vqvae>`__ does: then its
#   ``backward()`` is right, although it can compute that gradient.
class Quantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, weight):
        nearest = torch.cdist(z, weight).argmin(1)
        ctx.save_for_backward(nearest, weight)
        return weight[nearest]

    @staticmethod
    def backward(ctx, gradient):
        nearest, weight = ctx.saved_tensors
        of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = torch.zeros_like(weight).index_add(0, nearest, gradient)
        return gradient, of_weight


z, target = torch.randn(3, 2, requires_grad=True), torch.randn(3, 2)
decode = nn.Linear(2, 2)
entry = codebook(torch.cdist(z, codebook.weight).argmin(1))
for_decoder = {
    "z + (entry - z).detach()": z + (entry - z).detach(),
    "z + (entry - z.detach())": z + (entry - z.detach()),
    "entry": entry,
    "Quantize, weight": Quantize.apply(z, codebook.weight),
    "Quantize, weight.detach()": Quantize.apply(z, codebook.weight.detach()),
}
reached = {}
for code, quantised in for_decoder.items():
    torch.testing.assert_close(quantised, entry)
    found = torch.autograd.grad(
        F.mse_loss(decode(quantised), target),
        [z, codebook.weight],
        retain_graph=True,
        allow_unused=True,
    )
    reached[code] = [gradient is not None for gradient in found]
    print(f"{code:26} encoder, codebook: {reached[code]}")
assert list(reached.values()) == [
    [True, False],
    [True, True],
    [False, True],
    [True, True],
    [True, False],
]

# %%
# VQ-VAE: the decoder takes token indices, and the encoder gets no gradient
# -------------------------------------------------------------------------
# Give the decoder vectors while the encoder trains. Indices are integers and have no
# gradient: a decoder with an embedding of its own for them cuts the encoder off from
# the reconstruction loss. There is no error: the decoder trains, and the commitment
# loss still moves the encoder, towards its entries only.
#
# - *Stage 1*, while the encoder trains: give the decoder the straight-through vectors,
#   ``z + (entry - z).detach()``, through a linear layer if the widths differ, and add
#   the codebook and the commitment loss.
# - *Stage 2*, a prior or a larger decoder on tokens: encoder and codebook are frozen,
#   so indices are enough, computed under ``no_grad()`` or, without random augmentation,
#   once for all data (:doc:`feature_cache`).
encode, tokens_of_decoder = nn.Linear(2, 2), nn.Embedding(4, 2)
data = torch.randn(8, 2)
for way in ("indices", "straight-through"):
    encode.zero_grad()
    z = encode(data)
    indices = torch.cdist(z, codebook.weight).argmin(1)
    quantised = z + (codebook(indices) - z).detach()
    given = tokens_of_decoder(indices) if way == "indices" else quantised
    F.mse_loss(decode(given), data).backward()
    print(f"{way:17} encoder: {encode.weight.grad is not None}")
    assert (encode.weight.grad is None) == (way == "indices")
F.mse_loss(encode(data), codebook(indices).detach()).backward()
assert encode.weight.grad.any()

# %%
# The codebook stays at its initial values, although the reconstruction loss falls
# --------------------------------------------------------------------------------
# Often the codebook loss was computed from the straight-through output. In it, the
# entry is inside ``detach()``, so ``mse_loss(quantised, z.detach())`` has the right
# value and gives the codebook no gradient. It gives the encoder the negative of the
# commitment gradient, which pushes ``z`` away from its entry. Compute the codebook loss
# from the entry, ``mse_loss(entry, z.detach())``, as in the loop above, and look at
# ``codebook.weight.grad`` once. (A codebook that is updated as a moving average, EMA,
# needs no such loss.)
z = torch.randn(3, 2, requires_grad=True)
entry = codebook(torch.cdist(z, codebook.weight).argmin(1))
quantised = z + (entry - z).detach()
wrong = F.mse_loss(quantised, z.detach())
right = F.mse_loss(entry, z.detach())
commitment = F.mse_loss(z, entry.detach())
for name, loss in (("wrong", wrong), ("right", right)):
    (gradient,) = torch.autograd.grad(
        loss, codebook.weight, retain_graph=True, allow_unused=True
    )
    print(f"{name}: {loss.item():.2f}, codebook: {gradient is not None}")
    assert (gradient is None) == (name == "wrong")
torch.testing.assert_close(wrong, right)
(push,) = torch.autograd.grad(wrong, z)
(pull,) = torch.autograd.grad(commitment, z)
torch.testing.assert_close(push, -pull)
assert pull.any()

# %%
# Only a few codes are used, perplexity is 1: codebook collapse
# -------------------------------------------------------------
# An entry that is never the nearest gets a gradient of zero, so it stays where it is
# and is never chosen: it is dead. Freezing or a larger commitment loss does not help.
# Initialize the codebook from outputs of the encoder (k-means on the first batch), and
# replace dead entries by random outputs from time to time; clear their Adam state. Less
# dimensions for the lookup, or normalized vectors, help as well. Count over an epoch:
# the perplexity of one batch can't be larger than its number of vectors.


def perplexity(z, codebook):
    share = F.one_hot(torch.cdist(z, codebook).argmin(1), len(codebook)).float().mean(0)
    return torch.exp(-(share * (share + 1e-10).log()).sum()).item()


torch.manual_seed(0)
outputs = torch.randn(256, 4) + 5  # far from the codebook, which is near 0
entries = nn.Parameter(torch.randn(16, 4) / 16)
nearest = torch.cdist(outputs, entries).argmin(1)
(gradient,) = torch.autograd.grad(F.mse_loss(entries[nearest], outputs), entries)
dead = torch.bincount(nearest, minlength=16) == 0
before = perplexity(outputs, entries)
with torch.no_grad():
    entries[dead] = outputs[torch.randperm(256)[: dead.sum()]]
after = perplexity(outputs, entries)
print(f"dead entries have no gradient: {not gradient[dead].any()}")
print(f"perplexity below 4: {before < 4}, replaced, above 8: {after > 8}")
assert not gradient[dead].any()
assert before < 4
assert after > 8

# %%
# The commitment loss rises, or there is no codebook loss: is that normal?
# ------------------------------------------------------------------------
# It can be. The commitment loss is a squared distance in units of ``z``: if the encoder
# makes ``z`` ten times as large, and the codebook follows, it is a hundred times as
# large, with the same reconstruction. So log it divided by the variance of ``z`` (do
# not train on that), and watch the reconstruction and the perplexity. If it grows
# without end, raise its weight or normalize ``z``.
#
# - A codebook that is a moving average (EMA) has no codebook loss. One that is a
#   parameter needs one, if it gets no gradient from the task: it does where soft or
#   one-hot weights (Gumbel softmax) multiply it.
# - FSQ rounds each value to a fixed grid: there is no codebook to train, so the
#   reconstruction loss is enough.
# - Residual VQ, straight through at each level: if the next level gets
#   ``residual - quantised.detach()``, each level passes the whole gradient on, so with
#   three levels the encoder gets that of the task three times. Without ``detach()`` it
#   gets it once, and the commitment loss of the later levels does not reach it at all.
points = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
relative = {}
for scale in (1.0, 10.0):
    z, entries = scale * points, scale * points[:16]
    distance = F.mse_loss(z, entries[torch.cdist(z, entries).argmin(1)])
    relative[scale] = (distance / z.var()).item()
    print(f"scale {scale:4.0f}: {distance:6.2f}, relative {relative[scale]:.3f}")
assert abs(relative[1.0] - relative[10.0]) < 1e-4

start = points[:8].clone().requires_grad_()
factors, committed = {}, {}
for detached in (True, False):
    residual, out = start, 0.0
    committed[detached] = []
    for level in (points[8:16], points[16:24] / 4, points[24:32] / 16):
        entry = level[torch.cdist(residual, level).argmin(1)]
        commitment = F.mse_loss(residual, entry)
        (pull,) = torch.autograd.grad(commitment, start, retain_graph=True)
        committed[detached].append(pull.any().item())
        quantised = residual + (entry - residual).detach()
        out = out + quantised
        residual = residual - (quantised.detach() if detached else quantised)
    factors[detached] = torch.autograd.grad(out.sum(), start)[0].unique().tolist()
    print(f"{detached=!s:6} gradient of the encoder: {factors[detached]}")
assert factors == {True: [3], False: [1]}
assert committed == {True: [True] * 3, False: [True, False, False]}

soft = F.gumbel_softmax(-torch.cdist(z, codebook.weight), hard=True)
task = F.mse_loss(soft @ codebook.weight, z)
assert torch.autograd.grad(task, codebook.weight)[0].any()

# %%
# VAE with a frozen encoder: is the KL loss needed?
# -------------------------------------------------
# No. The KL loss depends on ``mu`` and ``logvar`` alone, so with a frozen encoder it is
# a constant: it shifts the logged value and trains nothing. Leave it out, and run the
# encoder under ``no_grad()``. It does not matter then whether the latent is drawn with
# ``sample()`` or ``rsample()``. Train the decoder on what it will get later: drawn
# latents, or the mean. The latents themselves stay as they are, so a diffusion model
# that was trained on them still fits.
#
# The reverse, a frozen decoder and an encoder that trains, needs both losses, and
# ``mu + eps * std`` (``rsample()``) with a graph: ``sample()`` cuts the encoder off
# from the reconstruction, and only KL trains it, without an error.
make_latent, reconstruct = nn.Linear(3, 4), nn.Linear(2, 3)
data = torch.randn(8, 3)


def reached(*, freeze_encoder, draw="rsample"):
    make_latent.requires_grad_(not freeze_encoder)
    mu, logvar = make_latent(data).chunk(2, 1)
    normal = torch.distributions.Normal(mu, (logvar / 2).exp())
    kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).mean()
    rebuilt = reconstruct(getattr(normal, draw)())
    terms = {"reconstruction": F.mse_loss(rebuilt, data), "kl": kl}
    found = {}
    for name, term in terms.items():
        parts = [p for p in (make_latent.weight, reconstruct.weight) if p.requires_grad]
        gradients = [None] * len(parts)
        if term.requires_grad:
            gradients = torch.autograd.grad(
                term, parts, retain_graph=True, allow_unused=True
            )
        kept = zip(parts, gradients, strict=True)
        found[name] = [len(p) == 4 for p, g in kept if g is not None]
    return {n: ["encoder" if e else "decoder" for e in v] for n, v in found.items()}


print("frozen encoder:", reached(freeze_encoder=True))
print("rsample():     ", reached(freeze_encoder=False))
print("sample():      ", reached(freeze_encoder=False, draw="sample"))
assert reached(freeze_encoder=True) == {"reconstruction": ["decoder"], "kl": []}
assert reached(freeze_encoder=False)["reconstruction"] == ["encoder", "decoder"]
assert reached(freeze_encoder=False, draw="sample") == {
    "reconstruction": ["decoder"],
    "kl": ["encoder"],
}

# %%
# One of several classes: ``argmax`` and Gumbel-softmax
# -----------------------------------------------------
# ``argmax`` has no gradient at all. ``gumbel_softmax(..., hard=True)`` draws a class
# from the probabilities and does the same as the one line above: the value is one-hot,
# the gradient is that of the soft probabilities. Without noise you write it yourself.
logits = torch.tensor([[1.0, 2.0, 0.5]], requires_grad=True)
assert not logits.argmax(1).requires_grad
scores = torch.tensor([[1.0, 10.0, 100.0]])
gradients, values = [], []
for hard in (True, False):
    torch.manual_seed(0)
    drawn = F.gumbel_softmax(logits, tau=1.0, hard=hard)
    values.append(drawn)
    gradients.append(torch.autograd.grad((drawn * scores).sum(), logits)[0])
print(values[0].tolist(), gradients[0].any().item())
assert sorted(values[0].tolist()[0]) == [0, 0, 1]
assert values[1].max() < 1
assert gradients[0].any()
torch.testing.assert_close(*gradients)

soft = logits.softmax(1)
one_hot = F.one_hot(soft.argmax(1), 3)
straight = one_hot + (soft - soft.detach())
assert torch.equal(straight, one_hot.float())
(gradient,) = torch.autograd.grad((straight * scores).sum(), logits)
(expected,) = torch.autograd.grad((logits.softmax(1) * scores).sum(), logits)
torch.testing.assert_close(gradient, expected)

# %%
# Gumbel-softmax: which ``tau``, ``hard=True`` or ``False``, and what in ``eval()``?
# ----------------------------------------------------------------------------------
# - *tau*: begin at 1. The paper lowers it slowly to 0.5. A smaller one gives gradients
#   that are zero for most draws and huge for a few (below, *Where it ends*).
# - *hard*: True if the layer behind needs a decision (an index, a mask, an expert that
#   runs or not). Then forward and gradient don't fit exactly. False mixes the classes,
#   the gradient is exact, and in the evaluation the mixture is gone: check that the
#   accuracy does not drop.
# - *eval()*: the function knows no mode. It draws in the evaluation, too, and each run
#   gives another result. Take ``argmax`` of the logits there.
# - *A class is never drawn*, or always the same: add a loss for the balance or the
#   entropy, and initialize the logits near 0. Pass logits, not probabilities.
trained = torch.tensor([[0.5, 0.4, 0.1]]).log()


def choose(logits, *, training):
    if training:
        return F.gumbel_softmax(logits, tau=1.0, hard=True)
    return F.one_hot(logits.argmax(1), logits.shape[1]).float()


drawn = {
    training: {choose(trained, training=training).argmax().item() for _ in range(100)}
    for training in (True, False)
}
print(drawn[True] >= {0, 1}, drawn[False])
assert drawn[True] >= {0, 1}
assert drawn[False] == {0}

# %%
# MoE with top-1: the gradient of the gate is always zero
# -------------------------------------------------------
# A softmax over one value is 1, whatever the value. So a mixture of experts (MoE) that
# takes the softmax *after* ``topk(1)`` gives its gate (router) a gradient of zero,
# without an error, and ``w_gate`` does not train. With ``topk(2)`` it does. Dividing
# the chosen probability by the sum of the chosen ones is the same mistake. Take the
# softmax over all experts, and multiply by the chosen probability as it is, as in
# `Switch Transformers <https://arxiv.org/abs/2101.03961>`__. A loss for the balance of
# the experts trains the gate, too, but not for the task. The indices of ``topk()`` have
# no gradient in any case.
w_gate = torch.randn(4, 3, requires_grad=True)
tokens, experts = torch.randn(8, 4), torch.randn(8, 3)


def after(k):
    chosen, indices = (tokens @ w_gate).topk(k)
    return chosen.softmax(1), indices


def before(k, *, divides=False):
    chosen, indices = (tokens @ w_gate).softmax(1).topk(k)
    return chosen / chosen.sum(1, keepdim=True) if divides else chosen, indices


sizes = {}
for name, (weights, indices) in {
    "topk(1), softmax": after(1),
    "topk(2), softmax": after(2),
    "softmax, topk(1)": before(1),
    "softmax, topk(1), divided": before(1, divides=True),
}.items():
    mixed = (weights * experts.gather(1, indices)).sum()
    (gradient,) = torch.autograd.grad(mixed, w_gate)
    sizes[name] = gradient.abs().max().item()
    print(f"{name:26}{sizes[name]:.3f}")
    assert not indices.is_floating_point()
assert sizes["topk(1), softmax"] == 0
assert sizes["softmax, topk(1), divided"] < 1e-5
assert min(sizes["topk(2), softmax"], sizes["softmax, topk(1)"]) > 1e-3

# %%
# A classifier with one output and ``cross_entropy`` is the same: the loss is 0, and so
# is the gradient. Use ``binary_cross_entropy_with_logits``.
output, target = torch.randn(8, 1, requires_grad=True), torch.ones(8, 1)
loss = F.cross_entropy(output, torch.zeros(8, dtype=torch.long))
assert loss == 0
assert not torch.autograd.grad(loss, output)[0].any()
loss = F.binary_cross_entropy_with_logits(output, target)
assert torch.autograd.grad(loss, output)[0].any()

# %%
# How do I freeze the codebook? ``requires_grad_(False)`` does not stop EMA
# -------------------------------------------------------------------------
# A codebook that is a moving average (EMA) is a buffer. ``forward()`` writes to it in
# training mode, without a gradient and without an optimizer, so it is not frozen by
# ``requires_grad_(False)``. Put the quantizer into ``eval()`` after each
# ``model.train()``. If its code is straight through only in training mode, ``eval()``
# also cuts off the encoder, ``element 0 of tensors does not require grad``: then turn
# off the update itself (``freeze_codebook=True`` in the forward of
# vector-quantize-pytorch; read, not run). A codebook that is a parameter is frozen by
# ``requires_grad_(False)``, as long as no other part of the code writes to it.


class Quantizer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("codebook", torch.randn(4, 2))

    def forward(self, z):
        nearest = torch.cdist(z, self.codebook).argmin(1)
        entry = self.codebook[nearest]
        if self.training:
            with torch.no_grad():  # in short: one step of an average
                self.codebook[nearest] = entry.lerp(z, 0.1)
        return entry + (z - z.detach())


for training in (True, False):
    quantizer = Quantizer().requires_grad_(False).train(training)
    start, z = quantizer.codebook.clone(), torch.randn(8, 2, requires_grad=True)
    quantizer(z).square().sum().backward()
    moved = not torch.equal(quantizer.codebook, start)
    print(f"{training=}: {moved=}, gradient of z: {z.grad is not None}")
    assert moved == training
    assert z.grad.any()

# %%
# LSQ, BinaryNet, DANN: scale, clip or reverse a gradient, and keep the value
# ---------------------------------------------------------------------------
# With ``x.detach() + factor * (x - x.detach())`` the value stays, and the gradient is
# multiplied: by a small factor in LSQ (``grad_scale``), by -1 in a gradient reversal
# layer (DANN), and with 0 it is ``detach()``. BinaryNet lets the gradient of ``sign()``
# pass where ``x`` is between -1 and 1. A ``torch.autograd.Function`` that does it is
# equivalent. The optimizer keeps the real-valued weights; clamp these to -1 and 1 after
# the step, because those beyond get no gradient.


def scaled(x, factor):
    return x.detach() + factor * (x - x.detach())


def sign(x):
    clipped = x.clamp(-1, 1)
    return x.sign().detach() + (clipped - clipped.detach())


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


x = torch.tensor([-2.0, -0.4, 0.3, 1.5], requires_grad=True)
for name, y in {
    "factor 0.1": scaled(x, 0.1),
    "factor -1": scaled(x, -1),
    "sign(x)": sign(x),
    "Sign.apply(x)": Sign.apply(x),
}.items():
    (gradient,) = torch.autograd.grad(y.sum(), x)
    rounded = [round(value, 1) for value in gradient.tolist()]
    print(f"{name:14}", y.tolist() == x.tolist(), rounded)
many = torch.randn(1000, requires_grad=True)
assert torch.equal(scaled(many, 0.1), many)
assert torch.equal(sign(many), Sign.apply(many))
ways = [torch.autograd.grad(way(many).sum(), many)[0] for way in (sign, Sign.apply)]
assert torch.equal(*ways)
assert torch.equal(ways[0], (many.abs() <= 1).float())
(reversed_one,) = torch.autograd.grad(scaled(many, -1).sum(), many)
assert (reversed_one == -1).all()

# %%
# Where it ends
# -------------
# - The gradient is not that of the rounded function. For the loss ``(y - 0.4) ** 2``
#   the best ``y`` is 0, but there each step raises ``x``, until ``y`` jumps to 1 and
#   back.
# - A limit that is applied inside the bracket does not stop the gradient of values
#   beyond it. Clamp before.
# - An entry of the codebook that is never the nearest gets a gradient of zero (above).
# - A small ``tau`` brings the soft probabilities near to the value, but the gradient is
#   then zero for most draws and large for a few.
x, seen = torch.tensor(0.3, requires_grad=True), []
for _ in range(20):
    y = x + (x.round() - x).detach()
    x.grad = None
    (y - 0.4).square().backward()
    with torch.no_grad():
        x -= 0.1 * x.grad
    seen.append(y.item())
assert seen[0] == 0
assert seen[10:].count(0) > 2
assert seen[10:].count(1) > 2

x = torch.tensor(5.0, requires_grad=True)
inside = x + (x.clamp(0, 1).round() - x).detach()
limited = x.clamp(0, 1)
before = limited + (limited.round() - limited).detach()
assert inside == before == 1
assert [torch.autograd.grad(y, x)[0].item() for y in (inside, before)] == [1, 0]

torch.manual_seed(0)
many = torch.zeros(1000, 3, requires_grad=True)
parts = []
for tau in (1.0, 0.05):
    soft = F.gumbel_softmax(many, tau=tau)
    (gradient,) = torch.autograd.grad((soft * scores).sum(), many)
    sizes = gradient.abs().sum(1)
    parts.append([(sizes < 0.1).float().mean().item(), sizes.max().item()])
assert parts[0][0] < 0.1
assert parts[1][0] > 0.5
assert parts[1][1] > 3 * parts[0][1]

# %%
# Sources: `Estimating or Propagating Gradients Through Stochastic Neurons
# <https://arxiv.org/abs/1308.3432>`_, `Neural Discrete Representation Learning
# <https://arxiv.org/abs/1711.00937>`_, `Categorical Reparameterization with
# Gumbel-Softmax <https://arxiv.org/abs/1611.01144>`_,
# :torch:`torch.nn.functional.gumbel_softmax`.
#
# Related: :doc:`/gallery/graph/what_drops_the_graph`,
# :doc:`target_network_and_advantage`, :doc:`/gallery/modes/hooks_and_custom_functions`.
