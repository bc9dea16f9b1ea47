"""
Gradual unfreezing: give the optimizer every layer from the start
=================================================================

A layer that is unfrozen later does not train if the optimizer was built from the
trainable parameters. Build it once, over all of them: then unfreezing is one line.
"""

# %%
import torch

backbone, head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)
backbone.requires_grad_(False)
model = torch.nn.Sequential(backbone, head)
trainable = [p for p in model.parameters() if p.requires_grad]
wrong = torch.optim.AdamW(trainable)
right = torch.optim.AdamW(model.parameters())

backbone.requires_grad_(True)
model(torch.ones(8, 4)).sum().backward()
for optimizer, trains in ((wrong, False), (right, True)):
    before = backbone.weight.clone()
    optimizer.step()
    print("backbone trains:", not backbone.weight.equal(before))
    assert backbone.weight.equal(before) != trains

# %%
# What is unfrozen training (the second stage)? Do all layers train?
# ------------------------------------------------------------------
# Yes. In the frozen stage (``Freeze_Train``), only what is not the backbone trains: the
# head, and a neck if there is one. To unfreeze means that ``requires_grad`` of the
# frozen layers is True again, so from then on all layers get gradients, and are updated
# if
#
# - the optimizer holds them, as above, and the rate of their group is not zero,
# - ``forward()`` has no ``torch.no_grad()`` around the backbone any more, and no
#   ``detach()`` behind it.
#
# Running statistics of batch norm go by the mode, not by ``requires_grad``: in
# ``eval()`` they stay. All layers also means more memory, and a smaller learning rate,
# as the pretrained weights should change little. Below, how many parameters train, and
# how many have changed after a step:
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1))
optimizer = torch.optim.AdamW(model.parameters())
stages = {}
for stage in ("frozen", "unfrozen"):
    model[0].requires_grad_(stage == "unfrozen")
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.zero_grad()
    model(torch.ones(8, 4)).sum().backward()
    optimizer.step()
    trainable = sum(p.requires_grad for p in model.parameters())
    changed = sum(
        not p.equal(old) for p, old in zip(model.parameters(), before, strict=True)
    )
    stages[stage] = trainable, changed
    print(f"{stage:9}{trainable=} {changed=}")
assert stages == {"frozen": (2, 2), "unfrozen": (4, 4)}

# %%
# The whole training loop
# -----------------------
# Each part is a group of its own, with a rate of its own, smaller towards the input.
# ``OPENS`` says in which epoch it is unfrozen. From then on its rate rises for two
# epochs. Until then its batch norm is in ``eval()``.
from torch import nn


def block(width):
    return nn.Sequential(nn.Linear(width, 8), nn.BatchNorm1d(8), nn.Tanh())


torch.manual_seed(0)
model = nn.Sequential(block(4), block(8), nn.Linear(8, 1))
parts = [model[0], model[1], model[2]]  # the whole network
inputs = torch.randn(64, 4)
dataset = torch.utils.data.TensorDataset(inputs, inputs.prod(1, keepdim=True))
batches = torch.utils.data.DataLoader(dataset, batch_size=16, shuffle=True)

OPENS, RATES, WARM_UP = (4, 2, 0), (0.001, 0.003, 0.01), 2


def factor(opens):
    return lambda epoch: min(1.0, max(0, epoch - opens + 1) / WARM_UP)


groups = [
    {"params": part.parameters(), "lr": rate}
    for part, rate in zip(parts, RATES, strict=True)
]
optimizer = torch.optim.AdamW(groups)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, [factor(e) for e in OPENS])
history, stages = [], []
for epoch in range(6):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    for part, opens in zip(parts, OPENS, strict=True):
        part.requires_grad_(epoch >= opens)
        part.train(epoch >= opens)
    for batch, targets in batches:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(batch), targets).backward()
        optimizer.step()
    after = model.state_dict()
    stages.append({name[0] for name in after if not after[name].equal(before[name])})
    history.append([group["lr"] for group in optimizer.param_groups])
    print(epoch, sorted(stages[-1]), [f"{rate:.4f}" for rate in history[-1]])
    schedule.step()
