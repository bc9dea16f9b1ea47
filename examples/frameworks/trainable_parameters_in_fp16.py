"""
Attempting to unscale FP16 gradients: what trains must be in float32
====================================================================

With mixed precision in float16, only frozen parameters may be in float16. Convert what
is trainable to float32, and let ``autocast`` do the rest.
"""

# %%
import torch
from peft import LoraConfig, get_peft_model

scaler = torch.amp.GradScaler("cpu")
base = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)).half()
lora = LoraConfig(r=2, target_modules=["0"], modules_to_save=["1"])
# Wrong: the module in modules_to_save trains in the dtype of the base.
model = get_peft_model(base, lora)
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.SGD(trainable, lr=0.1)
scaler.scale(model(torch.ones(2, 4).half()).sum()).backward()
try:
    scaler.unscale_(optimizer)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("float16 gradients were unscaled")
# Right: convert what is trainable.
for p in trainable:
    p.grad, p.data = None, p.data.float()

# %%
# Now the same optimizer steps. ``autocast`` converts the float32 weights for each
# operation. The base stays in float16.
head = model.base_model.model[1].modules_to_save["default"]
before = head.bias.item()
scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
with torch.autocast("cpu", torch.float16):
    loss = model(torch.ones(2, 4)).sum()
scaler.scale(loss).backward()
scaler.unscale_(optimizer)
torch.nn.utils.clip_grad_norm_(trainable, 1.0)
scaler.step(optimizer)
scaler.update()
print(head.bias.item() != before, model.base_model.model[0].base_layer.weight.dtype)
assert head.bias.item() != before
assert {p.dtype for p in trainable} == {torch.float32}
assert {p.dtype for p in model.parameters()} == {torch.float16, torch.float32}

# %%
# Which parameters is it?
# -----------------------
# Print the dtype of what is trainable. In a model with adapters it is often
#
# - the modules in ``modules_to_save``, which keep the dtype of the base,
# - LoRA weights, if you have passed ``autocast_adapter_dtype=False`` or have called
#   ``half()`` on the model with adapters,
# - the base itself, if it was not frozen.


def dtypes(model):
    trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
    return {n.split(".")[-3]: str(p.dtype)[6:] for n, p in trainable.items()}


def adapted(**options):
    base = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)).half()
    return get_peft_model(base, lora, **options)


print(dtypes(adapted()))
assert dtypes(adapted()) == {
    "lora_A": "float32",
    "lora_B": "float32",
    "modules_to_save": "float16",
}
for model in (adapted(autocast_adapter_dtype=False), adapted().half()):
    assert set(dtypes(model).values()) == {"float16"}

# %%
# Why do scripts cast the UNet to fp16 only with LoRA (``if use_lora``)?
# ----------------------------------------------------------------------
# With LoRA, the UNet is frozen: its weights are only read, and half the bytes are
# enough, as for the VAE and a text encoder that does not train. Without
# LoRA, the UNet itself trains. Its weights have to stay in float32, because float16
# loses small updates and ``GradScaler`` refuses its gradients. ``autocast`` computes in
# 16 bits in both cases, so float32 weights cost memory, and the matrices of LoRA, which
# stay in float32, cost next to nothing. In ddpo-pytorch the dtype of what is frozen is
# called ``inference_dtype``, in the scripts of diffusers ``weight_dtype``.
#
# Bytes of weights, and whether one small step changes a weight:


def unet_step(dtype, *, use_lora):
    unet = torch.nn.Sequential(torch.nn.Linear(512, 512, bias=False)).to(dtype)
    torch.nn.init.ones_(unet[0].weight)
    if use_lora:
        unet = get_peft_model(unet, LoraConfig(r=2, target_modules=["0"]))
    size = sum(p.numel() * p.element_size() for p in unet.parameters())
    trained = [p for p in unet.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in trained]
    with torch.autocast("cpu", torch.float16):
        loss = unet(torch.ones(1, 512)).mean()
    loss.backward()
    torch.optim.SGD(trained, lr=1e-3).step()
    changed = any(not p.equal(old) for p, old in zip(trained, before, strict=True))
    return size // 1024, changed


