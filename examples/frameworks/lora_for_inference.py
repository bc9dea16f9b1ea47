"""
Merging LoRA is optional: base plus adapter gives the same output
=================================================================

Load the base of the training, the adapter, and call ``eval()``. ``merge_and_unload()``
gives the same up to rounding, and what 16 bits round away can be large beside a small
adapter. Also here: no effect, random effects, and a file of half the size.
"""

# %%
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model


def base():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 3))


folder, x = tempfile.TemporaryDirectory(), torch.linspace(-1, 1, 8)[None]
lora = LoraConfig(r=2, target_modules=["0"], lora_dropout=0.5)
model = get_peft_model(base(), lora)
torch.nn.init.ones_(model.base_model.model[0].lora_B["default"].weight)  # "trained"
model.save_pretrained(folder.name)
# Wrong: a new adapter, which changes nothing.
new = get_peft_model(base(), lora).eval()
# Right: the trained adapter beside the base, or merged into it.
beside = PeftModel.from_pretrained(base(), folder.name).eval()
merged = PeftModel.from_pretrained(base(), folder.name).merge_and_unload().eval()
for one in (base(), new, beside, merged):
    print([round(value, 3) for value in one(x)[0].tolist()])

# %%
# Do I have to merge LoRA after fine-tuning? What does inference need?
# --------------------------------------------------------------------
# No. Unmerged, each adapted layer computes two small products more. Merged, the model
# is as fast as its base, needs no peft, and loads where adapters can't be loaded. Keep
# the adapter apart if the base is in 4 bits, if several adapters share it, or if you
# train on. All of these have to be loaded:
#
# - The base of the training, the same version. After a second stage on a merged model,
#   that is the merged one (:doc:`several_stages_with_lora`).
# - The adapter.
# - What trained beside it: a new head, new tokens. ``modules_to_save`` puts it into the
#   file of the adapter. What you unfroze by hand is in no such file
#   (:doc:`modules_to_save`).
#
# ``disable_adapter()`` shows what the adapter adds.
assert new(x).equal(base()(x))
assert beside(x).allclose(merged(x), atol=1e-6)
assert not beside(x).allclose(new(x), atol=1e-3)
with torch.no_grad(), beside.disable_adapter():
    plain = beside(x)
print((beside(x) - plain).abs().max().item() > 1e-3, plain.equal(base()(x)))
assert plain.equal(base()(x))

# %%
# ``Cannot merge LORA layers when the model is gptq quantized``: GPTQ, AWQ, int4
# ------------------------------------------------------------------------------
# Leave the adapter beside the base, or merge it into the original model. The adapter is
# all right: it is a difference in floating point, and the weights of such a base are
# integers, mostly of 4 bits, several packed into one, to which it can't be added. peft
# refuses GPTQ, and its layers for AWQ don't implement ``merge()``. LLaMA-Factory says
# ``Cannot merge adapters to a quantized model.`` for every quantised base. Either:
#
# - *Don't merge.* Load the quantised base and the adapter with
#   ``PeftModel.from_pretrained()``, as in the training. A script from which you delete
#   the line with ``merge_and_unload()`` does just that, and vLLM serves an adapter with
#   ``--enable-lora --lora-modules``.
# - *Merge into the original* in float16 or bfloat16: load it without any quantisation
#   (in LLaMA-Factory without ``quantization_bit``), on a CPU if the GPU is too small
#   (``export_device: cpu``), then the same adapter, and ``merge_and_unload()``. The
#   outputs are not those that you tested; the section about ``load_in_4bit`` below
#   shows how much they differ, and a closer way for bitsandbytes.
#
# If it has to be in 4 bits and merged, quantise the merged model in a second run (in
# LLaMA-Factory with ``export_quantization_bit`` and without the adapter, otherwise it
# says ``Please merge adapters before quantizing the model.``). GPTQ and AWQ need
# calibration data: some hundred samples like those of the fine-tuning, in the template
# of the chat; LLaMA-Factory takes 128. Test exactly this result.
#
# *Size mismatch, or modules that don't fit, when merging into the original*: the GPTQ
# file can have other shapes, such as a padded ``intermediate_size`` (`LlamaFactory 5577
# <https://github.com/hiyouga/LlamaFactory/issues/5577>`__). For the next training take
# the original, and quantise while loading: ``quantization_bit: 4`` or ``load_in_4bit``;
# or train LoRA on the bfloat16 model, if it fits. (Options and messages of
# LLaMA-Factory and vLLM were read, not run.) The check, with the name that transformers
# gives to such a model, and eight weights in one integer:
quantised = base()
quantised.quantization_method = "gptq"
adapter = PeftModel.from_pretrained(quantised, folder.name)
try:
    adapter.merge_and_unload()
