"""
Replaced a parameter, and it does not train: the optimizer holds the old one
============================================================================

To add or remove Gaussian splats, neurons or tokens, you make a new parameter. Put it
into the group in place of the old one, and take the state along.
"""

# %%
import torch
from torch import nn


def grow(old):
    return nn.Parameter(torch.cat([old.detach(), old.detach()[:1]]))


for in_group in (False, True):
    points = nn.Parameter(torch.ones(3, 2))
    optimizer = torch.optim.SGD([points], lr=0.1)
    points = grow(points)
    if in_group:
        optimizer.param_groups[0]["params"] = [points]
    points.sum().backward()
    optimizer.step()
    moved = not points.equal(torch.ones(4, 2))
    print(f"{in_group=}: {moved=}")
    assert moved == in_group

# %%
# The whole loop: bumps that are split
# ------------------------------------
# A sum of bumps is fitted to a curve. Every 50 steps the bump with the largest gradient
# is removed, and two take its place, as with splats. ``replace()`` keeps the averages
# of Adam for the rows that stay and begins with zeros for new ones.


def replace(optimizer, name, rows, added):
    """Keep some rows of a parameter, append others, and take Adam's state along."""
    (group,) = (group for group in optimizer.param_groups if group["name"] == name)
    (old,) = group["params"]
    new = nn.Parameter(torch.cat([old.detach()[rows], added]))
    state = optimizer.state.pop(old, {})
    for key in ("exp_avg", "exp_avg_sq"):
        if key in state:
            state[key] = torch.cat([state[key][rows], torch.zeros_like(added)])
    if state:
        optimizer.state[new] = state
    group["params"] = [new]
    return new


def curve(bumps):
    place, height = bumps["place"], bumps["height"]
    return (height * torch.exp(-((x[:, None] - place) ** 2) / 0.02)).sum(1)


torch.manual_seed(0)
x = torch.linspace(0, 1, 200)
wanted = torch.sin(9 * x) + 0.5 * torch.cos(25 * x)
bumps = {
    "place": nn.Parameter(torch.rand(6)),
    "height": nn.Parameter(torch.zeros(6)),
}
rates = {"place": 0.003, "height": 0.03}
groups = [{"params": [bumps[k]], "lr": rates[k], "name": k} for k in bumps]
optimizer = torch.optim.Adam(groups)
losses = []
for step in range(1, 401):
    loss = (curve(bumps) - wanted).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 50 == 0 and step < 300:
        largest = bumps["place"].grad.abs().argmax()
        rows = torch.arange(len(bumps["place"])) != largest
        place, height = (bumps[name].detach()[largest] for name in bumps)
        bumps["place"] = replace(
            optimizer, "place", rows, place + torch.tensor([-0.03, 0.03])
        )
        bumps["height"] = replace(optimizer, "height", rows, height.repeat(2) / 2)
print(f"{losses[0]:.2f} -> {losses[-1]:.2f}, bumps: {len(bumps['place'])}")
assert losses[-1] < 0.3 * losses[0]
assert len(bumps["place"]) == 11
assert all(len(s["exp_avg"]) == 11 for s in optimizer.state.values())
assert [s["step"].item() for s in optimizer.state.values()] == [400, 400]

# %%
# When in the step?
# -----------------
# After ``step()``. A new parameter has no gradient: replaced between ``backward()`` and
# ``step()``, it is skipped, and the step that was computed is lost. The statistics that
# decide what is split are read before, from the old parameter.
points = nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([points], lr=0.1)
points.sum().backward()
old, points = points, grow(points)
optimizer.param_groups[0]["params"] = [points]
optimizer.step()
print(points.grad, points.tolist())
assert old.grad is not None
assert points.grad is None
assert points.tolist() == [1, 1, 1, 1]


# %%
# What becomes of Adam's state?
# -----------------------------
# It is kept under the old parameter as its key. If you only replace the parameter, the
# new one begins anew, with a step of full size, and the old one stays in memory with
# its state. If you hand the state over without changing its size, ``step()`` raises.
def replaced(*, hand_over):
    old = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([old], lr=0.1)
    old.sum().backward()
    optimizer.step()
    new = grow(old)
    optimizer.param_groups[0]["params"] = [new]
    if hand_over:
        optimizer.state[new] = optimizer.state.pop(old)
    new.sum().backward()
    optimizer.step()
    return [len(state["exp_avg"]) for state in optimizer.state.values()]


print(replaced(hand_over=False))
assert replaced(hand_over=False) == [3, 4]
try:
    replaced(hand_over=True)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a state of another size was used")

