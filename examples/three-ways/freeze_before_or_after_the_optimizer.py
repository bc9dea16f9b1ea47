"""
Frozen, and it still changes: step() applies the old .grad
==========================================================

The optimizers of ``torch.optim`` read ``.grad``, not ``requires_grad``. A gradient left
from before the freeze is applied again, and the frozen weight moves. Set ``p.grad =
None`` when you freeze. With LBFGS, also build a new optimizer.
"""

# %%
import torch

w = torch.nn.Parameter(torch.ones(2))
w.sum().backward()
w.requires_grad_(False)  # wrong: the gradient is still in w.grad
optimizer = torch.optim.SGD([w], lr=0.25)  # after the freeze: no help
optimizer.step()
print(w.requires_grad, w.tolist())
assert w.tolist() == [0.75, 0.75]
w.grad = None  # right
optimizer.step()
print(w.requires_grad, w.tolist())
assert w.tolist() == [0.75, 0.75]

# %%
# Freeze after the optimizer: four situations
# -------------------------------------------
# Should you freeze before or after creating the optimizer? The order alone changes
# nothing. A parameter that was frozen *after* may still be updated. It depends on what
# the next ``step()`` finds in ``w.grad``:
#
# - ``None``: ``w`` is frozen, then ``zero_grad()`` runs, as in the usual loop.
# - ``zero``: ``w`` is frozen, then ``zero_grad(set_to_none=False)`` runs.
# - ``old``: ``w`` is frozen after ``step()``, and nothing clears its gradient.
# - ``new``: ``w`` is frozen between ``backward()`` and ``step()``.


def moves(name, options, situation, *, cure=False):
    w = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    v = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = getattr(torch.optim, name)([w, v], lr=0.1, **options)
    (w * v).sum().backward()
    if situation != "new":
        optimizer.step()
    before = w.detach().clone()
    w.requires_grad_(False)
    if cure:
        w.grad = None
    if situation in ("None", "zero"):
        optimizer.zero_grad(set_to_none=situation == "None")
    (w * v).sum().backward()  # reaches v alone
    optimizer.step()
    return not torch.equal(w, before)


names = ["SGD", "RMSprop", "Adagrad", "Adam", "AdamW"]
optimizers = [(name, {}) for name in names] + [
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"weight_decay": 0.1}),
    ("Adam", {"weight_decay": 0.1}),
]
situations = ["None", "zero", "old", "new"]
moved = {s: [moves(*o, s) for o in optimizers] for s in situations}
for situation, row in moved.items():
    print(f"w.grad: {situation:4}  moves: {sum(row)}/{len(row)}")
assert [sum(row) for row in moved.values()] == [0, 5, 8, 8]
assert moved["zero"] == 3 * [False] + 5 * [True]

# %% tags=["hide-input"]
# Hatched: frozen and unchanged. Open: changed. These optimizers skip a parameter whose
# ``.grad`` is None: not even weight decay touches ``w``. Zero means *a step with
# gradient zero* (:torch:`torch.optim.Optimizer.zero_grad`), which momentum, weight
# decay and Adam's averages turn into a move.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for situation, row in moved.items():
    for (name, options), move in zip(optimizers, row, strict=True):
        look = {"ec": "C0"} if move else {"ec": "C1", "hatch": "//////"}
        label = f"{name} {options or ''}"
        ax.scatter(situation, label, s=120, marker="s", fc="none", lw=2, **look)
ax.set(xlabel="w.grad")
ax.margins(0.15, 0.08)
ax.invert_yaxis()
plt.show()

# %%
# How to freeze in the middle of training
# ---------------------------------------
# Set ``p.grad = None`` where you set ``requires_grad`` to False. Then ``w`` changes in
# none of the 32 cases, nor with the ``foreach`` and ``fused`` variants, nor with these
# seven other optimizers.
assert not any(moves(*o, s, cure=True) for o in optimizers for s in situations)
variants = [(name, {"foreach": True}) for name in names]
variants += [(name, {"fused": True}) for name in ("SGD", "Adam", "AdamW")]
others = "Adadelta", "Adafactor", "Adamax", "ASGD", "NAdam", "RAdam", "Rprop"
variants += [(name, {}) for name in others]
assert all(moves(*o, "old") for o in variants)
assert not any(moves(*o, s, cure=True) for o in variants for s in situations)

# %%
# Where it ends
# -------------
# - LBFGS puts zeros in place of None, and updates ``w`` from its history. Build a new
#   one for the parameters that still train.
# - An ``nn.Embedding`` with ``max_norm`` rescales its frozen weight in the forward
#   pass, whatever is in ``.grad``.
w, v = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))


def closure():
    w.grad = v.grad = None
    loss = (w * v - 2.0).square().sum()
    loss.backward()
    return loss


optimizer = torch.optim.LBFGS([w, v], lr=0.1)
optimizer.step(closure)
w.requires_grad_(False).grad = None
still = []
for lbfgs in optimizer, torch.optim.LBFGS([v], lr=0.1):
    before = w.clone()
    lbfgs.step(closure)
    still.append(w.equal(before))
assert w.grad is None
assert still == [False, True]
embedding = torch.nn.Embedding(1, 2, max_norm=0.1).requires_grad_(False)
before = embedding.weight.clone()
embedding(torch.tensor([0]))
assert not embedding.weight.equal(before)

# %%
# Related: :doc:`filter_parameters_into_the_optimizer`, :doc:`through_or_blocked`,
# :doc:`/gallery/still-moves/stale_gradients`.
