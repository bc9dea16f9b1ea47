"""
``Training with multiple optimizers is only supported with manual optimization``
================================================================================

``configure_optimizers()`` of a Lightning module returns two optimizers. If both are of
one class and train on one loss, make them one optimizer with two groups. If not, set
``self.automatic_optimization = False`` and write the steps yourself.
"""

# %% tags=["hide-input"]
# A module with two layers, and a short training without files and logs.
import logging
import warnings

import lightning
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.manual_seed(0)


class Base(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(2, 2), nn.Linear(2, 1)

    def training_step(self, batch, _index):
        return self.head(self.body(batch)).mean()


def fit(model, **options):
    """Train on four batches; return the steps, and which layers have changed."""
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=1,
        **options,
    )
    old = [layer.weight.detach().clone() for layer in (model.body, model.head)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        trainer.fit(model, DataLoader(torch.ones(4, 2)))
    new = model.body.weight, model.head.weight
    changed = [not torch.equal(*pair) for pair in zip(new, old, strict=True)]
    return trainer.global_step, *changed


# %%
class Wrong(Base):
    def configure_optimizers(self):
        return SGD(self.body.parameters()), SGD(self.head.parameters(), lr=0.01)


class Right(Base):
    def configure_optimizers(self):
        body, head = self.body.parameters(), self.head.parameters()
        return SGD([{"params": body}, {"params": head, "lr": 0.01}], lr=0.1)


try:
    fit(Wrong())
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("two optimizers were accepted")
assert fit(Right()) == (4, True, True)


# %%
# Two optimizers
# --------------
# Two losses, as in a GAN, or an optimizer of another class, need manual optimization.
# Then ``training_step()`` does it all: ``manual_backward()`` in place of
# ``backward()``, ``step()`` and ``zero_grad()``. Lightning ignores what it returns, so
# a module that still returns its loss trains nothing, without an error.
class Manual(Wrong):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        self.manual_backward(super().training_step(batch, index))
        for optimizer in self.optimizers():
            optimizer.step()
            optimizer.zero_grad()


class Returned(Manual):
    # Wrong: nothing calls backward().
    training_step = Base.training_step


for kind in (Manual, Returned):
    print(kind.__name__, *(result := fit(kind())))
    assert result == ((8, True, True) if kind is Manual else (0, False, False))

# %%
# Each ``step()`` of each optimizer counts in ``global_step``. So with two optimizers,
# ``max_steps=4`` ends after two batches. Only a ``step()`` of an optimizer that you got
# from ``self.optimizers(use_pl_optimizer=False)`` does not count. Learning rate
# schedulers are not stepped: call ``scheduler.step()`` for each of
# ``self.lr_schedulers()``.
from torch.optim.lr_scheduler import StepLR


class Counted(Manual):
    def __init__(self):
        super().__init__()
        self.batches = 0

    def configure_optimizers(self):
        optimizers = super().configure_optimizers()
        return list(optimizers), [StepLR(optimizer, 1) for optimizer in optimizers]

    def training_step(self, batch, index):
        super().training_step(batch, index)
        self.batches += 1


model = Counted()
steps, *_ = fit(model, max_steps=4)
rates = [scheduler.last_epoch for scheduler in model.lr_schedulers()]
print(steps, model.batches, rates)
assert (steps, model.batches, rates) == (4, 2, [0, 0])


class Unwrapped(Manual):
    def optimizers(self, **_options):
        return super().optimizers(use_pl_optimizer=False)


assert fit(Unwrapped()) == (0, True, True)


# %%
# ``optimizer_idx`` in the arguments
# ----------------------------------
# Before 2.0, Lightning called ``training_step()`` for `each optimizer
# <https://github.com/Lightning-AI/pytorch-lightning/pull/16539>`__ with its index. An
# argument of this name raises the error now, even with manual optimization and with one
# optimizer. Remove it.
class Indexed(Manual):
    def configure_optimizers(self):
        return SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, index, optimizer_idx=None):
        raise AssertionError("the training began")


try:
    fit(Indexed())
except RuntimeError as error:
    message = str(error)
    print(f"{type(error).__name__}: {error}")
assert "Remove the `optimizer_idx` argument" in message

# %%
# Read on: :doc:`/gallery/frameworks/lightning_manual_optimization`.
