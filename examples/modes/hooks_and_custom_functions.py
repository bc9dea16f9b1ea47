"""
A hook that makes the gradient zero does not freeze the weight
==============================================================

AdamW applies weight decay even if the gradient is zero. Freeze with
``requires_grad_(False)``. Use hooks and custom functions for gradients that must
arrive, but in a changed form.
"""

# %%
import torch
from torch import nn


def train(freeze, make=torch.optim.AdamW, after=0, **options):
    w, v = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer, values = make([w, v], lr=0.1, **options), [w.item()]
    for step in range(50):
        if step == after:
            freeze(w)
        optimizer.zero_grad()
        (w * v).sum().backward()
        optimizer.step()
        values.append(w.item())
    return values


zeroed = train(lambda w: w.register_hook(torch.zeros_like))
frozen = train(lambda w: w.requires_grad_(False))
print(f"hook: {zeroed[-1]:.3f}  requires_grad_(False): {frozen[-1]:.3f}")
assert zeroed[-1] < 0.96
assert frozen == 51 * [1.0]

# %% tags=["hide-input"]
# The weight over 50 steps. Frozen, it stays where it is (solid line). With the hook it
# drifts towards zero (crosses).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(frozen, "C1-", lw=3, label="requires_grad_(False)")
ax.plot(zeroed, "C2x--", lw=2, ms=9, mew=2, markevery=5, label="register_hook")
ax.set(xlabel="step", ylabel="w")
ax.legend(loc="lower left")
plt.show()

# %%
# Is there an optimizer with which zero is enough?
# ------------------------------------------------
# Yes: ``SGD`` without momentum and weight decay. ``AdamW`` with ``weight_decay=0``
# keeps the weight only if the hook is there from the first step on. After a step with a
# gradient, momentum carries the weight further. A hook that sets ``.grad`` to ``None``
# stops both, because AdamW skips a parameter whose ``.grad`` is ``None``.


def zero_by_hook(w):
    w.register_hook(torch.zeros_like)


def clear(w):
    w.grad = None


def none_by_hook(w):
    w.register_post_accumulate_grad_hook(clear)


assert train(zero_by_hook, torch.optim.SGD) == frozen
assert train(zero_by_hook, weight_decay=0) == frozen
late = train(zero_by_hook, after=1, weight_decay=0)
assert late[2] < late[1]
late = train(none_by_hook, after=1)
assert late[1:] == 50 * [late[1]]

# %%
# Reverse a gradient
# ------------------
# A head learns to tell domains apart, and the backbone learns features in which it
# can't (`domain-adversarial training <https://arxiv.org/abs/1505.07818>`_). Between the
# two is a gradient reversal layer, a custom function or a hook: the values pass, the
# gradient changes its sign. Don't write it as the ``backward()`` of an ``nn.Module``,
# which is never called: :doc:`custom_functions_that_fail`.


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, features):
        return features.view_as(features)

    @staticmethod
    def backward(_ctx, gradient):
        return -gradient


def reverse_by_hook(features):
    features.register_hook(torch.neg)
    return features


torch.manual_seed(0)
backbone, head = nn.Linear(3, 2), nn.Linear(2, 1)
x = torch.ones(4, 3)


def gradients(change):
    loss = head(change(backbone(x))).sum()
    return torch.autograd.grad(loss, [backbone.weight, head.weight])


plain = gradients(nn.Identity())
for change in (Reverse.apply, reverse_by_hook):
    of_backbone, of_head = gradients(change)
    assert of_backbone.equal(-plain[0])
    assert of_head.equal(plain[1])


# %%
# Gradient reversal: why ``x.view_as(x)``, and which parameters become negative?
# ------------------------------------------------------------------------------
# Only what lies *before* the layer, the backbone, gets the reversed gradient. The
# domain classifier behind it trains as usual: its gradient is computed before the layer
# turns the sign.
#
# ``view_as(x)`` is a new tensor on the same memory, so the layer costs no copy, and the
# output is not the input itself: it needs a ``grad_fn`` of its own, the one that calls
# ``backward()``. If you return ``x``, PyTorch makes this view by itself, and the
# gradient is the same (2.13). Either way, an operation in place right behind the layer,
# such as ``ReLU(inplace=True)``, raises an error; return ``x.clone()`` there.
#
# With a factor alpha, ``backward()`` returns one value for each argument of
# ``forward()``: None for alpha, which is a number.
class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features, alpha, way):
        ctx.alpha = alpha
        return way(features)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.alpha * gradient, None, None


