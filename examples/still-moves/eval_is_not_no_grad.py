"""
eval() is not no_grad(), and neither is requires_grad_(False)
=============================================================

``eval()`` switches dropout and batch norm, ``no_grad()`` stops recording: evaluate with
both. Freeze with ``requires_grad_(False)``, and put frozen dropout and batch norm into
``eval()``.
"""

# %%
# One alone is not enough: ``eval()`` records a graph, and under ``no_grad()`` dropout
# drops.
import torch
from torch import nn

model = nn.Sequential(nn.Linear(2, 64), nn.Dropout(0.5))
x = torch.ones(1, 2)
outputs = {"eval()": model.eval()(x)}
with torch.no_grad():
    outputs["no_grad()"] = model.train()(x)
    outputs["both"] = model.eval()(x)
zeros = {way: (out == 0).any().item() for way, out in outputs.items()}
graphs = {way: out.requires_grad for way, out in outputs.items()}
for way in outputs:
    print(f"{way:10} graph: {graphs[way]}, zeros: {zeros[way]}")
assert list(graphs.values()) == [True, False, False]
assert list(zeros.values()) == [False, True, False]

# %%
# Why is memory high, or growing, in inference after eval()?
# ----------------------------------------------------------
# Because ``eval()`` alone still records: the activations are kept for a backward pass
# that never comes, as long as an output lives. A list of outputs keeps the graph of
# each batch, so memory grows with each. Put ``no_grad()`` or ``inference_mode()``
# around the loop: the results are the same. If the outputs are large, also move what
# you collect off the GPU, with ``cpu()``. What the graphs keep after each batch:
from gradguide import saved

network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)).eval()
modes = {
    "eval()": torch.enable_grad,
    "eval(), no_grad()": torch.no_grad,
    "eval(), inference_mode()": torch.inference_mode,
}
batches, kept = [torch.randn(32, 64) for _ in range(3)], {}
for way, mode in modes.items():
    predictions, kept[way] = [], []
    with mode():
        for batch in batches:
            predictions.append(network(batch))
            kept[way].append(saved(predictions, network).bytes // 1024)
    print(f"{way:25}", *kept[way], "KiB")
    with torch.no_grad():
        assert torch.allclose(predictions[0], network(batches[0]))
assert list(kept.values()) == [[16, 32, 48], [0, 0, 0], [0, 0, 0]]

# %%
# Does eval() switch gradients off?
# ---------------------------------
# No. A graph is recorded, and ``backward()`` computes the gradients. The graph may be
# smaller: dropout that is off returns its input and adds nothing to it.
outputs["eval()"].sum().backward()
assert model[0].weight.grad is not None
hidden = model[0](x)
assert model[1].eval()(hidden).grad_fn is hidden.grad_fn
assert model[1].train()(hidden).grad_fn is not hidden.grad_fn

# %%
# Does no_grad() put the model into evaluation?
# ---------------------------------------------
# No. Dropout still drops, and batch norm still updates its statistics.
norm = nn.BatchNorm1d(2)
with torch.no_grad():
    norm(torch.randn(8, 2) + 5)
assert norm.training
assert (norm.running_mean > 0).all()

# %%
# Which one do I need?
# --------------------
# Two switches, four combinations, three questions: is a graph recorded, does dropout
# drop, and does a training step with SGD move the weights?


def asked(*, evaluation, recording):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 64), nn.Dropout(0.5))
    net.train(not evaluation)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = net[0].weight.detach().clone()
    with torch.set_grad_enabled(recording):
        out = net(torch.ones(1, 2))
    if out.requires_grad:
        out.sum().backward()
    optimizer.step()
    moved = not torch.equal(net[0].weight, before)
    return [out.requires_grad, bool((out == 0).any()), moved]


answers = {
    "train()": asked(evaluation=False, recording=True),
    "eval()": asked(evaluation=True, recording=True),
    "train(), no_grad()": asked(evaluation=False, recording=False),
    "eval(), no_grad()": asked(evaluation=True, recording=False),
}
questions = ["graph", "dropout", "weights move"]
print(" " * 20, *(f"{question:13}" for question in questions))
for way, row in answers.items():
    print(f"{way:20}", *(f"{answer!s:13}" for answer in row))
