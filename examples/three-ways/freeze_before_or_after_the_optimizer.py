"""
Freezing after the optimizer is safe only if .grad is None
==========================================================

``step()`` reads ``.grad``, never ``requires_grad``. A gradient left from before the
freeze is applied again, and the frozen weight moves. The cure: ``p.grad = None``.
"""

# %%
# Why does a frozen parameter still change?
# -----------------------------------------
# ``w`` requires no gradient, yet one lies in its ``.grad``. ``step()`` applies it.
import torch

w = torch.nn.Parameter(torch.ones(2), requires_grad=False)
w.grad = torch.ones(2)
torch.optim.SGD([w], lr=0.25).step()
print(w.requires_grad, w.tolist())
assert w.tolist() == [0.75, 0.75]

# %%
# Freeze after the optimizer: four situations
# -------------------------------------------
# A common belief: a parameter frozen *after* the optimizer was built is no longer
# updated. It depends on what the next ``step()`` finds in ``w.grad``:
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
# Frozen and still (hatched), or moved (open). None means *skip this one*: not even
# weight decay touches ``w``. Zero means *a step with gradient zero*
# (:torch:`torch.optim.Optimizer.zero_grad`), which momentum, weight decay and Adam's
# averages turn into a move.
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
# How to freeze at any time
# -------------------------
# Set ``p.grad = None`` where you set ``requires_grad`` to False. Then ``w`` moves in
# none of the 32 cases.
assert not any(moves(*o, s, cure=True) for o in optimizers for s in situations)

# %%
# Related: :doc:`filter_parameters_into_the_optimizer`, :doc:`through_or_blocked`,
# :doc:`which_one_do_i_need`.
