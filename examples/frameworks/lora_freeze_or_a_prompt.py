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
# The loss does not fall, LoRA or prefix tuning learns nothing: which learning rate?
# ----------------------------------------------------------------------------------
# A rate for full fine-tuning, such as ``5e-5``, the default of the ``Trainer``, is too
# small for most of the other methods. Rates to begin with, for AdamW:
#
# - All weights, or some layers themselves (``freeze``): ``1e-5`` to ``5e-5``.
# - LoRA: about ten times as much (`LoRA Without Regret
#   <https://thinkingmachines.ai/blog/lora/>`__); ``1e-4`` to ``2e-4`` is usual.
# - Prompt tuning, prefix tuning, P-tuning: ``1e-2`` to ``3e-2`` (`ChatGLM2-6B
#   <https://github.com/THUDM/ChatGLM2-6B/blob/main/ptuning/train.sh>`__, `peft
#   <https://github.com/huggingface/peft/blob/v0.13.0/docs/source/task_guides/prompt_based_methods.md>`__).
#   A prompt that a small network computes (``prefix_projection=True``) moves faster and
#   can do with less.
# - A new head or projector alone, all else frozen: ``1e-3``. LLaVA-1.5 takes this for
#   its first stage, then ``2e-5`` for projector and language model, and with LoRA
#   ``2e-4`` for the adapters and ``2e-5`` for the projector (`its scripts
#   <https://github.com/haotian-liu/LLaVA/tree/main/scripts/v1_5>`__).
# - A vision tower: less than the language model, :doc:`lora_reaches_the_vision_tower`.
#
# The reason: Adam moves each value by about the learning rate in each step. A prefix
# begins at random values of about 1, and 2000 steps of ``5e-5`` move each by hardly
# more than 0.1. A weight under LoRA changes by the product of two small matrices, which
# moves less in its first step than the weight itself would. In units of the learning
# rate:
from peft import PrefixTuningConfig

ids = torch.arange(12)[None]


def moved(model, read, steps):
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-5, weight_decay=0)
    before = read(model).detach().clone()
    for _ in range(steps):
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    return ((read(model).detach() - before).abs().mean() / 5e-5).item()


def value_weight(model):
    layer = model.get_submodule(
        next(n for n, _ in model.named_modules() if "v_proj" in n)
    )
    delta = layer.get_delta_weight("default") if hasattr(layer, "lora_A") else 0
    return layer.weight + delta


def prefix(model):
    return model.get_prompt_embedding_to_save("default")


wide = LlamaConfig(**small | {"hidden_size": 256}, vocab_size=31, num_hidden_layers=1)
lora = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16)
first_step = [
    moved(LlamaForCausalLM(wide), value_weight, 1),
    moved(get_peft_model(LlamaForCausalLM(wide), lora), value_weight, 1),
]
options = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 8, "encoder_hidden_size": 64}
thirty_steps = [
    moved(
        get_peft_model(
            LlamaForCausalLM(config),
            PrefixTuningConfig(**options, prefix_projection=projection),
        ),
        prefix,
        30,
    )
    for projection in (False, True)
]
print([f"{value:.1f}" for value in first_step], "1 step: weight, with LoRA")
print([value > 60 for value in thirty_steps], "30 steps: prefix, projection")
assert 0.9 < first_step[0] < 1.1
assert first_step[1] < 0.5
assert 25 < thirty_steps[0] < 31
assert thirty_steps[1] > 60
assert 2000 * 5e-5 == 0.1

