"""
``torch.quantize_per_tensor, torch.quantize_per_channel and other … are deprecated``
====================================================================================

A quantised tensor was created, here by ``quantize_per_tensor()``. The call still works,
with this warning from PyTorch 2.13 on. In new code, use the package `torchao
<https://docs.pytorch.org/ao/>`__, or store the integers and their scale.
"""

# %%
import torch

x, scale = torch.tensor([0.12, 0.77]), 0.1

# Wrong: a tensor of a quantised dtype
quantised = torch.quantize_per_tensor(x, scale, 0, torch.qint8)

# Right: integers, and their scale beside them
codes = (x / scale).round().clamp(-128, 127).to(torch.int8)
print(codes, codes * scale)
assert torch.equal(codes, quantised.int_repr())
torch.testing.assert_close(codes * scale, quantised.dequantize())

# %%
# Training with rounded values
# ----------------------------
# ``fake_quantize_per_tensor_affine()`` rounds to the same values and creates no
# quantised tensor, so it gives no warning. The gradient passes where ``x`` is inside
# the range of the integers.
import warnings

x.requires_grad_()
with warnings.catch_warnings():
    warnings.simplefilter("error")
    rounded = torch.fake_quantize_per_tensor_affine(x, scale, 0, -128, 127)
rounded.sum().backward()
print(x.grad)
torch.testing.assert_close(rounded.detach(), quantised.dequantize())
assert x.grad.tolist() == [1, 1]

# %%
# On PyTorch 2.13, ``torch.ao.quantization.quantize_dynamic()`` gives this warning, too.
#
# Read on: :doc:`/gallery/beyond/quantised_and_scripted`.
