"""
Frozen batch norm still changes: put it into eval(), too
========================================================

``requires_grad_(False)`` freezes the weight and bias of a batch norm, not its running
mean and variance. ``eval()`` stops those, until the next ``train()``.
"""

# %%
# Each of these frozen batch norms gets 20 batches whose mean is 5.
import torch
from torch import nn

torch.manual_seed(0)
batches = torch.randn(20, 64, 1) + 5
wrong = nn.BatchNorm1d(1).requires_grad_(False)
right = nn.BatchNorm1d(1).requires_grad_(False).eval()
for batch in batches:
    wrong(batch)
    right(batch)
print("requires_grad_(False):", wrong.running_mean)
print("requires_grad_(False).eval():", right.running_mean)
assert wrong.running_mean > 4
assert right.running_mean == 0

# %%
# Why does the output of my frozen backbone change?
# -------------------------------------------------
# The running mean and variance are buffers, not parameters. In training mode the
# forward updates them. The update uses no gradient, so neither ``no_grad()`` nor
# ``inference_mode()`` stops it.
import contextlib


def running_means(norm, context=contextlib.nullcontext):
    means = [norm.running_mean.item()]
    for batch in batches:
        with context():
            norm(batch)
        means.append(norm.running_mean.item())
    return means


means = {
    "requires_grad_(False)": running_means(nn.BatchNorm1d(1).requires_grad_(False)),
    "no_grad()": running_means(nn.BatchNorm1d(1), torch.no_grad),
    "inference_mode()": running_means(nn.BatchNorm1d(1), torch.inference_mode),
    "eval()": running_means(nn.BatchNorm1d(1).eval()),
}
for way, way_means in means.items():
    print(f"{way:22}{way_means[0]:5.2f} -> {way_means[-1]:.2f}")
assert means["eval()"] == [0.0] * 21
assert all(values[-1] > 4 for way, values in means.items() if way != "eval()")

# %% tags=["hide-input"]
# The running mean over 20 batches whose mean is 5. Dashed: the three ways that do not
# stop it, one on top of the other. Solid: ``eval()``.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(means["requires_grad_(False)"], "C2--", label="requires_grad_(False), ...")
ax.plot(means["eval()"], "C1", label="eval()")
ax.set(xlabel="forward passes", ylabel="running_mean")
ax.legend()
plt.show()

# %%
# ``freeze_bn()`` has no effect after ``net.train()``
# ---------------------------------------------------
# You called ``eval()`` on the batch norms, often in a function named ``freeze_bn()``,
# and they still move. ``net.train()`` at the top of the loop sets the mode of all
# modules in the network, also of the frozen ones. Freeze them after each ``train()``,
# or override ``train()``.
model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
model[1].eval()
model.train()
print("training:", model[1].training)
assert model[1].training


# %%
# To keep the batch norms of a model in evaluation, override its ``train()``. The common
# base class of the batch norms, ``SyncBatchNorm`` among them, is ``_BatchNorm``. The
# override holds if the model is a part of a larger one, too.
class Model(nn.Sequential):
    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self


model = Model(nn.Linear(1, 1), nn.BatchNorm3d(1), nn.SyncBatchNorm(1))
nn.Sequential(model).train()
assert model.training
assert not model[1].training
assert not model[2].training


# %%
# Forgot ``train()`` after ``net.eval()``: batch norm is frozen after the first epoch
# -----------------------------------------------------------------------------------
# The reverse mistake: the evaluation calls ``eval()``, and nothing calls ``train()``
# again. From the second epoch on, batch norm uses the statistics of the first one and
# no longer updates them, and dropout is off, without an error. The weights train, those
# of the batch norm, too. Call ``train()`` at the start of each epoch. If you want the
# batch norm frozen, say so in the code.
def epochs(*, calls_train):
    net = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1), nn.Dropout(0.5))
    optimizer, means, drops = torch.optim.SGD(net.parameters(), lr=0.1), [], []
    before = net[0].bias.item()
    for _ in range(3):
        if calls_train:
            net.train()
        for batch in batches[:5]:
            optimizer.zero_grad()
            out = net(batch)
            out.square().mean().backward()
            optimizer.step()
        means.append(round(net[0].running_mean.item(), 1))
        drops.append((out == 0).any().item())
        assert net[0].bias.item() != before
        before = net[0].bias.item()
        net.eval()  # the evaluation
    return means, drops


for calls_train in (False, True):
    epoch_means, drops = epochs(calls_train=calls_train)
    print(f"{calls_train=}: {epoch_means} dropout: {drops}")
    assert (len(set(epoch_means)) == 1) != calls_train
    assert drops == [True, calls_train, calls_train]

