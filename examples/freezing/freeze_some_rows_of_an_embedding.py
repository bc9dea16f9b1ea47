"""
Freeze some rows of an embedding: a buffer and a parameter
==========================================================

A hook that sets the gradient of some rows to zero does not freeze them: weight decay
and earlier momentum still move them. Keep the frozen rows in a tensor of their own.
"""

# %%
import torch
from torch import nn

ids, table = torch.arange(4), nn.Embedding(4, 2)
start = table.weight.detach().clone()

mask = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
table.weight.register_hook(lambda gradient: gradient * mask)
frozen, trained = start[:2], nn.Parameter(start[2:].clone())
rows = torch.cat([frozen, trained])[ids]
(table(ids).sum() + rows.sum()).backward()
torch.optim.AdamW([table.weight, trained], lr=0.1).step()
print("hook:       ", table.weight[:2].equal(frozen))
print("two tensors:", frozen.equal(start[:2]))
assert not table.weight[:2].equal(frozen)
assert frozen.equal(start[:2])

# %%
# nn.Embedding.from_pretrained: what does freeze=False mean?
# ----------------------------------------------------------
# ``freeze=True`` is the default: the vectors are a parameter with
# ``requires_grad=False`` and stay as they are. With ``freeze=False`` they are only the
# initial values of a trainable layer, and are fine-tuned if the optimizer holds them.
# Freeze with little data, or to save memory, and fine-tune with enough data. Both
# return a new layer, which shares the memory of the tensor: training changes it, too,
# unless you pass a clone.
pretrained = start.clone()
for freeze in (True, False):
    layer = nn.Embedding.from_pretrained(pretrained, freeze=freeze)
    if not freeze:
        layer(ids).sum().backward()
        torch.optim.SGD(layer.parameters(), lr=0.1).step()
    print(f"{freeze=}: {layer.weight.requires_grad=}, {pretrained.equal(start)=}")
    assert layer.weight.requires_grad != freeze
    assert pretrained.equal(start) == freeze
assert not nn.Embedding.from_pretrained(start).weight.requires_grad

# %%
# Can I freeze a row by ``requires_grad``?
# ----------------------------------------
# No, ``requires_grad`` belongs to a whole tensor. A row is a view, the result of an
# operation.
try:
    table.weight[0].requires_grad_(False)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a row has requires_grad of its own")

# %%
# ``weight.data[-1].requires_grad_()`` raises nothing and changes nothing: ``.data`` is
# a new tensor each time, and the weight does not see its ``requires_grad``. It is the
# same for a ``Linear``, such as the last row of ``lm_head``.
for layer in (nn.Embedding(4, 2), nn.Linear(2, 4)):
    layer.requires_grad_(False)
    layer.weight.data[-1].requires_grad_(True)
    print(layer.weight.requires_grad, layer.weight.data[-1].requires_grad)
    assert not layer.weight.requires_grad
    assert not layer.weight.data[-1].requires_grad

# %% tags=["hide-input"]
# When does a hook that masks the gradient fail?
# ----------------------------------------------
# A gradient of zero is still a gradient: weight decay shrinks the rows, which ASGD does
# by default, too. And if the mask comes after some steps, their momentum (in LBFGS,
# their history) moves the rows on. Below: do the rows stay if the mask is there from
# the first step, and if it comes later?
optim = torch.optim
OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD(momentum=0.9)": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "SGD(weight_decay=0.1)": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.1),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "ASGD": lambda p: optim.ASGD(p, lr=0.1),
    "LBFGS": lambda p: optim.LBFGS(p, lr=0.1),
}


def loss_of(table, optimizer):
    optimizer.zero_grad()
    loss = (table(ids) - 1).square().sum()
    loss.backward()
    return loss


