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
assert [*overview(model, optimizer).values()] == [[40, 0, 0], [18, 18, 18], [27, 27, 0]]

# %%
# Full fine-tuning of Qwen2-VL: does it train the vision encoder? freeze_vision_tower
# -----------------------------------------------------------------------------------
# In LLaMA-Factory and ms-swift it does not. "Full" means that no adapters are used, and
# their defaults freeze the vision encoder and the projector. So only the language model
# trains (`LLaMA-Factory's answer
# <https://github.com/hiyouga/LlamaFactory/issues/5789>`__). To train more, say so:
#
# - *LLaMA-Factory*: ``freeze_vision_tower: false``, and for the projector
#   ``freeze_multi_modal_projector: false``. It has one ``learning_rate`` for all parts,
#   so choose it for the vision encoder, such as ``1e-5`` or less, or make parameter
#   groups in its ``trainer_utils.py`` (`how
#   <https://github.com/hiyouga/LlamaFactory/issues/6705>`__).
# - *ms-swift*: ``freeze_vit false``, ``freeze_aligner false``, with ``vit_lr`` and
#   ``aligner_lr``.
# - *Qwen-VL's own scripts*: ``tune_mm_llm``, ``tune_mm_mlp`` and ``tune_mm_vision`` are
#   all false by default, with ``vision_tower_lr`` and ``mm_projector_lr``.
# - *Qwen-VL-Series-Finetune* of 2U1: ``freeze_vision_tower``, ``freeze_merger`` and
#   ``freeze_llm`` are all false by default, with ``vision_lr`` and ``merger_lr``.
#
# This was read in the sources of 2026, and not run. Whether a tower should train at
# all: :doc:`lora_reaches_the_vision_tower`. To check it, look at the number of
# trainable parameters in the log, or call ``overview()``. With the defaults of
# LLaMA-Factory, and without its freezing:


def full(*, freeze_vision_tower=True, freeze_multi_modal_projector=True):
    vlm = nn.ModuleDict({part: nn.Linear(2, 2) for part in ("visual", "merger", "llm")})
    vlm["visual"].requires_grad_(not freeze_vision_tower)
    vlm["merger"].requires_grad_(not freeze_multi_modal_projector)
    rows = overview(vlm, torch.optim.AdamW(vlm.parameters(), lr=1e-5))
    return [part for part, (_, trainable, _) in rows.items() if trainable]


by_default = full()
everything = full(freeze_vision_tower=False, freeze_multi_modal_projector=False)
print(by_default, everything)
assert by_default == ["llm"]
assert everything == ["visual", "merger", "llm"]

