"""
Memory grows from batch to batch: something holds the graphs
============================================================

Without a ``backward()``, as in validation, a list of losses keeps all that the graph of
each has saved. Append ``loss.detach()``. :py:func:`gradguide.saved` measures it.
"""

# %%
import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
from gradguide import describe, saved

torch.manual_seed(0)
blocks = (nn.Sequential(nn.Linear(64, 64), nn.Tanh()) for _ in range(6))
model, images = nn.Sequential(*blocks), torch.randn(512, 64)
wrong, right = [], []
for _ in range(10):
    loss = model(images).mean()
    wrong.append(loss)
    right.append(loss.detach())
print("loss         ", saved(wrong, model).bytes)
print("loss.detach()", saved(right, model).bytes)
assert saved(wrong, model).bytes > 7_000_000
assert saved(right, model).bytes == 0
del wrong

# %%
# What does one loss hold?
# ------------------------
# The input and the outputs of six layers, each of shape ``(512, 64)``: seven times
# 128 KiB. The weights are there anyway: pass ``model``, and they are not counted.
loss = model(images).mean()
print(saved(loss, model))
assert saved(loss, model).bytes == 7 * 512 * 64 * 4

# %%
# And a list of them?
# -------------------
# A loss holds its graph, and the graph holds what was saved.
# :py:func:`gradguide.describe` tells how much one tensor holds, ``saved`` a whole list.
# The input is the same each time and counts once.
history = [model(images).mean() for _ in range(10)]
print(describe(history[0]))
print(saved(history, model))
assert saved(history, model).bytes == (1 + 10 * 6) * 128 * 1024

# %%
# ``backward()`` frees the memory of the graph that it goes through. The nodes stay for
# as long as the list does, and a second backward raises an error.
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
# After a backward such a list holds no activations, and yet the memory of the process
# grows: a node takes half a KiB to one KiB of the computer's memory (not of the GPU's),
# so 1000 nodes add 500 KiB to 1 MiB in each step, and gigabytes in an epoch (measured
# with PyTorch 2.13). In validation no backward frees anything, and what was
# saved stays as well. A detached loss holds no graph.
losses = [loss.detach() for loss in history]
print(saved(losses, model))
assert saved(losses, model).nodes == 0


# %%
# ``total_loss += loss`` keeps the graph of each batch
# ----------------------------------------------------
# Add ``loss.item()``, or ``loss.detach()``. The sum is a result of all losses. In
# validation it holds all that their graphs have saved. In training, after
# ``backward()``, it still holds all their nodes: the GPU's memory stays as it is, and
# the RAM grows from step to step. The second number below counts the nodes. The same
# holds for whatever outlives the batch: a dictionary of metrics, a moving average of
# the loss, a replay buffer, ``self.last_output``.
def epoch(*, train, add):
    total = 0
    for _ in range(10):
        loss = model(images).mean()
        if train:
            loss.backward()
        total += add(loss)
    model.zero_grad()
    return total


