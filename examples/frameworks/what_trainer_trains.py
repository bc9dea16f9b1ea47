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
# What ``print_trainable_parameters()`` counts
# --------------------------------------------
# The elements of the parameters that require a gradient at this moment, and of all. It
# knows nothing of an optimizer. *All* includes the adapters, and the head twice if
# ``modules_to_save`` has made a copy of it.
from peft import LoraConfig, get_peft_model

lora = LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"])
model = get_peft_model(network(), lora)
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
