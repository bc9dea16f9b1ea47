"""
Freezing five of six layers saves 59% of the work, or only 29%
==============================================================

It depends on which five. If the first layers are frozen, the backward pass does not
reach them. If the last ones are, the gradient must still come through them.
"""

# %%
# The floating-point operations of a training step, with five of six layers frozen.
import torch
from torch.nn import Linear, ReLU, Sequential
from torch.utils.flop_counter import FlopCounterMode

blocks = [Sequential(Linear(128, 128), ReLU()) for _ in range(6)]
model, x = Sequential(*blocks), torch.randn(256, 128)
parts = {"none": model[:0], "last 5": model[1:], "first 5": model[:5]}
megaflops = []
for name, frozen in parts.items():
    model.requires_grad_(True)
    frozen.requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    megaflops.append(round(counter.get_total_flops() / 1e6, 1))
    print(f"{name} frozen: {megaflops[-1]} MFLOP")
assert megaflops == [142.6, 100.7, 58.7]
savings = [round(100 - n / 1.426) for n in megaflops]
assert savings == [0, 29, 59]

# %% tags=["hide-input"]
# Where does the work go?
# -----------------------
# ``FlopCounterMode`` adds up the matrix multiplications. One of them, a batch of shape
# ``(256, 128)`` with a weight of shape ``(128, 128)``, is 8.4 million operations. The
# folded code counts them for each layer.
import itertools

from torch.utils.checkpoint import checkpoint

one = 2 * 256 * 128 * 128
assert round(one / 1e6, 1) == 8.4


def multiplications(trains, batch=x):
    for layer, block in enumerate(model):
        block.requires_grad_(layer in trains)
    return count(batch)


def count(batch=x):
    with FlopCounterMode(display=False) as counter:
        output = model(batch)
        if output.requires_grad:
            output.sum().backward()
    flops = counter.get_flop_counts()
    return [sum(flops[f"Sequential.{layer}"].values()) / one for layer in range(6)]


trained = {
    "all train": range(6),
    "first 5 frozen": [5],
    "last 5 frozen": [0],
    "all frozen": [],
}
work = {name: multiplications(trains) for name, trains in trained.items()}
for name, row in work.items():
    print(f"{name:15}{sum(row):2.0f} * {one} = {sum(row) * one / 1e6:.1f} MFLOP")
assert [sum(row) for row in work.values()] == [17, 7, 12, 6]

# %% tags=["hide-input"]
# Each box is one matrix multiplication: for the output of a layer (gray), for the
# gradient of its weight (open), or for the gradient of its input, which goes on to
# earlier layers (dotted). With the last five frozen, five open boxes are gone. With the
# first five frozen, the dotted ones are gone, too.
import matplotlib.pyplot as plt

_, axes = plt.subplots(2, 2, figsize=(6, 4), layout="constrained", sharey=True)
dotted = {"fc": "none", "ec": "C3", "hatch": "...."}
for ax, (name, trains) in zip(axes.flat, trained.items(), strict=True):
    for layer, boxes in enumerate(work[name]):
        ax.bar(layer, 1, fc="lightgray", ec="C1")
        own = int(layer in trains)
        ax.bar(layer, own, bottom=1, fc="none", ec="C0", lw=2)
        ax.bar(layer, boxes - 1 - own, bottom=1 + own, **dotted)
    ax.set(title=f"{name}: {sum(work[name]):.0f}", xticks=range(6), yticks=range(4))
    ax.tick_params(length=0)
plt.show()

# %%
# What is the rule?
# -----------------
# One multiplication for the output, one more if the layer's weight trains, one more if
# any layer before it trains. This holds for all 64 ways to freeze some of six layers.
for flags in itertools.product([False, True], repeat=6):
    row = multiplications([layer for layer in range(6) if flags[layer]])
    assert row == [1 + flags[layer] + any(flags[:layer]) for layer in range(6)]

# %%
# Is it cheap to train only a few parameters?
# -------------------------------------------
# It takes little memory for gradients, but not always little work. The bias of the
# first layer alone costs 11 of 17 multiplications, because its gradient has to come all
# the way back. The bias of the last costs 6, as many as the forward alone: its gradient
# is a sum.
model.requires_grad_(False)
model[0][0].bias.requires_grad_(True)
assert sum(count()) == 11
model.requires_grad_(False)
model[5][0].bias.requires_grad_(True)
assert sum(count()) == sum(work["all frozen"]) == 6
assert sum(work["all train"]) == 17

