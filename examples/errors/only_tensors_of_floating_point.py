"""
``Only Tensors of floating point and complex dtype can require gradients``
==========================================================================

Integers and booleans have no gradient, and PyTorch makes integers of ``[1, 2]``. Write
``[1.0, 2.0]``, or convert first: ``x.float()``. Don't convert quantised weights (int8):
keep them frozen, and train adapters beside them.
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
# Only with two GPUs: ``DataParallel``, ``replicate.py``, ``Parameter(param)``
# ----------------------------------------------------------------------------
# The model keeps integers, such as indices, as a parameter. ``replicate()`` of an old
# PyTorch makes each parameter anew on each GPU, by ``Parameter(param)``, which requires
# a gradient, even where ``requires_grad=False`` was set (the traceback of `a report
# <https://github.com/kchengiva/Shift-GCN/issues/29>`__; in PyTorch 2.13 this line is
# gone; read, not run: no GPU here). On one GPU nothing is replicated. Other code that
# makes parameters anew can do the same, as `FSDP2 did
# <https://github.com/pytorch/pytorch/issues/177844>`__.
#
# Make a buffer of each integer parameter. A buffer is copied as it is, moves with
# ``to()``, and keeps its name in the ``state_dict()``, so old checkpoints of the model
# still load. This finds and replaces them:
net = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Module())
net[1].index = torch.nn.Parameter(counts, requires_grad=False)
before = net.state_dict()
try:
    # Wrong: as replicate() did it.
    torch.nn.Parameter(net[1].index.detach())
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an integer parameter requires a gradient")
assert "can require gradients" in message
# Right: buffers.
for part in net.modules():
    for name, p in list(part.named_parameters(recurse=False)):
        if not (p.is_floating_point() or p.is_complex()):
            delattr(part, name)
            part.register_buffer(name, p.detach())
print([name for name, _ in net.named_buffers()])
assert [name for name, _ in net.named_buffers()] == ["1.index"]
assert all(p.is_floating_point() for p in net.parameters())
net.load_state_dict(before)

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
# ``weight.float()`` on an int8 model: no error, and the loss is useless
# ----------------------------------------------------------------------
# The int8 weights are codes. A layer multiplies them by a scale that it keeps beside
# them, and ``float()`` gives the codes without the scale: numbers up to 127, where the
# weights are mostly below 1. The outputs are then far too large. In half precision they
# can become ``inf``, and the loss ``nan``, which the ``Trainer`` of transformers can
# show as 0: :doc:`/gallery/frameworks/trainable_parameters_in_fp16`. Even with the
# scale, a converted weight takes the memory again that the quantisation had saved.
#
# To fine-tune a quantised model such as ``chatglm-6b-int8``, or with an option such as
# ``--quantization_bit 8``:
#
# - Load the original weights (fp16 or bf16), not the quantised checkpoint, and let the
#   library quantise them while it loads, for example with a ``BitsAndBytesConfig``.
# - Keep the quantised weights frozen. Train LoRA or a prompt, which are in floating
#   point. Code that unfreezes "all parameters" needs the condition
#   ``parameter.is_floating_point()`` of the section above.
# - For inference, the adapter can be loaded on the original weights.
#
# The ``Trainer`` of transformers refuses a quantised model without an adapter:
# :doc:`you_cannot_perform_fine_tuning_on_purely_quantized_models`.
linear, x = torch.nn.Linear(64, 64, bias=False), torch.randn(8, 64)
weight = linear.weight.detach()
scale = weight.abs().amax(dim=1, keepdim=True) / 127
codes = (weight / scale).round().to(torch.int8)
# Wrong: the codes without the scale.
wrong = x @ codes.float().T
# Right: the codes times the scale, which no optimizer changes, and an adapter.
down, up = torch.nn.Linear(64, 2, bias=False), torch.nn.Linear(2, 64, bias=False)
torch.nn.init.zeros_(up.weight)
right = x @ (codes * scale).T + up(down(x))
expected = linear(x).detach()
print((wrong.norm() > 100 * expected.norm()).item())
assert wrong.norm() > 100 * expected.norm()
print(((right - expected).norm() < 0.1 * expected.norm()).item())
assert (right - expected).norm() < 0.1 * expected.norm()
right.square().sum().backward()
assert up.weight.grad.any()

# %%
# Quantised ChatGLM, ``loss.backward()``: ``shape '[4096, 8192]' is invalid``
# ---------------------------------------------------------------------------
# The text goes on ``for input of size 67108864``. The output is right, and
# ``backward()`` raises: the quantised linear layer is a custom function that was
# written for inference. In 4 bits two values are packed into one byte, so the weight of
# shape ``[4096, 16384]`` is kept as ``[4096, 8192]``. ``backward()`` of such a function
# views the gradient of the unpacked weight, 4096 · 16384 = 67108864 values, in the
# shape of the packed one (read in `the function W8A16Linear of CodeGeeX
# <https://github.com/THUDM/CodeGeeX/blob/main/codegeex/quantization/quantize.py>`__,
# not run). Packed integers can't be trained in any case. Load the original weights and
# quantise them for training as above, or use P-Tuning as the authors `advise
# <https://github.com/zai-org/ChatGLM-6B/issues/164>`__, or fine-tune the original model
# and quantise the result. If you keep the layer frozen below an adapter, its
# ``backward()`` needs the gradient of the input alone.


def unpacked(packed):
    return torch.stack([packed >> 4, packed & 15], -1).flatten(1).float() - 8


class QuantisedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, packed):
        ctx.save_for_backward(x, packed)
        return x @ unpacked(packed).T

    @staticmethod
    def backward(ctx, gradient):
        x, packed = ctx.saved_tensors
        for_x = gradient @ unpacked(packed)
        # Right: None for the codes.
        if is_right:
            return for_x, None
        # Wrong: a gradient of the weight, in the shape of the codes.
        return for_x, (gradient.T @ x).view(packed.shape)


packed = torch.randint(256, (4, 8), dtype=torch.uint8)
x = torch.ones(1, 16, requires_grad=True)
for is_right in (False, True):
    try:
        QuantisedLinear.apply(x, packed).sum().backward()
    except RuntimeError as error:
        print(error)
    assert (x.grad is not None) == is_right
assert x.grad.equal(unpacked(packed).sum(0, keepdim=True))

# %%
# PyTorch 0.4.1 does not name complex dtypes: ``Only Tensors of floating point dtype can
# require gradients`` (quoted from `NeuralBabyTalk 26
# <https://github.com/jiasenlu/NeuralBabyTalk/issues/26>`__).

# %%
# Read on: :doc:`/gallery/three-ways/backward_without_a_graph`.
