"""
Fine-tuning with small batches: put the pretrained batch norm into eval()
=========================================================================

In training mode, batch norm normalises with the mean and variance of the batch, not
with those of the pretraining. With two samples, little but a sign is left.
"""

# %%
# Two samples, far apart and close together.
import torch
from torch import nn

norm = nn.BatchNorm1d(1)
for pair in ([1.0, 9.0], [4.0, 6.0]):
    batch = torch.tensor(pair)[:, None]
    in_train = norm.train()(batch).flatten().tolist()
    norm.running_mean.fill_(5.0)
    norm.running_var.fill_(4.0)
    in_eval = norm.eval()(batch).flatten().tolist()
    print([round(x, 1) for x in in_train], [round(x, 1) for x in in_eval])
    assert [round(x, 1) for x in in_train] == [-1, 1]
    assert [round(x, 1) for x in in_eval] == [(x - 5) / 2 for x in pair]

# %%
# Which of the remedies?
# ----------------------
# - ``eval()`` keeps the pretrained statistics. The layer is then a factor and a summand
#   per channel, and the size of the batch does not matter. ``model.train()`` undoes it:
#   :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`.
# - ``requires_grad_(False)`` freezes ``weight`` and ``bias``, too. With ``eval()``
#   alone they still train.
# - ``nn.SyncBatchNorm`` takes the statistics over all processes: with eight processes
#   and two samples in each, those of 16 samples.
# - ``nn.GroupNorm`` does not look at other samples. It has no statistics to load, so it
#   takes the place of batch norm before the pretraining, not after.
#
# Gradient accumulation is no remedy: each forward still sees a small batch.
torch.manual_seed(0)
features = 2 * torch.randn(1000, 4) + 5
norm = nn.BatchNorm1d(4, momentum=None)
wanted = norm(features).detach()


def error(layer, size):
    with torch.no_grad():
        out = torch.cat([layer(part) for part in features.split(size)])
    return round((out - wanted).square().mean().item(), 2)


norm.eval()
errors = {size: error(norm, size) for size in (1, 2, 100)}
print("eval():     ", errors)
assert errors == {1: 0, 2: 0, 100: 0}
group_norm = nn.GroupNorm(2, 4)
group = {size: error(group_norm, size) for size in (1, 2, 100)}
print("GroupNorm:  ", group)
assert group[1] == group[2] == group[100] > 0.5
norm.train()
errors = {size: error(norm, size) for size in (2, 8, 100)}
print("train():    ", errors)
assert errors[2] > 0.3 > errors[8] > errors[100]

# %% tags=["hide-input"]
# The mean square error against the output for the whole data, by size of batch: batch
# norm in training mode (crosses, dashed) and in ``eval()`` (circles).
import matplotlib.pyplot as plt

sizes = [2, 4, 8, 16, 32, 64]
norm = nn.BatchNorm1d(4, momentum=None)
norm(features)
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(sizes, [error(norm.eval(), size) for size in sizes], "C0o-", label="eval()")
ax.plot(sizes, [error(norm.train(), size) for size in sizes], "C2x--", label="train()")
ax.set_xscale("log", base=2)
ax.set(xlabel="batch", ylabel="mse")
ax.legend()
plt.show()

# %%
# Expected more than 1 value per channel when training
# ----------------------------------------------------
# With one sample the variance is that of one value, and batch norm raises. Often it is
# the last batch of an epoch that has one sample: ``drop_last=True`` leaves it out. With
# ``eval()`` it is no problem, unless the layer keeps no running statistics, with
# ``track_running_stats=False``. ``BatchNorm2d`` raises only if height and width are 1.
sample = torch.ones(1, 4)
try:
    nn.BatchNorm1d(4)(sample)
except ValueError as raised:
    print(f"{type(raised).__name__}: {raised}")
else:
    raise AssertionError("one sample has a variance")
nn.BatchNorm1d(4).eval()(sample)
try:
    nn.BatchNorm1d(4, track_running_stats=False).eval()(sample)
except ValueError as raised:
    message = str(raised)
else:
    raise AssertionError("one sample has a variance in eval()")
assert "Expected more than 1 value per channel when training" in message
nn.BatchNorm2d(4)(torch.ones(1, 4, 2, 2))
data = torch.utils.data.TensorDataset(torch.ones(9, 4))
for drop_last, last in ((False, 1), (True, 4)):
    loader = torch.utils.data.DataLoader(data, batch_size=4, drop_last=drop_last)
    assert [len(batch) for (batch,) in loader][-1] == last

