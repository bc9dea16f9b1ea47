"""
A frozen layer lets the gradient through; detach() and no_grad() stop it
========================================================================

Freeze a layer with ``requires_grad_(False)``, and the gradient passes through to the
layers before it. With ``detach()`` or ``no_grad()`` instead, it stops on that path, and
they don't train.
"""

# %%
import torch

torch.manual_seed(0)
a, b, c = (torch.nn.Linear(2, 2) for _ in range(3))
x = torch.ones(4, 2)
with torch.no_grad():
    h = b(a(x))  # wrong: a gets no gradient, either
c(h).sum().backward()
print(a.weight.grad)
assert a.weight.grad is None
b.requires_grad_(False)  # right
c(b(a(x))).sum().backward()
print(a.weight.grad, b.weight.grad)
assert a.weight.grad is not None
assert b.weight.grad is None

# %%
# Train only the first layer: does the gradient pass the frozen later layers?
# ---------------------------------------------------------------------------
# It does. That a frozen layer stops the gradient is a common belief. Here are three
# layers in a row, ``a``, ``b`` and ``c``, and four ways in which people freeze the
# middle one. Which weights get a gradient?
torch.nn.ModuleList([a, b, c]).requires_grad_(True).zero_grad()


def gradients(middle):
    c(middle(a(x))).sum().backward()
    found = [layer.weight.grad for layer in (a, b, c)]
    torch.nn.ModuleList([a, b, c]).requires_grad_(True).zero_grad()
    return found


results = {
    "b(h)": gradients(b),
    "b.requires_grad_(False)": gradients(b.requires_grad_(False)),
    "b(h.detach())": gradients(lambda h: b(h.detach())),
    "b(h).detach()": gradients(lambda h: b(h).detach()),
    "no_grad(): b(h)": gradients(torch.no_grad()(b.forward)),  # no_grad as a decorator
}
reached = {way: [g is not None for g in row] for way, row in results.items()}
print(f"{'weight.grad':23}{'a':>7}{'b':>7}{'c':>7}")
for way, row in reached.items():
    print(f"{way:23}" + "".join(f"{'Tensor' if got else 'None':>7}" for got in row))
assert reached == {
    "b(h)": [True, True, True],
    "b.requires_grad_(False)": [True, False, True],
    "b(h.detach())": [False, True, True],
    "b(h).detach()": [False, False, True],
    "no_grad(): b(h)": [False, False, True],
}

# %% tags=["hide-input"]
# Of these, only ``b.requires_grad_(False)`` freezes ``b`` and nothing else.
# ``b(h.detach())`` does the reverse: ``b`` trains, and ``a`` doesn't.
#
# Follow the gradient from the loss (diamond) to the left. It passes the frozen layer
# (hatched) and stops at a cut (cross). A layer that it does not reach (dashed) does not
# learn.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
trains, frozen = {"ec": "C0"}, {"ec": "C1", "hatch": "////"}
cut_off, gradient = {"ec": "C2", "ls": "--"}, {"arrowstyle": "->", "ec": "C3"}
for y, row in enumerate(reached.values()):
    last = row.index(True)  # the last layer that the gradient reaches
    for place, got in enumerate(row):
        look = trains if got else frozen if place > last else cut_off
        line = gradient if place >= last else {"arrowstyle": "-"} | cut_off
        ax.scatter(place, y, s=450, marker="s", fc="none", lw=2, **look)
        ax.annotate("", (place + 0.2, y), (place + 0.8, y), arrowprops=line | {"lw": 2})
    ax.scatter(3, y, s=250, marker="D", fc="none", ec="C3", lw=2)
    if last > 0:
        ax.scatter(last - 0.5, y, s=120, marker="x", color="C2", lw=3)
ax.set_xticks(range(4), ["a", "b", "c", "loss"])
ax.set_yticks(range(5), reached)
ax.tick_params(length=0, labeltop=True, labelbottom=False)
ax.set_frame_on(False)
ax.margins(0.1)
ax.invert_yaxis()
plt.show()

