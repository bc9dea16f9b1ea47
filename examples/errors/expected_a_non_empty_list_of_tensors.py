"""
``torch.cat(): expected a non-empty list of Tensors``
=====================================================

A list of parameters or gradients is empty: everything is frozen, or nothing has a
gradient yet. With DeepSpeed, a whole group, or the whole model, is frozen. Unfreeze
first, leave out empty groups, and don't give DeepSpeed a frozen reference model.
"""

# %%
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)).requires_grad_(False)
try:
    # Wrong: all parameters are frozen, so the list is empty.
    parameters_to_vector([p for p in model.parameters() if p.requires_grad])
except (ValueError, RuntimeError) as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an empty list was concatenated")
# Right: unfreeze first.
model[1].requires_grad_(True)
vector = parameters_to_vector([p for p in model.parameters() if p.requires_grad])
print(vector.shape)
assert vector.shape == (3,)

# %%
# The same happens to a list of gradients if each ``.grad`` is None: before
# ``backward()``, after ``zero_grad()``, or if everything is frozen. ``torch.stack()``
# has another text, ``stack expects a non-empty TensorList``, and ``clip_grad_norm_()``
# raises nothing and returns 0. In older versions of PyTorch the error is a
# ``RuntimeError`` (1.13: `reported here
# <https://github.com/open-mmlab/mmengine/issues/1518>`__).


def text_of(function, tensors):
    try:
        function(tensors)
    except (ValueError, RuntimeError) as error:
        return str(error)
    raise AssertionError("an empty list was accepted")


grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
assert grads == []
assert text_of(torch.cat, grads) == "torch.cat(): expected a non-empty list of Tensors"
assert text_of(torch.stack, grads) == "stack expects a non-empty TensorList"
assert nn.utils.clip_grad_norm_(model.parameters(), 1.0) == 0
model(torch.ones(1, 2)).sum().backward()
grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
assert torch.cat(grads).shape == (3,)

# %%
# DeepSpeed ZeRO-1 and ZeRO-2: a parameter group is frozen
# --------------------------------------------------------
# The traceback ends in ``_flatten_dense_tensors`` and ``stage_1_and_2.py``. There ZeRO
# takes the trainable parameters of each group of the optimizer, and makes one flat
# tensor of them (read in the `source
# <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/zero/stage_1_and_2.py>`__;
# DeepSpeed was not run here). If all parameters of one group are frozen, that list is
# empty. One group for each parameter makes such groups, as ``paramwise_cfg`` of
# mmengine does, which skips the frozen ones `since April 2024
# <https://github.com/open-mmlab/mmengine/pull/1441>`__. Leave out the frozen
# parameters, and then the empty groups. Here is the function of PyTorch that DeepSpeed
# calls:
flatten = torch._utils._flatten_dense_tensors


def flat_tensors(groups):
    trainable = [[p for p in g["params"] if p.requires_grad] for g in groups]
    return [flatten(parameters) for parameters in trainable]


# Wrong: one group for each parameter, and two of the four are frozen.
groups = [{"params": [p], "lr": 0.1} for p in model.parameters()]
assert text_of(flat_tensors, groups).startswith("torch.cat(): expected a non-empty")
# Right: no frozen parameters, no empty groups.
kept = []
for group in groups:
    trainable = [p for p in group["params"] if p.requires_grad]
    if trainable:
        kept.append(group | {"params": trainable})
optimizer = torch.optim.AdamW(kept)
print(len(groups), len(kept), [len(flat) for flat in flat_tensors(kept)])
assert len(groups) == 4
assert [len(flat) for flat in flat_tensors(kept)] == [2, 1]

