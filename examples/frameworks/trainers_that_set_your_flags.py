"""
Frozen layers train in YOLO and other trainers: freeze by the trainer's own option
==================================================================================

Some trainers set ``requires_grad=True`` on every parameter when they start, ultralytics
among them. What you froze before is undone. Use the option of the trainer, such as
``freeze=``, or freeze in a callback that runs after its setup.
"""

# %% tags=["hide-input"]
# A small trainer that works like the one of ultralytics: ``setup()`` decides about each
# parameter, makes the optimizer, and then the callbacks run.
import torch
from torch import nn


class Trainer:
    def __init__(self, model, freeze=(), callbacks=()):
        self.model, self.freeze, self.callbacks = model, freeze, callbacks

    def setup(self):
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad = not name.startswith(tuple(self.freeze))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1)

    def train(self):
        self.setup()
        for callback in self.callbacks:
            callback(self)
        for _ in range(2):
            self.model.train()
            self.optimizer.zero_grad()
            self.model(torch.randn(8, 2)).square().mean().backward()
            self.optimizer.step()


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def changes(trainer):
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    trainer.train()
    state = trainer.model.state_dict()
    return [name for name in state if not torch.equal(state[name], before[name])]


# %%
def freeze_backbone(trainer):
    trainer.model[:2].requires_grad_(False)


# Wrong: the setup of the trainer undoes it.
model = network()
model[:2].requires_grad_(False)
undone = changes(Trainer(model))
by_option = changes(Trainer(network(), freeze=["0.", "1."]))
by_callback = changes(Trainer(network(), callbacks=[freeze_backbone]))
for found in (undone, by_option, by_callback):
    print([name for name in found if name.startswith("0.")])
assert "0.weight" in undone
assert "0.weight" not in by_option
assert by_callback == by_option

# %%
# YOLO ``freeze=14`` or ``freeze=[14]``: which layers are frozen?
# ---------------------------------------------------------------
# ``freeze=14`` freezes the first 14 modules of the list in the ``.yaml`` file, with the
# indices 0 to 13: all parameters whose names begin with ``model.0.`` to ``model.13.``.
# Layer 14 is not frozen. In YOLOv8 it is a ``Concat``, which has no parameters. A list
# means exactly its indices: ``freeze=[14]`` is layer 14 alone, so there nothing. In
# YOLOv8, 0 to 9 are the backbone, 10 to 21 the neck and 22 the ``Detect`` head:
# ``freeze=10`` freezes the backbone, ``freeze=22`` leaves the head.
#
# - The part ``.dfl`` of the head is always frozen, see below.
# - ``freeze=23``, in YOLOv8 everything, raises ``froze the entire model with no
#   trainable parameters left``.
# - YOLOv5 and YOLOv7, ``train.py --freeze 10``: one number counts in the same way, two
#   or more are indices. So ``--freeze 0 1 2`` and ``--freeze 3`` are the same.
# - To freeze the head and train the rest, list its index: ``freeze=[22]`` (in YOLO11
#   23).
#
# Read in the sources of 2026 (of YOLOv5, 2022) and not run here. The log has a line
# *Freezing layer* for each frozen parameter. The rule, and what is frozen by it:
parts = {0: 2, 1: 0, 2: 2, 3: 2}  # the number of parameters; 1 is a Concat
names = [f"model.{i}.{k}" for i, n in parts.items() for k in ("weight", "bias")[:n]]


def frozen_layers(freeze):
    indices = freeze if isinstance(freeze, list) else range(freeze)
    prefixes = [f"model.{i}." for i in indices]
    frozen = {name for name in names if any(prefix in name for prefix in prefixes)}
    return sorted({int(name.split(".")[1]) for name in frozen})


for freeze in (1, 2, 3, [1], [2], [0, 3]):
    print(f"freeze={freeze!s:8}{frozen_layers(freeze)}")
assert frozen_layers(2) == [0]
assert frozen_layers(3) == [0, 2]
assert frozen_layers([1]) == []
assert frozen_layers([0, 3]) == [0, 3]

