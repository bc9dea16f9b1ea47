"""
``Target modules {'q_proj', 'v_proj'} not found in the base model``
===================================================================

The linear layers of this model have other names than ``target_modules`` says. Print
their names and pass those, or ``"all-linear"``. Baichuan has ``W_pack``, ChatGLM and
GPT-NeoX have ``query_key_value``, GPT-2 has ``c_attn``.
"""

# %% tags=["hide-input"]
# A small GPT-NeoX with random weights.
import warnings

import torch
from peft import LoraConfig, get_peft_model
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

warnings.simplefilter("ignore", FutureWarning)
small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
config = GPTNeoXConfig(vocab_size=31, num_hidden_layers=1, **small)


def model():
    return GPTNeoXForCausalLM(config)


# %%
try:
    # Wrong: the name of Llama.
    get_peft_model(model(), LoraConfig(target_modules=["q_proj"]))
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("there is a q_proj")
# Right: a name of this model.
linear = [n for n, m in model().named_modules() if isinstance(m, torch.nn.Linear)]
print({name.split(".")[-1]: name for name in linear})
adapted = get_peft_model(model(), LoraConfig(target_modules=["query_key_value"]))
trainable = [name for name, p in adapted.named_parameters() if p.requires_grad]
assert len(trainable) == 2
assert all(".query_key_value.lora_" in name for name in trainable)

# %%
# Leave out ``lm_head``, the output layer. In older versions of peft the error has the
# class ``ValueError``. The names for ChatGLM and GPT-2 are in `a table of peft
# <https://github.com/huggingface/peft/blob/main/src/peft/utils/constants.py>`__, that
# of Baichuan in `its code
# <https://huggingface.co/baichuan-inc/Baichuan-7B/blob/main/modeling_baichuan.py>`__
# (not run here).
#
# The name is there, and the error comes all the same
# ---------------------------------------------------
# - A string is a regular expression that has to match the whole name. A list of names
#   from the command line that arrives as one string, ``"q_proj,v_proj"``, matches
#   nothing. Pass a list.
# - An entry of a list is a whole name or its end after a dot: ``"query"`` does not find
#   ``query_key_value``.
# - ``layers_to_transform`` names layers that the model does not have.
#
# One name of a list that matches is enough: the others raise no error.
for options in (
    {"target_modules": "query_key_value"},
    {"target_modules": "query_key_value,dense"},
    {"target_modules": ["query"]},
    {"target_modules": ["query_key_value"], "layers_to_transform": [7]},
):
    try:
        get_peft_model(model(), LoraConfig(**options))
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError("the names were accepted")
    assert "not found in the base model" in message
for names in (["query_key_value", "v_proj"], r".*\.query_key_value"):
    adapted = get_peft_model(model(), LoraConfig(target_modules=names))
    found = [name for name, p in adapted.named_parameters() if p.requires_grad]
    assert found == trainable

# %%
# Training works, and inference raises: a layer was replaced before LoRA
# ----------------------------------------------------------------------
# ``Target modules ['q', 'k', 'v'] not found in the base model``, with the same
# configuration. The training script first replaced ``query_key_value`` by a layer that
# is split into three, as in `ChatGLM-finetune-LoRA
# <https://github.com/lich99/ChatGLM-finetune-LoRA/blob/main/train.py>`__ (read, not
# run), and the names are those of its parts. Do the same replacement, by the same
# function, on the model that is freshly loaded for inference, then make the LoRA model,
# then load the adapter. It is the same with layers that were added, merged or renamed.
#
# There the names are ``linear_q``, ``linear_k`` and ``linear_v``. An old peft compared
# the end of the name, so ``"q"`` was enough; now it has to be the whole name after a
# dot.


class Split(torch.nn.Module):
    def __init__(self, fused):
        super().__init__()
        rows = zip(fused.weight.chunk(3), fused.bias.chunk(3), strict=True)
        for name, (weight, bias) in zip("qkv", rows, strict=True):
            part = torch.nn.Linear(fused.in_features, fused.out_features // 3)
            part.load_state_dict({"weight": weight, "bias": bias})
            self.add_module(f"linear_{name}", part)

    def forward(self, x):
        return torch.cat([part(x) for part in self.children()], -1)


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.query_key_value = torch.nn.Linear(2, 6)

    def forward(self, x):
        return self.query_key_value(x)


def split(model):
    model.query_key_value = Split(model.query_key_value)
    return model


names, x, outcomes = ["linear_q", "linear_k", "linear_v"], torch.ones(1, 2), []
# Wrong: not split. Wrong: the end of a name. Right: split, and whole names.
cases = (Attention(), names), (split(Attention()), ["q", "k", "v"])
for base, targets in (*cases, (split(Attention()), names)):
    expected = base(x)
    try:
        adapted = get_peft_model(base, LoraConfig(target_modules=targets))
        outcomes.append("found")
    except ValueError as error:
        outcomes.append("not found" if "not found in the base" in str(error) else error)
print(outcomes, adapted(x).equal(expected))
assert outcomes == ["not found", "not found", "found"]
assert adapted(x).equal(expected)

# %%
# Attention only, or the feed-forward layers, too?
# ------------------------------------------------
# Without ``target_modules``, peft takes its own choice for the models that it knows,
# often the attention alone. ``"all-linear"`` takes all linear layers but the output
# layer. A model that peft does not know needs ``target_modules``.


def places(**options):
    names = get_peft_model(model(), LoraConfig(**options)).named_parameters()
    return sorted(
        {n.split(".lora_")[0].split(".")[-1] for n, p in names if "lora_" in n}
    )


default, everywhere = places(), places(target_modules="all-linear")
print(default, everywhere, sep="\n")
assert default == ["query_key_value"]
assert everywhere == ["dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value"]

# %%
# Please specify ``target_modules`` in ``peft_config``
# ----------------------------------------------------
# peft has no choice of its own for this model: its ``model_type`` is not in `a table
# <https://github.com/huggingface/peft/blob/main/src/peft/utils/constants.py>`__, or it
# is no model of transformers. Pass names, or ``"all-linear"`` for a model of
# transformers. For a module of your own, take a list of names or a regular expression.
# Related texts: ``No `target_modules` passed`` comes of an empty list, and ``No modules
# were targeted for adaptation`` if ``exclude_modules`` or ``modules_to_save`` takes
# away all that matches.
network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
for options in ({}, {"target_modules": []}, {"exclude_modules": ["0"]}):
    if "exclude_modules" in options:
        options["target_modules"] = ["0"]
    try:
        get_peft_model(network, LoraConfig(**options))
    except ValueError as error:
        message = str(error).split(". ")[0]
    else:
        raise AssertionError("peft chose a layer of an unknown model")
    print(message)
    assert message.startswith(("Please specify `target_modules`", "No "))
adapted = get_peft_model(network, LoraConfig(target_modules=["0"]))
assert adapted.get_nb_trainable_parameters()[0] > 0

# %%
# Read on: :doc:`/gallery/frameworks/lora_reaches_the_vision_tower`.
