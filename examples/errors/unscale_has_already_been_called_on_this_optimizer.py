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
