"""
Freezing the last layers may save no memory, freezing the first does
====================================================================

For ``backward()``, autograd keeps what it takes to get from the loss back to the first
layer that trains. :py:func:`gradguide.saved` measures it on the loss that you have.
"""

# %%
# What does autograd keep?
# ------------------------
# The input and the outputs of six layers, each of shape ``(512, 64)``: seven times
# 128 KiB. The weights are there anyway: pass ``model``, and they are not counted.
import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
from gradguide import describe, saved

torch.manual_seed(0)
blocks = (nn.Sequential(nn.Linear(64, 64), nn.Tanh()) for _ in range(6))
model = nn.Sequential(*blocks)
images = torch.randn(512, 64)
loss = model(images).mean()
print(saved(loss, model))
assert saved(loss, model).bytes == 7 * 512 * 64 * 4

# %%
# Which layers should I freeze?
# -----------------------------
# Freeze a part, such as ``model[3:]``, run the forward again, and measure. What counts
# is the first layer that still trains: to reach it, ``backward()`` has to come through
# all that follow.
parts = {
    "[6:]": slice(6, 6),
    "[3:]": slice(3, 6),
    "[1:]": slice(1, 6),
    "[:3]": slice(3),
    "[:5]": slice(5),
    "[:6]": slice(6),
}
kept = {}
for name, part in parts.items():
    model[part].requires_grad_(False)
    kept[name] = saved(model(images).mean(), model).bytes // 1024
    model.requires_grad_(True)
print(kept)
assert list(kept.values()) == [896, 896, 896, 512, 256, 0]

# %% tags=["hide-input"]
# Six layers in front of the loss (diamond), some trained (open) and some frozen
# (hatched). The bar is what autograd keeps. It stays full while the first layer trains,
# even with five of six frozen.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
box = {"s": 150, "fc": "none", "lw": 2}
for name, part in parts.items():
    for layer in range(6):
        is_frozen = layer in range(6)[part]
        look = {"ec": "C1", "hatch": "//////"} if is_frozen else {"ec": "C0"}
        ax.scatter(layer, name, marker="s", **box, **look)
    ax.scatter(6, name, marker="D", ec="C3", **box)
    ax.barh(name, kept[name] / 150, left=7, height=0.6, color="lightgray")
    ax.text(7, name, f" {kept[name]} KiB", va="center")
ax.set_xticks(range(7), [*range(6), "loss"])
ax.tick_params(length=0)
ax.set_frame_on(False)
ax.invert_yaxis()
plt.show()

# %%
# Does freezing the last layers never help?
# -----------------------------------------
# It does if the activation keeps its input. ``Tanh``, like ``ReLU``, keeps its result,
# which is the input of the next ``Linear`` as well: a frozen ``Linear`` lets go of it,
# and ``Tanh`` still holds it. ``GELU`` keeps its input. So there are two tensors per
# layer, and a frozen ``Linear`` saves one of them.
blocks = (nn.Sequential(nn.Linear(64, 64), nn.GELU()) for _ in range(6))
gelus = nn.Sequential(*blocks)
all_train = saved(gelus(images).mean(), gelus).bytes // 1024
gelus[1:].requires_grad_(False)
last_frozen = saved(gelus(images).mean(), gelus).bytes // 1024
print(all_train, last_frozen)
assert (all_train, last_frozen) == (1536, 896)

# %%
# Why does memory grow from batch to batch?
# -----------------------------------------
# Because something holds the losses, such as a list. A loss holds its graph, and the
# graph holds what was saved. :py:func:`gradguide.describe` tells how much one tensor
# holds, ``saved`` a whole list. The input is the same each time and counts once.
history = [model(images).mean() for _ in range(10)]
print(describe(history[0]))
print(saved(history, model))
assert saved(history, model).bytes == (1 + 10 * 6) * 128 * 1024

# %%
# ``backward()`` frees the memory. The nodes stay for as long as the list does, and a
# second backward finds nothing to work with.
for loss in history:
    loss.backward()
print(describe(history[0]))
print(saved(history, model))
assert "0 B saved by 202 nodes" in str(saved(history, model))
try:
    history[0].backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a second backward ran through a freed graph")

# %%
# In training such a list costs little. In validation no backward frees anything, and
# all that was saved stays. A detached loss holds no graph.
losses = [loss.detach() for loss in history]
print(saved(losses, model))
assert saved(losses, model).nodes == 0

# %%
# Freeze from the first layer on. Log ``loss.detach()``. Validate under ``no_grad()``.
#
# Related: :doc:`read_a_graph`, :doc:`will_it_really_stay_frozen`,
# :doc:`/gallery/three-ways/no_grad_stops_recording`.
