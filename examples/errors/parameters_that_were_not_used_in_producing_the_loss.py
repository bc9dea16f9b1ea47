"""
``LightningModule has parameters that were not used in producing the loss``
===========================================================================

Under DDP, a parameter that requires a gradient got none in the step before. Freeze in
``__init__()`` what does not train. Only if the steps use different parameters, pass
``strategy="ddp_find_unused_parameters_true"``.
"""

# %% tags=["hide-input"]
# A module with a backbone and a head, and a short training with DDP in one process. It
# removes the environment variables that Lightning sets for its processes.
import logging
import os
import warnings

import lightning
import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.utils.data import DataLoader

for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.ERROR)
torch.manual_seed(0)


class Base(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone, self.head = nn.Linear(2, 2), nn.Linear(2, 1)

    def training_step(self, batch, index):
        with torch.no_grad():
            features = self.backbone(batch)
        return self.head(features).mean()

    def configure_optimizers(self):
        trainable = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.SGD(trainable, lr=0.1)


def fit(model, **options):
    """Train for three steps; return the error, or None."""
    strategy = DDPStrategy(process_group_backend="gloo", **options)
    trainer = lightning.Trainer(
        accelerator="cpu",
        strategy=strategy,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_steps=3,
    )
    environment = dict(os.environ)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore")
            trainer.fit(model, DataLoader(torch.ones(4, 2)))
    except RuntimeError as error:
        return error
    finally:
        os.environ.clear()
        os.environ.update(environment)
        if dist.is_initialized():
            dist.destroy_process_group()
    return None


# %%
# Right: the backbone is frozen before DDP wraps the module.
class Right(Base):
    def __init__(self):
        super().__init__()
        self.backbone.requires_grad_(False)


# Wrong: no_grad() around a backbone that requires gradients.
error, right = fit(Base()), fit(Right())
print(f"{type(error).__name__}: {error}", right, sep="\n")
assert (type(error), right) == (RuntimeError, None)

# %%
# Which parameters?
# -----------------
# Lightning replaces the text of PyTorch, and the indices of the parameters with it.
# ``on_after_backward()`` of the first step still finds them: they have no gradient.


class Named(Base):
    def on_after_backward(self):
        if self.global_step == 0:
            named = self.named_parameters()
            self.unused = [n for n, p in named if p.requires_grad and p.grad is None]


model = Named()
fit(model)
print(model.unused)
assert model.unused == ["backbone.weight", "backbone.bias"]

# %%
# A layer that not every step uses
# --------------------------------
# Then the option is right. For layers that no step uses, it hides that they do not
# train, and DDP walks through the graph in each step for nothing: freeze them, or take
# them out.


class Branch(Base):
    def training_step(self, batch, index):
        part = self.backbone if index % 2 else self.head
        return part(batch).mean()


found = [fit(Branch()), fit(Branch(), find_unused_parameters=True)]
print([type(error).__name__ for error in found])
assert isinstance(found[0], RuntimeError)
assert found[1] is None

# %%
# What you freeze after the start, such as in a callback, fails in the same way: DDP
# records what trains when it wraps the module.
#
# Read on: :doc:`expected_to_have_finished_reduction`, which is the text of PyTorch.
