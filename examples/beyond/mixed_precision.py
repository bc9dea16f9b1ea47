"""
No inf checks were recorded: GradScaler and an optimizer of frozen parameters
=============================================================================

``scaler.step()`` raises this error if no parameter of the optimizer has a gradient, for
instance because all are frozen (unless it is fused). Step only those that have one.
"""

# %%
# Each part has its own optimizer, and the backbone is frozen for the first epochs.
import torch

torch.manual_seed(0)
parts = backbone, head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)
backbone.requires_grad_(False)
optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in parts]
before = head.weight.clone()
scaler = torch.amp.GradScaler("cpu")
scaler.scale(head(backbone(torch.ones(2, 4))).sum()).backward()
try:
    scaler.step(optimizers[0])
except AssertionError as error:
    print(f"{type(error).__name__}: {error}")
for part, optimizer in zip(parts, optimizers, strict=True):
    if any(p.grad is not None for p in part.parameters()):
        scaler.step(optimizer)

# %%
# The loop is the cure: the head steps, the backbone is left out. Or give all parameters
# to one optimizer, frozen ones too: then one gradient is enough.
scaler.update()
assert not torch.equal(head.weight, before)


def has_gradients(optimizer):
    groups = optimizer.param_groups
    return any(p.grad is not None for group in groups for p in group["params"])


print([has_gradients(optimizer) for optimizer in optimizers])
assert [has_gradients(optimizer) for optimizer in optimizers] == [False, True]
try:
    scaler.step(optimizers[0])
except AssertionError as error:
    message = str(error)
else:
    raise AssertionError("the scaler stepped without gradients")
assert "No inf checks were recorded for this optimizer" in message

together = torch.optim.SGD([*backbone.parameters(), *head.parameters()], lr=0.1)
head.zero_grad()
before = head.weight.clone()
scaler.scale(head(backbone(torch.ones(2, 4))).sum()).backward()
scaler.step(together)
scaler.update()
assert not torch.equal(head.weight, before)

# %%
# One optimizer, LoRA or 8 bits with ``fp16``: leaving out the step is no cure
# ----------------------------------------------------------------------------
# If this optimizer holds all that should train, the error says that nothing does. Count
# the parameters with ``requires_grad``, and after ``backward()`` those with a gradient:
# the adapter was loaded frozen, a reentrant checkpoint on a frozen base let no gradient
# through while ``loss.requires_grad_()`` hid it, the chosen weights are integers, or
# the optimizer was made before ``get_peft_model()``. The cures:
# :doc:`/reference/errors/no_inf_checks_were_recorded_for_this_optimizer`.

