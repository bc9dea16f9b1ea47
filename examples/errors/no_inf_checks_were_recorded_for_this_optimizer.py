"""
``No inf checks were recorded for this optimizer``
==================================================

No parameter of this optimizer has a gradient: all are frozen, the loss does not depend
on them, or ``zero_grad()`` ran after ``backward()``. Use one optimizer for all
parameters, or call ``scaler.step()`` only for optimizers that have gradients.
"""

# %%
import torch

body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
body.requires_grad_(False)
parameters = [*body.parameters(), *head.parameters()]
scaler = torch.amp.GradScaler("cpu")
scaler.scale(head(body(torch.ones(1, 2))).sum()).backward()
of_body = torch.optim.SGD(body.parameters(), lr=0.1)
try:
    # Wrong: an optimizer of frozen parameters alone.
    scaler.step(of_body)
except AssertionError as error:
    print(f"AssertionError: {error}")
else:
    raise AssertionError("the scaler found a gradient")
# Right: one optimizer, and one gradient is enough.
before = head.bias.item()
scaler.step(torch.optim.SGD(parameters, lr=0.1))
scaler.update()
print(round(before - head.bias.item(), 4))
assert head.bias.item() != before

# %%
# Two optimizers
# --------------
# Call ``scaler.step()`` for those that have gradients. If none has, leave out
# ``scaler.update()``, too: it raises an error if no gradient was checked since the last
# update.
head.zero_grad()
scaler.scale(head(body(torch.ones(1, 2))).sum()).backward()
parts = body, head
optimizers = [torch.optim.SGD(part.parameters()) for part in parts]
stepped = []
for optimizer in optimizers:
    group = optimizer.param_groups[0]["params"]
    has_gradient = any(p.grad is not None for p in group)
    if has_gradient:
        scaler.step(optimizer)
    stepped.append(has_gradient)
if any(stepped):
    scaler.update()
print(stepped)
assert stepped == [False, True]

# %%
# ``zero_grad()`` came too early
# ------------------------------
# Call it before ``backward()`` or after ``scaler.step()``, not between them.
head.zero_grad()
scaler.scale(head(torch.ones(1, 2)).sum()).backward()
# Wrong: the gradients are gone before the step.
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
optimizer.zero_grad()
try:
    scaler.step(optimizer)
except AssertionError as error:
    message = str(error)
else:
    raise AssertionError("the gradients are still there")
assert message == "No inf checks were recorded for this optimizer."
# Right: after the step.
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
scaler.scale(head(torch.ones(1, 2)).sum()).backward()
scaler.step(optimizer)
scaler.update()
optimizer.zero_grad()
print(head.bias.grad)
assert head.bias.grad is None

# %%
# Nothing is frozen, and the error comes all the same
# ---------------------------------------------------
# Then look at ``.grad`` of the parameters in the optimizer after ``backward()``.
#
# - If it is None in the model, too, the graph is cut between these parameters and the
#   loss, for instance by ``detach()`` or ``no_grad()``.
# - If the model has gradients, the optimizer holds other parameters: of a copy, or of a
#   layer that has been replaced.
#
# Skipping the step hides only the error: these parameters still do not train. Remove
# the cut, or make the optimizer of the parameters of this model.
import copy

first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
net = torch.nn.Sequential(first, second)
of_a_copy = torch.optim.SGD(copy.deepcopy(net).parameters(), lr=0.1)
of_first = torch.optim.SGD(first.parameters(), lr=0.1)
cut = second(first(torch.ones(1, 2)).detach())
whole = net(torch.ones(1, 2))
for output, optimizer in ((cut, of_first), (whole, of_a_copy), (whole, of_first)):
    net.zero_grad()
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(output.sum()).backward(retain_graph=True)
    held = [p.grad is not None for p in optimizer.param_groups[0]["params"]]
    try:
        scaler.step(optimizer)
        scaler.update()
        stepped = True
    except AssertionError:
        stepped = False
    print(first.weight.grad is not None, any(held), stepped)
    assert any(held) == stepped == (output is whole and optimizer is of_first)
    assert (first.weight.grad is None) == (output is cut)

# %%
# No error, although all are frozen
# ---------------------------------
# With ``fused=True``, ``scaler.step()`` raises no error and changes nothing. And if the
# frozen parameters still have a gradient from before, ``step()`` applies it: set
# ``.grad`` to None when you freeze.
fused = torch.optim.SGD(body.parameters(), lr=0.1, fused=True)
before = body.bias.detach().clone()
scaler.step(fused)
assert body.bias.equal(before)
scaler.scale(torch.ones(1))
body.bias.grad = torch.ones(2) * scaler.get_scale()
scaler.step(torch.optim.SGD(body.parameters(), lr=0.1))
print(round((before - body.bias)[0].item(), 4))
assert not body.bias.equal(before)

# %%
# Read on: :doc:`/gallery/beyond/mixed_precision`.
