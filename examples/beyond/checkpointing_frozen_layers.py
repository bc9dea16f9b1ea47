"""
None of the inputs have requires_grad=True: checkpoints behind frozen layers
============================================================================

A reentrant checkpoint trains the layers inside it only if one of its inputs requires a
gradient. Behind a frozen layer none does. Pass ``use_reentrant=False``.
"""

# %%
# The embedding is frozen, so ``hidden`` requires no gradient. The block trains, and is
# checkpointed to save memory.
import torch
from torch.utils.checkpoint import checkpoint

torch.manual_seed(0)
embedding = torch.nn.Linear(2, 2).requires_grad_(False)
block, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
hidden = embedding(torch.ones(1, 2))
for reentrant in (True, False):
    block.zero_grad()
    out = checkpoint(block, hidden, use_reentrant=reentrant)
    head(out).sum().backward()
    trains = block.weight.grad is not None
    print(f"use_reentrant={reentrant}: {trains}")
    assert trains == (not reentrant)

# %%
# Why? The reentrant form runs the block under ``no_grad()`` and puts one node into the
# graph for all of it. That node requires a gradient if one of its inputs does. The
# parameters inside are no inputs of it, so their ``requires_grad`` is not read. The
# other form records the block as usual and drops the tensors that its nodes saved.
#
# Without ``use_reentrant``, PyTorch takes the reentrant form and warns. Without a
# trainable head behind the block, ``backward()`` raises, too.
out = checkpoint(block, hidden)
try:
    out.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the block was reached")

# %%
# If you must stay with the reentrant form
# ----------------------------------------
# Let the input require a gradient, as ``model.enable_input_require_grads()`` does in
# the library transformers. Pass it as an argument of its own: a tensor inside a
# dictionary or a list does not count.


def by_key(inputs):
    return block(inputs["hidden"])


asked = hidden.clone().requires_grad_()
block.zero_grad()
checkpoint(block, asked, use_reentrant=True).sum().backward()
assert block.weight.grad is not None
assert not checkpoint(by_key, {"hidden": asked}, use_reentrant=True).requires_grad

# %%
# ``autograd.grad()`` and ``backward(inputs=…)`` raise if the way leads through a
# reentrant checkpoint. A parameter inside it is not in the graph. Name it in
# ``backward(inputs=…)``, and it gets nothing, without an error. ``autograd.grad()``
# raises: *appears to not have been used in the graph*.
try:
    torch.autograd.grad(checkpoint(block, asked, use_reentrant=True).sum(), asked)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("autograd.grad ran")
block.zero_grad()
loss = checkpoint(block, asked, use_reentrant=True).sum()
loss.backward(inputs=[block.weight], retain_graph=True)
assert block.weight.grad is None
try:
    torch.autograd.grad(loss, block.weight)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("autograd.grad found the parameter")
assert "appears to not have been used in the graph" in message

# %%
# ``use_reentrant=True`` or ``False``: which is better?
# -----------------------------------------------------
# Pass False, in ``gradient_checkpointing_kwargs={"use_reentrant": False}`` of
# transformers as well. True is the older form, and is still the default of PyTorch. In
# transformers the default has been False `since January 2026
# <https://github.com/huggingface/transformers/pull/43203>`__. The two give the same
# gradients where both work, and both free the activations inside the block. What
# differs:
#
# - False needs no input that requires a gradient, allows ``autograd.grad()`` and
#   ``backward(inputs=…)``, passes keyword arguments on, and follows tensors in
#   dictionaries and lists.
# - False runs less again in the backward: it stops as soon as it has the tensors that
#   it needs. In the example, the code after the last layer runs only once. True does
#   less bookkeeping for each operation. You notice that only with very small tensors:
#   on a CPU, layers of width 8 took a third less time, layers of width 256 the same.
# - True tolerates a second run that differs from the first: a changed
#   ``requires_grad``, a parameter that DeepSpeed ZeRO-3 has released. False compares
#   the number, shape, dtype and device of the saved tensors, and raises *Recomputed
#   values for the following tensors have different metadata* or
#   :doc:`/reference/errors/a_different_number_of_tensors_was_saved`. That is the one
#   reason to stay with True, as long as the cause can't be removed.
# - Under DDP, True can lead to
#   :doc:`/reference/errors/expected_to_mark_a_variable_ready_only_once`.
from torch.multiprocessing.reductions import StorageWeakRef

first, last = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
runs, activations = [], []


def two_layers(x):
    middle = first(x).relu()
    out = last(middle)
    activations.append(StorageWeakRef(middle.untyped_storage()))
    runs.append("behind last")
    return out


