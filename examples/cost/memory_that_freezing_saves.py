"""
Freezing did not save memory: start at the input
================================================

Frozen layers before the first one that trains keep nothing for ``backward()``. Behind
it, freezing ``Linear`` layers saves activations with ``GELU``, but none with ``ReLU``.
LoRA in all layers saves no activations.
"""

# %%
# The activations that autograd keeps with five of six layers frozen, in KiB. No
# ``backward()`` follows here, so the hooks need not give the tensors back.
import torch
from torch.nn import Linear, ReLU, Sequential

blocks = [Sequential(Linear(128, 128), ReLU()) for _ in range(6)]
model, x = Sequential(*blocks), torch.randn(256, 128)
parts = {"none": model[:0], "last 5": model[1:], "first 5": model[:5]}
kept = []
for name, frozen in parts.items():
    model.requires_grad_(True)
    frozen.requires_grad_(False)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, id):
        model(x)
    places = {t.data_ptr() for t in saved if t.shape == x.shape}
    kept.append(len(places) * 128)
    print(f"{name} frozen: {kept[-1]} KiB")
assert kept == [896, 896, 256]

# %% tags=["hide-input"]
# How do I measure a whole training step?
# ---------------------------------------
# The hook is called for each tensor saved for ``backward()``. Several of them may share
# one piece of memory: count it once, and leave out the weights, which exist anyway. The
# folded code also adds up ``.grad`` and the averages of Adam after a step.
#
# To measure a loss of your own: :doc:`/gallery/diagnose/where_did_the_memory_go`.
import weakref

model.requires_grad_(True)


def measure(model, forward):
    weights = {p.data_ptr() for p in model.parameters()}
    optimizer = torch.optim.Adam(model.parameters())
    sizes, views = {}, []

    def pack(tensor):
        view = tensor.detach()
        memory = view.untyped_storage()
        if memory.data_ptr() not in weights:
            sizes[memory.data_ptr()] = memory.nbytes()
            views.append(weakref.ref(view))
        return view

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda view: view):
        output = forward()
    stays = any(view() is not None for view in views)
    if output.requires_grad:
        output.sum().backward()
        optimizer.step()
    gradients = sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    averages = sum(t.nbytes for s in optimizer.state.values() for t in s.values())
    model.zero_grad()
    return gradients // 1024, averages // 1024, sum(sizes.values()) // 1024, stays


def step(forward, frozen=slice(0)):
    model[frozen].requires_grad_(False)
    result = measure(model, forward)
    model.requires_grad_(True).train()
    return result


# %%
# Which layers should I freeze to save memory?
# --------------------------------------------
# "The more you freeze, the less memory you need" is often heard. If you freeze before
# the first step, it holds for ``.grad`` and for the two averages that Adam keeps of it.
# What is saved for ``backward()`` depends on where you freeze. In KiB, for one step:
kib = {
    "all train": step(lambda: model(x)),
    "first 5 frozen": step(lambda: model(x), slice(5)),
    "last 5 frozen": step(lambda: model(x), slice(1, 6)),
    "all frozen": step(lambda: model(x), slice(6)),
    "all frozen, x.grad": step(lambda: model(x.clone().requires_grad_()), slice(6)),
    "no_grad()": step(lambda: torch.no_grad()(model)(x)),
    "model(x).detach()": step(lambda: model(x).detach()),
    "model.eval()": step(lambda: model.eval()(x)),
}
print(f"{'':20}.grad  Adam  saved")
for name, (gradients, averages, saved, _) in kib.items():
    print(f"{name:20}{gradients:5} {averages:5} {saved:6}")
assert [row[2] for row in kib.values()] == [896, 256, 896, 0, 768, 0, 896, 896]
assert kib["first 5 frozen"][:2] == kib["last 5 frozen"][:2] == (64, 129)
assert kib["all train"] == kib["model.eval()"] == (387, 774, 896, True)

# %% tags=["hide-input"]
# Gradients (open), Adam (hatched) and what is saved for ``backward()`` (filled). With
# the last five layers frozen, the filled bar is as long as with none, and ``eval()``
# changes nothing at all in this network without dropout.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
looks = {
    ".grad": {"fc": "none", "ec": "C0", "lw": 2},
    "Adam": {"fc": "none", "ec": "C0", "hatch": "////"},
    "saved": {"fc": "C3", "ec": "C3"},
}
for part, (label, look) in enumerate(looks.items()):
    left = [sum(row[:part]) for row in kib.values()]
    width = [row[part] for row in kib.values()]
    ax.barh(list(kib), width, left=left, height=0.6, label=label, **look)
