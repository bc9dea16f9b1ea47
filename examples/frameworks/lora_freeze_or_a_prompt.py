"""
LoRA, freeze, P-tuning or only a projector: which layers train
==============================================================

The name of a method does not say it: print the names of the parameters that require a
gradient. Under LoRA these are small matrices beside the layers in ``target_modules``,
under freeze some layers themselves, under P-tuning the prompt alone.
"""

# %% tags=["hide-input"]
# A small language model, and a function that names the layers that train.
import warnings

import torch
from peft import LoraConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore", FutureWarning)
small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
config = LlamaConfig(vocab_size=31, num_hidden_layers=2, **small)


def trained_in(model):
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    parts = {name.split("layers.")[-1].split(".lora_")[0] for name in names}
    return sorted(part.removesuffix(".weight") for part in parts)


# %%
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
optimizer.step()
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
# Related: :doc:`options_that_freeze`, :doc:`modules_to_save`,
# :doc:`lora_reaches_the_vision_tower`, :doc:`/gallery/recipes/lora_by_hand`.
