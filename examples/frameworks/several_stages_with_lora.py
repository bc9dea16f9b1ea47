"""
A second stage with LoRA: train the same adapter further, or merge it first
===========================================================================

The next stage (SFT, DPO) has to contain the adapter of the last one: load it with
``is_trainable=True``, or merge it and add a new one. ``get_peft_model()`` on the old
base begins again from zero.
"""

# %%
import copy
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

torch.manual_seed(0)
base, x = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1)), torch.ones(2, 4)
lora, folder = LoraConfig(r=2, target_modules=["0"]), tempfile.TemporaryDirectory()
first = get_peft_model(copy.deepcopy(base), lora)
nn.init.ones_(first.base_model.model[0].lora_B["default"].weight)  # "trained"
first.save_pretrained(folder.name)
expected = first(x)
# Wrong: the first stage is lost.
lost = get_peft_model(copy.deepcopy(base), lora)
# Right: the same adapter.
same = PeftModel.from_pretrained(copy.deepcopy(base), folder.name, is_trainable=True)
print(torch.allclose(lost(x), expected), torch.allclose(same(x), expected))
assert not torch.allclose(lost(x), expected)

# %%
# Do I have to merge LoRA before SFT or DPO?
# ------------------------------------------
# No. All three ways begin the second stage at the same output:
#
# - *The same adapter.* One file at the end, and the plain base at inference. ``r`` and
#   ``target_modules`` stay what they are.
# - *Merge, then a new adapter.* ``r`` and ``target_modules`` are free. You have to keep
#   the merged model, since the new adapter fits only that. A base in 4 bits rounds in
#   the merge: :doc:`adapter_is_loaded_frozen`.
# - *The old adapter frozen, a new one beside it*: below.
#
# For DPO, the reference has to be the model after SFT. After a merge it is the new base
# with the adapter switched off. If the same adapter is trained further, switching it
# off gives the model *before* SFT: load the adapter a second time, frozen, for the
# reference.
#
# What the trainers call it:
#
# - *LLaMA-Factory*: ``adapter_name_or_path`` alone trains the same adapter further (of
#   several, it merges all but the last one). With ``create_new_adapter: true`` it
#   merges all of them and makes a new one, but not on a quantised base or under ZeRO-3
#   (`adapter.py
#   <https://github.com/hiyouga/LLaMA-Factory/blob/main/src/llamafactory/model/adapter.py>`__).
#   Then every later stage, and the export, needs the whole list of adapters.
# - *ms-swift*: ``--adapters`` trains an adapter further. ``--resume_from_checkpoint``
#   with ``--resume_only_model`` loads the weights without the state of the optimizer
#   (`its parameters
#   <https://swift.readthedocs.io/en/latest/Instruction/Command-line-parameters.html>`__).
# - *TRL*: pass a ``PeftModel`` that was loaded with ``is_trainable=True``, and no
#   ``peft_config`` (`issue 3684 <https://github.com/huggingface/trl/issues/3684>`__).
#
# These were read and not run. The first and the second way, and the reference:
merged = PeftModel.from_pretrained(copy.deepcopy(base), folder.name).merge_and_unload()
new = get_peft_model(copy.deepcopy(merged), lora)
for model in (lost, same, new):
    assert torch.allclose(model(x), expected) == (model is not lost)
    assert model.get_nb_trainable_parameters()[0] == 16
with torch.no_grad(), same.disable_adapter():
    off_same = same(x)
with torch.no_grad(), new.disable_adapter():
    off_new = new(x)
print(torch.allclose(off_same, base(x)), torch.allclose(off_new, expected))
assert torch.allclose(off_same, base(x))
assert not torch.allclose(off_same, expected)
assert torch.allclose(off_new, expected)

# %%
# The loss jumps back at the start of the second stage
# ----------------------------------------------------
# Then the first stage is not in the model. Before the first step, the loss on the old
# data has to be where the first stage ended. If it is that of the base:
#
# - The new adapter was made on the plain base, as in the wrong form above.
# - The names did not fit, and peft warned of *missing adapter keys*.
# - The adapter of the second stage is used with the plain base. It was trained on the
#   merged one, and there is no error, because the shapes are the same.
#
# A loss on *new* data is of course another one, and a new learning rate with a warm-up
# can raise it for some steps.
nn.init.ones_(new.base_model.model[0].lora_B["default"].weight)
after = new(x)
with tempfile.TemporaryDirectory() as second:
    new.save_pretrained(second)
    # Wrong: the base of the first stage. Right: the merged model.
    wrong = PeftModel.from_pretrained(copy.deepcopy(base), second)(x)
    right = PeftModel.from_pretrained(copy.deepcopy(merged), second)(x)
print(torch.allclose(wrong, after), torch.allclose(right, after))
assert not torch.allclose(wrong, after)
assert torch.allclose(right, after)

