"""
``You cannot perform fine-tuning on purely quantized models``
=============================================================

The ``Trainer`` got a model with quantised weights and without an adapter. Call
``prepare_model_for_kbit_training()``, then ``get_peft_model()``, and pass what that
returns.
"""

# %% tags=["hide-input"]
# A small model that is only marked as quantised, so that the script needs neither a GPU
# nor bitsandbytes. The check of the ``Trainer`` looks at the same marks. ``load()``
# stands for ``from_pretrained()`` with a ``quantization_config``.
import tempfile
import warnings
from types import SimpleNamespace

from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

warnings.simplefilter("ignore", FutureWarning)
small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
config = LlamaConfig(vocab_size=31, num_hidden_layers=1, **small)
arguments = TrainingArguments(tempfile.gettempdir(), use_cpu=True)


def load():
    model = LlamaForCausalLM(config)
    model.is_quantized, model.hf_quantizer = True, SimpleNamespace(is_trainable=True)
    return model


# %%
# Wrong: no adapter.
try:
    Trainer(load(), arguments)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("a quantised model was accepted")
# Right: prepare, add adapters, pass the result.
model = prepare_model_for_kbit_training(load())
model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
trainer = Trainer(model, arguments)
print(trainer.get_num_trainable_parameters())
assert trainer.get_num_trainable_parameters() == 64

# %%
# Integer weights can't be trained; only the adapters beside them can.
#
# I have called ``get_peft_model()``
# ----------------------------------
# Then the adapter is gone, or another model was passed:
#
# - ``merge_and_unload()`` or ``unload()`` was called before the training. They return
#   the model without adapters. Merge after the training.
# - The base was passed, such as ``get_base_model()``. Pass the ``PeftModel``.
# - With unsloth, ``FastLanguageModel.get_peft_model()`` was left out (read in `an issue
#   <https://github.com/unslothai/unsloth/issues/241>`__, not run).
# - The adapter is from another library. The ``Trainer`` knows models of peft, and
#   models on which ``model.add_adapter()`` of transformers was called.


def with_adapter():
    return get_peft_model(load(), LoraConfig(r=2, target_modules=["q_proj"]))


added = load()
added.add_adapter(LoraConfig(r=2, target_modules=["q_proj"]))
models = {
    "merge_and_unload()": with_adapter().merge_and_unload(),
    "unload()": with_adapter().unload(),
    "get_base_model()": with_adapter().get_base_model(),
    "add_adapter()": added,
}
for name, model in models.items():
    try:
        Trainer(model, arguments)
        found = "no error"
    except ValueError as error:
        found = str(error)[:28]
    print(f"{name:20}{found}")
    assert (found == "no error") == (name == "add_adapter()")

# %%
# ``The model you want to train is loaded in 8-bit precision``
# ------------------------------------------------------------
# This is the older text, from transformers 4.33 for instance, also for 4 bits: ``The
# model you want to train is loaded in 8-bit precision. if you want to fine-tune an
# 8-bit model, please make sure that you have installed bitsandbytes>=0.37.0``. It comes
# even if bitsandbytes is new enough. The `source
# <https://github.com/huggingface/transformers/blob/v4.33.0/src/transformers/trainer.py>`__
# (read, not run) asks only whether the model is quantised, has no adapter, and lacks an
# attribute. ``from_pretrained()`` sets it for bitsandbytes and GPTQ. A model whose own
# code quantises it, such as Baichuan2 in 4 bits, `lacks it
# <https://github.com/baichuan-inc/Baichuan2/issues/99>`__.
#
# ``model._is_quantized_training_enabled = True`` only switches off that check. The
# quantised weights still get no gradient: you train what is left in floating point, or
# nothing. Newer versions don't look at the attribute. Load the full weights with a
# ``BitsAndBytesConfig``, and add an adapter.
import torch

model = load()
model._is_quantized_training_enabled = True
try:
    Trainer(model, arguments)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the attribute switched off the check")
assert message.startswith("You cannot perform fine-tuning on purely quantized models")

weight = torch.ones(2, 2, dtype=torch.int8)
try:
    weight.requires_grad_()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an integer weight requires a gradient")
assert "floating point" in message

