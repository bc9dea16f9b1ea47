"""
``loaded state dict contains a parameter group that doesn't match the size``
============================================================================

The state was saved by an optimizer that had more or fewer parameters in this group,
often only those that were trainable then. Create the optimizer from the same ones,
load, and add the others with ``add_param_group()``. Or start anew, without momentum.
"""

# %%
import torch

body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
parameters = [*body.parameters(), *head.parameters()]
# At that time, the body was frozen and filtered out.
saved = torch.optim.Adam(head.parameters()).state_dict()

try:
    # Wrong: four parameters, and the state is that of two.
    torch.optim.Adam(parameters).load_state_dict(saved)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("the sizes of the groups differ")
# Right: the same parameters as then, load, add the others.
optimizer = torch.optim.Adam(head.parameters())
optimizer.load_state_dict(saved)
optimizer.add_param_group({"params": body.parameters()})
print([len(group["params"]) for group in optimizer.param_groups])
assert [len(g["params"]) for g in optimizer.param_groups] == [2, 2]

# %%
# Pretrained weights of somebody else, or of another version of the code
# ----------------------------------------------------------------------
# To fine-tune you don't need the state of the optimizer: load the weights of the model,
# leave out ``optimizer.load_state_dict()``, and train with a new optimizer. The state
# is loaded by number and order of the parameters. Names, which the file has after
# ``Adam(model.named_parameters())``, are not compared. So a file from another version
# of the model, with other options or other groups, often doesn't fit. Only to resume a
# training exactly, with its momentum, take the same version of the code and the same
# options as then. If the weights themselves don't fit, see
# :doc:`error_s_in_loading_state_dict`.
#
# YOLOv7, and YOLOv5 before 6.2, load the optimizer with ``--weights``, if the file has
# one (newer versions of YOLOv5 with ``--resume`` only). A ``best.pt`` of a training
# that was stopped still has it, as its size shows: remove it with their
# ``strip_optimizer("best.pt")`` (read, not run; `what an unfinished file holds
# <https://github.com/ultralytics/yolov5/issues/843>`__).
#
# The message is only printed, and the training goes on: does it matter? (VITS)
# -----------------------------------------------------------------------------
# Yes, if the weights are loaded *after* the optimizer. In ``load_checkpoint()`` of VITS
# and Bert-VITS2 they are, and `the training script
# <https://github.com/v3ucn/Bert-VITS2_V202_Train>`__ of the latter catches every
# exception and prints it (read, not run). So it goes on with random weights, also in
# the networks that come later in the ``try``, and saves these as ``G_0.pth`` and
# ``D_0.pth``, in place of the pretrained files. Copy those again, and set
# ``"skip_optimizer": true`` in the part ``train`` of ``config.json``. VITS has no such
# option: there, give ``load_checkpoint()`` None for the optimizer. If the weights come
# first, only the old momentum is missing, which does no harm in fine-tuning.
#
# To see it: the line ``Loaded checkpoint`` has to come for each file, and the first
# loss is far below that of a training from scratch. Or compare one weight with the
# file.
from torch import nn


def load_checkpoint(checkpoint, model, optimizer, *, skip_optimizer=False):
    if not skip_optimizer:
        optimizer.load_state_dict(checkpoint["optimizer"])
    model.load_state_dict(checkpoint["model"])


pretrained, extra = nn.Linear(2, 2), nn.Linear(2, 2)
both = [*pretrained.parameters(), *extra.parameters()]
checkpoint = {
    "model": pretrained.state_dict(),
    "optimizer": torch.optim.AdamW(both).state_dict(),
}
loaded = {}
for skip_optimizer in (False, True):
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    try:
        load_checkpoint(checkpoint, model, optimizer, skip_optimizer=skip_optimizer)
    except ValueError as error:  # as the script does
        print(error)
    loaded[skip_optimizer] = model.weight.equal(checkpoint["model"]["weight"])
    print(f"{skip_optimizer=}, weights loaded: {loaded[skip_optimizer]}")
assert loaded == {False: False, True: True}
# Names are not compared: this loads.
named = torch.optim.Adam([(f"old.{n}", p) for n, p in extra.named_parameters()])
torch.optim.Adam(pretrained.named_parameters()).load_state_dict(named.state_dict())

# %%
# Everything was trained, and now a part is frozen
# ------------------------------------------------
# The saved state has all parameters, and the new optimizer was created from those that
# still require a gradient: ``filter(lambda p: p.requires_grad, ...)``, or a framework
# does this. Create it from all parameters, in the same groups and order as then, and
# load. Optimizers except ``LBFGS`` skip a frozen parameter whose ``.grad`` is None,
# even with momentum or weight decay. Or load the weights of the model alone, and create
# a new optimizer from the trainable parameters: it starts without momentum.
#
# ``requires_grad`` is no option of a parameter group: ``{"params": ...,
# "requires_grad": False}`` is accepted and has no effect.


def step(optimizer):
    optimizer.zero_grad()
    head(body(torch.ones(1, 2))).sum().backward()
    optimizer.step()


