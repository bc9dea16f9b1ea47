"""
``requires_grad_ is not supported on ScriptModules``
====================================================

A module from ``torch.jit.script()`` or ``torch.jit.load()`` lacks some methods of
modules. Freeze its parameters one by one, or freeze the module before you script it.
"""

# %%
import torch

scripted = torch.jit.script(torch.nn.Linear(2, 1))
try:
    # Wrong: a method that a scripted module lacks.
    scripted.requires_grad_(False)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a scripted module has requires_grad_()")
# Right: the method of each parameter.
for parameter in scripted.parameters():
    parameter.requires_grad_(False)
print([p.requires_grad for p in scripted.parameters()])
assert not any(p.requires_grad for p in scripted.parameters())

# %%
# - Frozen before ``torch.jit.script()``, a layer stays frozen, in the saved file, too.
# - ``requires_grad_(False)`` of an ordinary module around the scripted one works: it
#   goes through the parameters.
# - A traced module has the method until it is saved and loaded.
# - ``torch.jit.freeze()`` is something else: it turns parameters into constants.
import io


def loaded(module):
    file = io.BytesIO()
    torch.jit.save(module, file)
    file.seek(0)
    return torch.jit.load(file)


layer = torch.nn.Linear(2, 1).requires_grad_(False)
again = loaded(torch.jit.script(layer))
print([p.requires_grad for p in again.parameters()])
assert not any(p.requires_grad for p in again.parameters())
scripted = torch.jit.script(torch.nn.Linear(2, 1))
torch.nn.Sequential(scripted).requires_grad_(False)
assert not any(p.requires_grad for p in scripted.parameters())
traced = torch.jit.trace(torch.nn.Linear(2, 1), torch.ones(1, 2))
assert not traced.requires_grad_(False).weight.requires_grad
assert not list(torch.jit.freeze(scripted.eval()).parameters())

# %%
# Freeze one layer of a scripted network
# --------------------------------------
# Choose the parameters by name. A freeze between two steps works, although the code is
# compiled. ``get_parameter()`` and ``get_submodule()`` raise such an error, too, and so
# do the methods that register a hook on the module: register it on a parameter.
layers = torch.nn.Linear(2, 2), torch.nn.Sigmoid(), torch.nn.Linear(2, 1)
network = torch.jit.script(torch.nn.Sequential(*layers))
x = torch.ones(4, 2)
for _ in range(3):
    network.zero_grad()
    network(x).sum().backward()
assert all(p.grad is not None for p in network.parameters())
network.zero_grad()
for name, parameter in network.named_parameters():
    parameter.requires_grad_(not name.startswith("0."))
network(x).sum().backward()
learns = [n for n, p in network.named_parameters() if p.grad is not None]
print(learns)
assert learns == ["2.weight", "2.bias"]

refused, ran = [], []
for call in (
    lambda: network.get_parameter("0.weight"),
    lambda: network.get_submodule("0"),
    lambda: network.register_full_backward_hook(lambda *_: None),
    lambda: loaded(traced).requires_grad_(False),
):
    try:
        call()
    except RuntimeError as error:
        refused.append(str(error))
print(*refused, sep="\n")
assert len(refused) == 4
assert all(text.endswith(" is not supported on ScriptModules") for text in refused)
parameter.register_hook(ran.append)
network(x).sum().backward()
assert len(ran) == 1

# %%
# Read on: :doc:`/gallery/beyond/quantised_and_scripted`.
