"""
Accuracy falls after unfreezing: lower the rate, and warm it up
===============================================================

Adam's first step changes each weight by about the learning rate, however small its
gradient (down to ``eps``). At the rate of the head, a step or two can undo the
pretraining.
"""

# %%
# One step of Adam on a network that gives the right answer for every input.
import copy

import torch
from torch import nn

torch.manual_seed(0)
layers = nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()
model, inputs = nn.Sequential(*layers, nn.Linear(256, 2)), torch.randn(1000, 8)
labels = model(inputs).argmax(1)
accuracy = {}
for rate in (0.01, 0.00001):
    tuned = copy.deepcopy(model)
    optimizer = torch.optim.Adam(tuned.parameters(), lr=rate)
    nn.functional.cross_entropy(tuned(inputs[:16]), labels[:16]).backward()
    optimizer.step()
    accuracy[rate] = (tuned(inputs).argmax(1) == labels).float().mean().item()
    print(f"lr={rate}: {accuracy[rate]:.2f}")
assert accuracy[0.01] < 0.9
assert accuracy[0.00001] > 0.97

# %%
# The whole loop: two rates, and a warm-up
# ----------------------------------------
# A network is pretrained on one task, and gets a new head for a second one. First the
# head trains alone, then everything. All parts are in the optimizer from the start
# (:doc:`unfreeze_gradually`). The rate of the backbone is a hundredth of that of the
# head, and rises over 20 steps from the moment of unfreezing.
from torch.nn import functional as F

ALONE, STEPS, WARM_UP = 60, 90, 20


def batch(size, task):
    x = torch.randn(size, 8)
    signs = torch.stack([x[:, 0] * x[:, 1], x[:, 2] * x[:, 3]], 1) > 0
    return x, (signs.long() @ torch.tensor([1, 0] if task == "new" else [1, 2]))


def pretrained():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())
    body.head = nn.Linear(64, 4)
    optimizer = torch.optim.Adam(body.parameters(), lr=0.003)
    for _ in range(200):
        x, y = batch(128, "old")
        optimizer.zero_grad()
        F.cross_entropy(body(x), y).backward()
        optimizer.step()
    return body[:4]


def fine_tune(backbone, rate, warm_up):
    torch.manual_seed(1)
    head, (test, truth) = nn.Linear(64, 2), batch(1000, "new")
    groups = [
        {"params": head.parameters(), "lr": 0.01},
        {"params": backbone.parameters(), "lr": rate},
    ]
    optimizer = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        [lambda _: 1.0, lambda step: min(1.0, max(0, step - ALONE + 1) / warm_up)],
    )
    history = []
    for step in range(STEPS):
        backbone.requires_grad_(step >= ALONE)
        x, y = batch(16, "new")
        optimizer.zero_grad()
        F.cross_entropy(head(backbone(x)), y).backward()
        optimizer.step()
        schedule.step()
        if step >= ALONE - 1:
            with torch.no_grad():
                right = head(backbone(test)).argmax(1) == truth
            history.append(right.float().mean().item())
    return history


backbone = pretrained()
ways = {"0.01": (0.01, 1), "0.0001": (0.0001, WARM_UP)}
found = {name: fine_tune(copy.deepcopy(backbone), *way) for name, way in ways.items()}
for name, history in found.items():
    print(f"{name:7}{history[0]:.2f} -> {min(history):.2f} -> {history[-1]:.2f}")
assert found["0.01"][0] == found["0.0001"][0] > 0.85
assert min(found["0.01"]) < found["0.01"][0] - 0.08
assert min(found["0.0001"]) > found["0.0001"][0] - 0.04

# %% tags=["hide-input"]
# The accuracy on new data from the moment of unfreezing: with one rate for all
# (dashed), and with a small one for the backbone that rises (solid).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for (name, history), look in zip(found.items(), ("C2--", "C0-"), strict=True):
    ax.plot(history, look, label=f"lr={name}")
ax.set(xlabel="step", ylabel="accuracy")
ax.legend()
plt.show()