assert stages == [{"2"}] * 2 + [{"1", "2"}] * 2 + [{"0", "1", "2"}] * 2
assert [rates[1] for rates in history] == [0, 0, 0.0015, 0.003, 0.003, 0.003]

# %% tags=["hide-input"]
# The learning rate of each part. It is zero while the part is frozen (hatched).
import matplotlib.pyplot as plt

_, axes = plt.subplots(1, 3, figsize=(6, 2.6), sharey=True, layout="constrained")
for number, (ax, opens) in enumerate(zip(axes, OPENS, strict=True)):
    ax.plot([rates[number] for rates in history], "C0o-")
    ax.axvspan(-0.5, opens - 0.5, fc="none", ec="C1", hatch="//", lw=0)
    ax.set(xlabel="epoch", title=f"model[{number}]", xlim=(-0.5, 5.5))
axes[0].set(ylabel="lr")
plt.show()

# %%
# Unfreeze after N epochs: Trainer, Lightning, Accelerate, YOLO
# -------------------------------------------------------------
# The optimizer has to hold the layer from the start. How to do this in a library:
#
# - ``Trainer`` of transformers: its optimizer takes what requires a gradient when
#   ``train()`` begins. Leave the layer trainable. In a ``TrainerCallback``, freeze it
#   in ``on_train_begin()``, and in ``on_epoch_begin()`` write ``if state.epoch >= 2:
#   model.bert.requires_grad_(True)``, see
#   :doc:`/gallery/frameworks/what_trainer_trains`.
# - Lightning: give all parameters to the optimizer in ``configure_optimizers()``, and
#   in ``on_train_epoch_start()`` write
#   ``self.backbone.requires_grad_(self.current_epoch >= 2)``. Or use a callback:
#   :doc:`/gallery/frameworks/lightning_backbone_finetuning`.
# - Accelerate, DDP: freeze and unfreeze before ``prepare()`` or before wrapping, so do
#   both again for the second stage: :doc:`/gallery/frameworks/accelerate_prepare`.
# - YOLO of ultralytics sets ``requires_grad`` itself: train twice, first with
#   ``freeze=10``, then without, from the weights of the first training:
#   :doc:`/gallery/frameworks/trainers_that_set_your_flags`.
#
# A hook of your own loop, in the same order:


class UnfreezeAt:
    def __init__(self, part, epoch):
        self.part, self.epoch = part, epoch

    def on_epoch_begin(self, epoch):
        self.part.requires_grad_(epoch >= self.epoch)


body, top = nn.Linear(4, 4), nn.Linear(4, 1)
whole = nn.Sequential(body, top)
adam, moved = torch.optim.Adam(whole.parameters()), []
callback = UnfreezeAt(body, epoch=2)
for epoch in range(4):
    callback.on_epoch_begin(epoch)
    before = body.weight.detach().clone()
    adam.zero_grad()
    whole(inputs).square().mean().backward()
    adam.step()
    moved.append(not body.weight.equal(before))
print(moved)
assert moved == [False, False, True, True]

# %%
# Why a warm-up?
# --------------
# The first step of Adam moves each weight by about ``lr``, whether its gradient is
# large or small (but above ``eps``), because the averages hold only this gradient. So a
# pretrained layer with small gradients makes full steps, and a rate that rises slowly
# keeps these small.
for scale in (1.0, 0.001):
    weight = nn.Parameter(torch.zeros(3))
    weight.grad = torch.tensor([3.0, -2.0, 1.0]) * scale
    torch.optim.Adam([weight], lr=0.01).step()
    print(weight.tolist())
    torch.testing.assert_close(weight.abs(), torch.full((3,), 0.01), rtol=1e-3, atol=0)

# %%
# SGD begins with the gradient alone, and its momentum builds up. With 0.9 and a
# constant gradient, a step is in the end ten times as long as the first.
weight, lengths = nn.Parameter(torch.zeros(1)), []
sgd = torch.optim.SGD([weight], lr=0.01, momentum=0.9)
for _ in range(100):
    before = weight.item()
    weight.grad = torch.ones(1)
    sgd.step()
    lengths.append(before - weight.item())
print(f"{lengths[0]:.3f} {lengths[-1]:.3f}")
assert abs(lengths[-1] / lengths[0] - 10) < 0.01