# %%
# Who sets it?
# ------------
# Look at the values in the first step, for example with :py:func:`gradguide.watch`, or
# with ``python -m gradguide train.py``, which needs no change of the script. If a
# parameter that you froze trains, something has unfrozen it.
#
# To find the line, give the parameter a class that notes each change and the function
# that made it. Call ``traceback.print_stack()`` there to see the whole way. Take the
# class out when you have the answer.
import sys

# Install it: pip install git+https://github.com/gradguide/gradguide
import gradguide

calls = []


class Traced(nn.Parameter):
    @property
    def requires_grad(self):
        return torch.Tensor.requires_grad.__get__(self)

    @requires_grad.setter
    def requires_grad(self, value):
        frame = sys._getframe()
        while frame.f_code.co_name in {"requires_grad", "requires_grad_"}:
            frame = frame.f_back
        calls.append((frame.f_code.co_name, value))
        torch.Tensor.requires_grad.__set__(self, value)

    def requires_grad_(self, requires_grad=True):
        self.requires_grad = requires_grad
        return self


model = network()
model[:2].requires_grad_(False)
model[0].weight.__class__ = Traced
trainer = Trainer(model, callbacks=[freeze_backbone])
trainer.setup()
with gradguide.watch() as report:
    model(torch.randn(8, 2)).square().mean().backward()
    trainer.optimizer.step()
trains = [row.name for row in report if row.verdict == "trains"]
print(trains)
assert "model.0.weight" in trains
trainer.train()
print(calls)
assert calls == [("setup", True), ("setup", True), ("freeze_backbone", False)]

# %%
# The reverse: train() freezes again
# ----------------------------------
# Backbones of MMDetection with ``frozen_stages=`` freeze their first stages in
# ``train()``, which the runner calls in every epoch. So what you unfreeze by hand is
# frozen again. And a smaller ``frozen_stages`` does not unfreeze what is frozen
# already. Change both.


class Backbone(nn.Sequential):
    frozen_stages = 1

    def train(self, mode=True):
        super().train(mode)
        for stage in self[: self.frozen_stages]:
            stage.eval().requires_grad_(False)
        return self


backbone = Backbone(nn.Linear(2, 3), nn.Linear(3, 1)).train()
# Wrong: only requires_grad, then only the option.
found = [backbone[0].requires_grad_(True).weight.requires_grad]
found.append(backbone.train()[0].weight.requires_grad)
backbone.frozen_stages = 0
found.append(backbone.train()[0].weight.requires_grad)
# Right: both.
backbone.requires_grad_(True)
found.append(backbone.train()[0].weight.requires_grad)
print(found)
assert found == [True, False, False, True]

# %%
# YOLO: freeze the backbone for the first epochs, then unfreeze it
# ----------------------------------------------------------------
# ``freeze=10`` holds for the whole training. The simplest way is to train twice: with
# ``freeze=10`` first, then without it from the file ``last.pt``. In one training, use a
# callback for ``on_train_epoch_start``. In ultralytics it must also change
# ``trainer.freeze_layer_names``, because in each epoch the batch norm of the layers in
# this list is put into ``eval()``. Leave ``.dfl`` in it, and frozen. The optimizer
# holds all parameters already. With several GPUs, train twice: DDP wraps after the
# freezing, and does not average what you unfreeze later.
#
# ``len(model.model.yaml["backbone"])`` is the number of layers in the backbone, so the
# number for ``freeze``: 10 in YOLOv8, 11 in YOLO11 and YOLO26. If you compare a frozen
# layer before and after, and only ``running_mean`` and ``running_var`` differ, upgrade:
# old versions froze the weights alone (`issue 9391
# <https://github.com/ultralytics/ultralytics/issues/9391>`__; all this was read and not
# run).


class EpochTrainer(Trainer):
    def train(self):
        self.setup()
        self.freeze_layer_names = list(self.freeze)
        for self.epoch in range(4):
            for callback in self.callbacks:
                callback(self)
            self.model.train()
            for name, module in self.model.named_modules():
                frozen = f"{name}.".startswith(tuple(self.freeze_layer_names))
                if isinstance(module, nn.BatchNorm1d) and frozen:
                    module.eval()
            seen.append((self.model[0].weight.requires_grad, self.model[1].training))