def masked_rows_stay(make_optimizer, steps_before):
    torch.manual_seed(0)
    table = nn.Embedding(4, 2)
    optimizer = make_optimizer(table.parameters())
    for step in range(steps_before + 2):
        if step == steps_before:
            table.weight.register_hook(lambda gradient: gradient * mask)
            before = table.weight[:2].detach().clone()
        optimizer.step(lambda: loss_of(table, optimizer))
    return torch.equal(table.weight[:2], before)


stay = {
    name: [masked_rows_stay(make, steps_before) for steps_before in (0, 1)]
    for name, make in OPTIMIZERS.items()
}
print(f"{'':22}first  later")
for name, (first, later) in stay.items():
    print(f"{name:22}{first!s:7}{later}")
assert [name for name, (first, _) in stay.items() if not first] == [
    "SGD(weight_decay=0.1)",
    "AdamW",
    "ASGD",
]
assert [name for name, (_, later) in stay.items() if later] == [
    "SGD",
    "RMSprop",
    "Adagrad",
]


# %%
# A buffer and a parameter
# ------------------------
# Two tensors in place of one, put together in the forward. The frozen rows are a
# buffer: ``parameters()`` doesn't give it to the optimizer, and ``state_dict()`` saves
# it. For a ``Linear``, such as ``lm_head``, end with ``nn.functional.linear(x, rows)``.
#
# Under DeepSpeed ZeRO-3, the weight has the shape ``[0]``: make the rows a parameter of
# their own before ``deepspeed.initialize()`` (not run), see
# :doc:`/gallery/beyond/freezing_under_fsdp`.
class PartlyFrozen(nn.Module):
    def __init__(self, weight, frozen):
        super().__init__()
        self.register_buffer("frozen", weight[:frozen].detach().clone())
        self.trained = nn.Parameter(weight[frozen:].detach().clone())

    def forward(self, ids):
        rows = torch.cat([self.frozen, self.trained])
        return nn.functional.embedding(ids, rows)


for make in OPTIMIZERS.values():
    table = PartlyFrozen(nn.Embedding(4, 2).weight, frozen=2)
    optimizer = make(table.parameters())
    frozen, trained = table.frozen.clone(), table.trained.detach().clone()
    for _ in range(3):
        optimizer.step(lambda: loss_of(table, optimizer))  # noqa: B023
    assert torch.equal(table.frozen, frozen)
    assert not torch.equal(table.trained, trained)
assert list(table.state_dict()) == ["trained", "frozen"]

# %% tags=["hide-input"]
# Do the first two rows stay? Hatched: yes. Cross: the mask lets them move.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for name, (first, later) in stay.items():
    hatched = {"marker": "s", "fc": "none", "ec": "C1", "hatch": "//////"}
    for way, ok in (("hook", first), ("hook, later", later), ("buffer", True)):
        look = hatched if ok else {"marker": "x", "c": "C2"}
        ax.scatter(way, name, s=160, lw=2, **look)
ax.margins(0.3, 0.1)
ax.invert_yaxis()
plt.show()

# %%
# Mask some elements of a weight from ``weight_decay``, while the rest decays
# ---------------------------------------------------------------------------
# Put the parameter into a group with ``weight_decay=0``, and write the decay for the
# used elements yourself, between ``backward()`` and ``step()``. The option belongs to a
# whole parameter: if ``forward()`` uses only a slice of it, the other elements have a
# gradient of zero, not None, and the optimizer shrinks them.
#
# - AdamW decouples the decay, as Adam does with ``decoupled_weight_decay=True``:
#   multiply the weight by ``1 - lr * decay * used``, with the current ``lr`` of the
#   group.
# - SGD, Adam, RMSprop and others add the decay to the gradient:
#   ``weight.grad += decay * used * weight``, after ``unscale_()`` of a ``GradScaler``
#   and after clipping.
#
# The used elements then get the same values as with the option. Momentum from a time
# when an element was used still moves it: in that case write the values back after
# ``step()``, or split the parameter. A whole parameter that is not used does not decay
# while its ``.grad`` is None, but does after ``zero_grad(set_to_none=False)``.
DECAYED = {
    "SGD": lambda p, decay: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=decay),
    "Adam": lambda p, decay: optim.Adam(p, lr=0.1, weight_decay=decay),
    "RMSprop": lambda p, decay: optim.RMSprop(p, lr=0.1, weight_decay=decay),
    "AdamW": lambda p, decay: optim.AdamW(p, lr=0.1, weight_decay=decay),
}
used = torch.tensor([1.0, 1.0, 0.0])


