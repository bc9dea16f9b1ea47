"""
``Inference tensors do not track version counter``
==================================================

A module was created under ``inference_mode()`` and converted outside of it, or code
reads ``_version`` of an inference tensor. Create the module outside. One that exists is
repaired by ``copy.deepcopy()``, outside, too.
"""

# %%
import copy

import torch

x = torch.ones(1, 2, dtype=torch.float64)
with torch.inference_mode():
    layer = torch.nn.Linear(2, 1)
# Wrong: the conversion puts new values into inference tensors.
layer.double()
try:
    layer(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the converted layer runs")
# Right: the parameters of the copy are ordinary ones.
layer = copy.deepcopy(layer)
layer(x).sum().backward()
print(layer.weight.grad)
assert layer.weight.grad.tolist() == [[1, 1]]

# %%
# ``no_grad()`` or ``inference_mode()`` around the call does not help. The order does:
# convert inside, too, or create the module outside and convert it where you like.
with torch.inference_mode():
    inside, broken = torch.nn.Linear(2, 1).double(), torch.nn.Linear(2, 1)
outside = torch.nn.Linear(2, 1)
with torch.inference_mode():
    outside.double()
broken.double()
for mode in (torch.no_grad, torch.inference_mode):
    with mode():
        assert inside(x).shape == outside(x).shape == (1, 1)
        try:
            broken(x)
        except RuntimeError as error:
            message = str(error)
        else:
            raise AssertionError("the converted layer runs")
    print(mode.__name__, message == "Inference tensors do not track version counter.")
    assert message == "Inference tensors do not track version counter."

# %%
# If a program keeps the module for later, the first use can work and the second one
# fail, because the conversion lies between them. `StableGen 99
# <https://github.com/sakalond/StableGen/issues/99>`__ reports the error from the second
# use on (not run).
#
# Code that reads ``_version``
# ----------------------------
# Libraries compare this number to see whether a tensor was changed in place. An
# inference tensor has none. Pass a clone that was made outside, or compute under
# ``no_grad()`` instead, as `k2 1210 <https://github.com/k2-fsa/k2/issues/1210>`__
# advises.
with torch.inference_mode():
    result = torch.ones(2) * 2
try:
    # Wrong: an inference tensor.
    print(result._version)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an inference tensor has a version")
assert message == "Inference tensors do not track version counter."
# Right: a clone, or a result of no_grad().
copied = result.clone()
with torch.no_grad():
    computed = torch.ones(2) * 2
before = copied._version, computed._version
copied.add_(1)
computed.add_(1)
print(before, (copied._version, computed._version))
assert copied._version == before[0] + 1
assert computed._version == before[1] + 1

# %%
# Read on: :doc:`/gallery/modes/inference_tensors_bite_later`.
