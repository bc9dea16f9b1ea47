"""
startswith("layer1") also freezes layer10
=========================================

A prefix without its dot matches too much, and an exact name too little. Write
``"layer1."``, with the dot, or call ``net.layer1.requires_grad_(False)``.
"""

# %%
import torch
from torch import nn


def frozen_by(matches):
    net = nn.ModuleDict({f"layer{i}": nn.Linear(2, 2) for i in (1, 10)})
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(not matches(name))
    return [n for n, p in net.named_parameters() if not p.requires_grad]


wrong = frozen_by(lambda name: name.startswith("layer1"))
right = frozen_by(lambda name: name.startswith("layer1."))
print("wrong:", *wrong)
print("right:", *right)
assert len(wrong) == 4
assert right == ["layer1.weight", "layer1.bias"]

# %%
# What else goes wrong with patterns?
# -----------------------------------
# - An exact name is one parameter: the bias is missing.
# - In a regular expression a dot stands for any character. Write ``r"layer1\."``.
# - ``in`` finds the name in the middle of another name.
# - A pattern that matches nothing raises no error.
import re

exact = frozen_by(lambda name: name == "layer1.weight")
assert exact == ["layer1.weight"]
assert re.match("layer1.", "layer10.weight")
assert not re.match(r"layer1\.", "layer10.weight")
name = "encoder.sublayer1.weight"
assert "layer1." in name
assert frozen_by(lambda name: name.startswith("layers.1.")) == []

# %%
# How do I train only some layers?
# --------------------------------
# Freeze everything, unfreeze by name, look at what is trainable, and make the optimizer
# last. If the pattern matches nothing, the list is empty, and the optimizer raises
# :doc:`/reference/errors/optimizer_got_an_empty_parameter_list`. In LLaMA-Factory this
# is ``finetuning_type: freeze`` with ``freeze_trainable_layers`` (how many of the last
# layers, or with a minus of the first) and ``freeze_trainable_modules`` (see
# `finetuning_args.py
# <https://github.com/hiyouga/LLaMA-Factory/blob/main/src/llamafactory/hparams/finetuning_args.py>`__,
# not run here).
net = nn.ModuleDict({f"layer{i}": nn.Linear(2, 2) for i in (1, 2, 10)})
net.requires_grad_(False)
for name, parameter in net.named_parameters():
    if name.startswith(("layer2.", "layer10.")):
        parameter.requires_grad_(True)
trained = {n: p for n, p in net.named_parameters() if p.requires_grad}
optimizer = torch.optim.SGD(trained.values(), lr=0.1)
print(*trained)
assert list(trained) == [
    f"{layer}.{name}" for layer in ("layer2", "layer10") for name in ("weight", "bias")
]
assert len(optimizer.param_groups[0]["params"]) == 4
try:
    torch.optim.SGD([p for n, p in trained.items() if n.startswith("layer3.")])
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("there is a layer3")
assert message == "optimizer got an empty parameter list"

# %%
# Freeze the first N layers of BERT, GPT-2, LLaMA, T5 or ViT
# ----------------------------------------------------------
# Cut the list of the layers: ``model.bert.encoder.layer[:8].requires_grad_(False)``. A
# slice of an ``nn.ModuleList`` is a module with the same layers. Freeze the embeddings,
# too: as long as they train, the gradient goes back to them through all frozen layers.
# If you go by names, compare the number: ``startswith("encoder.layer.1")`` also matches
# the layers 10 and 11. Where the list is, in models of transformers 5.23 with a head:
#
# - BERT: ``model.bert.encoder.layer``. RoBERTa: ``model.roberta.encoder.layer``.
#   DistilBERT: ``model.distilbert.transformer.layer``.
# - GPT-2: ``model.transformer.h``. LLaMA, Qwen, Mistral: ``model.model.layers``.
# - T5: ``model.encoder.block`` and ``model.decoder.block``. BART and Whisper:
#   ``model.model.encoder.layers`` and ``model.model.decoder.layers``.
# - ViT: ``model.vit.layers`` (in transformers 4 ``model.vit.encoder.layer``). In timm
#   it is ``model.blocks``, in torchvision ``model.encoder.layers``.
#
# ``model.base_model.requires_grad_(False)`` freezes all but the head in BERT, GPT-2,
# LLaMA and ViT. If the head of a language model shares the weight of the embedding, as
# in GPT-2, nothing is left to train. In T5 and CLIP ``base_model`` is the whole model,
# so this freezes everything, and in a model of peft it also freezes the adapters. In a
# model that is not listed here, look for the longest ``nn.ModuleList``.
blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(12))
bert = nn.ModuleDict(
    {
        "embeddings": nn.Embedding(9, 4),
        "encoder": nn.ModuleDict({"layer": blocks}),
    }
)
classifier = nn.ModuleDict({"bert": bert, "classifier": nn.Linear(4, 2)})


