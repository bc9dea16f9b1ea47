"""
Different learning rates per layer, and why lr=0 is not freezing
================================================================

Give each part a parameter group with its own ``lr``. A rate of zero is no freeze: the
gradient and the optimizer state are still computed, and a scheduler may raise the rate.
"""

# %%
import torch
from torch import nn

for rate, freeze in ((0.01, False), (0.0, False), (0.0, True)):
    backbone, head = nn.Linear(2, 2), nn.Linear(2, 1)
    backbone.requires_grad_(not freeze)
    slow = {"params": backbone.parameters(), "lr": rate}
    fast = {"params": head.parameters()}  # takes lr=0.1
    optimizer = torch.optim.AdamW([slow, fast], lr=0.1)
    head(backbone(torch.ones(1, 2))).sum().backward()
    weight, before = backbone.weight, backbone.weight.clone()
    optimizer.step()
    stays, cost = weight.equal(before), weight in optimizer.state
    print(f"lr={rate}, frozen {freeze}: {stays=}, state={cost}")
    assert (stays, cost) == (rate == 0, not freeze)
    assert (weight.grad is None) == freeze

# %%
# It has a gradient and requires_grad=True, but is not updated
# ------------------------------------------------------------
# Then no group holds it. Code such as YOLO's sorts the parameters by the type of their
# module: weights of convolutions, weights of batch norm, biases. A bare
# ``nn.Parameter`` with another name, such as the weights ``w`` of a BiFPN, is in no
# group, and there is no error. Compare the ``id()`` of each trainable parameter with
# those in ``optimizer.param_groups``. If no weight of the model changes, see the causes
# in :doc:`did_my_freeze_work`.


class Fusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(2))
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, one, other):
        return self.norm(self.conv(self.w[0] * one + self.w[1] * other))


def in_no_group(model, optimizer):
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    named = model.named_parameters()
    return [name for name, p in named if p.requires_grad and id(p) not in held]


model = Fusion()
# Wrong: it asks each module for weight and bias, and misses all other names.
decay, rest = [], []
for module in model.modules():
    if isinstance(getattr(module, "bias", None), nn.Parameter):
        rest.append(module.bias)
    if isinstance(getattr(module, "weight", None), nn.Parameter):
        is_norm = isinstance(module, nn.BatchNorm2d)
        (rest if is_norm else decay).append(module.weight)
wrong = torch.optim.SGD([{"params": decay, "weight_decay": 0.1}, {"params": rest}], 0.1)
model(torch.randn(4, 1, 2, 2), torch.randn(4, 1, 2, 2)).relu().sum().backward()
wrong.step()
print("in no group:", in_no_group(model, wrong))
print(model.w.requires_grad, model.w.grad is not None, model.w.tolist())
assert in_no_group(model, wrong) == ["w"]
assert model.w.grad.any()
assert model.w.tolist() == [1, 1]
# Right: it sorts the parameters themselves, so each one is in a group.
groups = [
    {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1},
    {"params": [p for p in model.parameters() if p.ndim <= 1]},
]
right = torch.optim.SGD(groups, lr=0.1)
print("in no group:", in_no_group(model, right))
assert in_no_group(model, right) == []

# %%
# If one is forgotten, ``optimizer.add_param_group({"params": [model.w]})`` adds it. If
# a list is empty, such as that of the biases where all layers have ``bias=False``, an
# optimizer that is made from it alone raises
# :doc:`/reference/errors/optimizer_got_an_empty_parameter_list`. In a list of groups,
# an empty one does no harm.
wrong.add_param_group({"params": [model.w]})
assert in_no_group(model, wrong) == []
emptied = torch.optim.SGD([{"params": decay}, {"params": []}], lr=0.1)
emptied.step()
assert [len(group["params"]) for group in emptied.param_groups] == [1, 0]

