"""
Frozen backbone: compute the features once, in eval() and under no_grad()
=========================================================================

A frozen backbone that comes first can run once instead of in every epoch. In training
mode, dropout draws anew in each run and batch norm depends on the batch, so the cache
would hold one random draw. Call ``eval()`` before you fill it.
"""

# %%
# Are the features the same in the next epoch?
# --------------------------------------------
import torch
from torch import nn

torch.manual_seed(0)
backbone = nn.Sequential(
    nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5)
).requires_grad_(False)
images, labels = torch.randn(96, 8), torch.arange(96) % 2
same = {}
for mode in (True, False):
    backbone.train(mode)
    with torch.no_grad():
        cache, again = backbone(images), backbone(images)
    same[mode] = (cache == again).float().mean().item()
    print(f"training={mode}: {same[mode]:.0%} of the features are the same")
assert same[True] < 0.7
assert same[False] == 1

# %%
# The whole training loop
# -----------------------
# The backbone runs once for each image, and the head is trained on what was stored. The
# last lines train the same head with a forward of the backbone in each step. Here the
# weights are equal up to rounding, and not always bit for bit: a matrix product of
# another size may round otherwise.
import copy

from torch.utils.data import DataLoader, TensorDataset

first_head = nn.Linear(16, 2)


def train(dataset, features):
    torch.manual_seed(0)
    head = copy.deepcopy(first_head)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    for _ in range(5):
        for inputs, wanted in DataLoader(dataset, batch_size=32, shuffle=True):
            loss = nn.functional.cross_entropy(head(features(inputs)), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return head


backbone.eval()
with torch.no_grad():
    loader = DataLoader(TensorDataset(images), batch_size=32)
    cache = torch.cat([backbone(batch) for (batch,) in loader])
head = train(TensorDataset(cache, labels), nn.Identity())

slow_head = train(TensorDataset(images, labels), backbone)
torch.testing.assert_close(head.weight, slow_head.weight)
assert not torch.equal(head.weight, first_head.weight)

# %%
# When is it wrong?
# -----------------
# In training mode, dropout draws anew each time, but the cache keeps one draw. Batch
# norm normalises with the current batch, and its running statistics move.
backbone.train()
statistics = backbone[1].running_mean.clone()
with torch.no_grad():
    once, again = backbone(images), backbone(images)
differ = (once != again).float().mean().item()
assert differ > 0.3
assert not torch.equal(once, again)
assert not torch.equal(backbone[1].running_mean, statistics)

# %% tags=["hide-input"]
# The value of one feature in ten epochs. In ``eval()`` (solid) it stays the same. In
# training mode (dashed) it is drawn again each time.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for mode, style in ((False, "C0o-"), (True, "C2x--")):
    torch.manual_seed(0)
    clone = copy.deepcopy(backbone).train(mode)
    ax.plot([clone(images)[0, 0].item() for _ in range(10)], style, mew=2)
ax.set(xlabel="epoch", ylabel="feature")
plt.show()

# %%
# Random augmentation comes before the backbone, so it is lost, too: the cache has one
# version of each image. Store several, or augment the features.

# %%
# Don't store the graph with it
# -----------------------------
# If something before the features trains, or one layer was not frozen, each stored
# feature holds its graph and is out of date after a step. Under ``no_grad()`` no graph
# is recorded.
stem = nn.Linear(8, 8)
backbone.eval()
assert backbone(stem(images)).grad_fn is not None
with torch.no_grad():
    assert backbone(stem(images)).grad_fn is None
assert cache.grad_fn is None

# %%
# I forgot to freeze the encoder while I extracted features: does it matter?
# --------------------------------------------------------------------------
# Not for the values. ``requires_grad`` does not change what a forward returns, and
# without ``backward()`` and ``step()`` no weight changes. It only costs memory.
# This does matter:
#
# - *Training mode* during the extraction: dropout, batch norm, and a codebook that is a
#   moving average (EMA), which each forward updates, frozen or not, under ``no_grad()``
#   too. Then the features differ, and the encoder has changed. Load the encoder anew,
#   call ``eval()``, and extract again
#   (:doc:`/gallery/recipes/straight_through_and_vq`).
# - *An encoder that was trainable while something was trained*: its features or tokens
#   are no longer those that the other model has learned. Extract again with the
#   trained encoder, and train the other model on that. In GPT-SoVITS the encoder and
#   its codebook are frozen during fine-tuning, so the order of the two trainings does
#   not matter; if you unfreeze them, `its author says
#   <https://github.com/RVC-Boss/GPT-SoVITS/issues/1181>`__, train SoVITS before GPT
#   (read, not run).


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.drop = nn.Linear(8, 4), nn.Dropout(0.5)
        self.register_buffer("codebook", torch.randn(6, 4) / 2)

    def forward(self, x):
        z = self.drop(self.layer(x))
        tokens = torch.cdist(z, self.codebook).argmin(1)
        if self.training:
            with torch.no_grad():
                self.codebook[tokens] += 0.1 * (z - self.codebook[tokens])
        return tokens


def extracted(*, frozen, mode):
    torch.manual_seed(0)
    encoder = Tokens().requires_grad_(not frozen).train(mode)
    before = encoder.codebook.clone()
    tokens = encoder(images)
    return tokens, encoder.codebook.equal(before)


wanted, _ = extracted(frozen=True, mode=False)
found = {}
for frozen, mode in ((False, False), (True, True)):
    tokens, same_codebook = extracted(frozen=frozen, mode=mode)
    found[frozen] = tokens.equal(wanted), same_codebook
    print(f"{frozen=!s:6} training={mode!s:6} same tokens, codebook: {found[frozen]}")
assert found == {False: (True, True), True: (False, False)}

torch.manual_seed(0)
encoder, of_encoder = Tokens().eval(), nn.Linear(4, 2)
optimizer = torch.optim.SGD(encoder.parameters(), lr=10.0)
for _ in range(10):  # an encoder that was left trainable in the training
    optimizer.zero_grad()
    nn.functional.cross_entropy(of_encoder(encoder.layer(images)), labels).backward()
    optimizer.step()
kept = (encoder(images) == wanted).float().mean().item()
print(f"tokens after training the encoder: {kept:.0%} are the same")
assert kept < 0.9

# %%
# SAM: one image embedding, many boxes, and ``backward()`` for each
# -----------------------------------------------------------------
# Run the frozen image encoder once for each image, in ``eval()`` and under
# ``no_grad()``, and the decoder once for each box. The embedding is then a constant,
# and each pass of the decoder has a graph of its own: call ``backward()`` for each
# loss, without ``retain_graph=True``. The gradients add up, so divide by the number of
# boxes, and call ``step()`` once. Each graph is freed before the next one is made,
# while the sum of all losses keeps them all.
decoder = nn.Linear(16 + 4, 1)
optimizer = torch.optim.SGD(decoder.parameters(), lr=0.1)
boxes, masks = torch.randn(5, 4), torch.rand(5, 1)


def loss_of(embedding, box, mask):
    output = decoder(torch.cat([embedding[0], box]))
    return nn.functional.binary_cross_entropy_with_logits(output, mask)


with torch.no_grad():
    embedding = backbone(images[:1])
pairs = list(zip(boxes, masks, strict=True))
optimizer.zero_grad()
for pair in pairs:
    (loss_of(embedding, *pair) / len(boxes)).backward()
total = sum(loss_of(embedding, *pair) for pair in pairs) / len(boxes)
(of_the_sum,) = torch.autograd.grad(total, decoder.weight)
torch.testing.assert_close(decoder.weight.grad, of_the_sum)
optimizer.step()

# %%
# If something before the embedding is trained, make the embedding with a graph. All
# passes then share this graph, and the second ``backward()`` fails. Add the losses and
# call ``backward()`` once:
# :doc:`/reference/errors/trying_to_backward_through_the_graph_a_second_time`. In SAM,
# ``Sam.forward()`` is `under no_grad() as a whole
# <https://github.com/facebookresearch/segment-anything/blob/28a9f5d7ab59def2d295a55ffda339ef6b149bd5/segment_anything/modeling/sam.py#L55>`__,
# so call ``image_encoder``, ``prompt_encoder`` and ``mask_decoder`` of the model
# yourself (read, not run):
# :doc:`/reference/errors/element_0_of_tensors_does_not_require_grad`.
try:
    embedding = backbone(stem(images[:1]))
    for pair in pairs:
        loss_of(embedding, *pair).backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the passes shared no graph")
assert message.startswith("Trying to backward through the graph a second time")
stem.zero_grad()
embedding = backbone(stem(images[:1]))
sum(loss_of(embedding, *pair) for pair in pairs).backward()
assert stem.weight.grad.any()

# %%
# GNN: node embeddings computed once per epoch, ``backward()`` for each batch of edges
# ------------------------------------------------------------------------------------
# ``z = encoder(x, edge_index)`` before the loop over the edges, and the second batch
# raises ``Trying to backward through the graph a second time``. If the encoder is
# frozen, compute ``z`` under ``no_grad()``: then it is a cache, and only the decoder
# trains. If it trains, ``z`` is out of date after each step: compute it again in each
# batch, or add the losses of all batches, and call ``backward()`` and ``step()`` once.
# ``retain_graph=True`` is no cure: after ``step()`` it raises ``modified by an inplace
# operation``, or gives the gradient of old weights. If the whole graph is too much for
# each batch, sample neighbours.
adjacency = torch.rand(12, 12).round() + torch.eye(12)
adjacency = adjacency / adjacency.sum(1, keepdim=True)
nodes, edges = torch.randn(12, 4), torch.randint(12, (2, 9))
outcome = {}
for way in ("once", "once, frozen", "each batch"):
    gnn, scorer = nn.Linear(4, 4), nn.Linear(8, 1)
    gnn.requires_grad_(way != "once, frozen")
    learned = [p for p in [*gnn.parameters(), *scorer.parameters()] if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.1)
    z = gnn(adjacency @ nodes)
    try:
        for batch in edges.split(3, dim=1):
            if way == "each batch":
                z = gnn(adjacency @ nodes)
            optimizer.zero_grad()
            scorer(torch.cat([z[batch[0]], z[batch[1]]], 1)).square().mean().backward()
            optimizer.step()
        outcome[way] = "right"
    except RuntimeError as error:
        outcome[way] = str(error).split(" (")[0]
    print(f"{way:13}{outcome[way]}")
assert outcome["once"].startswith("Trying to backward through the graph a second time")
assert outcome["once, frozen"] == outcome["each batch"] == "right"

# %%
# Only some layers are frozen: where do I cut the model?
# ------------------------------------------------------
# Store the input of the first layer that trains, and run the rest in each epoch. With
# ``nn.Sequential(*list(model.children())[:-1])`` you lose what ``forward()`` does
# between the layers, such as ``torch.flatten()`` in a ResNet. A hook takes the input
# itself. Whatever you choose, compare the outputs once.


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.middle = nn.Conv2d(1, 2, 3), nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.middle(torch.flatten(self.conv(x).relu(), 1)).relu())


