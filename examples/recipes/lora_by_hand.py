"""
LoRA by hand: freeze the base, and keep no_grad() away from it
==============================================================

``no_grad()`` around the frozen base gives the same output, but the adapters before it
get a gradient of zero at first, and a wrong one later. Freeze the base with
``requires_grad_(False)`` and let its forward be recorded.
"""

# %%
# The gradient of an adapter before a frozen base
# -----------------------------------------------
import torch
from torch import nn

torch.manual_seed(0)
before, base = nn.Linear(8, 8), nn.Linear(8, 4).requires_grad_(False)
A, B = torch.randn(2, 8), torch.zeros(4, 2)
hidden = before(torch.randn(16, 8))
with torch.no_grad():
    frozen = base(hidden)
wrong = frozen + hidden @ A.T @ B.T
right = base(hidden) + hidden @ A.T @ B.T
assert torch.equal(wrong, right)
for name, output in {"no_grad()": wrong, "frozen": right}.items():
    before.zero_grad()
    output.sum().backward(retain_graph=True)
    print(f"{name}: {before.weight.grad.norm():.2f}")
    assert before.weight.grad.any() == (output is right)

# %%
# The whole loop: adapters in every linear layer
# ----------------------------------------------
# Two matrices of low rank beside the weight. ``B`` begins at zero, so the output of the
# network is what it was. The optimizer gets what is trainable.
import copy


class LoRA(nn.Module):
    def __init__(self, base, rank=2, alpha=2):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(rank, base.in_features) * 0.1)
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + x @ self.A.T @ self.B.T * self.scale

    @torch.no_grad()
    def merged(self):
        layer = copy.deepcopy(self.base)
        layer.weight += self.B @ self.A * self.scale
        return layer


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))


def with_adapters(model, kind=LoRA):
    for name, layer in list(model.named_children()):
        if isinstance(layer, nn.Linear):
            setattr(model, name, kind(layer))
    return model


x = torch.randn(16, 8)
wanted = torch.randn(16, 4)
model = with_adapters(network())
assert torch.equal(model(x), network()(x))
trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
total = sum(p.numel() for p in model.parameters())
print(trained, "of", total)
assert (trained, total) == (56, 164)

base = model[0].base.weight.clone()
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 0.01)
losses, zero = [], []
for _ in range(200):
    loss = nn.functional.mse_loss(model(x), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    zero.append(not model[0].A.grad.any())
    assert model[0].B.grad.any()
print(f"{losses[0]:.2f} -> {losses[-1]:.2f}")
assert losses[-1] < 0.7 * losses[0]
assert torch.equal(model[0].base.weight, base)

# %%
# Save the adapters, and merge them
# ---------------------------------
# The file has only what is trained. ``strict=False`` lets the base be missing, so check
# that nothing unexpected was in the file. A merged layer is an ordinary one, as large
# as the base, and its output is the same up to rounding.
import io

trainable = {name for name, p in model.named_parameters() if p.requires_grad}
adapters = {k: v for k, v in model.state_dict().items() if k in trainable}
file = io.BytesIO()
torch.save(adapters, file)
file.seek(0)
print(sorted(adapters))

again = with_adapters(network())
result = again.load_state_dict(torch.load(file), strict=False)
assert not result.unexpected_keys
assert not trainable & set(result.missing_keys)
assert torch.equal(again(x), model(x))

merged = nn.Sequential(model[0].merged(), nn.ReLU(), model[2].merged())
torch.testing.assert_close(merged(x), model(x))
assert merged.state_dict().keys() == network().state_dict().keys()


# %%
# Garbled output, a loss far too high: LoRA injected after the weights were loaded
# --------------------------------------------------------------------------------
# Inject first and load with ``strict=False``, or copy weight and bias into the new
# layer. A LoRA layer that is itself an ``nn.Linear`` or ``nn.Embedding``, as in
# loralib, makes a *new* weight at random. If it replaces a layer whose pretrained
# weight is loaded already, that weight is gone without an error, LoRA trains beside a
# frozen random layer, and the merged model speaks nonsense (`fish-speech 1163
# <https://github.com/fishaudio/fish-speech/issues/1163>`__). The test: ``B`` is zero
# (in the ``Embedding`` of loralib, ``A``), so right after the injection the output in
# ``eval()`` has to be what it was.
#
# Garbled only after saving or loading: save and load in ``train()``. In loralib,
# ``eval()`` adds the adapter to the weight. A whole ``state_dict()`` saved in
# ``eval()`` and loaded in ``train()`` has it twice. A model in ``eval()`` that loads
# what was saved in ``train()``, or ``lora_state_dict()``, does not use it (run apart
# with loralib 0.1.2).
class Subclass(nn.Linear):  # as in loralib
    def __init__(self, base, rank=2):
        super().__init__(base.in_features, base.out_features)
        self.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(rank, self.in_features) * 0.1)
        self.B = nn.Parameter(torch.zeros(self.out_features, rank))

    def forward(self, x):
        return super().forward(x) + x @ self.A.T @ self.B.T


