"""
Unfrozen, and the Trainer doesn't train it: its optimizer was made before
=========================================================================

The ``Trainer`` of transformers freezes nothing. The first ``train()`` makes an
optimizer of the parameters that are trainable then. One that you unfreeze later is not
in it: set ``trainer.optimizer`` to None, or make a new ``Trainer``.
"""

# %%
import tempfile

import torch
from transformers import Trainer, TrainingArguments

model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
trainer = Trainer(model, TrainingArguments(tempfile.gettempdir(), use_cpu=True))
trainer.create_optimizer()  # as train() does
# Wrong: unfreeze, and keep the optimizer.
model[0].requires_grad_(True)
counts = [sum(len(group["params"]) for group in trainer.optimizer.param_groups)]
# Right: make a new one. train() does it if there is none.
trainer.optimizer = trainer.lr_scheduler = None
trainer.create_optimizer()
counts.append(sum(len(group["params"]) for group in trainer.optimizer.param_groups))
print(counts)
assert counts == [2, 4]

# %%
# Are the weights frozen after from_pretrained()?
# -----------------------------------------------
# No: everything is trainable, even if it was frozen when it was saved.
# ``from_pretrained()`` only calls ``eval()``, which turns off dropout and freezes
# nothing. Freeze after loading, for example ``model.bert.requires_grad_(False)``.
from transformers import AutoModelForSequenceClassification, BertConfig, logging

small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
config = BertConfig(vocab_size=31, num_hidden_layers=1, **small)
saved = AutoModelForSequenceClassification.from_config(config).requires_grad_(False)
logging.disable_progress_bar()
with tempfile.TemporaryDirectory() as folder:
    saved.save_pretrained(folder)
    loaded = AutoModelForSequenceClassification.from_pretrained(folder)
logging.enable_progress_bar()
print(loaded.training, {p.requires_grad for p in loaded.parameters()})
assert not loaded.training
assert all(p.requires_grad for p in loaded.parameters())

# %%
# ``Some weights were not initialized from the model checkpoint``: is it normal?
# ------------------------------------------------------------------------------
# ``and are newly initialized``, ``You should probably TRAIN this model on a down-stream
# task``: with a new head this is normal, and no error. The file has a backbone, your
# class has a head as well, and the head is random. So it has to train: freeze what was
# loaded, and not what is new. transformers 5 prints the same as a table: ``MISSING`` is
# new and random, ``MISMATCH`` has another shape and is random, too, ``UNEXPECTED`` is
# in the file and not in your model (the old head), which you can ignore. timm says
# ``Unexpected keys (classifier.weight) found while loading pretrained weights`` (read,
# not run).
#
# It is *not* normal if you load what you have trained, or if names of the backbone are
# in the list: then the class is another one, or the file has a prefix in its names, and
# you would freeze random weights. ``output_loading_info=True`` returns the names.
from transformers import BertModel

logging.set_verbosity_error()
logging.disable_progress_bar()
how = {"output_loading_info": True}
with tempfile.TemporaryDirectory() as folder:
    BertModel(config).save_pretrained(folder)
    tuned, info = AutoModelForSequenceClassification.from_pretrained(folder, **how)
    new = info["missing_keys"]
    print(sorted(new))
    # Wrong: the new head is frozen, too. Right: only what was loaded is frozen.
    tuned.requires_grad_(False)
    for name, p in tuned.named_parameters():
        p.requires_grad_(name in new)
    trainable = [name for name, p in tuned.named_parameters() if p.requires_grad]
    assert trainable == ["classifier.weight", "classifier.bias"]
    # After the training, nothing is missing.
    tuned.save_pretrained(folder)
    _, info = AutoModelForSequenceClassification.from_pretrained(folder, **how)
    print(sorted(info["missing_keys"]))
    assert not info["missing_keys"]
    # Another number of classes: the head is new again.
    other = how | {"num_labels": 5, "ignore_mismatched_sizes": True}
    _, info = AutoModelForSequenceClassification.from_pretrained(folder, **other)
    print(sorted(name for name, *_ in info["mismatched_keys"]))
    assert {name for name, *_ in info["mismatched_keys"]} == new
