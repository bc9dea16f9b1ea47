"""
LoRA in a frozen vision tower: target_modules matches the end of a name
=======================================================================

peft puts an adapter into every module whose name ends in ``q_proj``, that of a frozen
tower, too. Its base weights stay frozen, the adapter trains. Pass a regular expression
that matches whole names, or ``exclude_modules``.
"""

# %% tags=["hide-input"]
# A frozen tower and a language model, and a function that names the parts in which
# something trains.
from peft import LoraConfig, get_peft_model
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.v_proj = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.v_proj(self.q_proj(x))


def places(target_modules, **options):
    parts = {name: Block() for name in ("vision_tower", "language_model")}
    model = nn.ModuleDict(parts | {"projector": nn.Linear(4, 4)})
    model["vision_tower"].requires_grad_(False)
    config = LoraConfig(r=2, target_modules=target_modules, **options)
    peft_model = get_peft_model(model, config)
    trained = [n for n, p in peft_model.named_parameters() if p.requires_grad]
    return sorted({name.split(".")[2] for name in trained})


# %%
wrong = places(["q_proj", "v_proj"])
right = places(r"language_model\..*(q_proj|v_proj)")
also = places(["q_proj", "v_proj"], exclude_modules=r"vision_tower\..*")
print(wrong, right, also, sep="\n")
assert wrong == ["language_model", "vision_tower"]
assert right == also == ["language_model"]

# %%
# A string is a regular expression, a list is not
# -----------------------------------------------
# - A list: each entry is a whole name or its end after a dot.
# - A string: it has to match the whole name (``re.fullmatch``), so it ends in the
#   linear layers. ``"q_proj"`` alone matches nothing here, and ``language_model`` only
#   the block, which has no adapter for its class. Both raise an error.
# - ``"all-linear"``: all linear layers but the output layer, so those of the tower and
#   of the projector, too.
# - ``exclude_modules`` follows the same rules. A list with the name of the tower
#   excludes none of its layers.


def error_of(target_modules):
    try:
        places(target_modules)
    except ValueError as error:
        return str(error)
    raise AssertionError("the names were accepted")


texts = [error_of("q_proj"), error_of("language_model")]
everywhere = places("all-linear")
useless = places(["q_proj"], exclude_modules=["vision_tower"])
print([" ".join(text.split())[:30] for text in texts], everywhere, useless, sep="\n")
assert texts[0].startswith("Target modules q_proj not found in the base model")
assert "is not supported" in texts[1]
assert everywhere == ["language_model", "projector", "vision_tower"]
assert useless == ["language_model", "vision_tower"]
assert places(["language_model.q_proj"]) == ["language_model"]

# %%
# ``Target module Conv3d(...) is not supported``
# ----------------------------------------------
# The error goes on with ``Currently, only the following modules are supported``. A name
# or a regular expression has matched a layer for which peft has no adapter. Exclude
# this layer, or pass ``"all-linear"``. If it has to train, name it in
# ``modules_to_save``: then all of it trains, and gets no adapter (since peft 0.16).
#
# In the vision tower of Qwen2-VL, both the ``Conv3d`` of ``patch_embed`` and a linear
# layer of the attention are called ``proj``. Up to 0.13, peft refuses the ``Conv3d``;
# since 0.14 it gets an adapter without an error. LLaMA-Factory before 0.9.2 reached it
# with ``freeze_vision_tower: false``; since then it leaves ``patch_embed`` out (read in
# the sources of both). Norms and ``ConvTranspose2d`` have no adapter in 0.21 either.


def patches(layer, target_modules, **options):
    parts = {"patch_embed": layer, "attn": nn.Linear(4, 4)}
    parts = {name: nn.ModuleDict({"proj": part}) for name, part in parts.items()}
    config = LoraConfig(r=2, target_modules=target_modules, **options)
    model = get_peft_model(nn.ModuleDict(parts), config)
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    return sorted({".".join(name.split(".")[2:5]) for name in trained})


