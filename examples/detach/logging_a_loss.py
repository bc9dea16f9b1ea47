"""
Memory grows if you log a loss that still holds its graph
=========================================================

Log ``loss.detach()`` or ``loss.item()``. Log a weight as ``weight.detach().clone()``:
without ``clone()``, each entry of the log is the same memory.
"""

# %%
# What does ``losses.append(loss)`` keep in memory?
# -------------------------------------------------
# The list holds the loss, the loss holds its graph, and the graph holds the batches.
import torch

weight = torch.ones(1000, requires_grad=True)
losses, detached = [], []
for _ in range(3):
    loss = (weight * torch.ones(1000)).sum()
    losses.append(loss)  # wrong
    detached.append(loss.detach())  # right
products = [loss.grad_fn.next_functions[0][0] for loss in losses]
held = sum(product._saved_other.nbytes for product in products)
print("losses:", held, "bytes")
print("detached:", [loss.grad_fn for loss in detached])
assert held == 3 * 1000 * 4
assert all(loss.grad_fn is None for loss in detached)

# %% tags=["hide-input"]
# What else holds the graph?
# --------------------------
# Each number is how many of the saved tensors are still in memory after a batch. A
# running ``total += loss`` holds them as the list does. A detached loss and a number
# hold no graph, and under ``no_grad()`` nothing is recorded. ``float(loss)`` gives the
# same number as ``loss.item()``.
import weakref


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


total = torch.zeros(())
alive_after = {
    "loss": alive(lambda loss: loss),
    "total += loss": alive(total.add_),
    "loss.detach()": alive(lambda loss: loss.detach()),
    "loss.item()": alive(lambda loss: loss.item()),
    "no_grad(): loss": torch.no_grad()(alive)(lambda loss: loss),
}
for way, counts in alive_after.items():
    print(f"{way:16}", counts)
grows, is_freed = [3, 6, 9], [0, 0, 0]
assert list(alive_after.values()) == [grows, grows, is_freed, is_freed, is_freed]
loss = torch.ones(1, requires_grad=True).sum()
assert float(loss) == loss.item()

# %%
# Does ``backward()`` free it?
# ----------------------------
# Only what it goes through, and not with ``retain_graph=True``. So in a training loop
# the logged loss itself holds no saved tensors. But a metric that is computed beside
# the loss has operations of its own, and ``backward()`` never goes through them.


def logged_with_metric(loss):
    metric = loss.sqrt()
    loss.backward()
    return metric


def logged_after_backward(loss, **options):
    loss.backward(**options)
    return loss


assert alive(logged_after_backward) == [0, 0, 0]
assert alive(logged_with_metric) == [1, 2, 3]
assert alive(lambda loss: logged_after_backward(loss, retain_graph=True)) == grows

# %%
# Why is my history the same value again and again?
# -------------------------------------------------
# The optimizer writes in place. The detached weight uses the memory that the optimizer
# writes to, and so does ``state_dict()``, a dictionary of references
# (:torch:`Module.state_dict <generated/torch.nn.Module.html>`).
import copy

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
# Left: saved tensors in memory after each batch. Right: the logged weight of each step.
# Crosses show what goes wrong, circles show the cure.
import matplotlib.pyplot as plt

_, (left, right) = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
left.plot(alive_after["loss"], "C2--x", lw=2, ms=9, mew=3, label="loss")
left.plot(alive_after["loss.detach()"], "C0-o", lw=2, label="loss.detach()")
right.plot(torch.cat(weights), "C2--x", lw=2, ms=9, mew=3, label="detach()")
right.plot(torch.cat(weight_copies), "C0-o", lw=2, label="detach().clone()")
left.set(xlabel="batch", ylabel="saved", xticks=range(3))
right.set(xlabel="step", ylabel="weight", xticks=range(3), ylim=(-2.4, 2.6))
left.legend()
right.legend()
plt.show()

# %%
# Where it ends
# -------------
# A detached slice holds no graph, but it holds all of the memory that it is a slice of:
# clone it. And an ``autograd.Function`` of your own that sets ``ctx.x`` holds that
# tensor as long as the loss exists: ``backward()`` frees only tensors that were saved
# with ``save_for_backward``.
outputs = torch.ones(1000, 10, requires_grad=True).exp()
assert outputs[0].detach().untyped_storage().nbytes() == 40000
assert outputs[0].detach().clone().untyped_storage().nbytes() == 40


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x.detach().clone()
        return ctx.x.square()

    @staticmethod
    def backward(ctx, grad_output):
        return 2 * ctx.x * grad_output


loss = Square.apply(torch.ones(2, requires_grad=True)).sum()
loss.backward()
assert loss.grad_fn.next_functions[0][0].x.tolist() == [1, 1]

# %%
# Log a loss as ``loss.detach()`` or ``loss.item()`` (:torch:`FAQ <notes/faq.html>`), a
# weight as ``detach().clone()``, and the best weights as
# ``copy.deepcopy(model.state_dict())``.
#
# Related: :doc:`clone_and_detach`, :doc:`/gallery/diagnose/where_did_the_memory_go`.
