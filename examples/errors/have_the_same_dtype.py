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
# ``self and mat2 must have the same dtype``: QLoRA, ``quantization_bit 4``, int8 model
# --------------------------------------------------------------------------------------
# ``self`` is the bias and ``mat2`` the weight of a linear layer. If they are float and
# half, or Half and BFloat16, use ``autocast``. ``Byte``, ``Char`` or ``Int`` is a
# quantised weight: code that does not know the layer multiplies by its codes. Don't
# convert these, which gives wrong numbers
# (:doc:`only_tensors_of_floating_point`). Which of them do you have?
#
# - bitsandbytes, ``--quantization_bit 4`` or ``load_in_4bit``, while 8 bits work: a
#   peft from before QLoRA takes ``Linear4bit`` for ``nn.Linear``. `Upgrade peft
#   <https://github.com/hiyouga/LlamaFactory/issues/13>`__, with transformers and
#   bitsandbytes, set ``bnb_4bit_compute_dtype`` to the dtype of the training, and call
#   ``prepare_model_for_kbit_training()`` before ``get_peft_model()``.
# - A checkpoint that is quantised already by code of its own, such as
#   ``chatglm-6b-int8`` or ``-int4``: its layer is a kind of ``nn.Linear``, and LoRA
#   took its place (`ChatGLM-Tuning 214
#   <https://github.com/mymusise/ChatGLM-Tuning/issues/214>`__). Load the original
#   weights, let bitsandbytes quantise them (``BitsAndBytesConfig``), and call
#   ``prepare_model_for_kbit_training()``, then ``get_peft_model()``. GPTQ and AWQ need
#   a peft that has a class for them.
#
# The libraries were not run. To see what you have, print the layers whose weight is no
# floating-point tensor, and their class:
from torch.nn.functional import linear

layer = torch.nn.Linear(2, 2)
layer.weight = torch.nn.Parameter(
    torch.ones(2, 2, dtype=torch.int8), requires_grad=False
)
try:
    # Wrong: multiplies by the codes.
    linear(x, layer.weight, layer.bias)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the codes were accepted")
print(message)
assert message == "self and mat2 must have the same dtype, but got Float and Char"
integers = [
    (name, type(part).__name__, part.weight.dtype)
    for name, part in torch.nn.Sequential(layer).named_modules()
    if hasattr(part, "weight") and not part.weight.is_floating_point()
]
print(integers)
assert integers == [("0", "Linear", torch.int8)]
# Right: the codes times their scale, which the layer's own forward() does.
scale = torch.full((2, 1), 0.5)
assert linear(x, layer.weight * scale, layer.bias).dtype == torch.float32

# %%
# The same mistake in other layers: ``Input type (float) and bias type (c10::Half)``
# ----------------------------------------------------------------------------------
# Each operation has words of its own. The cure is the same: ``x.to(model.dtype)``, or
# ``x.to(next(model.parameters()).dtype)``, or ``autocast``. On a GPU the names begin
# with ``torch.cuda.``, and ``Half`` is float16, ``Double`` float64. ``Double`` mostly
# means that the data come from NumPy or pandas: ``torch.from_numpy(array).float()``.
query = torch.ones(1, 2, 2)
layers = {
    "nn.Conv1d": lambda: torch.nn.Conv1d(2, 1, 1).bfloat16()(query),
    "nn.LSTM": lambda: torch.nn.LSTM(2, 2).bfloat16()(query),
    "@": lambda: query @ query.bfloat16(),
    "attention": lambda: torch.nn.functional.scaled_dot_product_attention(
        query, query.bfloat16(), query
    ),
    "LayerNorm": lambda: torch.nn.LayerNorm(2).bfloat16()(query),
    "x[mask] = y": lambda: query.clone().masked_scatter_(query > 0, query.bfloat16()),
    "Linear, NumPy": lambda: torch.nn.Linear(2, 1)(query.double()),
}
texts = {}
for name, call in layers.items():
    try:
        call()
    except (RuntimeError, ValueError) as error:
        texts[name] = str(error).splitlines()[0]
    else:
        raise AssertionError(f"{name} accepted two dtypes")
    print(f"{name:14}{texts[name]}")
assert texts["nn.Conv1d"].startswith("Input type (float) and bias type (c10::BFloat16)")
assert texts["Linear, NumPy"].endswith("but got Double and Float")

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
# ``"..." not implemented for 'Half'``, ``Index put requires the source``
# -----------------------------------------------------------------------
# The first names an operation that has no code for this dtype on this device:
# ``"addmm_impl_cpu_"``, ``"slow_conv2d_cpu"`` or ``"LayerNormKernelImpl" not
# implemented for 'Half'`` mean that a model in float16 runs on the CPU. Newer versions
# of PyTorch can do these three. Otherwise take ``model.float()`` or bfloat16 on the
# CPU, or a GPU. For ``'Long'`` or ``'Int'``, write ``x.float()``. ``Index put``: in
# ``x[index] = y`` under ``autocast``, ``y`` has become half precision, and ``x``, which
# you made with ``torch.zeros``, has not. Write ``y.to(x.dtype)``. ``index_add_`` and
# ``scatter_`` want it, too.
half, index = torch.eye(2).half(), torch.tensor([0])
texts = {}
for name, call in {
    "cholesky": lambda: torch.linalg.cholesky(half),
    "log_softmax": lambda: torch.tensor([[1, 2]]).log_softmax(1),
    "x[index] = y": lambda: torch.zeros(2).index_put_((index,), half[0, :1]),
    "index_add_": lambda: torch.zeros(2).index_add_(0, index, half[0, :1]),
}.items():
    try:
        call()
    except (NotImplementedError, RuntimeError) as error:
        texts[name] = str(error).split(", got")[0]
    else:
        raise AssertionError(f"{name} accepted it")
    print(f"{name:14}{texts[name]}")
assert "not implemented for 'Half'" in texts["cholesky"]
assert "not implemented for 'Long'" in texts["log_softmax"]
assert texts["x[index] = y"].startswith("Index put requires the source and destination")
# Right: the dtype of the destination.
result = torch.zeros(2)
result[index] = half[0, :1].to(result.dtype)
print(result)
assert result.tolist() == [1, 0]

# %%
# Read on: :doc:`/gallery/frameworks/dtype_of_base_and_adapter`.