for name, row in kib.items():
    ax.text(sum(row[:3]) + 30, name, sum(row[:3]), va="center")
ax.set(xlabel="KiB", xlim=(0, 2400))
ax.tick_params(axis="y", length=0)
ax.legend(loc="center right")
ax.invert_yaxis()
plt.show()

# %%
# Does freezing the last layers never help?
# -----------------------------------------
# A frozen ``Linear`` does not keep its input. But the gradient of the first layer comes
# back through every activation function, and ``ReLU``, ``Tanh`` and ``Sigmoid`` keep
# their result, which is the input of the next ``Linear``. The next four functions keep
# other tensors, and ``Identity`` keeps none: there, freezing the last five does save.
names = ["ReLU", "Tanh", "Sigmoid", "GELU", "SiLU", "LeakyReLU", "Dropout", "Identity"]
by_function = {}
for name in names:
    for block in model:
        block[1] = getattr(torch.nn, name)()
    last_five = step(lambda: model(x), slice(1, 6))
    by_function[name] = step(lambda: model(x))[2], last_five[2]
    print(f"{name:10}", *by_function[name])
assert [by_function[name] for name in names[:3]] == [(896, 896)] * 3
assert [by_function[name] for name in names[3:7]] == [(1536, 896)] * 4
assert by_function["Identity"] == (768, 128)

# %%
# Adapters in a frozen transformer (LoRA): why is the training memory not reduced?
# --------------------------------------------------------------------------------
# LoRA, or any adapter in each block, saves gradients and the state of the optimizer.
# The weights are all still there. The activations are, too: from the second block on,
# there are adapters that train in front of each frozen layer, and their gradients come
# back through all activation functions. With long sequences the activations are the
# largest part. To save these: activation checkpointing, a shorter sequence, a smaller
# batch, or adapters in the last blocks only. To save weights: a base in 8 or 4 bits.
# The time hardly falls, either: backward goes through all frozen layers
# (:doc:`frozen_and_still_expensive`). In KiB, with rank 4:
from torch.utils.checkpoint import checkpoint


class LoRA(torch.nn.Module):
    def __init__(self, base, rank=4):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = Linear(base.in_features, rank, bias=False)
        self.up = Linear(rank, base.out_features, bias=False)

    def forward(self, x):
        return self.base(x) + self.up(self.down(x))


def checkpointed():
    hidden = x
    for block in adapted:
        hidden = checkpoint(block, hidden, use_reentrant=False)
    return hidden


blocks = [Sequential(LoRA(Linear(128, 128)), ReLU()) for _ in range(6)]
adapted = Sequential(*blocks)
of_lora = {
    "all train": kib["all train"],
    "LoRA": measure(adapted, lambda: adapted(x)),
    "LoRA, checkpointed": measure(adapted, checkpointed),
    "LoRA, half the batch": measure(adapted, lambda: adapted(x[:128].clone())),
}
print(f"{'':20}.grad  Adam  saved")
for name, (gradients, averages, saved, _) in of_lora.items():
    print(f"{name:20}{gradients:5} {averages:5} {saved:6}")
assert [row[0] for row in of_lora.values()] == [387, 24, 24, 24]
assert [row[2] for row in of_lora.values()] == [896, 920, 768, 460]
for block in adapted:
    block[1] = torch.nn.GELU()
assert measure(adapted, lambda: adapted(x))[2] >= by_function["GELU"][0]