# %%
# ``resume_from_checkpoint`` with new data: the training ends at once
# -------------------------------------------------------------------
# It is made to finish an interrupted run: it also loads the number of steps, the
# learning rate at that step, and the optimizer. If ``max_steps`` or the epochs are used
# up, there is nothing left to do, and the evaluation comes at once. With more epochs,
# it skips the batches that it believes to have seen. For new data, load only the
# weights, with ``is_trainable=True``, and call ``train()`` without the option.
from transformers import PrinterCallback, Trainer, TrainingArguments


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 1)

    def forward(self, x):
        return {"loss": self.net(x).square().mean()}


lora = LoraConfig(r=2, target_modules=["net"])
rows = [{"x": torch.ones(4)} for _ in range(4)]
options = {"use_cpu": True, "max_steps": 2, "save_steps": 2, "disable_tqdm": True}


def run(model, output, **resume):
    arguments = TrainingArguments(output, **options, logging_strategy="no")
    trainer = Trainer(model, arguments, train_dataset=rows)
    trainer.remove_callback(PrinterCallback)
    before = [p.detach().clone() for p in model.parameters() if p.requires_grad]
    trainer.train(**resume)
    after = [p for p in model.parameters() if p.requires_grad]
    return any(not p.equal(old) for p, old in zip(after, before, strict=True))


with tempfile.TemporaryDirectory() as output:
    run(get_peft_model(Network(), lora), output)
    last, changed = f"{output}/checkpoint-2", {}
    for way in ("resume", "weights"):
        model = PeftModel.from_pretrained(Network(), last, is_trainable=True)
        resume = {"resume_from_checkpoint": last} if way == "resume" else {}
        changed[way] = run(model, output, **resume)
print(changed)
assert changed == {"resume": False, "weights": True}

# %%
# The epoch starts from 0 again after a LoRA checkpoint was loaded: did it continue?
# ----------------------------------------------------------------------------------
# The weights did, the count did not. An option that loads the adapter alone
# (``is_trainable=True``, ``--checkpoint_dir`` with ``--resume_lora_training``,
# ``adapter_name_or_path``) begins a new training on these weights: epoch 0, step 0, a
# new warm-up and schedule, an optimizer without its averages. The first loss shows it:
# it is where the last run ended, not at that of the base. Either is all right:
#
# - For an interrupted run, call ``train(resume_from_checkpoint=...)`` with a
#   ``checkpoint-...`` folder that has ``optimizer.pt``, ``scheduler.pt`` and
#   ``trainer_state.json``. A folder with the adapter alone does not suffice.
# - Otherwise train only the epochs that are missing, with a smaller learning rate.


def losses_of(model, output, *, saves=False, **resume):
    options = {"use_cpu": True, "disable_tqdm": True, "max_steps": 3, "save_steps": 2}
    options |= {"logging_steps": 1, "learning_rate": 0.02, "report_to": []}
    options["save_strategy"] = "steps" if saves else "no"
    arguments = TrainingArguments(output, **options)
    trainer = Trainer(model, arguments, train_dataset=rows * 2)
    trainer.remove_callback(PrinterCallback)
    trainer.train(**resume)
    log = [line for line in trainer.state.log_history if "loss" in line]
    return {line["step"]: (line["epoch"], line["loss"]) for line in log}


def started():
    torch.manual_seed(0)
    return Network()


lora = LoraConfig(r=2, target_modules=["net"])
with tempfile.TemporaryDirectory() as output:
    whole = losses_of(get_peft_model(started(), lora), output, saves=True)
    last, logs = f"{output}/checkpoint-2", {}
    for way in ("weights", "resume"):
        model = PeftModel.from_pretrained(started(), last, is_trainable=True)
        resume = {"resume_from_checkpoint": last} if way == "resume" else {}
        logs[way] = losses_of(model, f"{output}/{way}", **resume)
for way, log in {"first run": whole, **logs}.items():
    step, (epoch, loss) = next((s, log[s]) for s in log if way != "resume" or s == 3)
    print(f"{way:10} step {step} epoch {epoch:.1f} loss {loss:.3f}")
assert logs["resume"][3] == whole[3]
assert logs["weights"][1][0] == whole[1][0]
assert abs(logs["weights"][1][1] - whole[3][1]) < 1e-4
assert whole[1][1] > 1.2 * whole[3][1]

# %%
# Resume LoRA training from a ``.safetensors`` file: DiffSynth, diffusers, kohya
# ------------------------------------------------------------------------------
# The file has trained weights, and no optimizer state. Do it in this order:
#
# - Add a LoRA of the same ``r``, ``lora_alpha`` and ``target_modules`` to the base.
# - Load the file into it, and look at the unexpected keys. In peft's file the name of
#   the adapter is missing: ``lora_A.weight``, in the model ``lora_A.default.weight``.
#   So ``load_state_dict(strict=False)`` loads nothing, without an error;
#   ``set_peft_model_state_dict()`` adds the name.
# - Check that the LoRA requires a gradient, and make the optimizer then.
#
# The loss goes on where it ended, but the averages of the optimizer and the schedule
# begin anew. To go on exactly, the whole state has to be saved *before* the training
# breaks off: ``accelerator.save_state()`` and ``load_state()``, or as below (with a
# scheduler and random numbers, those too). What scripts call it (read, not run):
#
# - *DiffSynth-Studio*: ``--lora_checkpoint`` with the same ``--lora_rank`` and
#   ``--lora_target_modules`` does the first two (`training_module.py
#   <https://github.com/modelscope/DiffSynth-Studio/blob/main/diffsynth/diffusion/training_module.py>`__).
#   It prints a warning about unexpected keys.
# - *diffusers*: ``--checkpointing_steps`` saves the whole state, and
#   ``--resume_from_checkpoint latest`` loads it. ``pytorch_lora_weights.safetensors``
#   is the adapter alone.
# - *kohya sd-scripts*: ``--network_weights`` loads the file, ``--save_state`` and
#   ``--resume`` the whole state.
# - *peft*: ``PeftModel.from_pretrained(..., is_trainable=True)``, as above.
#
# The losses of two more steps after a break, with the whole state and without:
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file


