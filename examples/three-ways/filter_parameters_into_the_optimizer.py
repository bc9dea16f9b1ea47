"""
Freeze the layer, not one name, and filter for the optimizer
============================================================

A freeze by exact name misses the bias, and the layer still trains. And a frozen
parameter is in the optimizer unless you leave it out. With Adam that is harmless if its
``.grad`` is None; with LBFGS it is not.
"""

# %%
import torch
from torch import nn

model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
for n, p in model.named_parameters():
    if n == "0.weight":  # wrong: misses 0.bias
        p.requires_grad = False
print([p.requires_grad for p in model.parameters()])
model[0].requires_grad_(False)  # right
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.Adam(trainable)
print([p.requires_grad for p in model.parameters()])
assert len(trainable) == 2


# %%
# Why does my frozen layer still train?
# -------------------------------------
# The usual code freezes one parameter by name, and gives the optimizer the parameters
# that still train. ``conv1.0.weight`` matches the weight alone: after one step the
# weight is unchanged, and the bias of the same layer is not.
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
        self.out = nn.Linear(72, 2)

    def forward(self, images):
        return self.out(self.conv1(images).flatten(1))


torch.manual_seed(0)
cnn = CNN()
for n, p in cnn.named_parameters():
    print(n, p.requires_grad)  # four times True: the line that freezes comes after
    if n == "conv1.0.weight":
        p.requires_grad = False
trainable = filter(lambda p: p.requires_grad, cnn.parameters())
optimizer = torch.optim.Adam(trainable, lr=0.1)

before = {n: p.clone() for n, p in cnn.named_parameters()}
cnn(torch.randn(4, 1, 8, 8)).sum().backward()
optimizer.step()
for n, p in cnn.named_parameters():
    print(f"{n} unchanged: {torch.equal(p, before[n])}")
assert torch.equal(cnn.conv1[0].weight, before["conv1.0.weight"])
assert not torch.equal(cnn.conv1[0].bias, before["conv1.0.bias"])

# %%
# Is a frozen parameter in the optimizer?
# ---------------------------------------
# Yes, if you pass it. It is a common belief that freezing first is enough, but the
# order makes no difference to what the optimizer holds. With Adam, leaving it in costs
# an entry in a list: Adam creates state for a parameter at its first update, and does
# not update a parameter whose ``.grad`` is None.
unfiltered = torch.optim.Adam(cnn.parameters(), lr=0.1)  # built after the freeze
unfiltered.step()
assert len(optimizer.param_groups[0]["params"]) == 3
assert len(unfiltered.param_groups[0]["params"]) == 4
assert len(unfiltered.state) == 3
assert torch.equal(cnn.conv1[0].weight, before["conv1.0.weight"])

# %%
# ``optimizing a parameter that doesn't require gradients``
# ---------------------------------------------------------
# With this text, the optimizers of old versions, such as 0.3, refused a frozen
# parameter (quoted, not run). PyTorch `dropped it in May 2018
# <https://github.com/pytorch/pytorch/pull/7419>`__. In such a version, and in code for
# both, filter as above. Today even an optimizer that holds only frozen parameters can
# be built, and its step changes nothing.
frozen = nn.Linear(2, 1).requires_grad_(False)
start = frozen.weight.clone()
torch.optim.SGD(frozen.parameters(), lr=0.1, weight_decay=0.1).step()
assert torch.equal(frozen.weight, start)

# %%
# Is it enough to leave them out of the optimizer?
# ------------------------------------------------
# Then they don't change. But as long as they require a gradient, ``backward()``
# computes it and adds it to ``.grad``, and the optimizer's ``zero_grad()`` clears only
# what the optimizer holds. That costs memory and time, and the old gradients are still
# in ``.grad`` if you add the parameters later. Freeze them as well, and no gradient is
# computed for them: :doc:`/gallery/cost/work_that_freezing_saves`.
net, images = CNN(), torch.randn(4, 1, 8, 8)
only_out, kept = torch.optim.Adam(net.out.parameters(), lr=0.1), []
for is_frozen in (False, True):
    net.conv1.requires_grad_(not is_frozen)
    net.zero_grad()
    for _ in range(2):
        only_out.zero_grad()
        net(images).sum().backward()
        gradient = net.conv1[0].bias.grad
        kept.append(None if gradient is None else gradient.clone())
