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
# LoRA or freeze: which layers train?
# -----------------------------------
# - ``lora`` freezes all weights of the model and trains small matrices beside the
#   layers in ``target_modules``. These can be attention or feed-forward layers, or
#   both. Without ``target_modules``, peft mostly takes a part of the attention.
# - ``freeze`` trains the weights themselves, of some layers, and freezes the others.
#
# So LoRA does not stand for attention, nor freeze for the feed-forward layers. That was
# the default of ChatGLM-Efficient-Tuning in 2023. In its successor LLaMA-Factory both
# are ``all`` by default: ``lora_target``, and ``freeze_trainable_modules`` in the last
# two layers (`finetuning_args.py
# <https://github.com/hiyouga/LLaMA-Factory/blob/main/src/llamafactory/hparams/finetuning_args.py>`__).
# Print what is trainable.
import warnings

from peft import LoraConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore", FutureWarning)
small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
config = LlamaConfig(vocab_size=31, num_hidden_layers=2, **small)


def trained_in(model):
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    parts = {name.split("layers.")[-1].split(".lora_")[0] for name in names}
    return sorted(part.removesuffix(".weight") for part in parts)


attention = LoraConfig(task_type="CAUSAL_LM")
feed_forward = LoraConfig(target_modules=["gate_proj", "up_proj", "down_proj"])
found = [
    trained_in(get_peft_model(LlamaForCausalLM(config), lora))
    for lora in (attention, feed_forward)
]
frozen = LlamaForCausalLM(config).requires_grad_(False)
frozen.model.layers[-1].mlp.requires_grad_(True)
found.append(trained_in(frozen))
print(*found, sep="\n")
projections = ["mlp.down_proj", "mlp.gate_proj", "mlp.up_proj"]
assert found[0] == [f"{i}.self_attn.{n}_proj" for i in range(2) for n in "qv"]
assert found[1] == [f"{i}.{name}" for i in range(2) for name in projections]
assert found[2] == [f"1.{name}" for name in projections]

# %%
# P-tuning, prompt tuning: is the language model frozen?
# ------------------------------------------------------
# With peft it is: only the prompt trains. The code of the first P-tuning paper does not
# always freeze it. For few-shot tasks it has two optimizers, one for the prompt encoder
# and one for the whole language model (`wrapper.py
# <https://github.com/THUDM/P-tuning/blob/main/PT-Fewshot/pet/wrapper.py>`__); for LAMA,
# the option ``use_lm_finetune`` decides (`modeling.py
# <https://github.com/THUDM/P-tuning/blob/main/LAMA/p_tuning/modeling.py>`__; both read,
# not run). To train the prompt alone, freeze the model and give the optimizer only the
# prompt encoder. The gradient still passes through the frozen model.
prompts = PromptEncoderConfig, PromptTuningConfig
for kind in prompts:
    options = {"encoder_hidden_size": 8} if kind is PromptEncoderConfig else {}
    prompt = kind(task_type="CAUSAL_LM", num_virtual_tokens=3, **options)
    prompted = get_peft_model(LlamaForCausalLM(config), prompt)
    parts = {n.split(".")[0] for n, p in prompted.named_parameters() if p.requires_grad}
    print(kind.__name__, parts)
    assert parts == {"prompt_encoder"}

language_model, encoder = LlamaForCausalLM(config), nn.Embedding(3, 16)
language_model.requires_grad_(False)
optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1)
words = language_model.get_input_embeddings()(torch.tensor([[4, 5, 6]]))
inputs = torch.cat([encoder.weight[None], words], dim=1)
labels = torch.tensor([[-100, -100, -100, 4, 5, 6]])
language_model(inputs_embeds=inputs, labels=labels).loss.backward()
print(overview(nn.ModuleDict({"lm": language_model, "prompt": encoder}), optimizer))
assert encoder.weight.grad.any()
assert all(p.grad is None for p in language_model.parameters())

# %%
# Only the projector trains, and the loss does not fall
# -----------------------------------------------------
# Print the gradient of the projector after ``backward()``. If it is None while the loss
# falls as soon as the embedding is unfrozen, then the embedding learns in its place:
# the features were written into the embeddings with ``.data`` or under ``no_grad()``,
# which leaves the projector out of the graph. With all else frozen, that raises an
# error, unless ``enable_input_require_grads()`` makes the embeddings require a
# gradient: then ``backward()`` runs, and nothing trains. Write into a ``clone()``, or
# use ``masked_scatter()`` or ``torch.cat()``: the gradient then passes through the
# frozen language model, and its embedding can stay frozen.
projector, tokens = nn.Linear(4, 16), torch.tensor([[4, 0, 0, 5]])


def grounded(write, *, unfreeze):
    model = LlamaForCausalLM(config).requires_grad_(False)
    embedding = model.get_input_embeddings().requires_grad_(unfreeze)
    if not unfreeze:
        model.enable_input_require_grads()
    hidden, features = embedding(tokens), projector(torch.ones(1, 2, 4))
    projector.zero_grad()
    if write == "data":
        hidden.data[:, 1:3] = features
    elif write == "clone":
        hidden = hidden.clone()
        hidden[:, 1:3] = features
    else:
        image = (tokens == 0)[..., None].expand_as(hidden)
        hidden = hidden.masked_scatter(image, features)
    model(inputs_embeds=hidden, labels=tokens).loss.backward()
    return projector.weight.grad is not None, embedding.weight.grad is not None


for write in ("data", "clone", "masked_scatter"):
    row = [grounded(write, unfreeze=unfreeze) for unfreeze in (False, True)]
    print(f"{write:15}", *row)
    assert row == [(write != "data", False), (write != "data", True)]

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
# Related: :doc:`what_trainer_trains`, :doc:`lora_reaches_the_vision_tower`,
# :doc:`/gallery/freezing/did_my_freeze_work`, :doc:`/gallery/freezing/freeze_by_name`.