# %%
# Do the frozen parameters cost memory in the optimizer?
# ------------------------------------------------------
# Most optimizers of ``torch.optim`` make the state of a parameter at its first
# gradient. Adagrad makes it for all parameters when it is built.
frozen = nn.Parameter(torch.ones(2), requires_grad=False)
lazy = torch.optim.Adam([frozen])
lazy.step()
assert not lazy.state
assert frozen in torch.optim.Adagrad([frozen]).state


# %%
# CUDA out of memory in the first epoch after unfreezing: can I train frozen only?
# --------------------------------------------------------------------------------
# While the backbone is frozen, its activations are not kept, and its parameters have
# neither gradients nor the two averages of Adam. After unfreezing, all of these are
# there. So give the second phase a smaller batch (in bubbliiiing's YOLO code,
# ``Unfreeze_batch_size``) with more steps of gradient accumulation. Keep the batch norm
# of the backbone in ``eval()``, so that the size does not matter to it. Or unfreeze
# only the last layers, or use activation checkpointing. To know in advance whether the
# memory suffices, run two steps with everything unfrozen before the first epoch: the
# first ``step()`` creates the averages, and the peak comes in the second. Then load the
# weights and freeze again.
#
# May you leave out the second loop, and make the first one longer? Yes: the second one
# only goes on from the weights of the first. On data like that of the pretraining,
# frozen features may be enough. Otherwise they cost accuracy, however long you train:
# :doc:`freeze_a_backbone` measures both cases, and for yours the validation decides.
# Fit the schedule to the longer phase. ``StepLR(step_size=1, gamma=0.9)``, as in `older
# versions of that code
# <https://github.com/bubbliiiing/yolov4-pytorch/blob/13d240b985a915420906b701d9499e88de4e9a42/train.py>`__,
# leaves 0.5% of the learning rate after 50 epochs. In newer ones,
# ``Freeze_Epoch = UnFreeze_Epoch`` leaves out the second phase (read, not run). In
# KiB, with 8, 6 and none of the 8 blocks frozen:
import gradguide


