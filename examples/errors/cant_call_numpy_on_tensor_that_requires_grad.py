"""
``Can't call numpy() on Tensor that requires grad``
===================================================

A NumPy array has no graph, and autograd does not record what NumPy computes. To read
the values: ``t.detach().numpy()``, or ``t.numpy(force=True)``, which also copies from a
GPU. If the gradient should pass, use the PyTorch function instead of NumPy's.
"""

# %%
import torch

x = torch.tensor([0.0, 1.0], requires_grad=True)
output = x.exp()
try:
    # Wrong: an array has no graph.
    output.numpy()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the tensor became an array")
# Right: drop the graph explicitly.
array = output.detach().numpy()
print(array)
assert (array == output.numpy(force=True)).all()

# %%
# I never called ``numpy()``
# --------------------------
# NumPy and matplotlib convert their arguments. If you need the gradient, call the
# function of PyTorch. If not, convert the argument yourself.
import numpy as np

try:
    # Wrong: np.exp() converts x.
    np.exp(x)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("NumPy took a tensor that requires grad")
assert "Can't call numpy() on Tensor that requires grad" in message
# Right, with a gradient:
x.exp().sum().backward()
print(x.grad)
# Right, without:
print(np.exp(x.detach().numpy()))
assert x.grad.equal(x.exp())

# %%
# ``np.sum``, ``np.mean``, ``np.concatenate`` of a list of tensors in ``forward()``
# ---------------------------------------------------------------------------------
# Here the advice of the message is wrong. After ``detach().numpy()`` the error is gone,
# and so is the graph: the embeddings or layers before this line don't train any more,
# and nothing says so as long as something behind it trains. Use the functions of
# PyTorch, also in the loss:
#
# - ``np.sum(final, 0)``: ``torch.stack(final).sum(0)`` or ``sum(final)``;
# - ``np.mean(final, 0)``: ``torch.stack(final).mean(0)``;
# - ``np.max(final, 0)``: ``torch.stack(final).amax(0)``;
# - ``np.concatenate(final)``: ``torch.cat(final)``.
#
# ``detach().cpu().numpy()`` is right for logs, plots and metrics.
items, head = torch.nn.Embedding(3, 2), torch.nn.Linear(2, 1)
final = [items.weight, 2 * items.weight]
try:
    np.sum(final, 0)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("NumPy took tensors that require grad")
assert "Can't call numpy() on Tensor that requires grad" in message
# Wrong: what the message advises. The head trains, the embedding does not.
array = np.sum([part.detach().numpy() for part in final], 0)
head(torch.from_numpy(array)).sum().backward()
print(head.weight.grad is not None, items.weight.grad)
assert head.weight.grad is not None
assert items.weight.grad is None
# Right: the same values, with a graph.
total = torch.stack(final).sum(0)
head(total).sum().backward()
print(items.weight.grad is not None)
assert items.weight.grad is not None
assert np.allclose(total.detach().numpy(), array)
assert total.equal(sum(final))
means = torch.stack(final).mean(0), torch.stack(final).amax(0), torch.cat(final)
arrays = [part.detach().numpy() for part in final]
for tensor, array in zip(
    means, (np.mean(arrays, 0), np.max(arrays, 0), np.concatenate(arrays)), strict=True
):
    assert np.allclose(tensor.detach().numpy(), array)

# %%
# It still fails after ``detach()``
# ---------------------------------
# - ``detach()`` returns a new tensor and leaves its own tensor as it is. If the result
#   is dropped, nothing has changed.
# - In a list of tensors, as it is plotted or passed to ``np.mean()``, each one is
#   converted. Detach them when you store them, or store a number: ``loss.item()``. A
#   stored loss also keeps its graph in memory.
losses = [(x * factor).sum() for factor in (1, 2)]
output.detach()  # Wrong: the result is dropped.
attempts = [output.numpy, lambda: np.mean(losses)]
messages = []
for attempt in attempts:
    try:
        attempt()
    except RuntimeError as error:
        messages.append(str(error))
assert len(messages) == 2
assert all(loss.grad_fn is not None for loss in losses)
assert all("Can't call numpy() on Tensor" in message for message in messages)
# Right: keep the result, and store numbers.
output = output.detach()
numbers = [loss.item() for loss in losses]
print(output.numpy(), np.mean(numbers))
assert np.mean(numbers) == 1.5
assert np.mean([loss.detach() for loss in losses]) == 1.5

# %%
# Before you write to the array
# -----------------------------
# On a CPU, the array of ``detach().numpy()`` uses the memory of the tensor, and
# autograd does not notice a write to it. Here ``exp()`` has saved its output, so the
# gradient would be wrong. Write to a ``copy()``.

# Wrong: the array and the tensor use the same memory.
output = x.exp()
output.detach().numpy()[:] = 0
(wrong,) = torch.autograd.grad(output.sum(), x)
# Right: a copy.
output = x.exp()
output.detach().numpy().copy()[:] = 0
(right,) = torch.autograd.grad(output.sum(), x)
print(wrong, right)
assert wrong.tolist() == [0, 0]
assert right.equal(x.exp())

# %%
# PyTorch 1.3, quoted and not run here: ``Can't call numpy() on Variable that requires
# grad. Use var.detach().numpy() instead.``
# (`fastai issue 455 <https://github.com/fastai/course-v3/issues/455>`__)
#
# Read on: :doc:`/gallery/detach/to_numpy`.
