"""
some parameters appear in more than one parameter group
=======================================================

``add_param_group()`` refuses a parameter that the optimizer already has. To unfreeze
such a parameter, ``requires_grad_(True)`` is enough. Add only what is missing.
"""

# %%
# The optimizer got all parameters, the frozen ones too. Now they are unfrozen.
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
model[0].requires_grad_(True)
try:
    optimizer.add_param_group({"params": model[0].parameters()})
except ValueError as error:
    print(f"{type(error).__name__}: {error}")
held = {p for group in optimizer.param_groups for p in group["params"]}
missing = [p for p in model.parameters() if p not in held]
print(len(missing))
assert missing == []

# %%
# I unfroze the layer, and it does not move
# -----------------------------------------
# This mistake raises no error. The optimizer was made from the parameters that trained
# then. So the layer gets a gradient, and neither ``step()`` nor
# ``optimizer.zero_grad()`` touches it.
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.Adam(trainable, lr=0.01)
model[0].requires_grad_(True)
before = model[0].weight.clone()
norms = []
for _ in range(3):
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    norms.append(model[0].weight.grad.norm().item())
print(torch.equal(model[0].weight, before), norms[0] < norms[1] < norms[2])
assert torch.equal(model[0].weight, before)
assert norms[0] < norms[1] < norms[2]

# %% tags=["hide-input"]
# The norm of the gradient that is neither applied nor cleared: it grows with each step.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
ax.plot(range(1, 4), norms, "C2x--", ms=10, mew=3)
ax.set(xlabel="step", ylabel="norm of .grad", xticks=range(1, 4), ylim=0)
plt.show()

# %%
# Add it, and it moves. Clear the gradient before the next backward, or the first step
# applies what three backwards have added up.
optimizer.add_param_group({"params": model[0].parameters(), "lr": 1e-4})
optimizer.zero_grad()
assert model[0].weight.grad is None
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
assert not torch.equal(model[0].weight, before)

# %%
# ``model.fc = nn.Linear(...)`` after the optimizer: add the new, take out the old layer
# --------------------------------------------------------------------------------------
# A layer that you replace or enlarge, as ``resize_token_embeddings()`` of transformers
# does, has new parameters. The optimizer still holds the old ones, and the new layer
# does not train. Before the first step, make a new optimizer. Later, to keep the
# averages of the other layers, add the new parameters. There is no
# ``remove_param_group()``: change ``param_groups`` yourself, and delete the state, or
# ``optimizer.state_dict()`` raises a ``KeyError``. Make the scheduler anew, too,
# because many of them keep a list of the groups
# (:doc:`schedulers_after_add_param_group`).
#
# To stop the training of a layer that stays, none of this is needed: freeze it, and set
# its ``.grad`` to None.
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
optimizer = torch.optim.Adam([{"params": part.parameters()} for part in model], lr=0.01)
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
old, model[1] = set(model[1].parameters()), torch.nn.Linear(2, 3)

held = {p for group in optimizer.param_groups for p in group["params"]}
missing = [p for p in model.parameters() if p not in held]
optimizer.add_param_group({"params": missing})
optimizer.param_groups[:] = [
    group for group in optimizer.param_groups if not old & set(group["params"])
]
try:
    optimizer.state_dict()  # wrong: the state of the old layer is still there
except KeyError as error:
    key = error.args[0]
else:
    raise AssertionError("the state was saved")
assert key in map(id, old)
for parameter in old:
    optimizer.state.pop(parameter, None)
before = model[1].weight.clone()
optimizer.zero_grad()
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
steps = [optimizer.state[layer.weight]["step"].item() for layer in model]
print(len(optimizer.param_groups), len(optimizer.state_dict()["state"]), steps)
assert len(missing) == 2
assert len(optimizer.param_groups) == 2
assert not model[1].weight.equal(before)
assert steps == [2, 1]

# %%
# Which other groups are refused?
# -------------------------------
# A set, because it has no order, and a result, because it is computed anew in each
# forward. A parameter that is twice in the same new group only gives a warning.
import warnings

for group in ({model[0].weight}, [model[0].weight * 2]):
    try:
        optimizer.add_param_group({"params": group})
    except (ValueError, TypeError) as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("the group was added")
new = torch.nn.Parameter(torch.ones(1))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    torch.optim.SGD([torch.ones(1)]).add_param_group({"params": [new, new]})
assert "duplicate parameters" in str(caught[0].message)

# %%
# loaded state dict has a different number of parameter groups
# ------------------------------------------------------------
# The state of an optimizer from after ``add_param_group()`` needs an optimizer with as
# many groups. The state of an optimizer that had only the head does not fit one with
# all parameters: both have one group, but of another size.
fresh = torch.optim.Adam(model[1].parameters(), lr=0.01)
whole = torch.optim.Adam(model.parameters(), lr=0.01)
for loads, saved in ((fresh, optimizer), (whole, fresh)):
    try:
        loads.load_state_dict(saved.state_dict())
    except ValueError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("the state was loaded")
fresh.add_param_group({"params": model[0].parameters(), "lr": 1e-4})
fresh.load_state_dict(optimizer.state_dict())
assert len(fresh.param_groups) == 2

# %%
# Only the numbers are compared. The same parameters in another order load without an
# error, and each gets the state of another one.
backwards = torch.optim.Adam(reversed(list(model.parameters())))
model(torch.ones(1, 2)).sum().backward()
whole.step()
backwards.load_state_dict(whole.state_dict())
bias = model[1].bias
assert backwards.state[bias]["exp_avg"].shape == model[0].weight.shape != bias.shape

# %% tags=["hide-input"]
# Where it ends
# -------------
# An optimizer that has all parameters from the start needs no ``add_param_group()``:
# ``requires_grad`` decides which of them train. Three exceptions:
#
# - A frozen parameter that still has a gradient moves. Clear ``.grad`` when you freeze.
# - ``LBFGS`` has one group only. It takes a second one and raises in ``step()``.
# - DeepSpeed's ZeRO optimizers take over only the parameters that require a gradient
#   when they are made: pass them only these, and make them again after unfreezing.
#   (DeepSpeed was not run here.)
model[0].requires_grad_(False)
before = model[0].weight.clone()
assert model[0].weight.grad is not None
whole.step()
assert not torch.equal(model[0].weight, before)
model.zero_grad()
before = model[0].weight.clone()
model(torch.ones(1, 2)).sum().backward()
whole.step()
assert torch.equal(model[0].weight, before)

lbfgs = torch.optim.LBFGS(model[1].parameters())
lbfgs.add_param_group({"params": model[0].parameters()})
try:
    lbfgs.step(lambda: model(torch.ones(1, 2)).sum())
except AssertionError:
    assert len(lbfgs.param_groups) == 2
else:
    raise AssertionError("LBFGS stepped with two groups")

# %%
# :py:func:`gradguide.explain` reports a layer that was forgotten as
# ``not in optimizer``. Source: :torch:`torch.optim.Optimizer.add_param_group`.
#
# Related: :doc:`/gallery/freezing/unfreeze_gradually`,
# :doc:`schedulers_after_add_param_group`, :doc:`/gallery/still-moves/stale_gradients`.
