"""
only Tensors of floating point dtype can require gradients: quantised weights
=============================================================================

Integers have no gradient, so ``model.requires_grad_(True)`` raises if a parameter is
quantised to them. Unfreeze only the parameters of floating point dtype.
"""

# %%
# A quantised weight beside a layer that can train.
import torch

model = torch.nn.Linear(2, 1).requires_grad_(False)
codes = torch.ones(2, dtype=torch.int8)
model.codes = torch.nn.Parameter(codes, requires_grad=False)
try:
    model.requires_grad_(True)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
for parameter in model.parameters():
    parameter.requires_grad_(parameter.is_floating_point())
print({n: p.requires_grad for n, p in model.named_parameters()})

# %%
# A parameter may hold integers if you say that it does not train. A quantised tensor
# holds integers and a scale, and can't train either.
flags = {name: p.requires_grad for name, p in model.named_parameters()}
assert flags == {"weight": True, "bias": True, "codes": False}
quantised = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
for integers in (codes, quantised):
    try:
        integers.requires_grad_()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("an integer requires a gradient")
    assert "floating point dtype" in message

# %%
# ``module.to()`` refuses each dtype that is neither floating point nor complex, before
# it looks at the parameters. Integers that are there already stay integers.
messages = set()
for module in (torch.nn.Linear(2, 1).requires_grad_(False), torch.nn.ReLU()):
    try:
        module.to(torch.int8)
    except TypeError as error:
        messages.add(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("a module was converted to integers")
(message,) = messages
print(message)
assert model.half().codes.dtype == torch.int8

# %%
# FSDP and QLoRA: ``bnb_4bit_quant_storage``, ``Cannot flatten integer dtype tensors``
# ------------------------------------------------------------------------------------
# Let bitsandbytes store its 4 bits in the dtype of the rest of the model:
#
# - ``BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_storage=torch.bfloat16)``,
# - ``from_pretrained(..., dtype=torch.bfloat16)``, formerly ``torch_dtype``,
# - adapters in the same dtype: ``get_peft_model(..., autocast_adapter_dtype=False)``.
#
# By default the codes are stored as ``uint8``. ``FullyShardedDataParallel`` (FSDP1)
# flattens the parameters of a unit, also frozen ones, into one tensor, which must be
# floating point and of one dtype. The container may be ``bfloat16``, because the layer
# reads its bytes as codes again. The error tells which option is missing:
#
# - While the model is loaded, ``Only Tensors of floating point and complex dtype can
#   require gradients``: the storage is ``uint8`` (in libraries of 2024: `LLaMA-Factory
#   3497 <https://github.com/hiyouga/LlamaFactory/issues/3497>`__, `bitsandbytes 1232
#   <https://github.com/bitsandbytes-foundation/bitsandbytes/issues/1232>`__).
# - When FSDP1 wraps the model, ``Cannot flatten integer dtype tensors``: the storage is
#   ``uint8``, and comes first in its unit.
# - When FSDP1 wraps the model, ``Must flatten tensors with uniform dtype but got …``:
#   look at the two dtypes. With ``torch.uint8`` it is the storage again. Otherwise the
#   adapters and the storage, or the rest of the model, have different dtypes.
#
# With ``load_in_8bit``, FSDP1 raises the last two errors as well, for ``torch.int8``.
# There is no option for the storage, so 8 bits don't work with FSDP1: take 4 bits (the
# same in `a report to peft <https://github.com/huggingface/peft/issues/2833>`__).
#
# These options are from the `guide of bitsandbytes
# <https://huggingface.co/docs/bitsandbytes/main/en/fsdp_qlora>`__ and a `report from
# eight GPUs <https://github.com/MakazhanAlpamys/Soup/issues/350>`__, read and not run.
# The script runs FSDP1 in one process, on a layer that stands for ``Linear4bit``.
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp import ShardingStrategy


class WithAdapter(torch.nn.Module):
    def __init__(self, storage, adapter, *, scale_first=False):
        super().__init__()
        if scale_first:
            self.scale = torch.nn.Parameter(torch.ones(4, dtype=adapter))
        stored = torch.arange(16, dtype=torch.uint8).view(storage)
        self.stored = torch.nn.Parameter(stored, requires_grad=False)
        self.adapter = torch.nn.Linear(4, 4, dtype=adapter)

    def forward(self, x):
        weight = self.stored.view(torch.uint8).view(4, 4).to(x.dtype)
        return x @ weight + self.adapter(x)


def sharded(storage, adapter, **options):
    model = WithAdapter(storage, adapter, **options)
    try:
        model = FSDP(model, use_orig_params=True, **one)
    except ValueError as error:
        return str(error)
    model(torch.ones(1, 4, dtype=adapter)).sum().backward()
    return [p.grad is not None for p in model.parameters()]


store = dist.HashStore()
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
# for a single process on a CPU; leave these options out
one = {"sharding_strategy": ShardingStrategy.NO_SHARD, "device_id": torch.device("cpu")}
found = [
    sharded(torch.uint8, torch.float32),
    sharded(torch.bfloat16, torch.float32),
    sharded(torch.bfloat16, torch.bfloat16),
]
of_8_bits = [sharded(torch.int8, torch.float16, scale_first=s) for s in (False, True)]
dist.destroy_process_group()
print(*found, sep="\n")
assert found[0] == "Cannot flatten integer dtype tensors"
assert found[1].startswith("Must flatten tensors with uniform dtype")
# Right: the codes are frozen, the adapter trains.
assert found[2] == [False, True, True]
assert of_8_bits[0] == found[0]
assert of_8_bits[1].endswith("but got torch.float16 and torch.int8")

# %%
# Does the gradient pass through a quantised layer? LoRA on 4 bits, GPTQ, AWQ, float8
# -----------------------------------------------------------------------------------
# It has to, or the adapters before the layer don't train. It does if the layer converts
# its integers to floating point in the forward, because then the input gets a gradient
# as from a frozen layer. Kernels that compute with the integers have a backward only if
# somebody wrote one (read and not run here):
#
# - ``Linear4bit`` and ``Linear8bitLt`` of bitsandbytes have one: QLoRA relies on it.
# - AWQ got one in 2024 (`AutoAWQ 324
#   <https://github.com/casper-hansen/AutoAWQ/pull/324>`__). For GPTQ and AWQ, use a
#   version of peft that knows the layer: ``Target module … is not supported`` says that
#   it does not.
# - ``Float8DynamicActivationFloat8WeightConfig`` of torchao has none: ``derivative for
#   aten::_scaled_mm is not implemented`` (`ao 4376
#   <https://github.com/pytorch/ao/issues/4376>`__).
#
# To find out, give the layer an input that requires a gradient. The codes themselves
# never train; a scale in floating point may.


class Int8Linear(torch.nn.Module):
    def __init__(self, linear):
        super().__init__()
        scale = linear.weight.detach().abs().amax(dim=1, keepdim=True) / 127
        self.scale = torch.nn.Parameter(scale)
        codes = (linear.weight.detach() / scale).round().to(torch.int8)
        self.register_buffer("codes", codes)

    def forward(self, x):
        return x @ (self.codes.to(x.dtype) * self.scale).T


def passes_gradient(layer, width):
    probe = torch.randn(2, width, requires_grad=True)
    try:
        layer(probe).sum().backward()
    except RuntimeError:
        return False
    return probe.grad is not None and bool(probe.grad.any())


class Integers(Int8Linear):
    def forward(self, x):
        return (x.round().int() @ self.codes.int().T) * self.scale.T


torch.manual_seed(0)
linear = torch.nn.Linear(4, 3, bias=False)
found = {
    kind.__name__: passes_gradient(kind(linear), 4) for kind in (Int8Linear, Integers)
}
print(found)
assert found == {"Int8Linear": True, "Integers": False}

# %%
# Quantisation-aware training
# ---------------------------
# A fake quantisation rounds in the forward. In the backward it lets the gradient
# through, inside the range that the integers have. Outside of it, the gradient is zero.
# So the weight stays floating point, and trains.
x = torch.tensor([0.12, 0.77, 99.0], requires_grad=True)
rounded = torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -128, 127)
rounded.sum().backward()
print(x.grad)
assert x.grad.tolist() == [1, 1, 0]