except ValueError as error:
    message = str(error)
    print(message)
else:
    raise AssertionError("an adapter was merged into GPTQ")
assert message == "Cannot merge LORA layers when the model is gptq quantized"

codes = torch.randint(0, 16, (8, 8))  # 64 weights of 4 bits
packed = (codes << 4 * torch.arange(8)).sum(dim=1)
delta = adapter.base_model.model[0].get_delta_weight("default")
print(packed.shape, packed.dtype, delta.shape, delta.dtype)
assert torch.equal(packed[:, None] >> 4 * torch.arange(8) & 15, codes)
assert packed.shape != delta.shape
# Right: the adapter stays beside its base, or goes into the original.
assert torch.allclose(adapter.eval()(x), beside(x))
assert torch.allclose(merged(x), beside(x), atol=1e-6)

# %%
# Base plus LoRA and the merged model differ: float16 or bfloat16
# ---------------------------------------------------------------
# Greedy decoding does not help: two words of nearly the same probability change places
# and the rest of the text follows. A merged weight is rounded to the dtype of the base,
# with 8 bits of precision in bfloat16 and 11 in float16, and a small adapter is mostly
# below that. Beside the base, the adapter is not rounded, but each output is. So
# neither is exact. Compare logits in ``eval()``, not texts, and with the same
# tokenizer: save it beside the merged model.
#
# To lose nothing, load the base with ``dtype=torch.float32``, merge, and save and use
# the model in float32. Converting it to 16 bits afterwards gives the same bytes as
# merging in 16 bits. If you need 16 bits, keep the adapter apart, or test the merged
# model itself. The errors, relative to what the adapter adds:
import copy


def difference(one, other):
    return (one.double() - other.double()).norm().item()


torch.manual_seed(0)
wide = torch.nn.Sequential(torch.nn.Linear(256, 256, bias=False)).bfloat16()
inputs = torch.randn(32, 256).bfloat16()
adapted = get_peft_model(wide, LoraConfig(r=4, target_modules=["0"])).eval()
torch.nn.init.normal_(adapted.base_model.model[0].lora_B["default"].weight, std=2e-3)
with torch.no_grad():
    exact_model = copy.deepcopy(adapted).double()
    exact = exact_model(inputs.double())
    with exact_model.disable_adapter():
        added = difference(exact, exact_model(inputs.double()))
    errors = {"beside, bfloat16": difference(adapted(inputs), exact) / added}
    in_16 = copy.deepcopy(adapted).merge_and_unload()
    errors["merged, bfloat16"] = difference(in_16(inputs), exact) / added
    in_32 = copy.deepcopy(adapted).float().merge_and_unload()
    errors["merged, float32"] = difference(in_32(inputs.float()), exact) / added
for way, error in errors.items():
    print(f"{way:18}{error:.4f}")
assert errors["merged, float32"] < 1e-3
assert 0.05 < errors["beside, bfloat16"] < 2
assert 0.05 < errors["merged, bfloat16"] < 2
assert in_32.bfloat16()[0].weight.equal(in_16[0].weight)

