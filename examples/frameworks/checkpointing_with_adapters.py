"""
None of the inputs have requires_grad=True: checkpointing gives adapters no gradient
====================================================================================

A reentrant checkpoint gives the adapters inside it no gradient if its input requires
none, and behind a frozen embedding it requires none. Pass ``use_reentrant=False``.
"""

# %%
import warnings

import torch
from peft import LoraConfig, get_peft_model
from transformers import ViTConfig, ViTModel

warnings.simplefilter("ignore", FutureWarning)
small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
config = ViTConfig(image_size=8, patch_size=4, num_hidden_layers=1, **small)
lora = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["layernorm"])
for reentrant in (True, False):
    model = get_peft_model(ViTModel(config), lora).train()
    model.activation_checkpointing_enable({"use_reentrant": reentrant})
    model(torch.ones(1, 3, 8, 8)).last_hidden_state.sum().backward()
    found = [n for n, p in model.named_parameters() if p.grad is not None]
    print(reentrant, [name.split(".")[-3] for name in found])
    assert len(found) == (2 if reentrant else 4)

# %%
# With ``True``, only the layer behind the checkpoint trains: the copy of ``layernorm``.
# If nothing behind it were trainable, ``backward()`` would raise *element 0 of tensors
# does not require grad*. :doc:`/gallery/beyond/checkpointing_frozen_layers` has the
# mechanism. In older versions the method is called ``gradient_checkpointing_enable()``.
#
# What does gradient_checkpointing=False change?
# ----------------------------------------------
# Without checkpointing the error is gone, too, and the loss and the gradients are the
# same. The model then keeps all activations for the backward: it needs more memory, and
# a step is faster, because nothing is computed twice. So switch it off if the memory
# suffices, and pass ``use_reentrant=False`` if it does not.


def gradients(**options):
    torch.manual_seed(0)
    model = get_peft_model(ViTModel(config), lora).train()
    if options:
        model.activation_checkpointing_enable(options)
    model(torch.ones(1, 3, 8, 8)).last_hidden_state.square().sum().backward()
    return {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


off, on = gradients(), gradients(use_reentrant=False)
same = {name.split(".")[-3]: torch.equal(off[name], on[name]) for name in off}
print(same)
assert all(same.values())

# %%
# The base is frozen: does gradient checkpointing still save memory?
# ------------------------------------------------------------------
# - *LoRA in all layers*: yes, nearly as much as without freezing. The gradient passes
#   through every layer, and many keep their input although they are frozen.
# - *A frozen tower or first layers, with nothing trainable before*: no. Autograd keeps
#   nothing there anyway. With ``use_reentrant=False`` nothing is computed twice either,
#   so it does no harm.
# - *A frozen language model behind a trainable projector*: yes.
#
# The number of times that a layer runs in forward and backward:
from torch.utils.checkpoint import checkpoint


def runs(*, adapter_before):
    layer, calls = torch.nn.Linear(4, 4).requires_grad_(False), []
    layer.register_forward_pre_hook(lambda *_: calls.append(1))
    before, head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)
    before.requires_grad_(adapter_before)
    hidden = checkpoint(
        lambda x: layer(x).tanh(), before(torch.ones(2, 4)), use_reentrant=False
    )
    head(hidden).sum().backward()
    return len(calls)


print(runs(adapter_before=False), runs(adapter_before=True))
assert runs(adapter_before=False) == 1
assert runs(adapter_before=True) == 2

# %%
# Or let the input require a gradient
# -----------------------------------
# ``enable_input_require_grads()`` adds a hook to the embedding, which calls
# ``requires_grad_()`` on its output. The embedding itself stays frozen. The hook is
# added without your call
#
# - by ``activation_checkpointing_enable()``, for models whose input is ``input_ids``,
# - by ``get_peft_model()``, if checkpointing is on already.
#
# So a language model works in the reentrant form, too, and a vision model does if
# checkpointing is enabled before ``get_peft_model()``.


def reached(model, **inputs):
    model.train().zero_grad()
    model(**inputs)[0].sum().backward()
    return sum(p.grad is not None for n, p in model.named_parameters() if "lora_" in n)