# %%
# ``You can't train a model that has been loaded in 8-bit or 4-bit precision``
# ----------------------------------------------------------------------------
# The text goes on ``on a different device than the one you're training on``: each
# process trains on its own GPU, and the model was loaded to another one, such as all to
# GPU 0. Leave ``device_map`` out of a training, or put the whole model on the GPU of
# the process: ``device_map={"": PartialState().local_process_index}`` with ``from
# accelerate import PartialState``. ``device_map="auto"`` spreads it over all GPUs. That
# runs in one process, started with ``python``; with several processes the text ends in
# ``on multiple devices in any distributed mode``. If a part was put on the CPU for lack
# of memory, it ends in ``with CPU or disk offload``. In the middle of 2023 a bug of
# Accelerate raised it without a reason: upgrade (`its fix
# <https://github.com/huggingface/accelerate/pull/1523>`__, read). Only the check runs
# here, with attributes that stand for a quantised model.
from accelerate import Accelerator

for place in (1, "cpu"):
    model = load()
    model.is_loaded_in_4bit, model.hf_device_map = True, {"": place}
    try:
        Accelerator(cpu=True).prepare_model(model)
        found = "no error"
    except ValueError as error:
        found = str(error).split(". ")[0]
    print(place, found)
    assert ("on a different device" in found) == (place == 1)

# %%
# No error, but ``grad_norm`` is always 0: fine-tuning an AWQ or GPTQ model
# -------------------------------------------------------------------------
# Fine-tune the original weights and quantise the result, or train LoRA adapters on a
# quantisation that supports it. Full fine-tuning can't train an AWQ model: the layer
# ``WQLinear_GEMM`` has no parameter. Its ``qweight`` and ``qzeros`` are buffers of
# integers, its ``scales`` and bias are buffers, too. It is the same with GPTQ. Only the
# rest can train, such as the embedding and the norms. If the rest is frozen, and the
# input requires a gradient because of checkpointing, ``backward()`` runs and the norm
# is 0 (:doc:`/gallery/frameworks/checkpointing_with_adapters`).
#
# Before AutoAWQ 0.2.0 the layer ran under ``no_grad()``, and since then it does so in
# ``eval()``. Then nothing before it gets a gradient, not even an adapter (read in `the
# source
# <https://github.com/casper-hansen/AutoAWQ/blob/main/awq/modules/linear/gemm.py>`__,
# not run). So list the trainable parameters before you train.


class QuantisedLinear(torch.nn.Module):
    def __init__(self, linear):
        super().__init__()
        weight = linear.weight.detach()
        scales = weight.abs().amax(1, keepdim=True) / 127
        self.register_buffer("qweight", (weight / scales).round().to(torch.int8))
        self.register_buffer("scales", scales)

    def forward(self, x):
        return x @ (self.qweight * self.scales).T


def grad_norm(model):
    ids = torch.tensor([[3, 4, 5]])
    model.train().zero_grad()
    model(input_ids=ids, labels=ids).loss.backward()
    return torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()


model = LlamaForCausalLM(config)
for name, module in list(model.model.named_modules()):
    if isinstance(module, torch.nn.Linear):
        model.model.set_submodule(name, QuantisedLinear(module))
trainable = [name for name, p in model.named_parameters() if p.requires_grad]
print(*trainable, sep="\n")
assert not any("_proj" in name for name in trainable)
assert grad_norm(model) > 0
# Wrong: all is frozen, and a hook on the input hides it.
model.requires_grad_(False)
model.enable_input_require_grads()
print(grad_norm(model))
assert grad_norm(model) == 0
# Right: adapters.
print(grad_norm(with_adapter()) > 0)
assert grad_norm(with_adapter()) > 0

# %%
# A frozen adapter passes the check
# ---------------------------------
# An adapter that was loaded without ``is_trainable=True`` is accepted, and nothing is
# trainable: :doc:`/gallery/frameworks/adapter_is_loaded_frozen`. Look at the number of
# trainable parameters, too.
model = with_adapter()
model.set_adapter("default", inference_mode=True)
print(Trainer(model, arguments).get_num_trainable_parameters())
assert Trainer(model, arguments).get_num_trainable_parameters() == 0

# %%
# Read on: :doc:`/gallery/frameworks/checkpointing_with_adapters`,
# :doc:`/gallery/frameworks/dtype_of_base_and_adapter`.
