"""
``Can't detach views in-place. Use detach() instead``
=====================================================

``detach_()`` was called on a view, such as a slice of another tensor. Autograd tracks a
view together with its base, so it can't detach the view alone in place. Use
``detach()``, which returns another tensor.
"""

# %%
import torch

x = torch.ones(2, requires_grad=True)
view = (x * 2)[:1]

# Wrong: in place, on a view
try:
    view.detach_()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a view was detached in place")

# Right: the name now refers to another tensor
view = view.detach()
print(view.requires_grad)
assert not view.requires_grad

# %%
# Slices and the results of ``view()``, ``split()`` or ``unbind()`` are views, and
# ``reshape()`` returns a view where it can. Indexing with a list copies: its result is
# no view, and ``detach_()`` accepts it.
y = x * 2
views = (y[:1], y.view(2, 1), y.split(1)[0], y.unbind()[0], y.reshape(2, 1))
for view in views:
    try:
        view.detach_()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a view was detached in place")
    assert message.startswith("Can't detach views in-place")
assert not y[[0]].detach_().requires_grad

# %%
# Gradients in the buckets of DistributedDataParallel
# ---------------------------------------------------
# With ``gradient_as_bucket_view=True``, the gradients are views of the buckets that DDP
# sends. A loop of your own that calls ``grad.detach_()`` then fails. Call the
# ``zero_grad()`` of the optimizer instead.
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

store = dist.HashStore()
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
layer = torch.nn.Linear(2, 1)
model = DistributedDataParallel(layer, gradient_as_bucket_view=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.ones(1, 2)).sum().backward()

# Wrong: the gradient is a view
try:
    layer.weight.grad.detach_()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a gradient in a bucket was detached in place")
assert message.startswith("Can't detach views in-place")

# Right: the optimizer sets the gradient to None
optimizer.zero_grad()
print(layer.weight.grad)
assert layer.weight.grad is None
dist.destroy_process_group()

# %%
# Read on: :doc:`/gallery/detach/detach_in_place`.
