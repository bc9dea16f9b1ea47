"""
Modified by an inplace operation: a saved tensor was written to
===============================================================

Write ``y = y + 1`` in place of ``y += 1``, and call ``step()`` after the last backward.
A write that autograd does not count can give a wrong gradient without an error.
"""

# %%
# ``exp`` saves its result, since that is its own derivative.
import torch

x = torch.ones(3, requires_grad=True)
y = x.exp()
y += 1
try:
    y.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("exp did not need its result")
y = x.exp()
y = y + 1
y.sum().backward()
print(x.grad)
assert x.grad.allclose(x.exp())

# %%
# A tensor has a counter of writes to its memory, which it shares with its views. A node
# notes the count when it saves the tensor and compares it in the backward.
y = x.exp()
y[0].add_(1)
print(y._version)
assert y._version == 1

# %%
# Are changes in place forbidden?
# -------------------------------
# No. Multiplying by a number saves the number, ``sin`` saves its input, ``relu`` saves
# its result. So ``add_`` on the result is fine after the first two and an error after
# the third.
operations = {
    "x * 2": lambda x: x * 2,
    "x + 1": lambda x: x + 1,
    "x.sin()": torch.sin,
    "x.exp()": torch.exp,
    "x.relu()": torch.relu,
    "x.sigmoid()": torch.sigmoid,
}
fails = {}
for code, operation in operations.items():
    result = operation(x)
    result.add_(1)
    try:
        result.sum().backward()
    except RuntimeError:
        fails[code] = True
    else:
        fails[code] = False
    print(f"{code:12}", "error" if fails[code] else "ok")
assert [code for code in fails if fails[code]] == ["x.exp()", "x.relu()", "x.sigmoid()"]

# %% tags=["hide-input"]
# Square: ``add_(1)`` on the result of this operation is fine. Cross: the operation had
# saved its result, and ``backward()`` raises.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
for code, failed in fails.items():
    square = {"marker": "s", "fc": "none", "ec": "C0"}
    look = {"marker": "x", "c": "C2"} if failed else square
    ax.scatter(code, "RuntimeError" if failed else "ok", s=200, lw=2, **look)
ax.margins(0.12, 0.5)
plt.show()

# %%
# ``row = row + 1`` in a loop changes nothing
# -------------------------------------------
# It gives the name ``row`` to a new tensor, which the next round forgets, and raises no
# error. Compute on the whole tensor, or collect the rows in a list and put them
# together with ``torch.stack()``. The same replaces ``y[i] = ...``.
y = x.expand(2, 3).exp()
for row in y:
    row = row + 1  # noqa: PLW2901 (the mistake)
assert y.equal(x.expand(2, 3).exp())
collected = torch.stack([row + 1 for row in y])
print(collected.equal(y + 1))
assert collected.equal(y + 1)
(gradient,) = torch.autograd.grad(collected.sum(), x)
assert gradient.allclose(2 * x.exp())

# %%
# ``y[mask] = 0``, ``out[t] = h``, ``y += z``, ``inplace=True``: what to write instead
# ------------------------------------------------------------------------------------
# Each line on the left writes into a tensor that the backward needs. The one on the
# right makes a new tensor with the same values. Here the statements are written as
# functions: ``y += z`` is ``y.add_(z)``.
from torch.nn import functional


def states_in_place(y):
    out = torch.ones(4, 3)
    for t in range(3):
        out[t + 1] = out[t] * y  # wrong: the product has saved out[t]
    return out[1:]


def states_in_a_list(y):
    state, out = torch.ones(3), []
    for _ in range(3):
        state = state * y
        out.append(state)
    return torch.stack(out)


z = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)
pairs = {
    "y[mask] = 0": (
        lambda y: y.masked_fill_(y > 2, 0),
        lambda y: y.masked_fill(y > 2, 0),
    ),
    "y += z": (lambda y: y.add_(z), lambda y: y + z),
    "y /= y.sum()": (lambda y: y.div_(y.sum()), lambda y: y / y.sum()),
    "relu(y, inplace=True)": (
        lambda y: functional.relu(y, inplace=True),
        functional.relu,
    ),
    "out[t + 1] = out[t] * y": (states_in_place, states_in_a_list),
}
for code, (wrong, right) in pairs.items():
    results = wrong(z.exp()), right(z.exp())
    assert results[0].equal(results[1])
    try:
        results[0].square().sum().backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError(f"{code} is harmless")
    assert "modified by an inplace operation" in message
    z.grad = None
    results[1].square().sum().backward()
    print(f"{code:24}", z.grad)

# %%
# If the layers are not yours, as in a model of torchvision, switch ``inplace`` off in
# all of them. That may take the memory of one more activation for each.
model = torch.nn.Sequential(torch.nn.Sigmoid(), torch.nn.Hardtanh(0, 0.7, inplace=True))
for switch_off in (False, True):  # wrong, right
    if switch_off:
        for module in model.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
    try:
        model(x).sum().backward()
        failed = False
    except RuntimeError:
        failed = True
    print("error:", failed)
    assert failed != switch_off