# %% tags=["hide-input"]
# Left: what the fake quantisation gives. Right: its gradient, one inside the range of
# four levels, zero outside.
import matplotlib.pyplot as plt

xs = torch.linspace(-0.5, 0.9, 281, requires_grad=True)
ys = torch.fake_quantize_per_tensor_affine(xs, 0.2, 0, -1, 2)
(slope,) = torch.autograd.grad(ys.sum(), xs)
_, (left, right) = plt.subplots(1, 2, figsize=(6, 2.8), layout="constrained")
left.plot(xs.detach(), ys.detach(), "C0")
left.set(xlabel="x", ylabel="y")
right.plot(xs.detach(), slope, "C0")
right.set(xlabel="x", ylabel="gradient", ylim=(-0.2, 1.4))
plt.show()

# %%
# QAT: when do I freeze the scale (observer) and the batch norm?
# --------------------------------------------------------------
# In PyTorch's own ``FakeQuantize`` scale and zero point are buffers, not parameters. No
# gradient trains them: an observer measures the range of what passes through and
# overwrites them in each forward, also in ``eval()`` and under ``no_grad()``. So a
# validation of the model that trains changes it. Train with the observers on at first,
# and switch them off for the last epochs and for each such validation:
# ``model.apply(disable_observer)``. ``requires_grad_(False)`` does not do it. Freeze
# the statistics of batch norm at about the same time, with ``freeze_bn_stats``, so that
# the weights can settle. A tutorial of PyTorch trains for 8 epochs, and freezes batch
# norm after 4 and the scales after 5 of them (`source
# <https://github.com/pytorch/tutorials/blob/99bf69ec2b0ba0d24070f4d4f784dfaa6c588c05/advanced_source/static_quantization_tutorial.rst>`__).
#
# A scale that should be learned is a parameter (LSQ): put it into the optimizer, see
# :doc:`/gallery/recipes/straight_through_and_vq`.
from torch.ao import quantization