# %%
# Does the error always come?
# ---------------------------
# No. A step does nothing, without an error, if the optimizer has ``fused=True``: it
# looks for infinite gradients itself. If no other optimizer steps, ``update()`` raises
# (:doc:`/reference/errors/no_inf_checks_were_recorded_prior_to_update`).
#
# And if the parameters still have a gradient from the time before they were frozen, the
# step applies it: the frozen weights change. Clear ``.grad`` when you freeze.
for fused in (True, False):
    optimizer = torch.optim.SGD(backbone.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    scaler.scale(torch.ones(1))
    if not fused:
        backbone.weight.grad = torch.ones(4, 4)
    before = backbone.weight.clone()
    scaler.step(optimizer)
    assert torch.equal(backbone.weight, before) == fused
    try:
        scaler.update()
    except AssertionError as error:
        assert fused
        message = str(error)
assert "No inf checks were recorded prior to update" in message
backbone.zero_grad()
assert not has_gradients(optimizers[0])

# %%
# A GAN with mixed precision: two optimizers, one ``GradScaler``
# --------------------------------------------------------------
# One scaler serves both networks. Between two calls of ``update()`` each optimizer may
# step once, so call ``update()`` at the end of the round, or after each step if the
# discriminator steps several times. To clip, unscale the optimizer that will step. Each
# forward pass has its own ``autocast`` block: weights that changed inside a block would
# be used with their old values. On a GPU, write ``"cuda"`` and ``torch.float16``. With
# ``bfloat16`` you need no scaler.
from torch.nn.functional import softplus

generator, discriminator = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
g_optimizer, d_optimizer = (
    torch.optim.Adam(network.parameters()) for network in (generator, discriminator)
)
scaler, real = torch.amp.GradScaler("cpu", init_scale=8.0), torch.randn(4, 2)
for _ in range(3):
    before = [net.weight.detach().clone() for net in (generator, discriminator)]
    with torch.autocast("cpu", torch.bfloat16):
        fake = generator(torch.randn(4, 2))
        d_loss = softplus(-discriminator(real)) + softplus(discriminator(fake.detach()))
    d_optimizer.zero_grad()
    scaler.scale(d_loss.float().mean()).backward()
    scaler.unscale_(d_optimizer)
    torch.nn.utils.clip_grad_norm_(discriminator.parameters(), 0.1)
    scaler.step(d_optimizer)
    after_d_step = discriminator.weight.grad.clone()

    discriminator.requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        g_loss = softplus(-discriminator(fake))
    g_optimizer.zero_grad()
    scaler.scale(g_loss.float().mean()).backward()
    scaler.step(g_optimizer)
    discriminator.requires_grad_(True)
    scaler.update()
    assert discriminator.weight.grad.equal(after_d_step)
    assert after_d_step.norm() <= 0.1 + 1e-6
    assert not generator.weight.equal(before[0])
    assert not discriminator.weight.equal(before[1])
print(scaler.get_scale())
assert scaler.get_scale() == 8

# %%
# ``Detected call of lr_scheduler.step() before optimizer.step()`` with a GradScaler
# ----------------------------------------------------------------------------------
# The scaler has skipped the first step, because a gradient was infinite: the scale of
# 65536 is often too large at the beginning. ``scaler.update()`` then halves it. So in
# the first iterations the weights may stay as they are, which is normal. Step the
# scheduler only if the optimizer stepped, that is, if the scale has not become smaller.
#
# The same warning comes if the scheduler belongs to another optimizer, for instance
# because you made a new one when you unfroze a layer: make the scheduler anew, too.
import math
import warnings


def warned(*, guard=False, scale=1e38, new_optimizer=False):
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    if new_optimizer:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    before = model.weight.clone()
    scaler.scale(model(torch.full((1, 1), 100.0)).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    is_skipped = scaler.get_scale() < scale
    assert is_skipped == model.weight.equal(before)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if not (guard and is_skipped):  # right
            scheduler.step()
    return any("Detected call of" in str(warning.message) for warning in caught)


found = {
    "skipped": warned(),
    "skipped, guarded": warned(guard=True),
    "a scale of 8": warned(scale=8.0),
    "a new optimizer": warned(scale=8.0, new_optimizer=True),
}
print(found)
assert list(found.values()) == [True, False, False, True]


# %%
# ``grad_norm`` is nan or inf: when is it normal, and when not?
# -------------------------------------------------------------
# *Now and then it is normal*: at the beginning, and later whenever the scaler tries a
# larger scale, by default after 2000 steps without inf. Then the scaled gradients
# overflow float16, the norm is inf or nan, the step is left out, and the scale is
# halved. The weights stay as they are.
#
# *Again and again it is not*, even if the loss fell for thousands of steps. Print
# ``scaler.get_scale()``: if it falls and falls, there is an inf or a nan without any
# scale, because a value became larger than 65504, ``sqrt`` or ``log`` got a 0, where
# the derivative is infinite, or a weight is nan already (then start again from a clean
# checkpoint).
#
# - Use bfloat16 against large values, if the GPU can. It needs no scaler. At a 0, no
#   dtype helps: add a small number inside of the root or the logarithm.
# - Compute in float32 what overflows (scores of an attention, ``exp``, a norm, the
#   loss), with ``float()`` and ``autocast(..., enabled=False)``. Which it is:
#   :doc:`/reference/errors/returned_nan_values_in_its_0th_output`.
# - If it came after many good steps, restart from the checkpoint before it with a lower
#   learning rate, and clip after ``scaler.unscale_(optimizer)``. Before it, the norm is
#   that of the scaled gradients.
#
# *From the first step on, a lower learning rate does not help*, nor does clipping: the
# gradient is nan before the rate multiplies it, and a norm of nan makes all of it nan.
# Look at the loss of this batch, before ``backward()``:
#
# - *The loss is nan:* a nan or inf in the data; a row of an attention that is masked as
#   a whole; a mean over a mask without an element; or a value overflowed. Print
#   ``x.isfinite().all()`` for the batch and for the output of each layer. With
#   ``cross_entropy()``, labels that are all ``-100`` give a loss of nan and a gradient
#   of 0.
# - *The loss is finite:* the nan arises in the backward, as with ``sqrt`` at 0, or in a
#   fused kernel. ``torch.autograd.detect_anomaly()`` names the operation. For an
#   attention kernel, compare with ``attn_implementation="eager"`` of transformers.
#
# With transformers, peft, DeepSpeed:
# :doc:`/gallery/frameworks/trainable_parameters_in_fp16`. Below, the scaler tries a
# larger scale after two steps; each mark says whether the norm was finite.
def finite_norms(factor, dtype=torch.float16):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1e-9)
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0, growth_interval=2)
    found = []
    for _ in range(9):
        optimizer.zero_grad()
        scaler.scale((weight.to(dtype) * factor).square().float().sum()).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_([weight], 1.0)
        found.append(norm.isfinite().item())
        scaler.step(optimizer)
        scaler.update()
    return "".join("+" if finite else "-" for finite in found), scaler.get_scale()


