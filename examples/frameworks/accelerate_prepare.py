"""
Freeze before accelerator.prepare(), not after
==============================================

With several processes, ``prepare()`` decides what to average. Freezing later raises an
error. Unfreezing later gives each process another gradient.
"""

# %% tags=["hide-input"]
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

START = """
import os, torch
from accelerate import Accelerator
from torch import nn
torch.distributed.init_process_group(
    "gloo", init_method=os.environ["MEET"], rank=int(os.environ["RANK"]), world_size=2
)
"""


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))


def two_models(accelerator):
    x = torch.full((1, 2), accelerator.process_index + 1.0)
    for way in ("one call", "two calls"):
        models = network(), network()
        optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in models]
        if way == "one call":
            first, second, *optimizers = accelerator.prepare(*models, *optimizers)
        else:
            first, one = accelerator.prepare(models[0], optimizers[0])
            second, other = accelerator.prepare(models[1], optimizers[1])
            optimizers = [one, other]
        accelerator.backward(first(x).sum())
        accelerator.backward(second(2 * x).sum())
        for optimizer in optimizers:
            optimizer.step()
        rows = [accelerator.gather(m[0].weight.detach()[:1]) for m in models]
        equal = [torch.equal(row[0], row[1]) for row in rows]
        print(way, equal, [round(row[0, 0].item(), 4) for row in rows], sep=": ")


def run(*workers):
    # os._exit does not wait for threads that a failed step has left behind
    end = "import os; print(flush=True); os._exit(0)"
    source = "\n".join(map(inspect.getsource, (network, *workers)))
    calls = "\n".join(f"{worker.__name__}(accelerator)" for worker in workers)
    code = f"{START}\n{source}\naccelerator = Accelerator(cpu=True)\n{calls}\n{end}"
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
# The gradient of one weight in each of the two processes; both should be equal.
def orders(accelerator):
    for order in ("thaw, prepare", "prepare, thaw", "prepare, thaw, prepare", "freeze"):
        model = network()
        model[0].requires_grad_(not order.startswith("prepare"))
        wrapped = accelerator.prepare(model)
        model[0].requires_grad_(order != "freeze")
        if order == "prepare, thaw, prepare":
            wrapped = accelerator.prepare(accelerator.unwrap_model(wrapped))
        x = torch.full((1, 2), accelerator.process_index + 1.0)
        try:
            for _ in range(2):
                wrapped.zero_grad()
                accelerator.backward(wrapped(x).sum())
            grad = accelerator.gather(model[0].weight.grad[0, :1])
            print(order, [round(g, 2) for g in grad.tolist()], sep=": ")
        except RuntimeError as error:
            print(f"prepare, freeze: {type(error).__name__}", error, sep="\n")


one_call, two_calls, *lines = run(two_models, orders)
print(*lines[:4], sep="\n")

# %%
# Right are the orders that end with ``prepare()``. To unfreeze during the training,
# prepare the unwrapped model again, as in the third line. With the option
# ``find_unused_parameters``, layers that were trainable at ``prepare()`` may be frozen
# later: :doc:`/gallery/beyond/freezing_under_ddp`. The whole text of the error, which
# comes in the second iteration:
import textwrap

assert lines[:4] == [
    "thaw, prepare: [-0.02, -0.02]",
    "prepare, thaw: [-0.01, -0.03]",
    "prepare, thaw, prepare: [-0.02, -0.02]",
    "prepare, freeze: RuntimeError",
]
print(textwrap.fill(" ".join(lines[4:]), 88))
assert lines[4].startswith("Expected to have finished reduction in the prior iteration")

# %%
# The optimizer, and parts of a prepared model
# --------------------------------------------
# In one process ``prepare()`` returns the same model and changes no ``requires_grad``.
# That is why a script with the wrong order passes a test on one device. With several,
# it returns a ``DistributedDataParallel``, which has no ``[0]``, ``backbone`` or other
# part of your model. ``unwrap_model()`` returns the model in both cases, but freezing
# there is freezing after ``prepare()``.
#
# The optimizer may be made before or after the freezing: what gets no gradient is not
# updated. What you unfreeze later has to be in it.

accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
x = torch.ones(1, 2)
model = network()
everything = torch.optim.AdamW(model.parameters(), lr=0.1)
model[0].requires_grad_(False)
trainable = torch.optim.AdamW(
    [p for p in model.parameters() if p.requires_grad], lr=0.1
)
for optimizer in (everything, trainable):
    wrapped, prepared = accelerator.prepare(model, optimizer)
    assert wrapped is model
    assert accelerator.unwrap_model(wrapped) is model
    before = model[0].weight.clone(), model[1].weight.clone()
    accelerator.backward(wrapped(x).sum())
    prepared.step()
    moved = [not torch.equal(model[i].weight, before[i]) for i in (0, 1)]
    print(len(prepared.param_groups[0]["params"]), moved)
    assert moved == [False, True]

# %%
# Freezing inside ``accumulate()``
# --------------------------------
# In all batches of a group but the last, ``step()`` and ``zero_grad()`` do nothing; in
# the last one, both act. If you freeze in between, the gradient of the earlier batches
# is still there: the layer is updated once more, and ``clip_grad_norm_()`` counts it.
# Freeze when ``accelerator.sync_gradients`` is true, after ``zero_grad()``, or set
# ``.grad`` to None.
norms = []
for clear in (False, True):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer = accelerator.prepare(model, optimizer)
    before = model[0].weight.clone()
    for batch in range(2):
        with accelerator.accumulate(model):
            accelerator.backward(model(x).sum())
            if accelerator.sync_gradients:
                norms.append(accelerator.clip_grad_norm_(model.parameters(), 1.0))
            optimizer.step()
            optimizer.zero_grad()
        if batch == 0:
            model[0].requires_grad_(False)
            if clear:
                model[0].zero_grad()
    moved = not torch.equal(model[0].weight, before)
    print(f"cleared={clear}: moved={moved}, norm={norms[-1]:.2f}")
    assert moved != clear
assert norms[0] > norms[1] + 0.01

# %%
# ``optimizer.zero_grad()`` at the top of ``accumulate()``: the accumulation is lost
# ----------------------------------------------------------------------------------
# Put ``zero_grad()`` behind ``step()``, at the end of the block. At its top, it does
# nothing in the first batches of a group. But in the last one ``sync_gradients`` is
# already true, so ``zero_grad()`` deletes what the earlier batches have collected, just
# before ``backward()``. The step then has the gradient of the last batch alone, divided
# by ``gradient_accumulation_steps``, without an error. With one accumulation step there
# is no difference. Under DeepSpeed the engine clears the gradients itself, and
# ``zero_grad()`` does nothing in both places (from the source, not run). With the
# gradients 1 and 10 and a learning rate of 1, the right step is their mean:
steps = {}
for place in ("top", "end"):
    layer = nn.Linear(1, 1, bias=False)
    layer, optimizer = accelerator.prepare(
        layer, torch.optim.SGD(layer.parameters(), 1)
    )
    before = layer.weight.item()
    for gradient in (1.0, 10.0):
        with accelerator.accumulate(layer):
            if place == "top":  # wrong
                optimizer.zero_grad()
            accelerator.backward(layer(torch.tensor([[gradient]])).sum())
            optimizer.step()
            if place == "end":  # right
                optimizer.zero_grad()
    steps[place] = round(before - layer.weight.item(), 3)
print(steps)
assert steps == {"top": 10 / 2, "end": (1 + 10) / 2}

