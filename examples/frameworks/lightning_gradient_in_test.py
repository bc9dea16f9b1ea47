"""
A gradient in test_step(): pass inference_mode=False to Lightning's Trainer
===========================================================================

``test()``, ``validate()`` and ``predict()`` run under ``inference_mode()``, which
``enable_grad()`` can't undo. The same ``validation_step()`` works inside ``fit()``,
where only ``no_grad()`` is set.
"""

# %% tags=["hide-input"]
# A linear layer, two inputs, and a trainer without files and logs.
import logging
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.ones(2, 3)), batch_size=2)


class Linear(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 1)
        self.seen = []

    def training_step(self, batch, index):
        return self.net(batch[0]).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(epochs=1, **options):
    warnings.filterwarnings("ignore", module="lightning")
    return lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=epochs,
        num_sanity_val_steps=0,
        **options,
    )


# %%
class Saliency(Linear):
    def test_step(self, batch, index):
        with torch.enable_grad():
            x = batch[0].requires_grad_()
            (gradient,) = torch.autograd.grad(self.net(x).sum(), x)
        self.seen.append(gradient.tolist())


model = Saliency()
trainer(inference_mode=False).test(model, loader, verbose=False)
assert model.seen == [model.net.weight.tolist() * 2]
try:
    # Wrong: with the default, inference_mode=True.
    trainer().test(model, loader, verbose=False)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the test recorded a graph")

# %%
# Training works, validation raises ``does not require grad``: autograd.grad in a PINN
# -------------------------------------------------------------------------------------
# If the network differentiates its own output, as in a PINN, ``training_step()`` works,
# and ``validation_step()`` raises ``element 0 of tensors does not require grad and does
# not have a grad_fn``. Lightning turns recording off there. Two things are needed:
#
# - ``with torch.enable_grad():`` around the forward and the ``autograd.grad()``, and
#   ``requires_grad_()`` on the input. This is enough for the validation inside
#   ``fit()``.
# - ``Trainer(inference_mode=False)`` for ``validate()``, ``test()`` and ``predict()``.
#
# Put the first into ``forward()``, and it holds in each loop.


class Slope(Linear):
    def __init__(self, *, enable):
        super().__init__()
        self.enable = enable

    def forward(self, x):
        with torch.set_grad_enabled(self.enable or torch.is_grad_enabled()):
            x = x.requires_grad_()
            return torch.autograd.grad(self.net(x).sum(), x, create_graph=True)[0]

    def training_step(self, batch, index):
        return self(batch[0]).square().sum()

    def validation_step(self, batch, index):
        self.seen.append(self(batch[0]).tolist())


def outcome(run, *arguments, **options):
    try:
        run(*arguments, **options)
    except RuntimeError as error:
        return str(error)
    return "works"


results = {}
for enable, inference_mode in ((False, False), (True, True), (True, False)):
    model, run = Slope(enable=enable), trainer(inference_mode=inference_mode)
    results[enable, inference_mode] = [
        outcome(run.fit, model, loader, loader),
        outcome(run.validate, model, loader, verbose=False),
    ]
    print(f"{enable=} {inference_mode=}", *results[enable, inference_mode], sep="\n  ")
assert all("does not require grad" in text for text in results[False, False])
assert results[True, True][0] == "works"
assert "does not require grad" in results[True, True][1]
assert results[True, False] == ["works", "works"]

# %%
# Which loop uses which mode?
# ---------------------------
# The validation inside ``fit()`` never uses the inference mode. So a
# ``validation_step()`` that computes a gradient works while you train, and fails in
# ``trainer.validate()``.


class Modes(Linear):
    def step(self, batch, index):
        inference = torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()
        self.seen.append("inference_mode" if inference else "no_grad")

    validation_step = test_step = predict_step = step


found = {}
for option in (True, False):
    for method in ("fit", "validate", "test", "predict"):
        model, run = Modes(), trainer(inference_mode=option)
        loaders = [loader] * (2 if method == "fit" else 1)
        getattr(run, method)(model, *loaders)
        (found[method, option],) = model.seen
        print(f"{method:10}inference_mode={option!s:7}{found[method, option]}")
inference = {key for key, mode in found.items() if mode == "inference_mode"}
assert inference == {("validate", True), ("test", True), ("predict", True)}
assert found["fit", True] == "no_grad"

# %%
# Only in one place
# -----------------
# To keep the inference mode for the rest, leave it for some lines with
# ``torch.inference_mode(False)``. The batch was made under the inference mode, so it is
# an inference tensor, which can't be set to require a gradient. Clone it.


class Local(Linear):
    def test_step(self, batch, index):
        (x,) = batch
        assert x.is_inference()
        with torch.inference_mode(False), torch.enable_grad():
            try:
                # Wrong: an inference tensor.
                x.requires_grad_()
            except RuntimeError as error:
                self.message = f"{type(error).__name__}: {error}"
            x = x.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self.net(x).sum(), x)
        self.seen.append(gradient.tolist())


model = Local()
trainer().test(model, loader, verbose=False)
print(model.message)
assert "Setting requires_grad=True on inference tensor" in model.message
assert model.seen == [model.net.weight.tolist() * 2]

# %%
# Where it ends
# -------------
# - ``autograd.grad()`` leaves the ``.grad`` of the parameters as it is. A
#   ``backward()`` in ``validation_step()`` adds to it. With automatic optimization that
#   is cleared before the next step. With manual optimization it is not.
# - With FSDP, gloo or XLA, Lightning takes ``no_grad()`` in place of the inference
#   mode. That is read in its source, and not run here.


class Leaves(Linear):
    def __init__(self, *, automatic):
        super().__init__()
        self.automatic_optimization = automatic

    def validation_step(self, batch, index):
        with torch.enable_grad():
            self.net(batch[0]).sum().backward()

    def training_step(self, batch, index):
        loss = self.net(batch[0]).sum()
        if not self.automatic_optimization:
            self.manual_backward(loss)
        return loss

    def on_before_optimizer_step(self, optimizer):
        self.seen.append(self.net.bias.grad.item())

    def on_train_batch_end(self, *arguments):
        if not self.automatic_optimization:
            self.seen.append(self.net.bias.grad.item())


for automatic in (True, False):
    model, run = Leaves(automatic=automatic), trainer(epochs=2)
    run.fit(model, loader, loader)
    print(f"automatic={automatic}: {model.seen}")
    assert (model.seen == [2, 2]) == automatic

# %%
# Related: :doc:`/gallery/modes/no_grad_inference_mode_enable_grad`,
# :doc:`/gallery/modes/inference_tensors_bite_later`,
# :doc:`/reference/errors/element_0_of_tensors_does_not_require_grad`,
# :doc:`/reference/errors/setting_requires_grad_true_on_inference_tensor`.