# %%
# Why is it good in training and bad in ``eval()``?
# -------------------------------------------------
# In training each batch is normalised by itself, in ``eval()`` by the running average.
# If the new data differ from those of the pretraining and only few batches were seen,
# the average is still between the two: with ``momentum=0.1``, a third of the old mean
# is left after ten batches.
norm = nn.BatchNorm1d(1)
for _ in range(10):
    norm(torch.randn(64, 1) + 10)
print(round(norm.running_mean.item(), 1))
assert abs(norm.running_mean.item() - 10 * (1 - 0.9**10)) < 0.2

# %%
# running_mean and running_var are NaN: good in train(), nan in eval()
# --------------------------------------------------------------------
# One batch with an inf or NaN, such as an overflow in float16 under autocast, makes the
# running statistics NaN, and no good batch repairs them: an average with NaN stays NaN.
# Training does not use them, so the loss looks good. A ``GradScaler`` skips the step of
# the optimizer, not this update, and a frozen layer has it, too, see `issue 88474
# <https://github.com/pytorch/pytorch/issues/88474>`__. Find these layers, reset their
# statistics, and send good batches through in training mode under ``no_grad()``. To
# prevent it, check the input before the forward, or keep pretrained layers in
# ``eval()``: then nothing is written.
norm = nn.BatchNorm1d(2).requires_grad_(False)
bad = torch.randn(8, 2)
bad[0, 0] = float("inf")
norm(bad)
for _ in range(100):
    good = norm(torch.randn(64, 2))
in_eval = norm.eval()(torch.randn(64, 2))
print("train():", good.isfinite().all().item(), "eval():", in_eval[0].tolist())
assert good.isfinite().all()
assert in_eval[:, 0].isnan().all()


def broken(model):
    return [n for n, buffer in model.named_buffers() if not buffer.isfinite().all()]


print(broken(norm))
assert broken(norm) == ["running_mean", "running_var"]
norm.reset_running_stats()
norm.train()
with torch.no_grad():
    for _ in range(100):
        norm(torch.randn(64, 2))
assert broken(norm) == []
assert norm.eval()(good).isfinite().all()

# %%
# Why is batch norm frozen in fine-tuning, and should I freeze it, too?
# ---------------------------------------------------------------------
# ``freeze_bn()`` in code for detection, segmentation or optical flow is there because
# its batches are small, often one or two images on each GPU, and the pretrained
# statistics are better than those of such a batch (`RetinaNet
# <https://github.com/yhenon/pytorch-retinanet/issues/24>`__). It freezes the batch
# norms, not the backbone, and often only their statistics. What to do:
#
# - *From scratch, no pretrained weights*: don't freeze. The statistics are 0 and 1, and
#   the layer normalizes nothing, see below. With small batches: ``nn.GroupNorm``. Leave
#   out ``requires_grad = False`` of the backbone or extractor, too: its random features
#   would stay random.
# - *Pretrained, few images on each GPU*: freeze. `YOLACT
#   <https://github.com/dbolya/yolact/issues/210>`__ does it up to 6.
# - *Pretrained, large batches, and similar data*: both work. Compare.
# - *Pretrained, large batches, other data* (medical images, another sensor): don't
#   freeze the statistics, or estimate them anew, as in the last section.
# - *The backbone is frozen and only a head trains*: ``eval()``, so that the features
#   are always the same. For other data, estimate the statistics once, before that.
# - *You changed the backbone, so its weights don't fit*: as from scratch.
scratch, data = nn.BatchNorm1d(2), 5 * torch.randn(64, 2) + 3
frozen_out = scratch.eval()(data)
print("from scratch, frozen: changes nothing:", frozen_out.allclose(data, atol=1e-3))
assert frozen_out.allclose(data, atol=1e-3)
assert scratch.train()(data).mean(0).abs().max() < 1e-5

