"""
``None of the inputs have requires_grad=True. Gradients will be None``
======================================================================

A reentrant checkpoint looks only at its inputs, and the output of a frozen layer
requires no gradient. So the layers inside the checkpoint get none. Pass
``use_reentrant=False``, or let the input require a gradient.
"""

# %%
import torch
from torch.utils.checkpoint import checkpoint

embedding = torch.nn.Linear(2, 2).requires_grad_(False)
block = torch.nn.Linear(2, 2)
hidden = embedding(torch.ones(1, 2))
# Wrong: a reentrant checkpoint behind a frozen layer.
out = checkpoint(block, hidden, use_reentrant=True)
print(out.requires_grad)
assert not out.requires_grad
# Right: a checkpoint that is not reentrant.
out = checkpoint(block, hidden, use_reentrant=False)
out.sum().backward()
print(block.bias.grad)
assert block.bias.grad.tolist() == [1, 1]

# %%
# With a trainable layer behind the checkpoint, ``backward()`` raises no error: that
# layer gets a gradient, and the block gets none. Without one, ``backward()`` raises.
head = torch.nn.Linear(2, 1)
block.zero_grad()
out = checkpoint(block, hidden, use_reentrant=True)
head(out).sum().backward()
print(head.bias.grad, block.bias.grad)
assert block.bias.grad is None
try:
    out.sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the block was recorded")

# %%
# If the checkpoint must stay reentrant
# -------------------------------------
# Let the input require a gradient. In the library transformers,
# ``model.enable_input_require_grads()`` does this. A tensor inside a list or a
# dictionary does not count: pass it as an argument of its own.
asked = hidden.clone().requires_grad_()


def by_key(inputs):
    return block(inputs["hidden"])


# Wrong: the tensor is inside a dictionary.
out = checkpoint(by_key, {"hidden": asked}, use_reentrant=True)
assert not out.requires_grad
# Right: the tensor is an argument.
out = checkpoint(block, asked, use_reentrant=True)
out.sum().backward()
print(block.bias.grad)
assert block.bias.grad.tolist() == [1, 1]

# %%
# When is it harmless?
# --------------------
# In an evaluation under ``no_grad()``, where no gradient is wanted, and if everything
# inside the checkpoint and before it is frozen, as in a frozen vision tower without
# adapters. If layers inside the checkpoint are to train, look at the ``p.grad`` of
# their parameters after ``zero_grad()`` and ``backward()``: ``None`` means that they
# get no gradient. A loss that falls, or a norm of all gradients above zero, proves
# nothing: the layers behind the checkpoint train in any case. Under ZeRO of
# DeepSpeed, ``p.grad`` is None for each parameter: there, call
# ``deepspeed.utils.safe_get_full_grad(p)`` in all processes, between ``backward()`` and
# ``step()`` (`its documentation <https://deepspeed.readthedocs.io/en/latest/zero3.html>`__,
# not run).

# %%
# The vision tower is unfrozen: may the warning still come?
# ---------------------------------------------------------
# No, if the tower trains from its first layer on, and this layer is outside of the
# checkpoints: then the input of its first checkpoint requires a gradient. (Inside of
# one, it gets the image, and its own weights get no gradient.) If the warning still
# comes from the tower, an option such as ``unfreeze_vision_tower=True`` had no effect,
# or the patch embedding is still frozen, and the blocks behind it get no gradient. A
# need of memory that does not grow is a sign of both, but a weak one: ZeRO divides what
# is added among the processes, and offloading moves it to the main memory.
#
# It can also come from the language model, whose embedding is frozen. By default Python
# shows the warning only once, so the harmless one of a frozen tower hides it. Don't
# filter it. For the ``Trainer``, pass
# ``gradient_checkpointing_kwargs={"use_reentrant": False}`` to ``TrainingArguments``:
# then none of this depends on the input.
import warnings


def tower(*, patches_train, blocks_train, reentrant):
    patches = torch.nn.Linear(2, 2).requires_grad_(patches_train)
    blocks = torch.nn.Linear(2, 2).requires_grad_(blocks_train)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hidden = checkpoint(blocks, patches(torch.ones(1, 2)), use_reentrant=reentrant)
    head(hidden).sum().backward()
    return len(caught), blocks.weight.grad is not None


found = {}
for case in ((False, False, True), (False, True, True), (True, True, True)):
    names = ("patches_train", "blocks_train", "reentrant")
    found[case] = tower(**dict(zip(names, case, strict=True)))
    print(*case[:2], found[case])
assert found[False, False, True] == (1, False)  # harmless
assert found[False, True, True] == (1, False)  # wrong: the blocks should train
assert found[True, True, True] == (0, True)  # right
right = tower(patches_train=False, blocks_train=True, reentrant=False)
assert right == (0, True)
# Wrong: the first layer is inside of the checkpoint.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    hidden = checkpoint(torch.nn.Linear(2, 2), torch.ones(1, 2), use_reentrant=True)
assert len(caught) == 1
assert not hidden.requires_grad

# %%
# DeepSpeed pipeline: assert buffer.grad is not None in _exec_send_grads
# ----------------------------------------------------------------------
# In a pipeline, this warning can come from the first stage, where nothing before a
# checkpoint requires a gradient. The failed ``assert buffer.grad is not None`` comes
# from a later stage. It makes each floating-point tensor that it receives require a
# gradient, and must send a gradient back for each. One of them got none. If the stages
# hand on a tuple, it is mostly a mask, or the cosine and sine of the positions, which
# the stage does not use or uses in a comparison. Send such a tensor as integers or
# bools, which are left out, or compute it in each stage. Otherwise look for
# ``detach()`` or ``no_grad()`` between the input of the stage and the loss. If the
# whole first stage is frozen, its own ``backward()`` raises: divide the layers so that
# this stage holds a trainable one, too. ``requires_grad_()`` on its output also ends
# this error.
#
# Here are two stages by hand, without DeepSpeed. Source: `the engine of the pipeline
# <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/pipe/engine.py>`__
# and `a report with such tensors
# <https://github.com/deepspeedai/DeepSpeed/issues/7270>`__ (read, not run).
first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)


def gradients_to_send(*sent):
    received = [tensor.detach().clone() for tensor in sent]
    for tensor in received:
        tensor.requires_grad_(tensor.is_floating_point())
    hidden, mask = received
    second(hidden.masked_fill(mask > 0, 0.0)).sum().backward()
    return [tensor.grad for tensor in received if tensor.is_floating_point()]


hidden, mask = first(torch.ones(1, 2)), torch.tensor([[0, 1]])
# Wrong: a mask of floating-point numbers. Right: a mask of integers.
wrong, right = gradients_to_send(hidden, mask.float()), gradients_to_send(hidden, mask)
print([grad is not None for grad in wrong], [grad is not None for grad in right])
assert [grad is not None for grad in wrong] == [True, False]
assert [grad is not None for grad in right] == [True]
# A first stage that is frozen cannot use the gradient that comes back.
hidden = first.requires_grad_(False)(torch.ones(1, 2))
try:
    hidden.backward(right[0])
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a frozen stage took a gradient")
assert message.startswith("element 0 of tensors does not require grad")
# If its output requires a gradient, it takes the gradient, and nothing trains.
hidden.requires_grad_().backward(right[0])
assert hidden.grad.equal(right[0])
assert first.weight.grad is None

# %%
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
