"""
``Expected to have finished reduction in the prior iteration``
==============================================================

A parameter that was trainable when ``DistributedDataParallel`` wrapped the model got no
gradient in the step before. After you freeze a part, wrap the model again. For a part
that is not used in each step, pass ``find_unused_parameters=True``.
"""

# %%
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP

store, x = dist.HashStore(), torch.ones(1, 2)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
# Wrong: freezes after wrapping
wrapped = DDP(model)
model[0].requires_grad_(False)
try:
    for _ in range(2):
        wrapped(x).sum().backward()
except RuntimeError as error:
    print("RuntimeError:", str(error).split(". ")[0])
else:
    raise AssertionError("a frozen parameter was not missed")
# Right: wraps again
wrapped = DDP(model)
for _ in range(2):
    wrapped(x).sum().backward()
print(model[1].weight.grad is not None)
assert model[1].weight.grad is not None

# %%
# The error comes one step late. In the step before, the gradients in the same bucket as
# the missing one were not averaged, so the processes already differ.
#
# One branch of a multi-task model, or the pooler of BERT: never used in the loss
# --------------------------------------------------------------------------------
# On one GPU it works, because nobody waits for the gradient that does not come. Freeze
# what the loss never uses, before the wrapping, or delete it:
#
# - *Only one branch trains,* such as the segmentation of a model that can also detect.
#   Its loss gives the other heads no gradient. Freeze them, leave them out of the
#   optimizer, and call ``eval()`` on them after each ``model.train()``, or their batch
#   norms move on.
# - *The pooler of BERT* is the last two parameters of the encoder, number 197 and 198
#   in ``bert-base``. If you take ``last_hidden_state``, it is not used: write
#   ``AutoModel.from_pretrained(name, add_pooling_layer=False)``, or
#   ``model.pooler.requires_grad_(False)``.
# - *A head of the pretraining,* or the layers behind the last feature that the loss
#   reads, such as the last block of a UNet whose attention features are read
#   (:doc:`/gallery/three-ways/through_or_blocked`).
#
# Then ``find_unused_parameters`` can stay off. It costs a walk through the graph in
# each step, and it hides a mistake: if ``detach()`` cuts off a whole part, there is no
# error, and that part does not train. In Accelerate and in the ``Trainer``, the option
# has other names: see the end of this page.