gradients = []
for reentrant in (True, False):
    runs.clear()
    first.zero_grad()
    x = hidden.clone().requires_grad_()
    loss = checkpoint(two_layers, x, use_reentrant=reentrant).sum()
    freed = activations[-1].expired()
    loss.backward()
    gradients.append(first.weight.grad.clone())
    print(f"use_reentrant={reentrant}: freed={freed}, {len(runs)}")
    assert freed
    assert len(runs) == (2 if reentrant else 1)
assert torch.equal(*gradients)

# %%
# Trying to backward through the graph a second time, only with gradient checkpointing
# ------------------------------------------------------------------------------------
# There is one ``backward()``, and no error without checkpointing, or with a frozen ViT.
# Then the blocks are checkpointed in the reentrant form, and share a tensor with a
# graph, such as a position embedding that is computed once from trainable weights. Each
# block runs a backward of its own. A tensor that is an argument of ``checkpoint()`` is
# detached before. One that comes in a closure, a ``partial()``, a tuple or a dictionary
# is not: the first of these backwards frees its graph, and the next one raises.
# transformers puts the keyword arguments of a layer into a ``partial()``. If the tower
# is frozen, the tensor has no graph, and the error does not come.
#
# Pass ``use_reentrant=False``. If you can't change the call, hand in the tensor as an
# argument of its own, without a keyword, compute it in each block, or switch
# checkpointing off for this tower (``vit_gradient_checkpointing`` of ms-swift, as in
# `such a report <https://github.com/modelscope/ms-swift/issues/8353>`__, not run).
# ``retain_graph=True`` does not help: it does not reach the backward in the checkpoint.
from functools import partial

table = torch.nn.Linear(2, 2)
blocks = [torch.nn.Bilinear(2, 2, 2) for _ in range(2)]


def shared(way, reentrant, retain_graph=None):
    table.zero_grad()
    position = table(torch.ones(1, 2)).exp()
    x = torch.ones(1, 2, requires_grad=True)
    for one in blocks:
        if way == "partial":
            call = partial(one, input2=position)
            x = checkpoint(call, x, use_reentrant=reentrant)
        elif way == "argument":
            x = checkpoint(one, x, position, use_reentrant=reentrant)
        else:
            x = one(x, position)
    try:
        x.sum().backward(retain_graph=retain_graph)
    except RuntimeError as error:
        return str(error).split(" (")[0]
    return table.weight.grad


message = "Trying to backward through the graph a second time"
plain = shared("no checkpoint", None).clone()
for case in (("partial", True), ("partial", False), ("argument", True)):
    found = shared(*case)
    wrong = case == ("partial", True)
    print(*case, found if wrong else found.allclose(plain))
    assert found == message if wrong else found.allclose(plain)
assert shared("partial", True, retain_graph=True) == message
table.requires_grad_(False)
assert shared("partial", True) is None

# %%
# A function that reads the variable of the loop, such as ``lambda x: block(x)``, is
# worse, in both forms: the second run comes after the loop, and computes with the last
# block. The gradients are wrong, without an error. Hand in ``block`` itself.
layers = [torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh()) for _ in range(2)]


def by_name(x):
    return layer(x)


gradients = {}
for name in ("layer", "by_name"):
    x = torch.ones(1, 2, requires_grad=True)
    for layer in layers:
        layer.zero_grad()
        call = layer if name == "layer" else by_name
        x = checkpoint(call, x, use_reentrant=False)
    (10 * x).sum().backward()
    gradients[name] = layers[0][0].weight.grad.clone()
    print(f"{name:8}{[round(value, 2) for value in gradients[name][0].tolist()]}")
assert not gradients["by_name"].allclose(gradients["layer"])

# %%
# ``set_grad_checkpointing()``, ``checkpoint_sequential``: which form do libraries use?
# -------------------------------------------------------------------------------------
# - ``torch.utils.checkpoint.checkpoint_sequential(layers, segments, input)`` hands
#   ``use_reentrant=False`` on, and takes the reentrant form without it.
# - ``checkpoint_wrapper(module)`` and ``apply_activation_checkpointing(model, …)`` of
#   ``torch.distributed.algorithms._checkpoint`` use the other form by default.
# - transformers and peft: :doc:`/gallery/frameworks/checkpointing_with_adapters`.
# - timm: ``model.set_grad_checkpointing()`` uses the other form since version 1.0.13 of
#   January 2025 (`the change
#   <https://github.com/huggingface/pytorch-image-models/pull/2394>`__, read and not
#   run).
#
# For any other library, search its code for ``checkpoint(``. If you can't change the
# call, let the input of the first checkpointed layer require a gradient. For images,
# that is ``images.requires_grad_()``. It costs the gradient of the input, and changes
# no frozen weight.
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    checkpoint_wrapper,
)
from torch.utils.checkpoint import checkpoint_sequential