norm, conv3d = nn.LayerNorm(4), nn.Conv3d(3, 4, (2, 14, 14), bias=False)
try:
    # Wrong: the norm is matched, too.
    patches(norm, ["proj"])
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("peft has an adapter for a norm")
# Right, each alone.
excluded = patches(norm, ["proj"], exclude_modules=["patch_embed.proj"])
linear = patches(norm, "all-linear")
whole = patches(norm, ["proj"], modules_to_save=["patch_embed.proj"])
convolution = patches(conv3d, ["proj"])
print(message, excluded, whole, convolution, sep="\n")
assert "is not supported. Currently, only the following modules are" in message
assert excluded == linear == ["attn.proj.lora_A", "attn.proj.lora_B"]
assert whole == [*linear, "patch_embed.proj.modules_to_save"]
assert convolution == [*linear, "patch_embed.proj.lora_A", "patch_embed.proj.lora_B"]

# %%
# Freeze one layer, LoRA in the others: ``layers_to_transform``
# -------------------------------------------------------------
# With LoRA the whole base is frozen, so a layer without an adapter is a frozen layer.
# Either list the layers that get one, in ``layers_to_transform``, or take one out by
# ``exclude_modules``. In its pattern, write the dot behind the number: ``layers.1``
# alone stands for ``layers.10``, too. ``layers_to_transform`` needs ``target_modules``
# as a list: with a string, such as ``"all-linear"``, it raises an error.
#
# In LLaMA-Factory, ``freeze_trainable_layers`` belongs to ``finetuning_type: freeze``;
# with ``lora`` it chooses no layers, unless ``use_llama_pro`` is on. There, write the
# layers into ``lora_target``: ``layers.0.q_proj,layers.2.q_proj`` (read in its source,
# not run).


def layers_with_lora(target_modules, **options):
    model = nn.ModuleDict({"model": nn.ModuleDict()})
    model["model"]["layers"] = nn.ModuleList(Block() for _ in range(12))
    config = LoraConfig(r=2, target_modules=target_modules, **options)
    model = get_peft_model(model, config)
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    return sorted({int(name.split("layers.")[1].split(".")[0]) for name in trained})


but_one = [i for i in range(12) if i != 1]
names = ["q_proj", "v_proj"]
listed = layers_with_lora(names, layers_to_transform=but_one)
excluded = layers_with_lora("all-linear", exclude_modules=r".*layers\.1\..*")
too_many = layers_with_lora(names, exclude_modules=r".*layers\.1.*")
without_effect = layers_with_lora(names, exclude_modules=["layers.1"])
print(excluded, too_many, without_effect, sep="\n")
assert listed == excluded == but_one
assert too_many == [0, 2, 3, 4, 5, 6, 7, 8, 9]
assert without_effect == list(range(12))
assert layers_with_lora(["layers.0.q_proj", "layers.2.q_proj"]) == [0, 2]
try:
    layers_with_lora("all-linear", layers_to_transform=but_one)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("a string and layers_to_transform went together")
print(message)
assert "cannot be used when `target_modules` is a str" in message

# %%
# The model exists already
# ------------------------
# Freeze the adapters of the tower before you make the optimizer. By default they start
# with an effect of zero, so frozen they change nothing. They are still computed and
# saved.
#
# The other way round: LoRA in the language model, and the tower or the connector
# trained whole. Unfreeze it after ``get_peft_model()``, and save it yourself, or name
# it in ``modules_to_save`` (:doc:`modules_to_save`). Give it a parameter group of its
# own, with a learning rate for full fine-tuning, here a tenth of that of the adapters.
import torch


def two_towers():
    return nn.ModuleDict({"vision_tower": Block(), "language_model": Block()})


model = two_towers()
x = torch.ones(2, 4)
before = model["vision_tower"](x)
model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
tower = model.base_model.model["vision_tower"]
tower.requires_grad_(False)
trained = [n for n, p in model.named_parameters() if p.requires_grad]
print(len(trained), torch.equal(tower(x), before))
assert not any("vision_tower" in name for name in trained)
assert torch.equal(tower(x), before)

config = LoraConfig(r=2, target_modules=r"language_model\.q_proj")
model = get_peft_model(two_towers(), config)
tower = model.base_model.model["vision_tower"].requires_grad_(True)
adapters = [p for n, p in model.named_parameters() if "lora_" in n]
groups = [{"params": adapters}, {"params": tower.parameters(), "lr": 1e-5}]
optimizer = torch.optim.AdamW(groups, lr=1e-4)
held = [len(group["params"]) for group in optimizer.param_groups]
trained = [p for p in model.parameters() if p.requires_grad]
print(held, len(trained))
assert held == [2, 4]
assert len(trained) == sum(held)

