"""
``Adam does not support sparse gradients``
==========================================

An embedding with ``sparse=True`` gives a gradient of a few rows. Make it with
``sparse=False``, or give its weight to ``SparseAdam``, in an optimizer of its own.
"""

# %%
import torch
from torch import nn

words = torch.tensor([0, 2])
embedding = nn.Embedding(4, 2, sparse=True)
optimizer = torch.optim.AdamW(embedding.parameters())
embedding(words).sum().backward()
try:
    # Wrong: AdamW, and sparse=True.
    optimizer.step()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("AdamW used a sparse gradient")
# Right: an optimizer for sparse gradients.
before = embedding.weight.detach().clone()
torch.optim.SparseAdam(embedding.parameters()).step()
print((embedding.weight != before).any(1).tolist())
assert (embedding.weight != before).any(1).tolist() == [True, False, True, False]
# Right, too: a dense gradient. The embedding need not be made again.
embedding.sparse = False
embedding.zero_grad()
embedding(words).sum().backward()
optimizer.step()
assert not embedding.weight.grad.is_sparse

# %%
# ``SparseAdam does not support dense gradients``: two optimizers
# ---------------------------------------------------------------
# ``SparseAdam`` takes the embedding alone. All other layers go to a second optimizer.
# ``SGD`` and ``Adagrad`` take both kinds, as long as they have no weight decay and no
# ``fused=True``.
model = nn.Sequential(nn.Embedding(4, 2, sparse=True), nn.Linear(2, 1))
model(words).sum().backward()
try:
    # Wrong: the linear layer has a dense gradient.
    torch.optim.SparseAdam(model.parameters()).step()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("SparseAdam used a dense gradient")
print(message)
assert message.startswith("SparseAdam does not support dense gradients")
# Right: one optimizer for each kind.
both = (
    torch.optim.SparseAdam(model[0].parameters()),
    torch.optim.AdamW(model[1].parameters()),
)
for optimizer in both:
    optimizer.step()
try:
    torch.optim.SGD(model.parameters(), lr=0.1, fused=True).step()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a fused optimizer took a sparse gradient")
assert "not support sparse" in message

# %%
# Clipping and weight decay fail: ``SparseCPU``, ``add(sparse, dense)``
# ---------------------------------------------------------------------
# Before PyTorch 2.14, ``clip_grad_norm_()`` has no kernel for a sparse gradient
# (``Could not run 'aten::linalg_vector_norm' with arguments from the 'SparseCPU'
# backend``, on a GPU ``'SparseCUDA'``). Weight decay would change every row, and fails
# in each version. Clip the other parameters only, and put the embedding into a group
# with ``weight_decay=0``.
sparse, dense = model[0].parameters(), list(model[1].parameters())
decay = torch.optim.SGD(model[0].parameters(), lr=0.1, weight_decay=0.1)
texts = []
for wrong in (lambda: nn.utils.clip_grad_norm_(sparse, 1.0), decay.step):
    try:
        wrong()
    except (NotImplementedError, RuntimeError) as error:
        texts.append(str(error).split(" This could")[0].split(". Use")[0])
print(*texts, sep="\n")
assert texts[-1].startswith("add(sparse, dense) is not supported")
is_old = torch.__version__ < (2, 14)
assert is_old == any("'SparseCPU' backend" in text for text in texts)
nn.utils.clip_grad_norm_(dense, 1.0)

# %%
# Do the rows stay frozen that are not in the batch?
# --------------------------------------------------
# With ``SparseAdam``, with ``Adagrad``, and with ``SGD`` without momentum they do: a
# row that no index names is not touched. ``Adam`` and ``AdamW`` go on moving it: by its
# old momentum, and ``AdamW`` also by weight decay. ``SGD`` with momentum does the same,
# also with ``sparse=True``. In the table, row 0 was in the first batch, and the step
# that counts saw only row 1.
moved = {}
for name, options in {
    "SparseAdam": {},
    "SGD": {},
    "SGD, momentum": {"momentum": 0.9},
    "Adam": {},
}.items():
    table = nn.Embedding(3, 2, sparse=name != "Adam")
    kind = getattr(torch.optim, name.split(",", maxsplit=1)[0])
    optimizer = kind(table.parameters(), lr=0.1, **options)
    for index in (0, 1):
        old = table.weight.detach().clone()
        optimizer.zero_grad()
        table(torch.tensor([index])).sum().backward()
        optimizer.step()
    moved[name] = (table.weight != old).any(1).tolist()
    print(f"{name:14}{moved[name]}")
assert moved["SparseAdam"] == moved["SGD"] == [False, True, False]
assert moved["SGD, momentum"] == moved["Adam"] == [True, True, False]

# %%
# Read on: :doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`,
# :doc:`/gallery/recipes/two_optimizers`.