pretrained = network()
unchanged = {}
for way in ("after loading", "before loading", "copied"):
    # Wrong: after loading. Right: before loading, or copied.
    injected = with_adapters(network(), Subclass)
    if way == "before loading":
        result = injected.load_state_dict(pretrained.state_dict(), strict=False)
        assert not result.unexpected_keys
        assert all(name[-1] in "AB" for name in result.missing_keys)
    elif way == "copied":
        for i in (0, 2):
            injected[i].weight.data.copy_(pretrained[i].weight)
            injected[i].bias.data.copy_(pretrained[i].bias)
    unchanged[way] = torch.equal(injected(x), pretrained(x))
print(unchanged)
assert list(unchanged.values()) == [False, True, True]

# %%
# Why is the gradient of ``A`` (``lora_A``) zero in the first step?
# -----------------------------------------------------------------
# Because it comes through ``B``, and ``B`` is zero. After one step ``B`` has moved.
print(zero[:2])
assert zero[:2] == [True, False]

# %%
# The gradient of ``lora_A`` stays zero after many steps
# ------------------------------------------------------
# Then ``B`` is not updated. Print ``lora_B`` and its ``.grad`` after several calls of
# ``step()``:
#
# - ``B.grad`` is None: it is frozen, or its layer is not used.
# - ``B.grad`` is not zero, and ``B`` is: it is not in the optimizer, ``step()`` is not
#   called yet (gradient accumulation), the rate is 0 (the first step of a warm-up), or
#   the ``GradScaler`` skips each step because a gradient is ``inf`` or ``nan``.
# - ``B.grad`` is zero: the gradient that arrives at the layer or its input is zero,
#   ``alpha`` is 0, or ``A`` was initialised to zero as well. If ``A`` and
#   ``B`` are zero, neither ever gets a gradient.
#
# With peft, such a ``lora_B`` may also be one that was loaded wrongly:
# :doc:`/gallery/frameworks/adapter_is_loaded_frozen`. Below: all is right, ``B`` is not
# in the optimizer, the rate is 0, the loss is ``inf`` in each step.


def after_steps(way):
    model = with_adapters(network())
    matrices = [p for p in model.parameters() if p.requires_grad]
    if way == "not in the optimizer":
        matrices = [layer.A for layer in (model[0], model[2])]
    optimizer = torch.optim.AdamW(matrices, lr=0.0 if way == "lr=0" else 0.01)
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(5):
        loss = nn.functional.mse_loss(model(x), wanted)
        if way == "inf":
            loss = loss * torch.inf
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return model[0].B.grad, model[0].B


for way in ("right", "not in the optimizer", "lr=0", "inf"):
    gradient, B = after_steps(way)
    finite = bool(gradient.isfinite().all())
    print(
        f"{way:21} grad: {bool(gradient.any())}, finite: {finite}, B: {bool(B.any())}"
    )
    assert gradient.any()
    assert finite == (way != "inf")
    assert B.any() == (way == "right")

