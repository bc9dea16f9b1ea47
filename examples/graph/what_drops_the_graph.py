"""
Operations that lose the gradient: grad_fn is None, or all zeros
================================================================

A comparison, ``argmax``, the index of ``torch.max`` or ``torch.tensor([a, b])`` loses
the graph. Put a sigmoid, ``softmax`` or ``torch.stack`` in its place. ``round`` keeps
the graph, but its gradient is zero.
"""

# %%
# On the left the operation that loses the graph, on the right one that keeps it.
import torch

scores = torch.tensor([0.4, 1.3], requires_grad=True)
a, b = scores
pairs = {
    "a list": (torch.tensor([a, b]), torch.stack([a, b])),
    "compare": (scores > 1, (scores - 1).sigmoid()),
    "argmax": (scores.argmax(), scores.softmax(0)),
}
for name, (wrong, right) in pairs.items():
    print(f"{name:8}", wrong.requires_grad, right.requires_grad)
    assert wrong.grad_fn is None
    assert right.grad_fn is not None

# %%
# Which operations keep the graph?
# --------------------------------
# The last two lines have a graph, and their gradient is zero.
results = {
    "scores > 0": scores > 0,
    "scores.argmax()": scores.argmax(),
    "scores.long()": scores.long(),
    "torch.ones_like(scores)": torch.ones_like(scores),
    "scores.new_tensor([1.0])": scores.new_tensor([1.0]),
    "scores.detach()": scores.detach(),
    "scores.sort().indices": scores.sort().indices,
    "scores.sort().values": scores.sort().values,
    "torch.stack(list(scores))": torch.stack(list(scores)),
    "scores.round()": scores.round(),
    "scores.sign()": scores.sign(),
}
for code, result in results.items():
    print(f"{code:26}", result.requires_grad)
kept = {code for code, result in results.items() if result.requires_grad}
assert kept == set(list(results)[-4:])

# %% tags=["hide-input"]
# Each operation in its column: no graph at all (cross), a graph that gives zeros (dot),
# or a gradient (square).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for code, result in results.items():
    place, look = "no graph", {"marker": "x", "c": "C2"}
    if result.requires_grad:
        (gradient,) = torch.autograd.grad(result.sum(), scores)
        place, look = "gradient", {"marker": "s", "fc": "none", "ec": "C0"}
        if not gradient.any():
            place, look = "zeros", {"marker": ".", "c": "C1"}
    ax.scatter(place, code, s=100, lw=2, **look)
ax.margins(0.3, 0.08)
ax.invert_yaxis()
plt.show()

# %%
# Why is there no error?
# ----------------------
# Integers and booleans can't require a gradient: a small change of ``scores`` leaves
# them as they are, or makes them jump. ``ones_like`` takes the shape and not the
# values. ``.item()`` returns a Python number. ``.numpy()`` raises an error, unless
# ``force=True`` lets it detach.
number = scores.sum().item()
print(type(number).__name__)
try:
    scores.numpy()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("numpy() keeps a graph")
assert scores.numpy(force=True).shape == (2,)

# %%
# ``torch.tensor([a, b])`` reads two numbers and makes a new tensor of them. PyTorch may
# warn of that, but by default only once per process: if a ``float(loss)`` for a log has
# already given the same warning, there is no second one.
import warnings

is_always = torch.is_warn_always_enabled()
torch.set_warn_always(False)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    logged = float(scores.sum())
    before = len(caught)
    pair = torch.tensor([a, b])
torch.set_warn_always(is_always)
stacked = torch.stack([a, b])
assert len(caught) == before
assert not pair.requires_grad
assert pair.equal(stacked)

# %%
# A gradient of zero
# ------------------
# ``round`` and ``sign`` are flat almost everywhere, so their derivative is 0. There is
# a graph and no error, and ``scores`` gets a gradient of zero. To train through
# ``round``, use the straight-through estimator
# (:doc:`/gallery/recipes/straight_through_and_vq`).
(scores.round() + scores.sign()).sum().backward()
print(scores.grad)
assert scores.grad.tolist() == [0, 0]