def with_lora():
    lora = LoraConfig(r=2, target_modules=["0"])
    model = get_peft_model(copy.deepcopy(base), lora)
    trained = [p for p in model.parameters() if p.requires_grad]
    return model, torch.optim.AdamW(trained, lr=0.02)


def train(model, optimizer, steps):
    losses = []
    for _ in range(steps):
        loss = (model(x) - 3).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(round(loss.item(), 3))
    return losses


with tempfile.TemporaryDirectory() as output:
    model, optimizer = with_lora()
    train(model, optimizer, 3)
    save_file(get_peft_model_state_dict(model), f"{output}/lora.safetensors")
    torch.save(optimizer.state_dict(), f"{output}/optimizer.pt")
    unbroken, resumed = train(model, optimizer, 2), {}
    for way in ("strict=False", "weights", "all"):
        model, optimizer = with_lora()
        state = load_file(f"{output}/lora.safetensors")
        if way == "strict=False":
            # Wrong: no key fits.
            unexpected = model.load_state_dict(state, strict=False).unexpected_keys
        else:
            # Right: with the name of the adapter.
            assert not set_peft_model_state_dict(model, state).unexpected_keys
        if way == "all":
            optimizer.load_state_dict(torch.load(f"{output}/optimizer.pt"))
        resumed[way] = train(model, optimizer, 2)
for way, losses in {"unbroken": unbroken, **resumed}.items():
    print(f"{way:13}", *losses)
assert len(unexpected) == len(state)
assert resumed["strict=False"][0] > 1.1 * unbroken[0]
assert resumed["weights"][0] == unbroken[0]
assert resumed["weights"][1] != unbroken[1]
assert resumed["all"] == unbroken

# %%
# Freeze the first adapter and train a second one beside it
# ---------------------------------------------------------
# ``model.set_adapter()`` takes one name. The method of the model inside,
# ``model.base_model.set_adapter()``, takes a list: the outputs of the adapters are
# added. It makes all of them trainable, so freeze the first one afterwards, and make
# the optimizer last. At inference both have to be loaded and active.
lora = LoraConfig(r=2, target_modules=["0"])
both = PeftModel.from_pretrained(copy.deepcopy(base), folder.name, "first")
both.add_adapter("second", lora)
# Wrong: the second one alone.
both.set_adapter("second")
alone = both(x)
# Right: both, and the first one frozen.
both.base_model.set_adapter(["first", "second"])
for name, p in both.named_parameters():
    if ".first." in name:
        p.requires_grad_(False)
trainable = [name for name, p in both.named_parameters() if p.requires_grad]
print(torch.allclose(alone, expected), torch.allclose(both(x), expected))
print([name.split("lora_")[1] for name in trainable])
assert torch.allclose(alone, base(x))
assert torch.allclose(both(x), expected)
assert len(trainable) == 2
assert all(".second." in name for name in trainable)
both(x).sum().backward()
reached = [name for name, p in both.named_parameters() if p.grad is not None]
assert reached == trainable

# %%
# A larger rank or other ``target_modules`` in the second stage
# -------------------------------------------------------------
# The rank of a saved adapter is fixed: its file has matrices of that shape. Changing
# ``r`` in ``adapter_config.json`` leads to ``size mismatch``. Merge, and choose a new
# ``r`` for the new adapter.
wide = LoraConfig(r=3, target_modules=["0", "1"])
wider = get_peft_model(copy.deepcopy(merged), wide)
print(wider.get_nb_trainable_parameters()[0], torch.allclose(wider(x), expected))
assert wider.get_nb_trainable_parameters()[0] == 3 * (4 + 4) + 3 * (4 + 1)
assert torch.allclose(wider(x), expected)
wide.save_pretrained(folder.name)
try:
    PeftModel.from_pretrained(copy.deepcopy(base), folder.name)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an adapter of another rank was loaded")
assert "size mismatch" in message
folder.cleanup()

# %%
# Print the loss before the first step of each stage.
#
# Related: :doc:`adapter_is_loaded_frozen`, :doc:`lora_freeze_or_a_prompt`,
# :doc:`what_trainer_trains`, :doc:`/gallery/beyond/saving_and_copying`.