reentrant = {"use_reentrant": True}
pixels = {"pixel_values": torch.ones(1, 3, 8, 8)}
model = get_peft_model(ViTModel(config), lora)
model.activation_checkpointing_enable(reentrant)
found = {"enabled after": reached(model, **pixels)}
model.enable_input_require_grads()
found["with the hook"] = reached(model, **pixels)

model = ViTModel(config)
model.activation_checkpointing_enable(reentrant)
found["enabled before"] = reached(get_peft_model(model, lora), **pixels)
print(found)
assert found == {"enabled after": 0, "with the hook": 2, "enabled before": 2}

# %%
# Does ``enable_input_require_grads()`` train the embedding?
# ----------------------------------------------------------
# No. Its hook sets ``requires_grad`` of the *output* of the embedding. The weight stays
# frozen, gets no gradient and does not change, so there is nothing to save: that it is
# missing from the file of the adapter is right. Only a reentrant checkpoint needs the
# hook; with ``use_reentrant=False`` leave it out. To train the embedding, name it in
# ``modules_to_save`` (:doc:`modules_to_save`).
from peft import get_peft_model_state_dict
from transformers import LlamaConfig, LlamaForCausalLM

words = LlamaConfig(vocab_size=31, num_hidden_layers=1, use_cache=False, **small)
adapters = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])
ids = torch.tensor([[3, 4, 5]])
model = get_peft_model(LlamaForCausalLM(words), adapters)
model.enable_input_require_grads()
embedding = model.get_input_embeddings()
print(embedding(ids).requires_grad, embedding.weight.requires_grad)
assert embedding(ids).requires_grad
assert not embedding.weight.requires_grad
assert reached(model, input_ids=ids) == 2
assert embedding.weight.grad is None
assert not any("embed" in name for name in get_peft_model_state_dict(model))

# %%
# The hook does not run if you pass ``inputs_embeds`` in place of ``input_ids``, as
# models do that put images between words: the embedding is not called.
model = get_peft_model(LlamaForCausalLM(words), adapters)
model.activation_checkpointing_enable(reentrant)
print(reached(model, input_ids=ids))
assert reached(model, input_ids=ids) == 2
embedded = torch.ones(1, 3, 16)
try:
    reached(model, inputs_embeds=embedded)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the adapters were reached")
# Right: the input requires a gradient, or the checkpoint is not reentrant.
assert reached(model, inputs_embeds=embedded.requires_grad_()) == 2
model.activation_checkpointing_enable({"use_reentrant": False})
assert reached(model, inputs_embeds=embedded.detach()) == 2

# %%
# ``use_cache=True`` is incompatible with gradient checkpointing: is that an error?
# ---------------------------------------------------------------------------------
# No, and nothing has to be done: it is a warning. The model has switched its cache off
# for this forward pass, and the training is the same. If it stops after this line, the
# reason stands further down, in the last line of the traceback. The cache keeps keys
# and values for ``generate()``; a training does not use it. The newer text is ``Caching
# is incompatible with gradient checkpointing in LlamaDecoderLayer``.
#
# ``model.config.use_cache = False`` before the training hides the warning. It is saved
# with the model: set it to True again, or a generation that reads it has no cache and
# is slow. In training mode with checkpointing, ``generate()`` computes without it, too:
# call ``eval()``.
import logging

cached = LlamaForCausalLM(LlamaConfig(vocab_size=31, num_hidden_layers=1, **small))
cached.activation_checkpointing_enable()
losses, caches = [], []


class Printed(logging.Handler):
    def emit(self, record):
        print(record.getMessage())


logger = logging.getLogger("transformers")
handlers, logger.handlers = logger.handlers, [Printed()]
for use_cache in (True, False):
    output = cached.train()(ids, labels=ids, use_cache=use_cache)
    losses.append(output.loss.item())
    caches.append(output.past_key_values is not None)
caches.append(cached.eval()(ids).past_key_values is not None)
logger.handlers = handlers
print(losses[0] == losses[1], caches, cached.config.use_cache)
assert losses[0] == losses[1]
assert caches == [False, False, True]
assert cached.config.use_cache