# %%
# Names that begin alike
# ----------------------
# Many options compare the beginning or a part of a name. Then ``layers.1`` stands for
# ``layers.10``, too. End it with a dot.
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
# Read in the sources of 2026 (of LLaVA, 2024, of InternVL and MiniCPM-V, 2024 or
# later), and not run here.
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
# - The projector of Qwen2-VL, Qwen2.5-VL and Qwen3-VL, the patch merger, has the name
#   ``visual.merger``. It follows ``freeze_multi_modal_projector`` all the same (in
#   ms-swift, ``freeze_aligner``). Before 0.9.2, ``freeze_vision_tower`` froze it with
#   all of ``visual``, as a loop of your own over this name does. To train it with
#   ``full``, set ``freeze_multi_modal_projector`` to false. With ``lora``, pass
#   ``additional_target: merger``, the ``modules_to_save`` of peft: ``lora_target: all``
#   leaves the projector out.
#
# *Qwen-VL*, the official scripts (`train_qwen.py
# <https://github.com/QwenLM/Qwen3-VL/blob/main/qwen-vl-finetune/qwenvl/train/train_qwen.py>`__):
#
# - ``tune_mm_vision``, ``tune_mm_mlp`` and ``tune_mm_llm`` choose tower, merger and
#   language model. With ``lora_enable`` they are not read: everything is frozen, and
#   adapters train in ``q_proj``, ``k_proj``, ``v_proj`` and ``o_proj``.
# - ``tune_mm_llm False`` sets ``model.lm_head.requires_grad = False`` on the module,
#   which has no effect. Unless its weight is shared with the frozen embedding,
#   ``lm_head`` trains: call ``model.lm_head.requires_grad_(False)``.
#
# *Qwen-VL-Series-Finetune* of 2U1 (`its README
# <https://github.com/2U1/Qwen-VL-Series-Finetune>`__):
#
# - ``freeze_llm``, ``freeze_vision_tower``, ``freeze_merger``. In a frozen part,
#   ``unfreeze_topk_llm`` and ``unfreeze_topk_vision`` train the last layers.
# - ``lora_enable`` demands ``freeze_llm True``, and ``vision_lora`` demands
#   ``freeze_vision_tower True``, see below. With ``freeze_vision_tower False`` and LoRA
#   the tower does not change? See :doc:`lora_reaches_the_vision_tower`.
#
# *InternVL* (`internvl_chat_finetune.py
# <https://github.com/OpenGVLab/InternVL/blob/main/internvl_chat/internvl/train/internvl_chat_finetune.py>`__):
#
# - ``freeze_llm``, ``freeze_backbone`` (the vision tower) and ``freeze_mlp`` (the
#   projector) are false by default. ``use_llm_lora 16`` and ``use_backbone_lora 16``
#   put adapters of this rank into a part.
# - ``unfreeze_vit_layers -4`` unfreezes the last four layers of the tower; a positive
#   number is where the unfreezing begins.
# - ``unfreeze_lm_head`` sets ``requires_grad`` on the module, as above: no effect.
#
# *MiniCPM-V* (`finetune.py
# <https://github.com/OpenBMB/MiniCPM-V/blob/main/finetune/finetune.py>`__):
#
# - ``tune_vision`` and ``tune_llm``: false freezes this part. Both ``use_lora`` and
#   ``tune_llm``: ``The model cannot simultaneously adjust LLM parameters and apply
#   LoRA``.
# - With ``use_lora``, ``embed_tokens`` is unfrozen after ``get_peft_model()``.
#
# *OpenMMLab* (`resnet.py
# <https://github.com/open-mmlab/mmdetection/blob/main/mmdet/models/backbones/resnet.py>`__,
# `norm.py <https://github.com/open-mmlab/mmcv/blob/main/mmcv/cnn/bricks/norm.py>`__,
# `default_constructor.py
# <https://github.com/open-mmlab/mmengine/blob/main/mmengine/optim/optimizer/default_constructor.py>`__):
#
# - ``frozen_stages=1``: the stem and the first stage, ``requires_grad`` and mode;
#   ``0`` is the stem alone, ``-1`` nothing, ``4`` all of a ResNet. ``norm_eval=True``:
#   the mode of batch norm in the whole backbone. If weights change all the same, see
#   below.
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
# *torchvision*, detectors such as Faster R-CNN (`backbone_utils.py
# <https://github.com/pytorch/vision/blob/main/torchvision/models/detection/backbone_utils.py>`__):
#
# - ``trainable_backbone_layers`` counts from the end: 3, the default, trains ``layer2``
#   to ``layer4`` of a ResNet, 5 all of it, 0 nothing. Without pretrained weights it has
#   no effect, and everything trains (since 0.7, see below).
# - With pretrained weights, batch norm in this backbone is ``FrozenBatchNorm2d``, which
#   has no parameters and does not move.
#
# *Detectron2* (`resnet.py
# <https://github.com/facebookresearch/detectron2/blob/main/detectron2/modeling/backbone/resnet.py>`__):
#
# - ``MODEL.BACKBONE.FREEZE_AT``: 0 freezes nothing, 1 the stem, 2, the default, also
#   ``res2``, and so on. Their batch norms become ``FrozenBatchNorm2d``. If you train
#   from scratch, set it to 0: otherwise the first layers stay random.
#
# *fastai* (`optimizer.py
# <https://github.com/fastai/fastai/blob/main/fastai/optimizer.py>`__):
#
# - ``learn.freeze()`` trains the last parameter group only, ``learn.freeze_to(-2)`` the
#   last two, ``learn.unfreeze()`` all. Batch norm trains all the same, unless
#   ``train_bn=False``. The groups come from the ``splitter``: without one, your own
#   model is a single group.
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
# - ``sdxl_train.py``, also for DreamBooth, trains the two text encoders only with
#   ``--train_text_encoder``. Without it, ``--learning_rate_te1`` and
#   ``--learning_rate_te2`` are not read, both are frozen and in no parameter group, and
#   the log says ``train unet: True, text_encoder1: False, text_encoder2: False``. With
#   it, a learning rate of 0 freezes one of them.
# - ``train_network.py``: ``--network_train_unet_only`` and
#   ``--network_train_text_encoder_only`` choose which part gets LoRA modules.
#
# *ultralytics*, *timm*, and what changes ``requires_grad`` behind your back:
# :doc:`trainers_that_set_your_flags`.
#
# The text encoder has a learning rate and is not trained
# -------------------------------------------------------
# A learning rate unfreezes nothing: also pass the option that trains the text encoder,
# such as ``--train_text_encoder``. The rate is used for parameters that are in the
# optimizer and get a gradient. A huge learning rate that gives no ``NaN`` shows that
# something is missing, but not what. Print the table above, or compare the weights of
# the part before and after some steps.
#
# The reverse: no learning rate of its own, such as a missing ``mm_projector_lr`` in
# LLaVA, freezes nothing. The part then has the general ``learning_rate`` (`an issue
# <https://github.com/haotian-liu/LLaVA/issues/832>`__).
encoder, unet = nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 1)
groups = [{"params": encoder.parameters(), "lr": 0.9}, {"params": unet.parameters()}]
optimizer = torch.optim.AdamW(groups, lr=0.1)
old = [encoder.bias.tolist(), unet.bias.tolist()]
unet(encoder(torch.ones(2, 4))).sum().backward()
optimizer.step()
changed = [encoder.bias.tolist() != old[0], unet.bias.tolist() != old[1]]
print(changed)
assert changed == [False, True]

