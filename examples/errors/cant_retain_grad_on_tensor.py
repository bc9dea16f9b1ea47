"""
``can't retain_grad on Tensor that has requires_grad=False``
============================================================

The tensor gets no gradient that could be kept: the graph was cut before it, or nothing
that it was computed from requires a gradient. Look for the line where ``requires_grad``
became False. If you called ``backward(inputs=...)``, leave frozen tensors out of it.
"""

# %%
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
# Wrong: detach() cut the graph.
hidden = (x * 2).detach()
try:
    hidden.retain_grad()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the tensor required a gradient")
# Right: hidden is a result that was recorded.
hidden = x * 2
hidden.retain_grad()
hidden.square().sum().backward()
print(hidden.grad)
assert hidden.grad.tolist() == [4, 8]

# %%
# Nothing before it requires a gradient
# -------------------------------------
# The layers before it are frozen, or it was computed under ``no_grad()``. If you want
# only its gradient, and not that of the layers before it, call ``requires_grad_()`` on
# it: it has no graph, so it is a leaf.
frozen = torch.nn.Linear(2, 2).requires_grad_(False)
data = torch.ones(1, 2)
# Wrong: the output of a frozen layer has no gradient.
hidden = frozen(data)
try:
    hidden.retain_grad()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the tensor required a gradient")
# Right: a leaf that requires a gradient keeps it.
hidden = frozen(data).requires_grad_()
hidden.sum().backward()
print(hidden.grad)
assert hidden.grad.tolist() == [[1, 1]]

# %%
# You called backward(inputs=...)
# -------------------------------
# A tensor in ``inputs`` is frozen. Leave it out.
model = torch.nn.Sequential(frozen, torch.nn.Linear(2, 1))
# Wrong: the inputs contain frozen parameters.
try:
    model(data).sum().backward(inputs=list(model.parameters()))
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("nothing was frozen")
# Right: only the parameters that require a gradient.
trainable = [p for p in model.parameters() if p.requires_grad]
model(data).sum().backward(inputs=trainable)
print(model[1].bias.grad)
assert model[1].bias.grad == 1

# %%
# Read on: :doc:`/gallery/graph/retain_grad`.