unets = {
    "LoRA, UNet in float16": unet_step(torch.float16, use_lora=True),
    "no LoRA, UNet in float16": unet_step(torch.float16, use_lora=False),
    "no LoRA, UNet in float32": unet_step(torch.float32, use_lora=False),
}
for name, (size, changed) in unets.items():
    print(f"{name:25}{size:5} KiB {changed}")
assert [changed for _, changed in unets.values()] == [True, False, True]
sizes = [size for size, _ in unets.values()]
assert sizes[0] < 1.1 * sizes[1] < 0.6 * sizes[2]

# %%
# A checkpoint in float16 is loaded in float16
# --------------------------------------------
# ``from_pretrained()`` of transformers 5 takes the dtype from the checkpoint. If you
# train all of it, pass ``dtype=torch.float32``.
import tempfile

from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
config = LlamaConfig(vocab_size=31, num_hidden_layers=1, **small)
with tempfile.TemporaryDirectory() as folder:
    LlamaForCausalLM(config).half().save_pretrained(folder)
    loaded = LlamaForCausalLM.from_pretrained(folder)
    converted = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
print(loaded.dtype, converted.dtype)
assert (loaded.dtype, converted.dtype) == (torch.float16, torch.float32)

# %%
# With the Trainer
# ----------------
# ``fp16=True`` unscales the gradients to clip them, which it does by default. On a CPU
# the ``Trainer`` has no scaler, so the error can't come there, and the weights are
# trained in float16. On a GPU it comes: `peft about this error
# <https://huggingface.co/docs/peft/developer_guides/troubleshooting>`__ (not run here).
from transformers import PrinterCallback, Trainer, TrainingArguments

quiet = {"disable_tqdm": True, "save_strategy": "no", "logging_strategy": "no"}
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(folder, use_cpu=True, fp16=True, max_steps=1, **quiet)
    x = torch.arange(3, 11)
    data = [{"input_ids": x, "labels": x}] * 8
    trainer = Trainer(loaded, arguments, train_dataset=data)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
print(arguments.max_grad_norm, trainer.accelerator.scaler, loaded.dtype)
assert arguments.max_grad_norm == 1.0
assert trainer.accelerator.scaler is None
assert loaded.dtype == torch.float16

# %%
# The loss becomes 0 and grad_norm is nan
# ---------------------------------------
# The loss is nan. The ``Trainer`` leaves a nan out of the average that it logs, so it
# shows 0.0. With ``logging_nan_inf_filter=False`` you see the nan. The causes:
#
# - float16 overflowed above 65504, in the model or in its backward pass. Train with
#   ``bf16=True``, or set what is trainable to float32, as above.
# - All labels of a batch are ``-100``, for example because the prompt is cut at the
#   maximum length: the mean over no token is nan, and its gradient is 0. Leave such
#   samples out.
# - The weights hold a nan, from a step before: they never recover. Begin with clean
#   weights.
#
# With a ``GradScaler``, a nan or inf in ``grad_norm`` is normal in a few steps, above
# all the first: it leaves them out and lowers its scale. To find the operation:
# :doc:`/reference/errors/returned_nan_values_in_its_0th_output`.


def logged(model, labels, *, nan_filter):
    loud = quiet | {"logging_strategy": "steps", "logging_steps": 1, "report_to": []}
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            use_cpu=True,
            max_steps=1,
            logging_nan_inf_filter=nan_filter,
            **loud,
        )
        data = [{"input_ids": x, "labels": labels}] * 8
        trainer = Trainer(model, arguments, train_dataset=data)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    (first, *_) = trainer.state.log_history
    return first["loss"], first["grad_norm"]


broken = LlamaForCausalLM(config)
with torch.no_grad():
    broken.lm_head.weight[0, 0] = float("nan")
masked = torch.full_like(x, -100)
cases = (LlamaForCausalLM(config), masked), (broken, x)
for model, labels in cases:
    shown = logged(model, labels, nan_filter=True)
    real = logged(model, labels, nan_filter=False)
    print(shown, real)
    assert shown[0] == 0.0
    assert real[0] != real[0]
