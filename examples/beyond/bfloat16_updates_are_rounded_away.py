"""
A weight in bfloat16 does not change: the update is rounded away
================================================================

``bfloat16`` has eight bits of precision. An update of less than about 0.2 percent of a
weight leaves it as it is, in every step. Keep the weights in ``float32``.
"""

# %%
import torch
from torch import nn

for dtype in (torch.bfloat16, torch.float32):
    weight = nn.Parameter(torch.ones(3, dtype=dtype))
    optimizer = torch.optim.AdamW([weight], lr=0.001, weight_decay=0.0)
    for _ in range(1000):
        optimizer.zero_grad()
        weight.sum().backward()
        optimizer.step()
    print(f"{dtype}: {weight[0].item():.2f}")
    moved = not weight.equal(torch.ones_like(weight))
    assert moved == (dtype == torch.float32)

# %%
# Which updates are lost?
# -----------------------
# Between 1 and 2, neighbouring values of ``bfloat16`` are 1/128 apart, and the distance
# grows with the weight. The sum is rounded to the nearest value, so an update of less
# than half the distance is lost, however many steps you take. With a rate of 2e-5 a
# weight of 0.001 trains, and one of 0.1 does not. So the loss falls, but less than it
# could. Weights, and the distance to the next larger value:
sizes = torch.tensor([0.001, 0.01, 0.1, 1.0], dtype=torch.bfloat16)
up = torch.nextafter(sizes, torch.full_like(sizes, torch.inf))
for size, gap in zip(sizes.tolist(), (up - sizes).tolist(), strict=True):
    print(f"{size:.3f}: {gap:.6f}")
    start = torch.tensor(size, dtype=torch.bfloat16)
    assert start + 0.49 * gap == start
    assert start + 0.51 * gap > start
assert up[3] - 1 == 1 / 128
rate, weights = 2e-5, torch.tensor([0.001, 0.1]).bfloat16()
assert ((weights - rate) != weights).tolist() == [True, False]

# %% tags=["hide-input"]
# The weight over 1000 steps of 0.001 each: in ``bfloat16`` (dashed), in ``float32``
# (solid), and in ``bfloat16`` with stochastic rounding (dotted), which is explained
# below.
import matplotlib.pyplot as plt


def rounded(values):
    """Round to bfloat16, up or down, with the nearer value more likely."""
    bits = values.float().view(torch.int32)
    noise = torch.randint(2**16, bits.shape, dtype=torch.int32)
    return ((bits + noise) & -(2**16)).view(torch.float32).bfloat16()


torch.manual_seed(0)
paths = {"bfloat16": [1.0], "float32": [1.0], "stochastic": [1.0]}
ends = {
    "bfloat16": lambda value: value.bfloat16(),
    "float32": lambda value: value,
    "stochastic": rounded,
}
for name, end in ends.items():
    for _ in range(1000):
        value = end(torch.tensor(paths[name][-1]) - 0.001)
        paths[name].append(value.float().item())
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for (name, path), look in zip(paths.items(), ("C2--", "C0-", "C1:"), strict=True):
    ax.plot(path, look, label=name)
ax.set(xlabel="step", ylabel="weight")
ax.legend()
plt.show()
assert paths["bfloat16"][-1] == 1
assert abs(paths["float32"][-1]) < 0.001
assert abs(paths["stochastic"][-1]) < 0.1

# %%
# How do I train in bfloat16 then?
# --------------------------------
# With the weights in ``float32`` and the operations in ``bfloat16``: that is autocast.
# The same holds for LoRA: a base in ``bfloat16`` that is frozen loses nothing. Give the
# adapters ``float32``.
model = nn.Linear(8, 1)
x = torch.ones(4, 8)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
before = model.weight.clone()
with torch.autocast("cpu", torch.bfloat16):
    result = model(x)
result.float().sum().backward()
optimizer.step()
print(result.dtype, model.weight.dtype)
assert result.dtype == torch.bfloat16
assert (model.weight != before).all()

# %%
# If the model must be in ``bfloat16``, keep a copy of the weights in ``float32`` for
# the optimizer, and copy each result back.
model = nn.Linear(8, 1, bias=False).bfloat16()
nn.init.ones_(model.weight)
masters = [p.detach().clone().float().requires_grad_() for p in model.parameters()]
optimizer = torch.optim.AdamW(masters, lr=0.001, weight_decay=0.0)
for _ in range(100):
    model.zero_grad()
    model(x.bfloat16()).sum().backward()
    for master, parameter in zip(masters, model.parameters(), strict=True):
        master.grad = parameter.grad.float()
    optimizer.step()
    with torch.no_grad():
        for master, parameter in zip(masters, model.parameters(), strict=True):
            parameter.copy_(master)
print(model.weight[0, 0].item())
assert abs(model.weight[0, 0].item() - 0.9) < 0.005

# %%
# Or round stochastically, as ``rounded()`` in the folded code does: up or down, with a
# probability that makes the mean right. Each step then changes some of the weights. The
# library torchao has optimizers that do so: `Low-bit optimizers
# <https://github.com/pytorch/ao/tree/main/torchao/optim>`__ (not run here).
many = rounded(torch.full((10_000,), 1.001))
assert set(many.tolist()) == {1.0, 1 + 1 / 128}
assert abs(many.float().mean() - 1.001) < 0.0002


