"""
``attempting to assign a gradient of size '[3]' to a tensor of size '[2]'``
===========================================================================

A gradient that you assign by hand must have the shape, the device and the dtype of its
tensor. Write ``p.grad = g.reshape(p.shape).to(p)``. In older versions the text is
``assigned grad has data of a different size`` or ``of a different type``.
"""

# %%
import torch

p, g = torch.nn.Parameter(torch.ones(2)), torch.ones(3)
try:
    # Wrong: three values for two.
    p.grad = g
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a gradient of another size was accepted")
# Right: the gradient of this tensor.
p.grad = g[:2]
print(p.grad)
assert p.grad.shape == p.shape

# %%
# ``with dtype 'float'`` to a tensor in half precision, or on another device
# --------------------------------------------------------------------------
# This comes if you keep a copy of the weights in float32, average gradients of several
# models, or write what came from another process. ``g.to(p)`` takes dtype and device
# from ``p``. The other way round, for the copy in float32, it is ``copy.grad =
# p.grad.to(copy)``. A gradient in half precision can be rounded to zero:
# :doc:`/gallery/beyond/bfloat16_updates_are_rounded_away`.
half, precise = torch.nn.Parameter(torch.ones(2).half()), torch.ones(2)
elsewhere = torch.ones(2, dtype=torch.half, device="meta")
for wrong in (precise, elsewhere):
    try:
        half.grad = wrong
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a gradient of another kind was accepted")
    print(message.split(" to a tensor", maxsplit=1)[0])
    assert message.startswith("attempting to assign a gradient with d")
half.grad = precise.to(half)  # right
assert half.grad.dtype == torch.half

# %%
# ``assigned grad expected to be a Tensor or None but got grad of type int``
# ---------------------------------------------------------------------------
# ``p.grad = 0`` is not allowed. ``p.grad = None`` removes the gradient, and then the
# optimizer leaves the parameter alone; with ``p.grad.zero_()`` momentum and weight
# decay still move it. ``p.grad = p`` (``can't assign Variable as its own grad``), for
# instance to shrink a weight, needs a copy: ``p.detach().clone()``.
texts = []
for wrong in (0, p):
    try:
        p.grad = wrong
    except (TypeError, RuntimeError) as error:
        texts.append(str(error))
    else:
        raise AssertionError("it was accepted as a gradient")
print(*texts, sep="\n")
assert texts[0].startswith("assigned grad expected to be a Tensor or None")
assert texts[1] == "can't assign Variable as its own grad"
p.grad = p.detach().clone()  # right
p.grad = None
assert p.grad is None

# %%
# ``p.data = ...``: ``incompatible tensor type``, ``must be floating point``
# --------------------------------------------------------------------------
# The shape may change, but not what kind of tensor it is. A tensor of another device
# type, or a sparse one, raises ``incompatible tensor type``: replace the parameter,
# ``module.weight = nn.Parameter(...)``, and create the optimizer after that. Integers,
# as in a quantised weight, raise ``data set to a tensor that requires gradients must be
# floating point``: freeze the parameter first. From the CPU to a GPU, ``p.data`` can be
# set.
texts = []
for wrong in (torch.ones(2, device="meta"), torch.ones(2, dtype=torch.int8)):
    try:
        p.data = wrong
    except RuntimeError as error:
        texts.append(str(error))
    else:
        raise AssertionError("the data was accepted")
    print(texts[-1])
assert texts[0].endswith("incompatible tensor type.")
assert "must be floating point" in texts[1]
p.requires_grad_(False)
p.data = torch.ones(2, dtype=torch.int8)  # right
assert p.dtype == torch.int8

# %%
# Read on: :doc:`/gallery/recipes/replacing_parameters`,
# :doc:`must_match_the_size_of_tensor_b`.