normal, endless = finite_norms(1.4), finite_norms(300)
print(normal, endless, finite_norms(300, torch.bfloat16)[0])
assert normal == ("--++-++-+", 32768 / 2)
assert endless == ("-" * 9, 65536 / 2**9)
assert finite_norms(300, torch.bfloat16)[0] == "+" * 9
for dtype in (torch.float32, torch.bfloat16):
    zero = torch.zeros((), dtype=dtype, requires_grad=True)
    assert torch.autograd.grad(zero.sqrt(), zero)[0].isinf()


# %%
# Causes in the first step: the loss, the norm after a step with a rate of 1e-9, and
# whether the weights are nan then.
def masked_row(weight):
    return (weight + torch.full_like(weight, -torch.inf)).softmax(0).sum()


def masked_mean(weight):
    mask = torch.zeros(4)
    return (weight * mask).sum() / mask.sum()


def ignored_labels(weight):
    return torch.nn.functional.cross_entropy(weight[None], torch.tensor([-100]))


causes = {
    "nan in the data": lambda weight: (weight * torch.nan).sum(),
    "masked row": masked_row,
    "masked mean": masked_mean,
    "sqrt at 0": lambda weight: (weight - 1).square().sum().sqrt(),
    "labels of -100": ignored_labels,
}
for name, loss_of in causes.items():
    weight = torch.nn.Parameter(torch.ones(4))
    loss = loss_of(weight)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_([weight], 1.0).item()
    torch.optim.SGD([weight], lr=1e-9).step()
    is_lost = weight.isnan().any().item()
    print(f"{name:16}{loss.item():4}{norm:5}  {is_lost}")
    assert loss.isnan() == (name != "sqrt at 0")
    assert is_lost == math.isnan(norm) == (name != "labels of -100")

# %%
# Does autocast change what is frozen?
# ------------------------------------
# No. The result is in ``bfloat16``, and a frozen parameter gets no gradient. A gradient
# has the dtype of its parameter, unless you set ``grad_dtype``.
head.zero_grad()
x = torch.ones(2, 4)
with torch.autocast("cpu", torch.bfloat16):
    out = head(backbone(x))
