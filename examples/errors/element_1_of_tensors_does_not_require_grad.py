"""
``element 1 of tensors does not require grad and does not have a grad_fn``
==========================================================================

``autograd.backward()`` or ``autograd.grad()`` got a list of losses, and the second,
number 1 counted from 0, has no graph. If something should learn from it, find the call
that dropped its graph. If not, leave it out of the list.
"""

# %%
import torch

layer, x = torch.nn.Linear(2, 1), torch.ones(1, 2)
first = layer(x).sum()
with torch.no_grad():
    # Wrong: the second loss is not recorded.
    second = layer(x).sum()
try:
    torch.autograd.backward([first, second])
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the second loss had a graph")
assert layer.weight.grad is None
# Right: both losses are results of the layer.
second = layer(x).sum()
torch.autograd.backward([first, second])
print(layer.weight.grad)
assert layer.weight.grad.tolist() == [[2, 2]]

# %%
# If one part is frozen on purpose
# --------------------------------
# Its loss has no graph as long as everything that it depends on is frozen. Leave out
# such losses, and check which ones remain: a filter also leaves out a loss whose graph
# was dropped by mistake.
frozen = torch.nn.Linear(2, 1).requires_grad_(False)
losses = {"layer": layer(x).sum(), "frozen": frozen(x).sum()}
# Wrong: a loss of frozen parameters is in the list.
try:
    torch.autograd.backward(list(losses.values()))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the second loss had a graph")
assert message.startswith("element 1 of tensors does not require grad")
# Right: only the losses that have a graph.
recorded = {name: loss for name, loss in losses.items() if loss.requires_grad}
print(list(recorded))
assert list(recorded) == ["layer"]
torch.autograd.backward(list(recorded.values()))

# %%
# A sum of the losses hides the mistake
# -------------------------------------
# A sum requires a gradient if one of its terms does. So ``backward()`` raises nothing,
# and nothing learns from the other term. Look at ``requires_grad`` of each loss.
layer.zero_grad()
kept, dropped = layer(x).sum(), layer(x).detach().sum()
(kept + dropped).backward()
print(layer.weight.grad, kept.requires_grad, dropped.requires_grad)
assert layer.weight.grad.tolist() == [[1, 1]]
assert not dropped.requires_grad

# %%
# Read on: :doc:`/gallery/graph/what_drops_the_graph`.
