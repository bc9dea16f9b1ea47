"""
After a resume in Lightning, the backbone is frozen again, without an error
===========================================================================

``BackboneFinetuning`` freezes at each start of ``fit()`` and unfreezes in one epoch
only. A training that is resumed after this epoch goes on with a frozen backbone.
Unfreeze what the optimizer has in ``on_train_start()``.
"""

# %% tags=["hide-input"]
# A module with a backbone and a head. ``fit()`` trains it up to an epoch, and resumes
# from a checkpoint if it gets one.
import logging
import tempfile
import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import BackboneFinetuning, BaseFinetuning
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8))
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.backbone(x)), y)

    def configure_optimizers(self):
        trainable = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(trainable, lr=0.01)


def fit(*callbacks, epochs, resume=None, kind=Classifier):
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=epochs,
        callbacks=list(callbacks),
    )
    model = kind()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        trainer.fit(model, DataLoader(data, batch_size=32), ckpt_path=resume)
    return trainer, model


# %%
class Unfreeze(lightning.Callback):
    def on_train_start(self, trainer, pl_module):
        for group in trainer.optimizers[0].param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(True)


_, whole = fit(BackboneFinetuning(1), epochs=4)
folder = tempfile.TemporaryDirectory()
saved = Path(folder.name, "saved.ckpt")
fit(BackboneFinetuning(1), epochs=2)[0].save_checkpoint(saved)
for more in ([], [Unfreeze()]):
    _, model = fit(BackboneFinetuning(1), *more, epochs=4, resume=saved)
    weight = model.backbone[0].weight
    same = torch.equal(weight, whole.backbone[0].weight)
    print(len(more), weight.requires_grad, same)
    assert weight.requires_grad == same == bool(more)

# %%
# The last value says whether the weight is the same as in a training without an
# interruption. The optimizer has only what was trainable when the checkpoint was saved,
# because ``configure_optimizers()`` filters, so ``Unfreeze`` may unfreeze all of it.
#
# Why is there no error?
# ----------------------
# Without the second callback, the first one puts the group of the backbone back into
# the optimizer and raises its learning rate in each epoch. A plot of the rates looks
# right, but the parameters get no gradient. `An issue
# <https://github.com/Lightning-AI/pytorch-lightning/issues/21901>`__ describes it.
trainer, _ = fit(BackboneFinetuning(1), epochs=4, resume=saved)
for group in trainer.optimizers[0].param_groups:
    print(group["lr"], [p.grad is not None for p in group["params"]])
head, backbone = trainer.optimizers[0].param_groups
assert backbone["lr"] == 0.004
assert all(p.grad is None for p in backbone["params"])
assert all(p.grad is not None for p in head["params"])

# %%
# ModelCheckpoint saves the frozen encoder, too: save only the adapter, and resume
# --------------------------------------------------------------------------------
# The checkpoint is too big and takes long to save, because ``state_dict()`` holds every
# parameter and buffer, whatever its ``requires_grad``. ``save_weights_only=True``
# leaves out the state of the optimizer, and not one weight. To save only what trains, a
# head or an adapter:
#
# - Load the pretrained weights in ``__init__()``, so that each run has them.
# - In ``on_save_checkpoint()``, take the frozen parameters out of
#   ``checkpoint["state_dict"]``. Buffers stay in: batch norm changes its statistics.
# - Set ``strict_loading = False`` in the module (since Lightning 2.2). Otherwise
#   ``fit(ckpt_path=...)`` raises ``Missing key(s) in state_dict``, and it has no
#   argument ``strict``. ``load_from_checkpoint()`` obeys the attribute, too.
#
# With ``strict_loading = False``, a misspelt name raises no error. The state of the
# optimizer must fit: give it the trainable parameters only, and the same ones. With
# DeepSpeed, ``DeepSpeedStrategy(exclude_frozen_parameters=True)`` does the same (since
# Lightning 2.5.5, read and not run). Below, the last value says whether the weights are
# those of a training without interruption.
pretrained = nn.Linear(4, 8).state_dict()