# %%
# Frozen, and the convolution weights changed after the export to ONNX
# --------------------------------------------------------------------
# In the checkpoint they are equal, in the exported file they are not. Exports for
# inference fold the batch norm into the convolution before it: the new weight depends
# on the running variance, and the new bias on the running mean, too. Such an export is
# ``torch.onnx.export(..., dynamo=False)``, that of YOLO (`an issue about it
# <https://github.com/ultralytics/yolov5/issues/12031>`__), or ``torch.jit.freeze()``.
# If the statistics stay, the folded weight stays.
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(conv, norm):
    return fuse_conv_bn_eval(conv.eval(), norm.eval()).weight.detach().clone()


conv, images = nn.Conv2d(1, 1, 1).requires_grad_(False), torch.randn(8, 1, 4, 4) * 3
weight = conv.weight.clone()
for training in (True, False):
    norm = nn.BatchNorm2d(1).requires_grad_(False)
    before = folded(conv, norm)
    norm.train(training)(conv(images))
    kept = torch.equal(folded(conv, norm), before)
    print(f"train({training}), folded weight unchanged: {kept}")
    assert kept != training
assert conv.weight.equal(weight)

# %%
# ``eval()`` freezes only half
# ----------------------------
# It stops the statistics. ``weight`` and ``bias`` still train, unless you also call
# ``requires_grad_(False)``.
norm = nn.BatchNorm1d(1).eval()
norm(batches[0]).sum().backward()
assert norm.weight.grad is not None
assert norm.bias.grad is not None

# %%
# ``momentum=0`` is no substitute for ``eval()``. The mean and variance stay, but in
# training mode they are not used: the layer goes on normalising with the mean of the
# batch. And ``num_batches_tracked``, a third buffer, goes on counting.
norm = nn.BatchNorm1d(1, momentum=0.0)
in_train, in_eval = norm(batches[0]).mean(), norm.eval()(batches[0]).mean()
assert (norm.running_mean, norm.running_var) == (0, 1)
assert norm.num_batches_tracked == 1
assert abs(in_train) < 1e-5
assert in_eval > 4

# %%
# FrozenBatchNorm2d, norm_eval, track_running_stats=False: what freezes what?
# ---------------------------------------------------------------------------
# Three things can change: ``weight`` and ``bias``, the running statistics, and the
# statistics that the layer normalises with. ``norm_eval=True`` of MMDetection calls
# ``eval()`` in each ``train()``: the weight trains on, unless ``frozen_stages`` freezes
# it. ``FrozenBatchNorm2d`` of torchvision and detectron2 keeps all four tensors as
# buffers and has no second mode, so ``train()`` changes nothing. The table: is the
# weight trained, do the statistics move, does the output depend on the batch, and does
# all this stay the same after the next ``train()``?
from gradguide import freeze


class FrozenBatchNorm(nn.Module):  # as in torchvision, in short
    def __init__(self, size):
        super().__init__()
        for name, value in nn.BatchNorm1d(size).state_dict().items():
            self.register_buffer(name, value)

    def forward(self, x):
        factor = self.weight * (self.running_var + 1e-5).rsqrt()
        return (x - self.running_mean) * factor + self.bias


def build(way):
    norm = FrozenBatchNorm(1) if way == "FrozenBatchNorm2d" else nn.BatchNorm1d(1)
    if way == "gradguide.freeze()":
        freeze(norm)
    if way in {"requires_grad_(False)", "both"}:
        norm.requires_grad_(False)
    if way in {"eval()", "both"}:
        norm.eval()
    if way == "momentum=0":
        norm.momentum = 0.0
    if way == "track_running_stats":
        norm.track_running_stats = False
    return norm


def changes(norm):
    mean, x = norm.running_mean.clone(), batches[0].clone().requires_grad_(True)
    out = norm(x)
    out.sum().backward()
    trained = any(p.grad is not None for p in norm.parameters())
    return trained, not norm.running_mean.equal(mean), out.mean().abs().item() < 1


WAYS = "requires_grad_(False)", "eval()", "both", "momentum=0", "track_running_stats"
answers = {}
print(f"{'':23}weight  statistics  batch  after train()")
for way in (*WAYS, "FrozenBatchNorm2d", "gradguide.freeze()"):
    norm = build(way)
    row = changes(norm)
    answers[way] = (*row, changes(norm.train()) == row)
    print(f"{way:23}{row[0]!s:8}{row[1]!s:12}{row[2]!s:7}{answers[way][3]}")
assert answers == {
    "requires_grad_(False)": (False, True, True, True),
    "eval()": (True, False, False, False),
    "both": (False, False, False, False),
    "momentum=0": (True, False, True, True),
    "track_running_stats": (True, False, True, True),
    "FrozenBatchNorm2d": (False, False, False, True),
    "gradguide.freeze()": (False, False, False, True),
}

