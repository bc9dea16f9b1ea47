"""
A frozen teacher, VAE or text encoder: leave it out of accelerator.prepare()
============================================================================

``prepare()``, ``DistributedDataParallel`` and DeepSpeed are for models that train. Move
the frozen network to the device, freeze it, call ``eval()``, and run it under
``no_grad()``.
"""

# %%
import torch
from accelerate import Accelerator
from torch import nn

accelerator, x = Accelerator(cpu=True), torch.ones(4, 2)
student, teacher = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Dropout())
teacher.to(accelerator.device).eval().requires_grad_(False)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
student, optimizer = accelerator.prepare(student, optimizer)

before = teacher[0].weight.clone(), student.weight.detach().clone()
student.train()
with torch.no_grad():
    target = teacher(x)
accelerator.backward((student(x) - target).square().mean())
optimizer.step()
changed = [
    not torch.equal(layer.weight, old)
    for layer, old in zip((teacher[0], student), before, strict=True)
]
print(changed, teacher.training, teacher[0].weight.grad)
assert changed == [False, True]

# %% tags=["hide-input"]
# Two processes, from one script
# ------------------------------
# As in :doc:`/gallery/beyond/freezing_under_ddp`: each process gets the source of one
# function.
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

assert not teacher.training
assert teacher[0].weight.grad is None


def run(worker):
    # os._exit does not wait for threads that a failed step has left behind
    leave = "import os; print(flush=True); os._exit(0)"
    code = f"{inspect.getsource(worker)}\n{worker.__name__}()\n{leave}"
    with tempfile.TemporaryDirectory() as folder:
        shared = os.environ | {
            "MEET": Path(folder, "meet").as_uri(),
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2",
            "OMP_NUM_THREADS": "1",
        }
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                env=shared | {"RANK": rank, "LOCAL_RANK": rank},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            for rank in "01"
        ]
        try:
            said = [process.communicate(timeout=120) for process in processes]
        finally:
            for process in processes:
                process.kill()
    for process, (_, complaint) in zip(processes, said, strict=True):
        assert process.returncode == 0, complaint
    lines = said[0][0].splitlines()
    return [line for line in lines if line and not line.startswith("[Gloo]")]


# %%
# What if it goes into prepare()?
# -------------------------------
# Two processes, each with its own input. On a CPU, ``prepare()`` raises an error for a
# frozen network; on GPUs it moves the network to the device and does not wrap it (from
# the source, not run). A network that is not frozen is wrapped by DDP, although it
# never gets a gradient. If it is a part of the student and not frozen, the second step
# raises an error.
#
# The last lines are a network whose weights are in a plain list: for PyTorch they are
# no parameters. DDP neither copies them from the first process nor averages their
# gradients, so the processes train two different networks. In an ``nn.ParameterList``
# they are parameters. Even then, a forward through ``wrapped.module`` goes past DDP,
# and no gradient is averaged: call ``wrapped(x)``, and put what you need of the module
# into its ``forward()``.
def cases():
    import os

    import torch
    from accelerate import Accelerator
    from torch import nn

    rank = int(os.environ["RANK"])
    torch.distributed.init_process_group(
        "gloo", init_method=os.environ["MEET"], rank=rank, world_size=2
    )
    accelerator = Accelerator(cpu=True)
    x = torch.full((1, 2), rank + 1.0)

    def outcome(action, model):
        try:
            return type(action(model)).__name__
        except RuntimeError as error:
            return str(error)[:37]

    def train(model):
        wrapped = accelerator.prepare(model)
        accelerator.backward(wrapped(x))
        accelerator.backward(wrapped(x))
        return wrapped

    class Student(nn.Module):
        def __init__(self, teacher):
            super().__init__()
            self.layer, self.teacher = nn.Linear(2, 2), teacher

        def forward(self, x):
            with torch.no_grad():
                target = self.teacher(x)
            return (self.layer(x) - target).square().mean()

    for state, trains in (("frozen", False), ("not frozen", True)):
        teacher = nn.Linear(2, 2).requires_grad_(trains)
        print(f"{state}, alone:", outcome(accelerator.prepare, teacher))
        print(f"{state}, in the student:", outcome(train, Student(teacher)))

    class Listed(nn.Module):
        def __init__(self, container):
            super().__init__()
            self.head = nn.Linear(2, 1)
            torch.manual_seed(rank)
            self.weights = container([nn.Parameter(torch.randn(2, 2))])

        def forward(self, x):
            return self.head(x @ self.weights[0]).sum()

    for way in ("list", "ParameterList", "module"):
        model = Listed(list if way == "list" else nn.ParameterList)
        weight = model.weights[0]
        optimizer = torch.optim.SGD([*model.head.parameters(), weight], lr=0.1)
        wrapped = accelerator.prepare(model)
        called = wrapped.module if way == "module" else wrapped
        accelerator.backward(called(x))
        optimizer.step()
        both = accelerator.gather(weight.detach()[None].contiguous())
        print(f"{way}, equal:", torch.equal(both[0], both[1]))