class Tasks(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.detection = nn.Linear(2, 2), nn.Linear(2, 1)
        self.segmentation = nn.Linear(2, 1)

    def forward(self, x):
        features = self.body(x)
        return self.detection(features), self.segmentation(features)


def error_of(tasks):
    wrapped = DDP(tasks)
    try:
        for _ in range(2):
            _, segmentation = wrapped(x)
            segmentation.sum().backward()
    except RuntimeError as error:
        return str(error).splitlines()[-2].strip()
    return None


# Wrong: detection trains, and its loss is missing. Right: it is frozen first.
wrong, right = Tasks(), Tasks()
right.detection.requires_grad_(False).eval()
found = error_of(wrong), error_of(right)
print(*found, sep="\n")
text = "Parameter indices which did not receive grad for rank 0: 2 3"
assert found == (text, None)

# %%
# frozen_stages with several GPUs: the backbone freezes in train()
# ----------------------------------------------------------------
# With one GPU it works, with several this error comes, and you have only set an option
# such as ``frozen_stages=1``. Some backbones freeze only in their ``train()``, and the
# training loop calls it after DDP has wrapped the model. Call ``model.train()`` once
# before the wrapping, or freeze in ``__init__()`` too. Reported for Swin and VGG in
# `mmpretrain <https://github.com/open-mmlab/mmpretrain/issues/702>`__ and `mmdetection
# <https://github.com/open-mmlab/mmdetection/pull/11182>`__ (read, not run).
# More about such a ``train()``:
# :doc:`/gallery/frameworks/trainers_that_set_your_flags`.


class Backbone(nn.Sequential):
    def train(self, mode=True):
        super().train(mode)
        self[0].requires_grad_(False)
        return self


def trains(model, freeze_first):
    if freeze_first:
        model.train()
    wrapped, message = DDP(model), ""
    wrapped.train()
    try:
        for _ in range(2):
            wrapped(x).sum().backward()
    except RuntimeError as error:
        message = str(error)
    return not message.startswith("Expected to have finished reduction")


# Wrong: train() runs only after the wrapping. Right: once before it, too.
stages = [trains(Backbone(nn.Linear(2, 2), nn.Linear(2, 1)), f) for f in (False, True)]
print(stages)
assert stages == [False, True]

# %%
# A part that is not used in each step
# ------------------------------------
# The message is the same if the output does not depend on a layer, or only on its
# detached result. With ``find_unused_parameters=True``, DDP looks for such parameters
# in each step.


class Branches(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)

    def forward(self, x, kind="first"):
        first, second = self.first(x), self.second(x)
        detached = first + second.detach()
        return {"first": first, "detached": detached, "both": (first, second)}[kind]


def fails(step, **options):
    wrapped, message = DDP(Branches(), **options), ""
    try:
        for _ in range(3):
            step(wrapped).sum().backward()
    except RuntimeError as error:
        message = str(error)
    return message.startswith("Expected to have finished reduction")


def skips(wrapped):
    return wrapped(x, "first")


def detaches(wrapped):
    return wrapped(x, "detached")


# Wrong: the default
print(fails(skips), fails(detaches))
assert fails(skips)
assert fails(detaches)

# Right: DDP looks for unused parameters
for step in (skips, detaches):
    print(fails(step, find_unused_parameters=True))
    assert not fails(step, find_unused_parameters=True)

# %%
# Why does it come only after many steps?
# ---------------------------------------
# Because the first batch that leaves a part out comes late, such as a batch of text
# without an image for a model whose vision tower trains, with or without LoRA. The step
# behind it fails. There are three cures:
#
# - ``find_unused_parameters=True``, as above.
# - If there is no image, put a small dummy image through the tower and add its result
#   times 0. Then each step uses all parameters, and the gradient of the tower is zero,
#   not None, so that :doc:`momentum and weight decay still move it
#   </gallery/graph/zero_is_not_none>`.
# - Freeze the tower before the wrapping, if it need not train:
#   ``freeze_vision_tower: true`` in LLaMA-Factory
#   (:doc:`/gallery/frameworks/options_that_freeze`).


class Vision(torch.nn.Module):
    def __init__(self, cure):
        super().__init__()
        self.visual, self.text = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
        self.visual.requires_grad_(cure != "frozen")
        self.cure = cure

    def forward(self, x, image):
        if image is not None:
            x = x + self.visual(image)
        elif self.cure == "dummy":
            x = x + 0 * self.visual(torch.zeros(1, 2))
        return self.text(x)


def steps_done(cure):
    wrapped, done, message = DDP(Vision(cure)), 0, ""
    try:
        for image in (x, x, None, x, None):
            wrapped(x, image).sum().backward()
            done += 1
    except RuntimeError as error:
        message = str(error)
    assert message.startswith("Expected to have finished reduction") == (done < 5)
    return done


# The third batch has no image.
done = {cure: steps_done(cure) for cure in ("none", "dummy", "frozen")}
print(done)
assert done == {"none": 3, "dummy": 5, "frozen": 5}

# %%
# If several processes train and only some of them have an image, see
# :doc:`/gallery/beyond/ranks_that_freeze_differently`.
#
# An output that the loss does not use
# ------------------------------------
# If the forward pass returns a result and the loss leaves it out, return only what the
# loss needs, or add the rest with a factor of zero.


# Wrong: the second output is dropped
def drops(wrapped):
    return wrapped(x, "both")[0]


# Right: both outputs are in the loss
def keeps(wrapped):
    first, second = wrapped(x, "both")
    return first + 0 * second


print(fails(drops), fails(keeps))
assert fails(drops)
assert not fails(keeps)

# %%
# ``find_unused_parameters=True`` is set, and the error stays
# -----------------------------------------------------------
# Look first whether the option has arrived: ``print(wrapped.find_unused_parameters)``.
# In a framework, another key or another wrapper may have got it.
#
# If it is True, DDP expected a gradient that did not come. It searches the graph from
# the tensors that the last call of ``wrapped(...)`` returned, and expects one for each
# parameter that it finds. If the loss leaves out a part of a plain tuple, list or
# dictionary, DDP notices. It does not in these cases:
#
# - The output left out is in a dataclass, or in your own subclass of ``dict`` or
#   ``list``. Return a plain dictionary, or only what the loss needs. A ``ModelOutput``
#   of transformers is no problem.
# - The loss does not come from the last call, but from an earlier one that used fewer
#   parameters, or from ``wrapped.module(...)``. In each step, call ``wrapped(...)``
#   once, and compute the loss from its result.
# - ``backward(inputs=...)`` names only some parameters. Freeze the others instead,
#   before the wrapping.
# - ``static_graph=True`` is set as well. Then a plain tuple or dictionary is no help.
#
# For the names, see below: *Which parameter is it?* In tensors that DDP does not find,
# because they are in a set, an object of a class of your own or an attribute, the
# error is another one: :doc:`expected_to_mark_a_variable_ready_only_once`.
import warnings
from dataclasses import dataclass


@dataclass
class Output:
    first: torch.Tensor
    second: torch.Tensor


class Returns(Branches):
    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Linear(1, 1)  # or DDP warns that it needs no option

    def forward(self, x, kind=dict):
        return kind(first=self.first(x), second=self.second(x))


def in_a_dictionary(wrapped):
    wrapped(x)["first"].sum().backward()


def in_a_dataclass(wrapped):
    wrapped(x, Output).first.sum().backward()


def past_the_wrapper(wrapped):
    wrapped(x)
    wrapped.module(x)["first"].sum().backward()


def some_inputs(wrapped):
    wrapped(x)["first"].sum().backward(inputs=[*wrapped.module.first.parameters()])


def stays(step, **options):
    wrapped, message = DDP(Returns(), find_unused_parameters=True, **options), ""
    try:
        for _ in range(3):
            step(wrapped)
    except RuntimeError as error:
        message = str(error)
    assert message.startswith("Expected to have finished reduction") == bool(message)
    return bool(message)


# Right: in a dictionary. Wrong: the others.
ways = in_a_dictionary, in_a_dataclass, past_the_wrapper, some_inputs
found = {way.__name__: stays(way) for way in ways}
print(found)
assert list(found.values()) == [False, True, True, True]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    assert stays(in_a_dictionary, static_graph=True)

# %%
# The opposite warning: did not find any unused parameters
# --------------------------------------------------------
# If every parameter is used, DDP warns once *find_unused_parameters=True was specified
# in DDP constructor, but did not find any unused parameters in the forward pass*. If
# you get the error without the option and the warning with it, a parameter is used in
# some steps only, for instance because the forward keeps a value computed from it.
# Compute the value in each step, or, if it needs no training, make it a buffer or
# freeze it before wrapping.


class Cached(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.scale, self.kept = torch.nn.Parameter(torch.ones(1)), None

    def forward(self, x):
        # Wrong: only the first step uses the parameter.
        scale = 2 * self.scale if self.kept is None else self.kept
        self.kept = scale.detach()
        return self.layer(x) * scale


def steps(model, **options):
    wrapped = DDP(model, **options)
    try:
        for _ in range(3):
            wrapped(x).sum().backward()
    except RuntimeError as error:
        return str(error).startswith("Expected to have finished reduction")
    return False


# Right: the parameter is frozen before the wrapping.
frozen = Cached()
frozen.scale.requires_grad_(False)
print(steps(Cached()), steps(frozen))
assert steps(Cached())
assert not steps(frozen)
# The option hides that the first layer is cut off.
print(fails(detaches, find_unused_parameters=True))
assert not fails(detaches, find_unused_parameters=True)


# %%
# ``Parameters which did not receive grad for rank 0``: all layers of one module
# ------------------------------------------------------------------------------
# If the list names every layer of one module, nothing of this module reaches the loss.
# It is not a matter of single weights: the numbers that are missing, as 1 and 3 among
# ``layer.0``, ``layer.2`` and ``layer.4``, are activations, which have no parameters.
# Typical for a module inside the criterion, such as one that computes a confidence:
#
# - its output is used only as a target or a weight, in ``no_grad()`` or detached;
# - only a threshold, ``argmax``, a sort or an index is made of it, which have no
#   derivative;
# - its loss is computed, but its name is missing in ``weight_dict``, so it is not
#   added.
#
# Run one step on one device, without DDP. If ``output.requires_grad`` is false, the
# module itself is cut off. If it is true, go on from there towards the loss, until the
# first tensor for which it is false, or to the sum of the losses. After ``backward()``,
# the gradients of the module must not be None. ``find_unused_parameters=True`` would
# only silence the error, and the module would still not learn.
class Criterion(nn.Module):
    def __init__(self, use):
        super().__init__()
        self.A = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        self.head, self.use = nn.Linear(2, 1), use

    def forward(self, x):
        confidence, score = self.A(x).sigmoid(), self.head(x)
        losses = {"loss_confidence": confidence.square().mean()}
        if self.use == "threshold":
            score = score * (confidence > 0.5)
        elif self.use == "target":
            score = score - confidence.detach()
        elif self.use == "product":
            score = score * confidence
        losses["loss_score"] = score.square().mean()
        weight_dict = {"loss_score": 1.0}
        if self.use == "in weight_dict":
            weight_dict["loss_confidence"] = 1.0
        return sum(losses[name] * weight_dict[name] for name in weight_dict)


dist.set_debug_level(dist.DebugLevel.INFO)
learns, listed = {}, ""
for use in ("threshold", "target", "not in weight_dict", "in weight_dict", "product"):
    criterion, message = Criterion(use), ""
    criterion(x).backward()
    learns[use] = all(p.grad is not None for p in criterion.A.parameters())
    wrapped = DDP(criterion)
    try:
        for _ in range(2):
            wrapped(x).backward()
    except RuntimeError as error:
        message = str(error)
        (listed,) = [m for m in message.split("\n") if "Parameters which" in m]
    assert learns[use] == (not message)
dist.set_debug_level(dist.DebugLevel.OFF)
print(learns)
print(listed.strip())
assert list(learns.values()) == [False, False, False, True, True]
assert listed.count("A.") == 4

# %%
# Which parameter is it?
# ----------------------
# The error ends with ``Parameter indices which did not receive grad``. These indices
# count only what was trainable at the wrapping. With the environment variable
# ``TORCH_DISTRIBUTED_DEBUG=INFO``, the error has the names, too. ``explain()``, on the
# model without DDP and in one process, also says why, and at which line.
import gradguide

model = torch.nn.Sequential(torch.nn.Linear(2, 2).requires_grad_(False), Branches())
# Wrong: indices of all parameters
every = [name for name, _ in model.named_parameters()]
# Right: indices of the trainable ones
trained = [name for name, p in model.named_parameters() if p.requires_grad]
# the same as the environment variable, but in the program
dist.set_debug_level(dist.DebugLevel.INFO)
wrapped, message = DDP(model), ""
try:
    for _ in range(2):
        wrapped(x).sum().backward()
except RuntimeError as error:
    message = str(error)
indices = message.split("indices which did not receive grad for rank 0: ")[1]
indices = indices.split("\n")[0].split()
print([every[int(i)] for i in indices], [trained[int(i)] for i in indices])
assert [every[int(i)] for i in indices] == ["1.first.weight", "1.first.bias"]
assert [trained[int(i)] for i in indices] == ["1.second.weight", "1.second.bias"]
assert "did not receive grad for rank 0: 1.second.bias, 1.second.weight" in message
dist.set_debug_level(dist.DebugLevel.OFF)
report = gradguide.explain(model, lambda: model(x).sum())
print(report)
assert {row.name for row in report.problems} == {"1.second.weight", "1.second.bias"}
dist.destroy_process_group()

# %%
# Lightning replaces this text by *It looks like your LightningModule has parameters
# that were not used in producing the loss returned by training_step*:
# :doc:`parameters_that_were_not_used_in_producing_the_loss`. Other frameworks have an
# option for ``find_unused_parameters=True``:
# ``TrainingArguments(ddp_find_unused_parameters=True)``, and in Accelerate
# ``Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(…)])``.
#
# PyTorch 1.1 spoke only of ``parameters that were not used in producing its output (the
# return value of `forward`)`` (quoted from an `issue
# <https://github.com/open-mmlab/mmdetection/issues/2117>`__, not run).
#
# Read on: :doc:`/gallery/beyond/freezing_under_ddp`.
