"""
Freeze some rows of an embedding: a buffer and a parameter
==========================================================

``requires_grad`` belongs to a whole tensor. A hook that sets the gradient of some rows
to zero works with plain SGD only: momentum and weight decay still move those rows.
"""

# %%
# Can a row be frozen by its flag?
# --------------------------------
# A row is a view, the result of an operation. It has no flag of its own.
import torch

ids = torch.arange(4)
table = torch.nn.Embedding(4, 2)
try:
    table.weight[0].requires_grad_(False)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a row has a flag")

# %%
# A hook that masks the gradient
# ------------------------------
# The usual answer in forums. The first two rows get a gradient of zero, and an
# optimizer doesn't skip zeros: weight decay shrinks the rows, and momentum from the
# steps before the mask moves them on.
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD(momentum=0.9)": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "SGD(weight_decay=0.1)": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1),
}


# Train all rows for a step, then mask the first two, and train on.
def masked_rows_stay(make_optimizer):
    torch.manual_seed(0)
    table = torch.nn.Embedding(4, 2)
    optimizer = make_optimizer(table.parameters())
    mask = torch.tensor([[1.0], [1.0], [1.0], [1.0]])
    table.weight.register_hook(lambda gradient: gradient * mask)
    table(ids).sum().backward()
    optimizer.step()
    mask[:2] = 0
    before = table.weight[:2].detach().clone()
    optimizer.zero_grad()
    table(ids).sum().backward()
    optimizer.step()
    return torch.equal(table.weight[:2], before)


stay = {name: masked_rows_stay(make) for name, make in OPTIMIZERS.items()}
for name, still in stay.items():
    print(f"{name:22}{'stays' if still else 'moves'}")
assert [name for name, still in stay.items() if still] == ["SGD"]


# %%
# A buffer and a parameter
# ------------------------
# Two tensors in place of one, put together in the forward. The frozen rows are a
# buffer: ``parameters()`` doesn't give it to the optimizer, and ``state_dict()`` saves
# it.
class PartlyFrozen(torch.nn.Module):
    def __init__(self, weight, frozen):
        super().__init__()
        self.register_buffer("frozen", weight[:frozen].detach().clone())
        self.trained = torch.nn.Parameter(weight[frozen:].detach().clone())

    def forward(self, ids):
        rows = torch.cat([self.frozen, self.trained])
        return torch.nn.functional.embedding(ids, rows)


for make in OPTIMIZERS.values():
    table = PartlyFrozen(torch.nn.Embedding(4, 2).weight, frozen=2)
    optimizer = make(table.parameters())
    frozen, trained = table.frozen.clone(), table.trained.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        table(ids).sum().backward()
        optimizer.step()
    assert torch.equal(table.frozen, frozen)
    assert not torch.equal(table.trained, trained)
assert list(table.state_dict()) == ["trained", "frozen"]

# %% tags=["hide-input"]
# Do the first two rows stay? Hatched: yes. Cross: the mask lets them move.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for name, still in stay.items():
    hatched = {"marker": "s", "fc": "none", "ec": "C1", "hatch": "//////"}
    for way, ok in (("hook", still), ("buffer", True)):
        look = hatched if ok else {"marker": "x", "c": "C2"}
        ax.scatter(way, name, s=180, lw=2, **look)
ax.margins(0.4, 0.15)
ax.invert_yaxis()
plt.show()

# %%
# Split the table. If it must be one tensor, write the frozen rows back after each
# ``step()``, under ``no_grad()``. To freeze all rows, take
# ``Embedding.from_pretrained(weight)``: it freezes by default
# (:torch:`torch.nn.Embedding`).
assert not torch.nn.Embedding.from_pretrained(torch.ones(2, 2)).weight.requires_grad

# %%
# Related: :doc:`/gallery/graph/zero_is_not_none`,
# :doc:`/gallery/modes/hooks_and_custom_functions`,
# :doc:`/gallery/still-moves/weight_decay_on_frozen_weights`.