# %%
# Is it enough to leave parameters out of the optimizer?
# ------------------------------------------------------
# Then they are not updated. But if they require a gradient, ``backward()`` makes a
# ``.grad`` for each, which may need activations. ``optimizer.zero_grad()`` does not
# clear these gradients, so they add up. ``requires_grad_(False)`` saves that, and the
# rest trains as before, unless you clip the norm of all gradients together: then they
# have counted. ``no_grad()`` in its place would also cut off an adapter inside or
# before the frozen layers. In KiB, with an adapter before them:
adapter = Linear(128, 128)
optimizer = torch.optim.SGD(adapter.parameters())
everything = [*adapter.parameters(), *model.parameters()]
outside, of_adapter, norms = [], [], []
for trains in (True, False):  # wrong, right
    model.requires_grad_(trains)
    optimizer.zero_grad()
    model(adapter(x)).sum().backward()
    held = [p.grad for p in model.parameters() if p.grad is not None]
    outside.append(sum(gradient.nbytes for gradient in held) // 1024)
    of_adapter.append(adapter.weight.grad.clone())
    norms.append(torch.nn.utils.clip_grad_norm_(everything, max_norm=1).item())
    optimizer.zero_grad()
    assert (model[0][0].weight.grad is not None) == trains
    model.zero_grad()
print(outside, torch.equal(*of_adapter))
assert outside == [387, 0]
assert torch.equal(*of_adapter)
assert norms[0] > norms[1]
assert not torch.no_grad()(model)(adapter(x)).requires_grad
model.requires_grad_(True)

# %%
# Frozen, but the Trainer passes them to the optimizer: does that cost memory or speed?
# -------------------------------------------------------------------------------------
# No. A parameter that is frozen from the beginning gets no ``.grad``, so the optimizer
# skips it and makes no state for it. The ``Trainer`` of transformers passed frozen
# parameters, too, when this was `reported in January 2023
# <https://github.com/huggingface/transformers/issues/21182>`__; today it leaves them
# out. If you freeze an encoder and the training is neither faster nor smaller, the
# cause is another one:
#
# - Something is not frozen: look at ``requires_grad`` in the first step
#   (:doc:`/gallery/freezing/did_my_freeze_work`).
# - Something before the encoder trains, such as the embedding that it shares with the
#   decoder. Then all activations stay (:doc:`frozen_and_still_expensive`).
# - The rest is larger: the decoder that trains, its activations, the logits. And the
#   forward of the encoder takes as long as before.
model[:5].requires_grad_(False)
in_optimizer = {}
for name, given in {
    "all": [*model.parameters()],
    "trainable": [p for p in model.parameters() if p.requires_grad],
}.items():
    optimizer = torch.optim.AdamW(given)
    model(x).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    states = optimizer.state.values()
    in_optimizer[name] = len(given), sum(t.nbytes for s in states for t in s.values())
print(in_optimizer)
assert in_optimizer["all"][0] == 12
assert in_optimizer["trainable"][0] == 2
assert in_optimizer["all"][1] == in_optimizer["trainable"][1] > 0
model.requires_grad_(True)

# %%
# What else saves memory in training, besides LoRA?
# -------------------------------------------------
# Measure what is largest (:doc:`/gallery/diagnose/where_did_the_memory_go`), and choose
# what makes this part smaller:
#
# - *Activations* grow with the batch and the length of the sequence. Take gradient
#   checkpointing, a smaller batch with gradient accumulation, shorter sequences, flash
#   attention, or freeze the first N layers. LoRA in all layers keeps all activations,
#   P-tuning v2 and prompt tuning most of them, because something trains at the input.
# - *Gradients and the state of the optimizer* grow with what trains. Freeze, take LoRA
#   or a prompt, an 8-bit Adam (about 2 bytes of state for each parameter, not 8), SGD
#   or Adafactor. ZeRO-2 shards both over the GPUs.
# - *Weights*, frozen or not: ``bfloat16``, a base in 8 or 4 bits with LoRA (QLoRA),
#   sharding with ZeRO-3 or FSDP, or offloading to the CPU, which is slow.
#
# The results of LoRA, prompts and freezing are compared in
# :doc:`/gallery/frameworks/lora_freeze_or_a_prompt`. Checkpointing, sharding and
# accumulation leave the step as it was, up to rounding (accumulation not with batch
# norm or dropout, and only if all parts have the same number of samples or, for a mean
# over tokens, of tokens). To accumulate parts of equal size, divide the loss by their
# number:
with_parts = {}
for parts in (1, 4):
    of_parts = []
    for part in x.chunk(parts):
        held = part.clone()
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: of_parts.append(t.nbytes) or t,  # noqa: B023
            lambda t: t,
        ):
            loss = model(held).square().mean() / parts
        loss.backward()
    with_parts[parts] = sum(of_parts) // parts // 1024, model[0][0].weight.grad.clone()
    model.zero_grad()
print({parts: size for parts, (size, _) in with_parts.items()}, "KiB")
assert with_parts[4][0] < with_parts[1][0]
torch.testing.assert_close(with_parts[4][1], with_parts[1][1])

