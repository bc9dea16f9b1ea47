"""
The filter keeps frozen parameters out of the optimizer
=======================================================

Freezing parameters before you build the optimizer does not keep them out of it; only
filtering does. And freezing by exact name misses the bias, or freezes nothing at all.
"""

# %%
# Freeze one parameter by name, and give the optimizer only those that still train.
import torch
from torch import nn


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

# %%
# Why does my frozen layer still train?
# -------------------------------------
# ``conv1.0.weight`` matches the weight alone. After one step the weight is what it was,
# and the bias of the same layer is not.
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
# Yes, unless you filter. It is a common belief that freezing first is enough, but the
# order makes no difference to what the optimizer holds. Leaving it in costs only an
# entry in a list: Adam creates state for a parameter at its first update, and a
# parameter without a gradient is never updated.
unfiltered = torch.optim.Adam(cnn.parameters(), lr=0.1)  # built after the freeze
unfiltered.step()
assert len(optimizer.param_groups[0]["params"]) == 3
assert len(unfiltered.param_groups[0]["params"]) == 4
assert len(unfiltered.state) == 3
assert torch.equal(cnn.conv1[0].weight, before["conv1.0.weight"])

# %%
# "optimizer got an empty parameter list"
# ---------------------------------------
# When everything is frozen, the filter leaves nothing. The other cause: a ``filter``
# can be read only once. The first optimizer empties it, and a second one gets nothing.
# Make it a list to use it again.
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
# A wrong name freezes nothing, and says nothing
# ----------------------------------------------
# The first name below forgets the ``0`` of the ``Sequential``. A condition that is
# never true is no error.
#
# Three conditions on ``n``, and what each would freeze (hatched): nothing, the weight,
# the whole layer.
import matplotlib.pyplot as plt

matches = {
    'n ==\n"conv1.weight"': lambda n: n == "conv1.weight",
    'n ==\n"conv1.0.weight"': lambda n: n == "conv1.0.weight",
    'n.startswith(\n"conv1.")': lambda n: n.startswith("conv1."),
}
assert [sum(map(match, before)) for match in matches.values()] == [0, 1, 2]
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for n in reversed(before):
    for code, match in matches.items():
        look = {"ec": "C1", "hatch": "////"} if match(n) else {"ec": "C0"}
        ax.scatter(code, n, s=500, marker="s", fc="none", lw=2, **look)
ax.margins(0.17, 0.2)
plt.show()

# %%
# Freeze the module instead of a name, and the bias comes along.
cnn = CNN()
cnn.conv1.requires_grad_(False)
assert [p.requires_grad for p in cnn.parameters()] == [False, False, True, True]

# %%
# Related: :doc:`freeze_before_or_after_the_optimizer`, :doc:`through_or_blocked`,
# :doc:`which_one_do_i_need`.