optimizer = torch.optim.AdamW(parameters, weight_decay=0.1)
step(optimizer)
saved = optimizer.state_dict()
body.requires_grad_(False)
try:
    # Wrong: two parameters, and the state is that of four.
    trainable = [p for p in parameters if p.requires_grad]
    torch.optim.AdamW(trainable, weight_decay=0.1).load_state_dict(saved)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the sizes of the groups differ")
assert message.startswith("loaded state dict contains a parameter group")
# Right: all parameters, load, and what is frozen has no gradient.
optimizer = torch.optim.AdamW(parameters, weight_decay=0.1)
optimizer.load_state_dict(saved)
optimizer.zero_grad()
before = [p.clone() for p in parameters]
step(optimizer)
moved = [not p.equal(old) for p, old in zip(parameters, before, strict=True)]
print(moved)
assert moved == [False, False, True, True]

# %%
# If you freeze in the middle of a run, call ``zero_grad()`` before the next step: a
# gradient that is left still moves a frozen parameter
# (:doc:`/gallery/still-moves/stale_gradients`).
body.requires_grad_(True)
ignored = {"params": list(body.parameters()), "requires_grad": False}
optimizer = torch.optim.SGD([ignored], lr=0.1)
before = body.bias.clone()
step(optimizer)
assert not body.bias.equal(before)
assert all(p.requires_grad for p in body.parameters())
body.requires_grad_(False)
before = body.bias.clone()
optimizer.step()
assert not body.bias.equal(before)
body.requires_grad_(True)

# %%
# Resuming LoRA: ``optimizer.bin`` or ``optimizer.pt`` does not fit
# -----------------------------------------------------------------
# When the optimizer was made, other parameters were trainable than when the file was
# saved: the adapter was not yet added or loaded, or it was loaded frozen
# (``is_trainable=True`` is missing), or ``target_modules``, ``modules_to_save`` or the
# frozen part are different. So, in this order: load the adapter, make its parameters
# trainable, make the optimizer, load its state. With Accelerate, ``prepare()`` comes
# before ``load_state()``.
#
# Compare how many parameters the groups have in the file and in the optimizer, and
# print the names of what is trainable now. If one group has too few, the adapter is
# missing. If you changed the set on purpose, load the weights only, and begin with a
# new optimizer. If you resume your own training, and changed nothing, leaving the state
# out is no cure: momentum and the averages of Adam are lost, and the first steps go
# wrong.
base, adapter = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
model = torch.nn.ModuleDict({"base": base, "lora_B": adapter})
base.requires_grad_(False)


def optimizer_of(model):
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])


def sizes(groups):
    return [len(group["params"]) for group in groups]


saved = optimizer_of(model).state_dict()
# Wrong: a part is frozen that was trainable then.
adapter.bias.requires_grad_(False)
optimizer = optimizer_of(model)
print("file", sizes(saved["param_groups"]), "now", sizes(optimizer.param_groups))
print([name for name, p in model.named_parameters() if p.requires_grad])
assert sizes(saved["param_groups"]) == [2]
assert sizes(optimizer.param_groups) == [1]
# Right: the flags come first, then the optimizer.
adapter.requires_grad_(True)
optimizer = optimizer_of(model)
optimizer.load_state_dict(saved)
assert sizes(optimizer.param_groups) == [2]

# %%
# GAN: ``d_optimizer`` and ``g_optimizer`` load the same ``checkpoint``
# ---------------------------------------------------------------------
# A variable ``checkpoint`` that holds the file of one network is loaded into both
# optimizers, or it is overwritten by the second file before the first optimizer is
# loaded. So one of them gets the state of the other network. Give each state a key or a
# file of its own. Don't comment the two lines out: the momentum and the step counts of
# Adam would be lost. Two networks with equally many parameters raise nothing when
# loading: ``step()`` fails where the shapes differ, and not at all if they are equal.
generator = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2))
discriminator = torch.nn.Linear(2, 1)
g_optimizer = torch.optim.Adam(generator.parameters())
d_optimizer = torch.optim.Adam(discriminator.parameters())
discriminator(generator(torch.ones(1, 2))).sum().backward()
g_optimizer.step()
d_optimizer.step()
checkpoint = {"optimizer": g_optimizer.state_dict()}
try:
    # Wrong: the state of the generator.
    d_optimizer.load_state_dict(checkpoint["optimizer"])
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the sizes of the groups are equal")
assert message.startswith("loaded state dict contains a parameter group")
# Right: a key for each.
checkpoint = {
    "g_optimizer": g_optimizer.state_dict(),
    "d_optimizer": d_optimizer.state_dict(),
}
g_optimizer.load_state_dict(checkpoint["g_optimizer"])
d_optimizer.load_state_dict(checkpoint["d_optimizer"])
print(sizes(g_optimizer.param_groups), sizes(d_optimizer.param_groups))
assert sizes(g_optimizer.param_groups) == [4]
assert sizes(d_optimizer.param_groups) == [2]