# %%
# LoRA for a video model (Wan, HunyuanVideo): how do I reduce the GPU memory (VRAM)?
# ----------------------------------------------------------------------------------
# LoRA has removed the optimizer's part already. What is left are the weights of the
# base and the activations, and these grow with the number of tokens: frames times
# height times width. Begin with what costs no quality:
#
# - *Compute the text encoder and the VAE once*, save latents and text embeddings, and
#   don't load the two for the training. DiffSynth-Studio does it in two runs, ``--task
#   sft:data_process`` and then ``sft:train``; in musubi-tuner the cache is required.
# - *Gradient checkpointing*, and its inputs on the CPU:
#   ``--use_gradient_checkpointing_offload`` in DiffSynth-Studio,
#   ``--gradient_checkpointing_cpu_offload`` in musubi-tuner, there together with
#   ``--gradient_checkpointing``.
# - *The base in bfloat16, or fp8* (``--fp8_base``), which may cost some quality; blocks
#   that wait on the CPU (``--blocks_to_swap``), which costs time. Of Wan 2.2 A14B,
#   train one of the two models, low or high noise, at a time. With several GPUs, shard
#   the base: ZeRO-3.
# - *Fewer frames and a smaller picture*, batch 1 with accumulation. In the table, half
#   the frames are about half the tokens, and so half the activations (with SDPA or
#   flash attention; attention that keeps its whole matrix grows with the square).
# - An 8-bit Adam or a smaller rank saves little here, since few values train.
#
# (Options from the documents of `musubi-tuner
# <https://github.com/kohya-ss/musubi-tuner/blob/main/docs/hunyuan_video.md>`__ and the
# answers in `DiffSynth-Studio
# <https://github.com/modelscope/DiffSynth-Studio/issues/455>`__; read, not run.) Tokens
# of a clip in Wan 2.1 or the 14B models of 2.2, whose VAE makes one latent of 4 frames
# and 8 times 8 pixels, of which 2 times 2 are a token:


def tokens_of(frames, height, width):
    return ((frames - 1) // 4 + 1) * (height // 16) * (width // 16)


for clip in ((81, 720, 1280), (81, 480, 832), (41, 480, 832), (1, 480, 832)):
    print(clip, tokens_of(*clip))
assert tokens_of(81, 480, 832) == 32_760
assert tokens_of(81, 720, 1280) == 75_600
assert tokens_of(41, 480, 832) / tokens_of(81, 480, 832) < 0.55
hidden, per_token = torch.randn(1, 64, 128), []
for count in (64, 32):
    states = hidden[:, :count].clone()
    per_token.append(measure(adapted, lambda: adapted(states))[2] / count)  # noqa: B023
print("activations in KiB for each token:", [round(size, 1) for size in per_token])
assert abs(per_token[0] - per_token[1]) < 0.1

# %%
# Why does LoRA take more memory than I calculated?
# -------------------------------------------------
# A sum with one activation per layer is too low. A transformer block keeps many tensors
# of the size tokens times width, frozen or not: results of norms, queries, keys and
# values, and the inner, wider tensors of the MLP. And the loss keeps a tensor of the
# size tokens times vocabulary: with 2048 tokens and a vocabulary of 152,000, 1.2 GiB in
# float32. The logits themselves and the gradient of each of these come on top. So do,
# on a GPU, the CUDA context and what the allocator reserves: compare
# ``torch.cuda.max_memory_allocated()`` with ``torch.cuda.max_memory_reserved()`` (not
# run here). A shorter sequence, checkpointing, or a loss that is computed in parts
# helps. In units of tokens times width:
from torch.nn import functional

tokens, width, vocabulary = 64, 32, 4096


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = torch.nn.ModuleList(torch.nn.RMSNorm(width) for _ in range(2))
        self.qkv, self.out = Linear(width, 3 * width), Linear(width, width)
        self.gate_up, self.down = Linear(width, 6 * width), Linear(3 * width, width)

    def forward(self, x):
        q, k, v = self.qkv(self.norms[0](x)).chunk(3, -1)
        x = x + self.out(functional.scaled_dot_product_attention(q, k, v))
        gate, up = self.gate_up(self.norms[1](x)).chunk(2, -1)
        return x + self.down(functional.silu(gate) * up)


block, unembed = Block(), Linear(width, vocabulary).requires_grad_(False)
hidden = torch.randn(1, tokens, width, requires_grad=True)
labels = torch.zeros(tokens, dtype=torch.long)
unit = hidden.nbytes // 1024
kept = {
    "block trains": measure(block, lambda: block(hidden))[2],
    "block frozen": measure(block.requires_grad_(False), lambda: block(hidden))[2],
    "loss": measure(
        unembed, lambda: functional.cross_entropy(unembed(hidden[0]), labels)
    )[2],
}
for name, size in kept.items():
    print(f"{name:14}{size / unit:6.1f}")
assert kept["block trains"] > kept["block frozen"] > 10 * unit
assert kept["loss"] >= tokens * vocabulary * 4 // 1024 == 128 * unit
assert round(2048 * 152_000 * 4 / 2**30, 1) == 1.2

# %%
# Does ``detach()`` save memory?
# ------------------------------
# ``model(x).detach()`` does not lower the peak: everything is kept until the result
# with the graph is gone. ``head(backbone(x).detach())`` does: the graph of the backbone
# is freed before the head runs, unless something still holds ``backbone(x)``. Under
# ``no_grad()`` nothing is kept in the first place.
assert kib["model(x).detach()"] == (0, 0, 896, False)
assert kib["no_grad()"] == (0, 0, 0, False)

# %% tags=["hide-input"]
# The most that is saved at one time, in KiB, with a backbone of four layers and a head
# of two. The folded code counts what is still alive at each call of the hook.
for block in model:
    block[1] = ReLU()
backbone, head = model[:4], model[4:]


def peak(forward):
    views, sums = [], [0]

    def pack(tensor):
        view = tensor.detach()
        if view.shape == x.shape:
            views.append((weakref.ref(view), view.data_ptr()))
        sums.append(len({place for ref, place in views if ref() is not None}) * 128)
        return view

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda view: view):
        forward().sum().backward()
    return max(sums)