# %%
# What passes is the whole gradient
# ---------------------------------
# To reach ``a``, backward multiplies by the weights of ``b``. It needs their values,
# not their gradient. So ``a`` gets exactly what it gets when ``b`` trains. This is also
# true with a batch norm in training mode.
assert results["b.requires_grad_(False)"][0].equal(results["b(h)"][0])
norm = torch.nn.BatchNorm1d(2)
data = torch.randn(4, 2)
(trains,) = torch.autograd.grad(norm(a(data)).exp().sum(), a.weight)
norm.requires_grad_(False)
(frozen,) = torch.autograd.grad(norm(a(data)).exp().sum(), a.weight)
assert frozen.equal(trains)

# %%
# QLoRA, LoRA: why does the backward pass need the frozen ``W``? The gradients derived
# ------------------------------------------------------------------------------------
# To pass the gradient on to the layers before this one. With
# ``Y = X @ W + s * X @ L1 @ L2``, let ``dY`` be the gradient of the loss with respect
# to ``Y``. A product ``A @ B`` gives ``A`` the gradient ``dY @ B.T``, and ``B`` the
# gradient ``A.T @ dY``. So:
#
# - ``dL2 = s * (X @ L1).T @ dY`` and ``dL1 = s * X.T @ dY @ L2.T``: without ``W``.
# - ``dX = dY @ W.T + s * dY @ (L1 @ L2).T``: with ``W``. ``X`` comes from the layers
#   before, and their adapters get their gradient through ``dX`` alone.
# - ``dW = X.T @ dY`` would be the gradient *of* ``W``. It is not computed.
#
# ``W`` is thus needed where an adapter, or anything else that trains, comes before the
# layer, and not where ``X`` requires no gradient. In QLoRA, ``W`` is stored in 4 bits.
# bitsandbytes saves it like that, dequantizes it in the forward, and once more in the
# backward pass for ``dY @ W.T`` (read in `its source
# <https://github.com/bitsandbytes-foundation/bitsandbytes/blob/main/bitsandbytes/autograd/_functions.py>`__,
# not run). The 4-bit numbers get no gradient.
double = {"dtype": torch.float64}
W, scale = torch.randn(4, 3, **double), 0.5
X, L1, L2 = (
    torch.randn(*shape, **double, requires_grad=True)
    for shape in ((5, 4), (4, 2), (2, 3))
)


def layer_saves_w():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, id):
        X @ W + scale * X @ L1 @ L2
    return any(tensor.data_ptr() == W.data_ptr() for tensor in saved)


Y = X @ W + scale * X @ L1 @ L2
Y.square().sum().backward()
dY = 2 * Y.detach()
with torch.no_grad():
    torch.testing.assert_close(L2.grad, scale * (X @ L1).T @ dY)
    torch.testing.assert_close(L1.grad, scale * X.T @ dY @ L2.T)
    torch.testing.assert_close(X.grad, dY @ W.T + scale * dY @ (L1 @ L2).T)
needs_w = {}
for asked in (True, False):
    X.requires_grad_(asked)
    needs_w[asked] = layer_saves_w()
print("X requires a gradient: W is saved:", needs_w, "W.grad:", W.grad)
assert needs_w == {True: True, False: False}
assert W.grad is None

# %%
# Can I run a frozen network under ``no_grad()``?
# -----------------------------------------------
# Not if something before it must learn, be it a layer or the input itself:
# ``no_grad()`` on an encoder or a critic blocks the gradient to its input. Here a
# frozen critic scores the output of ``a``, and ``a`` learns from the score. Put the
# critic under ``no_grad()``, and ``a`` has nothing to learn from.
critic = torch.nn.Sequential(b, c).requires_grad_(False)
a.zero_grad()
critic(a(x)).sum().backward()
assert a.weight.grad is not None
with torch.no_grad():
    loss = critic(a(x)).sum()
