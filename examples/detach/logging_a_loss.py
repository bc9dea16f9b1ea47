"""
A logged loss keeps its graph, a logged weight keeps moving
===========================================================

What you log is seldom a copy. ``losses.append(loss)`` holds on to what autograd saved,
and ``weights.append(weight.detach())`` is the same memory each time.
"""

# %%
# Why does memory grow with each batch of the validation?
# -------------------------------------------------------
# Your list holds the loss, the loss its graph, and the graph the saved tensors, three
# per batch here. A running ``total += loss`` holds them just as well. What is detached,
# or a number, holds no graph.
import copy
import weakref

import torch


def alive(log):
    scale = torch.ones(1000, requires_grad=True)
    saved, logged, counts = [], [], []

    def pack(tensor):
        tensor = tensor.detach()
        saved.append(weakref.ref(tensor))
        return tensor

    for _ in range(3):
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = (scale * scale).exp().sum()
        logged.append(log(loss))
        del loss
        counts.append(sum(tensor() is not None for tensor in saved))
    return counts


grows = alive(lambda loss: loss)
detached = alive(lambda loss: loss.detach())
print(grows, detached)
assert grows == [3, 6, 9]
assert detached == alive(lambda loss: loss.item()) == [0, 0, 0]
total = torch.zeros(())
assert alive(total.add_) == grows

# %%
# In training, ``backward()`` frees the saved tensors, whatever you log. Under
# ``no_grad()`` there are none. And ``float(loss)`` is ``item()`` with a warning.
assert alive(lambda loss: loss.backward() or loss) == [0, 0, 0]
assert torch.no_grad()(alive)(lambda loss: loss) == [0, 0, 0]
loss = torch.ones(1, requires_grad=True).sum()
assert float(loss) == loss.item()

# %%
# Why is my history the same value again and again?
# -------------------------------------------------
# Because the optimizer writes in place. The detached weight uses the memory that it
# writes to, and so does the best ``state_dict()``, a dictionary of references
# (:torch:`Module.state_dict <generated/torch.nn.Module.html>`).
model = torch.nn.Linear(1, 1, bias=False)
torch.nn.init.ones_(model.weight)
optimizer = torch.optim.SGD(model.parameters(), lr=1)
best, best_copy = model.state_dict(), copy.deepcopy(model.state_dict())
weights, weight_copies = [], []
for _ in range(3):
    weights.append(model.weight.detach())
    weight_copies.append(model.weight.detach().clone())
    optimizer.zero_grad()
    model(torch.ones(1, 1)).sum().backward()
    optimizer.step()
print([w.item() for w in weights], best["weight"].item())
print([w.item() for w in weight_copies], best_copy["weight"].item())
assert [w.item() for w in weights] == [best["weight"].item()] * 3 == [-2] * 3
assert [w.item() for w in weight_copies] == [1, 0, -1]
assert best_copy["weight"].item() == 1

# %% tags=["hide-input"]
# Left: saved tensors alive after each batch. Right: the logged weight of each step.
# Crosses show what goes wrong, circles the cure.
import matplotlib.pyplot as plt

_, (left, right) = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
left.plot(grows, "C2--x", lw=2, ms=9, mew=3, label="loss")
left.plot(detached, "C0-o", lw=2, label="loss.detach()")
right.plot(torch.cat(weights), "C2--x", lw=2, ms=9, mew=3, label="detach()")
right.plot(torch.cat(weight_copies), "C0-o", lw=2, label="detach().clone()")
left.set(xlabel="batch", ylabel="saved", xticks=range(3))
right.set(xlabel="step", ylabel="weight", xticks=range(3), ylim=(-2.4, 2.6))
left.legend()
right.legend()
plt.show()

# %%
# Log ``loss.detach()`` or ``loss.item()`` (:torch:`FAQ <notes/faq.html>`), a weight as
# ``detach().clone()``, and the best weights as ``copy.deepcopy(model.state_dict())``.
#
# Related: :doc:`clone_and_detach`, :doc:`/gallery/diagnose/where_did_the_memory_go`.