def decayed(name, *, by_hand, clip_last=False):
    torch.manual_seed(0)
    weight = nn.Parameter(torch.ones(3))
    optimizer = DECAYED[name]([weight], 0.0 if by_hand else 0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (weight[:2] * torch.randn(2)).sum().backward()
        if by_hand:
            with torch.no_grad():
                if name == "AdamW":
                    weight *= 1 - optimizer.param_groups[0]["lr"] * 0.1 * used
                else:
                    weight.grad += 0.1 * used * weight
        if clip_last:
            nn.utils.clip_grad_norm_([weight], 0.1)
        optimizer.step()
    return weight.detach()


for name in DECAYED:
    option, by_hand = (decayed(name, by_hand=by_hand) for by_hand in (False, True))
    print(f"{name:8}unused: {option[2]:.2f}, by hand {by_hand[2]:.2f}")
    assert option[2] < 1 == by_hand[2]
    torch.testing.assert_close(option[:2], by_hand[:2])
    if name != "AdamW":
        both = [decayed(name, by_hand=h, clip_last=True)[:2] for h in (False, True)]
        assert not torch.allclose(*both)
weight = nn.Parameter(torch.ones(3))
optimizer = optim.SGD([weight], lr=0.1, weight_decay=0.1)
for set_to_none in (True, False):
    weight.data.fill_(1)
    weight.grad = torch.ones(3)
    optimizer.zero_grad(set_to_none=set_to_none)
    optimizer.step()
    assert weight.equal(torch.ones(3)) == set_to_none

# %%
# New tokens after resize_token_embeddings(): train only their rows
# -----------------------------------------------------------------
# Resize, freeze everything, unfreeze the embedding, mask the gradient of the old rows,
# and make the optimizer, in this order. A mask or a momentum from before has the old
# size, and older versions of transformers put in a new parameter, without your hook. If
# ``lm_head`` shares the weight, one hook covers both uses. If not, do the same with
# ``get_output_embeddings().weight``, or leave it frozen. Use ``weight_decay=0`` and a
# new optimizer, without momentum from before. The mask acts before
# ``clip_grad_norm_()``, and a ``GradScaler`` does not disturb it. With LoRA, peft has
# ``trainable_token_indices``: :doc:`/gallery/frameworks/modules_to_save`.


class LanguageModel(nn.Module):  # as in transformers, in small
    def __init__(self, *, tied):
        super().__init__()
        self.embed_tokens = nn.Embedding(6, 2)
        self.lm_head = nn.Linear(2, 6, bias=False)
        if tied:
            self.lm_head.weight = self.embed_tokens.weight

    def forward(self, ids):
        return self.lm_head(self.embed_tokens(ids))


def train_new_rows(weight, old):
    new = (torch.arange(len(weight)) >= old)[:, None]
    weight.requires_grad_(True)
    weight.register_hook(lambda gradient: gradient * new.to(gradient))
    return weight


sentence, old = torch.arange(6), 4  # two tokens are new
for tied in (True, False):
    model = LanguageModel(tied=tied).requires_grad_(False)
    weights = [train_new_rows(model.embed_tokens.weight, old)]
    if not tied:
        weights.append(train_new_rows(model.lm_head.weight, old))
    optimizer = optim.AdamW(weights, lr=0.1, weight_decay=0.0)
    before = [weight.detach().clone() for weight in weights]
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(sentence), sentence).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    for weight, start_rows in zip(weights, before, strict=True):
        moved = (weight != start_rows).any(1).tolist()
        print(f"{tied=}: {moved}")
        assert moved == [False] * old + [True] * 2