# %%
# A learned number in torch.linspace, arange, full, in an index or a threshold
# ----------------------------------------------------------------------------
# ``torch.linspace(0, w, 3)`` reads the value of ``w`` and not its graph,
# ``torch.full()`` and ``torch.arange()`` ask for a number, and ``int(w)`` makes one.
# Compute with ``w`` instead: scale a fixed grid, mix the two neighbours of a position,
# put a sigmoid in the place of a threshold. The length of a tensor, the size of a
# kernel and the number of rounds of a loop are integers, and have no gradient.
w, signal = torch.tensor(1.5, requires_grad=True), torch.tensor([3.0, 5.0, 9.0])
low = w.floor().long()
pairs = {
    "torch.full": (torch.full((3,), w.item()), w.expand(3)),
    "torch.arange": (torch.arange(3) * int(w), torch.arange(3) * w),
    "torch.linspace": (torch.linspace(0, w, 3), w * torch.linspace(0, 1, 3)),
    "an index": (signal[int(w)], signal[low].lerp(signal[low + 1], w - low)),
    "a threshold": ((signal > w).float(), ((signal - w) / 0.1).sigmoid()),
}
for name, (wrong, right) in pairs.items():
    print(f"{name:15}", wrong.requires_grad, right.requires_grad)
    assert not wrong.requires_grad
    assert torch.autograd.grad(right.sum(), w)[0] != 0
for make in (lambda: torch.full((3,), w), lambda: torch.arange(0, w, 0.5)):
    try:
        make()
    except TypeError as error:
        message = str(error)
    else:
        raise AssertionError("a learned number was accepted")
    assert "Tensor" in message

# %%
# ``clamp``, ``clip``, ``minimum``, ``where``: zero gradient outside of the bounds
# --------------------------------------------------------------------------------
# These keep the graph, and where the value is cut off its gradient is exactly 0. If all
# values are outside, the loss does not move, without an error, and no step brings them
# back. Remove the clamp from the training and use it for the prediction only, take a
# smooth bound (``sigmoid``, ``tanh``, ``softplus``), add a penalty for what is outside,
# or pass the gradient by: ``x + (x.clamp(-1, 1) - x).detach()``. At the bound itself,
# the gradient of ``hardtanh`` and ``relu6`` is 0, and that of ``clamp`` is 0 since
# PyTorch 2.14 and 1 before.
q = torch.tensor([-5.0, 0.5, 0.9, 5.0], requires_grad=True)
bounded = {
    "clamp(-1, 1)": q.clamp(-1, 1),
    "hardtanh": torch.nn.functional.hardtanh(q),
    "minimum(x, 1)": torch.minimum(q, torch.tensor(1.0)),
    "where(x > 1, 1, x)": torch.where(q > 1, 1.0, q),
    "tanh": q.tanh(),
    "passed by": q + (q.clamp(-1, 1) - q).detach(),
}
passes = {}
for code, cut in bounded.items():
    (slope,) = torch.autograd.grad(cut.sum(), q)
    passes[code] = slope.tolist()
    print(f"{code:19}", [round(value, 4) for value in passes[code]])
assert passes["clamp(-1, 1)"] == [0, 1, 1, 0]
assert passes["hardtanh"] == [0, 1, 1, 0]
edge = torch.ones(1, requires_grad=True)
(slope,) = torch.autograd.grad(edge.clamp(-1, 1), edge)
assert slope == (torch.__version__ < (2, 14))
assert passes["passed by"] == [1, 1, 1, 1]
assert all(value > 0 for value in passes["tanh"])

# %%
# ``sort``, ``topk``, ``median``, ``quantile``, ``floor``, ``%``: which has a gradient?
# -------------------------------------------------------------------------------------
# A *value* that was selected has one, and passes it to the element that it came from.
# An *index*, a count or a bin has none. ``floor`` and ``round`` have zeros, the
# remainder ``x % 2`` has a gradient of 1, and ``x // 2`` has a ``grad_fn`` and raises
# in ``backward()``: ``derivative for aten::floor_divide is not implemented``. A loss of
# a rank, a histogram or a number of values above a threshold can't be trained: replace
# the comparison by a sigmoid, or use the sorted values. Where several elements are the
# largest, ``amax()`` and ``max()`` without a dimension share the gradient, and
# ``max(dim)`` gives it to one of them.
r = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
operations = {
    "sort().values[0]": r.sort().values[0],
    "topk(2).values": r.topk(2).values,
    "median()": r.median(),
    "quantile(0.25)": r.quantile(0.25),
    "cummax(0).values": r.cummax(0).values,
    "x % 2": r % 2,
    "floor()": r.floor(),
    "argsort()": r.argsort(),
    "histc(3)": r.histc(3),
    "bucketize()": torch.bucketize(r, torch.tensor([1.5])),
}
kinds = {}
for code, result in operations.items():
    slope = None
    if result.requires_grad:
        slope = torch.autograd.grad(result.sum(), r)[0].tolist()
    kinds[code] = slope and any(slope)
    print(f"{code:18}", slope)