lines = run(cases)
print(*lines, sep="\n")
assert lines == [
    "frozen, alone: DistributedDataParallel is not needed",
    "frozen, in the student: DistributedDataParallel",
    "not frozen, alone: DistributedDataParallel",
    "not frozen, in the student: Expected to have finished reduction i",
    "list, equal: False",
    "ParameterList, equal: True",
    "module, equal: False",
]

# %%
# A teacher in the ``Trainer`` of transformers
# --------------------------------------------
# Override ``compute_loss()``, and keep the teacher as an attribute of the trainer. The
# ``Trainer`` moves, wraps, trains and saves only the model that it is given, so move
# the teacher to ``args.device`` yourself. It is then in no checkpoint and in no
# optimizer, and ``train()``, which the ``Trainer`` calls in each step, does not switch
# its dropout on.
from safetensors.torch import load_file
from transformers import PrinterCallback, Trainer, TrainingArguments


class Learner(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 2)

    def forward(self, x):
        return {"logits": self.net(x)}


class DistillationTrainer(Trainer):
    def __init__(self, *arguments, teacher, **options):
        super().__init__(*arguments, **options)
        self.teacher = teacher.to(self.args.device).eval().requires_grad_(False)

    def compute_loss(self, model, inputs, return_outputs=False, **others):
        with torch.no_grad():
            target = self.teacher(inputs["x"])
        outputs = model(inputs["x"])
        loss = (outputs["logits"] - target).square().mean()
        return (loss, outputs) if return_outputs else loss


teacher = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
before = teacher[0].weight.clone()
examples = [{"x": torch.randn(2)} for _ in range(8)]
options = {"use_cpu": True, "max_steps": 2, "save_steps": 2, "disable_tqdm": True}
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(folder, **options, logging_strategy="no")
    trainer = DistillationTrainer(
        Learner(), arguments, train_dataset=examples, teacher=teacher
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    saved = load_file(Path(folder, "checkpoint-2", "model.safetensors"))
print(list(saved), teacher.training, teacher[0].weight.equal(before))
assert list(saved) == ["net.bias", "net.weight"]
assert not teacher.training
assert teacher[0].weight.equal(before)
assert sum(len(g["params"]) for g in trainer.optimizer.param_groups) == 2

# %%
# DPO: the loss stays at 0.6931, and all ``rewards`` are 0.0
# ----------------------------------------------------------
# 0.6931 is the logarithm of 2 (0.6934 in float16, 0.6914 in bfloat16): policy and
# reference give the same answer. In the first step that is normal, since they are the
# same model then, and the gradient is not 0. If it stays there:
#
# - Both names are one object, ``ref_model = model``: the reference moves along. Without
#   ``no_grad()`` the gradients of the two cancel, too. Take a copy, or, with TRL,
#   ``ref_model=None``.
# - ``grad_norm`` is 0.0, too: nothing trains. Call
#   ``trainer.model.print_trainable_parameters()`` once the trainer exists. It shows 0
#   if the adapter was loaded without ``is_trainable=True``, or if a TRL before
#   `this fix of 2025 <https://github.com/huggingface/trl/pull/4081>`__ (read, not run)
#   prepared a quantised ``PeftModel`` a second time, which freezes it: pass
#   ``is_trainable=True``, upgrade, or pass the base and ``peft_config``. If it shows
#   more than 0, it is the cause above, or a reentrant checkpoint: pass
#   ``use_reentrant=False`` (:doc:`checkpointing_with_adapters`).
# - The learning rate is too small to be seen in four digits. `The script of TRL
#   <https://github.com/huggingface/trl/blob/main/trl/scripts/dpo.py>`__ takes ``5e-7``
#   for all weights, and ``5e-6`` for LoRA.
# - ``logps`` are 0.0, too: no token of the answers is left, because the prompt fills
#   the maximum length.
#
# Freeze the reference, or run it under ``no_grad()``. In full fine-tuning it is a
# second model in memory.
import copy

from torch.nn.functional import log_softmax, logsigmoid

torch.manual_seed(0)
start = nn.Linear(3, 4)
prompt, chosen, rejected = torch.ones(3), 1, 2


def dpo(policy, reference):
    ratios = log_softmax(policy(prompt), 0) - log_softmax(reference(prompt), 0)
    return -logsigmoid(0.1 * (ratios[chosen] - ratios[rejected]))


for way in ("same object", "frozen policy", "copy"):
    policy = copy.deepcopy(start).requires_grad_(way != "frozen policy")
    reference = policy
    if way != "same object":
        reference = copy.deepcopy(start).requires_grad_(False)
    optimizer, losses = torch.optim.SGD(policy.parameters(), lr=1.0), []
    for _ in range(3):
        loss = dpo(policy, reference)
        losses.append(round(loss.item(), 4))
        if loss.requires_grad:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"{way:14}{losses}")
    assert losses[0] == 0.6931
    assert (losses[2] < 0.6931) == (way == "copy")
    if way == "same object":
        assert not policy.weight.grad.any()