# %%
# ``if not value.requires_grad: continue``: one group for each parameter
# ----------------------------------------------------------------------
# Training scripts such as the first one of `RepVGG
# <https://github.com/DingXiaoH/RepVGG/blob/13f4e77/train.py>`__ make a parameter group
# in each pass of a loop over ``named_parameters()``. ``continue`` leaves out the frozen
# parameters. Biases and the weights of batch norm get no weight decay, and each group
# may have a learning rate of its own. The result is the same whether a group has one
# parameter or many; only LBFGS accepts no second group. What is frozen when the loop
# runs is in no group: if you unfreeze it later, add it.
fusion, single = Fusion(), []
fusion.w.requires_grad_(False)
for name, p in fusion.named_parameters():
    if not p.requires_grad:
        continue
    group = {"params": [p], "weight_decay": 0.1 if p.ndim > 1 else 0.0}
    if name.endswith("bias"):
        group["lr"] = 0.2
    single.append(group)
optimizer = torch.optim.SGD(single, lr=0.1)
rates = [(g["lr"], g["weight_decay"]) for g in optimizer.param_groups]
print(rates)
assert rates == [(0.1, 0.1), (0.1, 0.0), (0.2, 0.0)]
assert in_no_group(fusion, optimizer) == []
fusion.w.requires_grad_(True)
assert in_no_group(fusion, optimizer) == ["w"]

# %%
# Layer-wise learning rate decay (LLRD) for BERT and ViT
# ------------------------------------------------------
# One group for each layer: its rate is lower by a factor for each layer between it and
# the head. The number of the layer is in the name of the parameter. Frozen parameters
# are left out; add their group when you unfreeze them. With the ``Trainer`` of
# transformers, pass the optimizer as ``optimizers=(optimizer, None)``. In timm,
# ``layer_decay`` writes ``lr_scale`` into the groups, which only the schedulers of timm
# apply; those of PyTorch ignore it, see `a pull request
# <https://github.com/huggingface/pytorch-image-models/pull/2532>`__, not run here.
encoder = nn.ModuleDict(
    {
        "embeddings": nn.Embedding(9, 4),
        "layer": nn.ModuleList(nn.Linear(4, 4) for _ in range(3)),
        "head": nn.Linear(4, 2),
    }
)
encoder["embeddings"].requires_grad_(False)
depth = len(encoder["layer"])


def distance(name):
    part = name.split(".")
    if part[0] == "layer":
        return depth - int(part[1])
    return 0 if part[0] == "head" else depth + 1


by_distance = {}
for name, p in encoder.named_parameters():
    if p.requires_grad:
        by_distance.setdefault(distance(name), []).append(p)
optimizer = torch.optim.AdamW(
    [
        {"params": found, "lr": 0.001 * 0.5**steps}
        for steps, found in sorted(by_distance.items())
    ]
)
rates = [group["lr"] for group in optimizer.param_groups]
print(rates)
assert rates == [0.001, 0.0005, 0.00025, 0.000125]
assert in_no_group(encoder, optimizer) == []

# %%
# timm ``layer_decay``: ``lr_scale`` is too small, frozen parameters count as layers
# ----------------------------------------------------------------------------------
# Keep a frozen copy, such as an EMA teacher, outside of the model that you pass, or
# name it first in ``group_matcher()``: then it is the first layer, like a stem.
#
# ``param_groups_layer_decay()`` numbers the layers over *all* parameters, and leaves
# the frozen ones out only when it makes the groups. A copy that ``group_matcher()``
# names last lies behind the blocks, so these seem to lie further from the end (`an
# issue <https://github.com/huggingface/pytorch-image-models/issues/2691>`__). One that
# it does not name shares the last layer with the head: it does harm only where there is
# no head. The code of timm gave the same numbers for the cases below, not on this page.
#
# To check it, print the groups: the last layer must have ``lr_scale`` 1, and the one
# before it ``layer_decay``. The head alone shows nothing: it has 1 in the wrong case,
# too. Frozen first layers, such as the patch embedding, do no harm, since the scale is
# counted from the end.


