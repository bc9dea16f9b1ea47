"""
``Expected to mark a variable ready only once``
===============================================

``DistributedDataParallel`` met the gradient of one parameter twice in one step. A
frequent cause is a reentrant checkpoint: pass ``use_reentrant=False``. The end
of the error names the parameter.
"""

# %%
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.checkpoint import checkpoint

store, x = dist.HashStore(), torch.ones(1, 2)
dist.init_process_group("gloo", store=store, rank=0, world_size=1)


class Twice(torch.nn.Sequential):
    def forward(self, x, **how):
        x = checkpoint(self[1], self[0](x), **how)
        return checkpoint(self[1], x, **how)


for reentrant in (True, False):  # wrong, right
    wrapped = DDP(Twice(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)))
    try:
        wrapped(x, use_reentrant=reentrant).sum().backward()
        print(f"{reentrant=}", wrapped.module[1].bias.grad is not None)
    except RuntimeError as error:
        message = " ".join(str(error).split())
        print(f"{reentrant=}", message.split(". ")[0])
assert wrapped.module[1].bias.grad.any()

# %%
# A reentrant checkpoint runs a backward of its own inside the backward. Layer ``1`` is
# in two checkpoints, so its gradient is ready twice. The whole text:
print("RuntimeError:", message)
assert message.startswith("Expected to mark a variable ready only once. This error")
assert "Parameter at index 3 with name 1.bias has been marked as ready twice" in message

# %%
# With find_unused_parameters, one reentrant checkpoint is enough
# ---------------------------------------------------------------
# With this option, DDP searches the graph of the forward and does not find the
# parameters inside a reentrant checkpoint. It marks them as unused, and the backward
# marks them once more. Leave out the option, or pass ``use_reentrant=False``.
#
# ``static_graph=True`` allows both, if each step has the same graph.
# ``_set_static_graph()``, which the error names, is its older form.
#
# The ``Trainer`` of transformers turns the search on for a model with LoRA of peft.
# Pass ``ddp_find_unused_parameters=False`` to ``TrainingArguments``, and with it
# ``gradient_checkpointing_kwargs={"use_reentrant": False}``:
# :doc:`/gallery/frameworks/checkpointing_with_adapters` shows both.


class Once(torch.nn.Sequential):
    def forward(self, x, **how):
        return checkpoint(self[1], self[0](x), **how)


def raises(kind, layers=2, *, reentrant=True, **options):
    model = kind(*(torch.nn.Linear(2, 2) for _ in range(layers)))
    wrapped, message = DDP(model, **options), ""
    try:
        for _ in range(3):
            wrapped(x, use_reentrant=reentrant).sum().backward()
    except RuntimeError as error:
        message = str(error)
    return "marked as ready twice" in message


# The model of three layers has one that is not used.
unused, static = {"find_unused_parameters": True}, {"static_graph": True}
print(raises(Once), raises(Once, 3, **unused), raises(Once, 3, **static))
assert not raises(Once)
assert raises(Once, 3, **unused)
assert not raises(Once, 3, **unused, reentrant=False)
assert not raises(Once, 3, **static)
print(raises(Twice), raises(Twice, **static), raises(Twice, reentrant=False))
assert raises(Twice)
assert not raises(Twice, **static)
assert not raises(Twice, reentrant=False)

# %%
# DeepSpeed: ``has already been reduced. Gradient computed twice for this partition``
# -----------------------------------------------------------------------------------
# ``The parameter 323 has already been reduced. Gradient computed twice for this
# partition. Multiple gradient reduction is currently not supported`` has the same
# cause, under DeepSpeed with ZeRO-2. DeepSpeed reduces a gradient in a hook of its
# parameter and expects one call for each ``backward()``. If a module is used twice, for
# the chosen and the rejected answer of DPO or for several images, and each use is a
# reentrant checkpoint, the hook is called twice (`the explanation of a maintainer
# <https://github.com/deepspeedai/DeepSpeed/issues/988>`__; DeepSpeed was not run, the
# calls of the hook were). A frozen part has no hook, so the error can come with the
# unfreezing of the vision tower.
#
# Pass ``use_reentrant=False``, with the ``Trainer`` as
# ``gradient_checkpointing_kwargs={"use_reentrant": False}``, or switch gradient
# checkpointing off for this part. If the option seems to have no effect, look for the
# warning ``old version of the checkpointing format``: the code of this model ignores it
# (as reported in `orpo 9 <https://github.com/xfactlab/orpo/issues/9>`__, not run).


def calls_of_hook(kind, *, reentrant):
    model, calls = kind(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)), []
    model[1].bias.register_post_accumulate_grad_hook(calls.append)
    model(x, use_reentrant=reentrant).sum().backward()
    return len(calls)


print(calls_of_hook(Twice, reentrant=True), calls_of_hook(Twice, reentrant=False))
assert calls_of_hook(Twice, reentrant=True) == 2
assert calls_of_hook(Twice, reentrant=False) == 1
assert calls_of_hook(Once, reentrant=True) == 1

# %%
# A parameter that the loss uses outside the forward
# --------------------------------------------------
# A penalty on the weights has a ``backward()`` of its own, between the forward and the
# backward of the model. Add both losses and call ``backward()`` once.
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
wrapped = DDP(model)


def penalty():
    return model[1].weight.square().sum()


# Wrong: a backward of its own for the penalty
loss = wrapped(x).sum()
penalty().backward()
try:
    loss.backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the weight was marked once")
print(message.strip().split("\n")[-1])
assert "with name 1.weight has been marked as ready twice" in message

# Right: one backward for both
wrapped = DDP(model)
model.zero_grad()
(wrapped(x).sum() + penalty()).backward()
torch.testing.assert_close(model[1].weight.grad, model[0](x) + 2 * model[1].weight)

# %%
# If the penalty comes after the backward of the model, there is no error, and its
# gradient is not averaged: :doc:`/gallery/beyond/two_backward_passes_under_ddp`.
#
# A part that is not used in the forward
# --------------------------------------
# With ``find_unused_parameters=True``, DDP marks it as unused. If the loss uses it
# after all, the error is the same. Use it inside the forward of the wrapped model.


class Spare(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)

    def forward(self, x, *, with_head=False):
        return self.head(self.body(x)) if with_head else self.body(x)


wrapped = DDP(Spare(), find_unused_parameters=True)
try:
    wrapped.module.head(wrapped(x)).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the head was used inside the forward")
assert "with name head.bias has been marked as ready twice" in message
wrapped = DDP(Spare())
wrapped(x, with_head=True).sum().backward()
assert wrapped.module.head.weight.grad is not None
dist.destroy_process_group()

# %%
# Before ``static_graph`` existed, the text ended with ``DDP does not support such use
# cases yet`` (quoted from an `issue
# <https://github.com/Lyken17/pytorch-memonger/issues/6>`__, not run).
#
# Read on: :doc:`/gallery/beyond/two_backward_passes_under_ddp`.
