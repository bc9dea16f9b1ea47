"""
Freeze a backbone: requires_grad_(False), eval(), a new head
============================================================

``Module.requires_grad_(False)`` freezes all parameters below it. A new head trains, and
``eval()`` after each ``train()`` keeps the batch norm of the backbone still.
"""

# %%
# The recipe for transfer learning
# --------------------------------
# Load the pretrained weights, freeze everything, then put in the new head: the
# parameters of a new layer always require a gradient. The optimizer gets the head.
import copy
from collections import OrderedDict

import torch
from torch import nn

torch.manual_seed(0)
labels = torch.arange(64) % 2
images = torch.randn(64, 3, 8, 8) + labels.view(-1, 1, 1, 1)
backbone = nn.Sequential(
    nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 16)
)
model = nn.Sequential(OrderedDict(backbone=backbone, head=nn.Linear(16, 10)))
model.requires_grad_(False)
model.head = nn.Linear(16, 2)
trainable = [name for name, p in model.named_parameters() if p.requires_grad]
print(trainable)
assert trainable == ["head.weight", "head.bias"]

# %%
# ``model.train()`` reaches the frozen part, too, so ``backbone.eval()`` comes after it,
# each time. The head learns. In the backbone not one bit has moved.
start = copy.deepcopy(model.state_dict())


def train(forward):
    optimizer, losses = torch.optim.AdamW(model.head.parameters(), lr=0.05), []
    for _ in range(20):
        model.train()
        model.backbone.eval()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(forward(), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def moved():
    return [k for k, value in model.state_dict().items() if not value.equal(start[k])]


losses = train(lambda: model(images))
print(moved())
assert moved() == ["head.weight", "head.bias"]
assert losses[-1] < losses[0] / 2

# %%
# Why can't I call ``backward()``?
# --------------------------------
# Because you froze after the new head was in. It is frozen with the rest, and no
# parameter is left that requires a gradient.
too_late = copy.deepcopy(model).requires_grad_(False)
try:
    too_late(images).sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("backward() ran with everything frozen")

# %%
# What if I forget ``eval()``?
# ----------------------------
# ``requires_grad_()`` sets parameters, not buffers. In training mode one forward moves
# the running statistics, and from then on the same image has other features.
model.load_state_dict(start)
features = model.backbone.eval()(images)
model.train()(images)
print(moved())
assert moved() == [f"backbone.{name}" for name, _ in backbone.named_buffers()]
assert not model.backbone.eval()(images).allclose(features)

# %%
# Do I need ``no_grad()``? Can I compute the features once?
# ---------------------------------------------------------
# Neither the backbone nor anything before it learns, so nothing in it is recorded,
# with ``no_grad()`` or without. And a frozen backbone in ``eval()`` gives the same
# features for the same images: compute them once, and the head learns from them as
# before. :doc:`/gallery/recipes/feature_cache` says when that fails.
assert features.grad_fn is None
model.load_state_dict(start)
cached_losses = train(lambda: model.head(features))
assert cached_losses == losses

# %% tags=["hide-input"]
# The loss while the head learns. Line: every step runs the frozen backbone. Diamonds:
# it ran once, before the first step, and its features were stored. No difference.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(losses, "C0", lw=2, label="model(images)")
ax.plot(cached_losses, "C3D", mfc="none", mew=1.5, label="model.head(features)")
ax.set(xlabel="step", ylabel="loss", xticks=range(0, 21, 5), ylim=0)
ax.legend()
plt.show()

# %%
# Freeze all, then replace the head, give the optimizer the parameters of the head, and
# call ``backbone.eval()`` after each ``train()``.
#
# Related: :doc:`did_my_freeze_work`, :doc:`unfreeze_gradually`,
# :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`. Source:
# ``requires_grad_`` in :torch:`torch.nn.Module`.
