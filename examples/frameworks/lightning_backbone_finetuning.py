"""
Lightning's BackboneFinetuning: give the optimizer only what is trainable
=========================================================================

The callback freezes the backbone before ``configure_optimizers()``, and adds it to the
optimizer in a later epoch. If the optimizer has it already, no group is added, and the
callback sets the learning rate of the head instead.
"""

# %% tags=["hide-input"]
# A module with a backbone and a head, and a short training without files and logs.
import logging
import warnings

import lightning
import torch
from lightning.pytorch.callbacks import BackboneFinetuning, BaseFinetuning
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))


class Classifier(lightning.LightningModule):
    def __init__(self, *between):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), *between, nn.Tanh())
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.backbone(x)), y)


def fit(model, callback, epochs=3):
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=epochs,
        callbacks=[callback],
    )
    with warnings.catch_warnings(record=True) as found:
        trainer.fit(model, DataLoader(data, batch_size=32))
    for warning in found:
        first_line = str(warning.message).splitlines()[0]
        if "already exist" in first_line:
            print(first_line)
    return trainer.optimizers[0].param_groups


# %%
class Unfiltered(Classifier):
    # Wrong: the optimizer has the frozen backbone from the start.
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


class Filtered(Classifier):
    def configure_optimizers(self):
        trainable = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(trainable, lr=0.01)


for kind in (Unfiltered, Filtered):
    groups = fit(kind(), BackboneFinetuning(unfreeze_backbone_at_epoch=1))
    rates = [group["lr"] for group in groups]
    print(f"{kind.__name__}: {rates}")
    assert rates == ([0.002] if kind is Unfiltered else [0.01, 0.002])

# %%
# In the first optimizer, the head, too, has the rate of the backbone, 0.002 in place of
# 0.01. Lightning's warning, the first line above, is the only sign.
#
# Which learning rate does the backbone get?
# ------------------------------------------
# In the epoch of the unfreezing it is a tenth of the rate of the first group, or
# ``backbone_initial_lr``. At the start of each later epoch it is multiplied by
# ``lambda_func(epoch + 1)``, which is 2.0 by default, until it has reached the rate of
# the first group. With ``should_align=False`` it goes on rising. To keep the rate,
# return 1.0. Schedulers that were made before the unfreezing are in
# :doc:`/gallery/beyond/schedulers_after_add_param_group`.


class Rates(BackboneFinetuning):
    def on_train_epoch_end(self, trainer, pl_module):
        rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])


rates = []
fit(Filtered(), Rates(unfreeze_backbone_at_epoch=1), epochs=6)
print(rates)
assert rates == [[0.01], *([0.01, lr] for lr in (0.001, 0.002, 0.004, 0.008, 0.01))]

rates = []
fit(Filtered(), Rates(1, should_align=False), epochs=6)
assert rates[-1] == [0.01, 0.016]

rates = []
constant = Rates(1, lambda_func=lambda epoch: 1.0, backbone_initial_lr=0.003)
fit(Filtered(), constant, epochs=4)
print(rates)
assert rates == [[0.01], *[[0.01, 0.003]] * 3]

# %%
# Batch norm in the backbone is not frozen
# ----------------------------------------
# The callback leaves batch norm layers trainable from the first epoch, and they are in
# the first group, with the rate of the head. Its argument ``train_bn=False`` does not
# change that: it acts only when the backbone is unfrozen. To freeze them as well, pass
# ``train_bn=False`` to ``freeze()``. That sets ``track_running_stats=False``, so the
# running statistics stay as they are, and in training the layer normalises by the
# batch (see the next section).


class AllFrozen(BackboneFinetuning):
    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.backbone, train_bn=False)