# %%
# Base plus LoRA and the merged model differ: ``load_in_4bit`` (QLoRA)
# --------------------------------------------------------------------
# If the outputs differ from run to run as well, that is sampling or dropout: set
# ``do_sample=False`` and call ``eval()`` before you compare.
#
# An adapter that was trained on a base in 4 bits corrects the rounded weights. Merged
# into the original 16-bit weights it meets others, and if the sum is loaded with
# ``load_in_4bit`` again, it is rounded anew, and most of a small adapter is lost.
# Neither is the model that you tested. So:
#
# - Keep the adapter beside the base in 4 bits, as in the training, or
# - merge into the *dequantised* base: load it with ``load_in_4bit``, call
#   ``dequantize()``, then load the adapter and merge. It has 16 bits per weight, and
#   nearly the outputs that you tested, or
# - merge into the original and test this model, or
# - quantise the merged model, and use it only if a test of exactly this model is good
#   enough.
#
# ``merge_and_unload()`` on a base in 4 or 8 bits rounds, too: ``Merge lora module to
# 4-bit linear may get different generations due to rounding errors``. (Old versions of
# peft refused: ``Cannot merge LORA layers when the model is loaded in 8-bit mode``.)
# Run apart from this page, with bitsandbytes 0.50.2 and a small Llama in float32, in 4
# bits: the difference of the logits, in units of what the adapter adds, was 0.03 with
# the dequantised base, 1.2 with the original, and 1.0 merged in place.
#
# Here, a function that rounds to 15 values stands for bitsandbytes. The first lines:
# the difference from the tested weights, in units of a small adapter. The last line:
# the share of weights whose 4 bits are the same as without an adapter:


def in_4_bits(weight, step):
    return (weight / step).round() * step


weight, delta = torch.randn(64, 64), torch.randn(64, 64) * 1e-2
step = weight.abs().max() / 7
tested = in_4_bits(weight, step) + delta  # the adapter beside the base in 4 bits
merged_in_4_bits = in_4_bits(weight + delta, step)
ways = {
    "dequantised, merged": in_4_bits(weight, step) + delta,
    "original, merged": weight + delta,
    "merged, in 4 bits": merged_in_4_bits,
}
for name, other in ways.items():
    error = (other - tested).norm() / delta.norm()
    print(f"{name:20}{error:.1f}")
    assert (error > 0.9) == (name != "dequantised, merged")
lost = (merged_in_4_bits == in_4_bits(weight, step)).float().mean().item()
print(f"{lost:.0%}")
assert lost > 0.9

# %%
# ``is_trainable=True``: the predictions change at random, or are those of the base
# ---------------------------------------------------------------------------------
# Call ``eval()`` before you predict, and ``train()`` before you train on.
# ``is_trainable=True`` leaves the model in training mode, so ``lora_dropout`` is on:
# each call drops other inputs of the adapter. If it drops all that are not zero, the
# output is exactly that of the base. This happens in narrow layers or with a large
# ``lora_dropout``; in wide ones, the output is another one in each call. Dropout of the
# base is on, too. ``requires_grad`` has nothing to do with it: a model that was loaded
# frozen and got ``train()`` does the same.
#
# In 200 calls: how many outputs are those of the base, and how many are different.
narrow = LoraConfig(r=2, target_modules=["1"], lora_dropout=0.7)
small = get_peft_model(base(), narrow)
torch.nn.init.ones_(small.base_model.model[1].lora_B["default"].weight)
with tempfile.TemporaryDirectory() as other:
    small.save_pretrained(other)
    loaded = PeftModel.from_pretrained(base(), other, is_trainable=True)
for mode in ("train", "eval"):
    # Wrong: in the mode after loading. Right: in eval().
    loaded.train(mode == "train")
    with torch.no_grad():
        outputs = [loaded(x) for _ in range(200)]
    of_base = sum(output.equal(base()(x)) for output in outputs)
    print(f"{mode:7}{of_base:3}{len({tuple(o[0].tolist()) for o in outputs}):4}")
    assert (of_base > 0) == (mode == "train")
