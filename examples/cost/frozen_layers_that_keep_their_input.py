"""
A frozen Conv2d keeps its whole input, a frozen Linear does not
===============================================================

Behind a layer that trains, frozen ``Conv2d`` and ``BatchNorm2d`` in ``eval()`` keep an
input that no gradient needs. Batch norm can be written as a factor and a summand.
"""

# %%
# Which of them keep ``x``, which stands for the result of a layer that trains?
import torch
from torch import nn

x = torch.randn(64, 8, 16, 16, requires_grad=True)
linear, norm = nn.Linear(16, 16), nn.BatchNorm2d(8).eval()
conv = nn.Conv2d(8, 8, 3, padding=1)
frozen = nn.ModuleList([linear, conv, norm]).requires_grad_(False)
factor, summand = torch.ones(8, 1, 1), torch.zeros(8, 1, 1)
ways = {type(layer).__name__: layer for layer in frozen}
ways["x * factor + summand"] = lambda x: x * factor + summand
for name, way in ways.items():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(kept.append, id):
        way(x)
    keeps = any(tensor.data_ptr() == x.data_ptr() for tensor in kept)
    print(f"{name:22}{keeps}")
    assert keeps == (way in {conv, norm})

# %% tags=["hide-input"]
# How much does each kind of layer keep?
# --------------------------------------
# ``x`` takes 512 KiB. Tensors that share memory count once, weights and buffers not at
# all. The folded code also finds out whether a frozen layer needs its input to send the
# gradient back: if it does, another input gives another gradient.
torch.manual_seed(0)
layers = {
    "Linear": linear,
    "Conv2d": conv,
    "BatchNorm2d, eval": norm,
    "BatchNorm2d, train": nn.BatchNorm2d(8),
    "LayerNorm": nn.LayerNorm(16),
}
known = {t.data_ptr() for layer in layers.values() for t in layer.state_dict().values()}


def saved(layer, value):
    sizes = {}

    def pack(tensor):
        memory = tensor.untyped_storage()
        sizes[memory.data_ptr()] = memory.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(value)
    return sum(sizes[place] for place in sizes.keys() - known) // 1024


def gradient(layer, value):
    value = value.detach().requires_grad_()
    (layer(value) * x.detach()).sum().backward()
    return value.grad


table = {}
for name, layer in layers.items():
    trains = saved(layer.requires_grad_(True), x)
    frozen = saved(layer.requires_grad_(False), x)
    needed = not torch.allclose(gradient(layer, x), gradient(layer, x**2), atol=1e-5)
    table[name] = trains, frozen, needed
    print(f"{name:19}{trains:4} {frozen:4}  {needed=}")
assert table == {
    "Linear": (512, 0, False),
    "Conv2d": (512, 512, False),
    "BatchNorm2d, eval": (512, 512, False),
    "BatchNorm2d, train": (512, 512, True),
    "LayerNorm": (576, 576, True),
}

# %% tags=["hide-input"]
# What each layer saves when it trains (open) and when it is frozen (hatched). A cross:
# kept although no gradient needs it.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
for place, (trains, frozen, needed) in enumerate(table.values()):
    ax.barh(place - 0.2, trains, 0.34, fc="none", ec="C0", lw=2)
    ax.barh(place + 0.2, frozen, 0.34, fc="none", ec="C1", hatch="////", lw=2)
    if frozen and not needed:
        ax.scatter(frozen + 40, place + 0.2, s=90, marker="x", color="C2", lw=3)
ax.set_yticks(range(len(table)), table)
ax.tick_params(axis="y", length=0)
ax.set(xlabel="KiB", xlim=(0, 640))
ax.invert_yaxis()
plt.show()