try:
    loss.backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("backward() ran without a record")

# %%
# The head is frozen, and its loss still changes the backbone
# -----------------------------------------------------------
# With ``requires_grad=False`` the head does not train, but its loss still sends
# gradients through it into the backbone. If this loss must not affect the backbone,
# leave it out of the sum, or give the head ``features.detach()``, or run it under
# ``no_grad()`` if you only want to look at the loss. With two heads, the backbone then
# learns from the other one alone.
backbone, head, other_head = (torch.nn.Linear(2, 2) for _ in range(3))
head.requires_grad_(False)
features = backbone(x)
other_loss = other_head(features).square().mean()
wrong = other_loss + head(features).sum()
right = other_loss + head(features.detach()).sum()
only, of_wrong, of_right = (
    torch.autograd.grad(loss, backbone.weight, retain_graph=True)[0]
    for loss in (other_loss, wrong, right)
)
print(of_wrong.equal(only), of_right.equal(only))
assert not of_wrong.allclose(only)
assert of_right.equal(only)

# %%
# The same network twice in one loss: only one of the two passes trains it
# ------------------------------------------------------------------------
# In a cycle or a consistency loss, such as ``encoder(decoder(encoder(x)))``, the second
# pass often must only measure: the gradient goes through it into the decoder, and the
# encoder learns from its first pass alone. Call the second pass by ``functional_call``,
# with detached parameters. Or set ``requires_grad`` to False for the second pass only,
# and to True again before ``backward()``: what was not recorded gets no gradient later,
# either.
#
# Freezing the encoder until after ``backward()`` would take the gradient of both
# passes, and ``no_grad()`` around the second pass that of the decoder. A batch norm in
# train mode updates its statistics in both passes.
import copy

from torch.func import functional_call

encoder, decoder = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)


def by_call(z):
    constants = {name: p.detach() for name, p in encoder.named_parameters()}
    return functional_call(encoder, constants, (z,))


def by_flag(z):
    encoder.requires_grad_(False)
    output = encoder(z)
    encoder.requires_grad_(True)
    return output


def cycle_gradients(second_pass):
    loss = second_pass(decoder(encoder(x))).square().mean()
    return torch.autograd.grad(loss, [encoder.weight, decoder.weight])


expected = cycle_gradients(copy.deepcopy(encoder).requires_grad_(False))
ways = {"both passes": encoder, "functional_call": by_call, "requires_grad_": by_flag}
for way, second_pass in ways.items():
    found = cycle_gradients(second_pass)
    same = [a.allclose(b) for a, b in zip(found, expected, strict=True)]
    print(f"{way:16} encoder, decoder as with a frozen copy: {same}")
    assert same == [way != "both passes", True]
norm = torch.nn.BatchNorm1d(2)
constants = {name: p.detach() for name, p in norm.named_parameters()}
functional_call(norm, constants, (x,))
assert norm.num_batches_tracked == 1

# %%
# Frozen in the middle: ControlNet, and adapters inside a frozen UNet
# -------------------------------------------------------------------
# ControlNet adds the output of a trained branch to the features of a frozen UNet. An
# adapter inside of a frozen network is the same case. The gradient must pass the frozen
# layers between the branch and the loss: freeze the UNet with
# ``requires_grad_(False)``, and put no ``no_grad()`` and no ``detach()`` around its
# decoder. The encoder gets nothing from the branch, so it may run under ``no_grad()``.
#
# What does freezing save? The gradients and the optimizer's state of the UNet, and the
# activations of its encoder. In the decoder, a frozen linear layer no longer keeps its
# input. A frozen convolution still does, and so does each nonlinear function that needs
# it (:doc:`/gallery/cost/frozen_layers_that_keep_their_input`).
encoder, decoder = (
    torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.SiLU()) for _ in range(2)
)
branch, zero = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
torch.nn.init.zeros_(zero.weight)
torch.nn.init.zeros_(zero.bias)