out.float().sum().backward()
print(out.dtype, head.weight.grad.dtype, backbone.weight.grad)
assert out.dtype == torch.bfloat16
assert head.weight.grad.dtype == torch.float32
assert backbone.weight.grad is None

# %%
# autocast: a forward under no_grad(), then one with gradients: ``grad_fn`` is None
# ---------------------------------------------------------------------------------
# Before PyTorch 2.11, weights lose their gradient if both forward passes are in one
# ``autocast`` block. Autocast keeps the 16-bit copies of the weights that train until
# its outermost block ends. A copy made under ``no_grad()`` has no graph, and the second
# pass takes it. If all layers use such copies, ``backward()`` raises *element 0 of
# tensors does not require grad*. If one is a ``LayerNorm``, whose weights are not
# converted, there is no error: only it trains. Look for self-conditioning, recycling,
# a first pass for the targets, and a ``Trainer`` that wraps all of your loss.
#
# Upgrade (:since:`2.11`), or give each forward pass a block of its own. An inner block
# inside an outer one is not enough: there, pass ``cache_enabled=False`` to it, or call
# ``torch.clear_autocast_cache()`` between the passes.
network = torch.nn.Sequential(
    torch.nn.Linear(4, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 4)
)


def trained(way):
    network.zero_grad()
    autocast = torch.autocast("cpu", torch.bfloat16, cache_enabled=way != "no cache")
    if way == "two blocks":
        with autocast, torch.no_grad():
            network(x)
        with autocast:
            out = network(x)
    else:
        with autocast:
            with torch.no_grad():
                network(x)
            if way == "cleared":
                torch.clear_autocast_cache()
            out = network(x)
    out.float().square().sum().backward()
    return [layer.weight.grad is not None for layer in network]


for way in ("two blocks", "no cache", "cleared", "one block"):
    print(f"{way:11}{trained(way)}")
    assert way == "one block" or all(trained(way))
assert all(trained("one block")), "before PyTorch 2.11, autocast kept such a weight"

# %% tags=["hide-input"]
# What the scaler finds. Square: an optimizer with gradients, which steps. Cross: one
# without, which raises.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2), layout="constrained")
for name, optimizer in zip(("backbone", "head"), optimizers, strict=True):
    square = {"marker": "s", "fc": "none", "ec": "C0"}
    look = square if has_gradients(optimizer) else {"marker": "x", "c": "C2"}
    ax.scatter(0, name, s=250, lw=2, **look)
ax.set_xticks([0], ["scaler.step()"])
ax.margins(0.5, 0.6)
ax.invert_yaxis()
plt.show()

# %% tags=["hide-input"]
# Where it ends
# -------------
# - A copy that autocast keeps does not follow its weight: change a weight inside the
#   block, and the next forward there still computes with the old values. A frozen
#   weight is copied anew each time.
# - ``Tensor.grad_dtype`` (PyTorch 2.10) changes the dtype of a gradient.
# - ``clip_grad_norm_`` takes frozen parameters without an error. Their norm is 0, as
#   long as no old gradient is left.
with torch.autocast("cpu", torch.bfloat16):
    for part, is_kept in ((head, True), (backbone, False)):
        old = part(x)
        with torch.no_grad():
            part.weight.add_(1)
        assert torch.equal(part(x), old) == is_kept

head.zero_grad()
head.weight.grad_dtype = torch.bfloat16
head(x).sum().backward()
assert head.weight.grad.dtype == torch.bfloat16
assert torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0) == 0
backbone.weight.grad = torch.ones(4, 4)
assert torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0) == 4

# %%
# Prefer one optimizer with all parameters, and clear the gradients when you freeze.
# Source: :torch:`Automatic mixed precision
# <notes/amp_examples.html#working-with-multiple-models-losses-and-optimizers>`, which
# says how a scaler works with several optimizers. This page was not run on a GPU.
#
# Related: :doc:`/gallery/freezing/unfreeze_gradually`,
# :doc:`/gallery/still-moves/stale_gradients`,
# :doc:`/gallery/recipes/freeze_in_gradient_accumulation`.