print([gradient is not None for gradient in kept])
assert kept[0].any()
assert kept[1].allclose(2 * kept[0])
assert kept[2:] == [None, None]

# %%
# Trainable params 941 M in the summary of Lightning: is the U-Net not frozen?
# ----------------------------------------------------------------------------
# The summary (``ModelSummary``) counts the parameters with ``requires_grad=True``
# (`source
# <https://github.com/Lightning-AI/pytorch-lightning/blob/master/src/lightning/pytorch/utilities/model_summary/model_summary.py>`__),
# and does not look at the optimizer. If ``configure_optimizers()`` passes the control
# module only, the U-Net does not change: it is frozen in effect, whatever the summary
# says. Count what is in ``optimizer.param_groups``. Still, call
# ``unet.requires_grad_(False)``: otherwise its gradients are computed and kept, which
# takes 3.5 GB in float32 for 865 M parameters. The control module gets the same
# gradient, because gradients flow *through* a frozen U-Net. Do not run it in
# ``no_grad()``. If the checkpointing of LDM then fails:
# :doc:`/reference/errors/one_of_the_differentiated_tensors_does_not_require_grad`.
control, unet = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
both = nn.ModuleDict({"control": control, "unet": unet})
of_control, x, start = [], torch.ones(2, 4), unet[0].weight.clone()
for is_frozen in (False, True):
    unet.requires_grad_(not is_frozen)
    both.zero_grad()
    optimizer = torch.optim.SGD(control.parameters(), lr=0.1)
    unet(control(x)).sum().backward()
    optimizer.step()
    summary = sum(p.numel() for p in both.parameters() if p.requires_grad)
    updated = sum(p.numel() for g in optimizer.param_groups for p in g["params"])
    kept_for = sum(p.numel() for p in unet.parameters() if p.grad is not None)
    print(
        f"summary {summary}, updated {updated}, gradients kept for the U-Net {kept_for}"
    )
    assert [summary, updated, kept_for] == ([20, 20, 0] if is_frozen else [69, 20, 49])
    of_control.append(control.weight.grad.clone())
assert torch.equal(unet[0].weight, start)
assert of_control[0].any()
assert torch.equal(*of_control)

# %%
# "optimizer got an empty parameter list"
# ---------------------------------------
# When everything is frozen, the filter leaves nothing. Another cause: a ``filter`` can
# be read once. The first optimizer empties it, and a second one gets nothing. Make it
# a list to use it again.
assert list(trainable) == []
cnn.requires_grad_(False)
for parameters in (filter(lambda p: p.requires_grad, cnn.parameters()), trainable):
    try:
        torch.optim.Adam(parameters, lr=0.1)
    except ValueError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("an optimizer was built on nothing")

# %%
# Gradients are not clipped: ``clip_grad_norm_()`` got a filter that is used up
# -----------------------------------------------------------------------------
# The optimizer reads a ``filter`` to its end. Then ``clip_grad_norm_(trainable, 1.0)``
# finds nothing: it returns 0 and clips nothing, without an error, as in `LoRA scripts
# <https://github.com/PixArt-alpha/PixArt-alpha/pull/160>`__ with
# ``lora_layers = filter(...)``. The same happens to ``params = model.parameters()``;
# there, PyTorch 2.13 warns ``is an empty generator, no gradient clipping will occur``.
# ``sum(p.numel() for p in trainable)`` uses them up, too. Make a list of it once.
import warnings