# %%
# The Trainer overrides your call
# -------------------------------
# With ``TrainingArguments(activation_checkpointing=True)``, ``train()`` enables
# checkpointing again, with its own arguments or the default. What you passed to
# ``activation_checkpointing_enable()`` is lost. Pass it to ``TrainingArguments``:
# ``activation_checkpointing_kwargs={"use_reentrant": False}``. The older names, still
# accepted with a warning, are ``gradient_checkpointing`` and
# ``gradient_checkpointing_kwargs``.
import tempfile

from transformers import PrinterCallback, Trainer, TrainingArguments


def trained(own, **options):
    model = LlamaForCausalLM(words)
    model.activation_checkpointing_enable({"use_reentrant": own})
    options |= {"max_steps": 1, "use_cpu": True, "save_strategy": "no"}
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, disable_tqdm=True, **options)
        data = [{"input_ids": ids[0], "labels": ids[0]}]
        trainer = Trainer(model, arguments, train_dataset=data)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return model.model.layers[0]._gradient_checkpointing_func.keywords["use_reentrant"]


for name, keywords in (
    ("activation_checkpointing", True),
    ("gradient_checkpointing", False),
):
    passed = {name: True, f"{name}_kwargs": {"use_reentrant": keywords}}
    found = trained(not keywords, **passed)
    print(f"{name:25}{keywords!s:6}{found}")
    assert found == keywords
# Without keywords: the default. Without checkpointing: your own call.
default, own = trained(True, activation_checkpointing=True), trained(True)
print(default, own)
assert (default, own) == (False, True)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    TrainingArguments(tempfile.gettempdir(), use_cpu=True, gradient_checkpointing=True)
assert any("gradient_checkpointing" in str(w.message) for w in caught)

# %%
# The hook can hide that nothing trains
# -------------------------------------
# The output of the model requires a gradient now, even if every parameter is frozen. So
# ``backward()`` raises no error for an adapter that was loaded frozen
# (:doc:`adapter_is_loaded_frozen`). Count the trainable parameters before you train.
model = get_peft_model(LlamaForCausalLM(words), adapters)
model.activation_checkpointing_enable()
model.set_adapter("default", inference_mode=True)
print(model.get_nb_trainable_parameters()[0], reached(model, input_ids=ids))
assert model.get_nb_trainable_parameters()[0] == 0
assert reached(model, input_ids=ids) == 0
model.disable_input_require_grads()
try:
    reached(model, input_ids=ids)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("backward() ran without the hook")
assert message.startswith("element 0 of tensors does not require grad")

# %%
# Several processes: pass ddp_find_unused_parameters=False
# --------------------------------------------------------
# Without it, the ``Trainer`` lets DDP search for unused parameters in a ``PeftModel``.
# Together with a reentrant checkpoint, that ends in *marked as ready twice*:
# :doc:`/reference/errors/expected_to_mark_a_variable_ready_only_once`. With LoRA every
# trainable parameter usually takes part in each step, so there is nothing to search
# for. Adapters in a part that some batches skip, such as an image encoder, are an
# exception: leave the search on for them, with ``use_reentrant=False``.
#
# The line ``ddp_find_unused_parameters needs to be set as False for LoRA in DDP
# training`` in the log of LLaMA-Factory is a warning: it sets the option itself. If the
# training stops, another line is the error (read in `an issue
# <https://github.com/hiyouga/LlamaFactory/issues/2681>`__ and the source, not run). In
# Accelerate, ``False`` is the default of ``DistributedDataParallelKwargs``.


def searches(model, **options):
    arguments = TrainingArguments(tempfile.gettempdir(), use_cpu=True, **options)
    return Trainer(model, arguments).accelerator.ddp_handler.find_unused_parameters


on = {"activation_checkpointing": True}
model = get_peft_model(LlamaForCausalLM(words), adapters)
found = {"without adapters": searches(LlamaForCausalLM(words), **on)}
found["PeftModel"] = searches(model, **on)
found["with the option"] = searches(model, ddp_find_unused_parameters=False, **on)
print(found)
assert list(found.values()) == [False, True, False]

# %%
# What ``prepare_model_for_kbit_training()`` does
# -----------------------------------------------
# It freezes every parameter, converts those in float16 and bfloat16 to float32, and, if
# the model is quantised, enables checkpointing with that hook. So call it before
# ``get_peft_model()``: afterwards, it freezes the adapters as well.
from peft import prepare_model_for_kbit_training