ways = {
    "x": lambda x: x,
    "x.view_as(x)": lambda x: x.view_as(x),
    "x.clone()": torch.clone,
}
for name, way in ways.items():
    features = backbone(x)
    out = Scaled.apply(features, 0.5, way)
    weights = [backbone.weight, head.weight]
    of_backbone, of_head = torch.autograd.grad(head(out).sum(), weights)
    assert of_backbone.equal(-0.5 * plain[0])
    assert of_head.equal(plain[1])
    assert out is not features
    try:
        out.relu_()
    except RuntimeError as error:
        message = str(error)
    else:
        message = ""
    print(f"{name:13}same memory: {out.data_ptr() == features.data_ptr()}")
    refused = "is a view and is being modified inplace" in message
    assert refused == (name != "x.clone()")

# %%
# DANN: plus or minus domain_loss? With the gradient reversal layer it is plus
# ----------------------------------------------------------------------------
# ``loss = class_loss + theta * domain_loss``: the domain classifier has to become
# *good*, so its own gradient keeps its sign. The layer turns only the gradient that
# goes on to the backbone. If you remove the layer and write ``class_loss - theta *
# domain_loss`` instead, the backbone gets the same gradient, but the domain classifier
# is trained to be wrong. Both together then raise this loss without limit, and the
# features need not become more alike for it.
#
# A minus without the layer is right in two steps with two optimizers, as in a GAN:
#
# - the discriminator minimises ``domain_loss`` on ``features.detach()``,
# - the backbone minimises ``class_loss - theta * domain_loss`` on features that are not
#   detached. This ``backward()`` also puts a gradient, with the wrong sign, into the
#   discriminator: clear it with ``zero_grad()`` before the next update of the
#   discriminator, or freeze the discriminator while the backbone is updated.
#
# The gradient that the backbone gets is that of the layer, as long as the discriminator
# is the same. Here it is updated in between: :doc:`/gallery/three-ways/detach_in_a_gan`
# has the order of such a loop.
classifier, theta = nn.Linear(2, 1), 0.5
labels, domains = torch.rand(4, 1).round(), torch.tensor([[0.0], [0], [1], [1]])
entropy = nn.functional.binary_cross_entropy_with_logits
samples = torch.randn(4, 3)


def of_dann(change, sign):
    features = backbone(samples)
    class_loss = entropy(classifier(features), labels)
    domain_loss = entropy(head(change(features)), domains)
    loss = class_loss + sign * theta * domain_loss
    return torch.autograd.grad(loss, [backbone.weight, head.weight])


of_head_alone = torch.autograd.grad(
    entropy(head(backbone(samples).detach()), domains), head.weight
)[0]
with_layer, with_minus = of_dann(Reverse.apply, 1), of_dann(nn.Identity(), -1)
print("same gradient for the backbone:", with_layer[0].allclose(with_minus[0]))
for name, (_, of_head) in {"plus, layer": with_layer, "minus": with_minus}.items():
    learns = torch.sum(of_head * of_head_alone) > 0
    print(f"{name:11} the domain classifier learns: {learns.item()}")
    assert learns == (name == "plus, layer")
torch.testing.assert_close(with_layer[0], with_minus[0])
torch.testing.assert_close(with_layer[1], theta * of_head_alone)
torch.testing.assert_close(with_minus[1], -theta * of_head_alone)

# Wrong: one optimizer for both, and the minus.
pair = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
optimizer = torch.optim.SGD(pair.parameters(), lr=0.5)
for _ in range(200):
    domain_loss = entropy(pair(samples), domains)
    optimizer.zero_grad()
    (-theta * domain_loss).backward()
    nn.utils.clip_grad_norm_(pair.parameters(), 1.0)
    optimizer.step()
print("domain_loss > 100:", domain_loss.item() > 100)
assert domain_loss > 100

