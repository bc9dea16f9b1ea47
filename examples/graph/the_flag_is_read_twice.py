"""
Frozen or unfrozen between forward and backward(): why .grad is None
====================================================================

Autograd reads ``requires_grad`` when an operation runs, and again when the gradient
arrives at the leaf. Change it before the forward or after ``backward()``.
"""

# %%
# The two columns are ``requires_grad`` in the forward and in the backward.
import torch


def gradient(in_forward, in_backward):
    weight = torch.nn.Parameter(torch.ones(2), in_forward)
    x = torch.ones(2, requires_grad=True)
    loss = (weight * x).sum()
    weight.requires_grad_(in_backward)
    loss.backward()
    return weight.grad


for flags in [(True, True), (True, False), (False, True)]:
    print(*flags, gradient(*flags))
assert gradient(True, True).tolist() == [1, 1]
assert gradient(True, False) is None
assert gradient(False, True) is None

# %%
# Frozen between forward and backward
# -----------------------------------
# The forward has recorded the way to ``weight``, and the gradient arrives: a hook on
# ``weight`` gets it. But the leaf no longer requires it, so it is not stored. A
# gradient from before stays as it was.
weight = torch.nn.Parameter(torch.ones(2))
weight.grad = torch.full((2,), 7.0)
arrived = []
weight.register_hook(arrived.append)
loss = (weight * 2).sum()
weight.requires_grad_(False)
loss.backward(retain_graph=True)
print(arrived, weight.grad)
assert arrived[0].tolist() == [2, 2]
assert weight.grad.tolist() == [7, 7]

# %%
# ``backward()`` gives no error. If you name the weight, in ``autograd.grad`` or in
# ``backward(inputs=)``, there is one.
try:
    torch.autograd.grad(loss, weight)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a frozen leaf got a gradient")
try:
    loss.backward(inputs=[weight], retain_graph=True)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a frozen leaf got a gradient")

# %%
# What counts is the moment at which the gradient arrives. If you switch
# ``requires_grad`` on again before the backward, the weight gets it.
weight.requires_grad_(True)
loss.backward()
assert weight.grad.tolist() == [9, 9]

# %%
# Unfrozen between forward and backward
# -------------------------------------
# Here the graph was made without an edge to ``weight``, and ``requires_grad_(True)``
# does not add one. The next forward does.
weight = torch.nn.Parameter(torch.ones(2), requires_grad=False)
x = torch.ones(2, requires_grad=True)
loss = (weight * x).sum()
weight.requires_grad_(True)
loss.backward()
print(weight.grad, x.grad)
assert weight.grad is None
assert x.grad.tolist() == [1, 1]
(weight * x).sum().backward()
assert weight.grad.tolist() == [1, 1]

# %% tags=["hide-input"]
# All four cases, hatched where the gradient is None. It arrives in one of them:
# ``requires_grad`` was True in the forward and still is in the backward.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(4.4, 3.2), layout="constrained")
for in_forward in (True, False):
    for in_backward in (True, False):
        arrives = gradient(in_forward, in_backward) is not None
        left, bottom = int(not in_backward), int(in_forward)
        look = {"fc": "none", "ec": "C0", "hatch": "" if arrives else "//", "lw": 2}
        ax.add_patch(plt.Rectangle((left, bottom), 0.94, 0.94, **look))
        text = "tensor" if arrives else "None"
        place = {"ha": "center", "va": "center", "backgroundcolor": "w"}
        ax.text(left + 0.47, bottom + 0.47, text, **place)
ax.set(xlim=(-0.06, 2), ylim=(-0.06, 2), xticks=[0.47, 1.47], yticks=[0.47, 1.47])
ax.set_xticklabels(["True", "False"])
ax.set_yticklabels(["False", "True"])
ax.set(xlabel="requires_grad: backward()", ylabel="requires_grad: forward")
plt.show()

# %%
# In which hook of Lightning or callback of the Trainer do I freeze or unfreeze?
# ------------------------------------------------------------------------------
# In one that runs before the forward of a step: ``on_train_epoch_start()`` or
# ``on_train_batch_start()`` of Lightning, ``on_epoch_begin()`` or ``on_step_begin()``
# of a ``TrainerCallback`` in transformers, in your own loop the line above the forward.
# In ``on_before_backward()`` it is too late for this step, to unfreeze. In
# ``on_after_backward()`` and ``on_before_optimizer_step()`` it is too late to freeze:
# the gradient is there, and ``step()`` applies it. (The hooks were read, not run.)
#
# The optimizer must hold what you unfreeze:
# :doc:`/gallery/frameworks/what_trainer_trains`,
# :doc:`/gallery/frameworks/lightning_backbone_finetuning`. Here ``requires_grad``
# changes in the second of three steps. Which of the three move the weight?


def steps_that_move(place, to):
    weight = torch.nn.Parameter(torch.ones(2), requires_grad=not to)
    other = torch.nn.Parameter(torch.ones(2))
    optimizer, moves = torch.optim.AdamW([weight, other], lr=0.1), []
    for number in (1, 2, 3):
        before = weight.tolist()
        for call in ("forward", "backward()", "step()"):
            if number == 2 and call == place:
                weight.requires_grad_(to)
            if call == "forward":
                optimizer.zero_grad()
                loss = (weight * other).sum()
            elif call == "backward()":
                loss.backward()
            else:
                optimizer.step()
        if weight.tolist() != before:
            moves.append(number)
    return moves


