"""
What no_grad() does not touch
=============================

It stops recording in its own thread, and that is all. Other threads go on recording,
and a tensor created inside with ``requires_grad=True`` requires a gradient.
"""

# %%
# requires_grad is True although I am under ``no_grad()``
# -------------------------------------------------------
# Take the same six tensors before the block, inside it and after it. ``no_grad()``
# changes one of them: the result of an operation in its own thread.
from concurrent.futures import ThreadPoolExecutor

import torch

w = torch.ones(2, requires_grad=True)


def snapshot():
    with ThreadPoolExecutor(1) as other_thread:
        elsewhere = other_thread.submit(torch.mul, w, 2).result()
    found = {
        "w * 2": w * 2,
        "w * 2 in a thread": elsewhere,
        "w": w,
        "ones(requires_grad=True)": torch.ones(2, requires_grad=True),
        "ones.requires_grad_()": torch.ones(2).requires_grad_(),
        "nn.Parameter(ones)": torch.nn.Parameter(torch.ones(2)),
    }
    return {name: tensor.requires_grad for name, tensor in found.items()}


flags = {"before": snapshot()}
with torch.no_grad():
    flags["no_grad()"] = snapshot()
flags["after"] = snapshot()
for name, flag in flags["no_grad()"].items():
    print(f"{name:26}{flag}")
assert all([*flags["before"].values(), *flags["after"].values()])
assert [name for name, flag in flags["no_grad()"].items() if not flag] == ["w * 2"]

# %%
# Does a model built under ``no_grad()`` train?
# ---------------------------------------------
# Yes. Creating a tensor is not an operation that could be recorded, and
# ``nn.Parameter`` requires a gradient by default. Inside the block, nothing that the
# layer computes is recorded. Outside, it trains like any other.
x = torch.ones(1, 2)
with torch.no_grad():
    layer = torch.nn.Linear(2, 1)
    assert not layer(x).requires_grad
layer(x).sum().backward()
assert layer.weight.grad.tolist() == [[1.0, 1.0]]


# %%
# How to switch recording off in a worker thread
# ----------------------------------------------
# Each thread has a mode of its own, and a new thread records. So enter the mode in the
# function that the worker runs. It does not leak out: the caller goes on recording. The
# flag of a tensor, however, is the same for all threads.
@torch.no_grad()
def evaluate():
    return w * 2


with ThreadPoolExecutor(1) as other_thread:
    assert not other_thread.submit(evaluate).result().requires_grad
    other_thread.submit(torch.set_grad_enabled, False).result()
    assert torch.is_grad_enabled()
    other_thread.submit(w.requires_grad_, False).result()
assert not w.requires_grad

# %% tags=["hide-input"]
# Each line is a tensor: before the block, inside it (grey) and after it. Solid: it
# requires a gradient. Dashed, with crosses: it does not. One line of six breaks.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.axvspan(1, 2, fc="0.93")
for place, row in enumerate(flags.values()):
    for name, flag in row.items():
        look = "C0-" if flag else "C2--x"
        ax.plot([place, place + 1], [name, name], look, lw=3, ms=9)
ax.set_xticks([0.5, 1.5, 2.5], flags)
ax.invert_yaxis()
plt.show()

# %%
# Freeze a layer with ``requires_grad_(False)``. To switch recording off in several
# threads, enter ``no_grad()`` in each.
#
# Related: :doc:`no_grad_inference_mode_enable_grad`, :doc:`views_under_no_grad_lie`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`. Source: :torch:`torch.no_grad`.
