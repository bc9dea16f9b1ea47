"""
``expected Tensor as element 0 in argument 2, but got NoneType``
================================================================

If ``step()`` of SGD with ``fused=True`` raises it, a parameter got its first gradient
later than others of its group, and has no momentum yet. Make a group of each part that
is unfrozen at one time, or leave out ``fused=True``.
"""

# %%
import torch

body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)


def train(params):
    optimizer = torch.optim.SGD(params, 0.1, momentum=0.9, fused=True)
    for unfrozen in (False, True):
        body.requires_grad_(unfrozen)
        optimizer.zero_grad()
        head(body(torch.ones(1, 2))).sum().backward()
        optimizer.step()
    return len(optimizer.state)


try:
    # Wrong: the body is unfrozen later, in the group of the head.
    train([*body.parameters(), *head.parameters()])
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a parameter without momentum was updated")
# Right: a group for each part.
trained = train([{"params": body.parameters()}, {"params": head.parameters()}])
print(trained)
assert trained == 4

# %%
# If it must be one group
# -----------------------
# Give each parameter a momentum of zeros when you create the optimizer. Without
# ``dampening``, the result is that of SGD without ``fused=True``, which raises nothing.
# Nor do Adam, AdamW and Adagrad with ``fused=True``.


def late_after(make, zeros=False):
    early, late = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = make([early, late])
    if zeros:
        for parameter in (early, late):
            buffer = torch.zeros_like(parameter)
            optimizer.state[parameter]["momentum_buffer"] = buffer
    for unfrozen in (False, True, True):
        late.requires_grad_(unfrozen)
        optimizer.zero_grad()
        (early * late).sum().backward()
        optimizer.step()
    return late.detach()


def sgd(params, fused=True):
    return torch.optim.SGD(params, 0.1, momentum=0.9, fused=fused)


# Wrong: late has no momentum.
try:
    late_after(sgd)
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("a parameter without momentum was updated")
assert "expected Tensor as element 1 in argument 2" in message
# Right: late has a momentum of zeros.
filled = late_after(sgd, zeros=True)
unfused = late_after(lambda params: sgd(params, fused=False))
print(filled, unfused)
assert filled.allclose(unfused)
for adaptive in (torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad):
    late_after(lambda params, make=adaptive: make(params, fused=True))

# %%
# torch.cat() or torch.stack() raised it
# --------------------------------------
# Then it is ``argument 0``, and the list that you passed contains None: the gradient of
# a frozen or unused parameter, or a result of ``autograd.grad(allow_unused=True)``.
# Leave it out, or put zeros in its place.
used, unused = (torch.ones(2, requires_grad=True) for _ in range(2))
gradients = torch.autograd.grad(used.sum(), (used, unused), allow_unused=True)
# Wrong: the second gradient is None.
try:
    torch.cat(gradients)
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("None was concatenated")
# Right: only those that exist.
flat = torch.cat([gradient for gradient in gradients if gradient is not None])
print(flat)
assert flat.tolist() == [1, 1]

# %%
# Read on: :doc:`/gallery/freezing/unfreeze_gradually`.