net, pictures = Net().eval(), torch.randn(6, 1, 4, 4)
net.conv.requires_grad_(False)
kept = []
handle = net.middle.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
with torch.no_grad():
    whole = net(pictures)
handle.remove()
(stored,) = kept


def rest(features):
    return net.head(net.middle(features).relu())


print("hook:      ", rest(stored).allclose(whole))
assert rest(stored).allclose(whole)
try:
    nn.Sequential(*net.children())(pictures)
    same = True
except RuntimeError:
    same = False
print("children():", same)
assert not same
assert rest(stored).requires_grad
assert not stored.requires_grad

# %%
# Out of memory while the features are stored, or a file that is far too large
# ----------------------------------------------------------------------------
# Move each batch away from the GPU, ``features.append(backbone(batch).cpu())``, under
# ``no_grad()``: without it each one holds its graph, too. ``torch.save()`` writes the
# whole memory that a tensor looks into, so a slice, such as ``cache[i]``, is as large
# as the cache. Save ``cache[i].clone()``. In half precision it takes half of the space.
import io


def size(tensor):
    file = io.BytesIO()
    torch.save(tensor, file)
    return file.tell()


large = torch.zeros(1000, 100)
sizes = {
    "cache[0]": size(large[0]),
    "cache[0].clone()": size(large[0].clone()),
    "cache": size(large),
    "cache.half()": size(large.half()),
}
for name, number in sizes.items():
    print(f"{name:17}{round(number / 1000):4} kB")