assert answers == {
    "train()": [True, True, True],
    "eval()": [True, False, True],
    "train(), no_grad()": [False, True, False],
    "eval(), no_grad()": [False, False, False],
}

# %% tags=["hide-input"]
# The same table. Square: yes. Cross: no.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
for way, row in answers.items():
    for question, answer in zip(questions, row, strict=True):
        square = {"marker": "s", "fc": "none", "ec": "C0"}
        look = square if answer else {"marker": "x", "c": "C2"}
        ax.scatter(question, way, s=160, lw=2, **look)
ax.margins(0.2)
ax.invert_yaxis()
plt.show()

# %%
# What do I call to freeze a part?
# --------------------------------
# ``requires_grad_(False)``: its parameters get no gradient, and layers before it can
# still train. If the part contains dropout or batch norm and its output must stay the
# same, ``eval()`` too, and again after each ``train()``.
part = nn.Sequential(nn.Linear(2, 64), nn.BatchNorm1d(64), nn.Dropout(0.5))
part.requires_grad_(False)
batch = torch.randn(8, 2, requires_grad=True)
assert not torch.equal(part(batch), part(batch))
part.eval()
assert torch.equal(part(batch), part(batch))
part(batch).sum().backward()
assert batch.grad is not None
assert part[0].weight.grad is None

# %%
# Do I need model.eval() before saving, and model.train() after it?
# -----------------------------------------------------------------
# No. ``state_dict()`` and the saved file are the same in both modes, and ``eval()``
# only acts on forwards that follow. Code that calls it before ``torch.save()`` does it
# out of habit, or because it evaluates there, too. If you call ``eval()``, call
# ``train()`` afterwards, or dropout is off for the rest of the training and batch norm
# no longer updates its statistics. ``train()`` also switches the frozen parts: put
# these back into ``eval()``.
#
# There are two exceptions. ``torch.save(model)`` stores the mode with the whole model.
# And a module can do something in ``train()``: the LoRA layers of `loralib
# <https://github.com/microsoft/LoRA/blob/main/loralib/layers.py>`__ add their product
# to the weight in ``eval()`` and subtract it in ``train()`` (read, not run). Save these
# in the mode in which you load them.
import io

saved_in = {}
for mode in (True, False):
    file = io.BytesIO()
    torch.save(part.train(mode).state_dict(), file)
    saved_in[mode] = file.getvalue()
print(saved_in[True] == saved_in[False])
assert saved_in[True] == saved_in[False]
file = io.BytesIO()
torch.save(part.eval(), file)
file.seek(0)
assert not torch.load(file, weights_only=False).training

# %%
# Is a teacher in ``eval()`` trained?
# -----------------------------------
# In distillation the loss compares a student with a teacher. If the optimizer holds the
# student alone, the teacher does not change. But with ``eval()`` only, each
# ``backward()`` computes gradients for the teacher and adds them to its ``.grad``: that
# costs time and memory. Freeze it, and run it under ``no_grad()``. (If the teacher
# reads what the student computed, freeze it without ``no_grad()``:
# :doc:`/gallery/recipes/optimise_the_input`.)
student, teacher = nn.Linear(2, 3), nn.Linear(2, 3).eval()
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
before = teacher.weight.detach().clone(), student.weight.detach().clone()
nn.functional.mse_loss(student(batch), teacher(batch)).backward()
optimizer.step()
print(teacher.weight.equal(before[0]), teacher.weight.grad is not None)
assert teacher.weight.equal(before[0])
assert not student.weight.equal(before[1])
assert teacher.weight.grad.any()

teacher.requires_grad_(False).zero_grad()
with torch.no_grad():
    targets = teacher(batch)
nn.functional.mse_loss(student(batch), targets).backward()
print(teacher.weight.grad)
assert teacher.weight.grad is None

