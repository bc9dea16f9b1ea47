"""
Freezing saves activations only before the first layer that trains
==================================================================

Gradients and optimizer state shrink with every frozen layer. What is kept for
``backward()`` need not: freeze five of six layers, and of 896 KiB either 256 remain, or
all.
"""

# %%
# How do I measure the memory that autograd keeps?
# ------------------------------------------------
# With a hook that is called for each tensor saved for ``backward()``. Several of them
# may share one piece of memory: count it once, and leave out the weights, which exist
# anyway.
import weakref

import torch
from torch import nn

torch.manual_seed(0)
blocks = (nn.Sequential(nn.Linear(128, 128), nn.ReLU()) for _ in range(6))
model = nn.Sequential(*blocks)
x = torch.randn(256, 128)
weights = {p.data_ptr() for p in model.parameters()}


def step(forward, frozen=slice(0)):
    model[frozen].requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters())
    sizes, views = {}, []

    def pack(tensor):
        view = tensor.detach()
        memory = view.untyped_storage()
        if memory.data_ptr() not in weights:
            sizes[memory.data_ptr()] = memory.nbytes()
            views.append(weakref.ref(view))
        return view

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda view: view):
        output = forward()
    stays = any(view() is not None for view in views)
    if output.requires_grad:
        output.sum().backward()
        optimizer.step()
    gradients = sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    averages = sum(t.nbytes for s in optimizer.state.values() for t in s.values())
    model.requires_grad_(True).train().zero_grad()
    return gradients // 1024, averages // 1024, sum(sizes.values()) // 1024, stays


# %%
# Which layers should I freeze to save memory?
# --------------------------------------------
# "The more you freeze, the less memory you need" is often heard. It holds for ``.grad``
# and for the two averages that Adam keeps of it. What is saved for ``backward()``
# depends on where you freeze. In KiB, for one training step each:
kib = {
    "all train": step(lambda: model(x)),
    "first 5 frozen": step(lambda: model(x), slice(5)),
    "last 5 frozen": step(lambda: model(x), slice(1, 6)),
    "all frozen": step(lambda: model(x), slice(6)),
    "all frozen, x.grad": step(lambda: model(x.clone().requires_grad_()), slice(6)),
    "no_grad()": step(lambda: torch.no_grad()(model)(x)),
    "model(x).detach()": step(lambda: model(x).detach()),
    "model.eval()": step(lambda: model.eval()(x)),
}
print(f"{'':20}.grad  Adam  saved")
for name, (gradients, averages, saved, _) in kib.items():
    print(f"{name:20}{gradients:5} {averages:5} {saved:6}")
assert [row[2] for row in kib.values()] == [896, 256, 896, 0, 768, 0, 896, 896]
assert kib["first 5 frozen"][:2] == kib["last 5 frozen"][:2] == (64, 129)
assert kib["all train"] == kib["model.eval()"] == (387, 774, 896, True)

# %% tags=["hide-input"]
# Gradients (open), Adam (hatched) and what is saved for ``backward()`` (filled). With
# the last five layers frozen, the filled bar is as long as with none, and ``eval()``
# changes nothing at all.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
looks = {
    ".grad": {"fc": "none", "ec": "C0", "lw": 2},
    "Adam": {"fc": "none", "ec": "C0", "hatch": "////"},
    "saved": {"fc": "C3", "ec": "C3"},
}
for part, (label, look) in enumerate(looks.items()):
    left = [sum(row[:part]) for row in kib.values()]
    width = [row[part] for row in kib.values()]
    ax.barh(list(kib), width, left=left, height=0.6, label=label, **look)
for name, row in kib.items():
    ax.text(sum(row[:3]) + 30, name, sum(row[:3]), va="center")
ax.set(xlabel="KiB", xlim=(0, 2400))
ax.tick_params(axis="y", length=0)
ax.legend(loc="center right")
ax.invert_yaxis()
plt.show()

# %%
# Why do the last five save nothing?
# ----------------------------------
# A frozen ``Linear`` does not keep its input. But the gradient of the first layer comes
# back through every ``ReLU``, and each of them keeps its result, which is the input of
# the next layer. In the same network without ``ReLU``, only the input of the first
# layer is kept: 128 KiB.
linears = nn.Sequential(*(block[0] for block in model))
assert step(lambda: linears(x), slice(1, 6))[2] == 128

# %%
# Does ``detach()`` after the forward save memory?
# ------------------------------------------------
# Not at the peak: by then everything is kept. It is freed as soon as no result with a
# graph is left. Under ``no_grad()`` it is never kept.
assert kib["model(x).detach()"] == (0, 0, 896, False)
assert kib["no_grad()"] == (0, 0, 0, False)

# %%
# Freeze from the input on, and run what is not to learn under ``no_grad()``. If the
# input itself requires a gradient, even a frozen network keeps its activations.
#
# Related: :doc:`frozen_layers_that_keep_their_input`, :doc:`work_that_freezing_saves`,
# :doc:`/gallery/diagnose/where_did_the_memory_go`. Source: :torch:`Hooks for saved
# tensors <notes/autograd.html#hooks-for-saved-tensors>`.