# %%
# Faster R-CNN from scratch: poor AP, because random layers of the backbone are frozen
# ------------------------------------------------------------------------------------
# Frozen random layers never become better. List what is frozen, as below, and unfreeze
# all of it: ``trainable_backbone_layers=5``, in your own call ``trainable_layers=5``.
# In torchvision (0.6.1, 0.7, 0.12 and 0.13 were read, 0.28 was run, not on this page):
#
# - 0.6 and before: the stem and ``layer1`` are always frozen, and there is no option
#   (`issue 2164 <https://github.com/pytorch/vision/issues/2164>`__). Unfreeze
#   ``model.backbone.body`` by hand, or upgrade.
# - 0.7 to 0.12: ``fasterrcnn_resnet50_fpn()`` without pretrained weights trains the
#   convolutions. But batch norm is ``FrozenBatchNorm2d`` with its initial values, which
#   does nothing (`pull request 5443 <https://github.com/pytorch/vision/pull/5443>`__).
# - Since 0.13, it is an ordinary batch norm then, and everything trains.
# - In every version, ``resnet_fpn_backbone()`` called by yourself freezes ``conv1`` and
#   ``layer1`` and takes ``FrozenBatchNorm2d``, even with ``weights=None``. Since 0.7,
#   you can pass ``trainable_layers=5, norm_layer=torch.nn.BatchNorm2d``.
#
# ``pretrained=False`` or ``weights=None`` alone is not from scratch, since the backbone
# is pretrained by default: also pass ``pretrained_backbone=False`` or
# ``weights_backbone=None``. RetinaNet and Mask R-CNN are alike. What such a builder
# freezes, with a linear layer for each stage:


def frozen_parts(backbone):
    named = backbone.named_parameters()
    return sorted({n.split(".")[0] for n, p in named if not p.requires_grad})


def fpn_backbone(trainable_layers=3):
    names = ["layer4", "layer3", "layer2", "layer1", "conv1"]
    body = nn.ModuleDict({name: nn.Linear(2, 2) for name in reversed(names)})
    for name, p in body.named_parameters():
        if not name.startswith(tuple(names[:trainable_layers])):
            p.requires_grad_(False)
    return body