# %%
# Is a teacher in ``train()`` trained?
# ------------------------------------
# No, ``t_net.train()`` sets a mode and trains nothing. In this mode, too, the teacher
# does not change if the optimizer holds the student alone. Nor is it the mode that
# makes the step slow. Time and memory go into the graph, which is recorded in both
# modes, but not under ``no_grad()`` (see the table above). What the mode changes are
# the targets. Dropout makes them random, and batch norm normalises by the batch. Some
# code wants that, so that student and teacher are normalised alike. But then the
# running statistics move, also under ``no_grad()``, and the teacher in ``eval()`` is no
# longer the one that you loaded. If you don't want that, call ``teacher.eval()``, and
# call it again after each ``train()`` of a module that contains the teacher.
teacher = nn.Sequential(nn.Linear(2, 64), nn.BatchNorm1d(64), nn.Dropout(0.5))
teacher.requires_grad_(False)
loaded = {name: value.clone() for name, value in teacher.state_dict().items()}
for training in (False, True):
    teacher.train(training)
    with torch.no_grad():
        same = teacher(batch).equal(teacher(batch))
    state = teacher.state_dict()
    moved = [name for name in loaded if not state[name].equal(loaded[name])]
    print(f"train({training}): same targets: {same}, moved: {moved}")
    assert same != training
    assert moved == ([name for name, _ in teacher.named_buffers()] if training else [])

# %%
# Which layers does eval() change? LayerNorm, GroupNorm, InstanceNorm, RNN
# ------------------------------------------------------------------------
# Only those whose ``forward()`` reads ``training``. A layer norm, group norm or RMSNorm
# computes the same in both modes, so frozen ones need no ``eval()``, only
# ``requires_grad_(False)``. The table: is the output the same in ``train()`` and
# ``eval()``? In models of other libraries, look for more: ``DropPath``, a router with
# noise, or outputs that exist in training only, such as the losses that a detector of
# torchvision returns in ``train()``.
MODES = {
    "Dropout": nn.Dropout(0.5),
    "BatchNorm1d": nn.BatchNorm1d(3),
    "InstanceNorm1d, track_running_stats": nn.InstanceNorm1d(
        3, track_running_stats=True
    ),
    "LSTM, dropout=0.5": nn.LSTM(4, 4, num_layers=2, dropout=0.5),
    "RReLU": nn.RReLU(),
    "InstanceNorm1d": nn.InstanceNorm1d(3),
    "LayerNorm": nn.LayerNorm(4),
    "GroupNorm": nn.GroupNorm(1, 3),
    "RMSNorm": nn.RMSNorm(4),
    "LSTM": nn.LSTM(4, 4),
}
values, equal = torch.linspace(-2, 2, 96).view(8, 3, 4), {}
for name, layer in MODES.items():
    outputs = [layer.train(mode)(values) for mode in (True, False)]
    first, second = (out[0] if isinstance(out, tuple) else out for out in outputs)
    equal[name] = torch.allclose(first, second, atol=1e-5)
    print(f"{name:36}{equal[name]}")
assert list(equal.values()) == [False] * 5 + [True] * 5

# %%
# Is it wrong to train in eval()? from_pretrained() returns a model in eval()
# ---------------------------------------------------------------------------
# The gradients are right, and all weights train that the forward uses in ``eval()``:
# not an auxiliary head that is called in ``train()`` only. (An RNN on a GPU raises an
# error, see the next section.) But dropout is off, so it overfits sooner, and batch
# norm normalizes with its running statistics and does not update them. For a pretrained
# network with small batches this can even be what you want. From scratch it is wrong,
# because the statistics stay 0 and 1. Models of transformers come out of
# ``from_pretrained()`` in ``eval()``, and those of torchvision and timm in ``train()``.
# ``Trainer`` calls ``train()`` itself. Lightning leaves the modes as they are since
# version 2.2 (:doc:`/gallery/frameworks/lightning_eval_mode`), and a loop of your own
# has to call ``train()`` at the start of each epoch.
net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5)).eval()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
before = {name: value.clone() for name, value in net.state_dict().items()}
net(torch.randn(8, 2)).square().sum().backward()
optimizer.step()
state = net.state_dict()
moved = [name for name in before if not state[name].equal(before[name])]
print(moved)
assert moved == [name for name, _ in net.named_parameters()]