logging.enable_progress_bar()

# %% tags=["hide-input"]
# The same in a training
# ----------------------
# A small BERT, trained for two steps at a time. What is printed are the parts of the
# network that have changed.
import warnings

from transformers import (
    BertForSequenceClassification,
    PrinterCallback,
    TrainerCallback,
)

warnings.simplefilter("ignore", FutureWarning)
data = [{"input_ids": torch.arange(3, 9), "labels": i % 2} for i in range(16)]
quiet = {"disable_tqdm": True, "save_strategy": "no", "logging_strategy": "no"}


def network():
    torch.manual_seed(0)
    return BertForSequenceClassification(config)


def trainer_of(model, *callbacks, **options):
    size = {"per_device_train_batch_size": 4, "max_steps": 2, "learning_rate": 0.01}
    options = {"use_cpu": True, **size, **quiet, **options}
    arguments = TrainingArguments(tempfile.gettempdir(), **options)
    trainer = Trainer(model, arguments, train_dataset=data, callbacks=[*callbacks])
    trainer.remove_callback(PrinterCallback)
    return trainer


def trained(trainer):
    before = {n: p.detach().clone() for n, p in trainer.model.named_parameters()}
    trainer.train()
    after = trainer.model.named_parameters()
    return sorted({n.split(".")[0] for n, p in after if not p.equal(before[n])})


model = network()
model.bert.requires_grad_(False)
trainer = trainer_of(model)
found = {"frozen": trained(trainer)}
model.bert.requires_grad_(True)
found["unfrozen"] = trained(trainer)
trainer.optimizer = trainer.lr_scheduler = None
found["unfrozen, new optimizer"] = trained(trainer)
for when, parts in found.items():
    print(f"{when:28}{parts}")
    assert ("bert" in parts) == (when == "unfrozen, new optimizer")

# %%
# Freeze the first layers of BERT, RoBERTa, GPT-2, Llama, T5, ViT or Whisper
# --------------------------------------------------------------------------
# The layers are in an ``nn.ModuleList``, which you can slice. Here the first two of
# three are frozen, and the embeddings below them. The table has its path in
# transformers 5; other versions may have other names, which ``print(model)`` shows.
#
# ``model.base_model`` is mostly the part without the head, whatever its name is. In T5
# and CLIP it is the whole model, so ``base_model.requires_grad_(False)`` freezes all;
# in GPT-2 it does, too, because ``lm_head`` shares the weight of the embedding. Methods
# such as ``freeze_encoder()`` of Whisper or ``freeze_feature_encoder()`` of Wav2Vec2
# set ``requires_grad`` and no mode; a model without such a method raises
# ``AttributeError``.
import transformers

transformers.logging.set_verbosity_error()
deep = {"vocab_size": 31, "num_hidden_layers": 3, **small}
seq2seq = {"d_model": 16, "vocab_size": 31, "pad_token_id": 0}
for side in ("encoder", "decoder"):
    sizes = {"layers": 3, "attention_heads": 2, "ffn_dim": 32}
    seq2seq |= {f"{side}_{name}": size for name, size in sizes.items()}
t5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 3, "num_heads": 2}
vit = {"image_size": 8, "patch_size": 4, "num_hidden_layers": 3, **small}
gpt2 = {"n_embd": 16, "n_layer": 3, "n_head": 2, "vocab_size": 31}
paths = {
    "BertForSequenceClassification": (deep, "bert.encoder.layer"),
    "RobertaForSequenceClassification": (deep, "roberta.encoder.layer"),
    "GPT2LMHeadModel": (gpt2, "transformer.h"),
    "LlamaForCausalLM": (deep, "model.layers"),
    "T5ForConditionalGeneration": (t5 | {"vocab_size": 31}, "encoder.block"),
    "ViTForImageClassification": (vit, "vit.layers"),
    "WhisperForConditionalGeneration": (seq2seq, "model.encoder.layers"),
}
for name, (sizes, path) in paths.items():
    kind = getattr(transformers, name)
    model = kind(kind.config_class(**sizes))
    layers = model.get_submodule(path)
    layers[:2].requires_grad_(False)
    model.get_input_embeddings().requires_grad_(False)
    print(f"{name:33}{path}")
    trains = [any(p.requires_grad for p in layer.parameters()) for layer in layers]
    assert trains == [False, False, True]
    if name.startswith("T5"):
        assert model.base_model is model
    if name.startswith("GPT2"):
        model.base_model.requires_grad_(False)
        assert not any(p.requires_grad for p in model.parameters())
    if name.startswith("Whisper"):
        model.freeze_encoder()
        assert not any(p.requires_grad for p in model.model.encoder.parameters())
        assert model.model.encoder.training

