"""
Frozen, and yet slower: what trains before the frozen part?
===========================================================

One bias or an input that requires a gradient makes ``backward()`` go through all frozen
layers behind it. With activation checkpoints, they also run a second time.
"""

# %%
# Matrix multiplications of a step: five frozen layers, then a head that trains.
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

layers = [nn.Sequential(nn.Linear(64, 64), nn.ReLU()) for _ in range(5)]
backbone, head = nn.Sequential(*layers).requires_grad_(False), nn.Linear(64, 64)
x = torch.randn(32, 64)


def multiplications(forward):
    with FlopCounterMode(display=False) as counter:
        forward().sum().backward()
    return counter.get_total_flops() // (2 * 32 * 64 * 64)


asked = x.clone().requires_grad_()
work = {
    "x": multiplications(lambda: head(backbone(x))),
    "x requires a gradient": multiplications(lambda: head(backbone(asked))),
}
print(work)
assert list(work.values()) == [7, 13]

# %%
# Seven is the rule: six layers forward, and one gradient of a weight. If anything at
# the beginning requires a gradient, it has to come through the frozen layers: up to six
# more. It is enough that one small thing does:
#
# - a layer or an embedding at the beginning, one bias of it, or an adapter in it;
# - a prompt that is learned, or a norm that you left trainable;
# - ``enable_input_require_grads()`` of the library transformers, which makes the result
#   of the embedding require a gradient.
backbone[0][0].bias.requires_grad_(True)
bias = multiplications(lambda: head(backbone(x)))
backbone.requires_grad_(False)
print("one bias:", bias)
assert bias == 12


# %%
# Why does LoRA save so little time compared with full fine-tuning?
# -----------------------------------------------------------------
# With adapters in all layers, backward goes through all frozen layers. Only the
# gradients of the frozen weights are not computed, about a third of the work, and the
# adapters add some. Adapters in the last layers only need far less computation.
class LoRA(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down, self.up = nn.Linear(64, 4, bias=False), nn.Linear(4, 64, bias=False)

    def forward(self, x):
        return self.base(x) + self.up(self.down(x))


model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(6)))
of_lora = [multiplications(lambda: model(x))]
for adapted in (range(6), range(5, 6)):
    model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(6))).requires_grad_(False)
    for index in adapted:
        model[index] = LoRA(model[index])
    of_lora.append(multiplications(lambda: model(x)))  # noqa: B023
print("all train, LoRA, LoRA in the last layer:", *of_lora)
assert of_lora == [17, 13, 6]

# %%
# Full fine-tuning is faster than LoRA: why is LoRA slower, is that normal?
# -------------------------------------------------------------------------
# It is normal: LoRA saves memory, and little time. Of three large multiplications for
# each layer it leaves out one, the gradient of the weight. (That this one is computed
# and only not stored, as `an answer about Qwen2.5-VL
# <https://github.com/modelscope/ms-swift/issues/4983>`__ says, is wrong: see the count
# above.) What it adds can take longer than that:
#
# - *More calls.* Each adapter adds small multiplications: two in forward, and up to
#   four in backward. In small layers (width 512) or with a small batch, the number of
#   calls decides, not the number of operations. A lower rank removes no call.
# - *More passes over the activations.* With ``lora_dropout`` above 0, each adapter
#   draws a mask for its whole, wide input, and keeps it. Scaling, adding, and casting
#   between a 16-bit base and adapters in ``float32`` come on top. A large model has
#   these as well.
# - *Gradient checkpointing* runs forward a second time, adapters included. Of four
#   large multiplications, LoRA then saves one, not one of three.
#
# What helps: ``lora_dropout=0``; a larger batch, or no checkpointing, in the memory
# that LoRA saves; adapters in fewer layers, such as ``q_proj`` and ``v_proj``, or in
# the last ones; merging for inference. Also check that the base is frozen: otherwise
# you pay for all weight gradients and for the adapters. And compare equal runs: the
# same batch, sequence length and number of GPUs, and time for each step, not for an
# epoch with another number of steps. Freeze tuning of the last layers is faster than
# LoRA in all layers for another reason: its backward ends there.
#
# The calls of a matrix multiplication in one step, with all six layers training, with
# LoRA, and with LoRA in the last layer:
from torch.utils._python_dispatch import TorchDispatchMode


class Calls(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function.overloadpacket in {
            torch.ops.aten.mm,
            torch.ops.aten.addmm,
        }
        return function(*args, **(kwargs or {}))


def calls(adapted):
    model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(6)))
    model.requires_grad_(not adapted)
    for index in adapted:
        model[index] = LoRA(model[index])
    with Calls() as counter:
        model(x).sum().backward()
    return counter.count


counted = [calls(adapted) for adapted in ((), range(6), (5,))]
print(counted)
assert counted[2] < counted[0] < 2 * counted[0] < counted[1]

# %%
# With ``lora_dropout``, and with each layer checkpointed: large multiplications of one
# step, and the calls of any operation.