# %%
# LoRA, DeepSpeed ZeRO-3: the loss does not fall from the first step on. Does it train?
# -------------------------------------------------------------------------------------
# Ask in this order. The first "no" is the cause:
#
# - *Are there trainable parameters?* ``print_trainable_parameters()``, after the
#   trainer has been made: :doc:`adapter_is_loaded_frozen`.
# - *Is* ``grad_norm`` *above 0?* Gradient checkpointing behind a frozen embedding cuts
#   the adapters off, if it is the reentrant kind. Call
#   ``model.enable_input_require_grads()``, or pass
#   ``gradient_checkpointing_kwargs={"use_reentrant": False}``:
#   :doc:`checkpointing_with_adapters`.
# - *Is* ``lora_B`` *of a new adapter no longer zero after some steps?* If it is still
#   zero, there is no step: the rate is 0 in a warm-up, each step is skipped for ``inf``
#   in fp16, as on a 2080 Ti, which has no bfloat16
#   (:doc:`trainable_parameters_in_fp16`), or the optimizer holds other parameters. With
#   ZeRO-3, a weight is empty outside of ``deepspeed.zero.GatheredParameters(p)``, and
#   ``.grad`` is None, so a look at these proves nothing:
#   :doc:`/gallery/beyond/freezing_under_fsdp` (not run here).
# - *Do labels remain?* If all are ``-100``, the loss is nan or 0. That is so when
#   ``max_length`` cuts the answer off, or when the template does not fit the model,
#   such as a chat template on a base model, and the mask finds no answer. Decode
#   ``input_ids`` and ``labels`` of one example.
# - *Is the rate one for LoRA?* See above: about ``1e-4``.
# - *Does the loss of one batch fall*, repeated fifty times? If so, the code is right. A
#   loss that begins at 1 to 2, as a pretrained model has it, falls slowly and noisily:
#   look at the mean over an epoch, and at a validation set.
#
# At inference, the adapter or the prefix has to be loaded. The questions as code, for a
# run that trains and for three that do not:


model = get_peft_model(LlamaForCausalLM(config), LoraConfig(task_type="CAUSAL_LM"))
ups = [p for name, p in model.named_parameters() if "lora_B" in name]


def answers(*, frozen=False, masked=False, rate=1e-3):
    with torch.no_grad():
        for up in ups:
            up.zero_()
    model.set_adapter("default", inference_mode=frozen)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained or [torch.zeros(1)], lr=rate)
    words = torch.tensor([[4, 5, 6, 7]])
    labels = torch.full_like(words, -100) if masked else words
    loss = model(input_ids=words, labels=labels).loss
    if loss.requires_grad:
        optimizer.zero_grad()
        loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
    if norm.isfinite():
        optimizer.step()
    moved = any(up.any().item() for up in ups)
    return bool(trained), norm.item() > 0, moved, (labels != -100).any().item()


print("trainable, grad_norm, lora_B, labels")
found = []
for options in ({}, {"frozen": True}, {"rate": 0.0}, {"masked": True}):
    found.append(answers(**options))
    print(*found[-1], options)
assert found == [
    (True, True, True, True),
    (False, False, False, True),
    (True, True, False, True),
    (True, False, False, False),
]

# %%
# Cannot set a prompt learning adapter to trainable: train a prompt further
# -------------------------------------------------------------------------
# ``PeftModel.from_pretrained(..., is_trainable=True)`` refuses prompt tuning, P-tuning
# and prefix tuning. Load without it: in peft 0.21, a loaded prompt is trainable, unlike
# LoRA. Print what trains, and make the optimizer then. With an MLP (P-tuning,
# ``prefix_projection=True``), peft has saved the prompt that the MLP computed, and not
# the MLP. So the prompt itself trains from then on, and the number of trainable
# parameters is another one. To continue with the MLP, keep the whole state:
# ``torch.save(model.state_dict(), path)``.
import tempfile

from peft import PeftModel

kinds = {
    "prompt tuning": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2),
    "P-tuning": PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=2, encoder_hidden_size=8
    ),
    "prefix": PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2),
}
ids = torch.tensor([[3, 4, 5]])
for kind, prompt in kinds.items():
    with tempfile.TemporaryDirectory() as folder:
        model = get_peft_model(LlamaForCausalLM(config), prompt)
        model.save_pretrained(folder)
        try:
            PeftModel.from_pretrained(
                LlamaForCausalLM(config), folder, is_trainable=True
            )
        except ValueError as error:
            message = str(error)
        else:
            raise AssertionError("is_trainable=True was accepted")
        loaded = PeftModel.from_pretrained(LlamaForCausalLM(config), folder)
    counts = [m.get_nb_trainable_parameters()[0] for m in (model, loaded)]
    print(f"{kind:14}{counts}")
    loaded.train()(input_ids=ids, labels=ids).loss.backward()
    trained = [p.grad is not None for p in loaded.parameters() if p.requires_grad]
    assert trained == [True]
    assert (counts[0] > counts[1]) == (kind == "P-tuning")