def saved_for_backward(is_frozen):
    torch.nn.ModuleList([encoder, decoder]).requires_grad_(not is_frozen)
    parts, saved = [], []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, id):
        features = encoder(x)
        parts.append(len(saved))
        features = features + zero(branch(x))
        before = len(saved)
        decoder(features)
        parts.append(len(saved) - before)
    return parts


counts = {is_frozen: saved_for_backward(is_frozen) for is_frozen in (False, True)}
for is_frozen, (in_encoder, in_decoder) in counts.items():
    print(f"frozen {is_frozen!s:6} saved: encoder {in_encoder}, decoder {in_decoder}")
assert counts[True][0] == 0
assert counts[True][1] == counts[False][1] - 1 > 0
conv = torch.nn.Conv1d(4, 4, 3).requires_grad_(False)
signal = torch.ones(1, 4, 5, requires_grad=True)
assert conv(signal).grad_fn._saved_input.data_ptr() == signal.data_ptr()

decoder(encoder(x) + zero(branch(x))).sum().backward()
with torch.no_grad():
    features = encoder(x)
wrong = torch.no_grad()(decoder)(features + zero(branch(x)))
print(zero.weight.grad.any().item(), branch.weight.grad.any().item())
assert decoder[0].weight.grad is None
assert zero.weight.grad.any()
assert not branch.weight.grad.any()
assert not wrong.requires_grad

# %%
# In the first step the branch has a gradient of zero, because the weights of the zero
# layer behind it are 0. That is intended: the zero layer itself gets a gradient, and
# after its first step the branch does, too. A UNet with a checkpoint function of its
# own, as in the code of LDM, may raise ``One of the differentiated Tensors does not
# require grad`` once it is frozen: :doc:`/gallery/modes/custom_functions_that_fail`.
# Put ``torch.utils.checkpoint`` with ``use_reentrant=False`` in its place.
with torch.no_grad():
    zero.weight -= 0.1 * zero.weight.grad
decoder(features + zero(branch(x))).sum().backward()
assert branch.weight.grad.any()

# %%
# Why do the last layers of a reference UNet need no gradient?
# ------------------------------------------------------------
# If the loss reads only features from inside a network, for instance those of its
# attention layers, the layers behind the last of them have no effect on the loss. They
# get no gradient, although they are trainable, and under DDP they raise
# :doc:`/reference/errors/expected_to_have_finished_reduction`. Freeze them before you
# wrap the network, or leave them out of the forward, which saves their work, too.
read = []
unet = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(3)))
unet[1].register_forward_hook(lambda _module, _inputs, output: read.append(output))
unet(x)
read[0].sum().backward()
print([layer.weight.grad is not None for layer in unet])
assert [layer.weight.grad is not None for layer in unet] == [True, True, False]

# %%
# When the frozen part comes first, as a backbone does, ``no_grad()`` adds nothing:
# if neither its input nor a parameter of it requires a gradient, it has no record.
assert critic(x).grad_fn is None

# %%
# Where it ends
# -------------
# - A path around the cut, such as a residual connection, still leads to ``a``.
# - An operation without a derivative stops the gradient, frozen or not: here
#   ``argmax()``.
# - If the *input* requires a gradient, a frozen backbone is recorded.
# - In train mode, a frozen batch norm still moves its running mean.
a.zero_grad()
h = a(x)
(h + b(h).detach()).sum().backward()
assert a.weight.grad is not None
assert b(h).argmax().grad_fn is None
assert critic(x.clone().requires_grad_()).grad_fn is not None
assert norm.running_mean.any()

# %%
# Freeze with ``requires_grad_(False)`` when something before the layer must learn. Cut
# when nothing before it may learn.
#
# Related: :doc:`which_one_do_i_need`, :doc:`detach_in_a_gan`,
# :doc:`freeze_before_or_after_the_optimizer`.
