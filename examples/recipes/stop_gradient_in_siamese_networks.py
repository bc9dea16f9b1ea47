"""
SimSiam collapses without detach() and a predictor, and its loss looks better
=============================================================================

Two views of an image should agree, and the easiest answer is the same output for every
image. Detach the target in both halves of the loss, and keep the predictor: here, one
without the other collapses.
"""

# %%
# The same loss value, another gradient for the encoder
# -----------------------------------------------------
import torch
from torch import nn
from torch.nn.functional import cosine_similarity as agree

torch.manual_seed(0)
encoder, predictor = nn.Linear(8, 4), nn.Linear(4, 4)
z1, z2 = (encoder(view) for view in torch.randn(2, 16, 8))
p1, p2 = predictor(z1), predictor(z2)
wrong = -(agree(p1, z2) + agree(p2, z1)).mean() / 2
right = -(agree(p1, z2.detach()) + agree(p2, z1.detach())).mean() / 2
(whole,) = torch.autograd.grad(wrong, encoder.weight, retain_graph=True)
(cut,) = torch.autograd.grad(right, encoder.weight)
print(f"without:  loss {wrong:.4f}, gradient {whole.norm():.4f}")
print(f"detach(): loss {right:.4f}, gradient {cut.norm():.4f}")
assert torch.equal(wrong, right)
assert not torch.allclose(whole, cut)

# %%
# The whole training loop
# -----------------------
# Each view is encoded to ``z``, and a predictor computes ``p`` from it. In each half of
# the loss, ``p`` of one view should point where ``z`` of the other does. The spread of
# the outputs is near 1 if they point in all directions, and 0 if all point the same
# way.
from torch.nn import functional as F


def distance(p, z):
    return -F.cosine_similarity(p, z, dim=1).mean()


def siamese_loss(encoder, predictor, views, *, stop=True):
    z1, z2 = map(encoder, views)
    p1, p2 = predictor(z1), predictor(z2)
    t1, t2 = (z1.detach(), z2.detach()) if stop else (z1, z2)
    return (distance(p1, t2) + distance(p2, t1)) / 2


def make_encoder():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8)
    )


def make_predictor():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))


def train(encoder, predictor, *, stop=True, lr=0.1):
    parameters = [*encoder.parameters(), *predictor.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=lr, momentum=0.9)
    images = 2 * torch.randn(8, 8).repeat(8, 1)
    losses, spreads = [], []
    for _ in range(150):
        views = [images + 0.5 * torch.randn_like(images) for _ in range(2)]
        loss = siamese_loss(encoder, predictor, views, stop=stop)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            spread = F.normalize(encoder(images)).std(dim=0).mean() * 8**0.5
        losses.append(loss.item())
        spreads.append(spread.item())
    return losses, spreads


results = {
    "detach()": train(make_encoder(), make_predictor()),
    "without": train(make_encoder(), make_predictor(), stop=False),
}
for name, (losses, spreads) in results.items():
    print(f"{name:9} loss {losses[-1]:.2f}, spread {spreads[-1]:.2f}")
losses = {name: curves[0][-1] for name, curves in results.items()}
spreads = {name: curves[1][-1] for name, curves in results.items()}
assert spreads["detach()"] > 0.5
assert spreads["without"] < 0.1

# %%
# Are the weights of both branches the same? SimSiam shares one encoder
# ---------------------------------------------------------------------
# Always, with ``detach()`` or without it: there is one encoder, and it is called twice.
# Nothing is copied from one branch to the other. ``detach()`` makes a constant of *this
# output*. The weights get their gradient from the branch with the predictor alone, as
# if the target came from a frozen copy, and after ``step()`` the second call uses the
# new weights, too. In the other half of the loss, the views change places. The weights
# would also be the same without ``detach()``: it is there against the collapse.
two_views = torch.randn(2, 64, 8)
one, head = make_encoder(), make_predictor()
frozen_copy = make_encoder().requires_grad_(False)  # the same seed, the same weights
found = []
for target in (one(two_views[1]).detach(), frozen_copy(two_views[1])):
    half = distance(head(one(two_views[0])), target)
    found.append(torch.autograd.grad(half, list(one.parameters())))
for own, with_copy in zip(*found, strict=True):
    torch.testing.assert_close(own, with_copy)
before = one(two_views[1]).detach()
optimizer = torch.optim.SGD([*one.parameters(), *head.parameters()], lr=0.1)
distance(head(one(two_views[0])), before).backward()
optimizer.step()
after = one(two_views[1])
print("new weights in the detached branch, too:", not after.allclose(before))
assert not after.allclose(before)

# %%
# Can I see the collapse in the loss?
# -----------------------------------
# No: here it is even lower. Without ``detach()`` the loss comes close to its minimum of
# -1, and every image has nearly the same output. Watch the spread of the outputs.
assert losses["without"] < losses["detach()"]
assert losses["without"] < -0.99