# %%
# DANN: the domain classifier's loss stays at 0.69, or goes to 0: is it learning?
# -------------------------------------------------------------------------------
# To see whether it learns, set the factor of the reversal to 0 from the start, for some
# hundred steps: the loss must fall far below 0.69. That is ln 2, a guess between two
# domains of the same size (1.39, if the losses of source and target are added), which
# the reversal aims at, and which a classifier shows, too, that never learned. If it
# stays:
#
# - The parameters of the classifier are not in the optimizer, or their learning rate is
#   too small.
# - Both domains have the same label, or the labels don't belong to the batch.
# - A sigmoid stands before ``BCEWithLogitsLoss``: the loss can't fall below 0.5.
# - The features of the two domains do not differ.
# - The reversal is inside the classifier or right before the loss. What stands before
#   it is trained to be wrong: with the loss right behind it, the loss grows and grows.
#
# If it falls there, and stays at 0.69 with the reversal, that is the balance. Judge by
# the accuracy on the target, and by a *new* classifier that you train on the finished,
# detached features: if it tells the domains apart, the old one was too weak. A loss
# that goes to 0 with the reversal means that the backbone does not follow: it is frozen
# or not in the optimizer, the factor is too small or was not handed to the layer, or
# the layer is missing. The `paper <https://arxiv.org/abs/1505.07818>`__ raises the
# factor from 0 to 1 by ``2 / (1 + exp(-10 * p)) - 1``, where ``p`` is the finished
# share of the training.
cloud = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
domain = torch.arange(64).remainder(2).float()[:, None]
cloud[:, :1] += 4 * domain


def domain_losses(factor):
    torch.manual_seed(0)
    extractor = nn.Linear(3, 2)
    domain_classifier = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    learned = [*extractor.parameters(), *domain_classifier.parameters()]
    optimizer, losses = torch.optim.SGD(learned, lr=0.2), []
    for _ in range(100):
        features = Scaled.apply(extractor(cloud), factor, ways["x.view_as(x)"])
        loss = entropy(domain_classifier(features), domain)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


curves = {
    "factor 0": domain_losses(0.0),
    "factor 1": domain_losses(1.0),
    "no reversal": domain_losses(-1.0),
}
for name, losses in curves.items():
    print(f"{name:12}{losses[0]:.2f} -> {losses[-1]:.2f}")
assert 0.6 < curves["factor 0"][0] < 0.8
assert curves["factor 0"][-1] < 0.3
assert all(0.6 < loss < 0.8 for loss in curves["factor 1"][-20:])
assert curves["no reversal"][-1] < 0.1
assert entropy(domain, domain) > 0.5  # the best that two sigmoids can give

# %%
# Multiply the gradient of a branch by 0.1: a hook, or a sum with ``detach()``
# ----------------------------------------------------------------------------
# ``h.detach() + s * (h - h.detach())`` has the value of ``h``, if that is finite, and
# sends ``s`` times the gradient back. Use it for an auxiliary head that is to change
# the backbone only a little, or for the unrolled steps of MuZero. The head itself gets
# its whole gradient, which a smaller weight of its loss would not give it.
#
# A hook does the same, and keeps infinite values, such as masked scores. But on
# ``features`` it scales the gradient of *all* branches that read them: put it on
# ``features.view_as(features)``, which only this branch reads.


def scale_by_sum(features):
    return features.detach() + 0.1 * (features - features.detach())


def scale_by_hook(features):
    branch = features.view_as(features)
    branch.register_hook(lambda gradient: 0.1 * gradient)
    return branch


other_head = nn.Linear(2, 1)
features = backbone(x)
(of_other,) = torch.autograd.grad(
    other_head(features).sum(), backbone.weight, retain_graph=True
)
for change in (scale_by_sum, scale_by_hook):
    of_backbone, of_head = gradients(change)
    torch.testing.assert_close(of_backbone, 0.1 * plain[0])
    assert of_head.equal(plain[1])
    assert change(features).equal(features)
    loss = head(change(features)).sum() + other_head(features).sum()
    (of_both,) = torch.autograd.grad(loss, backbone.weight, retain_graph=True)
    torch.testing.assert_close(of_both, 0.1 * plain[0] + of_other)
masked = torch.tensor([-torch.inf], requires_grad=True)
assert scale_by_sum(masked).isnan().all()
assert scale_by_hook(masked).equal(masked)

# %%
# A hook multiplies the gradient by 10, and Adam takes the same step
# ------------------------------------------------------------------
# Adam, AdamW, RMSprop and Adagrad divide by the size of the gradient, so a constant
# factor has nearly no effect, unless the gradient is as small as ``eps``. If it begins
# in the middle of the training, the steps are larger until the averages have followed:
# with Adam for about 1000 steps. (In Adam, a ``weight_decay`` is added to the gradient,
# and counts for less then.) Give the layer a parameter group with an ``lr`` of its own.
# In SGD the factor acts like a larger ``lr``.
#
# To clip, call ``clip_grad_norm_()`` or ``clip_grad_value_()`` before ``step()`` rather
# than in a hook. The hook sees the gradient of one ``backward()``, not the sum over the
# parts of a gradient accumulation, and with a ``GradScaler`` the gradient is still
# multiplied by the scale.