print((torch.tensor(300.0).half() ** 2).item())
assert (torch.tensor(300.0).half() ** 2).isinf()

# %%
# int8 LoRA: the loss of the first step is very large, and then it is 0
# ---------------------------------------------------------------------
# ``load_in_8bit`` with bitsandbytes computes its products in float16, also with
# ``bf16=True``: ``MatMul8bitLt: inputs will be cast from torch.bfloat16 to float16
# during quantization`` (`LlamaFactory 2132
# <https://github.com/hiyouga/LlamaFactory/issues/2132>`__, read, not run). The values
# of a model that was trained in bfloat16 need not fit: what is near 65504 gives a huge
# loss, what is above gives inf and nan, and the ``Trainer`` logs a nan as 0. Load it in
# bfloat16 or in 4 bits with ``bnb_4bit_compute_dtype=torch.bfloat16``, keep the LoRA
# weights in float32, and start again from clean weights. Without a nan, a large first
# loss is a wrong template or labels, or the quantisation has broken the model: compute
# the loss without training.
#
# The same scores in both dtypes, growing from step to step:
for size in (2e4, 6e4, 7e4):
    scores = torch.tensor([[size, 0.0, -size]])
    found = []
    for dtype in (torch.float16, torch.bfloat16):
        rounded = scores.to(dtype).float()
        loss = torch.nn.functional.cross_entropy(rounded, torch.tensor([1]))
        found.append(loss.item())
    print(f"{size:.0f}:", *found)
    assert (found[0] != found[0]) == (size > 65504)
    assert abs(found[1] / size - 1) < 0.01

# %%
# OVERFLOW! Skipping step. Attempted loss scale: 65536, reducing to 32768
# -----------------------------------------------------------------------
# A few of these lines are normal. In float16, DeepSpeed, apex (``Gradient overflow.
# Skipping step, loss scaler 0 reducing loss scale``) and ``GradScaler`` begin with a
# scale that is too large, leave out each step whose gradients overflow, and halve the
# scale, until it fits. In a skipped step nothing is trained. In DeepSpeed and in the
# ``Trainer`` the scheduler waits, too: ``tried to get lr value before
# scheduler/optimizer started stepping, returning lr=0`` belongs to it.
#
# If the lines don't end, up to ``Current loss scale already at minimum - cannot
# decrease scale anymore``, the scale is not the cause: the model gives nan or inf
# without it. The usual reasons are a model that was trained in bfloat16, such as T5 and
# most newer language models, whose values need not fit into float16, weights that hold
# a nan, or a rate that is too large. Use ``bf16`` instead of ``fp16`` if the GPU can,
# in the ``Trainer`` *and* in the configuration of DeepSpeed. A smaller
# ``initial_scale_power`` only shortens the list. The texts of DeepSpeed and apex were
# read, not run; here is the same with ``GradScaler``.


def scales(loss_of, steps=4):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1e-4)
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        before = weight.item()
        scaler.scale(loss_of(weight.half())).backward()
        scaler.step(optimizer)
        scaler.update()
        found.append((int(scaler.get_scale()), weight.item() != before))
    return found


normal = scales(lambda weight: (4 * weight).float().sum())
endless = scales(lambda weight: (300 * weight).square().float().sum())
print(normal, endless, sep="\n")
assert [stepped for _, stepped in normal] == [False, False, False, True]
assert [scale for scale, _ in endless] == [32768, 16384, 8192, 4096]
assert not any(stepped for _, stepped in endless)