def frozen_layers():
    named = bert.encoder.layer.named_parameters()
    return sorted({int(name.split(".")[0]) for name, p in named if not p.requires_grad})


for name, parameter in bert.named_parameters():
    parameter.requires_grad_(not name.startswith("encoder.layer.1"))
print("startswith:", frozen_layers())
assert frozen_layers() == [1, 10, 11]
classifier.requires_grad_(True)
bert.embeddings.requires_grad_(False)
bert.encoder.layer[:8].requires_grad_(False)
print("slice:     ", frozen_layers())
assert frozen_layers() == list(range(8))
assert classifier.classifier.weight.requires_grad
lists = [module for module in classifier.modules() if isinstance(module, nn.ModuleList)]
assert max(lists, key=len) is bert.encoder.layer
lm_head = nn.Linear(4, 9, bias=False)
lm_head.weight = bert.embeddings.weight
bert.requires_grad_(False)
assert not lm_head.weight.requires_grad

# %%
# ``ct < 7``: what does a counter over ``children()`` or ``parameters()`` count?
# ------------------------------------------------------------------------------
# ``model.children()`` are the direct parts, whatever their size. A ResNet of
# torchvision has ten: ``conv1``, ``bn1``, ``relu``, ``maxpool``, ``layer1`` to
# ``layer4``, ``avgpool`` and ``fc``. A model that is wrapped in another module has one.
# ``model.modules()`` begins with the model itself, so the first one freezes everything.
# ``model.parameters()`` counts tensors: the first two are weight and bias of one layer.
# Names say what you mean: ``for part in (net.conv1, net.layer1):
# part.requires_grad_(False)``. The table: how many of ten tensors are frozen by the
# first two of each.
from collections import OrderedDict

stage = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1))
named = {"conv1": nn.Conv2d(1, 1, 1), "layer1": stage, "fc": nn.Conv2d(2, 1, 1)}
resnet, tensors = nn.Sequential(OrderedDict(named)), {}
for method in ("children", "modules", "parameters"):
    resnet.requires_grad_(True)
    for part in list(getattr(resnet, method)())[:2]:
        part.requires_grad_(False)
    tensors[method] = sum(not p.requires_grad for p in resnet.parameters())
    print(f"{method + '()':14}{tensors[method]}")
assert len(list(resnet.parameters())) == 10
assert tensors == {"children": 8, "modules": 10, "parameters": 2}

# %%
# Only the biases (BitFit), only the norms, or all layers of a type
# -----------------------------------------------------------------
# Go by the name of the parameter or by the type of the module. Ask whether the name
# *contains* ``bias``: in an LSTM it is ``bias_ih_l0``. For the norms, ask for ``norm``:
# the RMSNorm of LLaMA is no ``nn.LayerNorm`` (and GPT-2 says ``ln_1``).
# ``isinstance(module, nn.Linear)`` finds the head, too. A new head trains in any case.
mixed = nn.ModuleDict(
    {
        "lstm": nn.LSTM(2, 2),
        "attention": nn.MultiheadAttention(2, 1),
        "norm": nn.LayerNorm(2),
        "head": nn.Linear(2, 1),
    }
)


def train_only(wanted):
    for name, p in mixed.named_parameters():
        p.requires_grad_(wanted(name) or name.startswith("head."))
    return [name for name, p in mixed.named_parameters() if p.requires_grad]


biases = train_only(lambda name: "bias" in name)
print(*biases)
assert {"lstm.bias_ih_l0", "attention.in_proj_bias", "head.weight"} <= set(biases)
assert "lstm.bias_ih_l0" not in train_only(lambda name: name.endswith("bias"))
assert train_only(lambda name: "norm" in name)[:2] == ["norm.weight", "norm.bias"]
for module in mixed.modules():
    if isinstance(module, nn.LSTM):
        module.requires_grad_(False)