# %%
# ``KeyError: 'exp_avg'``, ``'betas'``, ``'step'``: the state of another optimizer
# --------------------------------------------------------------------------------
# ``load_state_dict()`` does not ask which class saved the state. With that of SGD in
# Adam, or the reverse, it or the next ``step()`` raises a ``KeyError`` with the name of
# an option or of an entry. Load the weights of the model alone, and let the new
# optimizer begin without a state. From Adam to AdamW the state fits, and loading
# replaces the options of the new optimizer by the old ones, its ``lr`` and
# ``weight_decay`` too: set those that you want afterwards, in ``param_groups``.
sgd = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
adam = torch.optim.Adam(parameters)
for optimizer in (sgd, adam):
    step(optimizer)
missing = {}
for new, old in (
    (torch.optim.AdamW(parameters), sgd),
    (torch.optim.SGD(parameters), adam),
):
    try:
        # Wrong: the state of another class.
        new.load_state_dict(old.state_dict())
        step(new)
    except KeyError as error:
        missing[type(new).__name__] = error.args[0]
print(missing)
assert set(missing) == {"AdamW", "SGD"}
# Right: of the same family, with its options set again.
adamw = torch.optim.AdamW(parameters, lr=0.5, weight_decay=0.1)
adamw.load_state_dict(adam.state_dict())
print(adamw.param_groups[0]["lr"], adamw.param_groups[0]["weight_decay"])
assert (adamw.param_groups[0]["lr"], adamw.param_groups[0]["weight_decay"]) == (1e-3, 0)
adamw.param_groups[0].update(lr=0.5, weight_decay=0.1)
step(adamw)
assert adamw.state[head.bias]["step"] == 2

# %%
# After resuming: ``If capturable=False, state_steps should not be CUDA tensors``
# -------------------------------------------------------------------------------
# The state fits here, and the first ``step()`` of Adam or AdamW raises this
# ``AssertionError``. Upgrade PyTorch: in 1.12.0, ``load_state_dict()`` moved the step
# counts to the GPU, and 1.12.1 has `the fix
# <https://github.com/pytorch/pytorch/issues/80809>`__. If you can't, set
# ``group["capturable"] = True`` in each parameter group after loading (`slower
# <https://github.com/Lightning-AI/pytorch-lightning/issues/13695>`__), or load the
# weights alone. In newer versions leave this line out: with step counts on the CPU,
# they raise ``If capturable=True, params and state_steps must be CUDA tensors``, or, as
# here, ``must be on supported devices``. The rest was read, and not run.
p = nn.Parameter(torch.ones(2))
p.grad = torch.ones(2)
on_cpu = torch.optim.Adam([p])
on_cpu.step()
on_cpu.param_groups[0]["capturable"] = True
try:
    on_cpu.step()
except AssertionError as error:
    message = str(error)
assert message.startswith("If capturable=True, params and state_steps must be")

# %%
# ``accelerator.load_state()``: ``KeyError: 'step'``, ``override_attributes``
# ---------------------------------------------------------------------------
# Upgrade Accelerate to 0.34.2 or newer. When 0.32 and 0.33 resume training, the line
# ``self.step = override_attributes["step"]`` needs an entry of the file
# ``random_states_0.pkl``, and nothing of ``train_state.json``, which belongs to the
# training script. If the file can't be read, the exception is swallowed (``Could not
# load random states``), and the entry is missing. This was run beside this page, with
# PyTorch 2.13 and Accelerate 0.31 to 1.15:
#
# - 0.33 can't load the state that it has saved itself, because ``torch.load()`` accepts
#   weights only since PyTorch 2.6. With the environment variable
#   ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1``, for files that you trust, it can.
# - A state of 0.31 has no such entry, nor has a folder without
#   ``random_states_0.pkl``.
# - 0.34.2 and newer load all of these. Without the entry, ``accelerator.step`` begins
#   at 0: it counts the batches of ``gradient_accumulation_steps``, nothing else.
#
# Model, optimizer and scheduler were loaded before the error. So if you can't upgrade,
# catch the ``KeyError`` around ``load_state()``, and raise it again unless its ``args``
# are ``("step",)``. Objects of ``register_for_checkpointing()`` are not loaded then.

# %%
# Schedulers, ``LBFGS`` and the order of the parameters
# -----------------------------------------------------
# Create a learning rate scheduler after ``add_param_group()``: it makes an entry for
# each group when it is created. ``LBFGS`` works with one group only; create a new one.
#
# Only the number is compared. The same parameters in another order load without an
# error, and then each has the state of another one.
head(torch.ones(1, 2)).sum().backward()
optimizer = torch.optim.Adam(head.parameters())
optimizer.step()
reordered = torch.optim.Adam([head.bias, head.weight])
reordered.load_state_dict(optimizer.state_dict())
shape = reordered.state[head.bias]["exp_avg"].shape
print(tuple(head.bias.shape), tuple(shape))
assert shape == head.weight.shape != head.bias.shape

# %%
# Read on: :doc:`/gallery/beyond/add_param_group_errors`.