# %%
# The vision encoder is unfrozen, and the loss becomes nan in full training
# -------------------------------------------------------------------------
# Frozen, an encoder (ViT, CLIP, SigLIP) may be in float16. As soon as it trains, it may
# not, and a smaller rate does not help: see the next section. In this order:
#
# - Print the dtype of what trains. Convert the encoder to float32 *before* the
#   optimizer is made; load it with ``dtype=torch.float32``.
# - Compute in ``autocast`` with bfloat16 if the GPU can. With float16 use a
#   ``GradScaler``, and ``unscale_()`` before clipping: otherwise the scaled gradients
#   are clipped. With SGD the steps are then tiny; AdamW divides by the size, which
#   hides it.
# - Give the encoder a group of its own with a smaller rate, such as a tenth of that of
#   the projector, and a warm-up.
# - Still nan: find the first module whose output is not finite, with hooks as below. If
#   all outputs are finite, it is the backward pass:
#   :doc:`/reference/errors/returned_nan_values_in_its_0th_output`. A nan that comes
#   suddenly after many good steps can be one batch, such as labels that are all
#   ``-100``: compute its loss again without training.
#
# Below, the features of a ViT overflow float16 in its second layer:


class Scaled(torch.nn.Module):
    def forward(self, x):
        return x * 300


def first_not_finite(model, x):
    names = []

    def check(name):
        def hook(module, args, output):
            outputs = output if isinstance(output, tuple) else (output,)
            tensors = [one for one in outputs if torch.is_tensor(one)]
            if not all(tensor.isfinite().all() for tensor in tensors):
                names.append(name)

        return hook

    hooks = [m.register_forward_hook(check(n)) for n, m in model.named_modules() if n]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return names[0] if names else None


vit = torch.nn.Sequential(Scaled(), Scaled(), torch.nn.LayerNorm(4))
pixels = torch.ones(1, 4)
culprit = first_not_finite(vit.half(), pixels.half())
print(culprit, first_not_finite(vit.float(), pixels))
assert culprit == "1"
assert first_not_finite(vit, pixels) is None

encoder, projector = torch.nn.Linear(4, 4).half(), torch.nn.Linear(4, 1)
encoder.float()
groups = [
    {"params": encoder.parameters(), "lr": 1e-5},
    {"params": projector.parameters(), "lr": 1e-4},
]
optimizer = torch.optim.AdamW(groups)
warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10)
scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
before = encoder.weight.detach().clone()
with torch.autocast("cpu", torch.float16):
    loss = projector(encoder(pixels)).square().mean()
scaler.scale(loss).backward()
scaler.unscale_(optimizer)
torch.nn.utils.clip_grad_norm_([*encoder.parameters(), *projector.parameters()], 1.0)
scaler.step(optimizer)
scaler.update()
warm_up.step()
assert encoder.weight.isfinite().all()
assert not encoder.weight.equal(before)
sizes = {}
for kind in (torch.optim.SGD, torch.optim.AdamW):
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer, scaler = kind([weight], lr=0.1), torch.amp.GradScaler("cpu")
    scaler.scale(weight.square().sum()).backward()
    # Wrong: without unscale_().
    torch.nn.utils.clip_grad_norm_([weight], 1.0)
    scaler.step(optimizer)
    sizes[kind.__name__] = (weight - 1).abs().max().item()
assert sizes["SGD"] < 1e-5
assert sizes["AdamW"] > 0.09

# %%
# A layer unfrozen in a model in half() becomes nan
# -------------------------------------------------
# After ``model.half()``, a layer that you unfreeze trains in pure float16. There the
# ``eps=1e-8`` of Adam is 0, and so is the average of the squares for a gradient below
# 0.005: a gradient of 0 gives 0/0, which is nan, a small one gives inf. ``fused=True``,
# the default of the ``Trainer``, computes in float32, and a step that is small beside
# the weight is rounded away, as in bfloat16. Autocast does not help, since it leaves
# the dtype of the weights as it is. Convert the layers that train to float32.
#
# So scripts for P-tuning convert the prefix encoder with ``float()``, and only that
# (`ChatGLM-6B <https://github.com/zai-org/ChatGLM-6B/blob/main/ptuning/main.py>`__; to
# fine-tune all, they convert the whole model). If you train another layer in place of
# the prefix encoder, convert that one.


def stepped(dtype, gradient, **options):
    weight = torch.nn.Parameter(torch.ones(1, dtype=dtype))
    weight.grad = torch.full_like(weight, gradient)
    torch.optim.AdamW([weight], lr=1e-4, weight_decay=0, **options).step()
    return weight.item()


