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
# Each number is how many of the saved tensors are still in memory after a batch, as in
# validation, without ``backward()``. A running ``total += loss`` holds them as the list
# does. A detached loss and a number
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
# ``loss.item()``, ``loss.detach()``, ``loss.data``, ``float(loss)``: which one?
# ------------------------------------------------------------------------------
# - ``loss.item()``, ``float(loss)`` and ``loss.tolist()`` give a Python number. On a
#   GPU they wait until it has finished its work, so don't call them in each step.
# - ``loss.detach()`` gives a tensor, which stays on the GPU, and does not wait. Collect
#   these, and make a number of them once per epoch.
# - ``loss.data`` is like ``detach()``, without the check that :doc:`data_is_not_detach`
#   explains. ``loss.detach().cpu().numpy()`` gives an array, and waits, too.
#
# A progress bar, TensorBoard or wandb needs the number only every hundredth step or so.
# For the mean of an epoch, weigh each batch by its size, because the last one may be
# smaller:
torch.manual_seed(0)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
data, losses, numbers = torch.ones(10, 2), [], []
for batch in data.split(4):
    loss = model(batch).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.detach() * len(batch))
    numbers.append(loss.item() * len(batch))
epoch_loss = torch.stack(losses).sum().item() / len(data)
print(f"{epoch_loss:.4f} {sum(numbers) / len(data):.4f}")
assert abs(epoch_loss - sum(numbers) / len(data)) < 1e-6
assert float(loss) == loss.item() == loss.tolist() == loss.data.item()

# %%
# ``invalid index of a 0-dim tensor``; ``'float' object has no attribute 'backward'``
# -----------------------------------------------------------------------------------
# ``loss.data[0]`` is from code before PyTorch 0.4. A loss has no dimension that an
# index could choose from: write ``loss.item()``. The same holds for ``accuracy[0]`` or
# ``prec1[0]``.
#
# If you then call ``backward()`` on the sum of such numbers, there is nothing to go
# back through. Keep two sums: one of tensors for ``backward()``, and one of numbers for
# the log.
weight = torch.ones(3, requires_grad=True)
parts = [(weight * factor).sum() for factor in (1.0, 2.0)]
for wrong in (
    lambda: parts[0].data[0],
    lambda: sum(part.item() for part in parts).backward(),
):
    try:
        wrong()
    except (IndexError, AttributeError) as error:
        print(error)
    else:
        raise AssertionError("a number was indexed, or had a graph")
total = sum(parts)  # right: tensors
logged = total.item()
total.backward()
assert (logged, weight.grad.tolist()) == (9.0, [3.0, 3.0, 3.0])

# %%
# Does ``backward()`` free it?
# ----------------------------
# Only the saved tensors of what it goes through, and not with ``retain_graph=True``. So
# in a training loop the logged loss itself holds no saved tensors. It still holds the
# nodes of its graph, half a KiB to one KiB for each, and in a loop of many thousand
# steps the RAM grows by gigabytes: detach it there, too. And a metric that is computed
# beside the loss has operations of its own, and ``backward()`` never goes through them.


def logged_with_metric(loss):
    metric = loss.sqrt()
    loss.backward()
    return metric


def logged_after_backward(loss, **options):
    loss.backward(**options)
    return loss


assert alive(logged_after_backward) == [0, 0, 0]
loss = torch.ones(1, requires_grad=True).square().sum()
loss.backward()
print(loss.grad_fn.next_functions[0][0].name())  # a node is left
assert loss.grad_fn.next_functions
assert not loss.detach().requires_grad
assert alive(logged_with_metric) == [1, 2, 3]
assert alive(lambda loss: logged_after_backward(loss, retain_graph=True)) == grows

# %%
# Out of memory in ``Trainer.evaluate()`` with ``compute_metrics``
# ----------------------------------------------------------------
# No graph is to blame here: the ``Trainer`` of transformers evaluates without
# gradients. For ``compute_metrics`` it collects the logits of all batches, on the GPU,
# until the end. Detaching does not help. Keep less of each batch:
#
# - ``Trainer(preprocess_logits_for_metrics=…)`` takes a function of ``logits`` and
#   ``labels`` that reduces a batch, such as ``logits.argmax(-1)``. If the model returns
#   more than one tensor, ``logits`` is a tuple, and the logits are its first element.
# - ``eval_accumulation_steps=16`` moves what was collected to the CPU every 16 steps.
# - ``batch_eval_metrics=True`` calls ``compute_metrics`` batch by batch.
#
# (Read in the issues `7232 <https://github.com/huggingface/transformers/issues/7232>`__
# and `15466 <https://github.com/huggingface/transformers/issues/15466>`__, not run.) In
# a loop of your own it is the same. How much less, with 1000 classes:
logits = torch.ones(64, 1000)
sizes = [t.nbytes for t in (logits, logits.argmax(-1))]
print(sizes)
assert sizes == [64 * 1000 * 4, 64 * 8]

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