fake = quantization.FakeQuantize(
    observer=quantization.MovingAverageMinMaxObserver, quant_min=0, quant_max=255
)
fake(torch.tensor([0.0, 1.0]))
fake.requires_grad_(False).eval()
before = fake.scale.item()
with torch.no_grad():
    fake(torch.tensor([0.0, 9.0]))
moved = fake.scale.item() != before
fake.apply(quantization.disable_observer)
before = fake.scale.item()
fake(torch.tensor([0.0, 99.0]))
print("parameters:", len(list(fake.parameters())))
print("the scale moves in eval():", moved)
print("after disable_observer:   ", fake.scale.item() != before)
assert moved
assert fake.scale.item() == before
assert not list(fake.parameters())

# %%
# Quantisation-aware training with frozen batch norm: nothing is detected any more
# --------------------------------------------------------------------------------
# Load the trained floating point weights *with* their buffers, train with the observers
# and batch norm on until the loss is stable, and freeze both for the last epochs. A
# frozen batch norm divides by its running statistics, also while training. If these are
# not the statistics of the quantised network, everything behind it is wrong, and a
# detector finds nothing. The causes:
#
# - The training starts from random weights, or ``load_state_dict(strict=False)`` left
#   out ``running_mean`` and ``running_var``: then they are 0 and 1.
# - Batch norm is frozen before the scales have settled, or a scale is bad.
#
# To find the layer, normalise its input with its running statistics: the means should
# be near 0 and the standard deviations near 1. Two bits stand for a bad scale:
torch.manual_seed(0)
images, conv = torch.randn(64, 3, 6, 6) + 2, torch.nn.Conv2d(3, 8, 3, bias=False)
trained = torch.nn.BatchNorm2d(8, momentum=None)
trained(conv(images))
new = torch.nn.BatchNorm2d(8)


def quantised_to(bits):
    weight, top = conv.weight.detach(), 2 ** (bits - 1) - 1
    scale = weight.abs().max().item() / top
    return torch.fake_quantize_per_tensor_affine(weight, scale, 0, -top - 1, top)


def normalised(weight, norm):
    with torch.no_grad():
        values = torch.nn.functional.conv2d(images, weight)
        shape = 1, -1, 1, 1
        values -= norm.running_mean.view(shape)
        values /= norm.running_var.view(shape).sqrt()
    means, deviations = values.mean((0, 2, 3)), values.std((0, 2, 3))
    return means.abs().max().item(), (deviations - 1).abs().max().item()


