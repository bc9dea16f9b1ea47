"""
``variables needed for gradient computation has been modified by an inplace operation``
=======================================================================================

The graph has saved a value, and it was overwritten before the backward pass: by ``+=``,
a method that ends in ``_``, ``inplace=True``, or, if it is a weight, ``step()``. Write
``y = y + 1`` instead of ``y += 1``, and call ``step()`` after the last backward pass.
"""

# %%
import torch

x = torch.ones(3, requires_grad=True)
y = x.exp()
# Wrong: exp() has saved its result, and += overwrites it.
y += 1
try:
    y.sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("exp() did not need its result")
# Right: y + 1 is a new tensor.
y = x.exp()
y = y + 1
y.sum().backward()
print(x.grad)
assert x.grad.allclose(x.exp())

# %%
# step() comes before the last backward()
# ---------------------------------------
# ``step()`` writes to the weights. The message has the shape of the overwritten tensor,
# and mostly the name of an operation. ``AsStrided`` with a transposed shape is the
# weight of ``nn.Linear``. Call every ``backward()`` before ``step()``, or run the
# forward pass again after it.
layer = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
# Wrong: the second backward() needs the weight from before the step.
loss = layer(x).sum()
loss.backward(retain_graph=True)
optimizer.step()
try:
    loss.backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("step() did not write to the weight")
# Right: a new forward pass, with the new weight.
x.grad = None
layer(x).sum().backward()
assert x.grad.equal(layer.weight[0])

# %%
# Several networks: all ``backward()`` first, then all ``step()``
# ---------------------------------------------------------------
# ``backward()`` and ``step()`` need not come in pairs. If several losses share a
# forward pass, for example that of a generator, a discriminator and a classifier, call
# every ``backward()`` first and every ``step()`` at the end: no weight changes in
# between, and all gradients are those of the old weights. Each ``backward()`` but the
# last needs ``retain_graph=True`` if they go through the same part of the graph.
#
# The error goes away, but each loss now adds to the ``.grad`` of every network that it
# goes through. Here the loss of the generator cancels that of the discriminator.
# ``backward(inputs=...)`` keeps to one network, as do ``detach()`` and
# ``requires_grad_(False)`` for the other one: :doc:`/gallery/recipes/gan_training`.
generator, discriminator = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
weights = [*generator.parameters()], [*discriminator.parameters()]
optimizers = [torch.optim.SGD(part, lr=0.1) for part in weights]


def train(*, separate):
    for optimizer in optimizers:
        optimizer.zero_grad()
    fake = generator(x.detach())
    d_loss = discriminator(fake.detach()).mean()
    g_loss = -discriminator(fake).mean()
    d_loss.backward()
    g_loss.backward(inputs=weights[0] if separate else None)
    for optimizer in optimizers:
        optimizer.step()
    return [part[0].grad.any().item() for part in weights]


# Wrong: the discriminator gets the sum of two opposite gradients.
print(mixed := train(separate=False))
# Right: each loss reaches its own network.
print(apart := train(separate=True))
assert mixed == [True, False]
assert apart == [True, True]

# %%
# A write to shared memory
# ------------------------
# Slices, views, ``detach()`` and, in most cases, ``reshape()`` share the memory of the
# tensor. Write to a ``clone()``.
y = x.exp()
# Wrong: detach() shares the memory with y.
y.detach()[0] = 0
try:
    y.sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the memory was not shared")
# Right: a clone has its own memory.
y = x.exp()
y.detach().clone()[0] = 0
y.sum().backward()


# %%
# What the message says: ``output 0 of Relu``, ``is at version 2; expected version 1``
# ------------------------------------------------------------------------------------
# - The shape in brackets is that of the overwritten tensor. Look for a tensor of this
#   shape that is changed in place.
# - ``output 0 of Sigmoid`` (in older versions ``SigmoidBackward0``): ``sigmoid()``,
#   ``relu()``, ``tanh()``, ``exp()``, ``softmax()`` and ``sqrt()`` save their result.
#   If one of them is named, its result was overwritten: look behind it.
# - An operation such as ``square()``, a product or a convolution saves its inputs. Then
#   the name is the operation that the current value of the input comes from, which can
#   be the change itself: ``Add`` for ``+=``, ``CopySlices`` for ``h[0] = 0``, ``Relu``
#   for ``inplace=True``. A change under ``no_grad()`` leaves the old name.
# - Without ``output 0 of ...`` it is a leaf or data: the weight of a convolution after
#   ``step()``, a buffer, a mask, the input of the network.
# - The versions count the writes since the tensor was made: version 2 in place of 1 is
#   one write too many.
def write_item(h):
    h[0] = 0


