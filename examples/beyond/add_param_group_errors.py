"""
some parameters appear in more than one parameter group
=======================================================

The errors of ``add_param_group()``, and the mistake that gives none: to unfreeze a
layer and forget that the optimizer doesn't have it.
"""

# %%
# I unfroze the layer, and it does not move
# -----------------------------------------
# It gets a gradient, which nobody applies and nobody clears: the optimizer was made
# from the parameters that trained then, so its ``step()`` and ``zero_grad()`` pass it
# by.
import torch

torch.manual_seed(0)
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
# The norm of the gradient that nobody applies or clears: it grows with each step.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
ax.plot(range(1, 4), norms, "C2x--", ms=10, mew=3)
ax.set(xlabel="step", ylabel="norm of .grad", xticks=range(1, 4), ylim=0)
plt.show()

# %%
# Add it, and it moves. Clear the gradient before the next backward, or the first step
# applies the whole pile.
optimizer.add_param_group({"params": model[0].parameters(), "lr": 1e-4})
optimizer.zero_grad()
assert model[0].weight.grad is None
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
assert not torch.equal(model[0].weight, before)

# %%
# Which groups are refused?
# -------------------------
# One with a parameter that is there already, and one that is a set, which has no order.
for group in (list(model[0].parameters()), {model[0].weight}):
    try:
        optimizer.add_param_group({"params": group})
    except (ValueError, TypeError) as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("the group was added")

# %%
# loaded state dict has a different number of parameter groups
# ------------------------------------------------------------
# A checkpoint from after ``add_param_group()`` needs an optimizer with as many groups.
# One from an optimizer that had only the head does not fit an optimizer with all
# parameters: both have one group, but of another size.
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
# None of this happens if the optimizer has all parameters from the start, and flags
# alone decide which of them train. :py:func:`gradguide.explain` reports a layer that
# was forgotten as ``not in optimizer``. Source:
# :torch:`torch.optim.Optimizer.add_param_group`.
#
# Related: :doc:`/gallery/freezing/unfreeze_gradually`,
# :doc:`schedulers_after_add_param_group`,
# :doc:`/gallery/diagnose/why_is_my_gradient_none`.