# %%
# When is it too late to freeze or unfreeze?
# ------------------------------------------
# ``Trainer(...)`` makes no optimizer unless you pass one, so until ``train()`` you can
# do both. Afterwards, freezing still works, and unfreezing does not. The callback
# ``on_train_begin`` is called after the optimizer has been made.
model = network()
trainer = trainer_of(model)
assert trainer.optimizer is None
model.bert.requires_grad_(False)
found = {"freeze before train()": trained(trainer)}


class Begin(TrainerCallback):
    def __init__(self, requires_grad):
        self.requires_grad = requires_grad

    def on_train_begin(self, args, state, control, model, **others):
        model.bert.requires_grad_(self.requires_grad)


found["freeze in on_train_begin"] = trained(trainer_of(network(), Begin(False)))
model = network()
model.bert.requires_grad_(False)
found["unfreeze in on_train_begin"] = trained(trainer_of(model, Begin(True)))
for when, parts in found.items():
    print(f"{when:28}{parts}")
    assert parts == ["classifier"]

# %%
# To unfreeze in the middle of a training, leave the part trainable until the optimizer
# has been made, freeze it in ``on_train_begin``, and unfreeze it in ``on_step_begin``.
# The optimizer skips a parameter without a gradient, also in weight decay.


class Gradual(Begin):
    def on_step_begin(self, args, state, control, model, **others):
        if state.global_step == 1:
            self.before = model.bert.pooler.dense.weight.clone()
            model.bert.requires_grad_(True)


gradual, start = Gradual(False), network().bert.pooler.dense.weight
trainer = trainer_of(network(), gradual, weight_decay=0.1)
print(trained(trainer))
assert gradual.before.equal(start)
assert not trainer.model.bert.pooler.dense.weight.equal(start)
assert trainer.state.global_step == 2

# %%
# What is in the optimizer?
# -------------------------
# Two groups of what is trainable: with weight decay, and without it for biases and for
# layer norms. Other norms are recognised by their name only: a batch norm that is
# called ``norm`` has no decay, one that is called ``bn1`` or ``normalization``, as in
# the ResNet of transformers, has. The optimizer is AdamW. The gradients of all are
# clipped to a norm of 1.0 together.
trainer = trainer_of(network(), weight_decay=0.1)
trainer.create_optimizer()
names = {id(p): n for n, p in trainer.model.named_parameters()}
for group in trainer.optimizer.param_groups:
    kinds = {".".join(names[id(p)].split(".")[-2:]) for p in group["params"]}
    print(group["weight_decay"], sorted(kinds))
    exempt = {k.startswith("LayerNorm") or k.endswith("bias") for k in kinds}
    assert exempt == {group["weight_decay"] == 0.0}
assert isinstance(trainer.optimizer, torch.optim.AdamW)
assert trainer.args.max_grad_norm == 1.0
norms = {name: torch.nn.BatchNorm1d(2) for name in ("norm", "bn1", "normalization")}
trainer = trainer_of(torch.nn.ModuleDict(norms), weight_decay=0.1)
decays = trainer.get_decay_parameter_names(trainer.model)
print(sorted(decays))
assert set(decays) == {"bn1.weight", "normalization.weight"}