# %%
# padding_idx: the row of the padding is not zero
# -----------------------------------------------
# ``padding_idx`` fills the row with zeros when the layer is built, and gives the row a
# gradient of zero in the lookup. It does not make the *output* zero: what you write
# into the weight later stays. So the row is not zero after ``nn.init.normal_()``,
# ``load_state_dict()`` or ``weight.data.copy_(glove)``, and ``from_pretrained()`` keeps
# the row that you pass. Write the zeros afterwards. And only the lookup has no
# gradient: an output layer with the same weight trains the row.
glove = torch.ones(4, 2)


def filled(way):
    table = nn.Embedding(4, 2, padding_idx=0)
    if way == "nn.init":
        nn.init.normal_(table.weight)
    elif way == "load_state_dict":
        table.load_state_dict({"weight": glove})
    elif way == "from_pretrained":
        table = nn.Embedding.from_pretrained(glove, freeze=False, padding_idx=0)
    return table


pad = torch.tensor([0])
for way in ("as built", "nn.init", "load_state_dict", "from_pretrained"):
    table = filled(way)
    zero = [not table(pad).any().item()]
    with torch.no_grad():
        table.weight[table.padding_idx] = 0
    zero.append(not table(pad).any().item())
    print(f"{way:16}zero: {zero[0]!s:7}after writing zeros: {zero[1]}")
    assert zero == [way == "as built", True]
hidden = table(ids)
hidden.sum().backward(retain_graph=True)
assert not table.weight.grad[0].any()
nn.functional.linear(hidden, table.weight).sum().backward()
assert table.weight.grad[0].any()

# %%
# One element of a convolution
# ----------------------------
# The same for any part of a weight: a hook on the weight, as long as nothing but the
# gradient moves it, or write the values back after ``step()``. A module's backward hook
# is not the place to change ``weight.grad``: it may run before ``.grad`` is filled. If
# the input requires no gradient, as here, it does, and PyTorch warns.
import warnings

conv, inputs = nn.Conv2d(1, 1, 3), torch.ones(2, 1, 5, 5)
with torch.no_grad():
    conv.weight[0, 0, 1, 1] = 1
free = torch.ones(3, 3)
free[1, 1] = 0


def in_module_hook(module, _inputs, _outputs):
    found.append(module.weight.grad is not None)
    if module.weight.grad is not None:
        module.weight.grad *= free


found = []
for place in ("module", "weight"):
    conv.zero_grad()
    if place == "module":
        handle = conv.register_full_backward_hook(in_module_hook)
    else:
        handle = conv.weight.register_hook(lambda gradient: gradient * free)
    with warnings.catch_warnings(record=True) as found_warnings:
        conv(inputs).sum().backward()
    handle.remove()
    assert bool(found_warnings) == (place == "module")
    print(place, conv.weight.grad[0, 0, 1, 1].item())
    assert (conv.weight.grad[0, 0, 1, 1] == 0) == (place == "weight")
assert found == [False]
for weight_decay in (0, 0.01):
    optimizer = optim.AdamW(conv.parameters(), lr=0.1, weight_decay=weight_decay)
    optimizer.step()
    assert (conv.weight[0, 0, 1, 1] == 1) == (weight_decay == 0)

# %%
# Pruning: weights of zero must stay zero
# ---------------------------------------
# After pruning with a mask, fine-tuning makes the zeros (also a batch norm's ``weight``
# of 0) nonzero again: they get a gradient. Multiply by the mask after each ``step()``:
# that works with all of these optimizers. A hook that masks the gradient is enough if
# the optimizer is made after pruning: weight decay leaves a zero at zero, but momentum
# from before moves it.