layers = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(4)))
calls = {
    "sequential, True": lambda x: checkpoint_sequential(layers, 2, x, True),
    "sequential, False": lambda x: checkpoint_sequential(layers, 2, x, False),
    "wrapper": checkpoint_wrapper(layers),
}
for name, call in calls.items():
    trains = []
    for x in (hidden, hidden.clone().requires_grad_()):
        layers.zero_grad()
        head(call(x)).sum().backward()
        trains.append([layer.weight.grad is not None for layer in layers])
    print(f"{name:18}{trains[0]}")
    assert all(trains[1])
    assert all(trains[0]) == (name != "sequential, True")

# %%
# May I freeze or unfreeze between forward and backward?
# ------------------------------------------------------
# Better not: the checkpoint runs the block again in the backward, and reads
# ``requires_grad`` again. In the reentrant form, the new values hold. In the other one,
# switching the weight of a linear layer changes which tensors are saved, and
# ``backward()`` raises ``CheckpointError``: *A different number of tensors was saved*
# or *Recomputed values for the following tensors have different metadata*. A bias is
# not saved, so switching it raises nothing: on comes too late, off still stops the
# gradient. Nor is the error certain for a weight: the comparison ends as soon as the
# block has saved as many tensors as before. If a layer without a bias comes last and
# its weight is unfrozen, nothing is raised, and the weight gets no gradient. Change
# ``requires_grad`` before the forward.
from torch.utils.checkpoint import CheckpointError


def switched(name, *, to, reentrant, bias=True):
    layer = torch.nn.Linear(2, 2, bias=bias)
    parameter = layer.get_parameter(name).requires_grad_(not to)
    loss = checkpoint(layer, asked, use_reentrant=reentrant).sum()
    parameter.requires_grad_(to)
    try:
        loss.backward()
    except CheckpointError as error:
        return type(error).__name__
    return "no gradient" if parameter.grad is None else "gradient"


found = {
    f"{name} to {to}, reentrant={reentrant}": switched(name, to=to, reentrant=reentrant)
    for name in ("weight", "bias")
    for reentrant in (True, False)
    for to in (True, False)
}
for case, outcome in found.items():
    print(f"{case:34}{outcome}")
assert found["weight to True, reentrant=True"] == "gradient"
assert found["weight to False, reentrant=True"] == "no gradient"
assert found["weight to True, reentrant=False"] == "CheckpointError"
assert found["weight to False, reentrant=False"] == "CheckpointError"
assert found["bias to True, reentrant=True"] == "gradient"
assert found["bias to False, reentrant=True"] == "no gradient"
assert found["bias to True, reentrant=False"] == "no gradient"
assert found["bias to False, reentrant=False"] == "no gradient"
last = [switched("weight", to=to, reentrant=False, bias=False) for to in (True, False)]
assert last == ["no gradient", "CheckpointError"]

# %%
# Does gradient_checkpointing=True or False change the output or the gradients?
# -----------------------------------------------------------------------------
# No. A checkpoint computes the same in the forward, dropout included. It only forgets
# the activations, and computes them again in the backward: less memory, more time. At
# inference, under ``no_grad()``, there is no backward, so it does nothing at all. The
# one thing that differs is batch norm in training mode: each step updates its running
# statistics twice.
#
# If an option such as ``gradient_checkpointing`` changes the result of your model, then
# its two branches do different things. Usually one of them forgets an argument. Compare
# the branches, and let both call one function.


class Block(torch.nn.Module):
    def __init__(self, gradient_checkpointing, forgets=False):
        super().__init__()
        self.layer, self.drop = torch.nn.Linear(4, 4), torch.nn.Dropout()
        self.gradient_checkpointing, self.forgets = gradient_checkpointing, forgets

    def run(self, x, scale=1.0):
        return self.drop(self.layer(x)) * scale

    def forward(self, x, scale):
        if self.gradient_checkpointing and self.forgets:
            # Wrong: the scale is missing.
            return checkpoint(self.run, x, use_reentrant=False)
        if self.gradient_checkpointing:
            # Right: the same arguments as below.
            return checkpoint(self.run, x, scale, use_reentrant=False)
        return self.run(x, scale)


