"""
mat1 and mat2 must have the same dtype: a base in bfloat16, adapters in float32
===============================================================================

peft keeps LoRA weights in float32 beside a base in bfloat16, and converts between the
two. It does not convert the input of the base. Convert that, or use ``autocast``.
"""

# %%
import torch
from peft import LoraConfig, get_peft_model


def base(dtype):
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)).to(dtype)


x, lora = torch.ones(2, 4), LoraConfig(r=2, target_modules=["0"])
model = get_peft_model(base(torch.bfloat16), lora)
try:
    # Wrong: an input in float32.
    model(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a float32 input was accepted")
# Right: convert the input, or use autocast.
converted = model(x.bfloat16())
with torch.autocast("cpu", torch.bfloat16):
    automatic = model(x)
print(converted.dtype, automatic.dtype)
assert {converted.dtype, automatic.dtype} == {torch.bfloat16}

# %%
# Which dtype do the trainable parameters have?
# ---------------------------------------------
# - LoRA weights: float32 if the base is in float16 or bfloat16. With
#   ``autocast_adapter_dtype=False`` they have the dtype of the base.
# - ``modules_to_save``: the dtype of the base. Such a copy is not converted. But with
#   ``from_pretrained(..., low_cpu_mem_usage=True)`` it has the dtype of the file.
#
# All forms run, because a LoRA layer converts its input to the dtype of its adapter,
# and the result back.


def dtypes(dtype, *, autocast_adapter_dtype=True):
    config = LoraConfig(r=2, target_modules=["0"], modules_to_save=["1"])
    model = get_peft_model(
        base(dtype), config, autocast_adapter_dtype=autocast_adapter_dtype
    )
    assert model(x.to(dtype)).dtype == dtype
    return {
        "lora" if "lora_" in name else "modules_to_save": str(p.dtype)[6:]
        for name, p in model.named_parameters()
        if p.requires_grad
    }


half = dtypes(torch.float16)
brain = dtypes(torch.bfloat16)
kept = dtypes(torch.bfloat16, autocast_adapter_dtype=False)
print(half, brain, kept, sep="\n")
assert half == {"lora": "float32", "modules_to_save": "float16"}
assert brain == {"lora": "float32", "modules_to_save": "bfloat16"}
assert kept == {"lora": "bfloat16", "modules_to_save": "bfloat16"}
assert dtypes(torch.float64)["lora"] == "float64"

import tempfile

from peft import PeftModel

config = LoraConfig(r=2, target_modules=["0"], modules_to_save=["1"])
with tempfile.TemporaryDirectory() as folder:
    get_peft_model(base(torch.float32), config).save_pretrained(folder)
    for low in (False, True):
        model = PeftModel.from_pretrained(
            base(torch.bfloat16), folder, low_cpu_mem_usage=low
        )
        head = model.base_model.model[1].modules_to_save["default"]
        assert head.weight.dtype == (torch.float32 if low else torch.bfloat16)

# %%
# Why not train in bfloat16?
# --------------------------
# A small update of a weight in bfloat16 is rounded away. Here Adam changes each weight
# by 0.0001 in its first step, and next to 1.0 the nearest bfloat16 numbers are 0.004
# below and 0.008 above. In float16, a ``GradScaler`` refuses such parameters:
# :doc:`trainable_parameters_in_fp16`. Convert what is trainable to float32, and train
# under ``autocast``: without it, the head in float32 gets a bfloat16 input.
config = LoraConfig(r=2, target_modules=["0"], modules_to_save=["1"])
for convert in (False, True):
    model = get_peft_model(base(torch.bfloat16), config)
    head = model.base_model.model[1].modules_to_save["default"]
    torch.nn.init.ones_(head.weight)
    if convert:
        for p in model.parameters():
            if p.requires_grad:
                p.data = p.data.float()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(x).sum()
    loss.backward()
    optimizer.step()
    print(head.weight.dtype, (head.weight == 1).all().item())
    assert (head.weight == 1).all() == (not convert)
try:
    model(x.bfloat16())
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a head in float32 took a bfloat16 input")
assert message == "mat1 and mat2 must have the same dtype, but got BFloat16 and Float"

# %%
# The same error in other words
# -----------------------------
# A linear layer without a bias says it in another way on the CPU.
# :doc:`/reference/errors/have_the_same_dtype` has the texts. Other layers, and linear
# layers in older versions, say ``expected scalar type Float but found Half``.
#
# With LoRA this comes of weights in float16 and an input in float32. Old versions of
# peft did not convert the input of the adapter (`LLaMA-Factory 1303
# <https://github.com/hiyouga/LlamaFactory/issues/1303>`__), so upgrade. Then train
# under ``autocast``: ``fp16=True`` or ``bf16=True`` in ``TrainingArguments``,
# ``Accelerator(mixed_precision="bf16")``, or ``torch.autocast``.
conv = torch.nn.Sequential(torch.nn.Conv1d(1, 1, 1, bias=False)).half()
model = get_peft_model(conv, lora)
try:
    # Wrong: a float32 input, and no autocast.
    model(torch.ones(1, 1, 4))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a float32 input was accepted")
assert message == "expected scalar type Float but found Half"
# Right: autocast.
with torch.autocast("cpu", torch.float16):
    output = model(torch.ones(1, 1, 4))
print(message, output.dtype, sep="\n")
assert output.dtype == torch.float16
try:
    torch.nn.Linear(4, 1, bias=False).bfloat16()(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a float32 input was accepted")

# %%
# Half but found Float in ``backward()``: ``MatMul8bitLt``, LoRA with 8 bits
# --------------------------------------------------------------------------
# If the forward pass works, and ``backward()`` of ``MatMul8bitLt`` raises ``expected
# scalar type Half but found Float``, upgrade bitsandbytes to 0.45 or later.
#
# ``MatMul8bitLt`` is an ``autograd.Function``. The ``backward()`` of such a class runs
# outside ``autocast`` if ``loss.backward()`` is called outside, even if its forward ran
# inside. On GPUs without int8 tensor cores, such as V100, ``autocast`` makes its output
# float16, so the gradient arrives in float16. Versions 0.37 to 0.44 multiply it by a
# weight in float32, the dtype of the input; 0.45 converts it first. This was read in
# the source and not run; the error is in `issue 240
# <https://github.com/bitsandbytes-foundation/bitsandbytes/issues/240>`__. The input is
# in float32 because ``prepare_model_for_kbit_training()`` converts the norms. The
# warning ``inputs will be cast from torch.float32 to float16`` says no more than that.
#
# A class of your own has the same gap: convert the gradient, or put
# ``torch.amp.custom_fwd`` and ``torch.amp.custom_bwd`` around the two methods. A
# checkpoint needs nothing: it computes again under the ``autocast`` of its forward.
from torch.utils.checkpoint import checkpoint


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(weight)
        return torch.bmm(x, weight)

    @staticmethod
    def backward(ctx, grad):
        (weight,) = ctx.saved_tensors
        return torch.bmm(grad, weight.mT), None


class Right(Wrong):
    @staticmethod
    def backward(ctx, grad):
        (weight,) = ctx.saved_tensors
        return torch.bmm(grad.to(weight.dtype), weight.mT), None


class Decorated(torch.autograd.Function):
    forward = staticmethod(torch.amp.custom_fwd(Wrong.forward, device_type="cpu"))
    backward = staticmethod(torch.amp.custom_bwd(Wrong.backward, device_type="cpu"))


hidden, weight = torch.ones(1, 2, 4, requires_grad=True), torch.ones(1, 4, 4)
for function in (Wrong, Right, Decorated):
    with torch.autocast("cpu", torch.float16):
        output = function.apply(hidden, weight)
    assert output.dtype == torch.float16
    try:
        output.sum().backward()
    except RuntimeError as error:
        message = str(error)
        print(function.__name__, message)
        assert function is Wrong
    else:
        assert function is not Wrong
        assert hidden.grad.dtype == torch.float32
assert message == "expected scalar type Half but found Float"


def projection(x):
    active.append(torch.is_autocast_enabled("cpu"))
    return torch.bmm(x, weight)


active = []
for reentrant in (True, False):
    with torch.autocast("cpu", torch.float16):
        output = checkpoint(projection, hidden, use_reentrant=reentrant)
    output.sum().backward()
assert active == [True] * 4

# %%
# Where it ends
# -------------
# - ``model.bfloat16()`` or ``model.to(torch.bfloat16)`` after ``get_peft_model()``
#   converts the adapters, too.
# - Converting only the base layers later, below an adapter, leads to the error above.
# - In a base that bitsandbytes has quantised, the weights have an integer dtype. They
#   can't be unfrozen: ``requires_grad_()`` raises *only Tensors of floating point dtype
#   can require gradients*. The gradient passes through them to the adapters. The script
#   of this page does without bitsandbytes; this was run apart from it, on a CPU, with
#   version 0.50.2 and with 4 and 8 bits.
model = get_peft_model(base(torch.bfloat16), lora).bfloat16()
assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
model = get_peft_model(base(torch.float32), lora)
model.base_model.model[0].base_layer.bfloat16()
try:
    model(x)
except RuntimeError as error:
    message = str(error)
assert message == "mat1 and mat2 must have the same dtype, but got Float and BFloat16"

# %%
# Keep what is trainable in float32, and let ``autocast`` choose the dtype of the
# computation. Source: `peft about dtypes
# <https://huggingface.co/docs/peft/developer_guides/troubleshooting>`__.
#
# Related: :doc:`trainable_parameters_in_fp16`, :doc:`modules_to_save`,
# :doc:`/gallery/beyond/mixed_precision`.