print(frozen_parts(fpn_backbone()), frozen_parts(fpn_backbone(trainable_layers=5)))
assert frozen_parts(fpn_backbone()) == ["conv1", "layer1"]
assert frozen_parts(fpn_backbone(trainable_layers=5)) == []

# %%
# ``frozen_stages=4``, and the backbone has changed in the checkpoint: which keys?
# --------------------------------------------------------------------------------
# For MMDetection's ResNet, 4 freezes the stem and all four stages. Compare the
# checkpoint with the pretrained weights that were *loaded*, key by key:
#
# - Only ``running_mean``, ``running_var`` and ``num_batches_tracked`` differ: a batch
#   norm is in ``train()``. Set ``norm_eval=True``.
# - The weights of the last stages differ: the number is too small. ``1``, which most
#   configs have, is the stem and the first stage only.
# - All weights differ: a backbone of your own that ignores the option. The config
#   freezes nothing by itself: the class must have ``_freeze_stages()``, as in
#   `resnet.py
#   <https://github.com/open-mmlab/mmdetection/blob/main/mmdet/models/backbones/resnet.py>`__,
#   and call it in ``train()``, because ``train()`` takes ``eval()`` back. Or you
#   compare with another file than the one in ``init_cfg`` or ``load_from``.
# - All weights differ, in the last digits: an average (``EMAHook``), or half precision.
#
# Below, a backbone of your own, right and wrong (MMDetection itself was read, not run):


class Stages(nn.Sequential):
    def __init__(self, frozen_stages, calls_it):
        parts = (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for _ in range(3))
        super().__init__(*parts)
        self.frozen_stages, self.calls_it = frozen_stages, calls_it

    def _freeze_stages(self):
        for stage in list(self)[: self.frozen_stages]:
            stage.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        if self.calls_it:
            self._freeze_stages()
        return self


differ = {}
for frozen_stages, calls_it in ((3, False), (1, True), (3, True)):
    stages, head = Stages(frozen_stages, calls_it), nn.Linear(2, 1)
    stages.train()
    old = {key: value.clone() for key, value in stages.state_dict().items()}
    trained = [*stages.parameters(), *head.parameters()]
    head(stages(torch.randn(8, 2))).square().sum().backward()
    torch.optim.SGD(trained, lr=0.1).step()
    keys = [k for k, value in stages.state_dict().items() if not value.equal(old[k])]
    differ[frozen_stages, calls_it] = sorted({key.split(".")[0] for key in keys})
    print(frozen_stages, calls_it, differ[frozen_stages, calls_it])
assert list(differ.values()) == [["0", "1", "2"], ["1", "2"], []]

# %%
# Why does LoRA demand ``freeze_llm=True``? Does the language model still learn?
# ------------------------------------------------------------------------------
# It does. ``freeze_llm`` means the weights of the language model, and under LoRA these
# are always frozen. The adapters in it are new parameters and train. So ``freeze_llm``
# with ``lora_enable`` or ``use_lora`` is no contradiction. In most trainers, an option
# that freezes a part does not freeze adapters in it either. To train a projector alone,
# leave LoRA out (LLaVA: ``tune_mm_mlp_adapter``), or exclude the part from
# ``target_modules``. In LLaMA-Factory and ms-swift, a frozen part gets no adapter.
down, up = nn.Linear(8, 2, bias=False), nn.Linear(2, 9, bias=False)
vlm = nn.ModuleDict({"llm": nn.Linear(8, 9), "lora_A": down, "lora_B": up})
vlm["llm"].requires_grad_(False)  # freeze_llm
x = torch.ones(2, 8)
(vlm["llm"](x) + up(down(x))).sum().backward()
names = [name for name, p in vlm.named_parameters() if p.grad is not None]
print(*names)
assert names == ["lora_A.weight", "lora_B.weight"]

# %%
# LoRA, and beside it the last four blocks of the vision tower (ViT) in full
# --------------------------------------------------------------------------
# With LoRA, peft freezes the whole base, and lists such as ``trainable_parameters``
# mostly have no effect. There are two ways:
#
# - ``modules_to_save`` with the names of the blocks (in LLaMA-Factory
#   ``additional_target``): they train in full and are saved with the adapter. A name
#   fits if it is the end of the module's name, so write ``visual.blocks.2``.
# - ``requires_grad_(True)`` by name, after ``get_peft_model()`` and before the
#   optimizer is made. You save these weights yourself.
#
# Either way, leave these blocks out of ``target_modules``, give them a smaller learning
# rate than the adapters, and print the names that require a gradient.
from peft import LoraConfig, get_peft_model