def first_step(make, factor):
    weight = nn.Parameter(torch.ones(1))
    weight.register_hook(lambda gradient: factor * gradient)
    optimizer = make([weight], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    return 1 - weight.item()


optim = torch.optim
for make in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad):
    moved = [first_step(make, factor) for factor in (1, 2)]
    print(f"{make.__name__:8} {moved[0]:.3f} {moved[1]:.3f}")
    assert (abs(moved[0] - moved[1]) > 1e-3) == (make is optim.SGD)


def late_step(make):
    weight = nn.Parameter(torch.zeros(1))
    optimizer = make([weight], lr=0.1)
    steps = []
    for factor in 100 * [1.0] + 5 * [10.0]:
        before, weight.grad = weight.item(), torch.full((1,), factor)
        optimizer.step()
        steps.append(before - weight.item())
    return steps[-1] / steps[99]


assert late_step(optim.Adam) > 1.5
assert late_step(optim.Adagrad) > 1.5

scaler, seen = torch.amp.GradScaler("cpu", init_scale=1024.0), []
weight = nn.Parameter(torch.ones(1))
weight.register_hook(lambda gradient: seen.append(gradient.item()))
optimizer = optim.SGD([weight], lr=0.1)
scaler.scale(weight.sum()).backward()
scaler.unscale_(optimizer)
print(seen, weight.grad.item())
assert seen == [1024]
assert weight.grad.item() == 1
weight.sum().backward()  # a second part of the same step
assert seen == [1024, 1]
assert weight.grad.item() == 2

# %%
# Skip a gradient that nothing needs
# ----------------------------------
# ``ctx.needs_input_grad`` tells which inputs need a gradient
# (:torch:`torch.autograd.Function.backward`). With a frozen weight this layer saves no
# input and returns ``None`` for the weight. The input gets its gradient as before.


class LinearFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return x @ weight.T

    @staticmethod
    def backward(ctx, gradient):
        print(f"needs_input_grad: {ctx.needs_input_grad}")
        x, weight = ctx.saved_tensors
        for_x = gradient @ weight if ctx.needs_input_grad[0] else None
        for_weight = gradient.T @ x if ctx.needs_input_grad[1] else None
        return for_x, for_weight


for is_frozen in (False, True):
    x = torch.ones(4, 3, requires_grad=True)
    weight = nn.Parameter(torch.ones(2, 3), requires_grad=not is_frozen)
    y = LinearFunction.apply(x, weight)
    assert (y.grad_fn.saved_tensors[0] is None) == is_frozen
    y.sum().backward()
    assert (weight.grad is None) == is_frozen
    assert x.grad.tolist() == 4 * [[2.0, 2.0, 2.0]]

# %%
# Where it ends
# -------------
# - ``LBFGS`` updates all parameters that it holds from its history. After a step with a
#   gradient, neither ``requires_grad_(False)`` nor a ``.grad`` of ``None`` stops it:
#   give it only the parameters that train.
# - A hook can't be registered on the features of a frozen backbone, which require no
#   gradient. ``Reverse`` accepts them.


def with_lbfgs(freeze):
    w, v = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.LBFGS([w, v], lr=0.1, max_iter=4)

    def closure():
        optimizer.zero_grad()
        loss = ((w - 3) ** 2 * (1 + v**2) + (v - 2) ** 4).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    freeze(w)
    before = w.item()
    optimizer.step(closure)
    return w.item() - before


for freeze in (zero_by_hook, none_by_hook, lambda w: w.requires_grad_(False)):
    assert with_lbfgs(freeze) != 0

features = backbone.requires_grad_(False)(torch.ones(4, 3))
assert not Reverse.apply(features).requires_grad
try:
    reverse_by_hook(features)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a hook was registered where no gradient arrives")
assert "cannot register a hook on a tensor that doesn't require grad" in message

# %%
# Related: :doc:`/gallery/graph/zero_is_not_none`,
# :doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`,
# :doc:`/gallery/three-ways/through_or_blocked`. Source:
# :torch:`torch.Tensor.register_hook`.