assert not any(p.requires_grad for p in mixed["lstm"].parameters())
linear = [name for name, m in mixed.named_modules() if isinstance(m, nn.Linear)]
assert linear == ["attention.out_proj", "head"]

# %%
# Only the adapters train: freeze the rest by name
# ------------------------------------------------
# If each adapter has ``adapter`` or ``lora`` in its name (compare in lower case), all
# other parameters can be frozen in one loop, before the optimizer is made. Two checks:
# the list of what trains is not empty, and after one ``backward()`` each of these has a
# gradient. A LoRA layer that is defined and initialized, but not called in
# ``forward()``, is in the list and has none: it has no effect.


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.Adapter = nn.Linear(2, 2), nn.Linear(2, 2)
        self.lora_A = nn.Linear(2, 2)  # never called

    def forward(self, x):
        x = self.qkv(x)
        return x + self.Adapter(x)


encoder = nn.Sequential(Block(), Block())
for name, parameter in encoder.named_parameters():
    wanted = ("adapter", "lora")
    parameter.requires_grad_(any(word in name.lower() for word in wanted))
trained = {n: p for n, p in encoder.named_parameters() if p.requires_grad}
encoder(torch.ones(1, 2)).sum().backward()
without = [name for name, p in trained.items() if p.grad is None]
print(len(trained), without)
assert not any("qkv" in name for name in trained)
assert without == [
    f"{block}.lora_A.{name}" for block in (0, 1) for name in ("weight", "bias")
]

# %%
# All frozen except LoRA and a Resampler: in which order?
# -------------------------------------------------------
# First freeze everything, then unfreeze by name, because the last call counts. The LoRA
# matrices are inside the layers that they adapt, so a later
# ``transformer.h.requires_grad_(False)`` freezes them, too. The targets of LoRA, such
# as ``c_attn``, ``attn.c_proj``, ``w1`` and ``w2``, are only the layers that get an
# adapter. Their own weights stay frozen.


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(4, 4)
        self.lora_A = nn.Linear(4, 1, bias=False)
        self.lora_B = nn.Linear(1, 4, bias=False)


transformer = nn.ModuleDict({"h": nn.ModuleList([Attention()])})
model = nn.ModuleDict({"transformer": transformer, "resampler": nn.Linear(4, 4)})


def unfreeze_adapters():
    for name, parameter in model.named_parameters():
        if "lora" in name or "resampler" in name:
            parameter.requires_grad_(True)


def trainable():
    return [name for name, p in model.named_parameters() if p.requires_grad]


# Wrong: what comes last freezes the LoRA matrices, too.
unfreeze_adapters()
transformer["h"].requires_grad_(False)
print("wrong:", *trainable())
assert trainable() == ["resampler.weight", "resampler.bias"]
# Right: everything frozen, then the names.
model.requires_grad_(False)
unfreeze_adapters()
print("right:", *trainable())
assert trainable()[:2] == [f"transformer.h.0.lora_{ab}.weight" for ab in "AB"]
assert trainable()[2:] == ["resampler.weight", "resampler.bias"]

# %%
# Freeze an encoder in the second stage of the training: the steps
# ----------------------------------------------------------------
# "Freeze the posterior encoder during fine-tuning" means two runs. The first one
# freezes nothing: a part that is frozen from the start stays random.
#
# - Train everything, without the additional loss, and save the weights.
# - Build the model again and load these weights, but not the state of the optimizer:
#   it does not fit any more
#   (:doc:`/reference/errors/parameter_group_that_doesnt_match_the_size`).
# - Freeze the part: ``model.enc_q.requires_grad_(False)``. What it is called is in
#   ``model.named_children()``; in VITS the posterior encoder is ``enc_q``. With batch
#   norm or dropout in it, call ``model.enc_q.eval()`` after each ``model.train()``.
# - With DDP, freeze *before* you wrap the model, and on all ranks.
# - Make a new optimizer of what still trains, and a new scheduler, with a smaller
#   rate, such as a tenth.
# - Add the loss of the second stage, and compare the weights after one step.
#
# The frozen part is then a fixed reference for the others. Whether that is better than
# training all, only a comparison on your data tells.
import io