# %%
# Two models: call ``prepare()`` separately, or only once?
# --------------------------------------------------------
# Both are right on one device and with DDP: ``prepare()`` handles each object for
# itself. Prepare each model that trains, together with its optimizer, and call
# ``accelerator.backward()`` for each loss or for their sum. Not so (read in the source
# of Accelerate 1.15, not run):
#
# - *DeepSpeed*: a model and its optimizer have to be in one call, and one
#   ``Accelerator`` takes one model:
#   :doc:`/reference/errors/cant_use_same_accelerator_instance_with_multiple_models`.
# - *FSDP2*: one model in each call, together with its optimizer, or ``Only one model is
#   supported when using FSDP2`` comes.
#
# A frozen model that only computes needs no ``prepare()``: move it to
# ``accelerator.device``, choose its dtype, call ``eval()``, and use it under
# ``no_grad()`` (:doc:`frozen_second_network`). In the two processes of above: are the
# updated weights of each model the same in both, and what are they?
print(one_call, two_calls, sep="\n")
assert one_call.split(": ")[1:] == two_calls.split(": ")[1:]
assert one_call.split(": ")[1] == "[True, True]"
accelerator = Accelerator(cpu=True)
models = network(), network()
optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
pairs = zip(models, optimizers, strict=True)
prepared = [accelerator.prepare(*pair) for pair in pairs]  # two calls
assert [model for model, _ in prepared] == [*models]

# %%
# Two models and two optimizers: a GAN with Accelerate
# ----------------------------------------------------
# Pass everything to one ``prepare()``, which returns it in the same order. Enter
# ``accumulate()`` once for each batch, with both models (possible since `July 2023
# <https://github.com/huggingface/accelerate/pull/1708>`__). Each entry counts as a
# batch: with a block for each model and ``gradient_accumulation_steps=2``, the first
# block is never the last one of a group, so its model is never updated, without an
# error.
#
# Inside a group ``zero_grad()`` does nothing, so what the loss of the generator leaves
# in the critic stays there and is used by the critic's next step. Freeze the critic in
# the turn of the generator. With several processes also call
# ``accelerator.unwrap_model(critic)`` there, because this freezing comes after the
# wrapping: :doc:`/gallery/beyond/two_backward_passes_under_ddp`.


def gan(*, blocks, freeze=True):
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    torch.manual_seed(0)
    models = nn.Linear(2, 3), nn.Linear(3, 1)
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    generator, critic, *optimizers = accelerator.prepare(*models, *optimizers)
    of_generator, of_critic = optimizers
    before = [model.weight.clone() for model in models]

    def turn_of_generator(fake):
        critic.requires_grad_(not freeze)
        accelerator.backward(-accelerator.unwrap_model(critic)(fake).mean())
        of_generator.step()
        of_generator.zero_grad()
        critic.requires_grad_(True)

    def turn_of_critic(fake):
        loss = critic(fake.detach()).mean() - critic(torch.ones(4, 3)).mean()
        accelerator.backward(loss)
        of_critic.step()
        of_critic.zero_grad()

    for _ in range(2):
        fake = generator(torch.ones(4, 2))
        if blocks == 1:
            with accelerator.accumulate(generator, critic):
                turn_of_generator(fake)
                turn_of_critic(fake)
        else:
            with accelerator.accumulate(generator):
                turn_of_generator(fake)
            with accelerator.accumulate(critic):
                turn_of_critic(fake)
    moved = [not m.weight.equal(old) for m, old in zip(models, before, strict=True)]
    return moved, critic.weight.detach()


right, weight = gan(blocks=1)
wrong, _ = gan(blocks=2)
_, mixed = gan(blocks=1, freeze=False)
print(right, wrong, torch.equal(weight, mixed))
assert right == [True, True]
assert wrong == [False, True]
assert not torch.equal(weight, mixed)

# %%
# Freeze, make the optimizer, then call ``prepare()``. `Accelerate's documentation
# <https://huggingface.co/docs/accelerate/package_reference/accelerator>`__ describes
# its methods.
#
# Related: :doc:`/gallery/beyond/freezing_under_ddp`,
# :doc:`/gallery/recipes/freeze_in_gradient_accumulation`,
# :doc:`/gallery/still-moves/stale_gradients`,
# :doc:`/reference/errors/expected_to_have_finished_reduction`.