# %%
# Different learning rates with the Trainer: pass an optimizer of your own
# ------------------------------------------------------------------------
# ``optimizers=(optimizer, None)`` takes one with groups. The ``Trainer`` makes the
# scheduler for it, and does not use ``learning_rate``, ``weight_decay`` and ``optim``
# of its arguments. It holds what you have put into it, so freeze before you make it.
# With FSDP, ``Trainer`` refuses it: ``Passing `optimizers` is not allowed if PyTorch
# FSDP is enabled``. Then override ``create_optimizer()`` in a subclass, as in the
# second form.


def groups_of(model):
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in named if "bert." in n], "lr": 1e-5},
        {"params": [p for n, p in named if "bert." not in n], "lr": 1e-3},
    ]


class TwoRates(Trainer):
    def create_optimizer(self, model=None):
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(groups_of(model or self.model))
        return self.optimizer


model = network()
model.bert.embeddings.requires_grad_(False)
own = torch.optim.AdamW(groups_of(model))
arguments = trainer_of(model, learning_rate=0.5).args
first = Trainer(model, arguments, train_dataset=data, optimizers=(own, None))
second = TwoRates(model, arguments, train_dataset=data)
for trainer in (first, second):
    trainer.remove_callback(PrinterCallback)
    changed = trained(trainer)
    rates = [group["initial_lr"] for group in trainer.optimizer.param_groups]
    print(rates, changed)
    assert rates == [1e-5, 1e-3]
    assert changed == ["bert", "classifier"]

# %%
# Keep the frozen part in ``eval()``: the Trainer calls ``train()`` in each step
# ------------------------------------------------------------------------------
# So dropout is on in a frozen backbone, and a frozen batch norm goes on averaging, even
# if you have called ``eval()`` on it. The callback ``on_step_begin`` comes before that
# ``train()``, too early for a cure. Replace the method ``train()`` of the frozen part.


def by_eval(model):
    model.bert.requires_grad_(False).eval()


def by_method(model):
    bert = model.bert.requires_grad_(False)
    bert.train = lambda mode=True: torch.nn.Module.train(bert, False)
    bert.eval()


def note_mode(dropout, args):
    modes.append(dropout.training)


for freeze in (by_eval, by_method):
    model, modes = network(), []
    freeze(model)
    model.bert.encoder.layer[0].output.dropout.register_forward_pre_hook(note_mode)
    assert trained(trainer_of(model)) == ["classifier"]
    print(f"{freeze.__name__:11}{modes}")
    assert modes == [freeze is by_eval] * 2

# %%
# ``resume_from_checkpoint`` after freezing or unfreezing: ``doesn't match the size``
# -----------------------------------------------------------------------------------
# The checkpoint has the state of an optimizer with what was trainable then, and
# ``requires_grad`` is not in it. To go on with the same training, freeze the same parts
# again before ``train()``. For a second stage in which other parts train, load the
# weights alone, with ``from_pretrained()`` from the folder of the checkpoint, and start
# a new training.


def stage(model, folder, steps):
    options = quiet | {"save_strategy": "steps", "save_steps": 2, "max_steps": steps}
    arguments = TrainingArguments(folder, use_cpu=True, **options)
    trainer = Trainer(model, arguments, train_dataset=data)
    trainer.remove_callback(PrinterCallback)
    return trainer


logging.disable_progress_bar()
with tempfile.TemporaryDirectory() as folder:
    model = network()
    model.bert.requires_grad_(False)
    stage(model, folder, steps=2).train()
    saved, errors = f"{folder}/checkpoint-2", []
    for freezes in (False, True):
        model = network()
        model.bert.requires_grad_(not freezes)
        try:
            stage(model, folder, steps=4).train(resume_from_checkpoint=saved)
        except ValueError as error:
            errors.append(str(error))
    # The second stage: weights alone, everything trains.
    model = BertForSequenceClassification.from_pretrained(saved)
    trainer = stage(model, folder, steps=2)
    trainer.train()
logging.enable_progress_bar()
print(*errors)
(error,) = errors
assert error.startswith("loaded state dict contains a parameter group that doesn't")
assert all(p.requires_grad for p in trainer.model.parameters())