# %%
# RLHF with PPO: which of the four models are frozen?
# ---------------------------------------------------
# - *Actor* (policy): trains.
# - *Critic* (value model): trains, with the loss of the values. It is another model or,
#   in TRL before 0.12 and LLaMA-Factory, a ``v_head`` on the actor, which trains with
#   it.
# - *Reference*: frozen, the actor from before. It gives the KL penalty.
# - *Reward model*: frozen, trained before. The critic often begins as a copy of it.
#
# GRPO and RLOO have no critic, DPO neither critic nor reward model. With LoRA, one base
# can serve for several of them: the adapter switched off is the reference, and a second
# adapter the reward model. Advantage and reward are constants: compute them under
# ``no_grad()``.
torch.manual_seed(0)
actor, critic = nn.Linear(3, 4), nn.Linear(3, 1)
reference = copy.deepcopy(actor).requires_grad_(False).eval()
reward_model = copy.deepcopy(critic).requires_grad_(False).eval()
models = {"actor": actor, "critic": critic}
models |= {"reference": reference, "reward": reward_model}
with torch.no_grad():
    old = log_softmax(actor(prompt), 0)[chosen]
    reward = reward_model(prompt) - 0.1 * (old - log_softmax(reference(prompt), 0)[1])
    advantage = reward + 1.0 - critic(prompt)
ratio = (log_softmax(actor(prompt), 0)[chosen] - old).exp()
value_loss = (critic(prompt) - reward - 1.0).square().mean()
(-(ratio * advantage).mean() + value_loss).backward()
trained = [name for name, model in models.items() if model.weight.grad is not None]
print(trained)
assert trained == ["actor", "critic"]

# %%
# The others
# ----------
# - *DDP*: wrap the student only. If the frozen network is an attribute of the student,
#   freeze it before you wrap.
# - *DeepSpeed*: ``deepspeed.initialize()`` gets the student only, and one
#   ``prepare()`` takes one model:
#   :doc:`/reference/errors/cant_use_same_accelerator_instance_with_multiple_models`.
# - *FSDP*: a frozen network that is too large for one GPU may be sharded with
#   ``fully_shard()`` (:doc:`/gallery/beyond/freezing_under_fsdp`). Otherwise leave it
#   out.
# - *Lightning*: as an attribute of the module, it is moved to the device. Freeze it in
#   ``__init__()`` and give the optimizer the student only. Lightning keeps it in
#   ``eval()`` (since 2.2), but saves it in each checkpoint.
# - The trainers of TRL prepare the reference model or the reward model themselves: pass
#   it as it is. Under DeepSpeed they initialise it without an optimizer. If a trainer
#   fails there, :doc:`/reference/errors/expected_a_non_empty_list_of_tensors` and
#   :doc:`/reference/errors/cant_use_same_accelerator_instance_with_multiple_models`
#   show what to change.
import logging
import warnings

import lightning
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Distillation(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.student, self.teacher = nn.Linear(2, 2), nn.Linear(2, 2)
        self.teacher.eval().requires_grad_(False)

    def training_step(self, batch, _index):
        with torch.no_grad():
            target = self.teacher(batch)
        self.modes = self.student.training, self.teacher.training
        return (self.student(batch) - target).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.student.parameters(), lr=0.1)

    # Without this, the teacher is in each checkpoint.
    def on_save_checkpoint(self, checkpoint):
        state = checkpoint["state_dict"]
        for name in [n for n in state if n.startswith("teacher.")]:
            del state[name]


model = Distillation()
trainer = lightning.Trainer(
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    max_steps=2,
)
with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
    warnings.filterwarnings("ignore", module="lightning")
    trainer.fit(model, DataLoader(x))
    trainer.save_checkpoint(Path(folder, "last.ckpt"))
    saved = torch.load(Path(folder, "last.ckpt"), weights_only=False)["state_dict"]
print(model.modes, list(saved))
assert model.modes == (True, False)
assert list(saved) == ["student.weight", "student.bias"]

# %%
# A checkpoint without the teacher is loaded with ``strict_loading = False`` in the
# module. Save only an adapter, and resume: :doc:`lightning_resume_after_unfreezing`.
#
# Related: :doc:`accelerate_prepare`, :doc:`lightning_eval_mode`,
# :doc:`/gallery/recipes/ema_teacher`,
# :doc:`/reference/errors/expected_to_have_finished_reduction`.