# %%
# ``bf16=True``, ``dtype=``, ``bf16-true``: are my weights in ``float32``?
# ------------------------------------------------------------------------
# What counts is the dtype of the parameters that the optimizer has. (The libraries were
# not run here.)
#
# - transformers: load with ``from_pretrained(..., dtype=torch.float32)``, formerly
#   ``torch_dtype``, and train with ``TrainingArguments(bf16=True)``, which is autocast.
#   Since version 5, ``from_pretrained()`` takes the dtype in which the model was saved,
#   often ``bfloat16`` (`Sentence Transformers 3773
#   <https://github.com/huggingface/sentence-transformers/pull/3773>`__).
# - Accelerate: ``mixed_precision="bf16"`` is autocast, too. Without FSDP, it leaves
#   weights that you loaded in ``bfloat16`` as they are.
# - Lightning: ``precision="bf16-mixed"`` keeps them in ``float32``, ``"bf16-true"``
#   converts them (`discussion 18263
#   <https://github.com/Lightning-AI/pytorch-lightning/discussions/18263>`__).
# - DeepSpeed: with ``"bf16": {"enabled": true}`` its optimizer has a copy in
#   ``float32``, unless you set ``bf16_master_weights_and_grads`` (`example
#   <https://github.com/deepspeedai/DeepSpeedExamples/tree/master/training/bf16_master_weight>`__).
# - FSDP2: leave the model in ``float32``, and pass
#   ``MixedPrecisionPolicy(param_dtype=torch.bfloat16)``.
#
# After the first step, ``dtypes(optimizer)`` tells what you have. If it names
# ``bfloat16``, convert what trains before you make the optimizer:


def dtypes(optimizer):
    held = [p for group in optimizer.param_groups for p in group["params"]]
    states = [value for state in optimizer.state.values() for value in state.values()]
    averages = [s for s in states if isinstance(s, torch.Tensor) and s.dim() > 0]
    return {t.dtype for t in held if t.requires_grad} | {t.dtype for t in averages}


loaded = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 1)).bfloat16()
loaded[0].requires_grad_(False)
for convert in (False, True):
    if convert:
        for parameter in loaded.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
                parameter.grad = None
    optimizer = torch.optim.AdamW(loaded.parameters(), lr=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        loss = loaded(x).float().sum()
    loss.backward()
    optimizer.step()
    print(dtypes(optimizer), loaded[0].weight.dtype)
    assert dtypes(optimizer) == {torch.float32 if convert else torch.bfloat16}
    assert loaded[0].weight.dtype == torch.bfloat16


# %%
# Where it ends
# -------------
# - Adam's averages have the dtype of the weights. With a ``beta2`` of 0.999 the second
#   one can't become smaller in ``bfloat16``: one large gradient then makes all later
#   steps short.
# - Weight decay is an update as well: a factor of ``1 - lr * weight_decay`` near 1 is
#   rounded to no change.
# - ``float16`` has three more bits: an update may be eight times smaller before it is
#   lost. This holds for weights above 6e-5. Below, its values don't become denser, and
#   at 1e-6 ``bfloat16`` is the finer one. And ``GradScaler`` does not take such
#   weights: it raises *Attempting to unscale FP16 gradients*, unless the optimizer has
#   ``fused=True``.
# - An EMA teacher has the same problem: :doc:`/gallery/recipes/ema_teacher`.
def second_average(dtype, **options):
    weight = nn.Parameter(torch.ones(1, dtype=dtype))
    optimizer = torch.optim.Adam([weight], lr=0.001, **options)
    averages = []
    for gradient in [10.0] + [0.001] * 1000:
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
        averages.append(optimizer.state[weight]["exp_avg_sq"].item())
    return averages[-1] / averages[0]


for options in ({}, {"foreach": True}, {"fused": True}):
    assert second_average(torch.bfloat16, **options) == 1
    assert abs(second_average(torch.float32, **options) - 0.37) < 0.01

weight = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
decaying = torch.optim.AdamW([weight], lr=0.001, weight_decay=0.1)
for _ in range(100):
    weight.grad = torch.zeros_like(weight)
    decaying.step()
assert weight.item() == 1

finer = torch.tensor(1.0, dtype=torch.float16)
assert torch.finfo(torch.float16).eps == torch.finfo(torch.bfloat16).eps / 8
assert finer - 0.001 != 1
gaps = {}
for dtype in (torch.float16, torch.bfloat16):
    sizes = torch.tensor([1e-4, 1e-6], dtype=dtype)
    gaps[dtype] = torch.nextafter(sizes, torch.ones_like(sizes)) - sizes
assert (gaps[torch.float16] < gaps[torch.bfloat16]).tolist() == [True, False]
half = nn.Linear(2, 1).half()
scaler = torch.amp.GradScaler("cpu")
optimizer = torch.optim.SGD(half.parameters(), lr=0.1)
scaler.scale(half(torch.ones(1, 2).half()).float().sum()).backward()
try:
    scaler.step(optimizer)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("gradients in float16 were unscaled")
assert "Attempting to unscale FP16 gradients" in message
fused = torch.optim.SGD(half.parameters(), lr=0.1, fused=True)
scaler, before = torch.amp.GradScaler("cpu", init_scale=8.0), half.weight.clone()
half.zero_grad()
scaler.scale(half(torch.ones(1, 2).half()).float().sum()).backward()
scaler.step(fused)
assert not half.weight.equal(before)

# %%
# What trains belongs in ``float32``, what is frozen may be in ``bfloat16``.
# ``torch.finfo(dtype).eps`` is the distance between 1 and the next value:
# :torch:`torch.finfo <type_info.html>`.
#
# Related: :doc:`mixed_precision`, :doc:`/gallery/recipes/lora_by_hand`,
# :doc:`/gallery/freezing/different_learning_rates`.