# %%
# The loss rises after unfreezing (Freeze_Epoch, UnFreeze_Epoch): which cause is it?
# ----------------------------------------------------------------------------------
# Measure the validation loss in ``eval()`` before the first step after unfreezing,
# after this step, and then in each epoch.
#
# - Training and validation jump within a few steps: the rate is too high for the
#   backbone. Take a hundredth, with a warm-up, as above. A schedule that starts again
#   at unfreezing makes the rate jump, too.
# - Only the training loss jumps, before any step: ``train()`` has switched on the
#   dropout of the backbone, and its batch norm uses the batch. The weights are as good
#   as before. Compare the validation loss only.
# - The training loss falls, and the validation loss rises from epoch to epoch: the
#   network overfits, because far more weights now learn from the same data. Keep the
#   checkpoint with the best validation, unfreeze fewer layers, augment the data, or
#   stop earlier.
# - The training is fine, and only ``eval()`` is bad: the running statistics, see
#   :doc:`batch_norm_with_small_batches`.
# - It becomes NaN: the weights are in float16, see
#   :doc:`/gallery/frameworks/trainable_parameters_in_fp16`.
#
# The second case, without a single step:
dropped = nn.Sequential(model[:2], nn.Dropout(0.5), model[2:])
before = [p.clone() for p in dropped.parameters()]
jump = {}
for mode in ("eval()", "train()"):
    dropped.train(mode == "train()")
    with torch.no_grad():
        jump[mode] = F.cross_entropy(dropped(inputs), labels).item()
    print(f"{mode:8}{jump[mode]:.3f}")
assert jump["train()"] > jump["eval()"]
assert all(map(torch.equal, before, dropped.parameters()))


# %%
# Would clipping the gradient help?
# ---------------------------------
# Not in the first step of Adam. It divides by the size of the gradient, so a factor
# cancels, unless the gradient comes near to ``eps``. SGD takes a small step for a small
# gradient, and clipping makes it smaller.
def first_step(make, *, clip):
    weight = nn.Parameter(torch.zeros(3))
    weight.grad = torch.tensor([0.3, -0.2, 0.1])
    if clip:
        nn.utils.clip_grad_norm_([weight], 0.001)
    make([weight], lr=0.01).step()
    return weight.abs().max().item()


for make in (torch.optim.SGD, torch.optim.Adam):
    steps = [first_step(make, clip=clip) for clip in (False, True)]
    print(f"{make.__name__:5}{steps[0]:.6f} {steps[1]:.6f}")
    assert (steps[1] > 0.99 * steps[0]) == (make is torch.optim.Adam)
tiny = nn.Parameter(torch.zeros(1))
tiny.grad = torch.tensor([1e-9])
torch.optim.Adam([tiny], lr=0.01).step()
assert 0 < tiny.abs() < 0.1 * 0.01


# %%
# Later it can help: after a thousand small gradients, one that is far larger makes Adam
# take a step of more than twice the rate, and clipping prevents that.
def step_after_small_ones(gradient):
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr=0.01)
    for value in [0.001] * 1000 + [gradient]:
        before = weight.item()
        weight.grad = torch.tensor([value])
        optimizer.step()
    return before - weight.item()


sudden, clipped = step_after_small_ones(1.0), step_after_small_ones(0.001)
print(f"{sudden:.3f} {clipped:.3f}")
assert sudden > 2 * 0.01
assert clipped < 1.01 * 0.01

# %%
# Should I make a new optimizer when I unfreeze?
# ----------------------------------------------
# Then the head loses its averages, and takes steps of full size again, although its
# gradients have become small. Keep the optimizer: the backbone is in it, and its state
# begins with its first gradient. If you must make a new one, warm up all rates.
head = nn.Parameter(torch.zeros(1))
kept = torch.optim.Adam([head], lr=0.01)
for gradient in [1.0] * 50 + [0.001] * 100:
    head.grad = torch.tensor([gradient])
    kept.step()
moves = {}
for name, optimizer in {"kept": kept, "new": torch.optim.Adam([head], lr=0.01)}.items():
    before = head.item()
    optimizer.step()
    moves[name] = abs(head.item() - before)
    print(f"{name:5}{moves[name]:.5f}")
assert moves["new"] > 20 * moves["kept"]


# %%
# The accuracy stays the same after unfreezing: does the backbone train at all?
# -----------------------------------------------------------------------------
# Measure how far each part has moved, relative to its size, from the moment of
# unfreezing:
#
# - *Exactly 0*: it does not train. The optimizer does not hold it
#   (:doc:`unfreeze_gradually`), its rate is 0, ``no_grad()`` is still around it in
#   ``forward()`` (:doc:`/gallery/three-ways/no_grad_stops_recording`), or the weights
#   are in ``bfloat16`` and small updates are rounded away
#   (:doc:`/gallery/beyond/bfloat16_updates_are_rounded_away`).
# - *Below 0.0001 after an epoch*: the rate is too small to change the output. Take ten
#   times as much.
# - *Clearly more, and the validation is the same*: the frozen features were good enough
#   for this task, or the data do not suffice for better ones. Then keep the backbone
#   frozen, which is cheaper.
#
# These limits are rules of thumb. Measured from the start of the training, the same
# number shows whether the freeze held.
def distance(part, start):
    moved = sum((p - q).square().sum() for p, q in zip(part, start, strict=True))
    return (moved / sum(q.square().sum() for q in start)).sqrt().item()