print(message)
assert message.startswith("Cannot set a prompt learning adapter to trainable")

# %%
# LoRA or P-tuning is worse than freeze or full fine-tuning: why?
# ---------------------------------------------------------------
# Compare each method at a learning rate of its own. What is left is mostly the number
# of values that train, here for a model of 7 billion parameters. To bring LoRA closer:
# adapters in all linear layers (``target_modules="all-linear"``), a larger ``r``, and
# more steps. On instruction data of usual size it can reach full fine-tuning (LoRA
# Without Regret, above); on much code or mathematics it learned less and also forgot
# less (`Biderman et al. <https://arxiv.org/abs/2405.09673>`__). So measure as well what
# the model could do before. The numbers of values that train, in millions:


def millions(part):
    return sum(p.numel() for p in part.parameters() if p.requires_grad) / 1e6


def adapted(kind, **options):
    model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1))
    return millions(get_peft_model(model, kind(task_type="CAUSAL_LM", **options)))


everywhere, tokens = (
    {"r": 64, "target_modules": "all-linear"},
    {"num_virtual_tokens": 128},
)
with torch.device("meta"):
    large = LlamaForCausalLM(LlamaConfig())
    trained = {
        "full": millions(large),
        "freeze, 2 layers": millions(large.model.layers[-2:]),
        "LoRA, r=64, all-linear": 32 * adapted(LoraConfig, **everywhere),
        "LoRA, r=8, q and v": 32 * adapted(LoraConfig),
        "prefix, 128": 32 * adapted(PrefixTuningConfig, **tokens),
        "prompt, 128": adapted(PromptTuningConfig, **tokens),
    }
for name, count in trained.items():
    print(f"{name:24}{count:8.1f}")
assert [round(count) for count in trained.values()] == [6738, 405, 160, 4, 34, 1]

# %%
# LoRA or QLoRA against full fine-tuning: how large is the gap? Large model or small?
# -----------------------------------------------------------------------------------
# There is no fixed gap. What is reported:
#
# - *QLoRA against LoRA*: the 4 bits cost hardly anything if the adapters are in all
#   linear layers. `QLoRA <https://arxiv.org/abs/2305.14314>`__ found no difference from
#   16 bits with NF4; FP4 was slightly worse. For 33 and 65 billion its authors did not
#   compare with *full* fine-tuning (`issue 189
#   <https://github.com/artidoro/qlora/issues/189>`__).
# - *Instructions, a style, a format, little data*: LoRA often comes close. One user
#   reports 4 to 6 % less (`peft 622
#   <https://github.com/huggingface/peft/issues/622>`__), another that LoRA was worse on
#   the tools of the training, 91 against 95 %, and better on new ones, 87 against 78 %
#   (`FastChat 2624 <https://github.com/lm-sys/FastChat/issues/2624>`__).
# - *Much that is new* (a language, continued pretraining, code, mathematics): full
#   fine-tuning is better, as above.
#
# In the memory that full fine-tuning of a small model takes, a model ten times as large
# fits with QLoRA. With few data, try that first, since it begins with more knowledge.
# The small one is faster, and can win in a narrow task with much data. No rule replaces
# a comparison on your own validation set, each at its own rate. What is stored in GB
# without the activations: full in mixed precision with Adam 16 bytes for each weight, a
# frozen weight 2 bytes, or 0.5 in 4 bits:
share = 32 * adapted(LoraConfig, r=8, target_modules="all-linear") / trained["full"]
gigabytes = {
    (billions, way): billions * (frozen_bytes + 16 * share_of_trained)
    for billions in (7, 70)
    for way, frozen_bytes, share_of_trained in (
        ("full", 0, 1),
        ("LoRA", 2, share),
        ("QLoRA", 0.5, share),
    )
}
for (billions, way), size in gigabytes.items():
    print(f"{billions} billion, {way:6}{size:6.0f}")