sums = {}
for train in (False, True):
    for name, add in {"loss": lambda loss: loss, "item()": torch.Tensor.item}.items():
        total = epoch(train=train, add=add)
        held = saved(total, model) if isinstance(total, torch.Tensor) else None
        sums[train, name] = (held.bytes // 1024, held.nodes) if held else (0, 0)
        print(f"{train=} += {name:8}", *sums[train, name])
assert sums[False, "loss"][0] == (1 + 10 * 6) * 128
assert sums[True, "loss"][0] == 0
assert sums[True, "loss"][1] > 200
assert sums[False, "item()"] == sums[True, "item()"] == (0, 0)

# %%
# GRU or LSTM in a loop: the hidden state keeps all earlier steps, memory grows
# -----------------------------------------------------------------------------
# For inference, generation or a rollout, put ``no_grad()`` or ``inference_mode()``
# around the loop: ``eval()`` alone does not help. For training, call ``backward()``
# after a window of steps, and go on with ``hidden.detach()`` (for an LSTM both
# tensors): :doc:`/gallery/recipes/truncated_bptt`. ``output, hidden = gru(x, hidden)``
# makes a state whose graph contains all earlier steps, with what they have saved, as
# soon as a weight or an input requires a gradient. It stays until ``backward()``, or
# until the last ``hidden`` and ``output`` are gone. The same holds for each variable
# that a loop computes from its last value: a position that a physics model moves on, a
# generated image, ``state = model(state)``.
gru, step = nn.GRU(64, 64), torch.randn(1, 8, 64)


def of_each_step(way):
    hidden, held = torch.zeros(1, 8, 64), []
    for _ in range(4):
        with torch.set_grad_enabled(way != "no_grad()"):
            _, hidden = gru(step, hidden)
        if way == "detach()":
            hidden.mean().backward()
            hidden = hidden.detach()
        held.append(saved(hidden, gru).bytes // 1024)
    return held


for way in ("kept", "no_grad()", "detach()"):
    print(f"{way:10}", *of_each_step(way))
first, *_, last = of_each_step("kept")
assert last > 3 * first > 0
assert of_each_step("no_grad()") == of_each_step("detach()") == [0] * 4
assert gru.weight_hh_l0.grad is not None

# %%
# Memory grows in each iteration and is not freed: reset the state of the network
# -------------------------------------------------------------------------------
# The loop keeps nothing, but a module does: the membrane potential of a spiking
# neuron, a trace, a memory, a cache, the output that a hook has recorded. With each
# batch its graph becomes longer, and all earlier batches stay. Reset the state after
# each batch, or ``detach()`` it to keep the values. If ``backward()`` goes through the
# state, there is an error instead:
# :doc:`/reference/errors/trying_to_backward_through_the_graph_a_second_time`.
#
# In spikingjelly, call ``functional.reset_net(net)``, and for STDP ``reset()`` of each
# learner, too: an ``STDPLearner`` is no part of the net, records spikes with their
# graph, and keeps traces of them. Run the part that STDP trains under ``no_grad()``, as
# in its documentation, and only the part behind it with gradients (read in `the source
# <https://github.com/fangwei123456/spikingjelly/blob/master/spikingjelly/activation_based/learning.py>`__,
# not run; a version from after `July 2026
# <https://github.com/fangwei123456/spikingjelly/pull/703>`__ detaches what it records).


class Learner:
    def __init__(self):
        self.reset()

    def reset(self):
        self.trace = torch.zeros(512, 64)

    def step(self, spikes):
        self.trace = (0.5 * self.trace + spikes).sigmoid()


def growth(way):
    learner, held = Learner(), []
    for _ in range(3):
        with torch.set_grad_enabled(way != "no_grad()"):
            learner.step(model(images))
        if way == "reset()":
            learner.reset()
        held.append(saved(learner.trace, model).bytes // 1024)
    return held


for way in ("nothing", "reset()", "no_grad()"):
    print(f"{way:10}", *growth(way))
first, second, third = growth("nothing")
assert first < second < third
assert growth("reset()") == growth("no_grad()") == [0, 0, 0]

# %%
# ``loss += loss_part`` in a loop, then one ``backward()``: GPU memory grows
# --------------------------------------------------------------------------
# The sum keeps the graph of each part, with all activations, until the one
# ``backward()`` at the end. Here ``item()`` is no cure: the sum would have no gradient.
# Call ``backward()`` for each part, inside the loop: it frees the graph of this part,
# and the gradients add up to the same. Then one ``step()``. For a mean, divide each
# part by their number. It only works if the parts have no graph in common (such as
# features that are computed once before the loop), and if no ``step()`` comes in
# between.
#
# What you keep beside it, in a list or for a log, needs ``item()`` or ``detach()``. And
# nvidia-smi does not fall after ``backward()``: PyTorch keeps the memory for reuse, see
# below.
parts, held, gradients = [torch.randn(512, 64) for _ in range(10)], {}, []
for way in ("one backward()", "one for each"):
    model.zero_grad()
    loss, most = 0.0, 0
    for part in parts:
        loss_part = model(part).square().mean() / len(parts)
        loss = loss + (loss_part if way == "one backward()" else 0.0)
        most = max(most, saved([loss_part, loss] if loss else loss_part, model).bytes)
        if way == "one for each":
            loss_part.backward()
    if way == "one backward()":
        loss.backward()
    held[way] = most // 1024
    gradients.append(model[0][0].weight.grad.clone())
print(held)
assert held["one backward()"] > 9 * held["one for each"]
assert torch.allclose(*gradients)
del loss_part

# %%
# Which variable holds the graph?
# -------------------------------
# After a step and ``gc.collect()``, no tensor with a ``grad_fn`` should be left but
# those of the last batch. List all that live: their shapes and ``grad_fn`` tell what
# they are, and ``gc.get_referrers()`` who holds one of them.
import gc


def with_graph():
    gc.collect()
    tensors = (thing for thing in gc.get_objects() if type(thing) is torch.Tensor)
    return [tensor for tensor in tensors if tensor.grad_fn is not None]


del history, loss, total, held
before = len(with_graph())
# As a list that outlives its batch.
forgotten = [model(images)]
found = with_graph()
print(before, len(found), {(tuple(t.shape), t.grad_fn.name()) for t in found})
assert len(found) > before
assert any(t is forgotten[0] for t in found)
del found, forgotten

# %%
# I detach, and memory still grows: logits and features
# -----------------------------------------------------
# A detached loss is one number. Detached logits or features have no graph, but they
# keep their own memory, on the GPU if they were computed there. Keep only what you
# need, and move it: ``logits.detach().cpu()``, or the index of the largest one. A slice
# keeps the whole tensor that it was cut from: ``clone()`` it.
logits = model(images)
kept = {
    "logits.detach()": logits.detach(),
    "a slice": logits.detach()[:, 0],
    "its clone": logits.detach()[:, 0].clone(),
    "argmax(1)": logits.argmax(1),
}
sizes = {way: t.untyped_storage().nbytes() for way, t in kept.items()}
print(sizes)
assert all(t.grad_fn is None for t in kept.values())
assert list(sizes.values()) == [131072, 131072, 2048, 4096]

# %%
# CUDA out of memory in the middle of an epoch, and nothing holds a graph
# -----------------------------------------------------------------------
# Print ``torch.cuda.memory_allocated()`` after each ``zero_grad()``, and the peak of
# the step, ``max_memory_allocated()`` (reset it by ``reset_peak_memory_stats()``):
#
# - *The first one climbs*: something is kept, see the sections above. That it climbs in
#   the first step, in which Adam makes its state, is normal.
# - *It stays, and the peak jumps*: a batch is larger. What a step saves grows with the
#   longest sequence or the largest image, and the rarest batch decides. Run it first,
#   and twice, because in the first step Adam does not have its state yet: if both fit,
#   the epoch fits. Else cut long samples, sort by length, or make the batch smaller
#   where the samples are long.
# - *It stays, and the message says that much is* ``reserved by PyTorch but
#   unallocated``: fragmentation, which batches of varying shape cause. Set
#   the variable that the message names, ``PYTORCH_CUDA_ALLOC_CONF`` or
#   ``PYTORCH_ALLOC_CONF``, to ``expandable_segments:True``.
#
# ``empty_cache()`` only gives unused memory back to the driver; no tensor becomes free
# (:torch:`Memory management <notes/cuda.html#memory-management>`, read, not run: no GPU
# here). What one step saves, in KiB, for one layer of attention and batches of varying
# length:
attention = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
of_length = {
    length: saved(attention(torch.ones(4, length, 16)).mean(), attention).bytes // 1024
    for length in (16, 24, 128)
}
print(of_length)
assert of_length[128] > 7 * of_length[16]
optimizer, states = torch.optim.Adam(attention.parameters()), []
for _ in range(2):
    attention(torch.ones(4, 16, 16)).mean().backward()
    states.append(len(optimizer.state))  # during the peak of this step
    optimizer.step()
assert states == [0, len(list(attention.parameters()))]

# %%
# Does freezing make it less?
# ---------------------------
# Freeze a part, run the forward again, and measure. It depends on which part. Why, and
# what else a training step needs: :doc:`/gallery/cost/memory_that_freezing_saves`.
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
# nvidia-smi shows the same GPU memory after freezing
# ---------------------------------------------------
# nvidia-smi shows what the process has taken from the GPU, with all that PyTorch's
# caching allocator keeps for reuse. ``torch.cuda.memory_allocated()`` tells what
# tensors occupy. Train two steps, once frozen and once not, each in a new process, and
# compare ``torch.cuda.max_memory_allocated()``: :torch:`Memory management
# <notes/cuda.html#memory-management>` (read, not run: no GPU here).
#
# Freezing does not save the weights. What it can save is allocated in three phases: in
# the forward pass what is kept for backward, in ``backward()`` the gradients, and in
# the first ``step()`` the state of Adam. In KiB:


def kib_of(tensors):
    return sum(t.nbytes for t in tensors if t is not None) // 1024


phases = {}
for name, part in {"all train": slice(0), "[:5] frozen": slice(5)}.items():
    model.requires_grad_(True)[part].requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters())
    loss = model(images).mean()
    forward = saved(loss, model).bytes // 1024
    loss.backward()
    backward = kib_of(p.grad for p in model.parameters())
    optimizer.step()
    states = optimizer.state.values()
    step = kib_of(t for state in states for t in state.values())
    phases[name] = {"forward": forward, "backward": backward, "step": step}
    model.requires_grad_(True).zero_grad()
    print(name, phases[name])
assert list(phases["all train"].values()) == [896, 97, 195]
assert list(phases["[:5] frozen"].values()) == [256, 16, 32]

# %% tags=["hide-input"]
# A frozen ``Linear`` does not keep its input. That saves memory unless the module
# before it keeps the same tensor as its result, as ``Tanh``, ``ReLU``, ``Sigmoid`` and
# ``LeakyReLU(inplace=True)`` do. ``GELU``, ``SiLU``, ``LeakyReLU``, ``Dropout`` and
# ``LayerNorm`` keep their input or a mask, and ``Identity`` nothing.


def kib_with(activation):
    blocks = (nn.Sequential(nn.Linear(64, 64), activation()) for _ in range(6))
    model = nn.Sequential(*blocks)
    all_train = saved(model(images).mean(), model).bytes // 1024
    model[1:].requires_grad_(False)
    return all_train, saved(model(images).mean(), model).bytes // 1024


for activation in (
    nn.Tanh,
    nn.ReLU,
    nn.Sigmoid,
    lambda: nn.LeakyReLU(inplace=True),
):
    assert kib_with(activation) == (896, 896)
for activation in (nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Dropout, nn.Identity):
    print(f"{activation.__name__:10}", *kib_with(activation))
    all_train, last_frozen = kib_with(activation)
    assert last_frozen < 0.6 * all_train
all_train, last_frozen = kib_with(lambda: nn.LayerNorm(64))
assert last_frozen < 0.6 * all_train

# %%
# Where it ends
# -------------
# - An input or a prompt that requires a gradient comes before the first layer. Then
#   freezing the first five layers saves 128 KiB instead of 640.
# - ``backward()`` does not free what it does not go through, such as a metric computed
#   beside the loss, nor anything with ``retain_graph=True``.
# - ``detach()`` between two parts drops what was kept before it, as soon as nothing
#   holds the result that was not detached.
kib = {}
model[:5].requires_grad_(False)
prompt = images.clone().requires_grad_()
kib["first frozen, prompt"] = saved(model(prompt).mean(), model).bytes // 1024
model.requires_grad_(True)
result = model(images)
loss, metric = result.mean(), result.square().mean()
loss.backward()
kib["metric"] = saved(metric, model).bytes // 1024
loss = model(images).mean()
loss.backward(retain_graph=True)
kib["retain_graph"] = saved(loss, model).bytes // 1024
features = model[:3](images)
loss = model[3:](features.detach()).mean()
kib["detach"] = saved(loss, model).bytes // 1024
kib["detach, held"] = saved([loss, features], model).bytes // 1024
print(kib)
assert list(kib.values()) == [768, 128, 896, 512, 896]

# %%
# Keep ``loss.detach()``, or ``loss.item()``, and validate under ``no_grad()``.
#
# Related: :doc:`/gallery/detach/logging_a_loss`,
# :doc:`/gallery/cost/memory_that_freezing_saves`, :doc:`read_a_graph`,
# :doc:`/gallery/three-ways/no_grad_stops_recording`.
