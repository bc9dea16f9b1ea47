"""
eval() is not no_grad(), and neither of them freezes
====================================================

``model.eval()`` changes what layers compute, ``no_grad()`` what autograd records. To
evaluate you want both. To freeze, use neither: use ``requires_grad_(False)``.
"""

# %%
# Does eval() switch gradients off?
# ---------------------------------
# Many believe so. It doesn't: the graph is recorded as before, with all the memory that
# it takes, and ``backward()`` fills in the gradients.
import torch

model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5))
x = torch.ones(3, 2)
model.eval()
loss = model(x).sum()
loss.backward()
print("eval():", loss.requires_grad, model[0].weight.grad is not None)
assert loss.requires_grad
assert model[0].weight.grad is not None

# %%
# Does no_grad() put the model into evaluation?
# ---------------------------------------------
# No. Dropout still drops, and batch norm still updates its statistics.
model.train()
with torch.no_grad():
    output = model(x)
print("no_grad():", output.requires_grad, "training:", model.training)
assert not output.requires_grad
assert model.training

# %%
# Who does what
# -------------
# Two switches, four combinations, three questions: is a graph recorded, does dropout
# drop, and does an optimizer move the weights?


def asked(*, evaluation, recording):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.Dropout(0.5))
    net.train(not evaluation)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = net[0].weight.detach().clone()
    with torch.set_grad_enabled(recording):
        out = net(torch.ones(1, 2))
    if out.requires_grad:
        out.sum().backward()
    optimizer.step()
    moved = not torch.equal(net[0].weight, before)
    return [out.requires_grad, bool((out == 0).any()), moved]


answers = {
    "train()": asked(evaluation=False, recording=True),
    "eval()": asked(evaluation=True, recording=True),
    "train(), no_grad()": asked(evaluation=False, recording=False),
    "eval(), no_grad()": asked(evaluation=True, recording=False),
}
questions = ["graph", "dropout", "weights move"]
print(" " * 20, *(f"{question:13}" for question in questions))
for way, row in answers.items():
    print(f"{way:20}", *(f"{answer!s:13}" for answer in row))
assert answers == {
    "train()": [True, True, True],
    "eval()": [True, False, True],
    "train(), no_grad()": [False, True, False],
    "eval(), no_grad()": [False, False, False],
}

# %% tags=["hide-input"]
# The same table. Square: yes. Cross: no.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
for way, row in answers.items():
    for question, answer in zip(questions, row, strict=True):
        square = {"marker": "s", "fc": "none", "ec": "C0"}
        look = square if answer else {"marker": "x", "c": "C2"}
        ax.scatter(question, way, s=160, lw=2, **look)
ax.margins(0.2)
ax.invert_yaxis()
plt.show()

# %%
# Evaluate with ``model.eval()`` and ``torch.no_grad()`` or ``torch.inference_mode()``
# around the loop, then go back with ``model.train()``. Freeze with
# ``requires_grad_(False)``.
# Source: :torch:`Autograd mechanics
# <notes/autograd.html#locally-disabling-gradient-computation>`.
#
# Related: :doc:`dropout_is_not_a_gradient`, :doc:`frozen_batch_norm_still_moves`,
# :doc:`/gallery/modes/no_grad_inference_mode_enable_grad`.
