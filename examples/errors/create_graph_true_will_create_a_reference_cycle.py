"""
``Using backward() with create_graph=True will create a reference cycle``
=========================================================================

``backward(create_graph=True)`` stores in ``.grad`` a gradient with a graph. If this
graph leads back to the parameter, neither is freed. Use ``autograd.grad``, or set
``.grad`` to None afterwards.
"""

# %%
import torch

weight = torch.tensor(2.0, requires_grad=True)
# Wrong: weight.grad has a graph, which leads back to the weight.
(weight**3).backward(create_graph=True)
assert weight.grad.requires_grad
# Right: autograd.grad returns the gradient and stores nothing.
weight.grad = None
loss = weight**3
(gradient,) = torch.autograd.grad(loss, weight, create_graph=True)
(second,) = torch.autograd.grad(gradient, weight)
print(gradient.item(), second.item())
assert (gradient, second) == (12, 12)

# %%
# What is not freed
# -----------------
# A weight and its gradient that keep each other alive, with the graph between them.
# The garbage collector of Python does not find such a cycle. If you have to call
# ``backward()``, set ``.grad`` to None after use. By default PyTorch warns once in each
# process, and also if there is no cycle: the gradient of ``3 * weight`` has no graph.
import gc
import weakref


def is_freed(run):
    weight = torch.tensor(2.0, requires_grad=True)
    run(weight)
    reference = weakref.ref(weight)
    del weight
    gc.collect()
    return reference() is None


def kept(weight):
    (weight**3).backward(create_graph=True)


def reset(weight):
    (weight**3).backward(create_graph=True)
    weight.grad = None


def returned(weight):
    torch.autograd.grad(weight**3, weight, create_graph=True)


def without_graph(weight):
    (3 * weight).backward(create_graph=True)


freed = {run.__name__: is_freed(run) for run in (kept, reset, returned, without_graph)}
print(freed)
assert not freed["kept"]
assert freed["reset"]
assert freed["returned"]
assert freed["without_graph"]

# %%
# Read on: :doc:`/gallery/beyond/complex_and_double_backward`.