assert all(output.equal(outputs[0]) for output in outputs)

# %%
# No effect after ``PeftModel.from_pretrained()`` and ``merge_and_unload()``
# --------------------------------------------------------------------------
# First see what is loaded:
#
# - Every ``lora_B`` is zero, or peft warned of *missing adapter keys*: the weights are
#   not there. The file is empty (ZeRO-3), has other names, belongs to another base, or
#   nothing was trained. Each cause: :doc:`adapter_is_loaded_frozen`.
# - ``lora_B`` is not zero, and the logits are those of ``disable_adapter()``: the
#   adapter is switched off, or a layer that it changes is not used.
#
# If the logits differ, the adapter works, and the training was too weak, or you ask
# another question than in the training:
#
# - *The prompt*: the same chat template and system prompt as in the training. Try a
#   sample of the training data. If its loss is that of the base, go on below.
# - *The learning rate and the number of steps*: LoRA often needs about ten times the
#   rate of full fine-tuning (:doc:`lora_freeze_or_a_prompt`). Count optimizer steps,
#   that is batches divided by ``gradient_accumulation_steps``.
# - *The labels*: those that are ``-100`` teach nothing. If the prompt fills the maximum
#   length, all are.
# - *The dtype*: a base in 16 bits can round a small adapter away, as above.
#
# Merged or not makes no difference in any of these. Below: the norm of what the adapter
# adds to the weight, relative to the weight, and the change of the logits.


def effect(model):
    layer = model.base_model.model[0]
    delta = layer.get_delta_weight("default").norm() / layer.weight.norm()
    with torch.no_grad():
        on = model.eval()(x)
        with model.disable_adapter():
            off = model(x)
    return delta.item(), (on - off).abs().max().item()


def tuned(rate, steps, labels):
    model = get_peft_model(base(), LoraConfig(r=2, target_modules=["0"])).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0)
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(x), labels, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return effect(model)


right, masked = torch.tensor([1]), torch.tensor([-100])
cases = {
    "a rate of 1e-3": (1e-3, 30, right),
    "a rate of 1e-5": (1e-5, 30, right),
    "one step": (1e-3, 1, right),
    "all labels -100": (1e-3, 30, masked),
}
effects = {name: tuned(*case) for name, case in cases.items()}
for name, sizes in effects.items():
    print(f"{name:17}{sizes[0]:8.4f}{sizes[1]:8.4f}")
assert effects["a rate of 1e-3"][1] > 0.1
assert 0 < effects["a rate of 1e-5"][1] < 1e-2
assert 0 < effects["one step"][1] < effects["a rate of 1e-3"][1] / 10
assert effects["all labels -100"] == (0, 0)
assert effect(beside)[0] > 0.01
assert effect(new)[0] == 0

# %%
# ``probability tensor contains either inf, nan or element < 0`` after merging LoRA
# ---------------------------------------------------------------------------------
# ``generate()`` samples from nan. Look for it from the back:
#
# - *The adapter file*: one step with nan has made it useless. Count its tensors that
#   are not finite, take an earlier checkpoint, and see why the training broke:
#   :doc:`trainable_parameters_in_fp16`.
# - *The merged weights*: ``merge_and_unload(safe_merge=True)`` refuses a sum that is
#   not finite, in float16 also one above 65504. Merge in float32 or bfloat16 then.
# - *Neither*: the model overflows in float16. If it was trained in bfloat16, load it
#   with ``dtype=torch.bfloat16``, and do the same without the adapter, to see whether
#   the base alone has it: :doc:`/reference/errors/but_found_invalid_values`.
for dtype in (torch.float16, torch.float32):
    large = get_peft_model(base().to(dtype), LoraConfig(r=2, target_modules=["0"]))
    layer = large.base_model.model[0]
    torch.nn.init.constant_(layer.lora_A["default"].weight, 3)
    torch.nn.init.constant_(layer.lora_B["default"].weight, 3e4)
    adapter_is_finite = all(p.isfinite().all() for p in large.parameters())
    try:
        large.merge_and_unload(safe_merge=True)
        message = "merged"
    except ValueError as error:
        message = str(error)
    print(adapter_is_finite, message)
    assert adapter_is_finite
    assert message.startswith("NaNs detected") == (dtype == torch.float16)

