"""
``Adam does not support sparse gradients, please consider SparseAdam instead``
==============================================================================

An ``nn.Embedding(..., sparse=True)`` has a sparse gradient, and the rest of the model
has dense ones. Give the embedding an optimizer of its own, ``SparseAdam`` or ``SGD``,
or leave out ``sparse=True``.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
table, head = nn.Embedding(1000, 4, sparse=True), nn.Linear(4, 1)
ids = torch.tensor([3, 7])
# Wrong: one Adam for both.
wrong = [torch.optim.Adam([*table.parameters(), *head.parameters()])]
# Right: an optimizer for each kind of gradient.
right = [
    torch.optim.SparseAdam(table.parameters()),
    torch.optim.Adam(head.parameters()),
]
for optimizers in (wrong, right):
    table.zero_grad()
    head.zero_grad()
    head(table(ids)).sum().backward()
    try:
        for optimizer in optimizers:
            optimizer.step()
        print("right:", table.weight.grad.is_sparse, head.weight.grad.is_sparse)
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    assert (len(optimizers) == 2) == bool(optimizers[-1].state)

# %%
# Which optimizers take a sparse gradient?
# ----------------------------------------
# ``SGD``, ``Adagrad`` and ``SparseAdam``, all three without weight decay, and
# ``LBFGS``, which makes a dense vector of it. Others raise this error with their own
# name, and ``AdamW`` says ``Adam``. There is no sparse ``AdamW`` in PyTorch.
import warnings

takes = {}
names = [
    "SGD",
    "Adagrad",
    "SparseAdam",
    "Adam",
    "AdamW",
    "RMSprop",
    "NAdam",
    "Adadelta",
]
for name in names:
    weight = nn.Embedding(5, 2, sparse=True).weight
    nn.functional.embedding(ids[:1], weight, sparse=True).sum().backward()
    message = ""
    try:
        with warnings.catch_warnings():
            # Adagrad warns of the checks of sparse tensors.
            warnings.simplefilter("ignore")
            getattr(torch.optim, name)([weight], lr=0.1).step()
    except RuntimeError as error:
        message = str(error)
    takes[name] = not message
    assert takes[name] or "does not support sparse gradients" in message
print(takes)
assert list(takes.values()) == 3 * [True] + 5 * [False]

# %%
# ``SparseAdam does not support dense gradients, please consider Adam instead``
# -----------------------------------------------------------------------------
# The other way round: ``SparseAdam`` got a layer whose gradient is dense. That is each
# ``Linear``, an embedding without ``sparse=True``, and also a sparse one that is used
# twice: as the embedding and, tied, as the output layer. There the gradients are added,
# and the sum is dense. Leave out ``sparse=True`` for tied weights.
tied = nn.Embedding(5, 4, sparse=True)
(tied(ids[:1]) @ tied.weight.T).sum().backward()
print("tied:", tied.weight.grad.is_sparse)
assert not tied.weight.grad.is_sparse
try:
    torch.optim.SparseAdam(tied.parameters()).step()
except RuntimeError as error:
    print(error)
else:
    raise AssertionError("SparseAdam took a dense gradient")

# %%
# ``clip_grad_norm_``: ``Could not run 'aten::linalg_vector_norm'``, and weight decay
# -----------------------------------------------------------------------------------
# Clipping by norm has no sparse version: leave the embedding out of it, or clip the
# values of its gradient. ``weight_decay`` would change all rows, so it is refused
# (``weight_decay option is not compatible with sparse gradients``, or ``add(sparse,
# dense) is not supported``): set it to 0 for the embedding.
table.zero_grad()
(100 * table(ids)).sum().backward()
try:
    nn.utils.clip_grad_norm_(table.parameters(), 1.0)
except NotImplementedError as error:
    print(str(error).split(". ")[0])
else:
    raise AssertionError("a sparse gradient was clipped")
gradient = table.weight.grad.coalesce()
gradient.values().mul_(1.0 / gradient.values().norm())
table.weight.grad = gradient
print(round(table.weight.grad.to_dense().norm().item(), 3))
assert abs(table.weight.grad.to_dense().norm() - 1) < 1e-4
for name, message in (
    ("SGD", "add(sparse, dense) is not supported"),
    ("Adagrad", "weight_decay option is not compatible with sparse gradients"),
):
    optimizer = getattr(torch.optim, name)(table.parameters(), weight_decay=0.1)
    try:
        optimizer.step()
    except RuntimeError as error:
        found = str(error).partition(".")[0]
    else:
        raise AssertionError("weight decay was applied to a sparse gradient")
    print(found)
    assert found == message

# %%
# Is it worth it? Does ``sparse=True`` freeze the other rows?
# -----------------------------------------------------------
# In a step of ``SparseAdam``, or of ``SGD`` without momentum, only the rows that were
# looked up change. ``Adam`` with dense gradients also moves rows that were looked up in
# earlier steps, by its momentum. It freezes nothing for good: a row moves as soon as it
# is looked up. To freeze rows:
# :doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`.
#
# What it saves is the dense gradient, which is as large as the table, and the work on
# its zeros. Use it for tables of millions of rows. For a usual vocabulary, the dense
# gradient is simpler, and works with each optimizer and with clipping.
moved = {}
for sparse, make in ((True, torch.optim.SparseAdam), (False, torch.optim.Adam)):
    embedding = nn.Embedding(1000, 4, sparse=sparse)
    optimizer = make(embedding.parameters(), lr=0.1)
    for row in (3, 7):
        before = embedding.weight.detach().clone()
        optimizer.zero_grad()
        embedding(torch.tensor([row])).sum().backward()
        optimizer.step()
    changed = (embedding.weight != before).any(1).nonzero().flatten().tolist()
    moved[make.__name__] = changed
    stored = embedding.weight.grad
    count = stored.coalesce().values().numel() if sparse else stored.numel()
    print(f"{make.__name__:11}rows {changed}, {count} numbers in the gradient")
assert moved == {"SparseAdam": [7], "Adam": [3, 7]}

# %%
# Read on: :doc:`/gallery/recipes/two_optimizers`,
# :doc:`/gallery/graph/zero_is_not_none`.
