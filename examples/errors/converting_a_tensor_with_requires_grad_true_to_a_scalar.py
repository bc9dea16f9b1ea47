"""
``Converting a tensor with requires_grad=True to a scalar``
===========================================================

``float(loss)`` returns a number without a graph. For a log this is right: write
``loss.item()``, which does the same without a warning. If a later loss uses the number,
no gradient passes through it: keep the tensor.
"""

# %%
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
loss = x.square().sum()
# Wrong: drops the graph implicitly.
number = float(loss)

# Right, for a log:
number = loss.item()
print(number)
# Right, for another loss:
(2 * loss).backward()
print(x.grad)
assert number == 5
assert x.grad.tolist() == [4, 8]

# %%
# The number is part of a loss
# ----------------------------
# Functions of Python such as ``math.sqrt`` convert their argument. Use those of
# PyTorch. By default, PyTorch gives this warning once in a process, so a second
# conversion is silent. ``loss.item()`` never gives it, nor does any conversion under
# ``no_grad()``.
import math

# Wrong: a number without a graph.
wrong = math.sqrt(x.square().sum()) * x.sum()
(of_wrong,) = torch.autograd.grad(wrong, x)
# Right: a tensor with its graph.
right = x.square().sum().sqrt() * x.sum()
(of_right,) = torch.autograd.grad(right, x)
print(of_wrong, of_right)
assert math.isclose(wrong.item(), right.item(), rel_tol=1e-6)
assert not of_wrong.allclose(of_right)

# %%
# A list of losses
# ----------------
# ``torch.tensor([loss, loss])`` converts each loss to a number. ``torch.stack`` keeps
# the graph.
losses = [x.sum(), x.prod()]
assert torch.tensor(losses).grad_fn is None
print(torch.stack(losses).requires_grad)
assert torch.stack(losses).requires_grad

# %%
# ``a Tensor with 2 elements cannot be converted to Scalar``
# ----------------------------------------------------------
# ``item()`` and ``float()`` need one element. The loss has one for each sample, because
# of ``reduction="none"`` or of ``DataParallel``: take ``loss.mean()`` first. To log all
# of them: ``loss.tolist()``. ``float()`` and ``torch.tensor([t, t])`` say it in other
# words, ``only one element tensors can be converted to Python scalars``, as ``item()``
# did in older versions. Make one tensor of several with ``torch.stack()``.
several = x.square()
texts = []
for convert in (torch.Tensor.item, lambda t: torch.tensor([t, t])):
    try:
        convert(several.detach())
    except (RuntimeError, ValueError, TypeError) as error:
        texts.append(str(error))
print(*texts, sep="\n")
assert "cannot be converted to Scalar" in texts[0]
assert several.mean().item() == 2.5
assert torch.stack([several, several]).shape == (2, 2)

# %%
# Read on: :doc:`/gallery/detach/logging_a_loss`.
