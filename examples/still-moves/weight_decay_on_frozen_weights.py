"""
Weight decay does not shrink a frozen weight whose .grad is None
================================================================

You need no filter: PyTorch's optimizers with ``weight_decay`` skip a parameter whose
``.grad`` is None. A ``.grad`` of zeros is not skipped: then the frozen weight shrinks.
"""

# %%
# A weight is frozen after a backward, and five more steps follow. The one difference is
# how ``zero_grad()`` clears the gradient.
import torch

weights = {}
for to_none in (False, True):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5)
    weight.sum().backward()
    weight.requires_grad_(False)
    for _ in range(5):
        optimizer.zero_grad(set_to_none=to_none)
        optimizer.step()
    weights[to_none] = weight.item()
    print(f"zero_grad(set_to_none={to_none}): {weights[to_none]:.3f}")
assert weights[False] < 0.8
assert weights[True] == 1

# %%
# Which optimizers does this hold for?
# ------------------------------------
# Weight decay is a part of the update of a parameter. These optimizers skip the update
# if ``.grad`` is None, with ``foreach`` and ``fused``, too. With zeros the update takes
# place, and each of the five below shrinks the frozen weight.
OPTIMIZERS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"]


def after_five_steps(name, grad, **options):
    frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    trained = torch.nn.Parameter(torch.ones(1))
    frozen.grad = grad
    build = getattr(torch.optim, name)
    optimizer = build([frozen, trained], lr=0.1, weight_decay=0.5, **options)
    for _ in range(5):
        trained.grad = None
        (frozen * trained).sum().backward()
        optimizer.step()
    return frozen.item()


none = [after_five_steps(name, None) for name in OPTIMIZERS]
zero = [after_five_steps(name, torch.zeros(1)) for name in OPTIMIZERS]
for name, with_none, with_zero in zip(OPTIMIZERS, none, zero, strict=True):
    print(f"{name:8} None: {with_none:.3f}  zeros: {with_zero:.3f}")
assert none == [1.0] * 5
assert all(value < 1 for value in zero)
for name in [*OPTIMIZERS, "NAdam", "RAdam", "Adamax", "Adadelta", "ASGD", "Adafactor"]:
    assert after_five_steps(name, None, foreach=True) == 1
for name in ("SGD", "Adam", "AdamW", "Adagrad"):
    assert after_five_steps(name, None, fused=True) == 1

# %% tags=["hide-input"]
# The frozen weight, which began at 1, after five steps. Hatched: its gradient is None.
# Dashed: its gradient is zero, and weight decay shrinks it.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
places = range(len(OPTIMIZERS))
ax.bar([p - 0.2 for p in places], none, 0.36, fc="none", ec="C1", hatch="////", lw=2)
ax.bar([p + 0.2 for p in places], zero, 0.36, fc="none", ec="C2", ls="--", lw=2)
ax.set_xticks(places, OPTIMIZERS)
ax.set(ylabel="frozen weight")
plt.show()

# %%
# What about a penalty in the loss?
# ---------------------------------
# If you add the squares of the weights to the loss yourself, autograd computes the
# decay, and gives a frozen weight no gradient.
frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
trained = torch.nn.Parameter(torch.ones(1))
(0.5 * (frozen.square() + trained.square()).sum()).backward()
assert frozen.grad is None
assert trained.grad.item() == 1

# %%
# ``no_decay``: which parameters do ``bias`` and ``LayerNorm.weight`` match?
# --------------------------------------------------------------------------
# The names are those of BERT. ``nn.TransformerEncoder`` has ``norm1.weight``, GPT-2
# ``ln_1.weight``, LLaMA ``input_layernorm.weight``: the list matches none of these, so
# the norms get weight decay, without an error. Sort by the number of dimensions, or
# print what is in the group. Whether frozen parameters are in a group makes no
# difference, since their ``.grad`` is None.
model = torch.nn.TransformerEncoderLayer(4, 2, 8)
model.norm2.requires_grad_(False)
named = dict(model.named_parameters())
words = ["bias", "LayerNorm.weight"]
by_name = {name for name in named if any(word in name for word in words)}
by_shape = {name for name, p in named.items() if p.ndim < 2}
print("missed:", sorted(by_shape - by_name))
assert sorted(by_shape - by_name) == ["norm1.weight", "norm2.weight"]
assert by_name < by_shape
groups = [
    {"params": [p for p in named.values() if p.ndim >= 2], "weight_decay": 0.5},
    {"params": [p for p in named.values() if p.ndim < 2], "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(groups, lr=0.1)
model(torch.ones(3, 1, 4)).square().sum().backward()
optimizer.step()
assert (model.norm2.weight == 1).all()

# %%
# Frozen weights change with ``adam_onecycle``, but not with ``adam``
# -------------------------------------------------------------------
# Some libraries wrap the optimizer and apply the weight decay themselves, in the style
# of ``true_wd`` in fastai 1: before each ``step()`` they multiply every weight of their
# groups by ``1 - wd * lr``, whether it has a gradient or not. Give the wrapper only the
# trainable parameters, let its loop skip those with ``requires_grad=False``, or set its
# decay to 0. OpenPCDet's wrapper for ``adam_onecycle`` now leaves out what is frozen
# when it is built, and skips what is frozen later (`fastai_optim.py
# <https://github.com/open-mmlab/OpenPCDet/blob/master/tools/train_utils/optimization/fastai_optim.py>`__,
# read, not run). So compare your copy with it. What still moves are the running
# statistics of batch norm: :doc:`frozen_batch_norm_still_moves`.


def step_with_true_wd(optimizer, wd, *, skips_frozen):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.requires_grad or not skips_frozen:
                parameter.data.mul_(1 - wd * group["lr"])
    optimizer.step()


for skips_frozen in (False, True):
    frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    trained = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.Adam([frozen, trained], lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (frozen * trained).sum().backward()
        step_with_true_wd(optimizer, 0.5, skips_frozen=skips_frozen)
    print(f"{skips_frozen=}: {frozen.item():.3f}, {frozen.grad}")
    assert frozen.grad is None
    assert (frozen == 1) == skips_frozen

# %%
# Where it ends
# -------------
# A part of a parameter has no ``.grad`` of its own. If you keep its gradient at zero
# with a mask or a hook, weight decay shrinks that part. A decay that you write yourself
# also shrinks what is frozen, unless you check ``requires_grad``.
table = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.AdamW([table], lr=0.1, weight_decay=0.5)
table.register_hook(lambda grad: grad * torch.tensor([0.0, 1.0]))
table.sum().backward()
optimizer.step()
print(table.detach())
assert table.grad[0] == 0
assert table[0] < 1
with torch.no_grad():
    for parameter in (frozen, trained):
        parameter.mul_(0.95)
assert frozen < 1

# %%
# Freeze, set ``.grad`` to None, and keep ``zero_grad()`` at its default
# (:torch:`torch.optim.Optimizer.zero_grad`). Then weight decay needs no filter.
#
# Related: :doc:`stale_gradients`, :doc:`/gallery/graph/zero_is_not_none`,
# :doc:`/gallery/three-ways/filter_parameters_into_the_optimizer`.
