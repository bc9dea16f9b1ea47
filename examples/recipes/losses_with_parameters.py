"""
A loss with parameters of its own: the optimizer must hold them, too
====================================================================

Learned loss weights, class centers and margin heads are parameters of the loss, not of
the model. With ``Adam(model.parameters())`` they get a gradient and never change.
"""

# %%
import torch
from torch import nn

for added in (False, True):
    model, s = nn.Linear(2, 2), nn.Parameter(torch.zeros(2))
    learned = [*model.parameters(), s] if added else model.parameters()
    optimizer = torch.optim.Adam(learned, lr=0.1)
    losses = model(torch.ones(8, 2)).square().mean(0)
    (losses * (-s).exp() + s).sum().backward()
    optimizer.step()
    print(f"{added=}: gradient {s.grad is not None}, moved {s.any().item()}")
    assert s.grad is not None
    assert s.any() == added

# %%
# The whole loop: two tasks that are weighted by their noise
# ----------------------------------------------------------
# One target has little noise, the other much. The weight of a task is ``exp(-s)``, and
# ``+ s`` is the price of a small one: the best ``s`` is the logarithm of the loss. The
# group of ``s`` has no weight decay, which would draw the weights to 1.


class Weighting(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(count))

    def forward(self, losses):
        return (losses * (-self.log_variance).exp() + self.log_variance).sum()


torch.manual_seed(0)
inputs = torch.randn(512, 4)
targets = inputs[:, :2] + torch.tensor([0.1, 2.0]) * torch.randn(512, 2)
model, criterion = nn.Linear(4, 2), Weighting(2)
optimizer = torch.optim.AdamW(
    [
        {"params": model.parameters()},
        {"params": criterion.parameters(), "weight_decay": 0.0},
    ],
    lr=0.05,
)
for _ in range(400):
    losses = (model(inputs) - targets).square().mean(0)
    optimizer.zero_grad()
    criterion(losses).backward()
    optimizer.step()
weights = (-criterion.log_variance).exp()
print([f"{weight:.1f}" for weight in weights.tolist()])
torch.testing.assert_close(criterion.log_variance, losses.log(), atol=0.05, rtol=0)
assert weights[0] > 50
assert weights[1] < 0.5

# %%
# How do I notice it?
# -------------------
# :py:func:`gradguide.explain` lists tensors outside of the model that the loss depends
# on. ``model.zero_grad()`` and ``clip_grad_norm_(model.parameters(), ...)`` don't know
# of them, either: their gradient grows from step to step, or is not clipped. Or make
# the loss a part of the model: then ``model.parameters()``, ``to()`` and
# ``state_dict()`` include it.
from gradguide import explain

criterion = Weighting(2)


def weighted():
    return criterion((model(inputs) - targets).square().mean(0))


optimizer = torch.optim.Adam(model.parameters())
report = explain(model, weighted, optimizer)
print(report)
rows = [(row.verdict, row.numel) for row in report.problems]
assert rows == [("unregistered", 2)]

weighted().backward()
once = criterion.log_variance.grad.clone()
model.zero_grad()
weighted().backward()
torch.testing.assert_close(criterion.log_variance.grad, 2 * once)
together = nn.ModuleDict({"model": model, "criterion": criterion})
assert "criterion.log_variance" in together.state_dict()


