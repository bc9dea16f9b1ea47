"""
``mat1 and mat2 must have the same dtype``
==========================================

A layer gets an input in another dtype than its weight, for instance float32 for a model
in bfloat16. Convert the input, or run the forward pass under ``autocast``.
"""

# %%
import torch

net = torch.nn.Linear(2, 1).bfloat16()
x = torch.ones(1, 2)
try:
    # Wrong: the input is in float32, the weight in bfloat16.
    net(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the layer accepted another dtype")
# Right: convert the input.
out = net(x.bfloat16())
# Or let autocast convert both.
with torch.autocast("cpu", torch.bfloat16):
    same = net(x)
print(out.dtype, same.dtype)
assert (out.dtype, same.dtype) == (torch.bfloat16, torch.bfloat16)

# %%
# The same error in other words
# -----------------------------
# Without a bias, another function multiplies and says it in another way. On a GPU it
# says ``expected mat1 and mat2 to have the same dtype``, as `many reports
# <https://github.com/huggingface/peft/issues/1515>`__ show (not run here).
try:
    torch.nn.Linear(2, 1, bias=False).bfloat16()(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the layer accepted another dtype")

# %%
# A part of the model has another dtype
# -------------------------------------
# Then it is not the input of the model that you have to convert. Here the head was
# converted to float32, to train it. Under ``autocast`` the parts fit.
body, head = (
    torch.nn.Linear(2, 2).bfloat16().requires_grad_(False),
    torch.nn.Linear(2, 1),
)
dtypes = {
    name: part.weight.dtype for name, part in {"body": body, "head": head}.items()
}
print(dtypes)
# Wrong: body gives bfloat16 to head.
try:
    head(body(x.bfloat16()))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the head accepted another dtype")
assert message == "mat1 and mat2 must have the same dtype, but got BFloat16 and Float"
# Right: autocast.
with torch.autocast("cpu", torch.bfloat16):
    head(body(x)).sum().backward()
print(head.weight.grad.dtype)
assert head.weight.grad.dtype == torch.float32

# %%
# Read on: :doc:`/gallery/frameworks/dtype_of_base_and_adapter`.