ways = {
    "float16": (torch.float16, {}),
    "float16, foreach": (torch.float16, {"foreach": True}),
    "float16, fused": (torch.float16, {"fused": True}),
    "bfloat16": (torch.bfloat16, {}),
    "float32": (torch.float32, {}),
}
found = {
    name: [stepped(dtype, gradient, **options) for gradient in (0.0, 1e-3, 1e-2)]
    for name, (dtype, options) in ways.items()
}
for name, weights in found.items():
    print(f"{name:17}", [round(weight, 5) for weight in weights])
for name in ("float16", "float16, foreach"):
    assert str(found[name]) == "[nan, -inf, 1.0]"
assert found["float16, fused"] == found["bfloat16"] == [1, 1, 1]
assert found["float32"][0] == 1
assert all(0.9998 < weight < 1 for weight in found["float32"][1:])
assert torch.tensor(1e-8).half() == 0
assert arguments.optim == "adamw_torch_fused"

layer = torch.nn.Linear(2, 2).half()
optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-4)
with torch.autocast("cpu", torch.float16):
    layer(torch.tensor([[1.0, 0.0]])).mean().backward()
optimizer.step()
print(layer.weight.dtype, layer.weight.isnan().any().item())
assert layer.weight.isnan().any()

# %%
# LoRA: the loss is nan with Adam or AdamW, and not with Lion or SGD
# ------------------------------------------------------------------
# Then the LoRA weights are in float16: print their dtype. Adam divides by the root of
# the average of the squares, which is 0 in float16 for small gradients, plus ``eps``,
# and 1e-8 is 0, too. Lion takes the sign of its average and SGD the gradient: they
# divide by nothing. So it is not the rate. Convert the LoRA weights to float32 before
# you make the optimizer, and train with autocast and a ``GradScaler``, as in the first
# cell. The frozen base may stay in float16. Or load everything in bfloat16. peft
# converts float16 adapters by itself, except with ``autocast_adapter_dtype=False``, or
# if ``half()`` comes later.
#
# A larger ``eps`` (``adam_epsilon=1e-4``) is a stopgap: the nan is gone, but the
# average is still 0, so the step is the rate times the gradient divided by ``eps``,
# here ten times the rate. If it is nan with Lion and SGD, too, a value overflowed in
# the forward or the backward pass. The steps of an element of ``lora_B``, in units of
# the rate, for gradients of 0 and 0.001:


def first_step(dtype, gradient, way):
    weight = torch.nn.Parameter(torch.zeros(1, dtype=dtype))
    weight.grad = torch.full_like(weight, gradient)
    if way == "Lion":  # the first step: the sign of the gradient
        weight.data -= 1e-4 * weight.grad.sign()
    else:
        torch.optim.AdamW([weight], lr=1e-4, eps=way).step()
    return round(-weight.item() / 1e-4, 1) + 0.0


rows = {
    "float16, AdamW, eps=1e-8": (torch.float16, 1e-8),
    "float16, AdamW, eps=1e-4": (torch.float16, 1e-4),
    "float16, Lion": (torch.float16, "Lion"),
    "float32, AdamW, eps=1e-8": (torch.float32, 1e-8),
}
sizes = {
    name: [first_step(dtype, gradient, way) for gradient in (0.0, 1e-3)]
    for name, (dtype, way) in rows.items()
}
for name, size in sizes.items():
    print(f"{name:25}", *size)
assert str(sizes["float16, AdamW, eps=1e-8"]) == "[nan, inf]"
assert sizes["float16, AdamW, eps=1e-4"] == [0, 10]
assert sizes["float16, Lion"] == sizes["float32, AdamW, eps=1e-8"] == [0, 1]

