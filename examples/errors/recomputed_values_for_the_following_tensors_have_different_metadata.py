"""
``Recomputed values for the following tensors have different metadata``
=======================================================================

A checkpoint with ``use_reentrant=False`` repeats the forward pass in ``backward()``.
The second run saved other tensors, here because a layer was unfrozen in between. Freeze
and unfreeze after ``backward()`` and before the next forward pass.
"""

# %%
import torch
from torch.utils.checkpoint import CheckpointError, checkpoint

net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
net[0].requires_grad_(False)
x = torch.ones(4, 2, requires_grad=True)
loss = checkpoint(net, x, use_reentrant=False).sum()
# Wrong: unfreezes a layer between forward and backward.
net[0].requires_grad_(True)
try:
    loss.backward()
except CheckpointError as error:
    print(f"CheckpointError: {str(error).splitlines()[0]}")
else:
    raise AssertionError("the same tensors were saved")
# Right: the layer is unfrozen before the forward pass.
loss = checkpoint(net, x, use_reentrant=False).sum()
loss.backward()
print(net[0].bias.grad is not None)
assert net[0].bias.grad is not None


# %%
# Which reason is it? Compare ``saved metadata`` with ``recomputed metadata``
# ---------------------------------------------------------------------------
# Below the first line, the message has these two lines for each tensor. Compare them:
#
# - *Recomputed shape [0]*: DeepSpeed ZeRO-3 with frozen parameters (LoRA), see below.
#   It comes in the first step, as soon as the training begins.
# - *Another length, for instance twice as long*: the block got the keys and values of
#   the first run from a cache. Set ``model.config.use_cache = False``.
# - *Other shapes of the data*: the function reads a batch, a random length or a branch
#   that was different the second time.
# - *Another dtype*: the weights were converted between the two runs, or a condition in
#   the function switches ``autocast``. A plain ``autocast`` around the model is no
#   reason, because the checkpoint restores its state.
# - *Another device*: offloading has moved a weight.
# - *Quite different tensors*: ``requires_grad`` or the mode was changed in between, as
#   on this page.
#
# In a trainer, if the reason isn't in your own code, do one of these:
#
# - The reentrant form, which does not compare: in the ``TrainingArguments``
#   ``gradient_checkpointing_kwargs={"use_reentrant": True}``, with LoRA together with
#   ``model.enable_input_require_grads()``; in LLaMA-Factory ``use_reentrant_gc: true``.
#   It cures ZeRO-3 (`report
#   <https://github.com/huggingface/transformers/issues/34928>`__), but with changed
#   data or weights it hides the error, and the gradient is wrong.
# - ZeRO-2 in place of ZeRO-3, if the base fits on each GPU.
# - No checkpointing: ``gradient_checkpointing=False``; in LLaMA-Factory
#   ``disable_gradient_checkpointing: true``.
#
# The options were read, not run. Three of the reasons, without a library:
class Cache:
    def __init__(self):
        self.keys = []

    def __call__(self, x):
        self.keys.append(x.exp())
        return torch.cat(self.keys).square()


def switched(layer):
    runs = iter((True, False))

    def function(x):
        with torch.autocast("cpu", torch.bfloat16, enabled=next(runs)):
            return layer(x)

    return function


def two_lines(function, between=None):
    loss = checkpoint(function, x, use_reentrant=False).sum()
    if between is not None:
        between()
    try:
        loss.backward()
    except CheckpointError as error:
        lines = [line for line in str(error).splitlines() if "metadata: " in line]
        return [line.partition(", 'device'")[0] for line in lines[:2]]
    return []


layer = torch.nn.Linear(2, 2)
converted = torch.nn.Linear(2, 2)
reasons = {
    "use_cache": two_lines(Cache()),
    "autocast": two_lines(switched(layer)),
    "converted": two_lines(
        lambda x: converted(x.type_as(converted.bias)), converted.double
    ),
}
for name, lines in reasons.items():
    print(name, *lines, sep="\n  ")
assert "[4, 2]" in reasons["use_cache"][0]
assert "[8, 2]" in reasons["use_cache"][1]
assert "bfloat16" in reasons["autocast"][0]
assert "float32" in reasons["autocast"][1]
assert "float64" in reasons["converted"][1]
# A plain autocast is no reason.
with torch.autocast("cpu", torch.bfloat16):
    loss = checkpoint(layer, x, use_reentrant=False).sum()
loss.backward()