class Voice(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc_p, self.enc_q, self.dec = (nn.Linear(4, 4) for _ in range(3))

    def losses(self, text, audio):
        prior, posterior = self.enc_p(text), self.enc_q(audio)
        reconstruction = (self.dec(posterior) - audio).square().mean()
        return reconstruction, (prior - posterior).square().mean()


torch.manual_seed(0)
text, audio, file = torch.randn(8, 4), torch.randn(8, 4), io.BytesIO()
first = Voice()
optimizer = torch.optim.Adam(first.parameters(), lr=0.01)
first.losses(text, audio)[0].backward()
optimizer.step()
torch.save(first.state_dict(), file)

file.seek(0)
second = Voice()
second.load_state_dict(torch.load(file))
second.enc_q.requires_grad_(False)
optimizer = torch.optim.Adam([p for p in second.parameters() if p.requires_grad], 0.001)
sum(second.losses(text, audio)).backward()
optimizer.step()
moved = {
    name: not part.weight.equal(first.get_submodule(name).weight)
    for name, part in second.named_children()
}
print(moved)
assert moved == {"enc_p": True, "enc_q": False, "dec": True}

# %%
# Do I need names at all?
# -----------------------
# No. Take the layer by its path, and freeze it as a whole. A path that leads to no
# module raises an error.


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(2, 2)
        self.layer10 = nn.Linear(2, 2)
        self.hidden = [nn.Linear(2, 2)]


net = Net()
net.get_submodule("layer1").requires_grad_(False)
assert not net.layer1.weight.requires_grad
assert net.layer10.weight.requires_grad
try:
    net.get_submodule("layer2").requires_grad_(False)
except AttributeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("there is a layer2")

# %%
# My layer has no name
# --------------------
# A layer that is only in a plain list is not part of the module. Neither a name nor
# ``net.requires_grad_(False)`` freezes it, and ``net.parameters()`` doesn't give it to
# an optimizer. Put layers into an ``nn.ModuleList``.
net.requires_grad_(False)
names = [name for name, _ in net.named_parameters()]
print(names)
assert not any("hidden" in name for name in names)
assert net.hidden[0].weight.requires_grad
net.hidden = nn.ModuleList(net.hidden)
net.requires_grad_(False)
assert not net.hidden[0].weight.requires_grad

# %% tags=["hide-input"]
# What each pattern freezes (hatched) of the four parameters.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
patterns = {
    'startswith("layer1")': wrong,
    '== "layer1.weight"': exact,
    'startswith("layer1.")': right,
}
for pattern, matched in patterns.items():
    for name in names:
        look = {"ec": "C1", "hatch": "//////"} if name in matched else {"ec": "C0"}
        ax.scatter(name, pattern, s=200, marker="s", fc="none", lw=2, **look)
ax.margins(0.15, 0.3)
ax.invert_yaxis()
plt.show()

# %% tags=["hide-input"]
# Where it ends
# -------------
# Parameters can have other names than you expect:
#
# - ``torch.compile`` puts ``_orig_mod.`` before each name, ``DataParallel`` and DDP put
#   ``module.``. Then no name starts with ``"layer1."``. Freeze before you wrap.
# - A tied weight is listed once by default, under the name in its first layer.
# - A parametrized ``weight`` is named ``parametrizations.weight.original``.
compiled, parallel = torch.compile(net, backend="eager"), nn.DataParallel(net)
for wrapped in (compiled, parallel):
    print(next(name for name, _ in wrapped.named_parameters()))
    assert not any(n.startswith("layer1.") for n, _ in wrapped.named_parameters())
tied = Net()
tied.layer10.weight = tied.layer1.weight
assert "layer10.weight" not in dict(tied.named_parameters())
assert "layer10.weight" in dict(tied.named_parameters(remove_duplicate=False))
nn.utils.parametrize.register_parametrization(tied.layer1, "weight", nn.Identity())
assert "layer1.weight" not in dict(tied.named_parameters())
assert "layer1.parametrizations.weight.original" in dict(tied.named_parameters())

# %%
# Look at what was frozen. :py:func:`gradguide.freeze` treats ``"layer1"`` as the whole
# module, without ``layer10``, and raises if nothing matches.
from gradguide import freeze

assert freeze(Net(), "layer1").names == ("layer1.weight", "layer1.bias")
try:
    freeze(Net(), "layer2")
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("there is a layer2")
assert "'layer2' matches no parameter" in message

# %%
# Names come from ``named_parameters`` in :torch:`torch.nn.Module`.
#
# Related: :doc:`silent_typos`, :doc:`did_my_freeze_work`,
# :doc:`/gallery/three-ways/filter_parameters_into_the_optimizer`.