# %%
# kohya sd-scripts: avr_loss=nan, NaN found in latents, the LoRA gives black images
# ---------------------------------------------------------------------------------
# One step with a nan makes every weight of the LoRA nan, unless a scaler leaves it out.
# If the loss stays nan, the file is useless, also what is saved later: stop, and begin
# with clean weights. Where does the nan come from?
#
# - ``NaN found in latents, replacing with zeros``: the VAE of SDXL overflows in
#   float16. The loss is a number then, but the network learns from zeros in place of
#   images. Pass ``--no_half_vae``, and delete the latents that were cached on the disk
#   before.
# - ``--full_fp16``, or a base in float16 that is trained without LoRA: train in
#   ``--mixed_precision bf16``, or in ``fp16`` with weights in float32.
# - It begins after some hundred steps: mostly the rate is too large. Take a tenth, and
#   for the text encoder even less.
#
# Look before the optimizer does (the options were read in `sd-scripts
# <https://github.com/kohya-ss/sd-scripts/blob/main/train_network.py>`__, not run).


def after_two_steps(*, check):
    torch.manual_seed(0)
    adapter = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(adapter.parameters())
    for latents in (torch.tensor([[float("nan"), 1.0]]), torch.ones(1, 2)):
        optimizer.zero_grad()
        loss = adapter(latents).square().mean()
        if check and not loss.isfinite():
            continue
        loss.backward()
        optimizer.step()
    return adapter.weight.isfinite().all().item()


print(after_two_steps(check=False), after_two_steps(check=True))
assert not after_two_steps(check=False)
assert after_two_steps(check=True)

# %%
# The weights are float16: does clipping help, and why is the saved file twice as large?
# --------------------------------------------------------------------------------------
# Clipping does not repair float16. If one gradient is inf, its norm is inf, and
# ``clip_grad_norm_()`` makes it nan and all others 0; if one is nan, all become nan. A
# gradient below 3e-8 is 0 before it can be clipped. Convert what trains to float32 and
# use ``autocast`` with a ``GradScaler``, as above, or train in bfloat16.
#
# The file doubles, since ``state_dict()`` has the dtype of the weights. Save a copy in
# float16: ``half()`` for each tensor, not for the model, which would convert the
# weights that still train. With LoRA, the base stays in float16, and only the small
# matrices are in float32.
import io


def saved_bytes(state):
    file = io.BytesIO()
    torch.save(state, file)
    return file.tell()


whole = torch.nn.Linear(100, 100).half()
before = saved_bytes(whole.state_dict())
whole.float()
doubled = saved_bytes(whole.state_dict())
halves = {
    name: weight.half() if weight.is_floating_point() else weight
    for name, weight in whole.state_dict().items()
}
print(f"{doubled / before:.1f} {saved_bytes(halves) / before:.1f}", whole.weight.dtype)
assert doubled > 1.8 * before
assert saved_bytes(halves) < 1.1 * before
assert whole.weight.dtype == torch.float32
for value, expected in (("inf", "[nan, 0.0]"), ("nan", "[nan, nan]")):
    weight = torch.nn.Parameter(torch.ones(2).half())
    weight.grad = torch.tensor([float(value), 1.0]).half()
    torch.nn.utils.clip_grad_norm_([weight], 1.0)
    print(value, weight.grad.tolist())
    assert str(weight.grad.tolist()) == expected
assert torch.tensor(2.9e-8).half() == 0 != torch.tensor(3.1e-8).half()

# %%
# Where it ends
# -------------
# - With ``fused=True`` and without ``unscale_()``, ``scaler.step()`` raises no error,
#   and the weights are trained in float16.
# - Gradients in bfloat16 are unscaled without an error. Small updates are still rounded
#   away: :doc:`dtype_of_base_and_adapter`.
# - ``GradScaler(enabled=False)`` raises no error, and does not scale.
for dtype, enabled, fused in (
    (torch.float16, True, True),
    (torch.bfloat16, True, False),
    (torch.float16, False, False),
):
    layer = torch.nn.Linear(4, 1).to(dtype)
    before = layer.bias.item()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", enabled=enabled, init_scale=128.0)
    scaler.scale(layer(torch.ones(2, 4, dtype=dtype)).sum()).backward()
    if not fused:
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert layer.bias.item() != before
    assert layer.bias.dtype == dtype

# %%
# Related: :doc:`dtype_of_base_and_adapter`, :doc:`modules_to_save`,
# :doc:`/gallery/beyond/mixed_precision`,
# :doc:`/reference/errors/attempting_to_unscale_fp16_gradients`.
