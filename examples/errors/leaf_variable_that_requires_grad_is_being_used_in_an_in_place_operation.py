"""
``a leaf Variable that requires grad is being used in an in-place operation``
=============================================================================

A leaf that requires a gradient, or a view of it, is changed in place while autograd
records. Update a weight under ``torch.no_grad()``. If the change is a part of the
forward pass, write ``x = x + 1`` instead of ``x += 1``.
"""

# %%
import torch

weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
weight.square().sum().backward()
try:
    # Wrong: this update would be recorded.
    weight -= 0.1 * weight.grad
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a leaf was changed in place")
# Right: under no_grad() it is not recorded.
with torch.no_grad():
    weight -= 0.1 * weight.grad
weight.grad = None
print(weight.detach())
assert weight.is_leaf
assert weight.requires_grad

# %%
# - Setting an element, as in ``weight[0] = 1``, writes through a view, and the error
#   begins with ``a view of a leaf Variable``. The cure is the same.
# - Update after ``backward()``: the gradient of ``weight.square()`` is computed from
#   the value of ``weight`` in the forward pass.
# - ``weight = weight - 0.1 * weight.grad`` raises no error, but makes a new tensor. It
#   is no parameter, and the model and the optimizer still have the old one.
# - The functions of ``torch.nn.init`` enter ``no_grad()`` themselves.
try:
    weight[0] = 1.0
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an element of a leaf was set")
assert message.startswith("a view of a leaf Variable")
with torch.no_grad():
    weight[0] = 1.0
torch.nn.init.ones_(weight)
weight.square().sum().backward()
new = weight - 0.1 * weight.grad
assert not isinstance(new, torch.nn.Parameter)
assert not new.is_leaf

# %%
# YOLO: ``b[:, 4] += math.log(...)`` in ``_initialize_biases()``
# --------------------------------------------------------------
# ``b = mi.bias.view(m.na, -1)`` is a view of a parameter, and old versions of YOLOv5
# and its relatives write into it while autograd records. Newer ones write ``b.data[:,
# 4] += ...`` (`yolo.py
# <https://github.com/ultralytics/yolov5/blob/master/models/yolo.py>`__, read, not run).
# Do the same, or put the lines under ``no_grad()``; the parameter stays trainable. It
# is the same with ``embedding.weight[0] = 0`` and ``linear.bias[:3] = values`` at the
# beginning of a training. ``torch.no_grad()`` is better than ``.data`` inside a
# training step, because autograd then notices the change.
import math

conv = torch.nn.Conv2d(1, 12, 1)
b = conv.bias.view(2, -1)
try:
    # Wrong: writes into a view of the parameter.
    b[:, 4] += math.log(8 / 400)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a view of a parameter was changed")
assert message.startswith("a view of a leaf Variable that requires grad")
# Right: not recorded.
before = conv.bias.detach().clone()
with torch.no_grad():
    b = conv.bias.view(2, -1)
    b[:, 4] += math.log(8 / 400)
print((conv.bias != before).nonzero().flatten().tolist(), conv.bias.requires_grad)
assert (conv.bias != before).nonzero().flatten().tolist() == [4, 10]
assert conv.bias.requires_grad
conv(torch.ones(1, 1, 2, 2)).sum().backward()
assert conv.bias.grad.any()

# %%
# A sinusoidal position encoding: ``no_grad()`` or ``clone()``?
# -------------------------------------------------------------
# ``E[:, 0::2] = sin(...)`` writes into a view of the weight of an embedding.
# ``no_grad()`` is right here: the values are set once, and this is no part of a
# computation that needs a gradient. ``clone()`` only gets rid of the error. It returns
# another tensor, and the weight of the embedding stays random.
#
# After ``no_grad()`` the weight still requires a gradient, and training changes it. The
# sines are not to be learned: so freeze it, with
# ``nn.Embedding.from_pretrained(table)``, which is frozen by default, or register the
# table as a buffer. A position encoding that is to be learned keeps
# ``requires_grad=True``, and the sines are only where it starts.
position, rate = torch.arange(4.0)[:, None], torch.tensor([1.0, 0.01])
E = torch.nn.Embedding(4, 4)
# Wrong: writes into a copy.
E.weight.clone()[:, 0::2] = (position * rate).sin()
assert not E.weight[0, 0::2].eq(0).any()
# Right: into the weight, and frozen.
with torch.no_grad():
    E.weight[:, 0::2] = (position * rate).sin()
    E.weight[:, 1::2] = (position * rate).cos()
E.requires_grad_(False)
# Right: a table, and a frozen embedding or a buffer.
table = torch.empty(4, 4)
table[:, 0::2], table[:, 1::2] = (position * rate).sin(), (position * rate).cos()
frozen = torch.nn.Embedding.from_pretrained(table)
module = torch.nn.Module()
module.register_buffer("positions", table)
print(E.weight.equal(frozen.weight), frozen.weight.requires_grad)
assert E.weight.equal(frozen.weight)
assert not frozen.weight.requires_grad
assert not list(module.parameters())

