"""
Lightning leaves eval() and train() to you: set frozen layers to eval() once
============================================================================

Since Lightning 2.2, each module keeps its mode in ``fit()``, also after a validation.
A frozen batch norm in ``eval()`` stays still. But a model that was loaded in ``eval()``
trains without dropout, until you call ``train()``.
"""

# %% tags=["hide-input"]
# A frozen backbone with batch norm and dropout, and a short training with validation.
import logging
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        layers = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)
        self.backbone = nn.Sequential(*layers).requires_grad_(False)
        self.head = nn.Linear(8, 3)
        self.modes = []

    def training_step(self, batch, index):
        self.modes.append(self.backbone.training)
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.backbone(x)), y)

    def validation_step(self, batch, index):
        assert not self.training

    def configure_optimizers(self):
        return torch.optim.SGD(self.head.parameters(), lr=0.1)


def fit(model):
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=2,
    )
    loader = DataLoader(data, batch_size=32)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(model, loader, loader)
    return [str(warning.message) for warning in caught]


# %%
for frozen in (False, True):
    model = Classifier()
    if frozen:
        model.backbone.eval()
    fit(model)
    norm = model.backbone[1]
    print(norm.training, norm.num_batches_tracked.item())
    assert norm.num_batches_tracked == (0 if frozen else 4)
    assert norm.training != frozen
    assert model.training

# %%
# Both backbones have ``requires_grad=False``. In the first one, batch norm has updated
# its statistics in each of the four batches, and dropout was on. The second one was in
# ``eval()`` in all of them, though there was a validation in between.
#
# Before 2.2, Lightning called ``train()`` on the whole module at the start of ``fit()``
# and after each validation. There, set the mode in ``on_train_epoch_start()``. This is
# from `the pull request <https://github.com/Lightning-AI/pytorch-lightning/pull/18951>`__
# that changed it, and not run here.
#
# A model that came in eval()
# ---------------------------
# ``from_pretrained()`` in the library transformers returns a model in ``eval()``. It
# trains, but without dropout, and its batch norm learns no statistics. Lightning warns.
# Call ``train()`` on the model, and then ``eval()`` on what is frozen.
model = Classifier().requires_grad_(True)
told = [text for text in fit(model.eval()) if "eval mode" in text]
print(*told)
print(model.modes)
assert told[0].startswith("Found 6 module(s) in eval mode at the start of training")
assert model.modes == [False] * 4
model.train()
fit(model)
assert model.modes[4:] == [True] * 4

# %%
# What still switches the mode back
# ---------------------------------
# An ``on_validation_model_train()`` of your own replaces the restoring. If it calls
# ``self.train()``, or the method of the parent class, the frozen part is in training
# mode again, from the validation that Lightning runs before the first epoch.


class Overridden(Classifier):
    def on_validation_model_train(self):
        super().on_validation_model_train()


model = Overridden()
model.backbone.eval()
fit(model)
print(model.modes)
assert model.modes == [True] * 4

# %%
# ``freeze()`` and ``unfreeze()`` of a LightningModule
# ----------------------------------------------------
# ``freeze()`` sets ``requires_grad=False`` and ``eval()``, for the whole module. That
# fits a network that you load from a checkpoint and use as a part of another one.
# ``unfreeze()`` is not its reverse: it unfreezes everything and calls ``train()``, also
# for what was frozen before.
model = Classifier()
model.backbone.eval()
model.freeze()
assert not any(p.requires_grad for p in model.parameters())
assert not model.head.training
model.unfreeze()
print(model.backbone.training, model.backbone[0].weight.requires_grad)
assert model.backbone.training
assert model.backbone[0].weight.requires_grad

# %%
# Freeze with ``requires_grad_(False)`` and ``eval()`` in the constructor, and print
# ``training`` of the parts in the first training step.
#
# Related: :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`,
# :doc:`/gallery/still-moves/dropout_is_not_a_gradient`,
# :doc:`/gallery/still-moves/eval_is_not_no_grad`, :doc:`lightning_gradient_in_test`.
