"""
``No inf checks were recorded prior to update``
===============================================

Since the last ``scaler.update()``, neither ``scaler.step()`` nor ``scaler.unscale_()``
has checked a gradient. Call ``update()`` once, after ``scaler.step(optimizer)``. With
Accelerate, do not call it: the prepared optimizer does.
"""

# %%
import torch

net = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu")
scaler.scale(net(torch.ones(1, 2)).sum()).backward()
try:
    # Wrong: update() without step().
    scaler.update()
except AssertionError as error:
    print(f"AssertionError: {error}")
else:
    raise AssertionError("the scaler had checked a gradient")
# Right: both, in this order.
before = net.bias.item()
scaler.step(optimizer)
scaler.update()
print(round(before - net.bias.item(), 4))
assert net.bias.item() != before

# %%
# Which calls lead to it?
# -----------------------
# - ``update()`` is called twice, for instance once for each of two optimizers that have
#   both stepped before. One ``update()`` after all steps is enough.
# - In gradient accumulation, ``update()`` is called for each small batch, but
#   ``step()`` is not. Put both into the same ``if``.
# - ``optimizer.step()`` is called in place of ``scaler.step(optimizer)``. It also
#   applies the scaled gradient, which is 65536 times too large at first.
# - Another scaler has made the step.
# - All parameters of the optimizer are frozen, so ``unscale_()`` finds no gradient.
#   Then leave out both ``step()`` and ``update()``.


def backward(scaler):
    net.zero_grad()
    scaler.scale(net(torch.ones(1, 2)).sum()).backward()


def update_twice(scaler):
    backward(scaler)
    scaler.step(optimizer)
    scaler.update()
    scaler.update()


def update_for_each_batch(scaler):
    for batch in range(2):
        backward(scaler)
        if batch == 1:
            scaler.step(optimizer)
        scaler.update()


def step_of_the_optimizer(scaler):
    backward(scaler)
    optimizer.step()
    scaler.update()


def another_scaler(scaler):
    backward(scaler)
    scaler.step(optimizer)
    other = torch.amp.GradScaler("cpu")
    other.scale(torch.ones(1))
    other.update()


def all_frozen(scaler):
    net.zero_grad()
    net.requires_grad_(False)
    head = torch.nn.Linear(1, 1)
    scaler.scale(head(net(torch.ones(1, 2))).sum()).backward()
    scaler.unscale_(optimizer)
    net.requires_grad_(True)
    scaler.update()


mistakes = (
    update_twice,
    update_for_each_batch,
    step_of_the_optimizer,
    another_scaler,
    all_frozen,
)
for mistake in mistakes:
    before = net.bias.item()
    try:
        mistake(torch.amp.GradScaler("cpu"))
    except AssertionError as error:
        message = str(error)
    else:
        raise AssertionError("the scaler had checked a gradient")
    assert message == "No inf checks were recorded prior to update."
    if mistake is step_of_the_optimizer:
        print(round(before - net.bias.item(), 1))
        assert before - net.bias.item() > 6000

# %%
# With Accelerate
# ---------------
# ``optimizer.step()`` of a prepared optimizer calls ``scaler.step()`` and
# ``scaler.update()`` (`optimizer.py
# <https://github.com/huggingface/accelerate/blob/main/src/accelerate/optimizer.py>`__),
# and ``accelerator.backward()`` scales the loss. A second ``update()`` of
# ``accelerator.scaler`` raises the error: `there is no situation
# <https://github.com/huggingface/accelerate/issues/357>`__ in which you need to call
# that scaler. Accelerate scales with ``fp16`` on a GPU only, so this is its optimizer
# with a scaler of the CPU.
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer

accelerator = Accelerator(cpu=True)
scaler = torch.amp.GradScaler("cpu")
net = torch.nn.Linear(2, 1)
prepared = AcceleratedOptimizer(torch.optim.SGD(net.parameters(), 0.1), scaler=scaler)
backward(scaler)
before = net.bias.item()
prepared.step()
print(round(before - net.bias.item(), 4))
assert round(before - net.bias.item(), 4) == 0.1
try:
    scaler.update()
except AssertionError as error:
    message = str(error)
else:
    raise AssertionError("step() did not update the scaler")
assert message == "No inf checks were recorded prior to update."

# %%
# What is no reason
# -----------------
# - A gradient with ``inf`` or ``nan`` is checked, too. ``step()`` does nothing then,
#   and ``update()`` halves the scale.
# - ``unscale_()`` alone is enough for ``update()``, if it finds a gradient.
# - With ``enabled=False``, ``update()`` raises nothing.
# - Before the first ``scale()``, the message is ``Attempted update but _scale is
#   None``.
scaler = torch.amp.GradScaler("cpu")
backward(scaler)
net.bias.grad.fill_(torch.inf)
before = net.bias.item(), scaler.get_scale()
scaler.step(torch.optim.SGD(net.parameters(), lr=0.1))
scaler.update()
assert (net.bias.item(), 2 * scaler.get_scale()) == before
backward(scaler)
scaler.unscale_(torch.optim.SGD(net.parameters(), lr=0.1))
scaler.update()
torch.amp.GradScaler("cpu", enabled=False).update()
try:
    torch.amp.GradScaler("cpu").update()
except AssertionError as error:
    message = str(error)
else:
    raise AssertionError("there was a scale")
assert message.startswith("Attempted update but _scale is None")

# %%
# ``GradScaler is enabled, but CUDA is not available. Disabling.``
# ----------------------------------------------------------------
# A warning. The scaler then does nothing, and ``scaler.step(optimizer)`` is
# ``optimizer.step()``: on a machine without a GPU, the loop runs as it is. On a machine
# with one, PyTorch was installed without CUDA. ``torch.cuda.amp.GradScaler(args...) is
# deprecated`` and ``torch.cuda.amp.autocast(args...) is deprecated`` are only about the
# name: write ``torch.amp.GradScaler("cuda")`` and ``torch.autocast("cuda")``. They
# don't explain a loss of ``nan`` or a slow training.
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    scaler = torch.amp.GradScaler("cuda")
print(*[str(warning.message) for warning in caught])
if not torch.cuda.is_available():
    assert "is enabled, but CUDA is not available" in str(caught[0].message)
    assert not scaler.is_enabled()
    backward(scaler)
    scaler.step(torch.optim.SGD(net.parameters(), lr=0.1))
    scaler.update()

# %%
# Read on: :doc:`no_inf_checks_were_recorded_for_this_optimizer`,
# :doc:`/gallery/beyond/mixed_precision`,
# :doc:`/gallery/recipes/freeze_in_gradient_accumulation`.
