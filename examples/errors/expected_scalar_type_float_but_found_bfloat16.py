"""
``expected scalar type Float but found BFloat16``
=================================================

Two tensors of an operation differ in dtype. With a frozen ``nn.TransformerEncoder``
under ``autocast``, in ``eval()`` and with a padding mask, PyTorch itself mixes them.
Create the encoder with ``enable_nested_tensor=False``.
"""

# %%
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", message=".* nested tensors")
layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
x, padding = torch.ones(1, 3, 8), torch.tensor([[False, False, True]])
for nested in (True, False):
    # Wrong with True, which is the default, right with False.
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested)
    encoder.eval().requires_grad_(False)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            print(encoder(x, src_key_padding_mask=padding).dtype)
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
        assert nested
    else:
        assert not nested

# %%
# Why does it come after freezing?
# --------------------------------
# In ``eval()``, and where no gradient is needed, the encoder takes a fast path, which
# packs the tokens that the mask leaves. Under ``autocast`` this path mixes dtypes. A
# trainable encoder takes it under ``no_grad()``, in training mode it never does.
# Without a mask nothing is packed; the fast path then returns bfloat16, the ordinary
# one float32.


def outcome(*, frozen=True, recording=True, training=False, mask=padding):
    encoder = nn.TransformerEncoder(layer, 2).train(training)
    encoder.requires_grad_(not frozen)
    try:
        with torch.set_grad_enabled(recording), torch.autocast("cpu", torch.bfloat16):
            return encoder(x, src_key_padding_mask=mask).dtype
    except RuntimeError as error:
        return type(error).__name__


found = {
    "frozen": outcome(),
    "trainable": outcome(frozen=False),
    "trainable, no_grad()": outcome(frozen=False, recording=False),
    "frozen, train()": outcome(training=True),
    "frozen, no mask": outcome(mask=None),
}
for case, result in found.items():
    print(f"{case:21}{result}")
assert list(found.values()) == [
    "RuntimeError",
    torch.float32,
    "RuntimeError",
    torch.float32,
    torch.bfloat16,
]

# %%
# An encoder that exists
# ----------------------
# Set ``use_nested_tensor`` to False, or switch ``autocast`` off around the call, or
# switch off the fast path for the whole process, which gives float32 here. The
# attribute ``enable_nested_tensor`` alone changes nothing.
encoder = nn.TransformerEncoder(layer, 2).eval().requires_grad_(False)


def call():
    with torch.autocast("cpu", torch.bfloat16):
        return encoder(x, src_key_padding_mask=padding)


# Wrong: this attribute is read when the encoder is created.
encoder.enable_nested_tensor = False
try:
    call()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the tokens are not packed")
assert message == "expected scalar type Float but found BFloat16"
# Right, each alone.
torch.backends.mha.set_fastpath_enabled(False)
dtypes = [call().dtype]
torch.backends.mha.set_fastpath_enabled(True)
with torch.autocast("cpu", enabled=False):
    dtypes.append(encoder(x, src_key_padding_mask=padding).dtype)
encoder.use_nested_tensor = False
dtypes.append(call().dtype)
print(dtypes)
assert dtypes == [torch.float32, torch.float32, torch.bfloat16]

# %%
# Without ``autocast``
# --------------------
# A layer and its input differ, for example after ``half()`` or ``bfloat16()`` of a part
# of the model. Convert one of them. A convolution without a bias and ``torch.bmm``
# raise this text, a linear layer raises another.
conv, linear = nn.Conv1d(1, 1, 1, bias=False), nn.Linear(1, 1)
value = torch.ones(1, 1, 1)
texts = []
for module in (conv, linear):
    module.bfloat16()
    try:
        # Wrong: the input is still float32.
        module(value)
    except RuntimeError as error:
        texts.append(str(error))
    else:
        raise AssertionError("two dtypes were mixed")
    # Right: the input is converted.
    assert module(value.to(module.weight.dtype)).dtype == torch.bfloat16
print(texts)
assert texts[0] == "expected scalar type Float but found BFloat16"
assert "must have the same dtype" in texts[1]

# %%
# ``expected scalar type Half but found Float``, or the other way round
# ---------------------------------------------------------------------
# This is the same error with float16. ``TransformerEncoder`` is one cause among
# several:
#
# - LoRA with a base in 8 bits, in ``backward()`` of ``MatMul8bitLt``: upgrade
#   bitsandbytes, see :doc:`/gallery/frameworks/dtype_of_base_and_adapter`.
# - LoRA weights in float16, with ``found Half`` in the forward pass: the input is in
#   float32, and ``autocast`` is off. See the same page.
# - An ``autograd.Function`` of your own under ``autocast``: there, too.
# - The encoder. Reports, quoted and not run: ``expected scalar type Half but found
#   Float`` on a GPU with PyTorch 1.12 (`issue 82783
#   <https://github.com/pytorch/pytorch/issues/82783>`__), and the same with bfloat16 in
#   2023 and 2024 (`107663 <https://github.com/pytorch/pytorch/issues/107663>`__,
#   `132613 <https://github.com/pytorch/pytorch/issues/132613>`__).
#
# Read on: :doc:`/gallery/still-moves/freezing_changed_my_transformer`,
# :doc:`/gallery/beyond/mixed_precision`.