# %%
# ``freeze_vision_tower False`` with LoRA: the vision encoder's weights do not change
# -----------------------------------------------------------------------------------
# Are the weights, the loss and the memory the same with ``True`` and ``False``? Then
# the tower was frozen in both runs. ``get_peft_model()`` freezes the whole base, so it
# undoes an unfreezing before it. Unfreeze the tower *after* it, before the trainer or
# the optimizer is made, and save it yourself; or name it in ``modules_to_save``; or
# give it adapters. In a trainer, upgrade, or look for the order of the two calls in its
# source.
#
# To check it, once the trainer exists: the names with ``visual`` or ``vision`` that
# require a gradient, whether they are in a parameter group with a rate above 0, and
# whether their ``.grad`` is not None after ``backward()``. If it is None although they
# require one: the features are computed under ``no_grad()`` or detached, or a reentrant
# checkpoint does not record the tower, whose input, the image, requires no gradient.
# Pass ``use_reentrant=False`` (:doc:`checkpointing_with_adapters`).
trained = {}
for order in ("before", "after"):
    model = two_towers()
    if order == "before":
        model["vision_tower"].requires_grad_(True)  # wrong
    wrapped = get_peft_model(model, config)
    if order == "after":
        model["vision_tower"].requires_grad_(True)  # right
    names = [n for n, p in wrapped.named_parameters() if p.requires_grad]
    trained[order] = [name for name in names if "vision_tower" in name]
    print(f"{order:8}{len(trained[order])}")
assert not trained["before"]
assert len(trained["after"]) == 4

# %%
# Should I freeze the vision encoder, or fine-tune all of it?
# -----------------------------------------------------------
# Freeze it first, and train connector and language model. A frozen tower at the input
# needs no gradients, no optimizer state and no activations, and keeps its general
# features, which counts most with little data. Unfreeze it if a test on your own data
# shows that it sees too little: images far from those of its pretraining (medicine,
# satellites, documents), or fine detail, as for localization. Then give it a smaller
# learning rate, a fifth to a tenth of the usual one, and compare again, also on tasks
# that you did not train.
#
# - *How*: ``model.visual.requires_grad_(False)`` before the optimizer and before
#   DeepSpeed or DDP. For the options of trainers, such as ``freeze_vit``:
#   :doc:`options_that_freeze`. VLM-R1 has ``freeze_vision_modules`` (`its README
#   <https://github.com/om-ai-lab/VLM-R1>`__).
# - *Learning rates*: LLaVA-NeXT takes ``1e-5``, and ``2e-6`` for the tower,
#   ``mm_vision_tower_lr`` (`its scripts
#   <https://github.com/LLaVA-VL/LLaVA-NeXT/tree/main/scripts/train>`__). Qwen's script
#   takes ``1e-5`` for the connector, ``mm_projector_lr``, and ``1e-6`` for the tower,
#   ``vision_tower_lr`` (`its README
#   <https://github.com/QwenLM/Qwen3-VL/tree/main/qwen-vl-finetune>`__).
# - *LoRA in the language model, the connector trained whole*: with enough rank this
#   costs little (LLaVA-1.5 with and without LoRA, in `its tables
#   <https://github.com/haotian-liu/LLaVA/blob/main/docs/MODEL_ZOO.md>`__). It takes
#   ``2e-4`` for LoRA and ``2e-5`` for the projector. With ``2e-5`` for both, LoRA
#   learns slowly: :doc:`lora_freeze_or_a_prompt` says why. On a GPU without bfloat16,
#   such as a 2080 Ti, keep what trains in float32: :doc:`trainable_parameters_in_fp16`.
#
# The numbers of parameters with a gradient, and of activations that the tower keeps:


class Tower(nn.Sequential):
    def __init__(self):
        super().__init__(*(nn.Sequential(nn.Linear(4, 4), nn.GELU()) for _ in range(3)))


def step(*, freeze):
    tower, connector = Tower(), nn.Linear(4, 4)
    tower.requires_grad_(not freeze)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor
    ):
        features = tower(x)
    connector(features).sum().backward()
    gradients = [
        p.grad is not None for p in (*tower.parameters(), *connector.parameters())
    ]
    return sum(gradients), len(kept)


frozen, whole = step(freeze=True), step(freeze=False)
print(frozen, whole)
assert frozen == (2, 0)
assert whole[0] == 8
assert whole[1] > 0

