"""
Trying to backward through the graph a second time
==================================================

A backward frees what the graph has saved, so a second one finds nothing to work with.
In a training loop ``retain_graph=True`` is mostly the wrong answer.
"""

# %%
# The error
# ---------
# Two losses share a forward. The first backward frees what the second one needs.
import torch
from torch import nn

model = nn.Linear(2, 2)
x = torch.ones(1, 2)
features = model(x).exp()
features.sum().backward()
try:
    features.mean().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the graph was still there")

# %%
# If no operation has saved a tensor, nothing is freed: the second backward runs, and
# ``.grad`` holds the gradient twice. So the error may only come when you add a layer.
bias = torch.zeros(1, requires_grad=True)
loss = (bias + 1).sum()
loss.backward()
loss.backward()
assert bias.grad.item() == 2

# %%
# Add the losses: one walk, the same gradients. Or keep the graph in the first backward
# for the second, which is what ``retain_graph`` is for.
model.zero_grad()
features = model(x).exp()
(features.sum() + features.mean()).backward()
added = model.weight.grad.clone()
model.zero_grad()
features = model(x).exp()
features.sum().backward(retain_graph=True)
features.mean().backward()
assert model.weight.grad.allclose(added)

# %%
# The same error, in the second step of a loop
# --------------------------------------------
# Here a state is carried along, as a hidden state or a running average is. The second
# loss reaches back through it into the first step, whose graph is gone.
state = torch.zeros(1, 2)
try:
    for _ in range(2):
        state = (state + model(x)).tanh()
        state.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the second step did not reach the first")

# %%
# ``detach()`` the state between the steps. With ``retain_graph=True`` the error goes
# away as well, but each step walks back through all steps before it and keeps them in
# memory. And where an optimizer steps in between, the next error is waiting: the old
# graph needs the old weights (:doc:`inplace_modified`). Counted here: the nodes behind
# the loss.


def nodes(tensor):
    seen, todo = set(), [tensor.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [parent for parent, _ in node.next_functions]
    return len(seen)


def sizes(carry):
    state, found = torch.zeros(1, 2), []
    for _ in range(6):
        state = (carry(state) + model(x)).tanh()
        state.sum().backward(retain_graph=True)
        found.append(nodes(state))
    return found


detached, retained = sizes(torch.Tensor.detach), sizes(lambda state: state)
print(detached, retained)
assert len(set(detached)) == 1
assert retained == sorted(set(retained))

# %% tags=["hide-input"]
# The size of the graph behind the loss, step by step: it grows with
# ``retain_graph=True`` (dashed), and stays the same with ``detach()`` (solid).
import matplotlib.pyplot as plt

steps = range(1, 7)
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(steps, retained, "x--", c="C2", label="retain_graph=True")
ax.plot(steps, detached, "s-", c="C0", mfc="none", label="state.detach()")
ax.set(xlabel="step()", ylabel="len(nodes)", ylim=0)
ax.legend()
plt.show()

# %%
# One forward, one backward: add the losses. One forward, two backwards:
# ``retain_graph`` for the first. A state between steps: ``detach()``.
#
# Related: :doc:`/gallery/diagnose/where_did_the_memory_go`, :doc:`inplace_modified`.
# Source: :torch:`torch.Tensor.backward`.