assert sizes["cache[0]"] > 40 * sizes["cache[0].clone()"]
assert abs(sizes["cache"] / sizes["cache.half()"] - 2) < 0.05

# %%
# Where it ends
# -------------
# ``eval()`` affects only modules that check the mode. A call of ``functional.dropout``
# without ``training=`` stays random, and a batch norm without running statistics goes
# on using those of the batch, so a feature depends on the other samples of the batch.
# Compute some features twice, in other batches, before you trust the cache. And fill it
# under ``no_grad()``, not in inference mode: the head can't save such a tensor for its
# backward.


class Random(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5)


for layer in (Random().eval(), nn.BatchNorm1d(8, track_running_stats=False).eval()):
    assert not torch.equal(layer(images)[:32], layer(images[:32]))
with torch.inference_mode():
    unusable = backbone(images)
try:
    head(unusable)
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("an inference tensor was saved")

# %%
# Freeze, ``eval()``, ``no_grad()``, store; and compute the cache again when the
# backbone changes. Features as inputs of a new classifier: the `Transfer Learning
# tutorial
# <https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html>`__ calls
# it the network as fixed feature extractor.
#
# Related: :doc:`/gallery/freezing/freeze_a_backbone`,
# :doc:`/gallery/still-moves/dropout_is_not_a_gradient`,
# :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`.
