"""
Unfreeze layer by layer: give the optimizer everything at the start
===================================================================

An optimizer skips each parameter whose ``.grad`` is None. So it may hold the frozen
layers from the first step. Unfreezing is one line then, with no ``add_param_group()``.
"""

# %%
# Must I add a layer to the optimizer when I unfreeze it?
# -------------------------------------------------------
# Only if you left it out. Here Adam has all parameters, all layers are frozen, and each
# stage lets one more learn, from the last to the first.
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(4, 4),
    torch.nn.Tanh(),
    torch.nn.Linear(4, 4),
    torch.nn.Tanh(),
    torch.nn.Linear(4, 1),
).requires_grad_(False)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
inputs, targets = torch.randn(16, 4), torch.randn(16, 1)


def train_step():
    before = [p.clone() for p in model.parameters()]
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(inputs), targets).backward()
    optimizer.step()
    named = zip(model.named_parameters(), before, strict=True)
    return [name for (name, p), old in named if not torch.equal(p, old)]


stages, states = [], []
for layer in (model[4], model[2], model[0]):
    layer.requires_grad_(True)
    stages.append(train_step())
    states.append(len(optimizer.state))
    print(len(stages[-1]), "parameters move:", *stages[-1])
assert [len(stage) for stage in stages] == [2, 4, 6]
assert stages[0] == ["4.weight", "4.bias"]

# %%
# Does it cost memory to hold the frozen ones?
# --------------------------------------------
# No. Adam makes its two averages when a parameter has its first gradient. After each
# stage there are as many states as parameters that have moved.
print(states)
assert states == [2, 4, 6]

# %%
# Freeze again, and unfreeze: what Adam remembers
# -----------------------------------------------
# The averages of a layer that was frozen for a while stay as they were, and its step
# counter stands still. Once unfrozen, the layer goes on in that old direction.
model[0].requires_grad_(False)
for _ in range(5):
    train_step()
steps = [optimizer.state[model[i].weight]["step"].item() for i in (0, 2, 4)]
print(steps)
assert steps == [1, 7, 8]

# %%
# To begin anew, drop what Adam remembers of that layer.
for parameter in model[0].parameters():
    optimizer.state.pop(parameter)
model[0].requires_grad_(True)
train_step()
assert optimizer.state[model[0].weight]["step"] == 1

# %%
# Can I unfreeze by name?
# -----------------------
# :py:func:`gradguide.unfreeze` takes the name of a module or of a parameter, or a
# pattern, and returns the names of the parameters that match. A batch norm that
# :py:func:`gradguide.freeze` held moves again, too.
from gradguide import freeze, unfreeze

freeze(model)
names = unfreeze(model, "4", "2.b*")
print(names)
assert train_step() == list(names) == ["2.bias", "4.weight", "4.bias"]

# %%
# Why not ``add_param_group()``?
# ------------------------------
# A scheduler lowers the rates of the groups that are there. A layer that is added later
# starts at the rate that the optimizer was built with.
late = torch.optim.SGD(model[4].parameters(), lr=1.0)
schedule = torch.optim.lr_scheduler.StepLR(late, step_size=1, gamma=0.5)
late.step()
schedule.step()
late.add_param_group({"params": model[2].parameters()})
rates = [group["lr"] for group in late.param_groups]
print(rates)
assert rates == [0.5, 1.0]

# %% tags=["hide-input"]
# Which layer moves in which stage. Hatched: frozen, and already in the optimizer.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
for number, stage in enumerate(stages, 1):
    for layer in ("0", "2", "4"):
        learns = f"{layer}.weight" in stage
        look = {"ec": "C0"} if learns else {"ec": "C1", "hatch": "//////"}
        ax.scatter(number, f"[{layer}]", s=400, marker="s", fc="none", lw=2, **look)
ax.set(xlabel="stage", xticks=[1, 2, 3])
ax.margins(0.3)
plt.show()

# %%
# Build the optimizer once, over ``model.parameters()``, and unfreeze by flag alone.
# ``add_param_group()`` also raises for a layer that is there already, and some
# schedulers fail after it. That None skips the update is told at
# :torch:`torch.optim.Optimizer.zero_grad`.
#
# Related: :doc:`different_learning_rates`,
# :doc:`/gallery/beyond/schedulers_after_add_param_group`,
# :doc:`/gallery/beyond/add_param_group_errors`.