class Adapted(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.base, self.adapter = nn.Linear(4, 8), nn.Linear(4, 8)
        self.norm, self.head = nn.BatchNorm1d(8), nn.Linear(8, 3)
        self.base.load_state_dict(pretrained)
        self.base.requires_grad_(False)

    def training_step(self, batch, index):
        x, y = batch
        hidden = self.norm(self.base(x) + self.adapter(x))
        return nn.functional.cross_entropy(self.head(hidden), y)

    def configure_optimizers(self):
        trainable = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(trainable, lr=0.01)


class Small(Adapted):
    def on_save_checkpoint(self, checkpoint):
        frozen = {n for n, p in self.named_parameters() if not p.requires_grad}
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {n: state[n] for n in state if n not in frozen}


class NotStrict(Small):
    def __init__(self):
        super().__init__()
        self.strict_loading = False


def saved_parts():
    state = torch.load(saved, weights_only=False)["state_dict"]
    return sorted({name.split(".")[0] for name in state})


wanted = fit(epochs=3, kind=NotStrict)[1].state_dict()
contents = {}
for kind, weights_only in ((Adapted, False), (Adapted, True), (NotStrict, False)):
    fit(epochs=2, kind=kind)[0].save_checkpoint(saved, weights_only=weights_only)
    contents[kind.__name__, weights_only] = saved_parts()
    print(f"{kind.__name__:10}{weights_only=!s:6}", *saved_parts())
assert "base" in contents["Adapted", False]
assert contents["Adapted", True] == contents["Adapted", False]
assert contents["NotStrict", False] == ["adapter", "head", "norm"]
state = torch.load(saved, weights_only=False)["state_dict"]
assert "norm.running_mean" in state
try:
    # Wrong: all keys are demanded.
    fit(epochs=3, resume=saved, kind=Small)
except RuntimeError as error:
    message = str(error).splitlines()[1].strip()
else:
    raise AssertionError("a checkpoint without the base was loaded")
print(message)
assert message.startswith("Missing key(s) in state_dict")
# Right: what is not in the file keeps the value from __init__().
trainer, model = fit(epochs=3, resume=saved, kind=NotStrict)
same = all(value.equal(wanted[name]) for name, value in model.state_dict().items())
print(trainer.global_step, same)
assert trainer.global_step == 6
assert same

# %%
# The whole encoder can also stay out of the module's ``state_dict()``: hold it in a
# tuple, ``self.encoder = (encoder,)``. Then ``parameters()``, ``train()`` and the move
# to the GPU don't reach it either: call ``eval()``, freeze it, and move it yourself in
# ``setup()``.


class Outside(Classifier):
    def __init__(self):
        super().__init__()
        self.encoder = (self.backbone.eval().requires_grad_(False),)
        del self.backbone

    def setup(self, stage):
        self.encoder[0].to(self.trainer.strategy.root_device)

    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.encoder[0](x)), y)


fit(epochs=1, kind=Outside)[0].save_checkpoint(saved)
print(saved_parts())
assert saved_parts() == ["head"]

# %%
# With a schedule of your own
# ---------------------------
# A subclass of ``BaseFinetuning`` has the same problem and the same cure. The state of
# Adam is restored, too.


class LayerByLayer(BaseFinetuning):
    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.backbone)

    def finetune_function(self, pl_module, epoch, optimizer):
        if epoch in (1, 2):
            layer = pl_module.backbone[2 - epoch]
            self.unfreeze_and_add_param_group(layer, optimizer, lr=0.003)


wanted = fit(LayerByLayer(), epochs=4)[1].state_dict()
fit(LayerByLayer(), epochs=3)[0].save_checkpoint(saved)
for more in ([], [Unfreeze()]):
    state = fit(LayerByLayer(), *more, epochs=4, resume=saved)[1].state_dict()
    same = [name for name in state if torch.equal(state[name], wanted[name])]
    print(len(more), same)
    assert (same == list(state)) == bool(more)

# %%
# ValueError: loaded state dict has a different number of parameter groups
# ------------------------------------------------------------------------
# This error comes if the callback is missing when you resume. Then nothing adds the
# group before the state of the optimizer is loaded. With a checkpoint from before the
# unfreezing, the number of groups is the same and the sizes differ. Pass the same
# callbacks as in the first training. A subclass counts as another callback, because
# Lightning saves the state under the name of the class.


class Renamed(BackboneFinetuning):
    pass


messages = []
for epoch, callbacks in ((2, []), (2, [Renamed(1)]), (1, [])):
    fit(BackboneFinetuning(1), epochs=epoch)[0].save_checkpoint(saved)
    try:
        # Wrong: without the callback that has saved its state.
        fit(*callbacks, epochs=4, resume=saved)
    except ValueError as error:
        messages.append(str(error))
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("the state of the optimizer was loaded")
assert ["different number" in message for message in messages] == [True, True, False]
assert "doesn't match the size of optimizer's group" in messages[2]

# %%
# Old versions raised it with the callback, too: upgrade (`the fix of 2021
# <https://github.com/Lightning-AI/pytorch-lightning/pull/8501>`__, read and not run).
# The error can't come if the optimizer has all groups from the start: then freeze and
# unfreeze by ``requires_grad`` alone, in hooks of your own.


