"""
An EMA teacher: average under no_grad(), and copy the buffers too
=================================================================

The teacher is an exponential moving average (EMA) of its student. If only parameters
are averaged, its batch norm keeps its first statistics, and its output in ``eval()`` is
wrong. Freeze the teacher, average under ``no_grad()``, and copy the buffers.
"""

# %%
# The teacher's output for an input of 100, which is the mean
# -----------------------------------------------------------
import copy

import torch

torch.manual_seed(0)
student = torch.nn.BatchNorm1d(1)
teacher = copy.deepcopy(student).requires_grad_(False).eval()
for _ in range(100):
    student(torch.randn(64, 1) + 100)
with torch.no_grad():
    for name, old in teacher.named_parameters():
        old.lerp_(student.get_parameter(name), 0.1)
    wrong = teacher(torch.tensor([[100.0]])).item()
    for name, old in teacher.named_buffers():
        old.copy_(student.get_buffer(name))
    right = teacher(torch.tensor([[100.0]])).item()
print(f"parameters: {wrong:.1f}, and buffers: {right:.1f}")
assert wrong > 99
assert abs(right) < 0.1

# %%
# The whole training loop
# -----------------------
# The student learns from labels, and from the teacher's answer for the same inputs
# without noise. After each step, the teacher moves a tenth of the way to the student.
# The statistics of a batch norm are averages already, so the buffers are copied. For
# comparison, a second teacher gets the parameters only.
from torch import nn
from torch.nn import functional as F


@torch.no_grad()
def follow(teacher, student, rate=0.1, *, buffers=True):
    for name, old in teacher.named_parameters():
        old.lerp_(student.get_parameter(name), rate)
    if buffers:
        for name, old in teacher.named_buffers():
            old.copy_(student.get_buffer(name))


student = nn.Sequential(
    nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1)
)
teacher, stale = (copy.deepcopy(student).requires_grad_(False).eval() for _ in range(2))
optimizer = torch.optim.Adam(student.parameters(), lr=0.02)
errors = []
for _ in range(150):
    inputs = torch.randn(64, 2) + 3
    labels = inputs.sum(1, keepdim=True)
    noisy = inputs + 0.1 * torch.randn_like(inputs)
    loss = F.mse_loss(student(inputs), labels)
    loss += F.mse_loss(student(noisy), teacher(inputs))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    follow(teacher, student)
    follow(stale, student, buffers=False)
    errors.append([F.mse_loss(net(inputs), labels).item() for net in (teacher, stale)])
copied, not_copied = errors[-1]
print(f"copied: {copied:.1f}, not_copied > 10 * copied: {not_copied > 10 * copied}")
assert errors[-1][0] < 0.2
assert errors[-1][1] > 10 * errors[-1][0]
assert not any(p.requires_grad or p.grad is not None for p in teacher.parameters())


# %%
# EMA for evaluation only: the update does not change my model
# ------------------------------------------------------------
# It should not. The averaged (shadow) weights are a second copy that has no effect on
# the training. Use them where you evaluate, sample or save: call the copy, or, if a
# class keeps the shadow weights of the same model, put them into the model for the
# evaluation and restore the trained ones afterwards. Without the second step, the
# training goes on from the average. Save both: the average for inference, the trained
# weights and the optimizer to resume.
@torch.no_grad()
def swap(model, average):
    for one, other in zip(
        model.state_dict().values(), average.state_dict().values(), strict=True
    ):
        kept = one.clone()
        one.copy_(other)
        other.copy_(kept)


model, shadow = student, copy.deepcopy(teacher)
trained = copy.deepcopy(model.state_dict())
swap(model, shadow)
model.eval()
with torch.no_grad():
    assert torch.equal(model(inputs), teacher(inputs))
model.train()
swap(model, shadow)
print(
    all(torch.equal(trained[name], value) for name, value in model.state_dict().items())
)
assert all(torch.equal(trained[n], value) for n, value in model.state_dict().items())

# %%
# Only parameters are averaged: is the teacher's batch norm still at 0 and 1?
# ---------------------------------------------------------------------------
# That depends on the mode in which the teacher is called. ``parameters()`` leaves out
# the buffers, so the average never touches ``running_mean`` and ``running_var``.
#
# - The teacher is called in training mode: each forward normalizes with its batch and
#   also updates the teacher's own statistics, frozen and under ``no_grad()`` as well.
#   They belong to its own weights and its own inputs, and a later ``eval()`` uses them.
#   That is good if these inputs are like those of the test.
# - The teacher is called in ``eval()`` only, or never before the test: nothing updates
#   them. They are those it began with, 0 and 1 in a new network. Copy the buffers, or
#   average those in floating point and copy the counters, or estimate them anew.
means = {}
for mode in ("train()", "eval()"):
    called = nn.BatchNorm1d(1).requires_grad_(False).train(mode == "train()")
    with torch.no_grad():
        for _ in range(100):
            called(torch.randn(64, 1) + 100)
    means[mode] = round(called.running_mean.item())
