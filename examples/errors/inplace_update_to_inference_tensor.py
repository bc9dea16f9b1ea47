"""
``Inplace update to inference tensor outside InferenceMode is not allowed``
===========================================================================

A tensor that was created under ``inference_mode()`` is changed in place outside of it.
The error comes after the change, so the values are new. Change a ``clone()`` that you
make outside, or create the tensor under ``no_grad()``.
"""

# %%
import torch

with torch.inference_mode():
    features = torch.ones(2)

# Wrong: changes the inference tensor
try:
    features.mul_(2)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an inference tensor was changed")
print(features)

# Right: changes a copy, an ordinary tensor
copied = features.clone().mul_(2)
print(features, copied)
assert features.tolist() == [2, 2]
assert copied.tolist() == [4, 4]

# %%
# ``no_grad()`` around the change doesn't prevent the error. Around the creation it
# does.
try:
    with torch.no_grad():
        features.mul_(2)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an inference tensor was changed")
assert message.startswith("Inplace update to inference tensor outside")

with torch.no_grad():
    features = torch.ones(2)
assert features.mul_(2).tolist() == [2, 2]

# %%
# ``test_loss /= len(dataloader)`` after ``inference_mode()``
# -----------------------------------------------------------
# The loss of an evaluation is added up in the block and divided after it. ``test_loss =
# 0`` is a plain number, but after ``test_loss += loss`` in the block it is an inference
# tensor, and ``/=`` changes it in place. Add numbers, with ``loss.item()``, or indent
# the division into the block, or write ``test_loss = test_loss / n``.
losses = torch.tensor([1.0, 2.0, 3.0])
test_loss = total = 0
with torch.inference_mode():
    for loss in losses:
        test_loss += loss
        total += loss.item()
print(test_loss.is_inference(), total)
try:
    # Wrong: in place, outside.
    test_loss /= len(losses)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an inference tensor was changed")
assert message.startswith("Inplace update to inference tensor outside")
# The error came after the division.
assert test_loss.item() == 2
# Right: a sum of numbers is a number.
total /= len(losses)
print(total)
assert total == 2

# %%
# A sum that starts as ``torch.tensor(0.0)``, made outside, stays an ordinary tensor. A
# function under ``@torch.inference_mode()`` returns inference tensors. If a sum outside
# starts as 0, ``+=`` makes an ordinary tensor. If it starts as the first result, ``+=``
# raises the error.
test_loss = torch.tensor(0.0)
with torch.inference_mode():
    for loss in losses:
        test_loss += loss
    inside = loss * 3
    inside /= len(losses)
test_loss /= len(losses)
assert test_loss.item() == 2
assert inside.item() == 3
evaluate = torch.inference_mode()(losses.sum)
total = 0
total += evaluate()
total /= len(losses)
assert total.item() == 2
total = evaluate()
try:
    total += evaluate()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an inference tensor was changed")
assert message.startswith("Inplace update to inference tensor outside")

# %%
# Modules that were created under inference_mode()
# ------------------------------------------------
# Their parameters and buffers are inference tensors. A batch norm in training mode
# updates its buffers in place, and ``optimizer.step()`` by default updates the
# parameters in place, so both raise this error. Create the module outside, or make a
# deep copy of it outside.
import copy

with torch.inference_mode():
    norm = torch.nn.BatchNorm1d(2)

# Wrong: the module itself
try:
    norm(torch.ones(2, 2))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("buffers in inference mode were updated")
assert message.startswith("Inplace update to inference tensor outside")

# Right: a deep copy
norm = copy.deepcopy(norm)
norm(torch.ones(2, 2)).sum().backward()
torch.optim.SGD(norm.parameters(), lr=0.1).step()
print(norm.num_batches_tracked)
assert not norm.num_batches_tracked.is_inference()
assert not any(p.is_inference() for p in norm.parameters())

# %%
# ``torch.compile``, CUDA graphs, a cache: the first call ran under inference_mode()
# ----------------------------------------------------------------------------------
# - Make the first call (compile, warm up, capture) outside of ``inference_mode()``, or
#   use ``no_grad()`` everywhere.
# - Keep one mode for all calls of this object. If you need both, use two objects.
# - Between tests, drop the state: ``torch.compiler.reset()`` (it calls
#   ``torch._dynamo.reset()``) drops what was compiled, but not the attributes of your
#   modules: build these anew.
#
# Whatever a call under ``inference_mode()`` creates and keeps is an inference tensor
# for ever: a key-value cache, a mask, the static inputs of a backend of your own, what
# PyTorch allocates while it captures a CUDA graph. A later call in another mode that
# writes to it raises, often far from the cause: only if two tests run together, or in
# the training after a validation.
#
# Reported for CUDA graphs in a custom backend (`issue 166792
# <https://github.com/pytorch/pytorch/issues/166792>`__); with ``mode="max-autotune"``,
# training after inference fails, too (`issue 135892
# <https://github.com/pytorch/pytorch/issues/135892>`__; both not run, without a GPU).
# The same with a cache, on the CPU:


class Cached(torch.nn.Module):
    def forward(self, x):
        if not hasattr(self, "cache"):
            self.cache = torch.zeros_like(x)
        self.cache.add_(x)
        return 2 * self.cache


def second_call(first, second):
    module = Cached()
    with first():
        module(torch.ones(2))
    try:
        with second():
            return module(torch.ones(2)).tolist()
    except RuntimeError as error:
        return str(error)[:32]


inference, no_grad, grad = torch.inference_mode, torch.no_grad, torch.enable_grad
wrong = [second_call(inference, no_grad), second_call(inference, grad)]
right = [
    second_call(no_grad, inference),
    second_call(no_grad, grad),
    second_call(inference, inference),
]
print(wrong, right)
assert set(wrong) == {"Inplace update to inference tens"}
assert right == [[4, 4]] * 3

# %%
# Some changes of an inference tensor raise no error: those through ``data`` or
# ``detach()``, and those of an optimizer with ``fused=True``. They change the values,
# and nothing checks what was computed from the old ones.
with torch.inference_mode():
    features, weight = torch.ones(2), torch.nn.Parameter(torch.ones(2))
features.data.mul_(2)
features.detach().mul_(2)
assert features.tolist() == [4, 4]
weight.grad = torch.ones(2)
torch.optim.SGD([weight], lr=0.5, fused=True).step()
assert weight.tolist() == [0.5, 0.5]

# %%
# Read on: :doc:`/gallery/modes/inference_tensors_bite_later`.
