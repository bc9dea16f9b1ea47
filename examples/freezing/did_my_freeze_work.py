"""
Did my freeze work? Compare values before and after a step
==========================================================

Values prove more than ``requires_grad``. Copy parameters and buffers, run one training
step, and compare. Here a frozen batch norm still changes.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
layers = nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)
model = nn.Sequential(*layers)
model[:2].requires_grad_(False)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)

before = {k: v.clone() for k, v in model.state_dict().items()}
model(torch.randn(16, 4)).square().mean().backward()
optimizer.step()
after = model.state_dict()
moved = [k for k in before if not after[k].equal(before[k])]
print(*moved, sep="\n")
assert moved[:2] == ["1.running_mean", "1.running_var"]
assert moved[2:] == ["1.num_batches_tracked", "2.weight", "2.bias"]

# %%
# Clone the values: ``state_dict()`` returns the tensors themselves, which the step
# changes. The two frozen layers kept their parameters. The statistics of the batch norm
# changed, because they are buffers that its forward updates in training mode.
assert model.state_dict()["2.weight"].data_ptr() == model[2].weight.data_ptr()

# %% tags=["hide-input"]
# How far each tensor moved in the first step. The frozen parameters (hatched squares)
# did not move. The statistics (dashed) are buffers: ``requires_grad`` has no effect on
# them.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
parameters = dict(model.named_parameters())
for name, old in before.items():
    if not old.is_floating_point():  # the number of batches
        continue
    look = {"ec": "C0"} if name in parameters else {"ec": "C2", "ls": "--"}
    distance = (after[name] - old).abs().max().item()
    ax.barh(name, distance, fc="none", lw=2, **look)
    if not distance:
        still = {"marker": "s", "fc": "w", "ec": "C1", "hatch": "//////"}
        ax.scatter(0, name, s=100, lw=2, zorder=3, clip_on=False, **still)
ax.set(xlabel="max |change|")
ax.invert_yaxis()
plt.show()

# %%
# The same in one line, or before the step
# ----------------------------------------
# :py:func:`gradguide.changed` compares before and after a block.
# :py:func:`gradguide.explain` says before the step what will change: here three buffers
# with 7 numbers. Install gradguide with
# ``pip install git+https://github.com/gradguide/gradguide``.
import gradguide


def train_step():
    optimizer.zero_grad()
    model(torch.randn(16, 4)).square().mean().backward()
    optimizer.step()


with gradguide.changed(model) as names:
    train_step()
assert sorted(names) == sorted(moved)
report = gradguide.explain(model, optimizer=optimizer)
print(report.problems)
assert {row.verdict for row in report.problems} == {"moves"}
assert [row.name for row in report.problems] == moved[:3]

# %%
# Keep the statistics fixed, too, and compare again: only the last layer changes. By
# hand that is ``model[1].eval()`` after each ``train()``. :py:func:`gradguide.freeze`
# keeps them fixed in ``train()``, too.
model.train()
model[1].eval()
with gradguide.changed(model) as names:
    train_step()
assert names == ["2.weight", "2.bias"]
gradguide.freeze(model, "0", "1")
with gradguide.changed(model.train()) as names:
    train_step()
print(names)
assert names == ["2.weight", "2.bias"]

# %%
# How many parameters are trainable, and why does torchsummary show another number?
# ---------------------------------------------------------------------------------
# Count them yourself, for the whole model and for each part. torchsummary looks only at
# parameters that are named ``weight`` and ``bias``, and takes the ``requires_grad`` of
# the ``weight`` for both. So it leaves out an LSTM and an ``nn.Parameter`` of your own,
# and counts a layer that is called twice two times, see `torchsummary.py
# <https://github.com/sksq96/pytorch-summary/blob/master/torchsummary/torchsummary.py>`__,
# not run here. Buffers such as a running mean are not parameters. Shared weights count
# once. The number says which parameters may change, not that they do: for that, compare
# as above.


def count(module):
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    trainable = sum(size for size, requires_grad in sizes if requires_grad)
    return trainable, sum(size for size, _ in sizes) - trainable


network = nn.Sequential(nn.Linear(4, 3), nn.LSTM(3, 2), nn.Linear(2, 1))
network[0].requires_grad_(False)
network[2].weight.requires_grad_(False)
print(f"{'':10}trainable  frozen")
for name, part in [("all", network), *network.named_children()]:
    print(f"{name:10}{count(part)[0]:<11}{count(part)[1]}")
assert count(network) == (57, 17)
assert count(network[2]) == (1, 2)
assert not hasattr(network[1], "weight")

# %%
# Two checkpoints have identical weights: nothing was trained
# -----------------------------------------------------------
# First compare in memory, before and after one ``optimizer.step()``. If nothing moved
# there, look for one of these causes:
#
# - The optimizer holds parameters of another model: of a copy, or of one that was built
#   before. The model's own parameters have gradients, and no group holds them.
# - The optimizer holds no parameters. A generator that was already read gives an error,
#   but not if it is in a parameter group.
# - The rate is zero, or a scheduler made it zero.
# - ``.grad`` is None: everything is frozen, ``backward()`` is not called, or its loss
#   does not come from this model, see :doc:`/guide/how-autograd-decides`.
# - ``step()`` does not run: it is behind a condition that is never true, or a
#   ``GradScaler`` skips it because each gradient has an inf or NaN.
import copy


def one_step(cause):
    net = nn.Linear(2, 1)
    held = copy.deepcopy(net) if cause == "a copy" else net
    parameters = held.parameters()
    if cause == "generator was read":
        list(parameters)
    rate = 0.0 if cause == "lr=0" else 0.1
    optimizer = torch.optim.SGD([{"params": parameters}], lr=rate)
    before = net.weight.detach().clone()
    if cause != "no backward()":
        net(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    ids = {id(p) for group in optimizer.param_groups for p in group["params"]}
    in_a_group = id(net.weight) in ids
    return in_a_group, net.weight.grad is not None, not net.weight.equal(before)


causes = ("none", "a copy", "generator was read", "lr=0", "no backward()")
rows = {cause: one_step(cause) for cause in causes}
print(f"{'cause':20}in a group  gradient  moved")
for cause, row in rows.items():
    print(f"{cause:20}{row[0]!s:12}{row[1]!s:10}{row[2]}")
assert rows["none"] == (True, True, True)
assert rows["a copy"] == rows["generator was read"] == (False, True, False)
assert rows["lr=0"] == (True, True, False)
assert rows["no backward()"] == (True, False, False)

# %%
# The loss does not fall with ``optimizer.step()``, but with a manual update it does
# ----------------------------------------------------------------------------------
# The loss does not decrease, or goes up and down, although ``step()`` is called.
# ``p.data.add_(p.grad, alpha=-lr)`` writes to the model that you have now.
# ``optimizer.step()`` writes to the parameters that the optimizer was given. If the
# line ``model = ...`` ran again after that, or a layer was replaced, these are the old
# ones. In a notebook it is enough to run the cell of the model again and not the one of
# the optimizer. Make the optimizer after the last line that makes or changes the model.
# The check: is each trainable parameter in a group? For layers that you replace, see
# :doc:`/gallery/recipes/replacing_parameters`.


def not_held(sgd, net):
    held = {id(p) for group in sgd.param_groups for p in group["params"]}
    trainable = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
    return [n for n, p in trainable if id(p) not in held]


data = torch.randn(64, 2)
for is_made_again in (True, False):  # wrong, right
    torch.manual_seed(0)
    rnn = nn.Linear(2, 1)
    sgd = torch.optim.SGD(rnn.parameters(), lr=0.1)
    if is_made_again:
        rnn = nn.Linear(2, 1)
    losses = []
    for _ in range(20):
        rnn.zero_grad()
        loss = (rnn(data) - data.sum(1, keepdim=True)).square().mean()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    print(f"{losses[0]:.2f} -> {losses[-1]:.2f}", not_held(sgd, rnn))
    assert (losses[-1] < losses[0] / 2) != is_made_again
    assert bool(not_held(sgd, rnn)) == is_made_again
for p in rnn.parameters():  # a manual update needs no optimizer
    p.data.add_(p.grad, alpha=-0.1)
assert (rnn(data) - data.sum(1, keepdim=True)).square().mean() < losses[-1]

# %%
# Only the checkpoints are identical
# ----------------------------------
# If the weights of the model change in training and only the saved ones are equal, the
# mistake is in the saving: another model than the one that trains is saved, or the list
# of states holds ``model.state_dict()`` itself. All its entries are the same tensors,
# and show the latest weights. Save at once, or copy with ``copy.deepcopy``.
kept, copied = [], []
for _ in range(2):
    train_step()
    kept.append(model.state_dict())
    copied.append(copy.deepcopy(model.state_dict()))
for states in (kept, copied):
    print(states[0]["2.weight"].equal(states[1]["2.weight"]))
assert kept[0]["2.weight"].equal(kept[1]["2.weight"])
assert not copied[0]["2.weight"].equal(copied[1]["2.weight"])

# %%
# The frozen weights in two checkpoints differ a little: which keys, and why?
# ---------------------------------------------------------------------------
# List the keys that differ, with the largest difference, before you doubt the freeze:
#
# - Only ``running_mean``, ``running_var`` and ``num_batches_tracked`` differ: batch
#   norm, as above.
# - All keys differ, by up to 0.05%: one of the files was saved in half precision. YOLO
#   and others call ``half()`` before they save.
# - All keys differ, by up to 0.02%: the file has a moving average of the weights (EMA),
#   as that of `YOLOX
#   <https://github.com/Megvii-BaseDetection/YOLOX/blob/main/yolox/utils/ema.py>`__.
#   ``average * 0.9999 + weight * 0.0001`` is rounded, also if both are equal, and the
#   errors add up. ``lerp_()`` has no such error.
# - The keys of the batch norm are missing: the file has the fused model, see
#   :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`.
# - All keys differ by much: another run, or the model was initialized again.


def differing(one, other):
    pairs = ((name, one[name], other[name]) for name in one if name in other)
    return {
        name: (a.float() - b.float()).abs().max().item()
        for name, a, b in pairs
        if not a.float().equal(b.float())
    }


layer = nn.Linear(64, 64).requires_grad_(False)
before = {name: value.clone() for name, value in layer.state_dict().items()}
average, with_lerp = copy.deepcopy(before), copy.deepcopy(before)
for _ in range(50):
    for name, value in layer.state_dict().items():
        average[name] *= 0.9999
        average[name] += (1 - 0.9999) * value
        with_lerp[name].lerp_(value, 1 - 0.9999)
files = {
    "frozen": layer.state_dict(),
    "half()": {name: value.half() for name, value in before.items()},
    "average": average,
    "lerp_()": with_lerp,
}
for name, file in files.items():
    print(f"{name:9}{len(differing(before, file))} of 2 differ")
assert not differing(before, files["frozen"])
assert not differing(before, with_lerp)
for name in ("half()", "average"):
    assert 0 < max(differing(before, files[name]).values()) < 1e-4

# %%
# I froze the layers, and the loss still falls and the accuracy rises: is that normal?
# ------------------------------------------------------------------------------------
# Yes, if anything is left that trains: the head learns on fixed features. It proves
# nothing about the freeze. The frozen *output* also changes from batch to batch,
# because its input does, and it has a ``grad_fn`` if a layer before it trains. Look at
# three things of the frozen parameters only: ``requires_grad`` is False, ``.grad`` is
# None after ``backward()``, and the values are equal after ``step()``. If everything is
# frozen, the loss does not fall: ``backward()`` raises an error.
frozen_part, top = nn.Linear(4, 8).requires_grad_(False), nn.Linear(8, 1)
x, kept_weight, losses = torch.randn(32, 4), frozen_part.weight.clone(), []
adam = torch.optim.Adam([*frozen_part.parameters(), *top.parameters()], lr=0.05)
for _ in range(10):
    adam.zero_grad()
    loss = (top(frozen_part(x)) - 1).square().mean()
    loss.backward()
    adam.step()
    losses.append(loss.item())
print("the loss falls:", losses[-1] < losses[0] / 2)
print("frozen:", frozen_part.weight.grad, frozen_part.weight.equal(kept_weight))
assert losses[-1] < losses[0] / 2
assert frozen_part.weight.grad is None
assert frozen_part.weight.equal(kept_weight)

# %%
# Only the detection head trains, and the frozen segmentation gets worse
# ----------------------------------------------------------------------
# The weights of the frozen head are the same, but its input is not: the encoder that
# the heads share still trains for the detection, and its features move away from those
# that the segmentation has learned. With the losses of the other tasks at 0, nothing
# holds them. Freeze what the tasks share, too (backbone and neck), put all that is
# frozen into ``eval()`` after each ``model.train()``, because of batch norm, and give
# the optimizer the detection head only. If the encoder must train, train all tasks
# together, or add a loss towards the outputs of the old model (distillation). To see
# what has moved, compare the whole ``state_dict()``, buffers included:
import copy


def multi_task():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    heads = {"detect": nn.Linear(8, 1), "segment": nn.Linear(8, 1)}
    return nn.ModuleDict({"encoder": encoder, **heads})


def segmentation(model, x):
    model.eval()
    with torch.no_grad():
        return model["segment"](model["encoder"](x))


x, drift = torch.randn(64, 4), {}
for name, frozen, in_eval in (
    ("head", ["segment"], []),
    ("head, encoder", ["segment", "encoder"], []),
    ("head, encoder in eval()", ["segment", "encoder"], ["encoder"]),
):
    model = multi_task()
    old = copy.deepcopy(model)
    for part in frozen:
        model[part].requires_grad_(False)
    adam = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 0.05)
    for _ in range(10):
        model.train()
        for part in in_eval:
            model[part].eval()
        loss = (model["detect"](model["encoder"](x)) - 1).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    now = model.state_dict()
    moved = {
        key.split(".")[0]
        for key, value in old.state_dict().items()
        if not value.equal(now[key])
    }
    drift[name] = (segmentation(model, x) - segmentation(old, x)).abs().max().item()
    print(f"{name:24}moved: {sorted(moved)}, segmentation moved: {drift[name] > 0}")
    assert "segment" not in moved
assert drift["head"] > drift["head, encoder"] > 0.01
assert drift["head, encoder in eval()"] == 0

# %%
# requires_grad is True again: what sets it back?
# -----------------------------------------------
# Not ``train()``, ``to()``, ``half()``, ``zero_grad()``, ``load_state_dict()``,
# ``deepcopy`` or a parametrization: they all leave it as it is. What does is a call of
# ``requires_grad_(True)`` in code that you did not write (a trainer, ``unfreeze()``,
# ``enable_...``), and *new* parameters: a layer that is replaced, ``nn.Parameter(...)``
# around a frozen weight, a model that is built again, ``nn.utils.weight_norm()``,
# ``remove_weight_norm()`` and ``remove_spectral_norm()`` of older code (those in
# ``nn.utils.parametrizations`` keep ``requires_grad``). A new model from the same
# checkpoint is not frozen either, because a ``state_dict()`` has no ``requires_grad``.
# To find the line, compare after each call, or look for the ``id()`` of the parameter:
# if it is another one, it was replaced. Trainers that do this:
# :doc:`/gallery/frameworks/trainers_that_set_your_flags`.
CALLS = {
    "train()": lambda m: m.train(),
    "to(torch.float64)": lambda m: m.to(torch.float64),
    "load_state_dict()": lambda m: m.load_state_dict(m.state_dict()),
    "load_state_dict(assign=True)": lambda m: m.load_state_dict(
        nn.Linear(2, 2).state_dict(), assign=True
    ),
    "reset_parameters()": lambda m: m.reset_parameters(),
    "weight_norm(m)": nn.utils.parametrizations.weight_norm,
    "remove_spectral_norm(m)": lambda m: nn.utils.remove_spectral_norm(
        nn.utils.spectral_norm(m)
    ),
    "nn.Parameter(m.weight)": lambda m: setattr(m, "weight", nn.Parameter(m.weight)),
}
for line, call in CALLS.items():
    m = nn.Linear(2, 2).requires_grad_(False)
    call(m)
    is_back = any(p.requires_grad for p in m.parameters())
    print(f"{line:29}{is_back}")
    assert is_back == line.startswith(("nn.Parameter", "remove_spectral_norm"))

# %%
# Where it ends
# -------------
# A value that differs has changed, unless it is NaN, which is not equal to itself. The
# reverse does not hold: a parameter can train and still have the same value after one
# step.
#
# - A warm-up can begin with a learning rate of zero.
# - A small update is rounded away, above all in ``bfloat16``.
# - Some gradients are zero in this batch, as for a row of an embedding that is not
#   looked up.
#
# So look at ``requires_grad``, too, and compare after several steps.
nan = torch.tensor([float("nan")])
assert not nan.equal(nan.clone())
weight = nn.Parameter(torch.full((2,), 1000.0, dtype=torch.bfloat16))
weight.grad = torch.ones_like(weight)
warm_up = nn.Parameter(torch.ones(2))
warm_up.grad = torch.ones(2)
for parameter, rate in ((weight, 0.1), (warm_up, 0.0)):
    old = parameter.clone()
    torch.optim.SGD([parameter], lr=rate).step()
    assert parameter.equal(old)
table = nn.Embedding(3, 2)
table(torch.tensor([0, 1])).sum().backward()
assert not table.weight.grad[2].any()

# %%
# Two short cuts do not work. ``state_dict()`` lacks buffers that are not persistent:
# ``named_buffers()`` has them. And the counter ``_version`` does not count every write:
# batch norm updates its mean without it.
norm = nn.BatchNorm1d(3)
norm.register_buffer("calls", torch.zeros(1), persistent=False)
assert "calls" not in norm.state_dict()
assert "calls" in dict(norm.named_buffers())
mean, version = norm.running_mean.clone(), norm.running_mean._version
norm(torch.randn(8, 3))
print(norm.running_mean._version - version)
assert norm.running_mean._version == version
assert not norm.running_mean.equal(mean)

# %%
# Put this comparison into your tests.
#
# Related: :doc:`freeze_by_name`, :doc:`/gallery/still-moves/stale_gradients`,
# :doc:`/gallery/diagnose/will_it_really_stay_frozen`.