# %%
# Several LoRA adapters at inference: switch, add, or merge with weights
# ----------------------------------------------------------------------
# ``load_adapter(path, adapter_name=...)`` puts a second one beside the first, and
# ``set_adapter("name")`` switches. To add both, activate both on the model inside, with
# a list. ``merge_and_unload(adapter_names=[...])`` merges the sum into the base, and
# ``add_weighted_adapter(..., combination_type="cat")`` makes one adapter of it, with
# weights if you like. ``"linear"`` adds the matrices A and B each for itself, which is
# not the sum. All of them need the base of their training: a second stage that was
# trained on a merged model adds only to that model.
several = get_peft_model(base(), LoraConfig(r=2, target_modules=["0"]), "one")
several.add_adapter("two", LoraConfig(r=2, target_modules=["0"]))
for name, p in several.named_parameters():
    if ".lora_B." in name:
        torch.nn.init.constant_(p, 1.0 if ".one." in name else 0.5)
several.eval()
added = {}
for name in ("one", "two"):
    several.set_adapter(name)
    added[name] = several(x) - base()(x)
# Right: both are active.
several.base_model.set_adapter(["one", "two"])
both = several(x)
assert torch.allclose(both, base()(x) + added["one"] + added["two"], atol=1e-5)
for kind in ("cat", "linear"):
    several.add_weighted_adapter(
        ["one", "two"], [1.0, 1.0], kind, combination_type=kind
    )
    several.set_adapter(kind)
    same = torch.allclose(several(x), both, atol=1e-5)
    print(f"{kind:7}{same}")
    assert same == (kind == "cat")
together = several.merge_and_unload(adapter_names=["one", "two"])
assert torch.allclose(together(x), both, atol=1e-5)

# %%
# The merged model's file is half as large as the original, or twice
# ------------------------------------------------------------------
# Nothing is missing: merging changes no number of parameters. The file has the dtype of
# the model in memory. An original in float32 that was loaded in float16 or bfloat16 for
# the merge, by ``dtype`` (``torch_dtype`` in older versions) or by the default of a
# tool, is saved with 2 bytes for each value in place of 4. Most newer originals are in
# 16 bits, and then the file has their size. For float32, load the base with
# ``dtype=torch.float32`` for the merge: that rounds nothing, as above. Twice the size
# is the reverse: 16 bits that were loaded in float32. Compare the dtype and the number
# of the parameters, not the bytes.
import io


def size(model):
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.tell()


original = torch.nn.Sequential(torch.nn.Linear(200, 200))
sizes = {}
for dtype in (torch.float32, torch.bfloat16):
    loaded = copy.deepcopy(original).to(dtype)
    loaded = get_peft_model(loaded, LoraConfig(target_modules=["0"]))
    loaded = loaded.merge_and_unload()
    count = sum(p.numel() for p in loaded.parameters())
    sizes[dtype] = size(loaded) / size(original)
    print(loaded[0].weight.dtype, count, f"{sizes[dtype]:.2f}")
    assert count == sum(p.numel() for p in original.parameters())
assert abs(sizes[torch.float32] - 1) < 0.05
assert abs(sizes[torch.bfloat16] - 0.5) < 0.05
folder.cleanup()

# %%
# Load base and adapter, call ``eval()``, and compare the logits with those inside
# ``disable_adapter()``.
#
# Related: :doc:`adapter_is_loaded_frozen`, :doc:`several_stages_with_lora`,
# :doc:`modules_to_save`, :doc:`/gallery/recipes/lora_by_hand`.