def unfreeze(trainer):
    if trainer.epoch == 2:
        trainer.freeze_layer_names = []
        trainer.model.requires_grad_(True)


seen = []
EpochTrainer(network(), freeze=["0.", "1."], callbacks=[unfreeze]).train()
print(seen)
assert seen == [(False, False)] * 2 + [(True, True)] * 2

# %%
# Where it ends
# -------------
# - A callback that sets ``requires_grad`` leaves batch norm as it is: its statistics go
#   on. ``model.train()`` at the start of an epoch undoes an ``eval()`` that was called
#   earlier. :py:func:`gradguide.freeze` holds them in any mode.
# - The optimizer may have what you froze after the setup. Without a gradient it is not
#   updated, not even by weight decay. If the callback runs in a later epoch, set
#   ``.grad`` to None: :doc:`/gallery/still-moves/stale_gradients`.
print([name for name in by_callback if name.startswith("1.")])
assert "1.running_mean" in by_callback
assert "1.running_mean" in by_option


def hold_backbone(trainer):
    gradguide.freeze(trainer.model, "0", "1")


held = changes(Trainer(network(), callbacks=[hold_backbone]))
print(held)
assert held == ["2.weight", "2.bias"]

# %%
# From the sources of libraries, read and not run here:
#
# - *ultralytics*, `engine/trainer.py
#   <https://github.com/ultralytics/ultralytics/blob/main/ultralytics/engine/trainer.py>`__:
#   what ``freeze=`` does not name gets ``requires_grad=True``, with the warning
#   *setting 'requires_grad=True' for frozen layer*. Layers frozen this way have their
#   batch norm in ``eval()``; layers frozen in ``on_train_start`` do not. The line
#   *Freezing layer 'model.22.dfl.conv.weight'* comes without ``freeze=``, too: the
#   trainer always freezes ``.dfl``, whose weights are the fixed numbers 0, 1, 2 and so
#   on. That is intended, and nothing is to be done.
# - *MMDetection*, `backbones/resnet.py
#   <https://github.com/open-mmlab/mmdetection/blob/main/mmdet/models/backbones/resnet.py>`__:
#   ``frozen_stages=1`` freezes the stem and the first stage, ``-1`` nothing.
#   ``norm_eval=True`` keeps batch norm in ``eval()`` in the whole backbone, but its
#   weights train outside the frozen stages.
# - *LLaMA-Factory*, `model/adapter.py
#   <https://github.com/hiyouga/LlamaFactory/blob/main/src/llamafactory/model/adapter.py>`__:
#   with ``finetuning_type: freeze``, ``freeze_trainable_layers: 2`` trains the last two
#   layers and ``-2`` the first two; everything else is frozen.
#   ``freeze_trainable_modules`` chooses modules inside these layers, and
#   ``freeze_extra_modules`` adds others, such as ``embed_tokens``. A wrong name raises
#   an error.
# - *DeepSpeed-Chat*, `lora.py
#   <https://github.com/deepspeedai/DeepSpeedExamples/blob/master/applications/DeepSpeed-Chat/dschat/utils/module/lora.py>`__:
#   ``--only_optimize_lora`` freezes everything but the adapters. If
#   ``--lora_module_name`` is a part of no layer's name, there are none:
#   :doc:`/reference/errors/element_0_of_tensors_does_not_require_grad`.
# - *timm*, `utils/model.py
#   <https://github.com/huggingface/pytorch-image-models/blob/main/timm/utils/model.py>`__:
#   ``timm.utils.freeze()`` also replaces each 2d or sync batch norm by a layer whose
#   weight is a buffer, such as torchvision's ``FrozenBatchNorm2d``. Freeze before you
#   make the optimizer.
#
# Related: :doc:`lightning_backbone_finetuning`,
# :doc:`/gallery/freezing/did_my_freeze_work`,
# :doc:`/gallery/diagnose/one_command_for_your_script`.
