"""
PCGrad, GradNorm, loss weights: take the gradient of each task by itself
========================================================================

After ``sum(losses).backward()``, ``.grad`` holds one sum, and no method can tell the
tasks apart. Take the gradient of each loss with ``torch.autograd.grad()``, combine
them, and write the result to ``.grad`` of the shared part.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
shared = nn.Linear(3, 4)
heads = nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 1)])
heads[1].load_state_dict(heads[0].state_dict())
x, target = torch.randn(8, 3), torch.randn(8, 1)
features = shared(x)
tasks = [(heads[0](features), 3 * target), (heads[1](features), -3 * target)]
losses = [(output - wanted).square().mean() for output, wanted in tasks]
sum(losses).backward(retain_graph=True)
wrong = [shared.weight.grad]  # one sum
right = [torch.autograd.grad(v, shared.weight, retain_graph=True)[0] for v in losses]
print(len(wrong), "gradient:  a sum", wrong[0].allclose(sum(right), atol=1e-6))
print(len(right), "gradients: conflict", ((right[0] * right[1]).sum() < 0).item())
assert wrong[0].allclose(sum(right), atol=1e-6)
assert (right[0] * right[1]).sum() < 0

# %%
# PCGrad: the whole loop, for shared parameters and heads
# -------------------------------------------------------
# If the gradients of two tasks point against each other, PCGrad removes from each the
# part along the other one. Do it on *one* vector of all shared parameters for each
# task, not parameter by parameter, and not on ``.grad`` after a common ``backward()``,
# where it has no effect. A head gets the gradient of its own loss: ``inputs=`` keeps
# this ``backward()`` out of the shared part. (If the gradients of the tasks have
# different lengths, a head was among the shared parameters.)


def pcgrad(gradients):
    merged = []
    for i, gradient in enumerate(gradients):
        mine = gradient.clone()
        for j in torch.randperm(len(gradients)).tolist():
            overlap = mine @ gradients[j]
            if i != j and overlap < 0:
                mine -= overlap / gradients[j].square().sum() * gradients[j]
        merged.append(mine)
    return sum(merged)


def flat_gradient(loss, parameters):
    found = torch.autograd.grad(loss, parameters, retain_graph=True)
    return torch.cat([gradient.flatten() for gradient in found])


trunk = list(shared.parameters())
optimizer = torch.optim.Adam([*trunk, *heads.parameters()], lr=0.01)
for _ in range(20):
    features = shared(x).tanh()
    tasks = [(heads[0](features), target), (heads[1](features), 2 - target)]
    losses = [(output - wanted).square().mean() for output, wanted in tasks]
    optimizer.zero_grad()
    gradients = [flat_gradient(loss, trunk) for loss in losses]
    sum(losses).backward(inputs=list(heads.parameters()))
    pieces = pcgrad(gradients).split([p.numel() for p in trunk])
    for parameter, piece in zip(trunk, pieces, strict=True):
        parameter.grad = piece.view_as(parameter).clone()
    optimizer.step()

first, second = torch.tensor([1.0, 0.5]), torch.tensor([-1.0, 0.5])
print("sum:   ", (first + second).tolist())
merged = pcgrad([first, second]).tolist()
print("PCGrad:", [round(value, 2) for value in merged])
agreeing = [first, first + 1]
assert pcgrad(agreeing).equal(sum(agreeing))
assert all(pcgrad([first, second]) @ gradient >= 0 for gradient in (first, second))

# %%
# ``autograd.grad()`` bypasses the averaging of DDP and the scale of ``GradScaler``:
# :doc:`/gallery/graph/gradients_of_some_inputs` says what to do. Clip after merging.
#
# Do PCGrad, GradNorm or uncertainty weights help? Which one do I take?
# ---------------------------------------------------------------------
# First the plain sum, with fixed weights that were tuned. Two studies found that no
# method for merging gradients was better than that, if rates and regularization were
# tuned alike (`Kurin et al.
# <https://arxiv.org/abs/2201.04122>`__, `Xin et al.
# <https://arxiv.org/abs/2209.11379>`__), and each needs one backward pass per task. A
# negative cosine alone is no reason: near a minimum the gradients of the tasks cancel,
# whatever you do. So compare, on validation data:
#
# - each task alone, as what is possible,
# - fixed weights, after bringing the losses to a similar size (next section),
# - learned weights, which follow the size of each loss: :doc:`losses_with_parameters`,
# - PCGrad or GradNorm, if the tasks still harm each other. Separate layers for the
#   tasks can do more.
#
# One loss is a thousand times larger: only one of the two losses falls
# ---------------------------------------------------------------------
# What counts is not the value of a loss but the norm of its gradient in the shared
# part. Measure it there once, and choose the weights so that both are alike. To let the
# weights follow, divide by the *detached* value: each term is then 1, and its gradient
# is the relative one, as of ``loss.log()``. Without ``detach()``, ``loss / loss`` has a
# gradient of zero. The terms no longer fall: log the losses themselves.
#
# An optimizer such as Adam does not balance this. It divides by the size of the *sum*,
# in which the large loss dominates. Only a head that has one loss alone is unaffected
# by its weight.
features = shared(x).tanh()
small = 0.001 * (heads[0](features) - target).square().mean()
large = (heads[1](features) - 2 + target).square().mean()


def norms(*terms):
    return [flat_gradient(term, trunk).norm().item() for term in terms]


ratios = {}
for name, terms in {
    "as they are": (small, large),
    "loss / loss.detach()": (small / small.detach(), large / large.detach()),
}.items():
    of_small, of_large = norms(*terms)
    ratios[name] = of_large / of_small
    print(f"{name:21} ratio below 20: {ratios[name] < 20}")
assert ratios["as they are"] > 100
assert ratios["loss / loss.detach()"] < 20
assert norms(small / small)[0] < 1e-6
logged, relative = (
    flat_gradient(term, trunk) for term in (large.log(), large / large.detach())
)
torch.testing.assert_close(logged, relative)

# %%
# GradNorm: ``element 0 of tensors does not require grad``, or the weights never change
# -------------------------------------------------------------------------------------
# The loss of GradNorm is made of *norms of gradients*, and it trains the weights. So
# these norms need a graph: ``torch.autograd.grad(..., create_graph=True)``. With
# ``retain_graph=True`` alone they are constants. The network itself is trained with
# ``weights.detach()``, the target of the norms is detached, and after each step the
# weights are scaled to the sum of the tasks. Take the *last shared layer*, one tensor,
# not all parameters: it is cheaper, and it is what the paper does.
weights = nn.Parameter(torch.ones(2))
first_losses = torch.tensor([1.0, 1.0])


def gradnorm_loss(*, create_graph):
    features = shared(x).tanh()
    outputs = (heads[0](features), target), (heads[1](features), 2 - target)
    losses = torch.stack([(o - wanted).square().mean() for o, wanted in outputs])
    found = [
        torch.autograd.grad(
            weight * loss, shared.weight, create_graph=create_graph, retain_graph=True
        )[0].norm()
        for weight, loss in zip(weights, losses, strict=True)
    ]
    sizes = torch.stack(found)
    pace = losses.detach() / first_losses
    wanted = (sizes.mean() * (pace / pace.mean()) ** 1.5).detach()
    return (sizes - wanted).abs().sum(), (weights.detach() * losses).sum()


try:
    gradnorm_loss(create_graph=False)[0].backward()  # wrong
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the norms had a graph")
of_weights, of_network = gradnorm_loss(create_graph=True)  # right
(weights.grad,) = torch.autograd.grad(of_weights, weights, retain_graph=True)
of_network.backward()
torch.optim.SGD([weights], lr=0.1).step()
with torch.no_grad():
    weights *= 2 / weights.sum()
print(weights.grad.any().item(), round(weights.sum().item(), 4))
assert weights.grad.any()
assert not weights.detach().equal(torch.ones(2))

# %%
# VQGAN, VAE of latent diffusion: ``calculate_adaptive_weight`` fails, or is 0 or nan
# -----------------------------------------------------------------------------------
# The weight of the discriminator's term is the ratio of two gradients *by the last
# layer of the decoder*, ``last_layer``, and is detached. It is a number, and trains
# nothing itself. `The code
# <https://github.com/CompVis/taming-transformers/blob/master/taming/modules/losses/vqperceptual.py>`__
# catches every ``RuntimeError`` and asserts that it is not training:
#
# - An ``AssertionError`` in training: the decoder or its last layer is frozen, so there
#   is no such gradient. Pass another layer that trains, or use a fixed weight.
# - A weight of 0 in the validation is normal: there is no graph.
# - ``nan`` often comes with float16: compute this ratio in float32. Before
#   ``disc_start`` the term is off.
last_layer, judge = nn.Linear(3, 2), nn.Linear(2, 1)
hidden, picture = torch.randn(8, 3, requires_grad=True), torch.randn(8, 2)


def adaptive_weight():
    output = last_layer(hidden)
    losses = nn.functional.l1_loss(output, picture), -judge(output).mean()
    norms = [
        torch.autograd.grad(loss, last_layer.weight, retain_graph=True)[0].norm()
        for loss in losses
    ]
    return (norms[0] / (norms[1] + 1e-4)).clamp(0, 1e4).detach()


weight = adaptive_weight()
print("a number without a graph:", not weight.requires_grad)
last_layer.requires_grad_(False)
try:
    adaptive_weight()
except RuntimeError as error:
    print(error)
else:
    raise AssertionError("a frozen layer had a gradient")
assert weight > 0
assert not weight.requires_grad

# %%
# A batch has no labels for one task: the loss is NaN, or its head still moves
# ----------------------------------------------------------------------------
# The mean over no element is NaN. Whether the gradient is NaN, too, depends on how it
# is written. ``(mask * error).sum() / mask.sum()`` divides by 0, and one such batch
# makes the weights NaN. With ``error[mask].mean()``, or a ``cross_entropy()`` whose
# labels are all ``ignore_index``, the value is NaN and the gradient is zero (on the
# CPU): the log shows NaN, and the network goes on training.
#
# Leave the term out of the sum if there is no label. Then the gradient of that head is
# None, and no step moves it. If it must be in the sum, as under DDP with
# ``find_unused_parameters=False``, divide by a number that is at least 1. The gradient
# is then zero, and momentum, Adam and weight decay go on moving the head
# (:doc:`/gallery/graph/zero_is_not_none`). The same is true if the tasks take turns,
# one batch each, with ``zero_grad(set_to_none=False)``: use its default.
mask = torch.zeros(8, 2)  # no labels
labels = torch.full((8,), -100)


def of_task(way, output):
    error = output.square()
    if way == "sum / mask.sum()":
        return (mask * error).sum() / mask.sum()
    if way == "error[mask].mean()":
        return error[mask.bool()].mean()
    if way == "cross_entropy()":
        return nn.functional.cross_entropy(output, labels)
    return (mask * error).sum() / mask.sum().clamp(min=1)


kinds = {}
ways = ["sum / mask.sum()", "error[mask].mean()", "cross_entropy()", "clamp(min=1)"]
for way in [*ways, "left out"]:
    body, head, other = nn.Linear(3, 3), nn.Linear(3, 2), nn.Linear(3, 1)
    loss = other(body(x)).square().mean()
    if way != "left out":
        loss = loss + of_task(way, head(body(x)))
    loss.backward()
    gradient = head.weight.grad
    if gradient is not None:
        gradient = "nan" if gradient.isnan().any() else f"{gradient.abs().max():.0f}"
    kinds[way] = loss.isnan().item(), gradient
    print(f"{way:19} loss is nan: {kinds[way][0]!s:6} gradient of the head: {gradient}")
    assert body.weight.grad.isnan().any() == (gradient == "nan")
assert list(kinds.values()) == [
    (True, "nan"),
    (True, "0"),
    (True, "0"),
    (False, "0"),
    (False, None),
]

# %%
# An auxiliary loss (GoogLeNet, PSPNet, deep supervision): which weight, and how long?
# ------------------------------------------------------------------------------------
# - *Weight*: 0.3 in `GoogLeNet <https://arxiv.org/abs/1409.4842>`__, 0.4 in `PSPNet
#   <https://arxiv.org/abs/1612.01105>`__.
# - *What it trains*: its own head, and everything before the place where it branches
#   off. It does not reach what comes after.
# - *Evaluation*: the head is dropped. torchvision's GoogLeNet and Inception return a
#   tuple with it in ``train()`` only.
# - *If it branches off from a frozen backbone, it is useless*: it trains nothing but
#   its own head, and the main head learns exactly the same without it. Switch it off
#   (``aux_logits=False``, ``auxiliary_head=None``), or leave its loss out and freeze
#   it, so that DDP does not wait for it.
backbone, late, main, auxiliary = (nn.Linear(3, 3) for _ in range(4))
classes = torch.arange(8) % 3


def main_gradients(factor, *, frozen):
    nn.ModuleList([backbone, late, main, auxiliary]).zero_grad()
    backbone.requires_grad_(not frozen)
    early = backbone(x).tanh()
    loss = nn.functional.cross_entropy(main(late(early)), classes)
    loss = loss + factor * nn.functional.cross_entropy(auxiliary(early), classes)
    loss.backward()
    reached = [part.weight.grad for part in (backbone, late, main)]
    return [None if gradient is None else gradient.clone() for gradient in reached]


for frozen in (False, True):
    without, with_it = (main_gradients(factor, frozen=frozen) for factor in (0, 0.4))
    affected = [
        name
        for name, a, b in zip(
            ("backbone", "late", "main"), without, with_it, strict=True
        )
        if a is not None and not a.allclose(b)
    ]
    print(f"{frozen=}: the auxiliary loss changes {affected}")
    assert affected == ([] if frozen else ["backbone"])

# %%
# Related: :doc:`/gallery/graph/several_losses`, :doc:`losses_with_parameters`,
# :doc:`/gallery/modes/hooks_and_custom_functions`. Sources: `Gradient Surgery for
# Multi-Task Learning <https://arxiv.org/abs/2001.06782>`__, `GradNorm
# <https://arxiv.org/abs/1711.02257>`__.
