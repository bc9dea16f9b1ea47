"""
Compute frozen features once: right in eval(), wrong with dropout
=================================================================

A frozen backbone that comes first gives the same features for an image in every epoch.
Store them, and each epoch costs only the head. That holds if nothing in the backbone
changes or is random.
"""

# %%
# Does a cache give the same result as a forward each time?
# ---------------------------------------------------------
# Frozen and in ``eval()``, the backbone gives the same output for the same input. A
# head that learns from the stored features ends with the same weights, bit for bit.
import copy

import torch

torch.manual_seed(0)
backbone = torch.nn.Sequential(
    torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.5)
)
backbone.requires_grad_(False)
head = torch.nn.Linear(16, 2)
images, labels = torch.randn(32, 8), torch.arange(32) % 2


# Train a copy of the head; features is called in each step.
def trained(features):
    own = copy.deepcopy(head)
    optimizer = torch.optim.AdamW(own.parameters(), lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(own(features()), labels).backward()
        optimizer.step()
    return own.weight


backbone.eval()
with torch.no_grad():
    cache = backbone(images)
assert torch.equal(trained(lambda: cache), trained(lambda: backbone(images)))

# %%
# When is it wrong?
# -----------------
# In training mode, dropout draws anew each time, but the cache keeps one draw forever.
# Batch norm normalises with the current batch, and its running statistics move.
backbone.train()
with torch.no_grad():
    once, again = backbone(images), backbone(images)
differ = (once != again).float().mean().item()
print(f"{differ:.0%} of the features differ")
assert differ > 0.3
assert not torch.equal(once, again)

# %%
# Random augmentation comes before the backbone, so it is lost, too: the cache has one
# version of each image. Store several, or augment the features.

# %%
# Don't store the graph with it
# -----------------------------
# If something before the features trains, or one layer was not frozen, each stored
# feature holds its graph and is out of date after a step. ``no_grad()`` makes sure that
# there is no graph.
stem = torch.nn.Linear(8, 8)
backbone.eval()
assert backbone(stem(images)).grad_fn is not None
with torch.no_grad():
    assert backbone(stem(images)).grad_fn is None
assert cache.grad_fn is None

# %% tags=["hide-input"]
# The value of one feature in ten epochs. In ``eval()`` (solid) it is always the same.
# In training mode (dashed) it is drawn again each time.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for mode, style in ((False, "C0o-"), (True, "C2x--")):
    torch.manual_seed(0)
    clone = copy.deepcopy(backbone).train(mode)
    ax.plot([clone(images)[0, 0].item() for _ in range(10)], style, mew=2)
ax.set(xlabel="epoch", ylabel="feature")
plt.show()

# %%
# Freeze, ``eval()``, ``no_grad()``, store; and keep the cache only as long as the
# backbone stays. Features as inputs of a new classifier: the `Transfer Learning
# tutorial
# <https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html>`__ calls
# it the network as fixed feature extractor.
#
# Related: :doc:`/gallery/freezing/freeze_a_backbone`,
# :doc:`/gallery/still-moves/dropout_is_not_a_gradient`,
# :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`.