def zeros_stay(make, way, steps_before):
    torch.manual_seed(0)
    layer, x, keep = nn.Linear(2, 2), torch.randn(8, 2), torch.tensor([1.0, 0.0])
    optimizer = make([layer.weight])

    def closure():
        optimizer.zero_grad()
        loss = (layer(x) - 3).square().sum()
        loss.backward()
        return loss

    for step in range(steps_before + 2):
        if step == steps_before:
            with torch.no_grad():
                layer.weight.mul_(keep)
            if way == "hook":
                layer.weight.register_hook(lambda gradient: gradient * keep)
        optimizer.step(closure)
        if way == "step":
            with torch.no_grad():
                layer.weight.mul_(keep)
    return not layer.weight[:, 1].any().item()


print(f"{'':22}nothing  hook   later  after step()")
for name, make in OPTIMIZERS.items():
    ways = ("nothing", 0), ("hook", 0), ("hook", 1), ("step", 1)
    row = [zeros_stay(make, *way) for way in ways]
    print(f"{name:22}{row[0]!s:9}{row[1]!s:7}{row[2]!s:7}{row[3]}")
    assert (row[0], row[1], row[3]) == (False, True, True)
    assert row[2] == (name not in {"SGD(momentum=0.9)", "Adam", "AdamW", "LBFGS"})

# %%
# :torch:`torch.nn.utils.prune` multiplies by the mask in each forward: the weight that
# the layer uses stays zero with each optimizer, while the parameter ``weight_orig`` may
# move. Call ``prune.remove()`` only after the training: it removes the mask, and the
# zeros train again.
from torch.nn.utils import prune

layer, x = nn.Linear(4, 4), torch.ones(2, 4)
prune.l1_unstructured(layer, "weight", amount=0.5)
zero = layer.weight == 0
optimizer = optim.AdamW(layer.parameters(), lr=0.1)
for removed in (False, True):
    if removed:
        prune.remove(layer, "weight")
        optimizer = optim.AdamW(layer.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (layer(x) - 3).square().sum().backward()
        optimizer.step()
    layer(x)
    print(f"{removed=}: {layer.weight[zero].any().item()}")
    assert layer.weight[zero].any() == removed

# %%
# If a batch norm has a ``weight`` of 0 for a channel, the convolution before it gets a
# gradient of zero there: only weight decay and earlier momentum move its weights. The 0
# itself gets a gradient, unless a ReLU behind it is closed (a ``bias`` of 0 or less).
# Mask the ``bias``, too: with another ``bias`` the channel still passes it on.
for shift, act in ((0.5, nn.ReLU()), (0.0, nn.ReLU()), (0.0, nn.Identity())):
    conv, norm, last = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1)
    with torch.no_grad():
        norm.weight[0], norm.bias[0] = 0, shift
    last(act(norm(conv(torch.randn(2, 1, 6, 6))))).square().sum().backward()
    moves = norm.weight.grad[0].item() != 0
    print(shift, type(act).__name__, conv.weight.grad[0].any().item(), moves)
    assert not conv.weight.grad[0].any()
    assert moves == (shift > 0 or type(act) is nn.Identity)

# %%
# What if it must stay one tensor?
# --------------------------------
# Write the frozen rows back after each ``step()``.
for make in OPTIMIZERS.values():
    table = nn.Embedding(4, 2)
    optimizer = make(table.parameters())
    frozen = table.weight[:2].detach().clone()
    optimizer.step(lambda: loss_of(table, optimizer))  # noqa: B023
    assert not table.weight[:2].equal(frozen)
    with torch.no_grad():
        table.weight[:2] = frozen
    assert table.weight[:2].equal(frozen)

# %%
# Prodigy, D-Adaptation: the learning rate stays too small
# --------------------------------------------------------
# These optimizers estimate their step size from all elements that they hold: gradient
# times the distance from the start, divided by the sum of the gradients (read in
# `prodigy.py
# <https://github.com/konstmish/prodigy/blob/main/prodigyopt/prodigy.py>`__). A row that
# you write back after each step has a gradient, but stays at distance zero: it adds to
# the sum below and nothing above, and the estimate becomes smaller. Set the gradient of
# the frozen rows to zero before ``step()``, too, or make the new rows a parameter of
# their own. The cell prints this ratio for a table with one new row and 49 frozen ones:
everything = torch.arange(50)