# %%
# Why not learn the weights directly?
# -----------------------------------
# A loss falls when its weights fall. Without a price they become negative, and the
# tasks are made worse.
plain = nn.Parameter(torch.ones(2))
model = nn.Linear(4, 2)
optimizer = torch.optim.Adam([*model.parameters(), plain], lr=0.05)
for _ in range(100):
    loss = (plain * (model(inputs) - targets).square().mean(0)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print((plain < 0).tolist(), (loss < 0).item())
assert (plain < 0).all()
assert loss < 0


# %%
# The loss of uncertainty weighting becomes negative: is it normal?
# -----------------------------------------------------------------
# Yes. At its best ``s``, a task contributes ``1 + log(loss)``: that is negative as soon
# as its own loss is below 0.37, and falls without a limit as the loss goes to 0. The
# gradients are right, and the optimizer minimizes the value, not its distance from 0.
# Don't take ``abs()`` of it, and don't clamp ``s`` at 0 without need: then no task gets
# a weight above 1. Judge by the losses of the tasks themselves, and save the best
# weights by these. It is *not* normal if a weight grows without end: a loss that
# reaches exactly 0 drives ``s`` to minus infinity. Clamp ``s`` at some lower limit
# then, such as -10. If you learn the variance itself and not its logarithm, it can
# become negative, and ``log`` gives nan.
task_losses = torch.tensor([0.05, 0.2])
best = task_losses.log()
total = (task_losses * (-best).exp() + best).sum()
s = best.clone().requires_grad_()
(at_best,) = torch.autograd.grad((task_losses * (-s).exp() + s).sum(), s)
print(f"total {total:.2f}, gradient 0 there: {at_best.abs().max().item() < 1e-5}")
assert total < 0
assert at_best.abs().max() < 1e-5
torch.testing.assert_close(total, (1 + task_losses.log()).sum())
assert (torch.tensor(0.36).log() + 1).item() < 0 < (torch.tensor(0.38).log() + 1).item()

# %%
# ``logit_scale`` of CLIP, a learned temperature: train it, freeze it, clamp it?
# ------------------------------------------------------------------------------
# - *Train it* when you train from scratch. CLIP begins at ``log(1 / 0.07)`` = 2.66 and
#   limits ``exp(logit_scale)`` to 100 (`paper <https://arxiv.org/abs/2103.00020>`__).
# - *Freeze it* when you fine-tune with few data or small batches. A pretrained CLIP is
#   at 100; a scale that falls steadily shows that the new pairs are harder, and by
#   itself is no error.
# - *Limit it* by ``clamp_()`` on the parameter after ``step()``, under ``no_grad()``. A
#   ``clamp()`` in the forward has a gradient of zero beyond the limit, so a scale that
#   got there stays there.
# - It needs no weight decay, and in float16 or bfloat16 small updates are lost
#   (:doc:`/gallery/beyond/bfloat16_updates_are_rounded_away`).
import math

similarity = torch.tensor([[0.1, 0.4], [0.4, 0.1]])  # wrong pairs: it should fall
ends = {}
for way in ("clamp() in the forward", "clamp_() after step()"):
    logit_scale = nn.Parameter(torch.tensor(math.log(100) + 0.2))
    optimizer = torch.optim.SGD([logit_scale], lr=0.001)
    for _ in range(10):
        scale = logit_scale.exp()
        if way == "clamp() in the forward":
            scale = scale.clamp(max=100)
        loss = nn.functional.cross_entropy(scale * similarity, torch.tensor([0, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if way == "clamp_() after step()":
            with torch.no_grad():
                logit_scale.clamp_(0, math.log(100))
    ends[way] = logit_scale.exp().item()
    print(f"{way:23} below 100: {ends[way] < 99}")
assert ends["clamp() in the forward"] > 100
assert ends["clamp_() after step()"] < 99


# %%
# Centers of classes
# ------------------
# The center loss draws each feature to the center of its class. It enters the whole
# loss with a small factor, and that factor is in the gradient of the centers, too.
# With SGD they hardly move: give them a group with a larger rate. With Adam the factor
# makes almost no difference.
class Centers(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        self.centers = nn.Parameter(torch.zeros(classes, width))

    def forward(self, features, labels):
        return (features - self.centers[labels]).square().sum(1).mean() / 2


features, labels = torch.tensor([[4.0], [4.0], [-4.0], [-4.0]]), [0, 0, 1, 1]
ways = {
    "SGD, lr=0.1": lambda centers: torch.optim.SGD(centers, lr=0.1),
    "SGD, lr=10": lambda centers: torch.optim.SGD(centers, lr=10.0),
    "Adam, lr=0.1": lambda centers: torch.optim.Adam(centers, lr=0.1),
}
reached = {}
for name, make in ways.items():
    criterion = Centers(2, 1)
    optimizer = make(criterion.parameters())
    for _ in range(100):
        optimizer.zero_grad()
        (0.01 * criterion(features, labels)).backward()
        optimizer.step()
    reached[name] = [round(center, 1) for center in criterion.centers[:, 0].tolist()]
    print(f"{name:13}{reached[name]}")
assert reached["SGD, lr=0.1"] == [0.2, -0.2]
assert reached["SGD, lr=10"] == [4.0, -4.0]
assert all(abs(abs(center) - 4) < 0.5 for center in reached["Adam, lr=0.1"])

# %%
# Trainer, Lightning, accelerate, DDP: how does the optimizer get them?
# ---------------------------------------------------------------------
# Make the loss a part of the model, and compute it in ``forward()``: this works in all
# of them.
#
# - *Trainer* of transformers makes its optimizer from ``model.named_parameters()``. A
#   loss in ``compute_loss_func``, or an attribute of the trainer, is not among them.
# - *Lightning*: ``self.criterion = ...`` in ``__init__()`` is a part of
#   ``self.parameters()``.
# - *accelerate*: give ``prepare()`` one module with both, not only the model.
# - *DDP* averages only gradients of the wrapped module. A loss outside of it has other
#   values on each rank.
# - *nnU-Net* and others: override the method that makes the optimizer
#   (``configure_optimizers()``).


class WithLoss(nn.Module):
    def __init__(self, model, criterion):
        super().__init__()
        self.model, self.criterion = model, criterion

    def forward(self, inputs, targets):
        return self.criterion((self.model(inputs) - targets).square().mean(0))


whole = WithLoss(nn.Linear(4, 2), Weighting(2))
optimizer = torch.optim.AdamW(whole.parameters(), lr=0.05)
for _ in range(5):
    optimizer.zero_grad()
    whole(inputs, targets).backward()
    optimizer.step()
print([name for name, _ in whole.named_parameters()])
assert whole.criterion.log_variance.all()
assert len(optimizer.state) == 3

# %%
# The optimizer exists already, or a checkpoint was saved without them
# --------------------------------------------------------------------
# ``add_param_group()`` adds the parameters of the loss to an optimizer that is there.
# If you resume from a checkpoint that was saved before, load the optimizer first and
# add the group afterwards: in the other order, it has a group too many. And a plain
# tensor has to require its gradient on the device where it stays: ``torch.zeros(2,
# requires_grad=True).to(device)`` is a result, and the optimizer refuses it:
# :doc:`/reference/errors/cant_optimize_a_non_leaf_tensor`. With ``nn.Module``, ``to()``
# keeps the parameters.
model, criterion = nn.Linear(4, 2), Weighting(2)
old = torch.optim.AdamW(model.parameters(), lr=0.05).state_dict()
for load_first in (True, False):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    if load_first:
        optimizer.load_state_dict(old)
    optimizer.add_param_group({"params": criterion.parameters(), "weight_decay": 0.0})
    try:
        if not load_first:
            optimizer.load_state_dict(old)
        message = ""
    except ValueError as error:
        message = str(error)
    print(f"{load_first=} {message}")
    assert ("different number of parameter groups" in message) != load_first
before = criterion.log_variance
assert criterion.double().log_variance is before
assert not torch.zeros(2, requires_grad=True).to(torch.float64).is_leaf

# %%
# Where it ends
# -------------
# - A loss that is made anew in each step, such as ``Weighting(2)(losses)``, begins with
#   new parameters each time: :doc:`/gallery/freezing/layers_made_too_late`.
# - ``pos_weight`` and ``weight`` of PyTorch's losses are buffers. They are not learned.
# - A center without a sample in the batch gets a gradient of zero. Momentum, Adam and
#   weight decay still move it.
entropy = nn.CrossEntropyLoss(weight=torch.ones(2))
assert list(entropy.parameters()) == []
assert [name for name, _ in entropy.named_buffers()] == ["weight"]

criterion = Centers(2, 1)
optimizer = torch.optim.Adam(criterion.parameters(), lr=0.1)
moved = []
for batch in (slice(2, 4), slice(0, 2)):
    optimizer.zero_grad()
    criterion(features[batch], labels[batch]).backward()
    before = criterion.centers[1].item()
    optimizer.step()
    moved.append(criterion.centers[1].item() != before)
assert criterion.centers.grad[1] == 0
assert moved == [True, True]

# %%
# Give the optimizer the parameters of the loss, in a group of their own, and save them
# with the model. Sources: `Multi-Task Learning Using Uncertainty to Weigh Losses for
# Scene Geometry and Semantics <https://arxiv.org/abs/1705.07115>`__ and `A
# Discriminative Feature Learning Approach for Deep Face Recognition
# <https://doi.org/10.1007/978-3-319-46478-7_31>`__.
#
# Related: :doc:`/gallery/freezing/different_learning_rates`,
# :doc:`/reference/errors/optimizer_got_an_empty_parameter_list`,
# :doc:`/gallery/diagnose/why_is_my_gradient_none`.