for callback in (BackboneFinetuning(9, train_bn=False), AllFrozen(9)):
    model = Filtered(nn.BatchNorm1d(8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, callback)
    state = model.state_dict()
    moved = [n for n in state if not torch.equal(state[n], before[n])]
    print(type(callback).__name__, [n for n in moved if n.startswith("backbone")])
    assert ("backbone.1.weight" in moved) == (type(callback) is BackboneFinetuning)
    assert ("backbone.1.running_mean" in moved) == ("backbone.1.weight" in moved)
    assert "backbone.0.weight" not in moved

# %%
# What does ``track_running_stats=False`` do to a frozen batch norm?
# ------------------------------------------------------------------
# It stops the update of the running statistics, and no more: they are still there. In
# ``train()`` the layer normalises by the batch, in ``eval()`` by the old statistics,
# and so the frozen backbone computes other features in validation than in training.
# When the callback unfreezes the layer, it sets ``track_running_stats`` to True again.
#
# To keep the layer as it was pretrained, put it into ``eval()`` in training, too
# (:doc:`lightning_eval_mode`). Then the statistics don't move, whatever
# ``track_running_stats`` is, and it may stay True.
batch = torch.randn(32, 8) + 5
for evaluation in (False, True):  # the mode in training
    norm = nn.BatchNorm1d(8)
    BaseFinetuning.freeze(norm, train_bn=evaluation)
    norm.requires_grad_(False)
    outputs = [norm.train(not evaluation)(batch), norm.eval()(batch)]
    print(norm.track_running_stats, [f"{out.mean():.1f}" for out in outputs])
    assert norm.track_running_stats == evaluation
    assert outputs[0].allclose(outputs[1]) == evaluation
    assert not norm.running_mean.any()
BaseFinetuning.freeze(norm, train_bn=False)
BaseFinetuning.make_trainable(norm)
assert norm.track_running_stats

# %%
# Your own schedule
# -----------------
# With ``BaseFinetuning`` you write both parts. ``make_trainable()`` alone is not
# enough: the layer gets gradients, but it is in no optimizer.
# ``unfreeze_and_add_param_group()`` does both.


class LayerByLayer(BaseFinetuning):
    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.backbone)

    def finetune_function(self, pl_module, epoch, optimizer):
        if epoch == 1:
            layer = pl_module.backbone[1]
            self.unfreeze_and_add_param_group(layer, optimizer, lr=0.003)
        if epoch == 2:
            # Wrong: the first layer is in no group.
            self.make_trainable(pl_module.backbone[0])


model = Filtered(nn.Linear(8, 8))
first = model.backbone[0].weight.clone()
groups = fit(model, LayerByLayer())
sizes = [(group["lr"], len(group["params"])) for group in groups]
print(sizes)
assert sizes == [(0.01, 2), (0.003, 2)]
assert model.backbone[0].weight.requires_grad
assert torch.equal(model.backbone[0].weight, first)

# %%
# The learning rate is divided by 10 after unfreezing: ``initial_denom_lr``
# -------------------------------------------------------------------------
# ``unfreeze_and_add_param_group()`` gives the new group the rate of the *first* group
# at that moment, divided by ``initial_denom_lr``, which is 10 by default. The rate of
# the head stays what it is: a logger shows two groups, and the second one is the tenth.
# No scheduler did that. Pass ``lr=``, or ``initial_denom_lr=1`` for the same rate.
# ``BackboneFinetuning`` has both, as ``backbone_initial_lr`` and ``initial_denom_lr``,
# and raises the rate afterwards, as above.
#
# ``IndexError: list index out of range`` with ``ReduceLROnPlateau``: before PyTorch
# 2.6, it has no minimum for the new group
# (:doc:`/reference/errors/differs_from_when_reducelronplateau_was_initialized`).
added = {}
for options in ({}, {"initial_denom_lr": 1}, {"lr": 0.02}):
    head, backbone = nn.Linear(8, 3), nn.Linear(4, 8).requires_grad_(False)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    BaseFinetuning.unfreeze_and_add_param_group(backbone, optimizer, **options)
    added[str(options)] = [group["lr"] for group in optimizer.param_groups]
    print(f"{options!s:24}{added[str(options)]}")
assert [*added.values()] == [[0.01, 0.001], [0.01, 0.01], [0.01, 0.02]]