assert gigabytes[70, "QLoRA"] < gigabytes[7, "full"] / 2

# %%
# ``trainable%``: why does LoRA train more parameters than before?
# ----------------------------------------------------------------
# The number is the sum of ``r * (in_features + out_features)`` over the linear layers
# in ``target_modules``; DoRA (``use_dora``) and a trained ``bias`` each add
# ``out_features``. It grows with ``r``, and with the number of layers: adapters in all
# linear layers, as `QLoRA <https://arxiv.org/abs/2305.14314>`__ recommends, are about
# five times as many in Llama as in ``q_proj`` and ``v_proj`` alone. So after an update
# of a tool, the default of one of the two has mostly changed. Set both yourself to get
# the old number back, and compare ``print_trainable_parameters()``. More is not wrong:
# it takes more memory, and often learns better. Embeddings in ``modules_to_save`` count
# in full. Two 4-bit weights are stored in one number: a count that forgets it gives too
# high a percentage; that of peft does not. Llama with 7 billion, in millions and per
# cent:
with torch.device("meta"):
    layers = [m for m in large.model.layers.modules() if isinstance(m, nn.Linear)]
    by_hand = sum(8 * (m.in_features + m.out_features) for m in layers) / 1e6
    shares = {
        "r=8, q and v": trained["LoRA, r=8, q and v"],
        "r=8, all-linear": 32 * adapted(LoraConfig, r=8, target_modules="all-linear"),
        "r=64, all-linear": trained["LoRA, r=64, all-linear"],
    }
for name, count in shares.items():
    print(f"{name:17}{count:6.1f} {100 * count / (trained['full'] + count):5.2f}%")
assert abs(shares["r=8, all-linear"] - by_hand) < 1e-6
for options, more in (({}, 0), ({"use_dora": True}, 6), ({"bias": "lora_only"}, 6)):
    one_layer = LoraConfig(r=2, target_modules=["0"], **options)
    one_layer = get_peft_model(nn.Sequential(nn.Linear(10, 6)), one_layer)
    count = sum(p.numel() for p in one_layer.parameters() if p.requires_grad)
    assert count == 2 * (10 + 6) + more
assert 4.7 < shares["r=8, all-linear"] / shares["r=8, q and v"] < 4.8

# %%
# Everything is frozen: why does the model forget (catastrophic forgetting)?
# --------------------------------------------------------------------------
# After P-tuning it answers every question as in the new data, and the old conversation
# is gone (`ChatGLM-6B 730 <https://github.com/zai-org/ChatGLM-6B/issues/730>`__). The
# base weights are unchanged. But prefix or adapter act on *every* input, not only on
# those that they were trained for. LoRA often does less harm, since it begins at zero.
#
# - For general questions, leave it out: ``with model.disable_adapter()``, or load the
#   model without the prefix encoder. Then the answers are those of before.
# - One model for both: mix general examples into the training data. Freezing more does
#   not replace that.
# - Fewer epochs, a smaller rate, a smaller ``r``. A model that is fully fine-tuned has
#   no such switch: keep the old weights.
#
# A LoRA and a prefix that were trained on one sequence, asked about another one:
taught, other = torch.tensor([[4, 5, 6, 7]]), torch.tensor([[20, 21, 22, 23]])
prefix_options = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 4}
for kind, options, rate in (
    (LoraConfig, {"task_type": "CAUSAL_LM"}, 1e-2),
    (PrefixTuningConfig, prefix_options, 3e-1),
):
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval()
    weights = [p.clone() for p in model.parameters()]
    before = model(input_ids=other).logits
    model = get_peft_model(model, kind(**options))
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=rate
    )
    for _ in range(5):
        optimizer.zero_grad()
        model(input_ids=taught, labels=taught).loss.backward()
        optimizer.step()
    model.eval()
    named = [(n, p) for n, p in model.named_parameters() if not p.requires_grad]
    untouched = all(map(torch.equal, weights, [p for _, p in named]))
    changed = not torch.allclose(model(input_ids=other).logits, before, atol=1e-4)
    with model.disable_adapter():
        restored = torch.allclose(model(input_ids=other).logits, before, atol=1e-5)
    print(f"{kind.__name__:20}", untouched, changed, restored)
    assert untouched
    assert changed
    assert restored