# %%
# In a forward pass
# -----------------
# Here the gradient should pass through the change, so ``no_grad()`` is wrong. Use the
# operation that returns a new tensor, or ``inplace=False``.
x = torch.tensor([-1.0, 2.0], requires_grad=True)
try:
    # Wrong: the layer writes into its input.
    torch.nn.ReLU(inplace=True)(x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a layer wrote into a leaf")
assert "leaf Variable that requires grad" in message
# Right: the layer returns a new tensor.
torch.nn.ReLU()(x).sum().backward()
print(x.grad)
assert x.grad.tolist() == [0, 1]

# %%
# ``inputs_embeds``: image features are written into the embeddings
# -----------------------------------------------------------------
# The embedding is frozen, and ``enable_input_require_grads()``, which is called for
# gradient checkpointing, sets ``requires_grad_(True)`` on its output. So the output is
# a leaf, and ``inputs_embeds[mask] = features`` is refused; with a slice in place of a
# mask the error begins with ``a view of a leaf Variable``. Without this call, the same
# line runs. Write into
# ``inputs_embeds.clone()``, or use ``masked_scatter()`` or ``torch.where()``: the
# gradient then passes through the features to the projector and the vision tower.
#
# ``no_grad()`` and ``.data`` are wrong here. They raise no error, and the projector
# gets no gradient.
embedding = torch.nn.Embedding(6, 4).requires_grad_(False)
projector, tokens = torch.nn.Linear(3, 4), torch.tensor([[1, 0, 0, 2]])
mask = (tokens == 0)[..., None].expand(1, 4, 4)


def embedded():
    projector.zero_grad()
    return embedding(tokens).requires_grad_(True), projector(torch.ones(2, 3))


inputs_embeds, features = embedded()
try:
    # Wrong: writes into the leaf.
    inputs_embeds[tokens == 0] = features
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("features were written into a leaf")
assert message.startswith("a leaf Variable that requires grad")
with torch.no_grad():
    # Wrong: the features are cut off.
    inputs_embeds[tokens == 0] = features
inputs_embeds.sum().backward()
print(projector.weight.grad)
assert projector.weight.grad is None
# Right: writes into a copy, or returns a new tensor.
for way in ("clone()", "masked_scatter()"):
    inputs_embeds, features = embedded()
    if way == "clone()":
        inputs_embeds = inputs_embeds.clone()
        inputs_embeds[tokens == 0] = features
    else:
        inputs_embeds = inputs_embeds.masked_scatter(mask, features)
    inputs_embeds.sum().backward()
    print(way, projector.weight.grad.any())
    assert projector.weight.grad.any()

# %%
# Under ``no_grad()``, in ``dist.broadcast(p, 0)``
# ------------------------------------------------
# ``no_grad()`` holds for its own thread. The backend ``gloo``, which is used on
# Windows, copies the result back to a tensor on the GPU in a thread of its own, and the
# error comes from ``work.wait()`` (`reported with PyTorch 2.0
# <https://github.com/openai/improved-diffusion/issues/100>`__, not run). Pass a tensor
# that shares the memory and requires no gradient: ``dist.broadcast(p.detach(), 0)``.
# The same for ``all_reduce``. Here, a thread writes:
from concurrent.futures import ThreadPoolExecutor

values = torch.zeros(2)
with torch.no_grad(), ThreadPoolExecutor(1) as other_thread:
    # Wrong: the other thread records.
    error = other_thread.submit(weight.copy_, values).exception()
    print(error)
    # Right: the detached tensor shares the memory.
    other_thread.submit(weight.detach().copy_, values).result()
print(weight.detach())
assert "leaf Variable that requires grad" in str(error)
assert torch.equal(weight, values)

# %%
# ``functions with out=... arguments don't support automatic differentiation``
# ----------------------------------------------------------------------------
# ``out=`` writes into a tensor that exists, and this can't be recorded. Leave ``out=``
# away where a gradient should pass. Where none is needed, as for a log or a moving
# average, put the line under ``no_grad()``. ``resize_()`` says ``cannot resize
# variables that require grad``, also under ``no_grad()``: make a new tensor or a new
# parameter of this size.
scale, buffer = torch.nn.Parameter(torch.ones(2)), torch.zeros(2)
texts = []
for wrong in (
    lambda: torch.mul(scale, 2, out=buffer),
    lambda: scale.resize_(3),
):
    try:
        wrong()
    except RuntimeError as error:
        texts.append(str(error))
    else:
        raise AssertionError("it was written")
print(*texts, sep="\n")
assert "functions with out=... arguments don't support" in texts[0]
assert texts[1] == "cannot resize variables that require grad"
# Right: a result of its own, or no record.
torch.mul(scale, 2).sum().backward()
assert scale.grad.tolist() == [2, 2]
with torch.no_grad():
    torch.mul(scale, 2, out=buffer)
assert buffer.tolist() == [2, 2]

# %%
# Other versions, quoted and not run here: ``a leaf Variable that requires grad has been
# used in an in-place operation`` in
# `PyTorch 0.4 <https://github.com/dasguptar/treelstm.pytorch/pull/26>`__. And
# ``leaf variable has been moved into the graph interior`` from ``backward()`` in
# `PyTorch 1.4 <https://github.com/huggingface/transformers/issues/11245>`__.
#
# From ``torch.export``, for a change under ``no_grad()``:
# :doc:`/gallery/beyond/compile_trace_export`.
#
# Read on: :doc:`/gallery/modes/updating_weights_by_hand`.