# %%
# Why does a larger batch not shorten the epoch?
# ----------------------------------------------
# An epoch has the same samples, and so the same work, whatever the batch size and
# whatever is frozen: larger batches are fewer steps, and each takes longer. They save
# time only as long as the GPU is not busy. If it waits for data instead, for example
# for videos that are decoded, neither a larger batch nor freezing helps: compare the
# time of the data loader with the time of the step. (Nothing was timed here.)
model.requires_grad_(True)
model[:5].requires_grad_(False)
epochs = [sum(sum(count(batch)) for batch in x.split(n)) for n in (32, 64, 256)]
print(epochs)
assert epochs == [7, 7, 7]

# %%
# An epoch takes as long as before, although the backbone is frozen
# -----------------------------------------------------------------
# Freezing saves at most the backward pass of the backbone, about two thirds of the work
# of the network, and what the optimizer does for it (with a batch of 2 and three layers
# of width 1024, AdamW took longer than forward and backward together, measured on a
# CPU). Its forward stays, and so does all the rest of a step: loading and augmenting
# the data, copying, the loss, the evaluation. If the data take 70% of the time, a
# frozen backbone can save 20%, not 65%. Measure a step without the network, and one
# with it. What helps then: more workers, smaller images on disk, or features that are
# computed once, which saves the forward and the loading
# (:doc:`/gallery/recipes/feature_cache`). If the network takes most of the time and
# nothing is faster, something before the frozen part trains:
# :doc:`frozen_and_still_expensive`. The share of the time that is left if the data and
# the network work one after the other:
saved_work = 1 - sum(work["first 5 frozen"]) / sum(work["all train"])
left = {data: 1 - (1 - data) * saved_work for data in (0.0, 0.3, 0.7, 0.9)}
for data, share in left.items():
    print(f"data {data:.0%}: {share:.0%} of the time are left")
assert round(left[0.0], 2) == 0.41
assert round(left[0.7], 2) == 0.82

# %%
# Does freezing make inference faster, or the model or its file smaller?
# ----------------------------------------------------------------------
# No. Under ``no_grad()`` it makes no difference to the forward whether the weights were
# frozen, the number of parameters is the same, and the file has all weights. (Without
# ``no_grad()``, a frozen model records no graph, and ``nn.TransformerEncoder`` in
# ``eval()`` takes its fast path:
# :doc:`/gallery/still-moves/freezing_changed_my_transformer`.) What makes inference
# faster is ``no_grad()`` or ``inference_mode()``, half precision, ``torch.compile``,
# folding batch norm into convolutions, or a smaller network. (``torch.jit.freeze()``
# only shares the name: it makes constants of the weights of a scripted model in
# ``eval()``, and can be faster.) To save only what was trained:
# :doc:`/gallery/beyond/saving_and_copying`.
in_inference, bytes_in_file = [], []
for is_frozen in (False, True):
    model.requires_grad_(not is_frozen)
    with torch.no_grad():
        in_inference.append(sum(count()))
    bytes_in_file.append(sum(t.nbytes for t in model.state_dict().values()))
print(in_inference, bytes_in_file)
assert in_inference == [6, 6]
assert bytes_in_file[0] == bytes_in_file[1]

# %%
# Where it ends
# -------------
# The rule holds if the input requires no gradient and there is no checkpointing. If the
# input requires one, as for an adversarial image, the backward pass reaches all layers,
# frozen or not. With checkpointing, it runs the forward a second time.
assert multiplications([], x.clone().requires_grad_()) == [2] * 6
model.requires_grad_(True)
with FlopCounterMode(display=False) as counter:
    checkpoint(model, x, use_reentrant=False).sum().backward()
assert counter.get_total_flops() == (17 + 6) * one

# %%
# The counter knows matrix multiplications and convolutions, but not ``relu``, sums or
# the optimizer, nor, on a CPU before PyTorch 2.15, the fused kernel of
# ``scaled_dot_product_attention()``.
# So these percentages are of the work, not of the time that you wait.
heads = x.view(1, 2, 128, 128)
with FlopCounterMode(display=False) as counter:
    x.relu().sum()
    torch.optim.Adam(model.parameters()).step()
assert counter.get_total_flops() == 0
with FlopCounterMode(display=False) as counter:
    torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)
assert (counter.get_total_flops() == 0) == (torch.__version__ < "2.15")
with FlopCounterMode(display=False) as counter:
    torch.nn.Conv2d(1, 1, 3)(x[None])
assert counter.get_total_flops() > 0

# %%
# Freeze from the input on. If the frozen part that comes first sees the same inputs in
# every epoch and is in ``eval()``, compute its features once:
# :doc:`/gallery/recipes/feature_cache`.
#
# Related: :doc:`memory_that_freezing_saves`,
# :doc:`/gallery/freezing/unfreeze_gradually`. Source: the pull request `Add flop
# counter utility <https://github.com/pytorch/pytorch/pull/95751>`__.