print(means)
assert means == {"train()": 100, "eval()": 0}

# %% tags=["hide-input"]
# The error of the teacher in each step. Its buffers are copied (solid) or keep the
# statistics that they began with (dashed).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
copied, kept = zip(*errors, strict=True)
ax.semilogy(copied, "C0-", label="buffers.copy_()")
ax.semilogy(kept, "C2--", label="without")
ax.set(xlabel="step", ylabel="mse_loss")
ax.legend()
plt.show()

# %%
# Forgotten ``no_grad()``, frozen teacher: no error
# -------------------------------------------------
# When a tensor that requires a gradient is written into one that does not, the second
# becomes the result of a recorded operation. The frozen weight is no longer a leaf, and
# its graph grows with each step.
layer = nn.Linear(2, 1)
forgetful = copy.deepcopy(layer).requires_grad_(False)
forgetful.weight.lerp_(layer.weight, 0.1)
print(forgetful.weight.requires_grad, forgetful.weight.is_leaf)
assert forgetful.weight.requires_grad
assert not forgetful.weight.is_leaf
first_update = forgetful.weight.grad_fn
forgetful.weight.lerp_(layer.weight, 0.1)
assert forgetful.weight.grad_fn.next_functions[0][0] == first_update

# %%
# So the target is no longer a constant: the loss has a second gradient, through the
# target. It cancels a growing part of the first. In this linear layer, 0.9 to the power
# of the number of updates is left.
(leak,) = torch.autograd.grad(forgetful(inputs).sum(), layer.weight)
assert leak.any()
forgetful.weight.lerp_(layer.weight, 0.1)
target = forgetful(inputs) + 1
(right,) = torch.autograd.grad(F.mse_loss(layer(inputs), target.detach()), layer.weight)
(wrong,) = torch.autograd.grad(F.mse_loss(layer(inputs), target), layer.weight)
torch.testing.assert_close(wrong, 0.9**3 * right)
assert not teacher(inputs).requires_grad

# %%
# Forgotten ``no_grad()``, teacher not frozen: an error
# -----------------------------------------------------
# PyTorch refuses to change a leaf that requires a gradient. So it is the freezing that
# makes the mistake silent.
trainable = copy.deepcopy(layer)
try:
    trainable.weight.lerp_(layer.weight, 0.1)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a leaf was changed")

# %%
# The accuracy of the EMA is 0, or its loss does not move: decay 0.9999 is too slow
# ---------------------------------------------------------------------------------
# The trained model is good, but its average predicts nothing for many epochs. Print how
# many updates there were. The decay is the share of the average that one update keeps,
# so after ``n`` updates ``decay ** n`` of the first weights is left. With 0.9999 this
# is a third after 10,000 updates, and if the first weights were random, the network is
# still useless. With few steps in an epoch:
#
# - choose a smaller decay, 0.99 to 0.999: the average covers about the last ``1 / (1 -
#   decay)`` steps, which should be a small part of the training,
# - or let the decay grow, ``min(decay, (1 + n) / (10 + n))``, so that the first weights
#   are soon forgotten,
# - or begin the average later: copy the student into it after some epochs, or load the
#   pretrained weights before you make it.
#
# If it is still at 0 then, look at the buffers (first cell), and whether the update
# reaches the model that is evaluated.


def warmed_up(update):
    return min(0.9999, (1 + update) / (10 + update))


def left(decay_of, updates):
    share = 1.0
    for update in range(updates):
        share *= decay_of(update)
    return share


decays = {"0.9999": lambda _: 0.9999, "0.999": lambda _: 0.999, "warm-up": warmed_up}
shares = {name: [left(f, n) for n in (100, 1000, 10_000)] for name, f in decays.items()}
for name, share in shares.items():
    print(f"{name:8}", *(f"{part:.3f}" for part in share))
assert [round(share, 2) for share in shares["0.9999"]] == [0.99, 0.9, 0.37]
assert shares["0.999"][2] < 1e-4
assert max(shares["warm-up"]) < 1e-6

