"""
``unscale_() has already been called on this optimizer``
========================================================

Between two calls of ``scaler.update()``, each optimizer may be unscaled only once.
With gradient accumulation: call ``backward()`` for every part, and only for the real
step call ``unscale_()``, clip, and call ``step()`` and ``update()``.
"""

# %%
import torch

net, x = torch.nn.Linear(2, 1), torch.ones(1, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu")
scaler.scale(net(x).sum()).backward()
scaler.unscale_(optimizer)
try:
    # Wrong: a second time before update().
    scaler.unscale_(optimizer)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the scaler unscaled twice")
# Right: once, after the last part.
optimizer.zero_grad()
scaler.update()
for _ in range(2):
    scaler.scale(net(x).sum() / 2).backward()
scaler.unscale_(optimizer)
print(torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0))
scaler.step(optimizer)
scaler.update()
assert net.bias.grad.allclose(torch.tensor(1 / 3**0.5))

# %%
# A step is skipped
# -----------------
# A ``continue`` between ``unscale_()`` and ``update()``, for instance because the norm
# is too large, leads to the same error in the next iteration. Leave out ``step()``
# alone, and call ``update()`` in every case.
for leave_out_update in (False, True):
    for _ in range(2):
        optimizer.zero_grad()
        scaler.scale(net(x).sum()).backward()
        try:
            scaler.unscale_(optimizer)
            found = "no error"
        except RuntimeError as error:
            found = str(error)
        if not leave_out_update:
            scaler.update()
    print(leave_out_update, found.split(" on ")[0])
    assert (found == "no error") != leave_out_update

# %%
# You may meet it in the Trainer of transformers, although you don't call ``unscale_()``
# yourself. With ``gradient_accumulation_steps`` above 1, versions of 2023 left out the
# step at the end of an epoch. Upgrade transformers and accelerate (`transformers 23935
# <https://github.com/huggingface/transformers/issues/23935>`__; not run here).

# %%
# Accelerate: ``accelerator.clip_grad_norm_()`` inside ``accumulate()`` (``fp16``)
# --------------------------------------------------------------------------------
# In ``fp16``, ``accelerator.clip_grad_norm_()`` calls ``unscale_()`` for each prepared
# optimizer, and ``optimizer.step()`` leads to ``update()`` only in the last batch of a
# group. So the second batch raises the error. Clip only there: put ``if
# accelerator.sync_gradients:`` before ``accelerator.clip_grad_norm_(...)``, and do the
# same for ``clip_grad_value_()`` and ``unscale_gradients()``. ``step()`` and
# ``zero_grad()`` need no condition, because they do nothing in the other batches. Call
# ``zero_grad()`` after ``step()``: at the beginning of the block, it clears in the last
# batch what the batches before have added, and you train with the last batch only.
#
# This was tried with Accelerate 1.15 and a ``GradScaler`` on the CPU. In ``bf16`` and
# without mixed precision there is no scaler, and no error tells you that each batch is
# clipped. The same loop in plain PyTorch:


def four_batches(*, clip_each=False, clear_first=False):
    torch.manual_seed(0)
    net, gradients = torch.nn.Linear(1, 1), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    for batch in range(4):
        # What accelerator.sync_gradients says.
        sync_gradients = batch % 2 == 1
        if sync_gradients and clear_first:
            optimizer.zero_grad()
        scaler.scale(net(torch.full((1, 1), 1.0 + batch)).sum()).backward()
        if clip_each or sync_gradients:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 100.0)
        if sync_gradients:
            gradients.append(net.weight.grad.item())
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    return gradients


try:
    # Wrong: clipped in each batch.
    four_batches(clip_each=True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the scaler unscaled twice")
assert message.startswith("unscale_() has already been called on this optimizer")
# Right: clipped in the last batch of a group, and cleared after the step.
right = four_batches()
# Wrong, without an error: the first batch of each group is lost.
lost = four_batches(clear_first=True)
print(right, lost)
assert right == [1 + 2, 3 + 4]
assert lost == [2, 4]

# %%
# Where does ``clip_grad_norm_()`` belong, before or after ``backward()``?
# ------------------------------------------------------------------------
# Gradient clipping comes after ``backward()`` and before ``step()``. It changes what is
# in ``.grad`` at that moment. Before ``backward()`` that is nothing, or the gradient of
# the last step: ``clip_grad_norm_()`` returns 0, or the old norm, and the new gradient
# is not clipped. After ``step()`` it is too late for this step.
#
# With a ``GradScaler``, call ``scaler.unscale_(optimizer)`` first, or the scaled
# gradient is clipped. With gradient accumulation, clip once, before ``step()``: if you
# clip after each part, a part with a large gradient counts for less.
weight = torch.zeros(2, requires_grad=True)
sgd = torch.optim.SGD([weight], lr=0.1)
clip = torch.nn.utils.clip_grad_norm_
# Wrong: there is no gradient yet.
norm = clip([weight], 1.0)
(30 * weight[0]).backward()
print(norm, weight.grad)
assert norm == 0
assert weight.grad.tolist() == [30, 0]
# Right: after backward(), before step().
norm = clip([weight], 1.0)
print(norm, weight.grad)
sgd.step()
assert norm == 30
assert weight.allclose(torch.tensor([-0.1, 0.0]))


def accumulated(*, each):
    sgd.zero_grad()
    for loss in (3 * weight[0], 1 * weight[1]):
        loss.backward()
        if each:
            clip([weight], 1.0)
    clip([weight], 1.0)
    return weight.grad.clone()


# Clipped once, the parts stay at 3 to 1. Clipped after each, they are 1 to 1.
once, each = accumulated(each=False), accumulated(each=True)
print(once, each)
assert (once[0] / once[1]).allclose(torch.tensor(3.0))
assert (each[0] / each[1]).allclose(torch.tensor(1.0))
# Without unscale_(), the norm is that of the scaled gradient.
sgd.zero_grad()
scaler = torch.amp.GradScaler("cpu")
scaler.scale(30 * weight[0]).backward()
assert clip([weight], 1.0) == 30 * scaler.get_scale()

# %%
# ``unscale_()`` after ``step()``
# -------------------------------
# ``step()`` unscales by itself if you have not done so. So without clipping you don't
# need ``unscale_()``. After ``step()`` it raises another error, and so does a second
# ``step()``: only ``update()`` ends the iteration. With several optimizers, call
# ``update()`` once, after the last ``step()``.
scaler = torch.amp.GradScaler("cpu")
optimizer.zero_grad()
scaler.scale(net(x).sum()).backward()
scaler.step(optimizer)
assert net.bias.grad.item() == 1
messages = []
for method in (scaler.unscale_, scaler.step):
    try:
        method(optimizer)
    except RuntimeError as error:
        messages.append(str(error))
print(messages)
assert messages == [
    "unscale_() is being called after step().",
    "step() has already been called since the last update().",
]
scaler.update()

# %%
# ``backward()`` after ``unscale_()``
# -----------------------------------
# That raises no error, but it adds a scaled gradient to one that is unscaled. The sum
# is wrong.
optimizer.zero_grad()
scaler.scale(net(x).sum()).backward()
scaler.unscale_(optimizer)
scaler.scale(net(x).sum()).backward()
print(net.bias.grad.item(), scaler.get_scale())
assert net.bias.grad.item() == 1 + scaler.get_scale()

# %%
# Read on: :doc:`/gallery/beyond/mixed_precision`,
# :doc:`/gallery/graph/gradients_accumulate`.