class AnyCall(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


class Full(nn.Sequential):
    pass


class LoRAWithDropout(LoRA):
    def forward(self, x):
        return self.base(x) + self.up(self.down(nn.functional.dropout(x, 0.05)))


def one_step(kind, *, checkpoints):
    layers = [kind(nn.Linear(64, 64)) for _ in range(6)]
    model = nn.Sequential(*(nn.Sequential(layer, nn.ReLU()) for layer in layers))

    def forward():
        value = x
        for layer in model:
            value = (
                checkpoint(layer, value, use_reentrant=False)
                if checkpoints
                else layer(value)
            )
        return value

    large = multiplications(forward)
    with AnyCall() as counter:
        forward().sum().backward()
    return large, counter.count


steps = {}
for checkpoints in (False, True):
    for kind in (Full, LoRA, LoRAWithDropout):
        name = f"{kind.__name__}{', checkpoints' * checkpoints}"
        steps[name] = one_step(kind, checkpoints=checkpoints)
        print(f"{name:29}", *steps[name])
assert [large for large, _ in steps.values()] == [17, 13, 13, 23, 19, 19]
for suffix in ("", ", checkpoints"):
    full, lora, dropout = (
        steps[name + suffix][1] for name in ("Full", "LoRA", "LoRAWithDropout")
    )
    assert 1.5 * full < lora < dropout


# %%
# Checkpointing makes it slower, if a gradient comes through
# ----------------------------------------------------------
# A checkpoint saves memory for the backward pass and pays with a second forward. A
# frozen part at the beginning has no backward pass: there is nothing to save, and the
# second forward does not happen. If a gradient comes through, it does.
def checkpointed(value):
    for layer in backbone:
        value = checkpoint(layer, value, use_reentrant=False)
    return head(value)


work["checkpoint"] = multiplications(lambda: checkpointed(x))
work["checkpoint, x requires a gradient"] = multiplications(lambda: checkpointed(asked))
for name, count in work.items():
    print(f"{name:34}{count:3}")
assert work["checkpoint"] == 7
assert work["checkpoint, x requires a gradient"] == 18

# %% tags=["hide-input"]
# Matrix multiplications of one step. Hatched: those of the step with ``x``.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
ax.barh(list(work), list(work.values()), fc="none", ec="C2", lw=2)
ax.barh(list(work), 7, fc="none", ec="C1", hatch="////", lw=2)
ax.set(xlabel="multiplications")
ax.tick_params(axis="y", length=0)
ax.invert_yaxis()
plt.show()

# %%
# How do I find it, and what do I do?
# -----------------------------------
# Look at the result of the frozen part: if it requires a gradient, so does something in
# it or before it. :py:func:`gradguide.saved` counts what is kept for it. If you need no
# gradient there, run the frozen part under ``no_grad()``: then nothing is recorded.
from gradguide import saved


def without_recording(value):
    with torch.no_grad():
        features = backbone(value)
    return head(features)


kept = {}
for name, value in {"x": x, "x requires a gradient": asked}.items():
    recorded = backbone(value).requires_grad
    model = nn.ModuleList([backbone, head])
    ways = head(backbone(value)).mean(), without_recording(value).mean()
    kept[name] = [saved(loss, model).bytes // 1024 for loss in ways]
    print(f"{name:22}{recorded!s:6}", *kept[name])
    assert recorded == (value is asked)
assert kept == {"x": [8, 8], "x requires a gradient": [40, 8]}
assert multiplications(lambda: without_recording(asked)) == 7

# %%
# Only ``lm_head`` trains, and backward goes through all layers: tied weights
# ---------------------------------------------------------------------------
# In many language models ``lm_head.weight`` *is* the weight of the embedding
# (``tie_word_embeddings``). If it trains, so does the beginning of the network, and
# nothing is saved. Give the head a weight of its own, or detach the embedding's output.
embedding, lm_head = nn.Embedding(64, 64), nn.Linear(64, 64, bias=False)
tokens = torch.randint(64, (32,))
embedding.requires_grad_(False)
of_head = {"own weight": multiplications(lambda: lm_head(backbone(embedding(tokens))))}
lm_head.weight = embedding.weight.requires_grad_(True)
of_head["tied"] = multiplications(lambda: lm_head(backbone(embedding(tokens))))
of_head["tied, detach()"] = multiplications(
    lambda: lm_head(backbone(embedding(tokens).detach()))
)
print(of_head)
assert list(of_head.values()) == [7, 13, 7]

# %%
# Where it ends
# -------------
# - Freezing after some steps does not free what was made before: ``.grad`` and the
#   averages of Adam. :doc:`memory_that_freezing_saves` shows how to delete them.
# - Under autocast, a frozen layer in ``float32`` makes a copy of its weight for each
#   call: :doc:`frozen_layers_that_keep_their_input`.
# - DDP sends no gradients of what is frozen, if you freeze before you wrap:
#   :doc:`/gallery/beyond/freezing_under_ddp`. FSDP also gathers the weights of frozen
#   layers for each forward (not run here).
# - A network that is frozen as a whole still has its forward, which is about a third of
#   a training step. :doc:`/gallery/recipes/feature_cache` saves it.
# - Once the GPU is busy, or waits for data, a larger batch does not shorten an epoch,
#   frozen or not: :doc:`work_that_freezing_saves` says why.
#
# Nothing here was timed, and time is not proportional to these numbers.
everything = head.requires_grad_(False)
with FlopCounterMode(display=False) as counter:
    everything(backbone(x))
forward = counter.get_total_flops()
backbone.requires_grad_(True)
head.requires_grad_(True)
assert round(multiplications(lambda: head(backbone(x))) / 6, 1) == 2.8
assert forward == 6 * 2 * 32 * 64 * 64

# %%
# Freeze from the input on, and check that nothing before it requires a gradient.
#
# Related: :doc:`work_that_freezing_saves`, :doc:`memory_that_freezing_saves`,
# :doc:`/gallery/beyond/checkpointing_frozen_layers`,
# :doc:`/gallery/freezing/recorded_although_frozen`.