def write_unrecorded(h):
    with torch.no_grad():
        h.mul_(3)


writes = {
    "h += 1": lambda h: h.add_(1),
    "h[0] = 0": write_item,
    "ReLU(inplace=True)": torch.nn.ReLU(inplace=True),
    "no_grad()": write_unrecorded,
}
named = {}
for name, write in writes.items():
    # The first has saved its result, the second its input.
    for saves_result in (True, False):
        h = x.sigmoid() if saves_result else x * 2
        loss = h.sum() if saves_result else h.square().sum()
        write(h)
        try:
            loss.backward()
        except RuntimeError as error:
            text = str(error).split("output 0 of ")[1].split(",")[0].split("::")[-1]
        else:
            raise AssertionError("the value was not needed")
        named.setdefault(name, []).append(text.removesuffix("Backward0"))
    print(f"{name:20}{named[name]}")
assert [result for result, _ in named.values()] == ["Sigmoid"] * 4
assert [of_input for _, of_input in named.values()] == [
    "Add",
    "CopySlices",
    "Relu",
    "Mul",
]

# %%
# Which line is it?
# -----------------
# ``set_detect_anomaly(True)`` shows the line of the operation that needs the value. The
# write comes after this line. It is slow: switch it on for the search only.
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with torch.autograd.set_detect_anomaly(True):
        y = x.exp()
        y += 1
        try:
            y.sum().backward()
        except RuntimeError as error:
            message = str(error)
        else:
            raise AssertionError("exp() did not need its result")
lines = str(caught[-1].message).splitlines()
(line,) = [line.strip() for line in lines if "exp()" in line]
print(line)
assert line == "y = x.exp()"

# %%
# A wrong gradient without an error
# ---------------------------------
# Autograd counts writes and does not compare values. A write through ``.data`` or
# NumPy is not counted, nor is ``step()`` of an optimizer with ``fused=True``, nor the
# update of statistics by a batch norm that was in ``eval()`` in the forward pass.


def change(loss, write):
    (before,) = torch.autograd.grad(loss, x, retain_graph=True)
    write()
    (after,) = torch.autograd.grad(loss, x)
    return (after - before).abs().max().item()


data, array = x.exp(), x.exp()
fused = torch.optim.SGD(layer.parameters(), lr=0.1, fused=True)
norm = torch.nn.BatchNorm1d(3).eval()
changes = {
    "data": change(data.sum(), data.data.zero_),
    "numpy": change(array.sum(), lambda: array.detach().numpy().fill(0)),
    "fused": change(layer(x).sum(), fused.step),
    "batch norm": change(norm(x[None]).sum(), lambda: norm.train()(torch.eye(3))),
}
for name, size in changes.items():
    print(f"{name:10} {size:.2f}")
    assert size > 0.01

# %%
# Under ``DistributedDataParallel``, with two forward passes before one backward pass
# -----------------------------------------------------------------------------------
# Before each forward pass, DDP copies all buffers of the first process into those of
# the others: statistics of batch norm, but also constants such as the tables of a
# rotary position embedding (RoPE), whose shape is then in the message. Reports of this
# error are from 2019 (`issue 22095
# <https://github.com/pytorch/pytorch/issues/22095>`__) to PyTorch 2.6 and later (`issue
# 175024 <https://github.com/pytorch/pytorch/issues/175024>`__).
#
# - Pass ``broadcast_buffers=False`` if the buffers are constants, or
# - call the model once, on both inputs together, or
# - use ``SyncBatchNorm``, or a ``clone()`` of the buffer in the forward pass.
#
# PyTorch 2.13 does not count this copy, so it raises nothing. The gradient is right if
# the copy has the same values as before, such as those of a constant. It also calls
# ``broadcast_buffers`` deprecated, in favour of ``forward_sync_buffers=False``.
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel


class Rotary(torch.nn.Linear):
    def __init__(self):
        super().__init__(3, 3)
        self.register_buffer("table", torch.ones(3))

    def forward(self, x):
        return super().forward(x) * self.table


dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
model = Rotary()
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    wrapped = DistributedDataParallel(model, broadcast_buffers=False)
wrapped(x[None]).sum().add(wrapped(x[None]).sum()).backward()
dist.destroy_process_group()
print(model.table._version, model.bias.grad)
assert model.table._version == 0
assert model.bias.grad.equal(torch.full((3,), 2.0))

# %%
# In PyTorch 1.10.1, the transposed weight of ``nn.Linear`` is ``output 0 of TBackward``
# (quoted from `NNR 3
# <https://github.com/Veason-silverbullet/NNR/issues/3>`__).

# %%
# Read on: :doc:`/gallery/graph/inplace_modified`.