both_zero = LoRA(nn.Linear(8, 4))
nn.init.zeros_(both_zero.A)
both_zero(x).square().sum().backward()
assert not both_zero.A.grad.any()
assert not both_zero.B.grad.any()
no_input = LoRA(nn.Linear(8, 4))
no_input(torch.zeros(1, 8)).sum().backward()
assert not no_input.B.grad.any()


# %%
# The base layers are frozen anyway. May I run them under ``no_grad()``?
# ----------------------------------------------------------------------
# The output stays the same. But the gradient of the first adapter has to come through
# the frozen base of the second. Under ``no_grad()`` that path is cut. What is left
# leads through the second adapter. Its ``B`` is zero at first, and so is the gradient.
# Later, the part that belongs to the base is missing.
class Cut(LoRA):
    def forward(self, x):
        with torch.no_grad():
            frozen = self.base(x)
        return frozen + x @ self.A.T @ self.B.T * self.scale


def gradients(kind, b=0.0):
    model = with_adapters(network(), kind)
    nn.init.constant_(model[2].B, b)
    model(x).square().sum().backward()
    return [model[i].B.grad.abs().sum().item() for i in (0, 2)]


with_flags, with_no_grad = gradients(LoRA), gradients(Cut)
print([g > 0 for g in with_flags], [g > 0 for g in with_no_grad])
assert all(g > 0 for g in with_flags)
assert with_no_grad[0] == 0
assert with_no_grad[1] > 0
assert 0 < gradients(Cut, b=0.1)[0] < gradients(LoRA, b=0.1)[0]

# %% tags=["hide-input"]
# The path of the gradient from the loss to the first adapter. Above: through the frozen
# base (hatched). Below: ``no_grad()`` has cut it.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.4), layout="constrained")
flow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for y, is_cut in ((0, False), (1, True)):
    ax.scatter(0, y, s=350, marker="s", fc="none", ec="C2" if is_cut else "C0", lw=2)
    ax.scatter(1, y, s=350, marker="s", fc="none", ec="C1", hatch="//////", lw=2)
    ax.scatter(2, y, s=200, marker="D", fc="none", ec="C3", lw=2)
    if is_cut:
        ax.plot([0.15, 0.85], [y, y], "C2--", lw=2)
        ax.plot([1.15, 1.85], [y, y], "C2--", lw=2)
        ax.scatter(1.5, y, s=120, marker="x", color="C2", lw=3)
    else:
        ax.annotate("", (0.15, y), (0.85, y), arrowprops=flow)
        ax.annotate("", (1.15, y), (1.85, y), arrowprops=flow)
ax.set_xticks([0, 1, 2], ["adapter", "base", "loss"])
ax.set_yticks([0, 1], ["requires_grad_(False)", "no_grad()"])
ax.set_frame_on(False)
ax.margins(0.15, 0.4)
ax.invert_yaxis()
plt.show()

# %%
# ``nn.MultiheadAttention``, CLIP: LoRA on ``out_proj`` gets no gradient
# ----------------------------------------------------------------------
# ``nn.MultiheadAttention`` never calls its ``out_proj``: it reads the weight of it, and
# its ``in_proj_weight`` is no layer at all. So an adapter that is a subclass of
# ``nn.Linear`` (as in loralib) is passed over without an error. One that only wraps the
# layer fails, because it has no ``weight``. Parametrize the weights instead. With a
# fused ``qkv`` that is an ``nn.Linear``, as in timm, ``LoRA`` from above works.
from torch.nn.utils import parametrize


class Delta(nn.Module):
    def __init__(self, rows, columns, rank=2):
        super().__init__()
        self.A = nn.Parameter(torch.randn(rank, columns) * 0.1)
        self.B = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight):
        return weight + self.B @ self.A


class LinearWithLoRA(nn.Linear):
    def __init__(self, base, rank=2):
        super().__init__(base.in_features, base.out_features)
        self.load_state_dict(base.state_dict())
        self.requires_grad_(False)
        self.delta = Delta(self.out_features, self.in_features, rank)

    def forward(self, x):
        return nn.functional.linear(x, self.delta(self.weight), self.bias)