class AllGroups(Classifier):
    def configure_optimizers(self):
        head, backbone = self.head.parameters(), self.backbone.parameters()
        groups = [{"params": head, "lr": 0.01}, {"params": backbone, "lr": 0.003}]
        return torch.optim.Adam(groups)

    def on_train_epoch_start(self):
        self.backbone.requires_grad_(self.current_epoch >= 1)


wanted = fit(epochs=4, kind=AllGroups)[1].state_dict()
fit(epochs=2, kind=AllGroups)[0].save_checkpoint(saved)
state = fit(epochs=4, resume=saved, kind=AllGroups)[1].state_dict()
print(all(torch.equal(state[name], wanted[name]) for name in state))
assert all(torch.equal(state[name], wanted[name]) for name in state)

# %%
# Trying to restore optimizer state but checkpoint contains only the model
# ------------------------------------------------------------------------
# The file was saved with ``save_weights_only=True``. It has no state of an optimizer,
# so a training can't be resumed from it with ``ckpt_path``: the averages of Adam and
# the state of ``BackboneFinetuning`` are lost. Load the weights, unfreeze what was
# unfrozen before, and begin a new ``fit()``. To be able to resume, leave out
# ``save_weights_only``. If only the head trains, the state of the optimizer is small.
trainer, _ = fit(epochs=1)
trainer.save_checkpoint(saved, weights_only=True)
try:
    # Wrong: resumes from weights alone.
    fit(epochs=2, resume=saved)
except KeyError as error:
    message = error.args[0]
else:
    raise AssertionError("an optimizer was restored")
print(message.split(". ")[0])
assert message.startswith("Trying to restore optimizer state but checkpoint contains")
# Right: the weights, and a new training.
part = torch.load(saved, weights_only=False)
print("optimizer_states" in part)
assert "optimizer_states" not in part
loaded = Classifier()
loaded.load_state_dict(part["state_dict"])

# %%
# Fine-tune from a Lightning checkpoint: load the weights, without ``ckpt_path``
# ------------------------------------------------------------------------------
# ``fit(ckpt_path=...)`` resumes a training, with its optimizer and its epoch. If
# another part is frozen now, it raises the error above, and if the checkpoint has
# reached ``max_epochs``, it trains nothing. For a new stage load the weights alone,
# with ``load_from_checkpoint()``, and call ``fit()`` without the path. If the head has
# another number of classes, ``strict=False`` does not help: it allows for missing names
# and not for other sizes. Then load the state of the backbone alone.


class FrozenNow(Classifier):
    def __init__(self):
        super().__init__()
        self.backbone.requires_grad_(False)


class NewHead(FrozenNow):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 5)


trainer, pretrained = fit(epochs=2)
trainer.save_checkpoint(saved)
errors = []
try:
    # Wrong: resumes, with the optimizer of the first stage.
    fit(epochs=4, resume=saved, kind=FrozenNow)
except ValueError as error:
    errors.append(str(error))
try:
    # Wrong: the head has another size.
    NewHead.load_from_checkpoint(saved, strict=False)
except RuntimeError as error:
    errors.append(str(error))
# Right: the backbone alone.
state = torch.load(saved, weights_only=False)["state_dict"]
part = {n.removeprefix("backbone."): v for n, v in state.items() if "backbone." in n}
model = NewHead()
model.backbone.load_state_dict(part)
print(errors[1].splitlines()[1].strip())
assert "doesn't match the size of optimizer's group" in errors[0]
assert "size mismatch for head.weight" in errors[1]
assert model.backbone[0].weight.equal(pretrained.backbone[0].weight)
assert not model.backbone[0].weight.requires_grad

# %%
# Where it ends
# -------------
# - A checkpoint from before the unfreezing resumes well without the second callback.
# - ``load_from_checkpoint()`` restores no ``requires_grad``. It makes a new module, in
#   which everything is trainable that the constructor does not freeze.
fit(BackboneFinetuning(1), epochs=1)[0].save_checkpoint(saved)
trainer, model = fit(BackboneFinetuning(1), epochs=4, resume=saved)
assert all(p.requires_grad and p.grad is not None for p in model.parameters())

trainer, model = fit(BackboneFinetuning(9), epochs=1)
assert not model.backbone[0].weight.requires_grad
trainer.save_checkpoint(saved)
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", module="lightning")
    loaded = Classifier.load_from_checkpoint(saved)
assert torch.equal(loaded.head.weight, model.head.weight)
assert loaded.backbone[0].weight.requires_grad
folder.cleanup()

# %%
# After each resume, print which parameters require a gradient.
#
# Related: :doc:`lightning_backbone_finetuning`,
# :doc:`/reference/errors/different_number_of_parameter_groups`,
# :doc:`/reference/errors/parameter_group_that_doesnt_match_the_size`.