def estimate(*, masked):
    table = nn.Embedding.from_pretrained(torch.zeros(50, 2), freeze=False)
    optimizer, product, total = optim.SGD(table.parameters(), lr=0.01), 0.0, 0.0
    for _ in range(10):
        optimizer.zero_grad()
        (table(everything) - 1).square().sum().backward()
        gradient = table.weight.grad
        if masked:
            gradient[1:] = 0
        product += (gradient * -table.weight.detach()).sum().item()
        total += gradient.clone()
        optimizer.step()
        with torch.no_grad():
            table.weight[1:] = 0
    return product / total.abs().sum().item()


for masked in (False, True):
    print(f"{masked=}: {estimate(masked=masked):.4f}")
assert estimate(masked=True) > 40 * estimate(masked=False) > 0

# %%
# The gradient is projected, but AdamW still changes the frozen subspace
# ----------------------------------------------------------------------
# You subtract from each gradient its part along a direction, and the weight moves
# along this direction all the same. Adam, AdamW, RMSprop and Adagrad divide each
# element by a number of its own, so the update has another direction than the
# gradient. (A mask has no such problem: zero divided by a number is zero.) And weight
# decay shrinks the weight along every direction. Project the *update*: after
# ``step()``, subtract the part of the change along the direction. This works with every
# optimizer of the table below. For a subspace of several directions, make them
# orthonormal first: ``q, _ = torch.linalg.qr(directions)``, with one direction in each
# column, and subtract ``change @ q @ q.T``.
direction = nn.functional.normalize(torch.tensor([1.0, 2.0, 3.0]).double(), dim=0)


def projected(change):
    return change - (change @ direction)[:, None] * direction


def subspace_stays(make, what):
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(2, 3).double())
    optimizer, start = make([weight]), weight.detach() @ direction
    for _ in range(3):
        before, gradient = weight.detach().clone(), torch.randn(2, 3).double()
        weight.grad = projected(gradient) if what == "gradient" else gradient
        optimizer.step()
        if what == "update":
            with torch.no_grad():
                weight.copy_(before + projected(weight - before))
    return torch.allclose(weight @ direction, start, rtol=0, atol=1e-9)


print(f"{'':22}gradient  update")
for name, make in OPTIMIZERS.items():
    if name != "LBFGS":
        row = [subspace_stays(make, what) for what in ("gradient", "update")]
        print(f"{name:22}{row[0]!s:10}{row[1]}")
        assert row == [name in {"SGD", "SGD(momentum=0.9)"}, True]
directions, change = torch.randn(3, 2).double(), torch.randn(4, 3).double()
q, _ = torch.linalg.qr(directions)
along = (change - change @ q @ q.T) @ directions
assert torch.allclose(along, torch.zeros_like(along), atol=1e-9)

# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``torch.cat`` copies the whole table in each forward. Writing back doesn't.
# - The row of ``padding_idx`` has a gradient of zero, too, and weight decay moves it.
# - To freeze all rows, take ``nn.Embedding.from_pretrained(weight)``
#   (:torch:`torch.nn.Embedding`), see above.
assert torch.cat([frozen, trained]).data_ptr() not in (
    frozen.data_ptr(),
    trained.data_ptr(),
)
table = nn.Embedding.from_pretrained(torch.ones(4, 2), freeze=False, padding_idx=0)
table(ids).sum().backward()
assert not table.weight.grad[0].any()
optim.AdamW(table.parameters(), lr=0.1).step()
assert (table.weight[0] < 1).all()
assert not nn.Embedding.from_pretrained(torch.ones(2, 2)).weight.requires_grad

# %%
# Related: :doc:`/gallery/graph/zero_is_not_none`,
# :doc:`/gallery/modes/hooks_and_custom_functions`,
# :doc:`/gallery/still-moves/weight_decay_on_frozen_weights`.