def lr_scales(names, matcher, decay=0.5):
    def layer(name):
        for number, start in enumerate(matcher):
            if name.startswith(start):
                is_block = start == "blocks."
                return number, int(name.split(".")[1]) if is_block else -1
        return len(matcher), -1

    order = sorted({layer(name) for name in names})
    trained = [name for name in names if not name.startswith("ema.")]
    return [decay ** (len(order) - 1 - order.index(layer(name))) for name in trained]


blocks = [f"blocks.{i}.weight" for i in range(3)]
with_copy = blocks + [f"ema.{i}.weight" for i in range(3)]
cases = {
    "no copy": lr_scales(blocks, ["blocks."]),
    "copy last": lr_scales(with_copy, ["blocks.", "ema."]),  # wrong
    "copy first": lr_scales(with_copy, ["ema.", "blocks."]),  # right
    "copy last, head": lr_scales([*with_copy, "head"], ["blocks.", "ema."]),  # wrong
    "not named, head": lr_scales([*with_copy, "head"], ["blocks."]),
}
for case, scales in cases.items():
    print(f"{case:15}", scales)
assert cases["copy last"] == [0.125, 0.25, 0.5]
assert cases["no copy"] == cases["copy first"] == [0.25, 0.5, 1.0]
assert cases["copy last, head"] == [0.0625, 0.125, 0.25, 1.0]
assert cases["not named, head"] == [0.125, 0.25, 0.5, 1.0]

# %%
# The scheduler raises it again
# -----------------------------
# A schedule with a floor, here ``eta_min``, moves a rate of zero towards the floor, and
# the weights that you took for frozen change.
backbone, head = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
groups = [
    {"params": backbone.parameters(), "lr": 0.0},
    {"params": head.parameters()},
]
optimizer = torch.optim.AdamW(groups, lr=0.1)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10, eta_min=0.02)
rates, weights = [], []
for _ in range(10):
    rates.append(optimizer.param_groups[0]["lr"])
    weights.append(backbone.weight.item())
    optimizer.zero_grad()
    head(backbone(torch.ones(1, 1))).sum().backward()
    optimizer.step()
    scheduler.step()
print(rates[0], rates[1] > 0, weights[-1] != weights[0])
assert rates[0] == 0
assert rates[1] > 0
assert weights[1] == weights[0] != weights[-1]
assert abs(optimizer.param_groups[0]["lr"] - 0.02) < 1e-6

# %% tags=["hide-input"]
# The learning rate of the group (dashed) begins at zero, and the scheduler raises it.
# The weight (solid) changes.
import matplotlib.pyplot as plt

_, (left, right) = plt.subplots(1, 2, figsize=(6, 2.8), layout="constrained")
left.plot(rates, "C2--")
left.set(xlabel="step", ylabel="lr")
right.plot(weights, "C0-")
right.set(xlabel="step", ylabel="weight")
plt.show()

# %%
# OneCycleLR gives all groups one rate, or overwrites the rate that I set
# -----------------------------------------------------------------------
# ``OneCycleLR`` and ``CyclicLR`` do not read the ``lr`` of a group: ``max_lr=0.1``
# holds for all. Pass a list with one value for each group, such as ``max_lr=[0.001,
# 0.1]``, in the order of ``optimizer.param_groups`` (for ``CyclicLR``, also for
# ``base_lr``). The others in the table keep the ratio of the groups.
#
# And if you write ``optimizer.param_groups[0]["lr"] = 0.0`` during the training, some
# schedulers compute the next rate from the first one, and your value is gone after one
# ``step()``. To freeze, set ``requires_grad`` and clear ``.grad``; to change the rate
# for good, make a new scheduler. The table: is the ratio of the groups still 1 to 100
# after three steps, and does a zero that you write stay?
schedulers = torch.optim.lr_scheduler
SCHEDULERS = {
    "StepLR": lambda o: schedulers.StepLR(o, step_size=2),
    "ExponentialLR": lambda o: schedulers.ExponentialLR(o, gamma=0.9),
    "LambdaLR": lambda o: schedulers.LambdaLR(o, lambda step: 0.9**step),
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, T_max=20),
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, 0.1, total_steps=20),
    "OneCycleLR, list": lambda o: schedulers.OneCycleLR(o, [0.001, 0.1], 20),
    "CyclicLR": lambda o: schedulers.CyclicLR(o, base_lr=0.01, max_lr=0.1),
}


