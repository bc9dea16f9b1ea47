"""
freeze_llm, frozen_stages, train_text_encoder: what an option of a trainer freezes
==================================================================================

An option may set ``requires_grad``, leave parameters out of the optimizer, set a mode,
or have no effect at all. Count what trains, part by part, when the optimizer exists.
"""

# %%
import torch
from torch import nn


def overview(model, optimizer):
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    rows = {}
    for name, p in model.named_parameters():
        row = rows.setdefault(name.split(".")[0], [0, 0, 0])
        for i, counts in enumerate((True, p.requires_grad, id(p) in held)):
            row[i] += p.numel() * counts
    return rows


parts = {"vit": nn.Linear(4, 8), "aligner": nn.Linear(8, 2), "llm": nn.Linear(2, 9)}
model = nn.ModuleDict(parts)
model["vit"].requires_grad_(False)
optimizer = torch.optim.AdamW(model["aligner"].parameters(), lr=0.1)
print("part     all  trainable  in the optimizer")
for part, row in overview(model, optimizer).items():
    print(f"{part:8}{row[0]:4}{row[1]:11}{row[2]:18}")

# %%
# - *Trainable and in the optimizer*: it trains, if the loss reaches it.
# - *Not trainable*: frozen, in the optimizer or not.
# - *Trainable and not in the optimizer*, like ``llm`` here: it does not train, but
#   ``backward()`` computes and keeps its gradients, which costs memory. Freeze it, too.
#
# Call it at the start of the training: in ``on_train_begin()`` of a callback of
# transformers, in ``on_train_start()`` of Lightning. With DDP, FSDP or DeepSpeed, take
# the model from before the wrapping for the first two numbers. ZeRO-3 shows 0 elements:
# count ``p.ds_numel`` (not run here). ``python -m gradguide train.py`` answers without
# a change of the script what was updated in the first step, and why the rest was not:
# :doc:`/gallery/diagnose/one_command_for_your_script`.
#
# Names that begin alike
# ----------------------
# Many options compare the beginning or a part of a name. Then ``layers.1`` stands for
# ``layers.10``, too. End it with a dot.
vit, aligner, llm = overview(model, optimizer).values()
assert (vit, aligner, llm) == ([40, 0, 0], [18, 18, 18], [27, 27, 0])
names = [f"layers.{i}.weight" for i in range(12)]
# Wrong: without the last dot
wrong = [name for name in names if name.startswith("layers.1")]
# Right: with it
right = [name for name in names if name.startswith("layers.1.")]
print(wrong, right, sep="\n")
assert len(wrong) == 3
assert right == ["layers.1.weight"]

# %%
# Freeze first, then unfreeze
# ---------------------------
# With two lists, one for what is frozen and one for what trains, ask which comes last.
# In ms-swift everything trains at first, then the first list freezes, then the second
# list unfreezes. So the second one alone freezes nothing. The same order by hand:


def swift(model, freeze_parameters=(), trainable_parameters=()):
    model.requires_grad_(True)
    for name, p in model.named_parameters():
        if name.startswith(tuple(freeze_parameters)):
            p.requires_grad_(False)
        if name.startswith(tuple(trainable_parameters)):
            p.requires_grad_(True)
    return [part for part in model if model[part].weight.requires_grad]


alone = swift(model, trainable_parameters=["aligner"])
both = swift(model, ["vit", "aligner", "llm"], ["aligner"])
print(alone, both)
assert alone == ["vit", "aligner", "llm"]
assert both == ["aligner"]

