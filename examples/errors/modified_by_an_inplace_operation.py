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
# ``step()`` writes to the weights. Call every ``backward()`` before ``step()``, or run
# the forward pass again after it. The message has the shape of the overwritten tensor,
# and mostly the name of an operation. ``AsStrided`` is a view of a tensor. If its shape
# is that of a weight of ``nn.Linear`` with the two dimensions exchanged, it can be this
# weight, which the layer saves transposed. If not, it is another view, such as a slice
# (see below).
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
# A write to shared memory: ``detach()``, ``view()``, a slice
# -----------------------------------------------------------
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
# ``output 0 of SliceBackward``, ``SelectBackward``, ``ViewBackward`` or ``AsStrided``
# ------------------------------------------------------------------------------------
# The saved tensor is a view, such as ``pred[:, 0, :, :]``, and its memory was written
# to. The writing line need not name this slice: a write to the whole tensor, or to
# another slice of it, counts too, even if no saved value changes. So look for ``+=``,
# ``pred[:, 1] = ...``, ``relu_()`` and ``inplace=True`` on ``pred`` and on everything
# cut from it. Older versions name the operation that made the view: ``SliceBackward``
# (quoted from `DBNet.pytorch 18
# <https://github.com/WenmuZhou/DBNet.pytorch/issues/18>`__). PyTorch 2.13 says
# ``AsStrided`` for a slice, a ``view()`` and a ``transpose()``.
#
# Save a copy, ``pred[:, 0].clone()``, or write nothing: compute each part, and put them
# together with ``torch.stack()``, ``torch.cat()`` or ``torch.where()``. A slice made by
# ``chunk()``, ``split()`` or ``unbind()`` raises another error,
# :doc:`is_a_view_and_is_being_modified_inplace`.
maps = torch.ones(4, 2, 8, 8, requires_grad=True)
views = {
    "slice": lambda pred: pred[:, 0, :, :],
    "view": lambda pred: pred.view(8, 64),
    "transpose": lambda pred: pred.transpose(1, 2),
}
for name, view in views.items():
    # Wrong: square() saves the view, and another part is written to, twice.
    pred = maps * 1
    loss = view(pred).square().sum()
    pred[:, 1] += 1
    try:
        loss.backward()
    except RuntimeError as error:
        text = str(error).split("operation: ")[1].split(" instead")[0]
    else:
        raise AssertionError("the view does not share the memory")
    print(f"{name:10}{text}")
    assert "output 0 of AsStrided" in text
    assert "is at version 2; expected version 0" in text
# Right: a clone of the slice, or no write.
for copied in (True, False):
    pred = maps * 1
    first = pred[:, 0].clone() if copied else pred[:, 0]
    loss = first.square().sum()
    if copied:
        pred[:, 1] += 1
    else:
        pred = torch.stack([first, pred[:, 1] + 1], dim=1)
    maps.grad = None
    (loss + pred.sum()).backward()
    assert maps.grad[:, 0].eq(3).all()
    assert maps.grad[:, 1].eq(1).all()

# %%
# ``nn.Embedding(..., max_norm=1)``: each forward pass writes to the weight
# -------------------------------------------------------------------------
# Use ``embedding.weight.clone()`` outside of the embedding, as the `documentation
# <https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html>`__ advises.
# Or leave ``max_norm`` out, and limit the rows that you look up by an operation that
# makes a new tensor.
#
# With ``max_norm``, ``nn.Embedding`` and ``nn.EmbeddingBag`` write to their weight in
# the forward pass. Most layers never do. These two shorten the rows that they look up,
# in place, and the write counts even if no row is too long. The error comes if an
# operation has saved ``embedding.weight`` itself, for example that of the output layer
# (tied weights), and the embedding is then called again: for the next frame, the next
# token, the second branch. The version is then too high by one for each call (``version
# 152; expected version 151``), and the shape is that of the weight, or the same with
# the dimensions exchanged. Two lookups of an ``nn.Embedding`` alone raise nothing,
# since they save only the indices. A frozen table changes, too:
# :doc:`/gallery/still-moves/other_buffers_that_move`.


def two_frames(embedding, *, copied=False):
    loss = 0
    for frame in (torch.tensor([0, 1]), torch.tensor([1, 2])):
        hidden = embedding(frame)
        weight = embedding.weight.clone() if copied else embedding.weight
        loss = loss + (hidden @ weight.T).square().sum()
    loss.backward()
    return embedding.weight.grad


table = torch.full((4, 3), 0.1)
limited = torch.nn.Embedding.from_pretrained(table.clone(), freeze=False, max_norm=1)
# Wrong: the second lookup writes to the weight that the first product has saved.
try:
    two_frames(limited)
except RuntimeError as error:
    text = str(error).split("operation: ")[1].split(" instead")[0]
else:
    raise AssertionError("the lookup did not write to the weight")
print(text)
assert text.startswith("[torch.FloatTensor [3, 4]]")
assert "is at version 2; expected version 1" in text
assert limited.weight.equal(table)  # no row was too long
# Right: a copy for the product, or no max_norm.
free = torch.nn.Embedding.from_pretrained(table.clone(), freeze=False)
limited.weight.grad = None
gradient = two_frames(limited, copied=True)
assert gradient.any()
assert gradient.allclose(two_frames(free))
limited.weight.grad = None
(limited(torch.tensor([0])) * limited(torch.tensor([1]))).sum().backward()


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
# - ``Slice``, ``Select``, ``View``, ``AsStrided``: the saved tensor is a view. Every
#   write to its memory counts, also one to another slice, whose shape is different.
# - Without ``output 0 of ...`` it is a leaf or data: the weight of a convolution after
#   ``step()``, that of an embedding with ``max_norm`` after the next lookup, a buffer,
#   a mask, the input of the network.
# - ``Error detected in LinalgVectorNormBackward0``, the warning of anomaly detection,
#   names the operation that has saved the value: here ``x.norm()``, and ``x /=
#   x.norm(dim=-1, keepdim=True)`` overwrites it. Write ``x = x / x.norm(...)`` or
#   ``functional.normalize(x, dim=-1)``: :doc:`/gallery/graph/inplace_modified`.
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
of_norm = x * 2
loss = of_norm.div_(of_norm.norm(dim=-1, keepdim=True)).sum()
try:
    loss.backward()
except RuntimeError as error:
    text = str(error)
else:
    raise AssertionError("the norm has not saved its input")
assert "output 0 of Div" in text
torch.nn.functional.normalize(x * 2, dim=-1).sum().backward()
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