class WithAuxiliary(nn.Linear):
    def forward(self, x):
        out = super().forward(x)
        return out + self.auxiliary(x) if self.training else out


of_auxiliary = []
for mode in (True, False):
    net = WithAuxiliary(2, 1).train(mode)
    net.auxiliary = nn.Linear(2, 1)
    net(torch.ones(1, 2)).sum().backward()
    of_auxiliary.append(net.auxiliary.weight.grad is not None)
assert of_auxiliary == [True, False]

# %%
# ``cudnn RNN backward can only be called in training mode``: RNN, LSTM, GRU
# --------------------------------------------------------------------------
# Call ``model.train()`` at the start of each epoch: mostly it stands before the loop,
# and the evaluation after the first epoch has called ``eval()``. Between the forward
# pass and ``backward()`` it is too late. The forward pass of the RNN ran in ``eval()``,
# and on a GPU its backward pass then raises this error (quoted from `issue 15788
# <https://github.com/pytorch/pytorch/issues/15788>`__, not run; in old versions
# ``backward_input can only be called in training mode``, `issue 5878
# <https://github.com/pytorch/pytorch/issues/5878>`__); on the CPU it runs. The loss is
# not the cause: two losses may be added, and one ``backward()`` of the sum is right.
#
# If you want the gradient in ``eval()``, as for a frozen RNN, put that layer alone into
# ``train()``, with ``dropout=0``, or switch cuDNN off for its forward pass, with
# ``torch.backends.cudnn.flags(enabled=False)``, as in `captum 564
# <https://github.com/meta-pytorch/captum/issues/564>`__.
lstm, sequence = nn.LSTM(2, 3), torch.ones(4, 1, 2, requires_grad=True)


def modes_of(*, each_epoch):
    lstm.train()
    modes = []
    for _ in range(3):
        if each_epoch:
            lstm.train()
        modes.append(lstm.training)
        out, (hidden, _) = lstm(sequence)
        loss = out.square().mean() + hidden.abs().mean()
        loss.backward()
        lstm.eval()
        with torch.no_grad():
            lstm(sequence)
    return modes


wrong, right = modes_of(each_epoch=False), modes_of(each_epoch=True)
print(wrong, right)
assert wrong == [True, False, False]
assert right == [True] * 3

in_eval, _ = lstm.eval()(sequence)
assert lstm.train()(sequence)[0].equal(in_eval)
with torch.backends.cudnn.flags(enabled=False):
    assert lstm.eval()(sequence)[0].equal(in_eval)

# %%
# Where it ends
# -------------
# - ``no_grad()`` does not stop an optimizer: a gradient from before still moves the
#   weight, see :doc:`stale_gradients`.
# - ``nn.TransformerEncoder`` looks at both switches: in ``eval()`` it may compute in
#   another way where no gradient is needed, see :doc:`freezing_changed_my_transformer`.
linear = nn.Linear(2, 1)
linear(x).sum().backward()
before = linear.weight.detach().clone()
with torch.no_grad():
    linear(x)
torch.optim.SGD(linear.parameters(), lr=0.1).step()
assert not torch.equal(linear.weight, before)

# %%
# Evaluate with ``model.eval()`` and ``torch.no_grad()`` or ``torch.inference_mode()``
# around the loop, then go back with ``model.train()``. Freeze with
# ``requires_grad_(False)``, and put frozen dropout and batch norm into ``eval()``.
# Source: :torch:`Autograd mechanics
# <notes/autograd.html#locally-disabling-gradient-computation>`.
#
# Related: :doc:`dropout_is_not_a_gradient`, :doc:`frozen_batch_norm_still_moves`,
# :doc:`/gallery/modes/no_grad_inference_mode_enable_grad`.