# %%
# Two stages: is the projector frozen again in the second one?
# ------------------------------------------------------------
# In the first stage only the projector trains (LLaVA: ``1e-3``, on captions), with
# tower and language model frozen. The random projector would otherwise send random
# gradients into pretrained weights. In the second stage, LLaVA-1.5 trains projector
# *and* language model at ``2e-5``. There is no need to freeze the projector again, as
# it is small, but some do (`MoAI <https://github.com/ByungKwanLee/MoAI/issues/12>`__).
#
# - Load the projector of the first stage (``pretrain_mm_mlp_adapter``). A random one in
#   the second stage is the usual cause of a loss that begins high.
# - Make a new optimizer. That of the first stage has only the projector.
# - Can the two stages be one? A model that was aligned already, such as Qwen2.5-VL, is
#   fine-tuned directly. With a new projector, too, one stage can be as good (`Prismatic
#   VLMs <https://arxiv.org/abs/2402.07865>`__).
# - With LoRA in the second stage, unfreeze the projector after ``get_peft_model()``, or
#   name it in ``modules_to_save``, and save it.
network = two_towers()
network["projector"] = nn.Linear(4, 4)
trained = []
for stage in (1, 2):
    network.requires_grad_(False)
    network["projector"].requires_grad_(True)
    if stage == 2:
        network["language_model"].requires_grad_(True)
    rates = {"projector": 1e-3 if stage == 1 else 2e-5, "language_model": 2e-5}
    groups = [
        {"params": list(network[part].parameters()), "lr": rate}
        for part, rate in rates.items()
        if any(p.requires_grad for p in network[part].parameters())
    ]
    optimizer = torch.optim.AdamW(groups)
    features = network["projector"](network["vision_tower"](x))
    network["language_model"](features).square().mean().backward()
    optimizer.step()
    names = {n.split(".")[0] for n, p in network.named_parameters() if p.requires_grad}
    trained.append(sorted(names))
print(*trained)
assert trained == [["projector"], ["language_model", "projector"]]
assert all(p.grad is None for p in network["vision_tower"].parameters())

# %%
# Freeze the language model (the text module) or not: what is the difference?
# ---------------------------------------------------------------------------
# - *Frozen*: its weights stay, and the gradient passes through it to the projector,
#   which learns to give image features that this model understands. What it can do with
#   text, in any language, stays the same. It saves the gradients and the optimizer
#   state of the largest part, and needs less data. What the projector can't express is
#   not learned.
# - *Trained, too*: the model also learns new answers, formats and knowledge about
#   images, so the result can be better. It needs much more memory and more data, and it
#   may forget: mix in text, and take a small learning rate or LoRA. In Idefics2,
#   training everything in full diverged, and LoRA was stable (section 3.2 of `its paper
#   <https://arxiv.org/abs/2405.02246>`__, quoted `here
#   <https://www.emergentmind.com/open-problems/stabilize-full-fine-tuning-fully-autoregressive-vlm>`__).
# - *Usual*: both, in two stages, as above: first the projector alone, then the language
#   model, too, with a small rate.
#
# ``torch.no_grad()`` around the language model is not the same as freezing it: nothing
# before it learns, see below. For a frozen and a trained language model: does the
# projector get a gradient, and are the answers to text alone the same after a step?
text, kept = torch.randn(2, 4), {}
for freeze in (True, False):
    network = two_towers()
    network["vision_tower"].requires_grad_(False)
    network["projector"] = nn.Linear(4, 4)
    network["language_model"].requires_grad_(not freeze)
    answers = network["language_model"](text).detach()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    features = network["projector"](network["vision_tower"](x))
    network["language_model"](features).square().mean().backward()
    optimizer.step()
    learns = network["projector"].weight.grad is not None
    kept[freeze] = learns, network["language_model"](text).equal(answers)
    print(f"{freeze=!s:6} projector: {learns}, the same answers: {kept[freeze][1]}")
assert kept == {True: (True, True), False: (True, False)}

