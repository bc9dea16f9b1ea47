"""
``Automatic gradient clipping is not supported for manual optimization``
========================================================================

A Lightning module sets ``self.automatic_optimization = False``, and ``Trainer`` is told
to clip or accumulate gradients. Remove these options, and do both in the module.
"""

# %% tags=["hide-input"]
# A module with a layer of two weights, which are 0, and a short training without files
# and logs.
import logging
import warnings

import lightning
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Base(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.layer = nn.Linear(2, 1, bias=False)
        nn.init.zeros_(self.layer.weight)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1)

    def loss(self, batch):
        # Its gradient is the batch: 3 and 4, with the norm 5.
        return self.layer(batch).sum()


def fit(model, batches=1, **options):
    """Train; return the weights."""
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=1,
        **options,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        trainer.fit(model, DataLoader(torch.tensor([[3.0, 4.0]] * batches)))
    return [round(value, 3) for value in model.layer.weight[0].tolist()]


# %%
class Manual(Base):
    def training_step(self, batch, _index):
        optimizer = self.optimizers()
        self.manual_backward(self.loss(batch))
        optimizer.step()
        optimizer.zero_grad()


class Clipped(Manual):
    def on_before_optimizer_step(self, optimizer):
        self.clip_gradients(optimizer, gradient_clip_val=1.0)  # right


try:
    fit(Manual(), gradient_clip_val=1.0)  # wrong
except MisconfigurationException as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the training began")
assert fit(Clipped()) == [-0.6, -0.8]


# %%
# With several optimizers, Lightning calls ``on_before_optimizer_step()`` for each, and
# ``clip_gradients()`` takes the norm over the parameters of that one.
class Several(Clipped):
    def __init__(self):
        super().__init__()
        self.second = nn.Linear(2, 1, bias=False)

    def configure_optimizers(self):
        layers = self.layer, self.second
        return [torch.optim.SGD(layer.parameters(), lr=1) for layer in layers]

    def training_step(self, batch, _index):
        self.manual_backward(self.loss(batch) + self.second(batch).sum())
        for optimizer in self.optimizers():
            optimizer.step()


assert fit(Several()) == [-0.6, -0.8]


# %%
# Accumulation
# ------------
# Make a step at each second batch and at the last one, and divide the loss by two:
# ``backward()`` adds the gradients.
class Accumulating(Base):
    def training_step(self, batch, index):
        self.manual_backward(self.loss(batch) / 2)
        if (index + 1) % 2 == 0 or self.trainer.is_last_batch:
            self.optimizers().step()
            self.optimizers().zero_grad()
            self.steps = self.trainer.global_step


class Automatic(Base):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = True

    def training_step(self, batch, _index):
        return self.loss(batch)


try:
    # Wrong: Trainer is told to accumulate.
    fit(Accumulating(), accumulate_grad_batches=2)
except MisconfigurationException as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the training began")
for batches in (4, 5):
    manual = fit(model := Accumulating(), batches)
    automatic = fit(Automatic(), batches, accumulate_grad_batches=2)
    print(batches, model.steps, manual, automatic)
    assert manual == automatic
    assert model.steps == (batches + 1) // 2

# %%
# Why not just before step()
# --------------------------
# In the precision ``16-mixed``, ``manual_backward()`` multiplies the gradients by the
# scale of a ``GradScaler``, and ``step()`` divides them again, before it calls
# ``on_before_optimizer_step()``. A ``clip_gradients()`` above ``step()`` clips the
# scaled gradients. So with SGD the update is too small by this scale, which is 8 here.
# ``bf16-mixed`` and the default precision do not scale.
from lightning.pytorch.plugins import MixedPrecision


class TooEarly(Base):
    def training_step(self, batch, _index):
        self.manual_backward(self.loss(batch))
        # Wrong: the gradients are still scaled.
        self.clip_gradients(self.optimizers(), gradient_clip_val=1.0)
        self.optimizers().step()


results = []
for kind in (TooEarly, Clipped):
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    for plugin in (None, ("bf16-mixed", "cpu"), ("16-mixed", "cpu", scaler)):
        plugins = plugin and [MixedPrecision(*plugin)]
        results.append(fit(kind(), plugins=plugins))
        print(kind.__name__, plugin and plugin[0], results[-1])
assert results.pop(2) == [-0.075, -0.1]
assert results == [[-0.6, -0.8]] * 5

# %%
# Where it ends
# -------------
# - ``gradient_clip_val=0`` and ``accumulate_grad_batches=1`` do nothing and are
#   accepted. So is ``gradient_clip_algorithm``, which ``clip_gradients()`` then uses.
# - Lightning does not call ``configure_gradient_clipping()``.
# - The callback ``GradientAccumulationScheduler`` raises an error of its own.
from lightning.pytorch.callbacks import GradientAccumulationScheduler


class Configured(Manual):
    def configure_gradient_clipping(self, *_arguments, **_options):
        raise AssertionError("gradients were clipped")


nothing = {"gradient_clip_val": 0, "accumulate_grad_batches": 1}
assert fit(Configured(), **nothing) == [-3, -4]
assert fit(Clipped(), gradient_clip_algorithm="value") == [-1, -1]
try:
    fit(Manual(), callbacks=[GradientAccumulationScheduler({0: 2})])
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the training began")
assert "GradientAccumulationScheduler` is not supported" in message

# %%
# Read on: :doc:`/gallery/frameworks/lightning_manual_optimization`.
