"""
A frozen Linear lets its input go, a frozen Conv keeps all of it
================================================================

A frozen layer is still recorded if something before it trains. ``Linear`` saves nothing
then. ``Conv2d`` and ``BatchNorm2d`` in eval save their whole input, although no
gradient needs it.
"""

# %%
# Does freezing a layer free its activations?
# -------------------------------------------
# "Its weight gets no gradient, so its input is not kept": only some layers are like
# that. ``x``, of 512 KiB, stands for the result of a layer that trains. Tensors that
# share memory count once, weights and buffers not at all.
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 8, 16, 16, requires_grad=True)
layers = {
    "Linear": nn.Linear(16, 16),
    "Conv2d": nn.Conv2d(8, 8, 3, padding=1),
    "BatchNorm2d, eval": nn.BatchNorm2d(8).eval(),
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


# %%
# Does a frozen layer need its input to send the gradient back? If it does, another
# input gives another gradient.
table = {}
for name, layer in layers.items():
    trains = saved(layer, x)
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
# convolution computes its gradients in one function and saves for all. A norm that
# takes mean and variance of its input needs that input in any case; ``LayerNorm`` keeps
# two numbers per row as well, 64 KiB.
assert layers["Linear"](x[0, 0]).grad_fn._saved_mat1 is None
assert layers["Conv2d"](x).grad_fn._saved_input.data_ptr() == x.data_ptr()
node = layers["LayerNorm"](x).grad_fn
assert node._saved_result1.nbytes + node._saved_result2.nbytes == 64 * 1024

# %%
# How do I get the memory back?
# -----------------------------
# Batch norm in eval is one factor and one summand per channel: write it like that. A
# convolution needs a custom function that keeps the layer and the shape of the input.
norm, conv = layers["BatchNorm2d, eval"], layers["Conv2d"]
factor = (norm.weight * (norm.running_var + norm.eps).rsqrt()).view(-1, 1, 1)
summand = norm.bias.view(-1, 1, 1) - norm.running_mean.view(-1, 1, 1) * factor


class LeanConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, layer):
        ctx.shape, ctx.layer = value.shape, layer
        return layer(value)

    @staticmethod
    def backward(ctx, grad):
        weight, padding = ctx.layer.weight, ctx.layer.padding
        return nn.grad.conv2d_input(ctx.shape, weight, grad, padding=padding), None


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
# Freeze from the input on, and the question does not come up. If earlier layers must
# learn, measure before you rewrite.
#
# Related: :doc:`memory_that_freezing_saves`,
# :doc:`/gallery/freezing/recorded_although_frozen`. Source: the PyTorch issue `Autodiff
# stores inputs of convolution layers with non-trainable weight
# <https://github.com/pytorch/pytorch/issues/133566>`__ and `the paper by its authors
# <https://arxiv.org/abs/2404.12406>`__.