# %%
# The Trainer saves the whole model: save only the trainable parameters
# ---------------------------------------------------------------------
# Each checkpoint has the frozen weights, too. An adapter of peft is saved alone, a
# frozen backbone is not. Override ``_save()``, and leave out what is frozen. Load it
# into the pretrained model with ``strict=False``, and look at ``unexpected_keys``.
# Buffers, such as the statistics of batch norm, have to be saved as well if they
# change. ChatGLM-6B does the same for its prefix encoder (`trainer.py
# <https://github.com/zai-org/ChatGLM-6B/blob/main/ptuning/trainer.py>`__).
# ``resume_from_checkpoint`` then warns of missing keys, and the frozen weights are
# those of the model that you pass. Under DeepSpeed ZeRO-3 or FSDP the parameters have
# to be gathered first. ``save_only_model=True`` leaves out the optimizer.
import pathlib

from safetensors.torch import load_file


class SavesTrainable(Trainer):
    def _save(self, output_dir=None, state_dict=None):
        if state_dict is None:
            state_dict = self.model.state_dict()
        frozen = {n for n, p in self.model.named_parameters() if not p.requires_grad}
        kept = {n: value for n, value in state_dict.items() if n not in frozen}
        super()._save(output_dir, kept)


logging.disable_progress_bar()
model = network()
model.bert.requires_grad_(False)
for kind in (Trainer, SavesTrainable):
    with tempfile.TemporaryDirectory() as folder:
        kind(model, TrainingArguments(folder, use_cpu=True)).save_model(folder)
        saved = load_file(pathlib.Path(folder, "model.safetensors"))
    print(f"{kind.__name__:15}{len(saved)}")
logging.enable_progress_bar()
assert sorted(saved) == ["classifier.bias", "classifier.weight"]
loaded = network().load_state_dict(saved, strict=False)
assert not loaded.unexpected_keys
assert all(name.startswith("bert.") for name in loaded.missing_keys)

# %%
# Resume a LoRA training: ``Can't find a valid checkpoint at``
# ------------------------------------------------------------
# ``resume_from_checkpoint`` works with LoRA. A ``checkpoint-...`` folder has the
# adapter and the state of the optimizer, but not the base. Make the model as in the
# first run, with the same ``LoraConfig``, and pass the folder. The adapter then trains
# on. If it fails:
#
# - ``Can't find a valid checkpoint at``: the path is wrong, or the folder has neither
#   weights nor an adapter.
# - ``Can't find a checkpoint index``: the model has no adapter. Call
#   ``get_peft_model()`` first.
# - ``size mismatch for ... lora_A.default.weight``: another ``r``.
# - ``doesn't match the size of optimizer's group``: other ``target_modules``, or the
#   adapter is frozen, since it was loaded without ``is_trainable=True``.
#
# To go on with new data or another learning rate, don't resume: load the adapter with
# ``is_trainable=True`` (:doc:`adapter_is_loaded_frozen`), and call ``train()``. The
# optimizer then begins anew.
from peft import LoraConfig, PeftModel, get_peft_model

lora = {"task_type": "SEQ_CLS", "r": 2, "target_modules": ["query"]}


def adapted(**options):
    return get_peft_model(network(), LoraConfig(**(lora | options)))


logging.disable_progress_bar()
with tempfile.TemporaryDirectory() as folder:
    stage(adapted(), folder, steps=2).train()
    saved = f"{folder}/checkpoint-2"
    cases = {
        "the same adapter": (adapted(), saved),
        "another path": (adapted(), f"{folder}/checkpoint-9"),
        "no adapter": (network(), saved),
        "another r": (adapted(r=4), saved),
        "other modules": (adapted(target_modules=["query", "value"]), saved),
        "loaded frozen": (PeftModel.from_pretrained(network(), saved), saved),
    }
    results = {}
    for case, (model, path) in cases.items():
        trainer = stage(model, folder, steps=3)
        try:
            trainer.train(resume_from_checkpoint=path)
            results[case] = f"step {trainer.state.global_step}"
        except (ValueError, RuntimeError) as error:
            results[case] = " ".join(str(error).replace(folder, "").split())
        print(f"{case:18}{results[case][:65]}")