# %%
# eval() between forward and backward
# -----------------------------------
# In training, a batch norm saves the statistics of the batch; after ``eval()``, it
# saves empty tensors in their place. If you evaluate the model in between, call
# ``train()`` before ``backward()``.
norm = torch.nn.BatchNorm1d(2)
loss = checkpoint(norm, x, use_reentrant=False).sum()
norm.eval()
try:
    # Wrong: the layer is still in evaluation mode.
    loss.backward()
except CheckpointError as error:
    message = str(error)
else:
    raise AssertionError("the same tensors were saved")
assert "have different metadata" in message
# Right: the layer is in training mode again.
norm.train()
loss = checkpoint(norm, x, use_reentrant=False).sum()
norm.eval()
norm.train()
loss.backward()
print(norm.bias.grad)
assert norm.bias.grad.tolist() == [4, 4]

# %%
# Data that is not an argument
# ----------------------------
# The checkpoint keeps its arguments for the second run. What the function takes from
# elsewhere must not change before ``backward()``.
batch = {"x": x}


def read():
    return net(batch["x"])


# Wrong: the next batch has another size.
loss = checkpoint(read, use_reentrant=False).sum()
batch["x"] = x[:3]
try:
    loss.backward()
except CheckpointError as error:
    message = str(error)
else:
    raise AssertionError("the same tensors were saved")
assert "have different metadata" in message
# Right: the batch is an argument.
net.zero_grad()
batch["x"] = x
loss = checkpoint(net, batch["x"], use_reentrant=False).sum()
batch["x"] = x[:3]
loss.backward()
print(net[1].bias.grad)
assert net[1].bias.grad.tolist() == [4]

# %%
# No error, and a wrong gradient
# ------------------------------
# The saved tensors are compared by shape, dtype and device, not by value. Here all have
# one shape, so the input takes the place of the frozen weight, and no error is raised.
# ``determinism_check="none"`` switches this comparison off, and corrects nothing.
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
net[0].requires_grad_(False)
square = x[:2].detach().requires_grad_()
(right,) = torch.autograd.grad(net(square).sum(), square)
loss = checkpoint(net, square, use_reentrant=False).sum()
net[0].requires_grad_(True)
(wrong,) = torch.autograd.grad(loss, square)
print(right[0], wrong[0])
assert not wrong.allclose(right)

# %%
# Mixture of experts (MoE): the sizes differ by one or a few tokens
# -----------------------------------------------------------------
# The saved and the recomputed sizes are the numbers of tokens that each expert got, and
# their sums are equal. In the second run, the router chose another expert for a token
# whose best scores are nearly equal: on a GPU, or with several processes, a sum can be
# different in its last digit. So don't run the router again. Call it, with its
# ``topk``, outside of the checkpoint, or checkpoint only the attention or each expert.
# Or keep what ``topk`` returned, with selective checkpointing. Frameworks have an
# option for it, such as ``ignore_router_for_ac`` in `NeMo Automodel
# <https://github.com/NVIDIA-NeMo/Automodel/pull/2635>`__, which at first kept the
# scores and later `also topk
# <https://github.com/NVIDIA-NeMo/Automodel/pull/3140>`__ (read, not run).
#
# ``torch.use_deterministic_algorithms(True)`` and the same autocast in both runs help
# if an operation in front of the router is the cause. ``determinism_check="none"`` is
# no cure: here, the backward of the expert then fails with another error. With
# ``use_reentrant=True`` there is no error, and the gradient is that of the experts of
# the second run, not of those that computed the loss.
from functools import partial

from torch.utils.checkpoint import create_selective_checkpoint_contexts

experts = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(2))
tokens = torch.tensor([[1, 0], [0, 1], [1, 0.999]], requires_grad=True)
drift = torch.zeros(2)


def route(tokens):
    return (tokens + drift).softmax(1).topk(1)


def use_experts(tokens, scores, chosen):
    outputs = torch.zeros_like(tokens)
    for number, expert in enumerate(experts):
        rows = (chosen == number).flatten()
        outputs[rows] = expert(tokens[rows]).tanh()
    return outputs * scores


def whole_block(tokens):
    return use_experts(tokens, *route(tokens))


def trained(run):
    experts.zero_grad()
    drift.zero_()
    out = run()
    # The second run computes slightly different scores.
    drift[1] = 0.01
    out.sum().backward()
    return [expert.weight.grad for expert in experts]