def output_and_gradient(*options):
    torch.manual_seed(0)
    model, x = Block(*options), torch.ones(2, 4)
    out = model(x, 0.5)
    out.square().sum().backward()
    with torch.no_grad():
        return [out, model.layer.weight.grad, model.eval()(x, 0.5)]


plain = output_and_gradient(False)
for options in ((True, False), (True, True)):
    found = output_and_gradient(*options)
    same = [torch.equal(a, b) for a, b in zip(plain, found, strict=True)]
    print(f"forgets={options[1]}: {same}")
    assert same == [not options[1]] * 3
calls = []
with torch.no_grad():
    checkpoint(calls.append, hidden, use_reentrant=False)
assert len(calls) == 1
norm = torch.nn.BatchNorm1d(2)
checkpoint(norm, torch.ones(3, 2), use_reentrant=False).sum().backward()
assert norm.num_batches_tracked == 2

# %%
# Batch norm in a checkpoint: its running statistics are updated twice
# --------------------------------------------------------------------
# The gradients are right, and so is the training. But each step counts its batch twice,
# so ``running_mean`` and ``running_var`` follow the batches faster than ``momentum``
# says. With a momentum of ``1 - (1 - momentum) ** 0.5``, two updates by the same batch
# have the effect of one. With ``momentum=None`` the statistics are the mean over all
# batches, and nothing has to be changed. A frozen batch norm in ``eval()`` is not
# updated at all. This is for layers that are checkpointed in every training step.
batches = [torch.randn(8, 2) + shift for shift in range(3)]


def running_mean(momentum, *, checkpointed):
    norm = torch.nn.BatchNorm1d(2, momentum=momentum)
    for batch in batches:
        x = batch.clone().requires_grad_()
        out = checkpoint(norm, x, use_reentrant=False) if checkpointed else norm(x)
        out.square().sum().backward()
    return norm.running_mean


plain = running_mean(0.1, checkpointed=False)
wrong = running_mean(0.1, checkpointed=True)
right = running_mean(1 - (1 - 0.1) ** 0.5, checkpointed=True)
for name, mean in (("plain", plain), ("checkpoint", wrong), ("corrected", right)):
    print(f"{name:11}{[round(value, 3) for value in mean.tolist()]}")
assert not torch.allclose(wrong, plain)
assert torch.allclose(right, plain, atol=1e-6)
means = [running_mean(None, checkpointed=c) for c in (False, True)]
assert torch.allclose(*means, atol=1e-6)
frozen = torch.nn.BatchNorm1d(2).eval()
checkpoint(frozen, asked, use_reentrant=False).sum().backward()
assert frozen.num_batches_tracked == 0

# %% tags=["hide-input"]
# Where it ends
# -------------
# ``no_grad()`` and ``detach()`` inside the checkpointed function cut the gradient as
# they do outside, in both forms. One difference is left: if the function cuts
# everything, the result of the reentrant form still requires a gradient, and only
# ``backward()`` raises.
first = torch.nn.Linear(2, 2)


def half_cut(value):
    with torch.no_grad():
        middle = first(value)
    return block(middle)


def all_cut(value):
    return block(value).detach()


for reentrant in (True, False):
    block.zero_grad()
    checkpoint(half_cut, asked, use_reentrant=reentrant).sum().backward()
    assert first.weight.grad is None
    assert block.weight.grad is not None
    result = checkpoint(all_cut, asked, use_reentrant=reentrant)
    assert result.requires_grad == reentrant
    try:
        result.sum().backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a result without a gradient was walked")
    assert ("none of output has requires_grad=True" in message) == reentrant

# %% tags=["hide-input"]
# Does the gradient reach the block? Cross: not with a reentrant checkpoint whose input
# requires no gradient.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.2), layout="constrained")
ways = {
    "use_reentrant=True": False,
    "use_reentrant=False": True,
    "hidden.requires_grad_()": True,
}
for way, ok in ways.items():
    square = {"marker": "s", "fc": "none", "ec": "C0"}
    ax.scatter(0, way, s=250, lw=2, **(square if ok else {"marker": "x", "c": "C2"}))
ax.set_xticks([0], ["block.weight.grad"])
ax.margins(0.5, 0.4)
ax.invert_yaxis()
plt.show()

# %%
# Pass ``use_reentrant=False``, and change ``requires_grad`` between two iterations.
# :torch:`torch.utils.checkpoint <checkpoint.html>` lists the differences of the forms.
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`,
# :doc:`/gallery/diagnose/why_is_my_gradient_none`,
# :doc:`/gallery/cost/memory_that_freezing_saves`.