# %%
# BackboneFinetuning with DDP: the unfrozen backbone differs between the GPUs
# ---------------------------------------------------------------------------
# The callback freezes before Lightning wraps the module in DDP, and DDP averages only
# the gradients of what is trainable when it wraps. After the unfreezing, each GPU
# trains a backbone of its own, without an error. The strategy
# ``ddp_find_unused_parameters_true`` does not change that. It is an `open issue of
# Lightning <https://github.com/Lightning-AI/pytorch-lightning/issues/20340>`__.
#
# Leave the backbone trainable until DDP has wrapped it: freeze it in a callback of your
# own, with ``find_unused_parameters=True``, and give the optimizer both parts from the
# start. A hook of DDP counts here how many gradients are sent in the last step: those
# of the head, or all. With DeepSpeed, ``BackboneFinetuning`` raises ``The Finetuning
# callback does not support running with the DeepSpeed strategy``.
import os

import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

logging.getLogger("lightning.fabric").setLevel(logging.ERROR)


class FrozenLater(lightning.Callback):
    # Called after the wrapping.
    def on_train_epoch_start(self, trainer, pl_module):
        pl_module.backbone.requires_grad_(trainer.current_epoch >= 1)


class Everything(Classifier):
    def configure_optimizers(self):
        head, backbone = self.head.parameters(), self.backbone.parameters()
        groups = [{"params": head}, {"params": backbone, "lr": 0.001}]
        return torch.optim.Adam(groups, lr=0.01)


class Sent(lightning.Callback):
    def on_train_start(self, trainer, pl_module):
        self.sizes = []

        def hook(group, bucket):
            self.sizes.append((trainer.global_step, bucket.buffer().numel()))
            return default_hooks.allreduce_hook(group, bucket)

        trainer.strategy.model.register_comm_hook(None, hook)


def sent_in_last_step(model, callback, **options):
    strategy, sent = DDPStrategy(process_group_backend="gloo", **options), Sent()
    trainer = lightning.Trainer(
        accelerator="cpu",
        strategy=strategy,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=2,
        callbacks=[callback, sent],
    )
    environment = dict(os.environ)
    # DDP prints from C++ that it found no unused parameter, after the unfreezing.
    usual, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(model, DataLoader(data, batch_size=32))
    finally:
        os.dup2(usual, 2)
        os.close(usual)
        os.close(nowhere)
        os.environ.clear()
        os.environ.update(environment)
        dist.destroy_process_group()
    last, _ = sent.sizes[-1]
    return sum(size for step, size in sent.sizes if step == last)


wrong = sent_in_last_step(Filtered(), BackboneFinetuning(1))
right = sent_in_last_step(Everything(), FrozenLater(), find_unused_parameters=True)
head, every = 8 * 3 + 3, sum(p.numel() for p in Everything().parameters())
print(wrong, right)
assert wrong == head
assert right == every > head

# %%
# Where it ends
# -------------
# - Lightning decides by ``torch.equal()`` which parameters an optimizer has already. A
#   frozen parameter that has the same values as a trained one is therefore left out,
#   with the warning above: for example the weight of a layer norm in the backbone, all
#   ones, while another one of this size in the optimizer has not moved yet. Look into
#   the groups after the unfreezing.
# - After a resume, the backbone is frozen again:
#   :doc:`lightning_resume_after_unfreezing`.
# - The mode of the frozen layers is up to you: :doc:`lightning_eval_mode`.
model = Filtered(nn.LayerNorm(8))
model.head = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 3))
groups = fit(model, BackboneFinetuning(unfreeze_backbone_at_epoch=0), epochs=1)
names = {p: name for name, p in model.named_parameters()}
added = [names[p] for p in groups[1]["params"]]
print(added)
assert added == ["backbone.0.weight", "backbone.0.bias"]
assert model.backbone[1].weight.requires_grad
assert torch.equal(model.backbone[1].weight, torch.ones(8))

# %%
# Give the optimizer the parameters that require a gradient, and print its groups after
# the unfreezing. The callback is described in `Lightning's documentation
# <https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.BackboneFinetuning.html>`__.
#
# Related: :doc:`/gallery/freezing/unfreeze_gradually`,
# :doc:`/gallery/freezing/different_learning_rates`,
# :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`.