# %%
# A student after 200 steps, and the average after 200 updates with each decay. After
# 200 steps 0.999 is too slow, too: its average covers about 1000 steps, far more than
# 200. The error of each:
teachers, targets = {}, inputs.sum(1, keepdim=True)
student = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(student.parameters(), lr=0.02)
for name in decays:
    teachers[name] = copy.deepcopy(student).requires_grad_(False)
for step in range(200):
    loss = F.mse_loss(student(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for name, net in teachers.items():
        follow(net, student, 1 - decays[name](step))
scores = {name: F.mse_loss(net(inputs), targets) for name, net in teachers.items()}
print(f"student {loss:.2f}", *(f"{name} {score:.2f}" for name, score in scores.items()))
assert scores["0.9999"] > scores["0.999"] > 10 * scores["warm-up"]

# %%
# Momentum 0.94: is it too large? Does the EMA encoder learn too slowly?
# ----------------------------------------------------------------------
# No: the teacher should be slow, and 0.94 is rather fast. It gets no gradient, and
# learns by this average alone. ``momentum`` is the share of the old weights that stays,
# so the average is over about the last ``1 / (1 - momentum)`` updates: 17 of them. With
# 0.04 the teacher is almost a copy of the student, with its noise. The student then has
# its own answers as targets, and self-supervised training without negative pairs may
# collapse. The usual values are 0.99 to 0.9999. In `MoCo's comparison
# <https://arxiv.org/abs/1911.05722>`__ these worked, 0.9 was clearly worse, and 0 did
# not converge. `BYOL <https://arxiv.org/abs/2006.07733>`__ goes from 0.996 to 1.
# (SimSiam does without an average: a predictor and ``detach()`` take its place.) With
# few updates in all, take a smaller value, see above.
#
# Which share is it? In ``old.mul_(m).add_((1 - m) * new)`` it is that of the old
# weights. In ``old.lerp_(new, w)``, the ``momentum`` of a batch norm and ``tau`` in
# DDPG and SAC it is that of the new: a ``tau`` of 0.005 is a momentum of 0.995. Update
# under ``no_grad()``, after each ``optimizer.step()``, and copy the buffers. The table:
# the updates until the teacher has gone 63% of the way to a student that has jumped,
# and how much of the student's noise (its standard deviation) is left in the teacher.
slow = {}
print("momentum  updates  noise")
for momentum in (0.04, 0.94, 0.99, 0.999):
    old, updates = 0.0, 0
    while old < 0.63:
        old = momentum * old + (1 - momentum) * 1.0
        updates += 1
    noise = ((1 - momentum) / (1 + momentum)) ** 0.5
    slow[momentum] = updates, round(noise, 2)
    print(f"{momentum:<10}{updates:<9}{noise:.2f}")
assert slow[0.04] == (1, 0.96)
assert slow[0.94] == (17, 0.18)
assert abs(slow[0.999][0] - 1000) < 10
noisy, old, seen = torch.randn(4000).tolist(), 0.0, []
for new in noisy:
    old = 0.94 * old + 0.06 * new
    seen.append(old)
assert abs(torch.tensor(seen[100:]).std() - 0.18) < 0.04

# %%
# ``deepcopy`` of the student, or random weights: how does an EMA teacher begin?
# ------------------------------------------------------------------------------
# With the weights of the student. ``copy.deepcopy`` gives the teacher the same values
# in memory of its own, and then it follows. If a paper says that both are random, it
# means the values that both begin with. A teacher with other random values would be a
# mixture of two networks that have nothing in common, until its own first weights are
# forgotten, and until then its targets are worthless. ``teacher = student`` is no copy:
# the "average" is the student itself. The student may be pretrained, and so is the
# teacher then.
other = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
with torch.no_grad():
    good = F.mse_loss(student(inputs), targets).item()
    other.requires_grad_(False)
    begun = copy.deepcopy(student).requires_grad_(False)
    for _ in range(5):
        follow(begun, student)
        follow(other, student)
    print(f"deepcopy {F.mse_loss(begun(inputs), targets):.2f}")
    print(f"random   {F.mse_loss(other(inputs), targets):.2f}")
    torch.testing.assert_close(begun(inputs), student(inputs))
    assert F.mse_loss(other(inputs), targets) > 5 * good
assert begun[0].weight.data_ptr() != student[0].weight.data_ptr()

# %%
# The same from the library
# -------------------------
# ``AveragedModel`` updates under ``no_grad()``, and copies the buffers. With
# ``use_buffers=True`` it averages them. Its copy is not frozen, and its mode is that of
# the student: freeze it, and call ``eval()``, or its targets are recorded and its
# statistics follow its own batches.
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

for use_buffers in (False, True):
    student = nn.BatchNorm1d(2)
    average = AveragedModel(
        student, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=use_buffers
    )
    assert all(parameter.requires_grad for parameter in average.parameters())
    assert average.training
    average.requires_grad_(False).eval()
    for _ in range(2):
        student(inputs)
        average.update_parameters(student)
    assert not average(inputs).requires_grad
    assert average.use_buffers == use_buffers
    copied = torch.equal(average.module.running_mean, student.running_mean)
    assert copied != use_buffers

# %%
# Frozen layers, LoRA: which parameters does the EMA need?
# --------------------------------------------------------
# Only those that the student trains: the others stay equal. Ask the *student* for
# ``requires_grad``. All parameters of the teacher are frozen, so a loop with
# ``if old.requires_grad:`` skips each one, without an error, and the teacher stays as
# it is. Find the partner by name: if one of two lists is filtered, ``zip()`` pairs the
# wrong tensors. Classes that keep a list of shadow weights, such as ``EMAModel`` of
# diffusers or that of pytorch_ema, need the same list in each call.
tuned = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
tuned[0].requires_grad_(False)
followed = {}
for asked in ("teacher", "student"):
    slow = copy.deepcopy(tuned).requires_grad_(False)
    with torch.no_grad():
        tuned[1].weight += 1  # a step
        for name, old in slow.named_parameters():
            new = tuned.get_parameter(name)
            if (old if asked == "teacher" else new).requires_grad:
                old.lerp_(new, 0.1)
    followed[asked] = (tuned[1].weight - slow[1].weight).mean().item()
    print(f"{asked}: still {followed[asked]:.1f} behind")
assert round(followed["teacher"], 4) == 1
assert round(followed["student"], 4) == 0.9

# %%
# A dictionary is enough, then: it holds the average of what trains, and
# ``functional_call()`` runs the model with it. Nothing has to be swapped back.
from torch.func import functional_call

shadow = {name: p.detach().clone() for name, p in tuned.named_parameters()}
del shadow["0.weight"], shadow["0.bias"]  # frozen
with torch.no_grad():
    tuned[1].weight += 1
    for name, old in shadow.items():
        old.lerp_(tuned.get_parameter(name), 0.1)
    averaged = functional_call(tuned, shadow, inputs)
    trained = tuned(inputs)
assert sorted(shadow) == ["1.bias", "1.weight"]
assert not averaged.allclose(trained)
assert tuned.get_parameter("1.weight") is tuned[1].weight

# %%
# Resume, gradient accumulation, DDP: when to update, and what to save
# --------------------------------------------------------------------
# - Update after each ``optimizer.step()``, not after each micro-batch: with 4 of them,
#   the average would forget the past nearly 4 times as fast.
# - Under DDP each process updates its own copy from ``model.module``, and the averaged
#   parameters stay equal. The statistics of batch norm don't, if you average or copy
#   them: each process has updated them by its own batches. Save those of one process.
#   The average is not wrapped. The names of a wrapped model begin with ``module.``,
#   those of a compiled one with ``_orig_mod.``: unwrap both.
# - Save the counter of updates as well. The decay is the share of the old average that
#   an update keeps, and with the warm-up from above it is small at first and grows with
#   the counter. If the counter starts at 0 again, the first update replaces nine tenths
#   of the average. In ``AveragedModel`` it is the buffer ``n_averaged``. Load the state
#   of the whole ``AveragedModel``: at ``n_averaged == 0``, the first update is a copy.
# - Average only floating point tensors: ``v *= decay`` fails at the counter of a batch
#   norm, ``num_batches_tracked``, with ``result type Float can't be cast``.
changes = {updates: round(1 - warmed_up(updates), 4) for updates in (5000, 0)}
print(changes)
assert changes == {5000: 0.0018, 0: 0.9}

model = nn.Linear(1, 1, bias=False)
average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
for value in (0.0, 1.0):
    nn.init.constant_(model.weight, value)
    average.update_parameters(model)
assert round(average.module.weight.item(), 4) == 0.1
resumed = {}
for whole in (False, True):
    again = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    if whole:
        again.load_state_dict(average.state_dict())
    else:
        again.module.load_state_dict(average.module.state_dict())
    again.update_parameters(model)
    resumed[whole] = round(again.module.weight.item(), 2)
    print(f"{whole=}: {resumed[whole]}")
assert resumed == {False: 1.0, True: 0.19}

counter = nn.BatchNorm1d(2).num_batches_tracked
try:
    counter *= 0.9
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an integer was averaged")
assert message.startswith("result type Float can't be cast")

# %%
# DeepSpeed ZeRO-3: the parameters are ``tensor([])``, how do I keep an EMA?
# --------------------------------------------------------------------------
# ZeRO-3 splits each parameter over the processes and leaves an empty placeholder
# outside of forward and backward. It is neither lost nor frozen; ``p.ds_numel`` has its
# size. A copy of placeholders is empty, too, and the average of empty tensors does
# nothing, without an error. (An average that was made before, with the whole weights,
# raises ``The size of tensor a must match``.) Two ways work, from `DeepSpeed's
# documentation <https://deepspeed.readthedocs.io/en/latest/zero3.html>`__, not run
# here:
#
# - A whole average: after each step, *all* processes call
#   ``deepspeed.utils.safe_get_full_fp32_param(p)`` for each parameter that trains, one
#   after the other, and one of them updates its average, on the CPU if it is large. Or
#   read ``p`` within ``deepspeed.zero.GatheredParameters(p)``. To *write* the average
#   into the model, pass ``modifier_rank=0``.
# - An average in parts: each process updates that of its own part,
#   ``safe_get_local_fp32_param(p)``, which needs no communication. The average works
#   element by element, so the parts give the same; put them together when you save.
#
# Both functions return ``float32``. A gathered ``p`` may be ``bfloat16``: keep the
# average in ``float32``, see below. How to look at sharded parameters in general:
# :doc:`/gallery/beyond/freezing_under_fsdp`.
old, new = torch.randn(10), torch.randn(10)
parts = [a.lerp(b, 0.1) for a, b in zip(old.chunk(2), new.chunk(2), strict=True)]
print("parts as the whole:", torch.cat(parts).allclose(old.lerp(new, 0.1)))
torch.testing.assert_close(torch.cat(parts), old.lerp(new, 0.1))
placeholder = torch.empty(0)
assert placeholder.clone().lerp_(placeholder, 0.1).numel() == 0
try:
    old.clone().lerp_(placeholder, 0.1)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a placeholder was averaged")
assert message.startswith("The size of tensor a (10) must match")

# %%
# Where it ends
# -------------
# - In a coarse dtype, a small step is rounded away: a teacher in ``bfloat16`` with a
#   rate of 0.001 stays where it is. Keep its weights in ``float32``.
# - A teacher in training mode normalises with its own batch, and the buffers don't
#   matter for its output, only for a later ``eval()``. Its dropout makes the targets
#   random.
# - Many implementations call ``param.detach_()`` on each parameter of the teacher. It
#   does the same as ``requires_grad_(False)``. With neither it nor ``no_grad()``,
#   ``backward()`` computes gradients for the teacher, although no optimizer holds it.
#   Labels from ``argmax`` have no gradient in any case.
coarse = torch.ones(4, dtype=torch.bfloat16)
fine = torch.ones(4)
for _ in range(100):
    coarse.lerp_(torch.full_like(coarse, 1.5), 0.001)
    fine.lerp_(torch.full_like(fine, 1.5), 0.001)
assert torch.equal(coarse, torch.ones_like(coarse))
assert (fine > 1.04).all()
both = [net.train()(inputs) for net in (teacher, copy.deepcopy(teacher))]
teacher[1].reset_running_stats()
assert torch.equal(teacher(inputs), both[1])
dropout = nn.Dropout(0.5)
assert not torch.equal(dropout(inputs), dropout(inputs))
for detached in (False, True):
    recorded = copy.deepcopy(layer)
    for param in recorded.parameters():
        if detached:
            param.detach_()
    F.mse_loss(layer(inputs), recorded(inputs) + 1).backward()
    assert recorded.weight.requires_grad != detached
    assert (recorded.weight.grad is None) == detached
assert not nn.Linear(2, 3)(inputs).argmax(1).requires_grad

# %%
# Freeze the teacher, update it under ``no_grad()``, copy its buffers, and put it into
# ``eval()`` for its targets. Sources: :torch:`torch.optim.swa_utils
# <optim.html#weight-averaging-swa-and-ema>`, `Mean teachers are better role models
# <https://arxiv.org/abs/1703.01780>`__.
#
# Related: :doc:`target_network_and_advantage`, :doc:`distillation`,
# :doc:`/gallery/modes/updating_weights_by_hand`,
# :doc:`stop_gradient_in_siamese_networks`.
