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
# Training runs, evaluation or ``generate()`` fails: Half but found Float
# -----------------------------------------------------------------------
# Put ``torch.autocast`` around ``generate()``, or give all one dtype. For training
# computes under ``autocast``, generating mostly does not. ``Accelerator``, and
# with it the ``Trainer``, puts ``autocast`` around ``forward()`` of the model that you
# gave it. ``PeftModel.generate()`` calls the model *inside*, past it, and a new process
# that loads the adapter has no ``autocast`` at all. Then what is in float32 (a head,
# norms, in old versions of peft the adapter) meets the half base. Any one of these:
#
# - ``torch.autocast`` and ``torch.no_grad()`` around this part only. Training stays as
#   it was; a second ``autocast`` around it is not needed.
# - After the training: ``model.half().eval()`` or ``model.bfloat16().eval()``, so that
#   all has one dtype. (A quantised model refuses ``half()``; ``PeftModel`` does not.)
# - ``merge_and_unload()``, then convert as well: merging converts no head and no norm.
#
# It is the same with the validation images of a diffusers script, ``Input type (float)
# and bias type (c10::Half) should be the same``: call the pipeline under ``autocast``
# (`diffusers 6259 <https://github.com/huggingface/diffusers/pull/6259>`__).
#
# Don't call ``half()`` while the adapter still trains:
# :doc:`trainable_parameters_in_fp16`.


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 4).half()  # the base
        self.head = torch.nn.Parameter(torch.ones(1, 4, 5))  # in float32: it trains

    def forward(self, x):
        return torch.bmm(self.layer(x), self.head)

    def generate(self, x):
        return self(x).argmax(-1)


prompt = torch.ones(1, 2, 4).half()
model = get_peft_model(Decoder(), LoraConfig(r=2, target_modules=["layer"]))
# As Accelerator does it.
model.forward = torch.autocast("cpu", torch.float16)(model.forward)
assert model(prompt).dtype == torch.float16
try:
    # Wrong: forward() of the model inside is called.
    model.generate(prompt)
except RuntimeError as error:
    message = str(error)
    print(message)
else:
    raise AssertionError("generate() ran under autocast")
assert message == "expected scalar type Half but found Float"
# Right: autocast around generate() alone, or one dtype.
with torch.no_grad(), torch.autocast("cpu", torch.float16):
    words = model.generate(prompt)
one_dtype = model.half().eval().generate(prompt)
print(words.shape, one_dtype.shape)
assert words.shape == one_dtype.shape == (1, 2)

# %%
# Float but found Half although ``fp16=True`` is set: several GPUs, DeepSpeed
# ---------------------------------------------------------------------------
# A script that was started with plain ``python`` and sees several GPUs: the ``Trainer``
# then wraps the model in ``nn.DataParallel`` (unless it is in 4 or 8 bits, or spread by
# ``device_map``) and does not prepare it with ``Accelerator``, so nothing runs under
# ``autocast``, whatever ``fp16`` and ``bf16`` say. Start one process for each GPU,
# ``torchrun --nproc_per_node=4 train.py`` or ``accelerate launch train.py``, or let it
# see one: ``CUDA_VISIBLE_DEVICES=0``. The fault is not in ``DataParallel``: an
# ``autocast`` of your own around the call reaches its threads.
#
# With DeepSpeed, ``Accelerator`` uses no ``autocast`` either (both read in the sources;
# DeepSpeed not run). Without ``torch_autocast`` in its configuration, DeepSpeed
# converts the model to the dtype given there, so convert nothing back to float32, or
# put ``torch.autocast`` around that part, inside ``forward()`` of the model.
#
# Does the model run under ``autocast``? With one GPU and with two, which a CPU has to
# pretend to have:
import tempfile

from transformers import PrinterCallback, Trainer, TrainingArguments


class Watched(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)

    def forward(self, x):
        active.append(torch.is_autocast_enabled("cpu"))
        return {"loss": self.net(x).square().mean()}


rows = [{"x": torch.ones(4)}] * 16
quiet = {"disable_tqdm": True, "save_strategy": "no", "logging_strategy": "no"}
under_autocast = {}
for count in (1, 2):
    active = []
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, use_cpu=True, bf16=True, max_steps=1, report_to=[], **quiet
        )
        arguments._n_gpu = count
        trainer = Trainer(Watched(), arguments, train_dataset=rows)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    under_autocast[type(trainer.model_wrapped).__name__] = active
print(under_autocast)
assert under_autocast == {"Watched": [True], "DataParallel": [False]}

