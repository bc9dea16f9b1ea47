"""
Without stop-gradient a siamese network collapses, and its loss looks better
============================================================================

SimSiam asks two views of an image to agree. The easiest answer is the same output for
every image. One ``detach()`` keeps it out of reach.
"""

# %%
# What does ``detach()`` do in SimSiam?
# -------------------------------------
# Each view is encoded to ``z``, and a predictor makes ``p`` of it. ``p`` of one view
# should point where ``z`` of the other does. With ``detach()`` only ``p`` may move.
# Without it ``z`` moves as well, and the two agree most easily where all images give
# the same output.
import torch
from torch import nn
from torch.nn import functional as F


def distance(p, z):
    return -F.cosine_similarity(p, z, dim=1).mean()


def siamese_loss(encoder, predictor, views, *, stop):
    z1, z2 = map(encoder, views)
    p1, p2 = predictor(z1), predictor(z2)
    t1, t2 = (z1.detach(), z2.detach()) if stop else (z1, z2)
    return (distance(p1, t2) + distance(p2, t1)) / 2


def networks(size=8):
    torch.manual_seed(0)
    encoder = nn.Sequential(
        nn.Linear(size, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, size)
    )
    return encoder, nn.Sequential(nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, size))


def train(*, stop):
    encoder, predictor = networks()
    parameters = [*encoder.parameters(), *predictor.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
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


results = {"detach()": train(stop=True), "without": train(stop=False)}
for name, (losses, spreads) in results.items():
    print(f"{name:9} loss {losses[-1]:.2f}, spread {spreads[-1]:.2f}")
losses = {name: found[0][-1] for name, found in results.items()}
spreads = {name: found[1][-1] for name, found in results.items()}
assert spreads["detach()"] > 0.5
assert spreads["without"] < 0.1

# %%
# Can I see the collapse in the loss?
# -----------------------------------
# No: the loss is lowest there. Without ``detach()`` it ends lower, and every image has
# the same output. Watch the spread of the outputs instead. It is near 1 if they point
# everywhere, and 0 if all point one way.
assert losses["without"] < losses["detach()"]

# %% tags=["hide-input"]
# Left: the loss. Right: the spread of the outputs. Without ``detach()`` (dashed) the
# loss is perfect, and no two images can be told apart.
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
# Detach the target, not the prediction, and in both halves of the loss. The method and
# the collapse are described in `Exploring Simple Siamese Representation Learning
# <https://arxiv.org/abs/2011.10566>`__.
#
# Related: :doc:`ema_teacher`, :doc:`target_network_and_advantage`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
