"""
A detached tensor gets a gradient of its own after requires_grad_()
===================================================================

``detach()`` cuts what was computed before, not what you compute later. Its result can
become a leaf with a gradient of its own. It still uses the memory of the original.
"""

# %%
# Why does the loss not require a gradient after ``detach()``?
# ------------------------------------------------------------
# Because nothing that it is computed from requires one. Set ``requires_grad`` on ``d``.
import torch

x = torch.ones(2, requires_grad=True)
d = x.detach()
try:
    (d * 3).sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a detached tensor had a gradient")

d = x.detach().requires_grad_()
(d * 3).sum().backward()
print(f"{d.is_leaf=} {d.grad=} {x.grad=}")
assert d.grad.tolist() == [3.0, 3.0]
assert x.grad is None

# %%
# Backward in two parts
# ---------------------
# Several heads on one backbone: cut between them, let each head add its gradient to
# ``d.grad``, then pass the sum on. The activations of a head are freed before the next
# head runs, the backbone runs backward once, and its gradient is the same up to
# rounding.
torch.manual_seed(0)
backbone = torch.nn.Linear(4, 3)
heads = [torch.nn.Linear(3, 1) for _ in range(5)]
images = torch.randn(8, 4)
backwards = []
backbone.weight.register_hook(backwards.append)

features = backbone(images)
d = features.detach().requires_grad_()
for head in heads:
    loss = head(d).square().mean()
    loss.backward()
    try:
        loss.backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("the activations of the head are still there")
    assert "already been freed" in message
assert backwards == []
features.backward(d.grad)
assert len(backwards) == 1

features = backbone(images)
loss = sum(head(features).square().mean() for head in heads)
(in_one_part,) = torch.autograd.grad(loss, backbone.weight)
assert in_one_part.allclose(backbone.weight.grad)

# %%
# A contrastive loss over a batch that does not fit in memory: GradCache
# ----------------------------------------------------------------------
# Gradient accumulation does not help there, because each sample is compared with all
# others. Compute all embeddings without a graph, take the gradient of the loss by the
# embeddings, then run each chunk again with a graph and pass its part of the gradient
# on. Up to rounding, the result is that of the whole batch, and only one chunk has
# activations at a time. Dropout must draw the same masks in both runs: save and restore
# the state of the random numbers, or leave it out. Batch norm sees chunks, so use
# ``eval()`` or another norm. Sentence Transformers has this as
# ``CachedMultipleNegativesRankingLoss``. Between two machines (split learning),
# ``d.grad`` is what you send back.
encoder = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh())
data = torch.randn(12, 4)


def contrast(embeddings):
    scores = embeddings[:6] @ embeddings[6:].T
    return torch.nn.functional.cross_entropy(scores, torch.arange(6))


with torch.no_grad():
    d = torch.cat([encoder(chunk) for chunk in data.split(4)])
contrast(d.requires_grad_()).backward()
for chunk, gradient in zip(data.split(4), d.grad.split(4), strict=True):
    encoder(chunk).backward(gradient)
in_chunks = encoder[0].weight.grad.clone()
(whole,) = torch.autograd.grad(contrast(encoder(data)), encoder[0].weight)
print(torch.allclose(in_chunks, whole, atol=1e-6))
assert torch.allclose(in_chunks, whole, atol=1e-6)
assert whole.any()

# %%
# Does training the detached tensor change the original?
# ------------------------------------------------------
# Yes. You tune a prompt that starts as row 0 of a frozen embedding. The optimizer
# writes to the memory of ``prompt``, which is also the memory of row 0. A ``clone()``
# has memory of its own.


def tune(prompt):
    target = torch.tensor([2.0, 1.0])
    optimizer = torch.optim.SGD([prompt], lr=0.05, momentum=0.8)
    path = [prompt.tolist()]
    for _ in range(40):
        optimizer.zero_grad()
        loss = (torch.tensor([1.0, 4.0]) * (prompt - target).square()).sum()
        loss.backward()
        optimizer.step()
        path.append(prompt.tolist())
    return path


embedding = torch.nn.Embedding.from_pretrained(torch.zeros(3, 2), freeze=True)
path = tune(embedding.weight[0].detach().clone().requires_grad_())
cloned = embedding.weight[0].tolist()
tune(embedding.weight[0].detach().requires_grad_())
shared = embedding.weight[0].tolist()
print(f"{embedding.weight.requires_grad=}\n{cloned=}\n{shared=}")
assert cloned == path[0] == [0.0, 0.0]
assert shared == path[-1]

# %% tags=["hide-input"]
# The path of ``prompt`` (dots). With ``clone()`` the frozen row stays where it was
# (hatched). Without it, the row ends where ``prompt`` ends (cross).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(*zip(*path, strict=True), "C0.-", label="prompt")
row = {"s": 150, "lw": 2}
look = {"marker": "s", "fc": "none", "ec": "C1", "hatch": "////"}
ax.scatter(*cloned, label="embedding.weight[0], clone()", **look, **row)
ax.scatter(*shared, label="embedding.weight[0]", marker="x", c="C2", zorder=3, **row)
ax.margins(0.15)
ax.legend(loc="lower right")
plt.show()

# %%
# Where it ends
# -------------
# Integers can't require a gradient. Neither can a tensor that was made in inference
# mode, until you clone it outside. And ``d`` is now a leaf, so a layer that writes to
# its input, such as ``ReLU(inplace=True)``, refuses it: give that layer ``d * 1``.
with torch.inference_mode():
    made_in_inference_mode = torch.ones(2)
for tensor in (torch.ones(2, dtype=torch.int64), made_in_inference_mode):
    try:
        tensor.detach().requires_grad_()
    except RuntimeError:
        assert not tensor.requires_grad
    else:
        raise AssertionError("it requires a gradient")
assert made_in_inference_mode.detach().clone().requires_grad_().requires_grad

relu = torch.nn.ReLU(inplace=True)
d = torch.ones(2).detach().requires_grad_()
try:
    relu(d)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a leaf was written to")
assert relu(d * 1).requires_grad

# %%
# Write ``x.detach().clone().requires_grad_()`` if any code writes to the new leaf: an
# optimizer does.
#
# Related: :doc:`detach_shares_memory_and_version`, :doc:`clone_and_detach`,
# :doc:`/gallery/three-ways/through_or_blocked`. Source: :torch:`torch.Tensor.detach`.