body, top = nn.Linear(8, 8), nn.Linear(8, 2)
x, y = batch(64, "new")
moved = {}
for way in ("not in the optimizer", "lr=1e-7", "lr=1e-3"):
    part = copy.deepcopy(body)
    start = [p.detach().clone() for p in part.parameters()]
    given = [{"params": top.parameters(), "lr": 0.01}]
    if way != "not in the optimizer":
        given.append({"params": part.parameters(), "lr": float(way[3:])})
    optimizer = torch.optim.Adam(given)
    for _ in range(10):
        optimizer.zero_grad()
        F.cross_entropy(top(part(x)), y).backward()
        optimizer.step()
    with torch.no_grad():
        moved[way] = distance(list(part.parameters()), start)
    print(f"{way:22}0: {moved[way] == 0!s:7}below 0.0001: {moved[way] < 0.0001}")
assert moved["not in the optimizer"] == 0 < moved["lr=1e-7"] < 0.0001
assert moved["lr=1e-3"] > 0.01

# %%
# Overfitting after unfreezing: training 95%, validation 70%
# ----------------------------------------------------------
# More weights learn from the same data. In the order of the effort: stop at the best
# validation; augment; unfreeze fewer layers, from the head backwards; lower the rate of
# the backbone. Weight decay pulls the weights towards *zero*, away from the
# pretraining. To hold them near their pretrained values, add the squared distance from
# these to the loss (L2-SP, `Li et al. <https://arxiv.org/abs/1802.01483>`__), with
# ``weight_decay=0`` for these parameters. It lies between free fine-tuning (a factor of
# 0) and freezing (a very large one, which needs a small rate). It needs a copy of the
# weights.
pretrained_values = [p.detach().clone() for p in body.parameters()]


def with_penalty(factor):
    part = copy.deepcopy(body)
    optimizer = torch.optim.SGD(part.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        near = zip(part.parameters(), pretrained_values, strict=True)
        penalty = sum((p - q).square().sum() for p, q in near)
        (F.cross_entropy(top(part(x)), y) + factor / 2 * penalty).backward()
        optimizer.step()
    with torch.no_grad():
        return distance(list(part.parameters()), pretrained_values)


distances = [with_penalty(factor) for factor in (0, 1, 5)]
print("farther without it:", distances[0] > distances[1] > distances[2] > 0)
assert distances[0] > 2 * distances[1] > 4 * distances[2] > 0

# %%
# Where it ends
# -------------
# - A small rate does not protect the statistics of batch norm. If accuracy falls in
#   ``eval()`` while the loss in training is good: :doc:`batch_norm_with_small_batches`.
# - If ``.grad`` was left from before the freeze, the first step applies it:
#   :doc:`/gallery/still-moves/stale_gradients`.
# - A new head with random weights sends random gradients to the backbone. That is why
#   it trains alone first. Whether you have to freeze at all, and whether the two stages
#   can be one: :doc:`freeze_a_backbone`.
# - The weight decay of AdamW is part of the rate: with a hundredth of the rate, the
#   backbone decays a hundredth as much.
weights = [nn.Parameter(torch.ones(1)) for _ in range(2)]
decaying = torch.optim.AdamW(
    [{"params": [w], "lr": lr} for w, lr in zip(weights, (0.01, 0.0001), strict=True)],
    weight_decay=0.1,
)
for weight in weights:
    weight.grad = torch.zeros(1)
decaying.step()
large, small = (1 - weight.item() for weight in weights)
assert abs(large / small - 100) < 1

# %%
# Give the pretrained part a small rate of its own, and let it rise. Source: `Universal
# Language Model Fine-tuning for Text Classification
# <https://arxiv.org/abs/1801.06146>`__, which lowers the rate from layer to layer and
# unfreezes step by step.
#
# Related: :doc:`unfreeze_gradually`, :doc:`different_learning_rates`,
# :doc:`batch_norm_with_small_batches`.
