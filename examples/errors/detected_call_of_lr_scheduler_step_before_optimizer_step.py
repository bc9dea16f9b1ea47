"""
``Detected call of lr_scheduler.step() before optimizer.step()``
================================================================

Call ``optimizer.step()``, then ``scheduler.step()``. If the order is right,
``GradScaler`` skipped the step, or the scheduler is that of another optimizer.
"""

# %%
import torch

net, x = torch.nn.Linear(2, 1), torch.ones(1, 2)
for is_right in (False, True):
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    rates = []
    for _ in range(3):
        net(x).sum().backward()
        # Wrong: before the step of the optimizer. Right: after it.
        if not is_right:
            scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if is_right:
            scheduler.step()
    print(rates)
    assert rates == ([1, 0.5, 0.25] if is_right else [0.5, 0.25, 0.125])

# %%
# The loss does not go down: only ``scheduler.step()`` is called
# --------------------------------------------------------------
# ``scheduler.step()`` does not call ``optimizer.step()``. It only writes a new learning
# rate into ``optimizer.param_groups``. In ``if scheduler: scheduler.step()`` with
# ``else: optimizer.step()``, no weight is ever updated as soon as there is a scheduler.
# Call both: ``optimizer.step()`` after each ``backward()``, then ``scheduler.step()``,
# after each batch for ``OneCycleLR`` and schedules that count steps (warm-up), and once
# per epoch for those that count epochs. The warning is shown here, too, but not by
# ``ReduceLROnPlateau``.
import warnings


def trained(*, both, plateau=False):
    net = torch.nn.Linear(2, 1)
    optimizer, before = torch.optim.SGD(net.parameters(), lr=1.0), net.weight.clone()
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    if plateau:
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            optimizer.zero_grad()
            net(x).sum().backward()
            if both:
                optimizer.step()
            scheduler.step(*[1.0] if plateau else [])
    rate = optimizer.param_groups[0]["lr"]
    return not torch.equal(net.weight, before), rate, len(caught)


# Wrong: without optimizer.step(). Right: with both.
print(trained(both=False), trained(both=True))
assert trained(both=False) == (False, 0.125, 1)
assert trained(both=True) == (True, 0.125, 0)
# No warning.
assert trained(both=False, plateau=True) == (False, 1.0, 0)

# %%
# The order is right, and a ``GradScaler`` is used (AMP, ``fp16``)
# ----------------------------------------------------------------
# ``scaler.step(optimizer)`` leaves out ``optimizer.step()`` if a gradient is ``inf`` or
# ``nan``. With the large scale at the beginning that is normal, and the warning is
# harmless: the schedule is a few steps ahead. To be exact, step the scheduler only if
# the scale has not become smaller. Accelerate and the ``Trainer`` of transformers ask
# for this themselves (`scheduler.py
# <https://github.com/huggingface/accelerate/blob/main/src/accelerate/scheduler.py>`__);
# Lightning shows the warning (`issue 5558
# <https://github.com/Lightning-AI/pytorch-lightning/issues/5558>`__, both read, not
# run).


def train(exact):
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    scaler = torch.amp.GradScaler("cpu")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # The first gradient is infinite, as after an overflow.
        for factor in (torch.inf, 1.0):
            optimizer.zero_grad()
            scaler.scale(net(x).sum() * factor).backward()
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if not exact or scaler.get_scale() >= scale:
                scheduler.step()
    texts = [str(warning.message) for warning in caught]
    return any("Detected call of" in text for text in texts), scheduler.last_epoch


print(train(exact=False), train(exact=True))
assert train(exact=False) == (True, 2)
assert train(exact=True) == (False, 1)

# %%
# The scheduler belongs to another optimizer
# ------------------------------------------
# After unfreezing, a new optimizer was created, and the scheduler still changes the
# rates of the old one, which is never stepped. The rate of the new one then stays
# constant: create a new scheduler, too. The reverse holds for a GAN: with two
# optimizers you need two schedulers.
old = torch.optim.SGD(net.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.ExponentialLR(old, gamma=0.5)
optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    # Wrong: the scheduler of the old optimizer.
    optimizer.step()
    scheduler.step()
print(len(caught), old.param_groups[0]["lr"], optimizer.param_groups[0]["lr"])
assert "Detected call of" in str(caught[0].message)
assert optimizer.param_groups[0]["lr"] == 1
# Right: a scheduler of the optimizer that is used.
assert scheduler.optimizer is not optimizer
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
optimizer.step()
scheduler.step()
print(optimizer.param_groups[0]["lr"])
assert optimizer.param_groups[0]["lr"] == 0.5

# %%
# What else leads to it
# ---------------------
# - Gradient accumulation: the scheduler is stepped for each small batch, the optimizer
#   for each fourth one. Put both into the same ``if``.
# - A resumed run calls ``scheduler.step()`` until the epoch is reached. Save
#   ``scheduler.state_dict()`` and load it.
# - ``Seems like `optimizer.step()` has been overridden after learning rate scheduler
#   initialization``: something replaced ``optimizer.step`` after the scheduler had been
#   created. Wrap the optimizer first, then create the scheduler.
#
# Only the call counts: ``optimizer.step()`` without any gradient, because everything is
# frozen, is a step, too. And the scheduler looks only once, at its first step.
net.zero_grad()


def warned(*, replace=False):
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    if replace:
        optimizer.step = lambda: None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        optimizer.step()
        scheduler.step()
        scheduler.step()
    return [str(warning.message) for warning in caught]


assert warned() == []
(text,) = warned(replace=True)
print(text.split(".")[0])
assert text.startswith("Seems like `optimizer.step()` has been overridden")

# %%
# ``ReduceLROnPlateau.step() missing 1 required positional argument: 'metrics'``
# ------------------------------------------------------------------------------
# This scheduler decides by a number: ``scheduler.step(validation_loss)``, once per
# epoch, after the validation. ``mode="max"`` is for an accuracy. Pass a number or
# ``loss.detach()``, not the training loss of one batch. In Lightning, name it:
# ``{"scheduler": scheduler, "monitor": "val_loss"}`` (read, not run). Other texts of
# schedulers: ``unexpected keyword argument 'verbose'``, which was removed, so print
# ``scheduler.get_last_lr()``; ``To get the last learning rate computed by the
# scheduler, please use get_last_lr()`` is about ``get_lr()``; ``list is not an
# Optimizer``: the scheduler got ``param_groups``.
optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
texts = []
for wrong in (
    plateau.step,
    lambda: torch.optim.lr_scheduler.StepLR(optimizer.param_groups, 1),
):
    try:
        wrong()
    except TypeError as error:
        texts.append(str(error))
    else:
        raise AssertionError("it ran")
print(*texts, sep="\n")
assert texts[0].endswith("missing 1 required positional argument: 'metrics'")
assert texts[1] == "list is not an Optimizer"
rates = []
for validation_loss in (1.0, 1.0, 1.0):  # right
    optimizer.step()
    plateau.step(validation_loss)
    rates.append(plateau.get_last_lr()[0])
print([round(rate, 3) for rate in rates])
assert rates[1] == 1
assert round(rates[2], 3) == 0.1

# %%
# Read on: :doc:`/gallery/beyond/schedulers_after_add_param_group`,
# :doc:`/gallery/beyond/mixed_precision`.