logging.enable_progress_bar()
assert results["the same adapter"] == "step 3"
assert results["another path"].startswith("Can't find a valid checkpoint at")
assert results["no adapter"].startswith("Can't find a checkpoint index")
assert "Error(s) in loading state_dict" in results["another r"]
for case in ("other modules", "loaded frozen"):
    assert "doesn't match the size of optimizer's group" in results[case]

# %%
# ``grad_norm`` 0.0, ``loss`` 0.0 or nan in the log: which line is bad?
# ---------------------------------------------------------------------
# - ``loss`` as usual, ``grad_norm`` 0.0 in each line: nothing trains. Mostly the
#   adapter is frozen, and checkpointing hides it: :doc:`checkpointing_with_adapters`.
# - ``loss`` 0.0 and ``grad_norm`` nan: the loss is nan and the log hides it
#   (:doc:`trainable_parameters_in_fp16`).
# - ``loss`` 0.0 with GRPO, ``grad_norm`` above 0: normal. With
#   ``num_iterations=1``, the ratio of the probabilities is 1, as one of them is
#   detached, and the advantages of a group add up to 0. So the value is 0 or close to
#   it, and its gradient is not. Look at the reward. With ``beta`` above 0, the loss is
#   the KL term, which begins at 0 and *rises* (`a maintainer about it
#   <https://github.com/huggingface/trl/issues/3452>`__).
# - ``loss`` 0.0 and ``grad_norm`` 0.0 with GRPO: all answers to a prompt have the same
#   reward (``reward_std`` 0), so there is nothing to learn in this step.
# - ``loss``, ``grad_norm`` and ``kl`` 0.0 with GRPO from the first line to the last:
#   the weights never change. A normal ``reward`` says nothing against that: the model
#   earns it as it was loaded. If ``reward_std`` is 0 in each line, the reward does not
#   tell the answers apart: change the reward, or take harder or easier prompts. If it
#   is not, nothing trains. Count the trainable parameters after the trainer is made,
#   and look at ``loss.requires_grad`` and, after one ``backward()``, at ``p.grad``. All
#   or the adapter may be frozen (:doc:`adapter_is_loaded_frozen`), or the graph cut by
#   ``no_grad()``, ``detach()`` or reentrant checkpointing. In the first line a ``kl``
#   of 0 is normal, and TRL does not compute it with ``beta`` at 0, the default.
# - ``learning_rate`` 0.0 in the first line: warmup begins there.
# - ``grad_norm`` above ``max_grad_norm``: it is the norm before clipping.
logits = torch.zeros(4, 3, requires_grad=True)
chosen = torch.tensor([0, 1, 2, 0])
for rewards in ([1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]):
    reward = torch.tensor(rewards)
    advantage = reward - reward.mean()
    log_p = logits.log_softmax(1)[range(4), chosen]
    loss = -((log_p - log_p.detach()).exp() * advantage).mean()
    (gradient,) = torch.autograd.grad(loss, logits)
    print(f"loss {loss.abs().item():.1f} grad_norm {gradient.norm().item():.2f}")
    assert loss == 0
    assert bool(gradient.any()) == (reward.std() > 0)

# %%
# ``There were missing keys in the checkpoint model loaded: ['lm_head.weight']``
# ------------------------------------------------------------------------------
# Harmless if the names are those of shared weights: with ``tie_word_embeddings`` the
# output layer is the embedding, and the file has it once. It comes with
# ``load_best_model_at_end`` or after a resume. The best weights are loaded, and both
# names are still one tensor. If other names are in the list, these were not loaded.
# With LoRA, older versions named all weights of the base, which are not in the file and
# were not changed either. But if ``lora_A`` and ``lora_B`` are among them, the adapter
# was not loaded: its file is empty (443 bytes in `an issue
# <https://github.com/tloen/alpaca-lora/issues/334>`__), or has other names.
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