# %% tags=["hide-input"]
# Left: the loss. Right: the spread of the outputs. Without ``detach()`` (dashed) the
# loss is nearly perfect, and the images can hardly be told apart.
import matplotlib.pyplot as plt

_, (left, right) = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
for (name, curves), style in zip(results.items(), ("C0-", "C2--"), strict=True):
    left.plot(curves[0], style, lw=2, label=name)
    right.plot(curves[1], style, lw=2, label=name)
left.set(xlabel="step", ylabel="loss")
right.set(xlabel="step", ylabel="spread", ylim=(0, 1))
left.legend()
plt.show()

# %%
# Is ``detach()`` enough?
# -----------------------
# No. Without a predictor ``p`` is ``z``, and both sides of the loss are alike. Then
# ``detach()`` halves the gradient and keeps its direction: at twice the learning rate,
# SGD takes the same steps with it as without. The encoder collapses. (With a predictor
# the encoder is trained as well, through ``p``.)
views = torch.randn(2, 64, 8)


def gradient(predictor, *, stop):
    encoder = make_encoder()
    siamese_loss(encoder, predictor, views, stop=stop).backward()
    return encoder[0].weight.grad


none = nn.Identity()
torch.testing.assert_close(2 * gradient(none, stop=True), gradient(none, stop=False))
assert gradient(make_predictor(), stop=True).any()
results = [
    train(make_encoder(), none, lr=0.2),
    train(make_encoder(), none, stop=False),
]
for losses, spreads in results:
    print(f"loss {losses[-1]:.2f}, spread {spreads[-1]:.2f}")
    assert spreads[-1] < 0.2
torch.testing.assert_close(*(losses for losses, _ in results), atol=1e-3, rtol=0)

# %%
# The loss is always 0, and still it trains: two terms that cancel, and early stopping
# ------------------------------------------------------------------------------------
# Watch one of the terms, or better a metric on labelled validation data: early
# stopping, a scheduler or "the best checkpoint" that reads this loss sees a constant
# (or, from rounding, noise) and decides by its ``patience`` alone.
#
# In ``loss = prior_loss - series_loss`` both terms are the same symmetric distance, and
# each one detaches the other side, as in `DCdetector
# <https://github.com/DAMO-DI-ML/KDD2023-DCdetector>`__ (its solver was read, not run).
# ``detach()`` changes no value, so the difference is 0 in each step (with the KL
# divergence in one direction it is not). The gradients belong to different branches,
# and do not cancel: one branch moves towards the other, and this one moves away.
#
# - A loss of 0 with a gradient of 0 is another thing: ``0 * loss``, or the same terms
#   without ``detach()``. Look at the norm of the gradient, not at the value.
# - The same holds for the ratio of PPO and GRPO: :doc:`target_network_and_advantage`.
prior, series = nn.Linear(3, 4), nn.Linear(3, 4)
window, norms = torch.randn(16, 3), {}


def divergence(p, q):
    forward = F.kl_div(q.log_softmax(1), p.softmax(1), reduction="batchmean")
    backward = F.kl_div(p.log_softmax(1), q.softmax(1), reduction="batchmean")
    return forward + backward


for way, cut in {"each detaches": torch.Tensor.detach, "none": torch.clone}.items():
    p, s = prior(window), series(window)
    prior_loss, series_loss = divergence(p, cut(s)), divergence(s, cut(p))
    loss = prior_loss - series_loss
    found = torch.autograd.grad(loss, [prior.weight, series.weight])
    norms[way] = [round(gradient.norm().item(), 3) for gradient in found]
    print(f"{way:14} loss is 0: {abs(loss.item()) < 1e-6}, gradients {norms[way]}")
    assert abs(loss) < 1e-6
    assert prior_loss > 1e-3
logs = p.log_softmax(1), s.log_softmax(1)
one_way = [
    F.kl_div(*both, log_target=True, reduction="sum") for both in (logs, logs[::-1])
]
assert abs(one_way[0] - one_way[1]) > 1e-4
assert min(norms["each detaches"]) > 0
assert norms["none"] == [0, 0]