# %%
# ref_model: a frozen reference model in ``prepare_deepspeed()``
# --------------------------------------------------------------
# A reference model, a teacher or a reward model is frozen, so ZeRO-1 and ZeRO-2 have
# nothing to flatten. They shard gradients and the state of the optimizer, and such a
# model has neither. Don't give it to ``deepspeed.initialize()``: in the code of your
# trainer, put ``self.accelerator.prepare_model(self.ref_model, evaluation_mode=True)``
# in the place of ``prepare_deepspeed()``, as in `an issue
# <https://github.com/Wang-Xiaodong1899/Open-R1-Video/issues/21>`__ (read, not run), or
# move the model to the device yourself. ZeRO-3 also shards the weights: keep the call
# there, with a configuration that has no ``optimizer`` (next section).
#
# If the model should train, everything is frozen by mistake. Count the trainable
# parameters before ``initialize()``, in each group.
teacher, x = nn.Linear(2, 2), torch.ones(1, 2)
teacher.requires_grad_(False).eval()
trainable = [p for p in teacher.parameters() if p.requires_grad]
print(len(trainable))
assert text_of(flatten, trainable).startswith("torch.cat(): expected a non-empty")
with torch.no_grad():
    target = teacher(x)
assert not target.requires_grad

# %%
# DPO: ``zero stage 2 requires an optimizer``, ``max() arg is an empty sequence``
# -------------------------------------------------------------------------------
# Both come from ``deepspeed.initialize()``, mostly for a model that does not train: the
# reference model of DPO, which a trainer such as LLaMA-Factory or TRL prepares with the
# configuration of the model that trains. Give it a copy without ``optimizer`` and
# ``scheduler``, and with ``stage`` 0, unless the stage is 3:
#
# - ``AssertionError: zero stage 2 requires an optimizer``, and the same with ``stage
#   1``: the JSON file has no ``optimizer``, and stages 1 and 2 shard only gradients and
#   the state of an optimizer. Adding one to the file, as is often advised, makes
#   DeepSpeed build an optimizer for a model that never trains: if this model is frozen,
#   the error of this page follows, or with stage 3 the next one. TRL sets stage 0
#   `since September 2023 <https://github.com/huggingface/trl/pull/825>`__. An
#   evaluation without training needs stage 0, too.
# - ``ValueError: max() arg is an empty sequence`` in ``initialize_optimizer_states`` of
#   ``stage3.py``: the file has an ``optimizer``, so DeepSpeed makes one for the frozen
#   model and finds no trainable parameter. Upgrading DeepSpeed `did not help
#   <https://github.com/hiyouga/LlamaFactory/issues/2546>`__. If you can't change the
#   code of the trainer, delete ``optimizer`` and ``scheduler`` from the file: then the
#   ``Trainer`` of transformers makes the optimizer of the model that trains, from its
#   own arguments. Newer versions of Python say ``max() iterable argument is empty``.
# - Memory runs out in the same place: the reference model is not frozen, and gets an
#   optimizer with states (`TRL 959 <https://github.com/huggingface/trl/issues/959>`__).
#
# All of this is read in these threads and in the source (`engine.py
# <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/engine.py>`__,
# `stage3.py
# <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/zero/stage3.py>`__),
# and not run. With LoRA you need no second model, since the base without the adapter is
# the reference: :doc:`/gallery/frameworks/adapter_is_loaded_frozen`. If it is the model
# that trains: with ``max() ...``, everything in it is frozen by mistake; with
# ``requires an optimizer``, none was given or configured (with accelerate: pass model
# and optimizer in one ``prepare()``, `sd-scripts 1200
# <https://github.com/kohya-ss/sd-scripts/pull/1200>`__).
from copy import deepcopy


def for_frozen_model(config):
    config = deepcopy(config)
    config.pop("optimizer", None)
    config.pop("scheduler", None)
    zero = config["zero_optimization"]
    if zero["stage"] != 3:
        zero["stage"] = 0
    return config


shared = {"optimizer": {"type": "AdamW"}, "scheduler": {"type": "WarmupLR"}}
for stage in (2, 3):
    config = shared | {"zero_optimization": {"stage": stage}}
    print(stage, for_frozen_model(config))
    expected = {"zero_optimization": {"stage": 3 if stage == 3 else 0}}
    assert for_frozen_model(config) == expected
    assert config == shared | {"zero_optimization": {"stage": stage}}
# What stage3.py does: it leaves out the groups without a trainable parameter.
groups = [[p for p in teacher.parameters() if p.requires_grad]]
try:
    max([sum(p.numel() for p in group) for group in groups if group])
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("a group is left")
assert message.startswith("max() ")

# %%
# Read on: :doc:`/gallery/frameworks/frozen_second_network`,
# :doc:`/gallery/three-ways/filter_parameters_into_the_optimizer`.