# %%
# What the options do
# -------------------
# Read in the sources of 2026 (of LLaVA, 2024), and not run here.
#
# *ms-swift* (`tuner_args.py
# <https://github.com/modelscope/ms-swift/blob/main/swift/arguments/tuner_args.py>`__,
# `tuner.py
# <https://github.com/modelscope/ms-swift/blob/main/swift/pipelines/train/tuner.py>`__):
#
# - ``tuner_type`` (in version 3: ``train_type``) ``full``: the order above.
#   ``freeze_parameters`` and ``trainable_parameters`` are beginnings of names.
#   ``freeze_llm``, ``freeze_vit`` and ``freeze_aligner`` add to these lists, for models
#   with images or sound. To train the aligner alone, set ``freeze_llm`` to true and
#   ``freeze_aligner`` to false; ``freeze_vit`` is true by default.
# - ``lora``: the base is always frozen. With ``target_modules`` ``all-linear``, these
#   three options say which parts get no adapter. The two lists have no effect.
# - ``lora_llm``: adapters in the language model, while vision tower and aligner train
#   whole, with ``vit_lr`` and ``aligner_lr``. It exists since version 4.0. Version 3
#   refuses it: there, pass ``train_type custom`` and the plugin of `this example
#   <https://github.com/modelscope/ms-swift/tree/v3.12.6/examples/train/multimodal/lora_llm_full_vit>`__.
# - Reported in 2025: with ``full``, ``freeze_llm`` did not freeze (`issue 5485
#   <https://github.com/modelscope/ms-swift/issues/5485>`__). Since version 3.11 it also
#   freezes ``lm_head``, which it left out in several models (`pull request 6651
#   <https://github.com/modelscope/ms-swift/pull/6651>`__). Update, or add the names to
#   ``freeze_parameters``. A language model that is frozen behind the aligner still
#   keeps activations: :doc:`/gallery/cost/memory_that_freezing_saves`.
#
# *LLaMA-Factory* (`adapter.py
# <https://github.com/hiyouga/LLaMA-Factory/blob/main/src/llamafactory/model/adapter.py>`__):
#
# - ``freeze_trainable_layers``, with ``finetuning_type: freeze`` only, is the number of
#   layers that *train*: 2 stands for the last two, -2 for the first two.
#   ``freeze_trainable_modules`` restricts it to modules in these layers,
#   ``freeze_extra_modules`` adds others, such as ``embed_tokens``. All the rest is
#   frozen.
# - ``freeze_vision_tower`` and ``freeze_multi_modal_projector`` are true by default,
#   ``freeze_language_model`` is false. With ``lora`` such a part gets no adapter.
#
# *OpenMMLab* (`resnet.py
# <https://github.com/open-mmlab/mmdetection/blob/main/mmdet/models/backbones/resnet.py>`__,
# `norm.py <https://github.com/open-mmlab/mmcv/blob/main/mmcv/cnn/bricks/norm.py>`__,
# `default_constructor.py
# <https://github.com/open-mmlab/mmengine/blob/main/mmengine/optim/optimizer/default_constructor.py>`__):
#
# - ``frozen_stages=1``: the stem and the first stage, ``requires_grad`` and mode;
#   ``0`` is the stem alone, ``-1`` nothing. ``norm_eval=True``: the mode of batch norm
#   in the whole backbone.
# - Why ``frozen_stages=1``? Pretrained first layers find edges and colours, which most
#   data sets share (`Yosinski et al. <https://arxiv.org/abs/1411.1792>`__). They have
#   the largest activations, and at the input freezing saves those. With few images per
#   GPU, ``norm_eval`` avoids statistics of small batches.
# - ``norm_cfg=dict(type="BN", requires_grad=False)``: weight and bias of the norms that
#   this config builds. Their statistics go on in ``train()``, unless ``norm_eval`` is
#   set.
# - ``paramwise_cfg`` with ``lr_mult=0.1``: a learning rate for parameters whose name
#   contains the key. With ``lr_mult=0`` the gradients are still computed, and the
#   statistics of batch norm go on: :doc:`/gallery/freezing/different_learning_rates`.
#   A parameter that is frozen when the optimizer is made is left out of it.
#
# *D-FINE* (`hgnetv2.py
# <https://github.com/Peterande/D-FINE/blob/master/src/nn/backbone/hgnetv2.py>`__):
#
# - ``freeze_at=0`` of the backbone freezes the stem; ``freeze_stem_only=False`` adds
#   the stages up to this number, and ``-1`` freezes none. ``freeze_norm`` puts a norm
#   with fixed statistics in the place of each batch norm.
#
# *LLaVA* (`train.py
# <https://github.com/haotian-liu/LLaVA/blob/main/llava/train/train.py>`__):
#
# - ``tune_mm_mlp_adapter``: freezes the whole model, unfreezes ``mm_projector``, and
#   saves only the projector.
# - ``freeze_backbone``: freezes ``model.model``, not ``lm_head``. The projector, which
#   is set up later, trains.
# - The vision tower is frozen when it is loaded, with ``requires_grad_(False)`` on the
#   module, and its forward has the decorator ``@torch.no_grad()``. To train it, change
#   both.
#
# *diffusers* (`train_dreambooth_lora.py
# <https://github.com/huggingface/diffusers/blob/main/examples/dreambooth/train_dreambooth_lora.py>`__):
#
# - The base weights are frozen. With ``--train_text_encoder``, the text encoder gets
#   adapters, too, which join the optimizer, and ``prepare()`` and ``train()`` are
#   called for it.
#
# *kohya-ss/sd-scripts* (`train_db.py
# <https://github.com/kohya-ss/sd-scripts/blob/main/train_db.py>`__, `fine_tune.py
# <https://github.com/kohya-ss/sd-scripts/blob/main/fine_tune.py>`__, `train_network.py
# <https://github.com/kohya-ss/sd-scripts/blob/main/train_network.py>`__):
#
# - ``train_db.py`` trains the text encoder unless ``--stop_text_encoder_training`` is
#   negative; at that step it is frozen, set to ``eval()`` unless gradient checkpointing
#   is on, and run without recording.
# - ``fine_tune.py`` trains it only with ``--train_text_encoder``. With gradient
#   checkpointing, the frozen text encoder stays in ``train()``.
# - ``train_network.py``: ``--network_train_unet_only`` and
#   ``--network_train_text_encoder_only`` choose which part gets LoRA modules.
#
# *ultralytics*, *timm*, and what changes ``requires_grad`` behind your back:
# :doc:`trainers_that_set_your_flags`.
#
# Where is the line that freezes?
# -------------------------------
# Search the code for ``requires_grad_(``, with the underscore: it freezes a whole
# module. Also for ``requires_grad =``, ``no_grad``, ``set_grad_enabled`` and
# ``detach``. To catch the line while the program runs:
# :doc:`trainers_that_set_your_flags`.
#
# Related: :doc:`lora_freeze_or_a_prompt`, :doc:`what_trainer_trains`,
# :doc:`lora_reaches_the_vision_tower`, :doc:`/gallery/freezing/did_my_freeze_work`,
# :doc:`/gallery/freezing/freeze_by_name`.
