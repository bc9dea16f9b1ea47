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