assert list(kinds.values()) == 6 * [True] + [False] + 3 * [None]
try:
    (r // 2).sum().backward()
except RuntimeError as error:
    print(error)
else:
    raise AssertionError("// has a derivative")
ties = torch.tensor([1.0, 1.0, 0.0], requires_grad=True)
for largest, expected in ((ties.amax(), [0.5, 0.5, 0]), (ties.max(0)[0], [1, 0, 0])):
    assert torch.autograd.grad(largest, ties)[0].tolist() == expected

# %%
# A sample has no gradient: ``sample()``, ``multinomial()``, ``bernoulli()``
# --------------------------------------------------------------------------
# ``sample()`` of a distribution runs under ``no_grad()``, and the network of the mean
# gets nothing. In a VAE write ``mean + std * torch.randn_like(std)``, or call
# ``rsample()``: the random number is a constant, and the gradient reaches mean and
# standard deviation. ``torch.normal()`` and ``torch.bernoulli()`` have a graph whose
# gradient is zero.
#
# A choice out of several has no ``rsample()``. Use ``gumbel_softmax()``, or train by
# the probability of what was drawn: ``loss = -dist.log_prob(action) * reward``, as
# REINFORCE does.
mean, std = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
choice = torch.distributions.Categorical(logits=mean)
action = choice.sample()
samples = {
    "Normal.sample()": torch.distributions.Normal(mean, std).sample(),
    "multinomial()": mean.softmax(0).multinomial(1),
    "torch.normal()": torch.normal(mean, std),
    "bernoulli()": mean.sigmoid().bernoulli(),
    "rsample()": torch.distributions.Normal(mean, std).rsample(),
    "mean + std * noise": mean + std * torch.randn_like(std),
    "gumbel_softmax()": torch.nn.functional.gumbel_softmax(mean) * torch.arange(3),
    "log_prob() * reward": choice.log_prob(action) * 2.0,
}
reached = {}
for code, drawn in samples.items():
    gradient = None
    if drawn.requires_grad:
        (gradient,) = torch.autograd.grad(drawn.sum(), mean, retain_graph=True)
    reached[code] = gradient is not None and gradient.any().item()
    print(f"{code:21}{drawn.requires_grad!s:6} gradient: {reached[code]}")
assert list(reached.values()) == 4 * [False] + 4 * [True]
assert samples["torch.normal()"].requires_grad
assert samples["bernoulli()"].requires_grad

# %%
# A loss of the indices of ``torch.max``: accuracy, recall, IoU
# -------------------------------------------------------------
# ``_, predict = torch.max(logits, 1)`` returns class indices, integers without a
# gradient. A custom loss that counts them has no graph, and ``backward()`` raises
# :doc:`/reference/errors/element_0_of_tensors_does_not_require_grad`. Count the
# probabilities of ``softmax`` in place of the predictions, so the number of hits
# becomes the sum of the probabilities of the right classes. If the counts are only to
# weight the loss, they need no gradient: compute the weights from the indices and
# multiply the cross entropy by them.
logits = torch.tensor([[2.0, 1.0], [0.5, 1.5]], requires_grad=True)
target = torch.tensor([0, 0])
values, predict = torch.max(logits, 1)
# Wrong: the indices are compared.
recall = (predict == target).float().mean()
# Right: the probability of the right class.
soft = logits.softmax(1)[range(2), target].mean()
# Right, too: the predictions only weight a loss.
weight = 1 + (predict != target).float()
losses = torch.nn.functional.cross_entropy(logits, target, reduction="none")
weighted = (weight * losses).mean()
for name, result in {"values": values, "predict": predict, "recall": recall}.items():
    print(f"{name:8}", result.requires_grad)
    assert result.requires_grad == (name == "values")
for loss in (1 - soft, weighted):
    (gradient,) = torch.autograd.grad(loss, logits)
    print(gradient)
    assert (gradient[:, 0] < 0).all()

# %%
# The penalty has no effect, whatever its weight: ``argmax`` in a term of the loss
# --------------------------------------------------------------------------------
# Print ``penalty.requires_grad``. If it is False, the penalty was computed from
# ``argmax``, a comparison, ``.item()`` or a new tensor. It is a constant that is added:
# the reported loss changes, the gradients don't, with any ``beta``. Nothing raises,
# because the other term has a graph. Write the penalty with probabilities. Here is one
# for classes of two levels, where the parent of the predicted child should be the
# predicted parent: in place of "it is not", take the probability that it is not.
#
# A constant as a *factor*, ``loss * (1 + penalty)``, does scale the gradient of this
# loss, but trains nothing by itself.
torch.manual_seed(0)
network, parent_of = torch.nn.Linear(3, 2 + 4), torch.tensor([0, 0, 1, 1])
x, children = torch.randn(16, 3), torch.arange(16) % 4


def gradient_with(beta, kind):
    parent, child = network(x).split([2, 4], 1)
    loss = torch.nn.functional.cross_entropy(child, children)
    if kind == "argmax":
        penalty = (parent_of[child.argmax(1)] != parent.argmax(1)).float().mean()
    else:
        likely = parent.softmax(1)[:, parent_of]  # the parent of each child
        penalty = (1 - (child.softmax(1) * likely).sum(1)).mean()
    (found,) = torch.autograd.grad(loss + beta * penalty, network.weight)
    return penalty, found


for kind in ("argmax", "softmax"):
    _, without = gradient_with(0.0, kind)
    penalty, found = gradient_with(100.0, kind)
    print(f"{kind:8} {penalty:.2f}", penalty.requires_grad, not found.equal(without))
    assert penalty > 0.2
    assert penalty.requires_grad == (not found.equal(without)) == (kind == "softmax")

# %%
# argmax is not differentiable: does what it selects get a gradient?
# ------------------------------------------------------------------
# Yes. The index has no gradient, but what you read with it has: ``x[index]``,
# ``gather()``, ``index_select()``, ``x[mask]``. The gradient goes to the selected
# elements, and from there to the network that computed them. The other elements get
# zeros. A hard attention that copies the most similar patch, for example, trains the
# network of the patches like this.
#
# Only the choice itself is not trained. The network of the scores gets no gradient,
# unless their values are in the loss, too: the maximum as a weight, as below, or
# ``softmax`` over all. If the index itself is a number that the loss compares, such as
# a coordinate, see the next section. If it is a choice, use the straight-through
# estimator or Gumbel-softmax: :doc:`/gallery/recipes/straight_through_and_vq`.
features = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
similarity = torch.tensor([[0.2, 0.9, 0.4]], requires_grad=True)
best, index = similarity.max(1, keepdim=True)
selected = features.gather(1, index)
for loss in (selected.sum(), (selected * best).sum()):
    features.grad = similarity.grad = None
    loss.backward(retain_graph=True)
    print(features.grad, similarity.grad)
    assert (features.grad != 0).tolist() == [[False, True, False]]
assert similarity.grad.tolist() == [[0, 2, 0]]
assert not index.requires_grad
for part in (features[0, index[0]], features.index_select(1, index[0])):
    assert part.requires_grad

# %%
# soft-argmax: a coordinate, keypoint or depth from ``argmax`` in the loss
# ------------------------------------------------------------------------
# ``loss.backward()`` works with the scores of the bins, and not after ``argmax`` over
# them, although all parameters require a gradient: ``element 0 of tensors does not
# require grad``. Replace the index by the expected position: the sum of the positions,
# weighted by ``softmax`` (soft-argmax). Or leave the position out of the loss and train
# the scores with ``cross_entropy()``, where the right bin is the class. Keep ``argmax``
# for the prediction.
#
# Two hills in the scores give a position between them, and flat scores the middle.
# If you multiply the scores by a factor above 1 (a temperature below 1), the result
# comes closer to the position of the maximum. Once one bin has nearly all the weight,
# the gradient vanishes.
bins = torch.tensor([[0.0, 1.0, 4.0, 1.0, 0.0]], requires_grad=True)
positions, truth = torch.arange(5.0), torch.tensor([3])
# Wrong: the index has no graph.
coordinate = bins.argmax(1).float()
print(coordinate, coordinate.requires_grad)
assert not coordinate.requires_grad
# Right: the expected position, or the bin as a class.
expected = (bins.softmax(1) * positions).sum(1)
print(expected)
assert expected.allclose(coordinate)
for loss in (
    (expected - truth).abs().mean(),
    torch.nn.functional.cross_entropy(bins, truth),
):
    (gradient,) = torch.autograd.grad(loss, bins)
    print(gradient)
    assert (gradient[0, 3] < 0).item()
two_hills = torch.tensor([9.0, 0.0, 0.0, 0.0, 9.0])
between = (two_hills.softmax(0) * positions).sum()
print(between)
assert abs(between.item() - 2) < 0.01

# %%
# torch.unique: ``isDifferentiableType … INTERNAL ASSERT FAILED``
# ---------------------------------------------------------------
# Pass a detached tensor: ``torch.unique(x.detach(), return_counts=True)``. Counts have
# no gradient anyway. PyTorch 1.7 raised ``isDifferentiableType(variable.scalar_type())
# INTERNAL ASSERT FAILED`` for ``unique()`` and others that return integers, if their
# input required a gradient; 1.8 repaired ``unique()`` (`issue 51271
# <https://github.com/pytorch/pytorch/issues/51271>`__, not run).
#
# Today the counts come out without a graph. The values have a ``grad_fn``, but no
# derivative: ``backward()`` raises ``the derivative for '_unique2' is not
# implemented``. If a loss is to go through the groups, let ``unique()`` number them
# only, and sum the elements of ``x`` yourself.
points = torch.tensor([2.0, 1.0, 2.0], requires_grad=True)
# Wrong: the values of unique() in a loss.
values, counts = torch.unique(points, return_counts=True)
print(values.requires_grad, counts.requires_grad)
assert (values.requires_grad, counts.requires_grad) == (True, False)
try:
    values.sum().backward()
except RuntimeError as error:
    print(error)
else:
    raise AssertionError("unique() has a derivative")
# Right: the groups from detached values, the sums from the points.
values, group, counts = torch.unique(
    points.detach(), return_inverse=True, return_counts=True
)
means = torch.zeros_like(values).index_add(0, group, points) / counts
(gradient,) = torch.autograd.grad(means.sum(), points)
print(gradient)
assert torch.equal(means, values)
assert gradient.tolist() == [0.5, 1, 0.5]

# %%
# Which line lost it?
# -------------------
# Make sure that the parameter requires a gradient, and print ``grad_fn`` of each result
# on the way from it to the loss. The line that made the first result without one is the
# line to change. The loss does not show it: it requires a gradient as soon as any
# parameter after the cut does.
first, last = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
hidden = first(torch.ones(1, 2))
cut = hidden.detach()
loss = last(cut).sum()
loss.backward()
for name, result in {"hidden": hidden, "cut": cut, "loss": loss}.items():
    print(f"{name:6}", result.requires_grad, result.grad_fn is None)
assert first.weight.grad is None
assert loss.requires_grad
assert hidden.grad_fn is not None
assert cut.grad_fn is None

# %% tags=["hide-input"]
# Where it ends
# -------------
# - A detached copy whose ``requires_grad`` is switched on has no ``grad_fn``, either.
#   So print ``grad_fn`` and not ``requires_grad``.
# - A ``grad_fn`` does not guarantee a gradient. A custom function may return None, an
#   operation may have no derivative, and if a term of a sum is detached, you get only
#   the gradient of the other term.
again = hidden.detach().requires_grad_()
assert again.requires_grad
assert again.grad_fn is None


class Blocked(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores):
        return scores * 2

    @staticmethod
    def backward(ctx, gradient):
        return None


scores.grad = None
Blocked.apply(scores).sum().backward()
assert scores.grad is None
try:
    (scores // 1).sum().backward()
except RuntimeError as error:
    message = str(error)
assert "is not implemented" in message
(scores.detach() ** 2 + scores).sum().backward()
assert scores.grad.tolist() == [1, 1]

# %%
# :doc:`explain </gallery/diagnose/why_is_my_gradient_none>` names the line for you.
#
# Related: :doc:`the_fix_that_breaks`, :doc:`leaf_or_not`. Source:
# :torch:`Autograd mechanics <notes/autograd.html>`.