def needs(*, frozen, size):
    layers = [nn.Sequential(nn.Linear(64, 64), nn.Tanh()) for _ in range(8)]
    net = nn.Sequential(*layers, nn.Linear(64, 1))
    net[:frozen].requires_grad_(False)
    adam = torch.optim.Adam(net.parameters())
    loss = net(torch.randn(size, 64)).square().mean()
    activations = gradguide.saved(loss, net).bytes
    loss.backward()
    adam.step()
    gradients = sum(p.grad.nbytes for p in net.parameters() if p.grad is not None)
    state = sum(t.nbytes for s in adam.state.values() for t in s.values() if t.ndim)
    return [number // 1024 for number in (activations, gradients, state)]


print("activations, gradients, Adam")
memory = {}
for frozen, size in ((8, 256), (6, 256), (0, 256), (0, 64)):
    memory[frozen, size] = needs(frozen=frozen, size=size)
    print(*(f"{kib:6}" for kib in memory[frozen, size]), f"{frozen=} {size=}")
assert memory[0, 256][0] > 4 * memory[8, 256][0]
assert memory[0, 64][0] < memory[0, 256][0] / 3
assert memory[0, 256][1:] == memory[0, 64][1:] == [130, 260]
assert memory[8, 256][1:] == [0, 0]
assert memory[6, 256][0] < memory[0, 256][0] / 2
assert memory[6, 256][1:] == [32, 65]
assert round(100 * 0.9**50, 1) == 0.5


# %%
# Freeze again, and unfreeze: what does Adam remember?
# ----------------------------------------------------
# The averages and the step counter of a layer stand still while its ``.grad`` is None.
# Afterwards the layer goes on with them. To start from the beginning, delete its state.
def steps():
    return [optimizer.state[p]["step"].item() for p in model[0].parameters()]


def train_step():
    optimizer.zero_grad()
    model(inputs).square().mean().backward()
    optimizer.step()


model[0].requires_grad_(False)
frozen_at = steps()
train_step()
assert steps() == frozen_at == [8.0] * 4
for parameter in model[0].requires_grad_(True).parameters():
    optimizer.state.pop(parameter)
train_step()
assert steps() == [1.0] * 4

# %%
# Can I unfreeze by name?
# -----------------------
# :py:func:`gradguide.unfreeze` takes the name of a module or of a parameter, or a
# pattern. A batch norm that :py:func:`gradguide.freeze` held is updated again, too.
from gradguide import freeze, unfreeze

freeze(model)
names = unfreeze(model, "2", "1.0.b*")
print(names)
assert names == ("1.0.bias", "2.weight", "2.bias")

# %%
# Why not ``add_param_group()``?
# ------------------------------
# A new group without an ``lr`` starts at the rate that the optimizer was built with,
# not at the one that the scheduler has reached. (A rate that is a tensor is shared by
# the groups, and the new one follows the scheduler.) And when you resume, you have to
# add the same groups again before you load the state of the optimizer.
late = torch.optim.SGD(model[2].parameters(), lr=1.0)
decay = torch.optim.lr_scheduler.StepLR(late, step_size=1, gamma=0.5)
late.step()
decay.step()
late.add_param_group({"params": model[1].parameters()})
print([group["lr"] for group in late.param_groups])
assert [group["lr"] for group in late.param_groups] == [0.5, 1.0]
try:
    torch.optim.SGD(model[2].parameters()).load_state_dict(late.state_dict())
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the groups fit")
late = torch.optim.SGD(model[2].parameters(), lr=torch.tensor(1.0))
decay = torch.optim.lr_scheduler.StepLR(late, step_size=1, gamma=0.5)
late.step()
decay.step()
late.add_param_group({"params": model[1].parameters()})
assert [group["lr"].item() for group in late.param_groups] == [0.5, 0.5]

# %%
# ``KeyError`` in ``optimizer.state_dict()`` after freezing
# ---------------------------------------------------------
# The error shows only a long number, as in ``KeyError: 5171377232``, and comes from the
# line with ``packed_state`` and ``param_mappings``. Code that freezes during the
# training (such as `Composer's in this issue
# <https://github.com/mosaicml/composer/issues/1002>`__) took a parameter out of its
# group, or put another one in its place, and its momentum is still in
# ``optimizer.state``. Remove that, too. Better, leave the parameter in its group:
# frozen and with ``.grad = None`` it is skipped, and none of this happens. For
# parameters that are replaced, see :doc:`/gallery/recipes/replacing_parameters`.
stays, leaves, other = (nn.Parameter(torch.ones(2)) for _ in range(3))
optimizer = torch.optim.Adam([stays, leaves], lr=0.1)
for parameter in (stays, leaves):
    parameter.grad = torch.ones(2)
optimizer.step()
# Wrong: the parameter leaves the group, and its state stays.
for parameters in ([stays, other], [stays]):
    optimizer.param_groups[0]["params"] = parameters
    try:
        optimizer.state_dict()
    except KeyError as error:
        key = error.args[0]
    else:
        raise AssertionError("the state fits the groups")
    assert key == id(leaves)
# Right: the state goes, too.
optimizer.state.pop(leaves, None)
saved = optimizer.state_dict()
print(list(saved["state"]), saved["param_groups"][0]["params"])
assert list(saved["state"]) == saved["param_groups"][0]["params"] == [0]

# %%
# To resume from such a save, take the same parameters out of the new optimizer before
# ``load_state_dict()``, or it raises
# :doc:`/reference/errors/parameter_group_that_doesnt_match_the_size`. It compares only
# how many parameters a group has. If you take out another one, the momentum goes to the
# wrong parameter, without an error.
resumed = torch.optim.Adam([stays, leaves], lr=0.1)
try:
    resumed.load_state_dict(saved)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("the sizes fit")
assert "doesn't match the size" in message
resumed.param_groups[0]["params"] = [leaves]  # Wrong: the other one.
resumed.load_state_dict(saved)
assert list(resumed.state) == [leaves]

# %%
# When do I unfreeze, after how many epochs? Freeze_Epoch=50, UnFreeze_Epoch=100
# ------------------------------------------------------------------------------
# There is no theory for such numbers: they are `experience
# <https://github.com/bubbliiiing/yolo3-pytorch/issues/21>`__, and belong to one data
# set. The head has to be good enough that its gradients mean something to the backbone.
# It is when the validation loss of the frozen phase stops falling. Longer costs time,
# and the head may overfit to the old features. Earlier is not bad if the rate is warmed
# up. So let the validation decide. Go back to the best head before you unfreeze. Open
# the last block first, unless the inputs themselves look different from those of the
# pretraining (:doc:`freeze_a_backbone`).


class UnfreezeOnPlateau:
    def __init__(self, part, patience=2):
        self.part, self.patience = part.requires_grad_(False), patience
        self.best, self.waited = float("inf"), 0

    def after_validation(self, loss):
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited >= self.patience:
            self.part.requires_grad_(True)


plateau, opened = UnfreezeOnPlateau(nn.Linear(2, 2)), []
for validation_loss in (1.0, 0.6, 0.5, 0.52, 0.51, 0.5):
    plateau.after_validation(validation_loss)
    opened.append(plateau.part.weight.requires_grad)
print(opened)
assert opened == [False] * 4 + [True] * 2

# %%
# Resume in the middle: what was frozen is not in the checkpoint
# --------------------------------------------------------------
# A ``state_dict()`` has no ``requires_grad``, so a new process begins with everything
# trainable, or with everything frozen that your constructor freezes. Compute what is
# open from the *epoch*, at the beginning of each epoch, as in the loop above, not only
# when ``epoch == OPENS``: if you resume later, that line never runs. Save the epoch and
# the states of model, optimizer and schedule. Give all parameters to the optimizer, and
# its groups fit in each phase.
FROZEN_FOR = 2


def build():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    net[0].requires_grad_(False)
    return net, torch.optim.Adam(net.parameters(), lr=0.01)


net, adam = build()
saved = {"model": net.state_dict(), "optimizer": adam.state_dict(), "epoch": 3}
for way in ("epoch ==", "epoch >="):  # wrong, right
    net, adam = build()
    net.load_state_dict(saved["model"])
    adam.load_state_dict(saved["optimizer"])
    for epoch in range(saved["epoch"], 5):
        if way == "epoch >=":
            net[0].requires_grad_(epoch >= FROZEN_FOR)
        elif epoch == FROZEN_FOR:
            net[0].requires_grad_(True)
    print(f"{way} FROZEN_FOR: {net[0].weight.requires_grad}")
    assert net[0].weight.requires_grad == (way == "epoch >=")

# %% tags=["hide-input"]
# Where it ends
# -------------
# - LBFGS joins all its parameters into one vector and updates those without a gradient
#   from its history: build a new one after each freeze.
# - Fused SGD with momentum (PyTorch 2.13) fails if only some parameters of a group have
#   a momentum yet. With one group per layer it does not.
# - DDP decides, when you wrap the model, which gradients it exchanges: wrap again in
#   each stage (:doc:`/gallery/beyond/freezing_under_ddp`).
# - DeepSpeed's ZeRO builds its buffers when it is initialised, from the parameters that
#   `require a gradient then
#   <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/zero/stage_1_and_2.py>`__.
#   Initialise it again in each stage, with only those parameters.
first, second = (nn.Parameter(torch.ones(2)) for _ in range(2))
lbfgs = torch.optim.LBFGS([first, second], lr=0.1)


def closure():
    lbfgs.zero_grad()
    loss = ((first * second).exp().sum() - 1).square()
    loss.backward()
    return loss


lbfgs.step(closure)
first.requires_grad_(False).grad = None
before = first.clone()
lbfgs.step(closure)
assert first.grad is None
assert not first.equal(before)

second.grad = torch.ones(2)
first.requires_grad_(True)
for groups in ([first, second], [{"params": [first]}, {"params": [second]}]):
    fused = torch.optim.SGD(groups, lr=0.1, momentum=0.9, fused=True)
    first.grad = None
    fused.step()
    first.grad = torch.ones(2)
    try:
        fused.step()
    except TypeError:
        assert groups[0] is first

# %%
# Related: :doc:`different_learning_rates`, :doc:`freeze_a_backbone`,
# :doc:`/gallery/beyond/schedulers_after_add_param_group`,
# :doc:`/gallery/beyond/add_param_group_errors`. That an optimizer skips a gradient that
# is None: :torch:`torch.optim.Optimizer.zero_grad`.