# %%
# Two domains through one batch norm: bad in ``eval()`` on the source domain
# --------------------------------------------------------------------------
# ``requires_grad=False`` freezes ``weight`` and ``bias``. ``running_mean`` and
# ``running_var`` are buffers, which each forward in training mode updates, frozen or
# not. If source and target pass through the same layer, the statistics become those of
# a mixture, or of the target, if it comes last. In training each batch was normalized
# by itself, so nobody saw it; ``eval()`` uses the mixture, which fits neither domain.
# The same happens with clean and adversarial, real and generated, labeled and unlabeled
# batches. The cure is one of these:
#
# - ``eval()`` for the batch norms after each ``train()``: the statistics of the
#   pretraining stay, which are right for the source, if it was pretrained on that,
# - a batch norm, or a copy of its statistics, for each domain,
# - statistics estimated anew before the test, on the domain of the test, as in the last
#   section.
averages = {}
for way in ("shared", "eval()", "one for each"):
    of_source = nn.BatchNorm1d(1).requires_grad_(False).train(way != "eval()")
    of_target = nn.BatchNorm1d(1) if way == "one for each" else of_source
    for _ in range(100):
        of_source(torch.randn(64, 1))
        of_target(torch.randn(64, 1) + 10)
    tested = of_source.eval()(torch.randn(1000, 1))
    averages[way] = tested.mean().item()
    print(f"{way:13}{abs(round(averages[way])):2} from 0")
assert averages["shared"] < -4
assert abs(averages["eval()"]) < 0.2
assert abs(averages["one for each"]) < 0.2


# %%
# ``model.module.freeze_bn()`` after ``train()``: why a second time, and why at all?
# ----------------------------------------------------------------------------------
# Why at all: detection trains with one to four images on each GPU, and the statistics
# of so few images are noisy. ``freeze_bn()`` calls ``eval()`` on each batch norm, so
# that it uses the pretrained ones. Why in ``__init__`` *and* in the loop:
# ``model.train()`` sets all modules to training mode again, so it has to be repeated
# after each ``train()``. ``.module`` is there because ``nn.DataParallel`` (and DDP)
# wraps the model and does not pass on its methods; without the wrapper, leave it out.
# ``eval()`` does not stop ``gamma`` and ``beta``: they train, unless you also call
# ``requires_grad_(False)`` on these layers.
class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        self.freeze_bn()

    def freeze_bn(self):
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


retinanet = nn.DataParallel(Detector())
retinanet.train()
print("after train():    ", retinanet.module.bn.training)
assert retinanet.module.bn.training
assert not hasattr(retinanet, "freeze_bn")
retinanet.module.freeze_bn()
print("after freeze_bn():", retinanet.module.bn.training)
assert not retinanet.module.bn.training
assert retinanet.module.bn.weight.requires_grad

# %%
# Where it ends
# -------------
# - If the new data are very different from those of the pretraining, the pretrained
#   statistics are wrong for them. Then estimate them anew. ``momentum=None`` averages
#   over all batches, those of the pretraining included, so call
#   ``reset_running_stats()`` first. Forward passes in training mode under ``no_grad()``
#   suffice. The variance is the mean of those within each batch: shuffle the data.
# - The number of values counts, not of samples: an image of 32 times 32 has 1024 per
#   channel. But neighbouring pixels are alike.
# - ``nn.SyncBatchNorm`` without a process group is an ordinary batch norm. It was not
#   run with several processes here.
# - ``LayerNorm`` does not look at other samples, either.
norm = nn.BatchNorm1d(4, momentum=None)
norm.num_batches_tracked.fill_(10_000)  # pretrained
for reset in (False, True):
    if reset:
        norm.reset_running_stats()
    with torch.no_grad():
        for part in features.split(50):
            norm(part)
    share = norm.running_mean / features.mean(0)
    print(f"{reset=}: {share.mean():.2f}")
    assert (share < 0.01).all() != reset
torch.testing.assert_close(norm.running_mean, features.mean(0))
ordered = nn.BatchNorm1d(1, momentum=None)
for part in torch.arange(100.0)[:, None].split(10):
    ordered(part)
assert ordered.running_var < 0.02 * torch.arange(100.0).var()
assert torch.equal(nn.SyncBatchNorm(4)(features), nn.BatchNorm1d(4)(features))
for layer in (nn.LayerNorm(4), nn.GroupNorm(2, 4)):
    assert torch.allclose(layer(features[:2])[:1], layer(features[:1]))

# %%
# In fine-tuning, the pretrained batch norm needs ``eval()`` and
# ``requires_grad_(False)``. :py:func:`gradguide.freeze` does both. Sources:
# :torch:`torch.nn.SyncBatchNorm`, `Group Normalization
# <https://arxiv.org/abs/1803.08494>`__.
#
# Related: :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`,
# :doc:`accuracy_falls_after_unfreezing`, :doc:`freeze_a_backbone`,
# :doc:`/reference/errors/expected_more_than_1_value_per_channel_when_training`.