cases = {
    "float": normalised(conv.weight, trained),
    "8 bits": normalised(quantised_to(8), trained),
    "2 bits": normalised(quantised_to(2), trained),
    "8 bits, new statistics": normalised(quantised_to(8), new),
}
for case, (mean, deviation) in cases.items():
    print(f"{case:23}mean {mean:.2f}, deviation - 1 {deviation:.2f}")
assert max(cases["float"] + cases["8 bits"]) < 0.1
assert min(case[0] for case in list(cases.values())[2:]) > 0.4

# %%
# How to freeze it: ``model.apply(freeze_bn_stats)`` acts on fused layers, such as
# ``ConvBn2d``, and survives ``model.train()``. ``prepare_qat()`` alone fuses nothing:
# call ``fuse_modules_qat()`` first. On an ordinary ``BatchNorm2d`` it does nothing.
# There, call ``eval()`` on it after each ``model.train()``, which undoes it.
# ``requires_grad_(False)`` fixes its weight and bias only, not the statistics.
import warnings

from torch.ao.nn.intrinsic import qat


def moves(layer, norm):
    before = norm.running_mean.clone()
    layer.train()
    layer(images)
    return not norm.running_mean.equal(before)


config = quantization.get_default_qat_qconfig("fbgemm")
fused, plain = qat.ConvBn2d(3, 8, 3, qconfig=config), torch.nn.BatchNorm2d(3)
still_moves = {}
for way in ("eval()", "requires_grad_(False)", "freeze_bn_stats"):
    for layer, norm in ((fused, fused.bn), (plain, plain)):
        if way == "eval()":
            norm.eval()
        elif way == "requires_grad_(False)":
            norm.requires_grad_(False)
        else:
            layer.apply(qat.freeze_bn_stats)
        still_moves[way, type(layer).__name__] = moves(layer, norm)
for key, value in still_moves.items():
    print(f"{key[0]:23}{key[1]:13}moves: {value}")
stays = [key for key, value in still_moves.items() if not value]
assert stays == [("freeze_bn_stats", "ConvBn2d")]
both = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
both.qconfig = config
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    apart = quantization.prepare_qat(both)
    joined = quantization.prepare_qat(quantization.fuse_modules_qat(both, ["0", "1"]))
assert type(apart[1]) is torch.nn.BatchNorm2d
assert type(joined[0]) is qat.ConvBn2d

# %%
# torch.jit.freeze means something else
# -------------------------------------
# A scripted module trains as any other; to freeze it, see
# :doc:`/reference/errors/is_not_supported_on_scriptmodules`. ``torch.jit.freeze`` turns
# its parameters into constants of the program: none is left that could train or be
# loaded. The input still gets its gradient.
module = torch.jit.script(torch.nn.Linear(2, 1).eval())
value = torch.ones(1, 2, requires_grad=True)
module(value).sum().backward()
assert module.weight.grad is not None
program = torch.jit.freeze(module)
print(len(list(program.parameters())))
assert len(list(program.parameters())) == 0
value.grad = None
program(value).sum().backward()
assert value.grad is not None

# %% tags=["hide-input"]
# Where it ends
# -------------
# - The ``float8`` dtypes are floating point: such a tensor can require a gradient, and
#   gets one. A complex tensor can, too, whatever the error says.
# - ``module.type()`` does convert a whole module to integers, if it is frozen.
# - ``torch.jit.freeze`` keeps a parameter that ``preserved_attrs`` names, and it
#   trains.
small = torch.ones(2).to(torch.float8_e4m3fn).requires_grad_()
small.float().sum().backward()
assert small.grad.dtype == torch.float8_e4m3fn
assert torch.ones(2, dtype=torch.complex64).requires_grad_().requires_grad
frozen = torch.nn.Linear(2, 1).requires_grad_(False)
assert frozen.type(torch.int8).weight.dtype == torch.int8
program = torch.jit.freeze(module, preserved_attrs=["weight"])
program.weight.grad = None
program(value).sum().backward()
assert program.weight.grad is not None

# %%
# Quantise after training, or train through a fake quantisation. To freeze in order to
# train the rest, use ``requires_grad_(False)``, not ``torch.jit.freeze``. Sources:
# :torch:`torch.fake_quantize_per_tensor_affine`, :torch:`torch.jit.freeze`.
#
# Related: :doc:`/gallery/recipes/straight_through_and_vq`, :doc:`compile_trace_export`,
# :doc:`/gallery/recipes/lora_by_hand`.
