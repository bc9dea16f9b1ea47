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