call = partial(checkpoint, use_reentrant=False)
right = trained(lambda: whole_block(tokens))
try:
    # Wrong: the router is in the checkpoint.
    trained(lambda: call(whole_block, tokens))
except CheckpointError as error:
    message = str(error).splitlines()
else:
    raise AssertionError("the router chose the same experts")
print(*message[2:4], sep="\n")
assert "'shape': torch.Size([2, 2])" in message[2]
assert "'shape': torch.Size([1, 2])" in message[3]
# Right: the router is called outside, or what topk returned is kept.
outside = trained(lambda: call(use_experts, tokens, *route(tokens)))
keep = partial(create_selective_checkpoint_contexts, [torch.ops.aten.topk.default])
kept = trained(lambda: call(whole_block, tokens, context_fn=keep))
for found in (outside, kept):
    assert all(map(torch.allclose, found, right))
# Wrong, and without an error.
silent = trained(lambda: checkpoint(whole_block, tokens, use_reentrant=True))
assert not any(map(torch.allclose, silent, right))
try:
    trained(lambda: call(whole_block, tokens, determinism_check="none"))
except RuntimeError as error:
    other = type(error) is RuntimeError
else:
    raise AssertionError("the backward of the expert ran")
assert other

# %%
# What does "tensor at position" count?
# -------------------------------------
# The tensors that the checkpointed function saves for the backward pass, in the order
# in which they are saved, from 0. To see which one it is, call the function once
# without the checkpoint, and collect what is saved. With ``debug=True``, or under
# ``torch.utils.checkpoint.set_checkpoint_debug_enabled(True)``, the message lists the
# operators of both runs with the lines that called them: search for the first that
# differs.
position = int(message[1].removeprefix("tensor at position ").rstrip(":"))
shapes = []
drift.zero_()
with torch.autograd.graph.saved_tensors_hooks(lambda t: shapes.append(t.shape), id):
    whole_block(tokens)
print(shapes[position])
assert shapes[position] == (2, 2)

# %%
# DeepSpeed ZeRO-3: the recomputed shape is 0
# -------------------------------------------
# ZeRO-3 gathers a parameter before the forward of its layer and releases it after it:
# its shape is then ``torch.Size([0])``. The checkpoint keeps a frozen parameter itself,
# not a detached copy, so in the second run it finds the shape 0. Hooks on a norm show
# it without DeepSpeed. If the norm trains, there is no error. The shapes of the model
# and the settings of LoRA are not the cause.
#
# What works at once: ``use_reentrant=True``, which compares nothing and computes the
# right gradient here, together with ``model.enable_input_require_grads()``, without
# which the adapters may get no gradient. For the ``Trainer``, the first is
# ``gradient_checkpointing_kwargs={"use_reentrant": True}``. Or take ZeRO-2, which
# leaves the parameters whole, or no checkpointing, if the memory suffices.


def released(*, frozen, reentrant=False):
    first, second = torch.nn.LayerNorm(2), torch.nn.Linear(2, 2)
    whole = first.weight.data

    def gather(*_):
        first.weight.data = whole

    def release(*_):
        first.weight.data = torch.empty(0)

    first.register_forward_pre_hook(gather)
    first.register_forward_hook(release)
    first.register_full_backward_pre_hook(gather)
    first.requires_grad_(not frozen)
    block = torch.nn.Sequential(first, second)
    loss = checkpoint(block, x, use_reentrant=reentrant).sum()
    try:
        loss.backward()
    except CheckpointError as error:
        return [line for line in str(error).splitlines() if "metadata: " in line]
    assert second.weight.grad is not None
    return []


print(*released(frozen=True), sep="\n")
assert "'shape': torch.Size([2])" in released(frozen=True)[0]
assert "'shape': torch.Size([0])" in released(frozen=True)[1]
assert not released(frozen=False)
assert not released(frozen=True, reentrant=True)

# %%
# DeepSpeed itself was not run here. What its developers and users say:
#
# - The cause is described in `an issue of transformers
#   <https://github.com/huggingface/transformers/issues/47254>`__. A `later change
#   <https://github.com/deepspeedai/DeepSpeed/pull/8148>`__ allows frozen parameters in
#   a checkpoint. Update DeepSpeed: a release from before July 2026 doesn't have it.
# - Outside the forward and the backward, each parameter has the shape 0, so code that
#   chooses by shape or by row what to freeze does not work (`issue
#   <https://github.com/axolotl-ai-cloud/axolotl/issues/1687>`__). Choose by name.
#
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