# %%
# 4 or 8 bits, LLaVA: BFloat16 but found Float in a ``LayerNorm`` of the vision tower
# -----------------------------------------------------------------------------------
# ``prepare_model_for_kbit_training()`` converts every parameter in 16 bits that is not
# quantised to float32: norms, embeddings, ``lm_head``, and a vision tower (it leaves
# GPTQ, AQLM, EETQ and HQQ as they are). `LLaVA
# <https://github.com/haotian-liu/LLaVA/blob/main/llava/train/train.py>`__ does the same
# to each module with ``norm`` in its name, also in CLIP, after it has put the tower in
# bfloat16. Then features in 16 bits meet weights in float32, or the reverse. On a GPU,
# ``F.layer_norm`` says ``expected scalar type BFloat16 but found Float`` (`LLaVA 1712
# <https://github.com/haotian-liu/LLaVA/issues/1712>`__, not run; a CPU computes it, and
# refuses the reverse: ``mixed dtype (CPU): expect parameter to have scalar type of
# Float``); a half layer behind a norm in float32 says ``Float but found Half``.
#
# - Train under ``autocast`` (``fp16=True`` or ``bf16=True``), which joins both.
# - Or convert the frozen tower after the preparation, ``tower.to(torch.bfloat16)``, and
#   its input: ``pixel_values.to(tower.dtype)``. Leave the LoRA weights in float32.
# - With a base that is not quantised, leave the preparation out: float32 takes twice
#   the memory. A half base with LoRA is enough.
# - Weights that are quantised already (int4, int8, GPTQ) are not quantised again with
#   ``load_in_8bit`` or ``quantization_bit``.
from peft import prepare_model_for_kbit_training

tower = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4)).bfloat16()
language = torch.nn.Linear(4, 4).bfloat16()
prepare_model_for_kbit_training(torch.nn.ModuleList([tower, language]))
assert {p.dtype for p in tower.parameters()} == {torch.float32}
gptq = torch.nn.Linear(4, 4).bfloat16()
gptq.quantization_method = "gptq"
prepare_model_for_kbit_training(gptq, use_gradient_checkpointing=False)
assert gptq.weight.dtype == torch.bfloat16
pixels = torch.ones(2, 4).bfloat16()
try:
    # Wrong: pixels in bfloat16 for a tower in float32.
    tower(pixels)
except RuntimeError as error:
    message = str(error)
    print(message)
else:
    raise AssertionError("a bfloat16 input was accepted")
assert message == "mat1 and mat2 must have the same dtype, but got BFloat16 and Float"
# Right: autocast, or convert the frozen tower again.
with torch.autocast("cpu", torch.bfloat16):
    features = tower(pixels)
again = tower.bfloat16()(pixels)
print(features.dtype, again.dtype)
assert again.dtype == torch.bfloat16
try:
    # The same words on a CPU.
    torch.bmm(pixels[None], torch.ones(1, 4, 4))
except RuntimeError as error:
    message = str(error)
assert message == "expected scalar type BFloat16 but found Float"

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
# Half but found Float in ``backward()``: ``MatMul8bitLt``, LoRA with 8 bits
# --------------------------------------------------------------------------
# If the forward pass works, and ``backward()`` of ``MatMul8bitLt`` raises ``expected
# scalar type Half but found Float``, upgrade bitsandbytes to 0.45 or later.
#
# ``MatMul8bitLt`` is an ``autograd.Function``. The ``backward()`` of such a class runs
# outside ``autocast`` if ``loss.backward()`` is called outside, even if its forward ran
# inside. On GPUs without int8 tensor cores, such as V100, ``autocast`` makes its output
# float16, so the gradient arrives in float16. Versions 0.37 to 0.44 multiply it by a
# weight in float32, the dtype of the input; 0.45 converts it first. This was read in
# the source and not run; the error is in `issue 240
# <https://github.com/bitsandbytes-foundation/bitsandbytes/issues/240>`__. The input is
# in float32 because ``prepare_model_for_kbit_training()`` converts the norms. The
# warning ``inputs will be cast from torch.float32 to float16`` says no more than that.
#
# A class of your own has the same gap: convert the gradient, or put
# ``torch.amp.custom_fwd`` and ``torch.amp.custom_bwd`` around the two methods. A
# checkpoint needs nothing: it computes again under the ``autocast`` of its forward.
from torch.utils.checkpoint import checkpoint


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(weight)
        return torch.bmm(x, weight)

    @staticmethod
    def backward(ctx, grad):
        (weight,) = ctx.saved_tensors
        return torch.bmm(grad, weight.mT), None


class Right(Wrong):
    @staticmethod
    def backward(ctx, grad):
        (weight,) = ctx.saved_tensors
        return torch.bmm(grad.to(weight.dtype), weight.mT), None


class Decorated(torch.autograd.Function):
    forward = staticmethod(torch.amp.custom_fwd(Wrong.forward, device_type="cpu"))
    backward = staticmethod(torch.amp.custom_bwd(Wrong.backward, device_type="cpu"))


hidden, weight = torch.ones(1, 2, 4, requires_grad=True), torch.ones(1, 4, 4)
for function in (Wrong, Right, Decorated):
    with torch.autocast("cpu", torch.float16):
        output = function.apply(hidden, weight)
    assert output.dtype == torch.float16
    try:
        output.sum().backward()
    except RuntimeError as error:
        message = str(error)
        print(function.__name__, message)
        assert function is Wrong
    else:
        assert function is not Wrong
        assert hidden.grad.dtype == torch.float32
assert message == "expected scalar type Half but found Float"


def projection(x):
    active.append(torch.is_autocast_enabled("cpu"))
    return torch.bmm(x, weight)


active = []
for reentrant in (True, False):
    with torch.autocast("cpu", torch.float16):
        output = checkpoint(projection, hidden, use_reentrant=reentrant)
    output.sum().backward()
assert active == [True] * 4

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
