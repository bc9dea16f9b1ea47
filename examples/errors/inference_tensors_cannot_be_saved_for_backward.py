"""
``Inference tensors cannot be saved for backward``
==================================================

A tensor that was computed under ``inference_mode()`` stays an inference tensor outside,
and a recorded operation has to save it. ``clone()`` it outside the block, or compute it
under ``no_grad()``.
"""

# %%
import torch

head = torch.nn.Linear(2, 1)
with torch.inference_mode():
    features = torch.ones(4, 2) * 2
# Wrong: the layer has to save the inference tensor.
try:
    head(features)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an inference tensor was saved")
# Right: clone() outside of the block makes an ordinary tensor.
head(features.clone()).sum().backward()
print(head.weight.grad)
assert head.weight.grad.tolist() == [[8.0, 8.0]]

# %%
# Compute it under no_grad()
# --------------------------
# This needs no copy. ``detach()`` is no cure, and neither is a ``clone()`` inside the
# block: both return an inference tensor again.

# Wrong: both are inference tensors.
with torch.inference_mode():
    copy = features.clone()
print(features.detach().is_inference(), copy.is_inference())
assert features.detach().is_inference()
assert copy.is_inference()
# Right: a tensor from no_grad() is an ordinary one.
with torch.no_grad():
    features = torch.ones(4, 2) * 2
head(features).sum().backward()
print(features.is_inference())
assert not features.is_inference()

# %%
# The mode is set by Lightning
# ----------------------------
# ``Trainer.validate()``, ``test()`` and ``predict()`` of Lightning run under
# ``inference_mode()``. A tensor that you keep there, and use in a training, raises this
# error. Pass ``Trainer(inference_mode=False)``, or ``clone()`` it in the training. The
# validation inside of ``fit()`` runs under ``no_grad()``
# (:doc:`/gallery/frameworks/lightning_gradient_in_test`).
#
# A layer was built under inference_mode()
# ----------------------------------------
# Its parameters are inference tensors. Some layers raise this error, for example a
# convolution. ``nn.Linear`` doesn't: its weight gets no gradient. Build the model
# outside of the block, or make a deep copy outside.
import copy

x = torch.ones(1, 1, 4)
# Wrong: the parameters are inference tensors.
with torch.inference_mode():
    layer = torch.nn.Conv1d(1, 1, 1)
    linear = torch.nn.Linear(4, 1)
try:
    layer(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an inference tensor was saved")
linear(x).sum().backward()
assert linear.weight.grad is None
# Right: a deep copy has ordinary parameters.
layer = copy.deepcopy(layer)
layer(x).sum().backward()
print(layer.weight.grad.shape)
assert not layer.weight.is_inference()

# %%
# Read on: :doc:`/gallery/modes/inference_tensors_bite_later`.