def ratio_and_zero(make):
    slow, fast = (nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [{"params": [slow], "lr": 0.001}, {"params": [fast], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    scheduler = make(optimizer)
    first, second = optimizer.param_groups
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    ratio = second["lr"] / first["lr"]
    first["lr"] = 0.0
    optimizer.step()
    scheduler.step()
    return abs(ratio - 100) < 1e-6, first["lr"] == 0


print(f"{'':19}ratio  zero stays")
rows = {name: ratio_and_zero(make) for name, make in SCHEDULERS.items()}
for name, (ratio, stays) in rows.items():
    print(f"{name:19}{ratio!s:7}{stays}")
assert rows == {
    "StepLR": (True, True),
    "ExponentialLR": (True, True),
    "LambdaLR": (True, False),
    "CosineAnnealingLR": (True, True),
    "OneCycleLR": (False, False),
    "OneCycleLR, list": (True, False),
    "CyclicLR": (False, False),
}

# %%
# Resume with a new learning rate: ``load_state_dict()`` brings the old one back
# ------------------------------------------------------------------------------
# Set ``lr`` and ``weight_decay`` in each group *after* ``optimizer.load_state_dict()``,
# which takes the options of the file, and forgets those that the new optimizer was made
# with. If a group has an ``initial_lr``, which most schedulers write, set it, too: a
# new ``LambdaLR`` (most schedulers of transformers) or ``CosineAnnealingWarmRestarts``
# starts from it. For these two, don't load the state of the old scheduler either: its
# ``base_lrs`` are the old rates. ``StepLR`` and others that multiply start from ``lr``.


def resumed(*, new_rate=None, set_initial=False, new="LambdaLR", load=False):
    weight = nn.Parameter(torch.ones(1))
    old = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    old_state = SCHEDULERS[new](old).state_dict()
    optimizer = torch.optim.SGD([weight], lr=0.001, momentum=0.9)
    optimizer.load_state_dict(old.state_dict())
    for group in optimizer.param_groups if new_rate else []:
        group["lr"] = new_rate
        if set_initial:
            group["initial_lr"] = new_rate
    rates = [optimizer.param_groups[0]["lr"]]
    scheduler = SCHEDULERS[new](optimizer)
    if load:
        scheduler.load_state_dict(old_state)
        optimizer.step()
        scheduler.step()
    return [*rates, optimizer.param_groups[0]["lr"]]


ways = {
    "only loaded": resumed(),
    "lr": resumed(new_rate=0.001),
    "lr and initial_lr": resumed(new_rate=0.001, set_initial=True),
    "lr, StepLR": resumed(new_rate=0.001, new="StepLR"),
}
print(f"{'':19}loaded  with a new scheduler")
for way, (loaded, scheduled) in ways.items():
    print(f"{way:19}{loaded:<8}{scheduled}")
assert list(ways.values()) == [[0.1, 0.1], [0.001, 0.1], *[[0.001, 0.001]] * 2]
with_state = {"new_rate": 0.001, "set_initial": True, "load": True}
assert resumed(**with_state, new="StepLR")[1] == 0.001
assert resumed(**with_state)[1] > 0.05

# %%
# The learning rate is 0, and the loss still falls or changes
# -----------------------------------------------------------
# If each group of each optimizer has ``lr=0``, no step moves a weight (``Rprop`` and an
# infinite gradient are exceptions, see below). But the loss depends on more than the
# weights. Each batch is another one, and dropout and augmentation draw anew. In
# training mode batch norm updates its running statistics in each forward, so the loss
# in ``eval()`` changes: it falls while the statistics come closer to the data. To see
# whether a part is frozen, don't look at the loss. Compare its parameters and buffers
# before and after. With the frozen part in ``eval()``, the buffers stay as well. If
# parameters differ, another optimizer or group has them, or the scheduler raised the
# rate, see above.
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
data = torch.randn(256, 2) + 3
wanted = network(data).detach()
network[1].reset_running_stats()
optimizer = torch.optim.Adam(network.parameters(), lr=0.0)
before = {name: value.clone() for name, value in network.state_dict().items()}


def validation_loss():
    with torch.no_grad():
        return nn.functional.mse_loss(network.eval()(data), wanted).item()


losses = [validation_loss()]
for trains in (True, False):
    network.train(trains)
    for chosen in torch.randint(256, (50, 64)):
        optimizer.zero_grad()
        nn.functional.mse_loss(network(data[chosen]), wanted[chosen]).backward()
        optimizer.step()
    losses.append(validation_loss())
after = network.state_dict()
print([f"{loss:.2f}" for loss in losses])
print("changed:", *(name for name in after if not after[name].equal(before[name])))
assert losses[1] < 0.1 * losses[0]
assert losses[2] == losses[1]
buffers = [name for name, _ in network.named_buffers()]
assert [name for name in after if not after[name].equal(before[name])] == buffers

# %%
# A gradient of inf makes it NaN
# ------------------------------
# Zero times infinity is NaN, so with SGD, Adam and others one infinite gradient makes a
# weight with ``lr=0`` NaN. A frozen weight without a gradient stays.
for make in (torch.optim.SGD, torch.optim.Adam):
    weight, frozen = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    weight.grad = torch.tensor([float("inf")])
    make([weight, frozen.requires_grad_(False)], lr=0.0).step()
    print(weight.item(), frozen.item())
    assert weight.isnan().all()
    assert frozen.item() == 1

# %%
# Which learning rate for the pretrained part: 10 or 100 times smaller than the head's?
# -------------------------------------------------------------------------------------
# A factor of 10 is the usual start, and 100 if the validation falls in the first steps.
# Some numbers to begin with, which belong to the optimizer that is named:
#
# - Only the head trains: the rate of training from scratch, such as ``1e-3`` with Adam.
# - DETR, with AdamW: ``1e-4``, and ``1e-5`` for the backbone (`main.py
#   <https://github.com/facebookresearch/detr/blob/main/main.py>`__).
# - MMDetection: ``lr_mult=0.1`` for the backbone of Deformable DETR, ``0.01`` for the
#   large RT-DETR (`its configs
#   <https://github.com/open-mmlab/mmdetection/tree/main/configs>`__).
# - BERT, all layers, with Adam: ``5e-5``, ``3e-5`` or ``2e-5`` (`the paper
#   <https://arxiv.org/abs/1810.04805>`__).
# - ULMFiT: each layer has the rate of the next one, divided by 2.6 (`the paper
#   <https://arxiv.org/abs/1801.06146>`__).
# - LoRA in GPT-2 and GPT-3, with AdamW: ``2e-4`` (`the paper
#   <https://arxiv.org/abs/2106.09685>`__).
#
# With SGD, a rate counts together with the size of the gradient. With Adam, it is about
# the length of a step: ``1e-3`` moves each weight of 0.02 by a twentieth in one step.
# For a test, divide the update of a group by its weights. About ``1e-3`` is a `rule of
# thumb <https://cs231n.github.io/neural-networks-3/>`__ for layers that learn from the
# beginning; a pretrained part should be clearly below that.
torch.manual_seed(0)
part, top = nn.Linear(64, 64), nn.Linear(64, 2)
groups = [{"params": part.parameters(), "lr": 1e-5}, {"params": top.parameters()}]
optimizer = torch.optim.Adam(groups, lr=1e-3)
before = [layer.weight.detach().clone() for layer in (part, top)]
top(part(torch.randn(8, 64)).relu()).square().sum().backward()
optimizer.step()
updates = [
    ((layer.weight - old).norm() / old.norm()).item()
    for layer, old in zip((part, top), before, strict=True)
]
print([f"{update:.0e}" for update in updates])
assert updates[0] < 1e-3 < updates[1]

# %%
# The backbone hardly learns after unfreezing: the scheduler has lowered its rate, too
# ------------------------------------------------------------------------------------
# A scheduler steps for all groups, also for those that are frozen. When the backbone is
# unfrozen, a cosine may be near its end, the warm-up is over, and
# ``ReduceLROnPlateau``, which waits for the head, has multiplied *every* rate by its
# ``factor``. Right after unfreezing the loss may rise for a moment, and it lowers them
# again. When you unfreeze, set the rates and make a new ``ReduceLROnPlateau``. For
# schedules that depend on the step, ``LambdaLR`` takes one function for each group:
# :doc:`/gallery/beyond/schedulers_after_add_param_group`.
slow, fast = (nn.Parameter(torch.ones(1)) for _ in range(2))
optimizer = torch.optim.SGD(
    [{"params": [slow], "lr": 1e-4}, {"params": [fast]}], lr=0.1
)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
for loss in (1.0, 1.0, 1.0):  # the frozen phase
    plateau.step(loss)
print([f"{group['lr']:.0e}" for group in optimizer.param_groups])
assert optimizer.param_groups[0]["lr"] < 1.1e-6
for group, rate in zip(optimizer.param_groups, (1e-4, 0.001), strict=True):
    group["lr"] = rate
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=3)
plateau.step(1.2)
assert optimizer.param_groups[0]["lr"] == 1e-4

# %%
# The log shows a learning rate of 0, or not the one that I set
# -------------------------------------------------------------
# Most logs show ``scheduler.get_last_lr()[0]`` or ``optimizer.param_groups[0]["lr"]``:
# the rate of the *first* group. If that is the frozen backbone, with 0 or a tiny rate,
# the head may train well all the same. Print all groups, with the number of their
# parameters that train, and give them names: a key of your own in the group is kept,
# until ``load_state_dict()`` takes the keys of the file in its place.
named = [
    {
        "params": backbone.requires_grad_(False).parameters(),
        "lr": 0.0,
        "part": "frozen",
    },
    {"params": head.parameters(), "part": "head"},
]
optimizer = torch.optim.AdamW(named, lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)
print(scheduler.get_last_lr()[0])
for group in optimizer.param_groups:
    print(group["part"], group["lr"], sum(p.requires_grad for p in group["params"]))
assert scheduler.get_last_lr() == [0.0, 0.1]
groups = [{"params": group["params"]} for group in optimizer.param_groups]
optimizer.load_state_dict(torch.optim.AdamW(groups).state_dict())
assert "part" not in optimizer.param_groups[0]
backbone.requires_grad_(True)

# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``Rprop`` moves weights with ``lr=0``: it takes the rate for the size of its first
#   step, which it makes at least ``1e-6``.
# - SGD without momentum keeps no state, so there ``lr=0`` costs only the gradient.
# - LBFGS accepts only one group.
weight = nn.Parameter(torch.ones(1))
weight.grad = torch.ones(1)
sgd = torch.optim.SGD([weight], lr=0.0)
sgd.step()
assert weight.item() == 1
assert not any(sgd.state[weight].values())
torch.optim.Rprop([weight], lr=0.0).step()
assert weight.item() < 1
try:
    torch.optim.LBFGS(groups)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("LBFGS took two groups")
assert "parameter groups" in message

# %%
# Use a group to let a layer learn slowly, and ``requires_grad_(False)`` to freeze it.
# :py:func:`gradguide.explain` calls the first ``lr=0``, the second ``frozen``. Source:
# :torch:`torch.optim, per-parameter options <optim.html#per-parameter-options>`.
from gradguide import explain

model = nn.Sequential(backbone, head.requires_grad_(False))
optimizer.zero_grad()
optimizer.param_groups[0]["lr"] = 0.0
report = explain(model, optimizer=optimizer)
assert [row.verdict for row in report] == ["lr=0", "frozen"]

# %%
# Related: :doc:`unfreeze_gradually`, :doc:`freeze_a_backbone`,
# :doc:`/gallery/still-moves/stale_gradients`.