# %%
# ``x /= x.norm(dim=-1, keepdim=True)``: error detected in LinalgVectorNormBackward0
# ----------------------------------------------------------------------------------
# Write ``x = x / x.norm(dim=-1, keepdim=True)``, or ``functional.normalize(x,
# dim=-1)``: the norm has saved ``x``, and ``/=`` overwrites it. The same with
# ``std()``, ``amax()``, ``max()`` without ``dim``, and ``x *= x``. Features of a frozen
# encoder, such as those of CLIP, belong under ``no_grad()``: there the form in place is
# right. If training only begins to fail after you have unfrozen the encoder, look for
# such a line: before, ``x`` required no gradient.


def normalised(way):
    features = z * 2
    if way == "/=":
        features /= features.norm(dim=-1, keepdim=True)
    if way == "x / x.norm()":
        features = features / features.norm(dim=-1, keepdim=True)
    if way == "normalize()":
        features = functional.normalize(features, dim=-1)
    if way == "no_grad()":
        with torch.no_grad():
            features /= features.norm(dim=-1, keepdim=True)
        features = features.detach()
    return features


found = {}
for way in ("/=", "x / x.norm()", "normalize()", "no_grad()"):
    z.grad = None
    try:
        (normalised(way) * (z + 1)).sum().backward()
    except RuntimeError as error:
        found[way] = str(error).split("]], ")[1].split(";")[0]
    else:
        found[way] = z.grad.tolist()
    print(f"{way:13}", found[way])
assert "is at version 1" in found["/="]
torch.testing.assert_close(found["x / x.norm()"], found["normalize()"])
constant = functional.normalize(z.detach(), dim=-1)
torch.testing.assert_close(found["no_grad()"], constant.tolist())
for of in (torch.Tensor.norm, torch.std, torch.max, torch.amax, torch.clone):
    features, of_frozen = z * 2, z.detach() * 2
    of_frozen.div_(of(of_frozen))
    features.mul_(features) if of is torch.clone else features.div_(of(features))
    try:
        (features.sum() + of_frozen.sum()).backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError(f"{of.__name__} has saved nothing")
    assert "modified by an inplace operation" in message
features = z * 2
features.div_(features.max(-1, keepdim=True).values).sum().backward()  # saves indices

# %%
# I change nothing in place, why the error?
# -----------------------------------------
# ``optimizer.step()`` does: it writes to the weights. A backward through a forward from
# before ``step()`` needs the old ones. Run the forward again, or step after both
# backwards. ``AsStrided`` in the message is a view: here the transposed weight, which a
# linear layer saves, and in other code often a slice, whose memory was written to.
head = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
score = head(x).sum()
score.backward(retain_graph=True)
optimizer.step()
try:
    score.square().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("step() did not write to the weights")

# %%
# A forward writes, too, if an ``nn.Embedding`` has ``max_norm``: each lookup counts as
# a write to its weight. If ``embedding.weight`` was used in the same graph before, as
# with tied weights, take ``embedding.weight.clone()`` there.
embedding = torch.nn.Embedding(3, 3, max_norm=1.0)
for copied in (False, True):  # wrong, right
    weight = embedding.weight.clone() if copied else embedding.weight
    score = (weight * z).sum() + embedding(torch.tensor([0])).sum()
    try:
        score.backward()
        failed = False
    except RuntimeError as error:
        failed = "modified by an inplace operation" in str(error)
    print("error:", failed)
    assert failed != copied

# %%
# ``DistributedDataParallel`` writes, too: at each forward outside ``no_sync()``, it
# copies all buffers from the first process, also constants such as the tables of a RoPE
# (``freqs_cos``). In versions that count this copy, the backward of an earlier forward
# raises, although the values stay the same. The cure is ``broadcast_buffers=False``:
# :doc:`/reference/errors/modified_by_an_inplace_operation`. Here, the copy by hand:
freqs_cos = torch.ones(3)
rotated = (x * freqs_cos).sum()
freqs_cos.copy_(freqs_cos.clone())
try:
    rotated.backward()
except RuntimeError as error:
    print(str(error).split("]] ")[1].split(" Hint")[0])
else:
    raise AssertionError("the copy was not counted")

# %%
# Spiking neurons (LIF), RNNs: ``retain_graph=True``, and the next batch fails
# ----------------------------------------------------------------------------
# A neuron keeps its membrane potential, an RNN its hidden state, from the last batch,
# with the graph of that batch. At first that raised *Trying to backward through the
# graph a second time*. ``retain_graph=True`` only replaced this by the present error:
# the graph of the last batch is still there, and its ``backward()`` needs the weights
# that ``step()`` has changed. The tensor in the message is then a weight, for instance
# of a normalisation layer (``[128]``).
#
# Remove ``retain_graph=True``, and reset the state after each batch: in spikingjelly
# ``functional.reset_net(model)``, elsewhere ``state = state.detach()`` or a new state.
# ``clone()`` of the output does not help, because the copy still has the graph.