# %%
# Only batch norm in ``train()``, dropout off: adapting at test time (Tent)
# -------------------------------------------------------------------------
# Tent normalises by the statistics of the test batch and trains only ``weight`` and
# ``bias`` of the batch norms. ``model.train()`` would switch dropout on, too. Call
# ``model.eval()``, and then ``train()`` on the batch norms alone. The mode and
# ``requires_grad`` are set separately.
#
# In ``train()`` the running statistics move. If you set them to None, as in the last
# lines, the layer uses the statistics of the batch in ``eval()``, too. Make the
# optimizer from the trainable parameters.
adapted = nn.Sequential(nn.Linear(1, 64), nn.BatchNorm1d(64), nn.Dropout(0.5))
adapted.requires_grad_(False).eval()
for module in adapted.modules():
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.train().requires_grad_(True)
trainable = [name for name, p in adapted.named_parameters() if p.requires_grad]
print(trainable, [module.training for module in adapted])
assert trainable == ["1.weight", "1.bias"]
assert [module.training for module in adapted] == [False, True, False]
out = adapted(batches[0])
assert adapted[1].running_mean.any()
assert out.mean(0).abs().max() < 1e-3
assert not (out == 0).any()
adapted[1].track_running_stats = False
adapted[1].running_mean = adapted[1].running_var = None
assert adapted.eval()(batches[0]).allclose(out, atol=1e-5)
out.square().sum().backward()
assert adapted[1].weight.grad.any()
assert adapted[0].weight.grad is None

# %%
# The statistics are overwritten by ``update_bn()`` of SWA, or by a calibration
# -----------------------------------------------------------------------------
# ``torch.optim.swa_utils.update_bn()`` resets the running statistics of *all* batch
# norms and estimates them from your data. It calls ``train()`` itself, so neither
# ``requires_grad_(False)`` nor ``eval()`` protects the frozen ones, and if the model
# was in ``train()``, they stay in ``train()``, too. With a ``train()`` that is
# overridden, as above, it is worse: they are reset, and not estimated. Code that
# calibrates batch norm (precise BN, AdaBN) can do the same. Write the loop yourself,
# for the other batch norms only.
from torch.optim.swa_utils import update_bn


def update_only(norms, loader, model):
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train().momentum = None  # the mean of all batches
    with torch.no_grad():
        for batch in loader:
            model(batch)


for way in ("update_bn", "update_only"):  # wrong, right
    backbone, behind = nn.BatchNorm1d(1).requires_grad_(False), nn.BatchNorm1d(1)
    averaged = nn.Sequential(backbone.eval(), behind)
    if way == "update_bn":
        update_bn(batches[:5], averaged)
    else:
        update_only([behind], batches[:5], averaged)
    means = [norm.running_mean.item() for norm in averaged]
    print(f"{way:12}", [round(abs(mean)) for mean in means], backbone.training)
    assert backbone.training == (way == "update_bn")
    assert (means[0] == 0) == (way == "update_only")
    assert (abs(means[1]) > 4) == (way == "update_only")

# %%
# Where it ends
# -------------
# - The override does not run if code calls ``train()`` on the batch norm itself.
# - A layer that is built with ``track_running_stats=False`` has no running statistics.
#   Nothing moves, but ``eval()`` changes nothing, either: the output still depends on
#   the other samples of the batch.
# - ``track_running_stats = False`` on a finished layer, as Lightning's
#   ``freeze(train_bn=False)`` sets it, only stops the update. In training mode the
#   layer normalises by the batch, and in ``eval()`` by the statistics that it has.
model[1].train()
assert model[1].training
norm = nn.BatchNorm1d(1, track_running_stats=False).eval()
assert norm.running_mean is None
assert abs(norm(batches[0]).mean()) < 1e-5
norm = nn.BatchNorm1d(1)
norm(batches[0])
norm.track_running_stats, mean = False, norm.running_mean.clone()
assert abs(norm(batches[1]).mean()) < 1e-5
assert norm.running_mean == mean
assert norm.eval()(batches[1]).mean() > 3

# %%
# A frozen batch norm needs both, ``requires_grad_(False)`` and ``eval()``.
# :py:func:`gradguide.freeze` does both for PyTorch's batch norms, and keeps them in
# evaluation when ``train()`` is called. How the buffers are updated is in
# :torch:`torch.nn.BatchNorm1d`.
#
# Related: :doc:`other_buffers_that_move`, :doc:`eval_is_not_no_grad`,
# :doc:`/gallery/diagnose/will_it_really_stay_frozen`.