def towers():
    blocks = (nn.Sequential(nn.Linear(4, 4), nn.GELU()) for _ in range(4))
    visual = nn.ModuleDict({"blocks": nn.ModuleList(blocks)})
    llm = nn.ModuleDict({"q_proj": nn.Linear(4, 4)})
    return nn.ModuleDict({"visual": visual, "llm": llm})


last = ["visual.blocks.2", "visual.blocks.3"]
by_option = get_peft_model(
    towers(), LoraConfig(target_modules=["q_proj"], modules_to_save=last)
)
by_hand = get_peft_model(towers(), LoraConfig(target_modules=["q_proj"]))
for name, p in by_hand.named_parameters():
    if any(f"{part}." in name for part in last):
        p.requires_grad_(True)
for model_with_lora in (by_option, by_hand):
    names = [n for n, p in model_with_lora.named_parameters() if p.requires_grad]
    print(*(name.removeprefix("base_model.model.") for name in names))
    assert [any(part in name for part in last) for name in names].count(True) == 4
    assert ["lora_" in name for name in names].count(True) == 2
    assert len(names) == 6

# %%
# LoRA layers are frozen by ``model.requires_grad_(False)`` after ``get_peft_model()``
# ------------------------------------------------------------------------------------
# The adapters were there already, so the line freezes them, too. If a projector
# (``mm_projector``, ``mm_mlp_adapter``) is unfrozen after it, there is no error, and
# the projector trains alone. Call ``requires_grad_(False)`` before
# ``get_peft_model()``, and unfreeze the projector after it. Or set what has ``lora_``
# in its name back to True, before the optimizer is made.
# ``print_trainable_parameters()`` must show more than the projector. Copies from
# ``modules_to_save`` are frozen by the line as well.


class Projected(nn.Module):
    def __init__(self):
        super().__init__()
        self.mm_projector, self.q_proj = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.q_proj(self.mm_projector(x))


trains = {}
for way in ("frozen after", "lora_ back to True", "frozen before"):
    vlm = Projected()
    if way == "frozen before":
        vlm.requires_grad_(False)
    vlm = get_peft_model(vlm, LoraConfig(r=2, target_modules=["q_proj"]))
    if way != "frozen before":
        vlm.requires_grad_(False)  # wrong: the adapters, too
    for name, p in vlm.named_parameters():
        is_lora = way == "lora_ back to True" and "lora_" in name
        if "mm_projector" in name or is_lora:
            p.requires_grad_(True)
    vlm(torch.ones(2, 4)).sum().backward()
    names = [name for name, p in vlm.named_parameters() if p.grad is not None]
    trains[way] = sorted({"lora" if "lora_" in n else "mm_projector" for n in names})
    print(f"{way:20}", *trains[way])
assert trains.pop("frozen after") == ["mm_projector"]
assert all(parts == ["lora", "mm_projector"] for parts in trains.values())

# %%
# The code freezes all parameters: what is trained at all?
# --------------------------------------------------------
# ``requires_grad_(False)`` on the whole model is often only the first half. Look for
# what comes after it:
#
# - A loop that unfreezes by name, with a list such as ``trainable_modules`` from the
#   configuration.
# - New modules, such as adapters, which are made later and are trainable.
# - A filter in front of the optimizer, which takes what requires a gradient by then.
#
# So don't read the code to the end: print the names when the optimizer exists.
model.requires_grad_(False)
trainable_modules = ["aligner."]
for name, p in model.named_parameters():
    if any(part in name for part in trainable_modules):
        p.requires_grad_(True)
model["audio"] = nn.Linear(2, 2)
names = [name for name, p in model.named_parameters() if p.requires_grad]
print(names)
assert names == [f"{m}.{p}" for m in ("aligner", "audio") for p in ("weight", "bias")]

# %%
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
