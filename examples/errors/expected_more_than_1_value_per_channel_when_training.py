"""
``Expected more than 1 value per channel when training``
========================================================

Batch norm in training mode got one sample, often in the last batch of an epoch. Put a
pretrained one into ``eval()``. Otherwise leave this batch out with ``drop_last=True``.
"""

# %%
import torch
from torch import nn
from torch.utils.data import DataLoader

norm, sample = nn.BatchNorm1d(3), torch.ones(1, 3)
# Wrong: one value has no variance.
try:
    norm(sample)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("one sample was normalised")
# Right, in fine-tuning: the statistics of the pretraining.
print(norm.eval()(sample).shape)
# Right, in training from scratch: no batch of one sample.
print([len(batch) for batch in DataLoader(torch.ones(9, 3), 4, drop_last=True)])
sizes = [len(batch) for batch in DataLoader(torch.ones(9, 3), 4)]
assert sizes == [4, 4, 1]

# %%
# I called eval(), and it comes again
# -----------------------------------
# ``model.train()`` at the top of the loop puts all layers back into training mode, also
# frozen ones: ``requires_grad_(False)`` does not change the mode. A batch norm with
# ``track_running_stats=False`` has no statistics of its own, and raises in ``eval()``,
# too.
model = nn.Sequential(nn.Linear(3, 3), norm).requires_grad_(False)
model.train()
assert norm.training
try:
    model(sample)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("one sample was normalised")
assert "Expected more than 1 value per channel" in message
untracked = nn.BatchNorm1d(3, track_running_stats=False).eval()
try:
    untracked(sample)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("one sample was normalised")
assert "Expected more than 1 value per channel" in message

# %%
# Why does it work with images?
# -----------------------------
# ``BatchNorm2d`` counts the pixels as well. It raises only where height and width are
# 1, as after a global pooling. ``GroupNorm`` raises for one sample with one value in
# each group, also in ``eval()``.
nn.BatchNorm2d(3)(torch.ones(1, 3, 2, 2))
nn.GroupNorm(3, 3)(torch.ones(2, 3, 1, 1))
for layer in (nn.BatchNorm2d(3), nn.GroupNorm(3, 3), nn.GroupNorm(3, 3).eval()):
    try:
        layer(torch.ones(1, 3, 1, 1))
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError("one value was normalised")
    assert "Expected more than 1 value per channel" in message

# %%
# ``Expected more than 1 spatial element when training``: ``InstanceNorm``
# ------------------------------------------------------------------------
# ``InstanceNorm`` normalises over the pixels of each sample, so one pixel is too few,
# however large the batch is: the images are too small for the number of strides, or the
# layer is behind a global pooling. Take larger images, or leave this layer out.
# ``eval()`` helps only with ``track_running_stats=True``, which is not the default.
instance, pixel = nn.InstanceNorm2d(3), torch.ones(8, 3, 1, 1)
for layer in (instance, instance.eval()):
    try:
        layer(pixel)
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError("one pixel was normalised")
print(message)
assert message.startswith("Expected more than 1 spatial element when training")
tracking = nn.InstanceNorm2d(3, track_running_stats=True).eval()
assert tracking(pixel).shape == pixel.shape

# %%
# Read on: :doc:`/gallery/freezing/batch_norm_with_small_batches`.