# %%
# MoCo, BYOL, DINO, SimCLR: what is detached there?
# -------------------------------------------------
# - *SimSiam*: the target, from the same encoder. It needs the predictor.
# - *BYOL*: the target comes from an average of the encoder (:doc:`ema_teacher`), under
#   ``no_grad()``. It needs the predictor as well.
# - *MoCo*: the keys come from such an average, and earlier keys wait in a queue. Both
#   are constants, and the negatives prevent the collapse.
# - *DINO*: the targets come from such an average, centered and sharpened, without a
#   predictor.
# - *SimCLR*: nothing. Both views train the encoder, and the negatives are in the batch.
# - *A classifier beside them* that only measures the features gets
#   ``features.detach()``. The encoder still learns, from the other loss.
#
# MoCo's ``self.queue.clone().detach()``: why ``clone()``?
# --------------------------------------------------------
# The queue is a buffer that is overwritten in place after the logits, and their
# backward pass needs the old values. Without ``clone()``, it raises that a variable
# ``has been modified by an inplace operation``. ``detach()`` alone shares the memory,
# and changes nothing here: a buffer has no gradient.


def moco_step(read):
    torch.manual_seed(0)
    encoder, queue = make_encoder(), F.normalize(torch.randn(8, 64), dim=0)
    features = encoder(views[0])
    with torch.no_grad():
        keys = F.normalize(make_encoder()(views[1]))  # the momentum encoder
    query = F.normalize(features)
    positive = (query * keys).sum(1, keepdim=True)
    logits = torch.cat([positive, query @ read(queue)], 1) / 0.2
    queue[:, :] = keys.T  # dequeue and enqueue
    probe = nn.Linear(8, 2)
    of_probe = F.cross_entropy(probe(features.detach()), torch.arange(64) % 2)
    of_moco = F.cross_entropy(logits, torch.zeros(64, dtype=torch.long))
    (of_moco + of_probe).backward()
    return encoder[0].weight.grad is not None, probe.weight.grad is not None


print("clone():", moco_step(torch.clone))
assert moco_step(torch.clone) == (True, True)
try:
    moco_step(torch.detach)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the queue was not saved")
assert "has been modified by an inplace operation" in message

# %%
# MoCo, ESimCSE: should the queue hold embeddings or samples? Memory and time
# ---------------------------------------------------------------------------
# Embeddings: the outputs of the momentum encoder, under ``no_grad()``. They are
# constants. They cost no activations and get no gradient, and each step encodes only
# its own batch. Old keys come from older weights, and because the momentum encoder
# changes slowly, they still fit.
#
# A queue of *samples* has to be encoded anew in each step. With gradients that is a
# larger batch, and the activations of the whole queue are in memory. Under
# ``no_grad()`` nothing is kept for the backward pass, but each step takes the time of a
# forward of the whole queue. All keys then come from the current weights, so no
# momentum encoder is needed to keep them consistent.
#
# The momentum encoder is not in the optimizer: only the average updates it.
import copy

from gradguide import saved

query_encoder, stored = make_encoder(), torch.randn(512, 8)
momentum_encoder = copy.deepcopy(query_encoder).requires_grad_(False)
with torch.no_grad():
    stored_keys = momentum_encoder(stored)


def encode_again(*, recorded):
    with torch.set_grad_enabled(recorded):
        return query_encoder(stored)


negatives = {
    "embeddings": lambda: stored_keys,
    "samples": lambda: encode_again(recorded=True),
    "samples, no_grad()": lambda: encode_again(recorded=False),
}
kept, encoded = {}, {}
for name, keys_of in negatives.items():
    calls = []
    handle = query_encoder.register_forward_hook(
        lambda _, inputs, output, calls=calls: calls.append(len(inputs[0]))
    )
    logits = query_encoder(views[0, :16]) @ keys_of().T
    handle.remove()
    kept[name], encoded[name] = saved(logits.logsumexp(1).mean()).bytes, sum(calls)
    print(f"{name:19}{kept[name] // 1024:4} KiB, {encoded[name]} samples encoded")
assert kept["samples"] > 2 * kept["embeddings"]
assert kept["samples, no_grad()"] == kept["embeddings"]
assert list(encoded.values()) == [16, 16 + 512, 16 + 512]

# %%
# The contrastive loss stays at log(N): SimCLR, MoCo, CLIP, InfoNCE
# -----------------------------------------------------------------
# The loss is the cross entropy over N candidates. ``log(N)`` means that it can't tell
# them apart: 4.85 for a batch of 128 pairs (CLIP), 5.55 for 256, 6.24 for SimCLR with
# 256 images (511 candidates), 11.09 for MoCo with a queue of 65536. At the beginning a
# value near it is normal. If it stays *exactly* there, all outputs are equal: the
# encoder has collapsed. Then the gradient is zero, too, and it does not come back.
# Begin again with a smaller learning rate and a warm-up. Before that, see whether the
# outputs differ and whether ``.grad`` of the encoder is not None: a ``detach()`` or
# ``no_grad()`` on *both* branches, or a frozen encoder, gives a flat curve at any
# value. A loss
# above log(N) is worse than guessing: are the labels ``arange(N)``, and do the two
# views have the same order?