class Neuron(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
        self.reset()

    def reset(self):
        self.v = torch.zeros(3)

    def forward(self, x):
        self.v = (self.v + self.outer * (self.inner * x)).tanh()
        return self.v


def second_batch(*, retain_graph, cloned=False, reset=False):
    neuron = Neuron()
    optimizer = torch.optim.SGD(neuron.parameters(), lr=0.1)
    try:
        for _ in range(2):
            spikes = neuron(torch.ones(3))
            spikes = spikes.clone() if cloned else spikes
            optimizer.zero_grad()
            spikes.sum().backward(retain_graph=retain_graph)
            optimizer.step()
            if reset:
                neuron.reset()
    except RuntimeError as error:
        return str(error).split(":")[0].split(" (")[0]
    return "right"


outcomes = [
    second_batch(retain_graph=False),
    second_batch(retain_graph=True),
    second_batch(retain_graph=True, cloned=True),
    second_batch(retain_graph=False, reset=True),
]
print(*outcomes, sep="\n")
assert outcomes[0].startswith("Trying to backward through the graph a second time")
assert outcomes[1].endswith("modified by an inplace operation")
assert outcomes[2] == outcomes[1]
assert outcomes[3] == "right"

# %%
# Which line was it?
# ------------------
# The message does not name the line. ``set_detect_anomaly`` does: it records where each
# operation was called, and warns with the call whose backward failed. It is slow, so
# switch it on for the search only.
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with torch.autograd.set_detect_anomaly(True):
        y = x + 1
        loss = y.square().sum()
        y.mul_(2)
        try:
            loss.backward()
        except RuntimeError as error:
            message = str(error)
        else:
            raise AssertionError("square did not need its input")
traceback = str(caught[-1].message).splitlines()
(line,) = [line.strip() for line in traceback if "square" in line]
print(line)
assert line == "loss = y.square().sum()"
assert "output 0 of Mul" in message

# %%
# That line saved its input or its result, and a line that ran later wrote there. Look
# for a name that ends in an underscore, ``+=``, ``y[0] = ...``, ``inplace=True``, and
# ``optimizer.step()``. If it saved its input, the message names the last recorded
# write, here ``output 0 of Mul``, for ``mul_``. A write under ``no_grad()`` is not
# recorded: then the message names the operation that made the tensor.
y = x + 1
loss = y.square().sum()
with torch.no_grad():
    y.mul_(2)
try:
    loss.backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("square did not need its input")
assert "output 0 of Add" in message

# %% tags=["hide-input"]
# Where it ends
# -------------
# - There is an error although the saved value is unchanged: the write changed nothing,
#   or went to another part of the same memory. Autograd compares counts and not values.
# - The gradient is wrong, and there is no error: the write is not counted. This happens
#   through ``.data`` and through NumPy, in ``step()`` of an optimizer with
#   ``fused=True``, and in a batch norm that trains after an ``eval()`` forward that
#   saved its statistics.
# - The same if ``step()`` comes between the forward and the backward of a checkpoint:
#   it saves its inputs and computes the rest again, with the new weights.
from torch.utils.checkpoint import checkpoint

for write in (lambda y: y.mul_(1), lambda y: y[1:].fill_(5)):
    y = x * 1
    loss = y[0].square()
    write(y)
    try:
        loss.backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("the write was not counted")
    assert "modified by an inplace operation" in message


def change_of_gradient(loss, write):
    gradients = []
    for _ in range(2):
        x.grad = None
        loss.backward(retain_graph=True)
        gradients.append(x.grad)
        write()
    return (gradients[1] - gradients[0]).abs().max().item()


data, array = x * 1, x * 1
fused = torch.optim.SGD(head.parameters(), lr=0.1, fused=True)
norm = torch.nn.BatchNorm1d(3).eval()
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
sgd = torch.optim.SGD(net.parameters(), lr=0.5)
uncounted = {
    "data": (data.square(), lambda: data.data.mul_(2)),
    "numpy": (array.square(), lambda: array.detach().numpy().fill(2)),
    "fused": (head(x), fused.step),
    "batch norm": (norm(x.expand(4, 3)), lambda: norm.train()(torch.eye(3))),
    "reentrant": (checkpoint(net, x, use_reentrant=True), sgd.step),
    "checkpoint": (checkpoint(net, x, use_reentrant=False), sgd.step),
}
for name, (result, write) in uncounted.items():
    change = change_of_gradient(result.sum(), write)
    print(f"{name:10} {change:.2f}")
    assert change > 0.05

# %%
# If you need a change in place, make it in a ``clone()``.
#
# Related: :doc:`backward_twice`, :doc:`/gallery/three-ways/detach_cuts_one_tensor`,
# :doc:`/gallery/recipes/gan_training`. Source: :torch:`Autograd mechanics
# <notes/autograd.html#in-place-operations-with-autograd>`.
