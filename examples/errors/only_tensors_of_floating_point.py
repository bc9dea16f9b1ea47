"""
``Only Tensors of floating point and complex dtype can require gradients``
==========================================================================

Integers and booleans have no gradient, and PyTorch makes integers of ``[1, 2]``. Write
``[1.0, 2.0]``, or convert first: ``x.float()``.
"""

# %%
import torch

# Wrong: the dtype is int64.
try:
    torch.tensor([1, 2], requires_grad=True)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an integer tensor requires a gradient")
# Right: the dtype is float32.
x = torch.tensor([1.0, 2.0], requires_grad=True)
x.square().sum().backward()
print(x.grad)
assert x.grad.tolist() == [2, 4]

# %%
# The tensor exists already
# -------------------------
# The message then has other words, and those of ``requires_grad_()`` leave out that
# complex numbers have a gradient, too. ``float()`` returns a new tensor, which gets the
# gradient.
counts = torch.tensor([1, 2])
# Wrong: an integer tensor.
for request in (lambda: setattr(counts, "requires_grad", True), counts.requires_grad_):
    try:
        request()
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    else:
        raise AssertionError("an integer tensor requires a gradient")
# Right: convert, then set requires_grad.
x = counts.float().requires_grad_()
x.square().sum().backward()
print(x.grad)
assert x.grad.tolist() == [2, 4]
assert torch.tensor([1j]).requires_grad_().requires_grad

# %%
# The tensor is a prediction
# --------------------------
# ``argmax()`` and ``max(1)[1]`` return indices, which have no gradient, and a
# comparison returns booleans. Neither ``float()`` nor ``requires_grad_()`` connects
# them with the model: ``backward()`` then runs and trains nothing. Compute the loss
# from the logits, with ``cross_entropy()`` for instance, and use the indices for the
# accuracy alone.
torch.manual_seed(0)
model, labels = torch.nn.Linear(2, 3), torch.tensor([0, 2])
logits = model(torch.ones(2, 2))
# Wrong: no error, and no gradient in the model.
predicted = logits.max(1)[1].float().requires_grad_()
(predicted - labels).abs().sum().backward()
print(model.weight.grad)
assert model.weight.grad is None
# Right: the loss of the logits.
torch.nn.functional.cross_entropy(logits, labels).backward()
print(model.weight.grad.any())
assert model.weight.grad.any()
assert not (logits > 0).requires_grad

# %%
# An integer parameter
# --------------------
# ``nn.Parameter`` requires a gradient unless you pass ``requires_grad=False``. Better,
# make it a buffer: ``register_buffer()``.
module = torch.nn.Linear(2, 1)
# Wrong: a parameter that requires a gradient.
try:
    module.codes = torch.nn.Parameter(counts)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an integer parameter requires a gradient")
# Right: a buffer, or a parameter without gradient.
module.register_buffer("mask", counts)
module.codes = torch.nn.Parameter(counts, requires_grad=False)
print([name for name, _ in module.named_parameters()])
assert not module.codes.requires_grad

# %%
# Unfreeze a quantised model
# --------------------------
# Its weights can be integers. Unfreeze only floating and complex parameters. If the
# error comes while a model for FSDP and QLoRA is loaded, set
# ``bnb_4bit_quant_storage``: :doc:`/gallery/beyond/quantised_and_scripted`.
module.requires_grad_(False)
# Wrong: all parameters, with the integers.
try:
    module.requires_grad_(True)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an integer parameter requires a gradient")
# Right: only the parameters that can have a gradient.
for parameter in module.parameters():
    parameter.requires_grad = parameter.is_floating_point() or parameter.is_complex()
trainable = [name for name, p in module.named_parameters() if p.requires_grad]
print(trainable)
assert trainable == ["weight", "bias"]

# %%
# PyTorch 0.4.1 does not name complex dtypes: ``Only Tensors of floating point dtype can
# require gradients`` (quoted from `NeuralBabyTalk 26
# <https://github.com/jiasenlu/NeuralBabyTalk/issues/26>`__).

# %%
# Read on: :doc:`/gallery/three-ways/backward_without_a_graph`.
