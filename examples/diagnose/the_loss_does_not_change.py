"""
The loss does not change: four questions show which step fails
==============================================================

Ask them after one step on one batch: does the loss have a graph, is there a gradient,
did the weights move, and is the loss lower on the *same* batch? The first "no" names
the line to repair.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(32, 3), torch.randn(32, 1)
model, other = nn.Linear(3, 1), nn.Linear(3, 1)
print("        graph gradient moved lower")
# Wrong: the optimizer holds another model.
for name, held in (("wrong", other), ("right", model)):
    optimizer = torch.optim.SGD(held.parameters(), lr=0.01)
    model.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    before = model.weight.detach().clone()
    optimizer.step()
    gradient, moved = model.weight.grad.any().item(), not model.weight.equal(before)
    lower = (nn.functional.mse_loss(model(x), y) < loss).item()
    answers = loss.requires_grad, gradient, moved, lower
    print(f"{name:8}", *answers)
    assert all(answers) == (name == "right")

# %%
# Each mistake, and the first "no" that it gives
# ----------------------------------------------
# ``check()`` asks the four questions for any model. With None instead of a gradient,
# :py:func:`gradguide.explain` names the line.
dead = nn.Sequential(nn.Linear(3, 1), nn.ReLU())
nn.init.constant_(dead[0].bias, -99.0)


def check(model, loss_of, optimizer):
    old = [p.detach().clone() for p in model.parameters()]
    optimizer.zero_grad()
    loss = loss_of(model)
    if loss.requires_grad:
        loss.backward()
    optimizer.step()
    pairs = zip(model.parameters(), old, strict=True)
    gradient = any(p.grad is not None and p.grad.any() for p in model.parameters())
    moved = any(not p.equal(before) for p, before in pairs)
    return loss.requires_grad, gradient, moved, (loss_of(model) < loss).item()


def error_of(model):
    return nn.functional.mse_loss(model(x), y)


def detached(model):
    return nn.functional.mse_loss(model(x).detach(), y)


cases = {
    "detached": (model, detached, 0.01),
    "dead ReLU": (dead, error_of, 0.01),
    "rate 0": (model, error_of, 0.0),
    "rate 100": (model, error_of, 100.0),
}
first = {}
for name, (network, loss_of, rate) in cases.items():
    start = nn.utils.parameters_to_vector(network.parameters()).detach()
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    answers = check(network, loss_of, optimizer)
    nn.utils.vector_to_parameters(start, network.parameters())
    first[name] = ("graph", "gradient", "moved", "lower")[answers.index(False)]
    print(f"{name:10}", *answers, "->", first[name])
assert list(first.values()) == ["graph", "gradient", "moved", "lower"]

# %%
# The loss on the same images is unchanged after ``optimizer.step()``: what do I do?
# ----------------------------------------------------------------------------------
# - *No graph*: ``backward()`` raises, or you wrote ``loss.requires_grad_()``, which
#   only hides it. Look for ``.detach()``, ``.item()``, ``argmax``,
#   ``torch.tensor(...)``, NumPy or a ``no_grad()`` around the model:
#   :doc:`/gallery/graph/what_drops_the_graph`.
# - *No gradient*: None means that the path is cut or the layer is frozen
#   (:doc:`why_is_my_gradient_none`). Zeros mean that an operation on the path is flat:
#   a dead ReLU, a saturated sigmoid, a ``softmax`` over one value, ``round``, ``clamp``
#   (:doc:`/gallery/graph/zero_is_not_none`). A ``zero_grad()`` between ``backward()``
#   and ``step()`` shows as "not moved".
# - *Not moved*: the optimizer holds other parameters, those of an earlier model or
#   head, or a part of them; ``step()`` is never called; the scheduler has brought the
#   rate to 0; a ``GradScaler`` skips all steps because of inf; or the weights are in
#   ``bfloat16`` and the update is rounded away
#   (:doc:`/gallery/beyond/bfloat16_updates_are_rounded_away`).
# - *Not lower on the same batch*: you compare with the output of before the step (call
#   the model again), the rate is too large, the optimizer maximises
#   (``maximize=True``), or dropout and batch norm make two calls differ. Try a tenth of
#   the rate, in ``eval()``. With momentum, one step can also go up by itself.
# - *Four times yes*, and the loss stays where it is over epochs: see below. Repeat
#   the step a hundred times on this one batch. If the loss goes to about 0, the code is
#   right, and it is about the data, the rate and the model.

# %%
# The loss stays at 0.6931, 1.0986, 2.3026 or 4.6052
# --------------------------------------------------
# These are the logarithms of 2, 3, 10 and 100: with a cross entropy, the network gives
# each class the same probability, and guesses. So look up ``exp(loss)``: is it the
# number of classes? With classes of different frequency, the value is a bit lower: the
# network knows the frequencies and nothing of the input. At the first step this is
# what you should see. If it stays, the input does not reach the output: it is constant
# or not scaled, a layer is dead, the labels are shuffled against the images, or the
# rate is much too small or too large.
#
# A value near it that falls very slowly, and never below a bound, comes from a
# ``softmax`` in front of ``CrossEntropyLoss``, which has one inside: remove it. With 10
# classes, a perfect prediction then has a loss of 1.46.
for classes in (2, 3, 10, 100):
    logits, label = torch.zeros(1, classes), torch.tensor([0])
    print(classes, round(nn.functional.cross_entropy(logits, label).item(), 4))
perfect = torch.zeros(1, 10)
perfect[0, 0] = 100.0
once = nn.functional.cross_entropy(perfect, label)
twice = nn.functional.cross_entropy(perfect.softmax(1), label)
print(f"softmax once {once:.2f}, twice {twice:.2f}")
assert round(twice.item(), 2) == 1.46
assert once < 1e-6

# %%
# How large should the gradient be? Is a ``grad_norm`` of 1000, or of 0.0001, normal?
# -----------------------------------------------------------------------------------
# The number alone says nothing: it grows with the scale of the loss (a ``sum`` over 32
# examples instead of their mean makes it 32 times as large), and with the number of
# parameters. Adam divides it out, apart from its ``eps``. What counts is the step
# relative to the weights, about 0.001 in a usual run (a rule of thumb, `CS231n
# <https://cs231n.github.io/neural-networks-3/#ratio>`__). If it is 0.1, the rate is too
# large, and if it is 1e-6, too small.
#
# Compare the norm with its own history. It is often high in the first steps, and single
# peaks are normal, too: clip at about the usual value (often 1.0 for transformers). A
# norm that grows over thousands of steps often announces a loss that diverges. Exactly
# 0 and nan are mistakes, and so is inf, unless a ``GradScaler`` is still looking for
# its scale. ``clip_grad_norm_()`` returns the norm *before* clipping, so a log of 1000
# does not mean that it did not clip.
steps, norms = {}, {}
for reduction in ("mean", "sum"):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    before = model.weight.detach().clone()
    nn.functional.mse_loss(model(x), y, reduction=reduction).backward()
    norms[reduction] = model.weight.grad.norm().item()
    torch.optim.Adam(model.parameters(), lr=0.001).step()
    steps[reduction] = ((model.weight - before).norm() / before.norm()).item()
    print(f"{reduction:5}step of Adam / weight: {steps[reduction]:.4f}")
print(f"sum / mean of the gradient: {norms['sum'] / norms['mean']:.0f}")
assert round(norms["sum"] / norms["mean"]) == 32
assert abs(steps["sum"] - steps["mean"]) < 1e-5
returned = nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
assert returned > 0.5
assert nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5) < 0.51

# %%
# Fine-tuning BERT: the loss falls, and the accuracy stays the same number
# ------------------------------------------------------------------------
# Then weights are updated, and the model mostly gives the most frequent class to every
# input: count the predictions with ``bincount``. The accuracy is then the share of that
# class, to the last digit. The loss sees each change of a probability, the accuracy
# only a change of the largest one. Train for more steps, try a larger and a smaller
# rate (for all of BERT 2e-5 to 5e-5, `its paper <https://arxiv.org/abs/1810.04805>`__,
# with warmup), weigh or sample the rare classes more, and measure F1. If the counts
# do change, the accuracy is computed from something else: see the next section.
#
# Is the whole model trained, or the classifier? The whole, unless you froze something:
# a loaded model requires gradients everywhere, and the optimizer got
# ``model.parameters()``. For the classifier alone, call
# ``model.bert.requires_grad_(False)`` and give the optimizer
# ``model.classifier.parameters()``: with a width of 768 and 3 classes these are 2307.
# In both cases, compare the weights before and after a step.
inputs = torch.randn(500, 8)
wanted = (inputs[:, 0] > 0.5).long()


def fine_tuned(parts, steps, rate):
    torch.manual_seed(0)
    model = nn.ModuleDict({"bert": nn.Linear(8, 16), "classifier": nn.Linear(16, 2)})
    model["classifier"].bias.data = torch.tensor([1.0, -1.0])
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.requires_grad_(False)
    for part in parts:
        model[part].requires_grad_(True)
    optimizer = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], rate
    )
    losses, right = [], []
    for _ in range(steps):
        logits = model["classifier"](model["bert"](inputs).tanh())
        loss = nn.functional.cross_entropy(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        right.append((logits.argmax(1) == wanted).sum().item())
    moved = [
        part for part in model if not model[part].weight.equal(before[f"{part}.weight"])
    ]
    return losses, right, logits.argmax(1).bincount(minlength=2), moved


for parts in (["bert", "classifier"], ["classifier"]):
    losses, right, predicted, moved = fine_tuned(parts, 6, 0.002)
    print("loss falls:", losses[-1] < losses[0], "accuracies:", len(set(right)), *moved)
    assert losses == sorted(losses, reverse=True)
    assert set(right) == {(wanted == 0).sum().item()}
    assert predicted.tolist() == [500, 0]
    assert moved == parts
_, right, predicted, _ = fine_tuned(["bert", "classifier"], 30, 0.05)
assert right[-1] > 480
assert predicted[1] > 100
print("classifier of BERT:", sum(p.numel() for p in nn.Linear(768, 3).parameters()))

# %%
# The training loss falls, and the validation loss is the same number in each epoch
# ---------------------------------------------------------------------------------
# Then you validate another model than the one that trains: a ``deepcopy`` from before
# the training, an average whose ``update()`` is not called, weights that are loaded
# again in each epoch, or a variable that still holds the first result. Compare the
# weights: ``torch.equal()`` on two state dicts. If they are the same object, and the
# loss still does not move at all, the metric is computed from fixed data, such as the
# labels against themselves.
import copy

trained = nn.Linear(3, 1)
kept = copy.deepcopy(trained)
optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
curves = {"kept": [], "trained": []}
for _ in range(3):
    optimizer.zero_grad()
    error_of(trained).backward()
    optimizer.step()
    for name, model in (("kept", kept), ("trained", trained)):
        curves[name].append(error_of(model).item())
print({name: len(set(values)) for name, values in curves.items()})
assert len(set(curves["kept"])) == 1
assert len(set(curves["trained"])) == 3

# %%
# On one GPU the loss changes, on several GPUs it stays the same
# --------------------------------------------------------------
# DDP averages the gradients. That alone does not keep a loss from falling. Ask the four
# questions on each rank, and print the loss of each rank:
#
# - *Not moved:* the optimizer holds other parameters. Make it last: after
#   ``fully_shard()`` the parameters are new ones
#   (:doc:`/gallery/beyond/freezing_under_fsdp`). With a ``GradScaler``, inf on one rank
#   makes all ranks skip the step, since the average is inf as well.
# - *Moved, and different on each rank:* the model is called past its wrapper
#   (``model.module(x)``), or the backward is always under ``no_sync()``. Then each GPU
#   learns alone (:doc:`/gallery/beyond/two_backward_passes_under_ddp`). What
#   ``nn.DataParallel`` writes to ``self`` in the forward is lost with its copies.
# - *Moved, but the loss hardly falls:* ``batch_size`` counts per GPU. With 8 GPUs, the
#   batch is 8 times as large, and an epoch has an eighth of the steps. Compare by steps
#   and not by epochs, and try a larger rate, up to 8 times with SGD (a rule of thumb),
#   with a warmup.
# - *The same ups and downs in each epoch:* ``sampler.set_epoch(epoch)`` is missing, so
#   each epoch has the same order. That alone does not stop the training. With exactly
#   the same numbers, you print a loss that no longer belongs to this batch.
#
# The loss after one epoch, and whether two epochs have the same order:
from torch.utils.data import DistributedSampler

generator = torch.Generator().manual_seed(0)
inputs = torch.randn(256, 3, generator=generator)
targets = inputs.sum(1, keepdim=True)


def one_epoch(gpus, rate):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), rate)
    whole = 4 * gpus
    for first, second in zip(inputs.split(whole), targets.split(whole), strict=True):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(first), second).backward()
        optimizer.step()
    return round(nn.functional.mse_loss(model(inputs), targets).item(), 3)


def orders(*, sets_epoch):
    sampler, found = DistributedSampler(range(32), num_replicas=8, rank=0), []
    for epoch in range(2):
        if sets_epoch:
            sampler.set_epoch(epoch)
        found.append(list(sampler))
    return found


after = one_epoch(1, 0.01), one_epoch(8, 0.01), one_epoch(8, 0.08)
print("1 GPU, 8 GPUs, 8 GPUs with 8 times the rate:", *after)
assert after[1] > 5 * after[0]
assert after[2] < 2 * after[0]
wrong, right = orders(sets_epoch=False), orders(sets_epoch=True)
print("same order:", wrong[0] == wrong[1], right[0] == right[1])
assert wrong[0] == wrong[1]
assert right[0] != right[1]

# %%
# Related: :doc:`watch_a_real_step`, :doc:`why_is_my_gradient_none`,
# :doc:`/gallery/graph/zero_is_not_none`.