# %%
# May I write to ``.data`` instead?
# ---------------------------------
# ``parameter.data = larger`` keeps the parameter and its place in the optimizer, but
# ``.grad`` and the state keep their size. So the same error comes, now in SGD, too, if
# the old gradient is still there. As long as the size stays, change the values in
# place under ``no_grad()``: then the optimizer needs no change.
points = nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([points], lr=0.1)
points.sum().backward()
points.data = torch.ones(4)
assert points.grad.shape == (3,)
try:
    optimizer.step()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a gradient of another size was used")
optimizer.zero_grad()
with torch.no_grad():
    points[0] = 5.0
points.sum().backward()
optimizer.step()
assert round(points[0].item(), 4) == 4.9

# %%
# A new head, ``assign=True``, weight norm: which calls replace a parameter?
# --------------------------------------------------------------------------
# If you change the model after the optimizer was made, compare the two: an optimizer
# knows its parameters by identity, not by name. Make the optimizer last, or add what is
# missing with ``add_param_group()``. ``resize_token_embeddings()`` of transformers
# makes a new embedding, too, like ``model.fc = nn.Linear(...)``.
import copy

from torch.nn.utils import parametrizations, prune


def missing(model, optimizer):
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return [name for name, p in model.named_parameters() if id(p) not in held]


def renewed(layer):
    layer.weight = nn.Parameter(layer.weight.detach().clone())


saved = nn.Linear(2, 2).state_dict()
calls = {
    "layer.to(torch.float64)": lambda layer: layer.to(torch.float64),
    "layer.requires_grad_(False)": lambda layer: layer.requires_grad_(False),
    "layer.reset_parameters()": lambda layer: layer.reset_parameters(),
    "load_state_dict()": lambda layer: layer.load_state_dict(saved),
    "load_state_dict(assign=True)": lambda layer: layer.load_state_dict(
        saved, assign=True
    ),
    "layer.weight = nn.Parameter()": renewed,
    "a new nn.Linear": lambda _: nn.Linear(2, 2),
    "copy.deepcopy(layer)": copy.deepcopy,
    "parametrizations.weight_norm()": parametrizations.weight_norm,
    "prune.l1_unstructured()": lambda layer: prune.l1_unstructured(
        layer, "weight", amount=1
    ),
}
replaces = {}
for name, call in calls.items():
    model = nn.Sequential(nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    result = call(model[0])
    if isinstance(result, nn.Module):
        model[0] = result
    replaces[name] = missing(model, optimizer)
    print(f"{name:31}", *replaces[name] or ["-"])
assert not any(list(replaces.values())[:4])
assert replaces["load_state_dict(assign=True)"] == ["0.weight", "0.bias"]
assert replaces["layer.weight = nn.Parameter()"] == ["0.weight"]
assert replaces["a new nn.Linear"] == ["0.weight", "0.bias"]
assert replaces["copy.deepcopy(layer)"] == ["0.weight", "0.bias"]
assert len(replaces["parametrizations.weight_norm()"]) == 2
assert replaces["prune.l1_unstructured()"] == []

# %%
# Where it ends
# -------------
# - With ``nn.Module``, assign the new parameter to the attribute: then
#   ``model.parameters()`` has it. The group of the optimizer needs it as well.
# - ``model.to(device)`` changes ``.data``, so the optimizer keeps its parameters.
#   ``load_state_dict(assign=True)`` replaces them
#   (:doc:`/gallery/beyond/saving_and_copying`).
# - Under DDP parameters must not be replaced after wrapping (not run here):
#   :torch:`torch.nn.parallel.DistributedDataParallel`.
# - Of a frozen parameter, the new one requires a gradient: ``nn.Parameter(x)`` does not
#   take it over (:doc:`/gallery/freezing/nn_parameter_unfreezes`).
model = nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
held = optimizer.param_groups[0]["params"]
model.double()
assert held[0] is model.weight
model.weight = nn.Parameter(torch.ones(2, 2))
assert any(parameter is model.weight for parameter in model.parameters())
assert held[0] is not model.weight
assert grow(torch.ones(3)).requires_grad

# %%
# Related: :doc:`two_optimizers`, :doc:`/gallery/beyond/add_param_group_errors`,
# :doc:`/gallery/freezing/unfreeze_gradually`. Source of the idea of densification: `3D
# Gaussian Splatting for Real-Time Radiance Field Rendering
# <https://arxiv.org/abs/2308.04079>`__.