tokens, reached = torch.randn(4, 5, 8), {}
for way in ("subclass", "parametrize"):
    attention = nn.MultiheadAttention(8, 2, batch_first=True).requires_grad_(False)
    out = attention.out_proj
    if way == "subclass":
        attention.out_proj = LinearWithLoRA(out)
    else:
        parametrize.register_parametrization(out, "weight", Delta(8, 8))
        parametrize.register_parametrization(attention, "in_proj_weight", Delta(24, 8))
    trained = {n: p for n, p in attention.named_parameters() if p.requires_grad}
    output = attention(tokens, tokens, tokens)[0]
    if output.requires_grad:
        output.square().sum().backward()
    reached[way] = [p.grad is not None for p in trained.values()]
    print(f"{way:12}", reached[way])
assert reached == {"subclass": [False] * 2, "parametrize": [True] * 4}
try:
    attention.out_proj = LoRA(out)
    attention(tokens, tokens, tokens)
except AttributeError as error:
    message = str(error)
else:
    raise AssertionError("a wrapper was called")
assert "has no attribute 'weight'" in message

# %%
# The loss falls slowly: the new head is frozen, too
# --------------------------------------------------
# A filter that lets only names with ``lora`` train, such as
# ``mark_only_lora_as_trainable()``, also freezes a new classifier: the adapters then
# have to fit random weights. Name the head in the filter, and save it with the
# adapters. (In peft it is ``modules_to_save``.)
model = nn.Sequential(with_adapters(network()), nn.Linear(4, 3))
for with_head in (False, True):
    for name, parameter in model.named_parameters():
        is_adapter = name.rpartition(".")[2] in {"A", "B"}
        is_head = with_head and name.startswith("1.")
        parameter.requires_grad_(is_adapter or is_head)
    print([name for name, p in model.named_parameters() if p.requires_grad])
    assert model[1].weight.requires_grad == with_head
    assert not model[0][0].base.weight.requires_grad

# %%
# Where it ends
# -------------
# - Around a base with nothing trainable before it, as in the first adapter here,
#   ``no_grad()`` changes no gradient.
# - With a skip connection around the layer, as in a transformer, part of the gradient
#   arrives under ``no_grad()``. Then it is wrong from the first step.
# - In a coarse dtype, a small adapter is rounded away by merging: the sum has the dtype
#   of the base.
# - A frozen base with dropout or batch norm still needs ``eval()``:
#   :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`.
kept, cut = with_adapters(network()), with_adapters(network())
cut[0] = Cut(network()[0])
for model in (kept, cut):
    nn.init.constant_(model[2].B, 0.1)
    model(x).square().sum().backward()
assert kept[0].B.grad.any()
assert torch.equal(kept[0].B.grad, cut[0].B.grad)
assert torch.equal(kept[2].A.grad, cut[2].A.grad)

hidden = torch.randn(16, 8, requires_grad=True)
flags, no_grad = LoRA(nn.Linear(8, 8)), Cut(nn.Linear(8, 8))
no_grad.load_state_dict(flags.state_dict())
right, wrong = (
    torch.autograd.grad((hidden + layer(hidden)).square().sum(), hidden)[0]
    for layer in (flags, no_grad)
)
assert wrong.any()
assert not torch.allclose(wrong, right)

coarse = LoRA(nn.Linear(8, 8)).bfloat16()
nn.init.constant_(coarse.base.weight, 1.0)
nn.init.constant_(coarse.A, 0.01)
nn.init.constant_(coarse.B, 0.01)
assert (coarse.B @ coarse.A).all()
assert torch.equal(coarse.base.weight + coarse.B @ coarse.A, coarse.base.weight)

# %%
# Freeze the base with ``requires_grad_(False)``, initialise ``B`` to zero, and give the
# optimizer what trains. Source: `LoRA: Low-Rank Adaptation of Large Language Models
# <https://arxiv.org/abs/2106.09685>`__.
#
# Related: :doc:`/gallery/three-ways/through_or_blocked`,
# :doc:`/gallery/freezing/recorded_although_frozen`,
# :doc:`/gallery/freezing/parametrized_and_lazy_layers`.