base = prepare_model_for_kbit_training(LlamaForCausalLM(words).bfloat16())
print({p.dtype for p in base.parameters()}, base.is_activation_checkpointing)
assert {p.dtype for p in base.parameters()} == {torch.float32}
assert not base.is_activation_checkpointing
model = get_peft_model(base, adapters)
assert model.get_nb_trainable_parameters()[0] > 0
# Wrong: after get_peft_model().
prepare_model_for_kbit_training(model)
print(model.get_nb_trainable_parameters()[0])
assert model.get_nb_trainable_parameters()[0] == 0

# %%
# Out of memory (OOM) after ``no linear modules were found in your model``
# ------------------------------------------------------------------------
# ``You are loading your model in 8bit or 4bit but no linear modules were found in your
# model``: this warning of transformers says that nothing was quantised. The layers are
# no ``nn.Linear``, such as the ``Conv1D`` of GPT-2, or the versions of transformers,
# bitsandbytes and the code of the model don't fit together (the text is that of 2023;
# read in `chatGLM-6B-QLoRA 14
# <https://github.com/shuxueslpi/chatGLM-6B-QLoRA/issues/14>`__, not run). Then
# ``prepare_model_for_kbit_training()`` converts all weights from 16 to 32 bits, which
# doubles the memory of the model.
#
# So look before you call it: in a model with 4 bits, the layers are ``Linear4bit``, in
# one with 8 bits ``Linear8bitLt``. If there are none, upgrade the libraries and the
# code of the model. For LoRA on a base of 16 bits you don't need the function:
# ``get_peft_model()`` freezes the base, and makes adapters in float32 by default.


def is_quantised(model):
    kinds = {type(module).__name__ for module in model.modules()}
    return bool(kinds & {"Linear4bit", "Linear8bitLt"})


def bytes_of_weights(model):
    return sum(p.numel() * p.element_size() for p in model.parameters())


base = LlamaForCausalLM(words).bfloat16()
before = bytes_of_weights(base)
print(is_quantised(base))
assert not is_quantised(base)
# Right, without quantisation: the base stays in 16 bits.
model = get_peft_model(base, adapters)
kinds = {(p.requires_grad, p.dtype) for p in model.parameters()}
assert kinds == {(False, torch.bfloat16), (True, torch.float32)}
# Wrong: all weights become twice as large.
base = prepare_model_for_kbit_training(LlamaForCausalLM(words).bfloat16())
print(bytes_of_weights(base) / before)
assert bytes_of_weights(base) == 2 * before

# %%
# ``SFTTrainer`` of TRL made this mistake itself: given a ``PeftModel`` with a quantised
# base, it froze the adapters, and ``grad_norm`` was 0. Pass the base and a
# ``peft_config``, or upgrade TRL (`the fix of 2025
# <https://github.com/huggingface/trl/pull/4081>`__ leaves a ``PeftModel`` alone; read
# and not run). Count the trainable parameters after you have made the trainer.
#
# Where it ends
# -------------
# - In ``eval()``, layers of transformers are not checkpointed.
# - ``use_reentrant=False`` is the default of transformers `since January 2026
#   <https://github.com/huggingface/transformers/pull/43203>`__. It was ``True`` before.
# - If the hook was added twice, ``disable_input_require_grads()`` removes only one.
# - The script of this page has no quantised model, because it would need bitsandbytes.
#   Apart from it, version 0.50.2 was run on a CPU with 4 and with 8 bits:
#   ``prepare_model_for_kbit_training()`` enabled checkpointing, and the adapters got
#   their gradients.
model = get_peft_model(LlamaForCausalLM(words), adapters)
model.activation_checkpointing_enable(reentrant)
model.disable_input_require_grads()
model.eval()(input_ids=ids).logits.sum().backward()
assert sum(p.grad is not None for p in model.parameters()) == 2

model.enable_input_require_grads()
model.enable_input_require_grads()
model.disable_input_require_grads()
assert reached(model, input_ids=ids) == 2

# %%
# Related: :doc:`/gallery/beyond/checkpointing_frozen_layers`,
# :doc:`adapter_is_loaded_frozen`,
# :doc:`/reference/errors/none_of_the_inputs_have_requires_grad_true`.