def info_nce(first, second, temperature=0.1):
    logits = F.normalize(first) @ F.normalize(second).T / temperature
    return F.cross_entropy(logits, torch.arange(len(first)))


good = torch.randn(128, 32)
collapsed = torch.ones(128, 32)
shuffled = good[torch.randperm(128)]
cases = {"equal outputs": collapsed, "right": good, "another order": shuffled}
values = {}
for name, second in cases.items():
    first = (collapsed if name == "equal outputs" else good).clone().requires_grad_()
    loss = info_nce(first, second)
    (slope,) = torch.autograd.grad(loss, first)
    values[name] = loss.item()
    print(f"{name:14} loss {loss:5.2f}, gradient {slope.norm() > 1e-4}")
    assert (slope.norm() > 1e-4) == (name != "equal outputs")
assert abs(values["equal outputs"] - 4.852) < 1e-3
assert values["right"] < 1
assert values["another order"] > 4.852

# %%
# DINO: ``freeze_last_layer``, ``cancel_gradients_last_layer``: why ``p.grad = None``?
# ------------------------------------------------------------------------------------
# For the first epoch, DINO keeps the last layer of the head as it is: after
# ``backward()`` it sets ``p.grad = None`` there, and each optimizer that skips None
# leaves it alone, without weight decay (`source
# <https://github.com/facebookresearch/dino/blob/main/main_dino.py>`__, read, not run).
# ``requires_grad`` stays True, so DDP still gets a gradient for each parameter. A
# gradient of zero, or ``requires_grad = False`` after ``backward()``, would not do it:
# AdamW goes on with weight decay or with the gradient that is there. If the loss does
# not fall, its help text advises to raise ``--freeze_last_layer``. LARS or an optimizer
# of your own must check for None.
head = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 16))
ways = {
    "grad = None": lambda p: setattr(p, "grad", None),
    "grad.zero_()": lambda p: p.grad.zero_(),
    "requires_grad = False": lambda p: p.requires_grad_(False),
}
last_moves = {}
for name, cancel in ways.items():
    last = head[2].requires_grad_(True)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01, weight_decay=0.1)
    before = last.weight.detach().clone()
    head(views[0]).square().mean().backward()
    cancel(last.weight)
    optimizer.step()
    optimizer.zero_grad()
    last_moves[name] = not last.weight.equal(before)
    print(f"{name:22} the last layer moves: {last_moves[name]}")
assert list(last_moves.values()) == [False, True, True]

# %%
# MUNIT, cycle loss: why ``criterion_recon(c_code_12, c_code_1.detach())``?
# -------------------------------------------------------------------------
# The code of an image is decoded to another image, this is encoded again, and the
# second code should be the first one. With ``detach()`` the first code is a target: the
# gradient comes only through the decoder and the second encoding. Without it, the first
# code is pulled towards the second as well, so the loss also falls when the target
# moves, for instance when all codes become smaller. The first code is still trained by
# the other losses, such as the reconstruction of the image: ``detach()`` does not
# change ``code`` itself. (`The official code of MUNIT
# <https://github.com/NVlabs/MUNIT/blob/master/trainer.py>`__ does not detach here, so
# it is a choice and not a must.)
encode, decode = nn.Linear(8, 4), nn.Linear(4, 8)
image = torch.randn(16, 8)


def first_and_second(*, detach):
    code = encode(image)
    again = encode(decode(code))
    target = code.detach() if detach else code
    loss = F.l1_loss(again, target)
    return loss, torch.autograd.grad(loss, [again, code])


def through_second(again_gradient):
    code = encode(image)
    return torch.autograd.grad(encode(decode(code)), code, again_gradient)[0]


(value, (of_again, of_code)), (other_value, (_, of_both)) = (
    first_and_second(detach=detach) for detach in (True, False)
)
print(f"{value:.4f} {other_value:.4f}")
assert value == other_value
torch.testing.assert_close(of_code, through_second(of_again))
torch.testing.assert_close(of_both, of_code - of_again)

# %%
# Where it ends
# -------------
# Why the two together prevent the collapse is a hypothesis in the paper. The loss does
# not forbid it: an encoder with constant output and a predictor that returns its input
# reach the minimum, with ``detach()`` as well, and get no gradient there. So watch the
# spread in every run.
constant = make_encoder()
nn.init.zeros_(constant[-1].weight)
loss = siamese_loss(constant, nn.Identity(), views)
loss.backward()
torch.testing.assert_close(loss.item(), -1.0)
assert constant[-1].weight.grad.abs().max() < 1e-6

# %%
# Detach the target, not the prediction, and in both halves of the loss. The method and
# the collapse are described in `Exploring Simple Siamese Representation Learning
# <https://arxiv.org/abs/2011.10566>`__.
#
# Related: :doc:`ema_teacher`, :doc:`target_network_and_advantage`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