# %%
# ``lora_alpha`` and ``r``: how large, and is alpha a second learning rate?
# -------------------------------------------------------------------------
# The adapter adds ``lora_alpha / r`` times the product of its matrices. Twice the alpha
# doubles the first step under Adam, as twice the rate would, and makes it four times as
# large under SGD, whose gradient doubles, too. So look for one of the two: fix alpha at
# ``r`` or ``2 * r``, and search for the learning rate.
#
# - ``r``: a usual start is 8 to 16 for a style or a format, and 32 to 128 for much data
#   or new knowledge. A larger value is not always better: it costs memory, and with few
#   examples it can overfit.
# - If you raise ``r`` and keep alpha, each direction counts less. For a large ``r``,
#   ``use_rslora=True`` divides by the root of ``r``.
# - Loading takes both from ``adapter_config.json``. A loader of your own needs the same
#   alpha as the training: another one makes the adapter stronger or weaker.
wide = LlamaConfig(**small, vocab_size=31, num_hidden_layers=1)


def first_change(optimizer_class, alpha):
    torch.manual_seed(0)
    options = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=alpha)
    model = get_peft_model(LlamaForCausalLM(wide), options)
    trained = [p for p in model.parameters() if p.requires_grad]
    model(input_ids=taught, labels=taught).loss.backward()
    optimizer_class(trained, lr=1e-3).step()
    layer = model.base_model.model.model.layers[0].self_attn.v_proj
    return layer.get_delta_weight("default").norm().item()


for optimizer_class in (torch.optim.Adam, torch.optim.SGD):
    ratio = first_change(optimizer_class, 16) / first_change(optimizer_class, 8)
    print(optimizer_class.__name__, f"{ratio:.1f}")
    assert abs(ratio - (2 if optimizer_class is torch.optim.Adam else 4)) < 0.05

# %%
# ``grad_norm`` is 0.0, nan or constant: is that normal?
# ------------------------------------------------------
# - *Not 0 in the first step* is right, with LoRA, too: only ``lora_A`` has a gradient
#   of zero then.
# - *0.0 in every step*: nothing that trains gets a gradient. The adapters are frozen,
#   or a reentrant checkpoint leaves them out. In GRPO, 0 is normal for a batch in which
#   all answers to a question have the same reward, if there is no KL term.
# - *nan, and the loss is nan, or 0 in the log*: all labels are ``-100``, for example
#   since the answer was cut off, or float16 overflowed:
#   :doc:`trainable_parameters_in_fp16`.
# - *Above* ``max_grad_norm``: the ``Trainer`` logs the norm before clipping.
# - *The learning rate is 0.0 in the first line*: a warm-up begins at 0. The weights
#   don't change in this step.
model = get_peft_model(LlamaForCausalLM(wide), LoraConfig(task_type="CAUSAL_LM"))
model.enable_input_require_grads()


def grad_norm(labels):
    model.zero_grad()
    loss = model(input_ids=taught, labels=labels).loss
    loss.backward()
    return loss.item(), torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()


normal, masked = grad_norm(taught), grad_norm(torch.full_like(taught, -100))
zero = [n for n, p in model.named_parameters() if p.requires_grad and not p.grad.any()]
model.set_adapter("default", inference_mode=True)
frozen = grad_norm(taught)
print(normal[1] > 0, masked[0] != masked[0], frozen[0] > 0, frozen[1])
assert normal[1] > 0
assert masked[0] != masked[0]
assert frozen[0] > 0
assert frozen[1] == 0

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