def still_held():
    features = backbone(x)
    return head(features.detach())


def without_recording():
    with torch.no_grad():
        features = backbone(x)
    return head(features)


peaks = {
    "head(backbone(x))": peak(lambda: head(backbone(x))),
    "features is held": peak(still_held),
    "head(backbone(x).detach())": peak(lambda: head(backbone(x).detach())),
    "no_grad()": peak(without_recording),
}
for way, most in peaks.items():
    print(f"{way:27}{most:4}")
assert list(peaks.values()) == [896, 896, 640, 384]

# %%
# How many bytes does a parameter take, frozen and trained?
# ---------------------------------------------------------
# In ``float32`` with Adam or AdamW: 4 for the weight, 4 for ``.grad`` and 8 for the two
# averages, 16 in all. Autocast does not change that: the weights stay ``float32``. A
# frozen weight takes its own size only: 4, 2 in half precision, 1 in 8 bits, half a
# byte in 4 bits. So 7 billion parameters take 112 GB to train, and 14 GB frozen in
# ``bfloat16``, in both cases without activations. ``.grad`` is there from the first
# ``backward()`` on and the averages from the first ``step()`` on: if it fits, but fails
# in the second step, this is why.


def bytes_per_parameter(dtype, kind=None, **options):
    layer = Linear(256, 256, bias=False, dtype=dtype)
    total = layer.weight.nbytes
    if kind:
        optimizer = kind(layer.parameters(), lr=0.1, **options)
        layer(torch.ones(1, 256, dtype=dtype)).sum().backward()
        optimizer.step()
        state = [s for s in optimizer.state[layer.weight].values() if s is not None]
        total += layer.weight.grad.nbytes + sum(s.nbytes for s in state)
    return round(total / layer.weight.numel())


optim, half = torch.optim, torch.bfloat16
sizes = {
    "AdamW": bytes_per_parameter(torch.float32, optim.AdamW),
    "SGD, momentum": bytes_per_parameter(torch.float32, optim.SGD, momentum=0.9),
    "SGD": bytes_per_parameter(torch.float32, optim.SGD),
    "AdamW, bfloat16": bytes_per_parameter(half, optim.AdamW),
    "frozen": bytes_per_parameter(torch.float32),
    "frozen, bfloat16": bytes_per_parameter(half),
}
for name, size in sizes.items():
    print(f"{name:17}{size:3}")
assert list(sizes.values()) == [16, 12, 8, 8, 4, 2]
assert [7 * sizes[name] for name in ("AdamW", "frozen, bfloat16")] == [112, 14]