# %%
# Freeze the language model, and train the vision tower and the projector
# -----------------------------------------------------------------------
# This is possible and useful for images that the tower does not know, while the
# language of the model should stay as it is: a frozen language model forgets nothing
# about text. The gradient passes through it, so don't put it under ``no_grad()``.
# Because it lies *behind* what trains, it saves less memory than a frozen tower: no
# gradients and no optimizer state, but activations are kept. Activation checkpointing
# helps (:doc:`checkpointing_with_adapters`). With ``tune_mm_mlp_adapter`` or
# ``freeze_llm``, look whether ``lm_head`` is frozen, too: :doc:`options_that_freeze`.
network.zero_grad()
network.requires_grad_(True)
network["language_model"].requires_grad_(False)
features = network["projector"](network["vision_tower"](x))
# Wrong: nothing before the language model learns.
with torch.no_grad():
    blocked = network["language_model"](features)
# Right: frozen, and recorded.
passed = network["language_model"](features)
passed.square().mean().backward()
names = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None}
print(blocked.requires_grad, passed.requires_grad, sorted(names))
assert not blocked.requires_grad
assert sorted(names) == ["projector", "vision_tower"]

# %%
# LoRA ``param.grad`` is None after ``loss.backward()``
# -----------------------------------------------------
# The adapter computes in the forward of its layer. If the parent reads
# ``layer.weight`` and does not call the layer, the adapter is left out, without an
# error: ``lora_A`` and ``lora_B`` get no gradient, and under DDP there is an error,
# because parameters were not used in producing the loss. A LoRA class of your own
# that is defined, but not called in ``forward()``, has no effect in the same way
# (:doc:`/gallery/freezing/freeze_by_name`).
#
# Run one backward pass, and leave layers without a gradient out of ``target_modules``.
# ``modules_to_save`` does train such a layer, all of it, because what the parent reads
# is then the copy.


class Parent(nn.Module):
    def __init__(self):
        super().__init__()
        self.called, self.read = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return nn.functional.linear(self.called(x), self.read.weight, self.read.bias)


def without_gradient(model, batch, target_modules, **options):
    config = LoraConfig(r=2, target_modules=target_modules, **options)
    model = get_peft_model(model, config)
    model(batch)[0].sum().backward()
    parameters = model.named_parameters()
    return [n for n, p in parameters if p.requires_grad and p.grad is None]


wrong = without_gradient(Parent(), x, ["called", "read"])
right = without_gradient(Parent(), x, ["called"])
whole = without_gradient(Parent(), x, ["called"], modules_to_save=["read"])
print(*wrong, right, whole, sep="\n")
assert len(wrong) == 2
assert all(".read.lora_" in name for name in wrong)
assert right == whole == []

# %%
# - Mamba and its fused kernels: peft refuses ``out_proj`` and ``conv1d`` in the Mamba
#   models that it knows, but not ``dt_proj``, whose weight is read, too.
# - ``nn.MultiheadAttention`` reads the weight of its ``out_proj``. Name the whole
#   attention: for this class, peft has an adapter.
# - In the last layer of the vision tower of LLaVA there is another cause: its output is
#   not used, :doc:`/gallery/diagnose/why_is_my_gradient_none`.
import warnings

import transformers

small = {"vocab_size": 8, "hidden_size": 4, "state_size": 2, "num_hidden_layers": 1}
verbosity = transformers.logging.get_verbosity()
transformers.logging.set_verbosity_error()


def mamba(*names):
    model = transformers.MambaForCausalLM(transformers.MambaConfig(**small))
    ids = torch.zeros(1, 3, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return without_gradient(model, ids, list(names))


try:
    mamba("in_proj", "out_proj")
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("peft accepted a layer that Mamba does not call")
assert "incompatible with Mamba-based models" in message
of_mamba = mamba("in_proj", "x_proj", "dt_proj")
transformers.logging.set_verbosity(verbosity)
x = torch.ones(3, 1, 4)
of_attention = [
    without_gradient(nn.TransformerEncoderLayer(4, 1, 4), x, ["linear1", name])
    for name in ("out_proj", "self_attn")
]
print(*of_mamba, *of_attention[0], of_attention[1], sep="\n")
assert len(of_mamba) == len(of_attention[0]) == 2
assert all(".dt_proj." in name for name in of_mamba)
assert all(".out_proj." in name for name in of_attention[0])
assert of_attention[1] == []

# %%
# ``exclude_modules`` exists since peft 0.14. Print the names of what is trainable
# before you train. Source: `peft about target_modules
# <https://huggingface.co/docs/peft/package_reference/lora>`__.
#
# Related: :doc:`modules_to_save`, :doc:`options_that_freeze`,
# :doc:`/gallery/recipes/lora_by_hand`.