places = ("forward", "backward()", "step()")
unfrozen = [steps_that_move(place, to=True) for place in places]
frozen = [steps_that_move(place, to=False) for place in places]
for place, *moved in zip(places, unfrozen, frozen, strict=True):
    print(f"before {place:11} unfrozen: {moved[0]!s:7} frozen: {moved[1]}")
assert unfrozen == [[2, 3], [3], [3]]
assert frozen == [[1], [1], [1, 2]]

# %%
# Freeze and unfreeze in every batch: does the later line undo the earlier one?
# -----------------------------------------------------------------------------
# Not for a step that is done. Each forward and its backward use ``requires_grad`` as it
# is at that time. So a loop can train the adapter together with the decoder, then
# freeze the whole encoder and train the decoder alone on the stored features, and
# unfreeze the adapter for the next batch, as `SAM-Med2D
# <https://github.com/OpenGVLab/SAM-Med2D/blob/6d2e4844f7e8f93b95680d109da2e1aa2a5e3aa7/train.py>`__
# does (read, not run). If several lines come before the same forward, the last one
# decides: freezing the encoder also freezes the adapter inside it.
#
# Clear ``.grad`` when you freeze. ``zero_grad()`` in each step does it. Without it,
# each later step applies the old gradient of the frozen adapter again. Give the
# optimizer all parameters that are trained at any time.
from torch import nn


def moves_of_the_adapter(*, clears, **options):
    torch.manual_seed(0)
    encoder = nn.ModuleDict({"frozen": nn.Linear(2, 4), "adapter": nn.Linear(4, 4)})
    decoder, moves = nn.Linear(4, 1), []
    adapter = encoder["adapter"]
    parameters = [*adapter.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=0.01)
    for x in torch.randn(2, 8, 2):  # two batches
        encoder.requires_grad_(False)
        adapter.requires_grad_(True)
        features = adapter(encoder["frozen"](x))
        for prompt in range(3):
            if prompt == 1:
                encoder.requires_grad_(False)
                features = features.detach()
            loss = decoder(features).square().mean()
            if clears or prompt == 0:
                optimizer.zero_grad(**options)
            loss.backward()
            before = adapter.weight.clone()
            optimizer.step()
            moves.append(not adapter.weight.equal(before))
    return moves


for clears in (True, False):
    print(f"{clears=}", *moves_of_the_adapter(clears=clears))
assert moves_of_the_adapter(clears=True) == [True, False, False] * 2
assert moves_of_the_adapter(clears=False) == [True] * 6
assert moves_of_the_adapter(clears=True, set_to_none=False) == [True] * 6

# %%
# ``zero_grad(set_to_none=False)`` leaves a gradient of zero, with which AdamW still
# moves the adapter: :doc:`zero_is_not_none`. Under DDP, freezing after the wrapping
# needs ``find_unused_parameters=True``: :doc:`/gallery/beyond/freezing_under_ddp`.

# %% tags=["hide-input"]
# Where it ends
# -------------
# A checkpoint runs its forward again in the backward and reads ``requires_grad`` there
# once more. In a reentrant one that is part of the graph, a weight that was unfrozen in
# between gets a gradient. One with ``use_reentrant=False`` raises ``CheckpointError``
# if it finds that the second forward saves other tensors than the first: here after a
# change of the weight, and not of the bias. It compares no more tensors than the first
# forward saved, so a weight that was unfrozen may get no gradient without an error.
from torch.utils.checkpoint import CheckpointError, checkpoint


def through_a_checkpoint(name, in_forward, in_backward, use_reentrant):
    linear = torch.nn.Linear(2, 2)
    net = torch.nn.Sequential(linear, torch.nn.Tanh())
    parameter = linear.get_parameter(name).requires_grad_(in_forward)
    x = torch.ones(1, 2, requires_grad=True)
    loss = checkpoint(net, x, use_reentrant=use_reentrant).sum()
    parameter.requires_grad_(in_backward)
    try:
        loss.backward()
    except CheckpointError as error:
        return type(error).__name__
    return "None" if parameter.grad is None else "tensor"


outcomes = {}
for name in ("weight", "bias"):
    for flags in [(True, False), (False, True)]:
        outcome = [through_a_checkpoint(name, *flags, kind) for kind in (True, False)]
        print(name, *flags, *outcome)
        outcomes[name, flags] = outcome
assert outcomes["weight", (True, False)] == ["None", "CheckpointError"]
assert outcomes["weight", (False, True)] == ["tensor", "CheckpointError"]
assert outcomes["bias", (True, False)] == ["None", "None"]
assert outcomes["bias", (False, True)] == ["tensor", "None"]
last = torch.nn.Linear(2, 2, bias=False).requires_grad_(False)
x = torch.ones(1, 2, requires_grad=True)
loss = checkpoint(last, x, use_reentrant=False).sum()
last.requires_grad_(True)
loss.backward()
assert last.weight.grad is None

# %%
# Change ``requires_grad`` between two steps: after ``optimizer.step()`` and before the
# next forward.
#
# Related: :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`,
# :doc:`gradients_of_some_inputs`,
# :doc:`/gallery/beyond/checkpointing_frozen_layers`. Source:
# :torch:`Autograd mechanics <notes/autograd.html#setting-requires-grad>`.