net.requires_grad_(True)
norms = []
for collect in (iter, list):  # wrong, right
    trainable = collect(filter(lambda p: p.requires_grad, net.parameters()))
    optimizer = torch.optim.Adam(trainable)
    optimizer.zero_grad()
    (100 * net(images)).sum().backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        norms.append(nn.utils.clip_grad_norm_(trainable, 1.0).item())
    squares = sum(p.grad.square().sum() for p in net.parameters())
    print(f"{collect.__name__:5}returns 0: {norms[-1] == 0}, clipped: {squares < 1.01}")
    assert (squares < 1.01) == (collect is list)
assert norms[0] == 0
assert norms[1] > 1

# %%
# A wrong name freezes nothing, without an error
# ----------------------------------------------
# Here are three conditions on ``n``. The first one forgets the ``0`` of the
# ``Sequential``, and is False for every name.
matches = {
    'n ==\n"conv1.weight"': lambda n: n == "conv1.weight",
    'n ==\n"conv1.0.weight"': lambda n: n == "conv1.0.weight",
    'n.startswith(\n"conv1.")': lambda n: n.startswith("conv1."),
}
assert [sum(map(match, before)) for match in matches.values()] == [0, 1, 2]

# %% tags=["hide-input"]
# What each of the three would freeze (hatched): nothing, the weight, the whole layer.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for n in reversed(before):
    for code, match in matches.items():
        look = {"ec": "C1", "hatch": "////"} if match(n) else {"ec": "C0"}
        ax.scatter(code, n, s=500, marker="s", fc="none", lw=2, **look)
ax.margins(0.17, 0.2)
plt.show()

# %%
# ``clip_grad_norm_()``: all parameters, or only the trainable ones?
# ------------------------------------------------------------------
# It makes no difference for what was frozen from the start: ``clip_grad_norm_()`` skips
# parameters whose ``.grad`` is None, as the optimizer does. It does make a difference
# for a parameter that is in no optimizer, but still gets a gradient, and for one that
# was frozen with its old ``.grad``: these count in the norm, and all others are scaled
# down for nothing. Pass what the optimizer holds. It is clipped once for all groups
# together; to clip the head and the backbone separately, call it for each. With
# accumulation, call it once, before ``step()``.
backbone, head = nn.Linear(2, 2), nn.Linear(2, 1)
both = [*backbone.parameters(), *head.parameters()]
norms = {}
for way in ("frozen", "not in the optimizer"):
    backbone.requires_grad_(way != "frozen").zero_grad()
    head.zero_grad()
    (100 * head(backbone(torch.ones(1, 2)))).sum().backward()
    of_head = nn.utils.clip_grad_norm_(head.parameters(), 1e9)
    norms[way] = torch.equal(nn.utils.clip_grad_norm_(both, 1e9), of_head)
    print(f"{way}: the norm is that of the head alone: {norms[way]}")
assert norms == {"frozen": True, "not in the optimizer": False}

# %%
# Where it ends
# -------------
# - Adagrad creates its state when it is built, for frozen parameters, too.
# - LBFGS also updates a frozen parameter that it holds, from its history
#   (:doc:`freeze_before_or_after_the_optimizer`). Filter, and build it after freezing.
# - Frameworks such as DeepSpeed can copy what the optimizer holds into buffers of their
#   own. Filter for these, too, and leave out the groups that are then empty:
#   :doc:`/reference/errors/expected_a_non_empty_list_of_tensors`.
# - The state of an optimizer with another number of parameters can't be loaded. Save
#   and load with the same filter.
cnn = CNN()
cnn.conv1.requires_grad_(False)
assert [p.requires_grad for p in cnn.parameters()] == [False, False, True, True]
adagrad = torch.optim.Adagrad(cnn.parameters())
assert len(adagrad.state) == 4
filtered = torch.optim.Adam([p for p in cnn.parameters() if p.requires_grad])
unfiltered = torch.optim.Adam(cnn.parameters())
try:
    filtered.load_state_dict(unfiltered.state_dict())
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("state was loaded for another number of parameters")

# %%
# Related: :doc:`freeze_before_or_after_the_optimizer`, :doc:`through_or_blocked`,
# :doc:`which_one_do_i_need`.