# %%
# Four GPUs with 24 GB each, and CUDA out of memory: every process has a whole copy
# ---------------------------------------------------------------------------------
# Data parallel training (DDP, ``torchrun``, ``accelerate launch``) copies the whole
# model into each process. Four GPUs work on four batches at once, but what has to fit
# is one copy on one GPU: 24 GB, not 96. DDP adds buckets as large as the gradients; to
# save them, pass :torch:`gradient_as_bucket_view=True
# <generated/torch.nn.parallel.DistributedDataParallel.html>`. What helps:
#
# - Train fewer layers, or LoRA; batch size 1 with gradient accumulation; gradient
#   checkpointing; shorter sequences.
# - Shard: with ZeRO-3 or FSDP (``FULL_SHARD``) each process keeps a part of weights,
#   gradients and averages. ZeRO-2 shards gradients and averages only, so the weights
#   are still whole on each GPU. Activations are never shared.
# - A base in 8 or 4 bits goes with LoRA (QLoRA), not with ``freeze``: rounded weights
#   can't be trained themselves.
#
# For freeze tuning of 6.2 billion parameters in float16, where each of the 28 layers
# has 0.2 billion, and the layers that train are in float32 with AdamW, in GB for each
# process and without activations (calculated, not measured):


def gigabytes(layers, *, shards=1, buckets=True):
    trained = 0.2 * layers
    bytes_of_one = sizes["AdamW"] + 4 * buckets
    return (
        sizes["frozen, bfloat16"] * (6.2 - trained) + bytes_of_one * trained
    ) / shards


of_ddp = {layers: round(gigabytes(layers), 1) for layers in (1, 2, 3, 28)}
of_shards = {
    layers: round(gigabytes(layers, shards=4, buckets=False), 1) for layers in of_ddp
}
print("DDP:", of_ddp, "four shards:", of_shards)
assert of_ddp[1] < of_ddp[2] < 20 < of_ddp[3] < 24 < of_ddp[28]
assert of_shards[3] < 6
assert of_shards[28] > 22

# %%
# DeepSpeed ZeRO-3: LoRA takes as much GPU memory as full fine-tuning
# -------------------------------------------------------------------
# LoRA saves gradients and the state of the optimizer. ZeRO-3 has divided them among the
# GPUs already, and with ``offload_optimizer`` they are on the CPU: then there is
# nothing left on the GPU that LoRA could save. Both need the weights, which are divided
# as well, and the activations, which LoRA does not make smaller and which grow with the
# batch. With a batch of 16 they are often the largest part.
#
# - Compare ``torch.cuda.max_memory_allocated()``. ``nvidia-smi`` also counts what
#   PyTorch keeps for later, so that two runs often fill the GPU alike. That is also why
#   ZeRO-2 and ZeRO-3 can look the same.
# - Look whether only LoRA trains: ``model.print_trainable_parameters()``.
# - To save memory: gradient checkpointing, a smaller batch, shorter sequences. With
#   LoRA, offloading the optimizer saves next to nothing and costs time: turn it off.
#
# GB on each of 8 GPUs for 13 billion parameters, without activations, by the formulas
# of `DeepSpeed <https://deepspeed.readthedocs.io/en/latest/memory.html>`__ (calculated,
# not measured; the adapters and the layer that is gathered are small and left out):
billions, gpus = 13, 8
of_zero = {
    "ZeRO-2": (4 + 16 / gpus, 2),
    "ZeRO-2, offload_optimizer": (2, 2),
    "ZeRO-3": (18 / gpus, 2 / gpus),
    "ZeRO-3, offload_optimizer": (2 / gpus, 2 / gpus),
    "ZeRO-3, offload_param too": (0, 0),
}
print(f"{'':27}full  LoRA")
for way, bytes_of_one in of_zero.items():
    full, lora = (billions * size for size in bytes_of_one)
    print(f"{way:26}{full:5.1f} {lora:5.1f}")
    assert (full == lora) == ("offload" in way)

# %%
# Where it ends
# -------------
# What an optimizer has stored stays after a later freeze: delete it. And if the input
# itself requires a gradient, even a frozen network keeps its activations, as the table
# shows. Not every kind of layer lets its input go:
# :doc:`frozen_layers_that_keep_their_input`.
optimizer = torch.optim.Adam(model.parameters())
model(x).sum().backward()
optimizer.step()
model.requires_grad_(False)
optimizer.zero_grad()
assert len(optimizer.state) == 12
for parameter in model.parameters():
    del optimizer.state[parameter]
assert not optimizer.state
assert kib["all frozen, x.grad"][2] == 768

# %%
# Freeze from the input on, and run this part under ``no_grad()``.
#
# Related: :doc:`frozen_layers_that_keep_their_input`, :doc:`work_that_freezing_saves`,
# :doc:`/gallery/diagnose/where_did_the_memory_go`. Source: :torch:`Hooks for saved
# tensors <notes/autograd.html#hooks-for-saved-tensors>`.