tied = {"vocab_size": 31, "num_hidden_layers": 1, "tie_word_embeddings": True}
language = LlamaForCausalLM(LlamaConfig(**tied, **small))
with tempfile.TemporaryDirectory() as folder:
    logging.disable_progress_bar()
    language.save_pretrained(folder)
    logging.enable_progress_bar()
    state = load_file(f"{folder}/model.safetensors")
torch.nn.init.zeros_(language.lm_head.weight)
result = language.load_state_dict(state, strict=False)
same = language.lm_head.weight is language.model.embed_tokens.weight
print(result.missing_keys, same, language.lm_head.weight.any().item())
assert result.missing_keys == ["lm_head.weight"]
assert same
assert language.lm_head.weight.equal(state["model.embed_tokens.weight"])

# %%
# What ``print_trainable_parameters()`` counts
# --------------------------------------------
# The elements of the parameters that require a gradient at this moment, and of all. It
# knows nothing of an optimizer. *All* includes the adapters, and the head twice if
# ``modules_to_save`` has made a copy of it.
model = adapted()
model.print_trainable_parameters()
adapter, head, base = 2 * 2 * 16, 2 * 16 + 2, network().num_parameters()
trainable, total = model.get_nb_trainable_parameters()
assert (trainable, total) == (adapter + head, base + adapter + head)
trainer = trainer_of(model)
trainer.create_optimizer()
model.base_model.requires_grad_(True)
assert model.get_nb_trainable_parameters() == (total, total)
held = [p for group in trainer.optimizer.param_groups for p in group["params"]]
print(total, sum(p.numel() for p in held))
assert sum(p.numel() for p in held) == adapter + head

# %%
# Where it ends
# -------------
# - Each step of the ``Trainer`` calls ``train()`` on the whole model: the ``eval()``
#   that you called on the frozen part is undone, and its dropout is on again.
# - Frozen between two batches of a gradient accumulation, a parameter still gets the
#   update of the first batch.
# - If everything is frozen, the training stops with an error: *element 0 of tensors
#   does not require grad*.
# - ``add_param_group()`` in a callback makes the scheduler raise an error:
#   :doc:`/gallery/beyond/schedulers_after_add_param_group`.
# - Optimizers with 8 bits, such as ``optim="adamw_bnb_8bit"``, need the library
#   bitsandbytes, so they are not in this script. Version 0.50.2, run apart from it on a
#   CPU, changes no parameter without a gradient either. It keeps the state of small
#   parameters, `below 4096 elements
#   <https://huggingface.co/docs/bitsandbytes/v0.50.1/optimizers>`__, in 32 bits.


class Within(TrainerCallback):
    def on_substep_end(self, args, state, control, model, **others):
        model.bert.requires_grad_(False)


class Add(TrainerCallback):
    def on_step_begin(self, args, state, control, model, optimizer, **others):
        if state.global_step == 1:
            model.bert.requires_grad_(True)
            optimizer.add_param_group({"params": model.bert.parameters()})


accumulate = {"gradient_accumulation_steps": 2, "max_steps": 1}
assert "bert" in trained(trainer_of(network(), Within(), **accumulate))

modes, model = [], network()
model.bert.requires_grad_(False).eval()
model.bert.register_forward_pre_hook(lambda bert, args: modes.append(bert.training))
trained(trainer_of(model))
assert modes == [True, True]

messages = []
for trainer in (
    trainer_of(network().requires_grad_(False)),
    trainer_of(model, Add(), max_steps=3),
):
    try:
        trainer.train()
    except (RuntimeError, ValueError) as error:
        messages.append(str(error))
assert messages[0].startswith("element 0 of tensors does not require grad")
assert messages[1].startswith("zip() argument 2 is shorter")

# %%
# Freeze and unfreeze before ``train()``, and compare what the optimizer holds with what
# is trainable. :doc:`/gallery/diagnose/one_command_for_your_script` does that for a
# whole script.
#
# Related: :doc:`adapter_is_loaded_frozen`, :doc:`/gallery/freezing/unfreeze_gradually`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`.