# %%
# Why does ``Conv2d`` keep what it doesn't need?
# ----------------------------------------------
# ``Linear`` has one formula per gradient and saves for those that are asked for. A
# convolution computes its gradients in one function and saves for all. The gradient of
# a norm that takes mean and variance of its input depends on that input; ``LayerNorm``
# keeps two numbers per row as well, 64 KiB.
assert linear(x[0, 0]).grad_fn._saved_mat1 is None
assert conv(x).grad_fn._saved_input.data_ptr() == x.data_ptr()
node = layers["LayerNorm"](x).grad_fn
assert node._saved_result1.nbytes + node._saved_result2.nbytes == 64 * 1024

# %%
# How do I get the memory back?
# -----------------------------
# Batch norm in ``eval()`` is one factor and one summand per channel, if it has running
# statistics: with ``track_running_stats=False`` it depends on the batch. A convolution
# needs a custom function that keeps the layer and the shape of the input.
factor = (norm.weight * (norm.running_var + norm.eps).rsqrt()).view(-1, 1, 1)
summand = norm.bias.view(-1, 1, 1) - norm.running_mean.view(-1, 1, 1) * factor


class LeanConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, layer):
        ctx.shape, ctx.layer = value.shape, layer
        return layer(value)

    @staticmethod
    def backward(ctx, grad):
        # For a padding in numbers, filled with zeros.
        how = ctx.layer.stride, ctx.layer.padding, ctx.layer.dilation, ctx.layer.groups
        return nn.grad.conv2d_input(ctx.shape, ctx.layer.weight, grad, *how), None


untracked = nn.BatchNorm2d(8, track_running_stats=False).eval()
assert not torch.allclose(untracked(x[:2])[:1], untracked(x[:1]))
strided = nn.Conv2d(8, 8, 1, groups=2, stride=2).requires_grad_(False)
assert torch.allclose(LeanConv.apply(x, strided), strided(x))
for lean, layer in [
    (lambda value: value * factor + summand, norm),
    (lambda value: LeanConv.apply(value, conv), conv),
]:
    assert saved(lean, x) == 0
    assert torch.allclose(lean(x), layer(x), atol=1e-5)
    assert torch.allclose(gradient(lean, x), gradient(layer, x), atol=1e-5)

# %%
# Is it worth it?
# ---------------
# Not if something else keeps the same memory: ``ReLU`` keeps its result, so the layer
# behind it has nothing to gain. Nor if nothing before it trains. Then no frozen layer
# is recorded, and none keeps anything.
assert saved(nn.Sequential(nn.ReLU(), conv), x) == 512
assert saved(lambda value: LeanConv.apply(value.relu(), conv), x) == 512
assert all(saved(layer, x.detach()) == 0 for layer in layers.values())


# %%
# Where it ends
# -------------
# Under autocast, a frozen ``Linear`` keeps no input, but a 16-bit copy of its weight.
# For a layer that trains, autocast shares one copy between all calls in one ``with``
# block, unless ``cache_enabled=False`` is passed; for a frozen one it makes a new copy
# for each call. A layer that was converted beforehand needs none.
def copies_of_the_weight(layer, **options):
    kept = []
    context = torch.autograd.graph.saved_tensors_hooks(kept.append, id)
    with torch.autocast("cpu", torch.bfloat16, **options), context:
        layer(layer(x))
    own = layer.weight.data_ptr()
    return len({t.data_ptr() for t in kept if t.shape == (16, 16)} - {own})


assert copies_of_the_weight(linear.requires_grad_(True)) == 1
assert copies_of_the_weight(linear, cache_enabled=False) == 2
assert copies_of_the_weight(linear.requires_grad_(False)) == 2
assert copies_of_the_weight(linear.to(torch.bfloat16)) == 0

# %%
# Freeze from the input on, and the question does not come up. If earlier layers must
# train, measure before you rewrite.
#
# Related: :doc:`memory_that_freezing_saves`,
# :doc:`/gallery/freezing/recorded_although_frozen`. Source: the PyTorch issue `Autodiff
# stores inputs of convolution layers with non-trainable weight
# <https://github.com/pytorch/pytorch/issues/133566>`__ and `the paper by its authors
# <https://arxiv.org/abs/2404.12406>`__.
