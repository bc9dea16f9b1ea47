"""
Freeze a backbone and train a new head: requires_grad_(False) and eval()
========================================================================

Freeze the whole network, then put in a new head, and give the optimizer the head. Call
``backbone.eval()`` after each ``train()``, or the statistics of its batch norm change.
"""

# %%
import copy
from collections import OrderedDict

import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()]
backbone = nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 16))
parts = OrderedDict(backbone=backbone, head=nn.Linear(16, 10))
model = nn.Sequential(parts)  # load the pretrained weights here

model.requires_grad_(False)
model.head = nn.Linear(16, 2)
optimizer = torch.optim.AdamW(model.head.parameters(), lr=0.05)
trainable = [n for n, p in model.named_parameters() if p.requires_grad]
print(trainable)
assert trainable == ["head.weight", "head.bias"]

# %%
# The training loop
# -----------------
# ``model.train()`` switches the frozen part, too, so ``backbone.eval()`` comes after it
# in each epoch. (If the head is ``model.fc``: ``model.eval()``, then
# ``model.fc.train()``.) The head learns, and in the backbone nothing has changed.
from torch.utils.data import DataLoader, TensorDataset


def draw(count):
    labels = torch.arange(count) % 2
    return torch.randn(count, 3, 8, 8) + 2 * labels.view(-1, 1, 1, 1), labels


images, labels = draw(64)
test_images, test_labels = draw(64)
batches = DataLoader(TensorDataset(images, labels), batch_size=16, shuffle=True)
start = {name: value.clone() for name, value in model.state_dict().items()}


def changed():
    return [k for k, value in model.state_dict().items() if not value.equal(start[k])]


for epoch in range(10):
    model.train()
    model.backbone.eval()
    for inputs, targets in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        right = model(test_images).argmax(1) == test_labels
    accuracy = right.float().mean().item()
    if epoch % 3 == 0:
        print(f"epoch {epoch}: accuracy {accuracy:.2f}")
print(changed())
model.eval()
model.head.train()
assert model.head.training
assert not model.backbone[1].training
assert changed() == ["head.weight", "head.bias"]
assert accuracy > 0.8

# %%
# ``model.fc``, ``classifier[6]``, ``heads.head``: what is the head called?
# -------------------------------------------------------------------------
# Replace the layer that ``forward()`` calls. Under a wrong name, ``model.fc = ...``
# only adds a layer that is never called, without an error: the output keeps the old
# number of classes, and ``backward()`` fails. The last layer is called:
#
# - torchvision: ``fc`` in ResNet, RegNet, GoogLeNet and Inception (which has
#   ``AuxLogits.fc``, too), ``classifier`` in DenseNet, ``classifier[6]`` in VGG and
#   AlexNet, ``classifier[1]`` in EfficientNet and MobileNetV2, ``classifier[3]`` in
#   MobileNetV3, ``classifier[2]`` in ConvNeXt, ``heads.head`` in ViT, ``head`` in Swin.
# - timm: ``model.get_classifier()`` returns it, ``model.reset_classifier(2)`` makes a
#   new one.
# - transformers: ``classifier``, ``score`` or ``lm_head``. ``from_pretrained(...,
#   num_labels=2)`` makes a new one.
#
# These are the names of `torchvision
# <https://github.com/pytorch/vision/tree/main/torchvision/models>`__ and `timm
# <https://github.com/huggingface/pytorch-image-models>`__, which were not run here. Or
# look for the last ``nn.Linear``. Make the optimizer afterwards: one from before holds
# the parameters of the old head, and the new head does not learn.


class Vgg(nn.Module):  # as in torchvision, with fewer layers
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        self.classifier = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 10))

    def forward(self, x):
        return self.classifier(self.features(x))


vgg, x = Vgg().requires_grad_(False), torch.randn(6, 4)
vgg.fc = nn.Linear(8, 2)  # wrong: forward() does not call it
print("fc:           ", tuple(vgg(x).shape), vgg(x).requires_grad)
assert vgg(x).shape == (6, 10)
assert not vgg(x).requires_grad
del vgg.fc
linear = [name for name, module in vgg.named_modules() if isinstance(module, nn.Linear)]
assert linear[-1] == "classifier.2"
early = torch.optim.SGD(vgg.classifier[2].parameters(), lr=0.1)  # wrong: the old head
vgg.classifier[2] = nn.Linear(vgg.classifier[2].in_features, 2)
late = torch.optim.SGD(vgg.classifier[2].parameters(), lr=0.1)
print("classifier[2]:", tuple(vgg(x).shape), vgg(x).requires_grad)
assert vgg(x).shape == (6, 2)
assert vgg(x).requires_grad
for made, optimizer in (("before", early), ("after", late)):
    bias = vgg.classifier[2].bias.clone()
    vgg(x).square().sum().backward()
    optimizer.step()
    learns = not vgg.classifier[2].bias.equal(bias)
    print(f"optimizer made {made}: the head learns: {learns}")
    assert learns == (made == "after")

# %%
# size mismatch for fc.weight: copying a param with shape ... from checkpoint
# ---------------------------------------------------------------------------
# The checkpoint has another number of classes than your head. ``strict=False`` does not
# help: it ignores names, not shapes. Load with the old number of classes, and replace
# the head after that. Or leave out what has another shape. Then look at
# ``missing_keys``: only the head may be missing. If the names have a prefix, such as
# ``module.`` from DDP, ``strict=False`` loads nothing, without an error, and you freeze
# random weights. Remove the prefix. Loading changes values and leaves ``requires_grad``
# as it is.


def network(classes):
    return nn.Sequential(OrderedDict(stem=nn.Linear(4, 4), fc=nn.Linear(4, classes)))


checkpoint = network(1000).state_dict()
mine = network(2)
mine.stem.requires_grad_(False)
try:
    mine.load_state_dict(checkpoint, strict=False)  # wrong
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("another shape was loaded")
assert "size mismatch for fc.weight: copying a param with shape" in message
saved_by_ddp = {f"module.{name}": value for name, value in checkpoint.items()}
wrong = mine.load_state_dict(saved_by_ddp, strict=False)  # loads nothing
print("prefix:", wrong.missing_keys)
assert wrong.missing_keys == list(mine.state_dict())
own = mine.state_dict()
stripped = {k.removeprefix("module."): value for k, value in saved_by_ddp.items()}
fitting = {k: value for k, value in stripped.items() if value.shape == own[k].shape}
right = mine.load_state_dict(fitting, strict=False)
print("right: ", right.missing_keys)
assert right.missing_keys == ["fc.weight", "fc.bias"]
assert mine.stem.weight.equal(checkpoint["stem.weight"])
assert not mine.stem.weight.requires_grad

# %%
# Is freezing necessary? Does it cost accuracy? And without pretrained weights?
# -----------------------------------------------------------------------------
# It is not necessary. Freezing saves time and memory, and protects pretrained weights
# from a new head and from too few examples. What it does to the accuracy, or the mAP of
# a detector, depends on the case:
#
# - *Few examples, and a task that is close to the pretraining*: freeze, or train
#   everything with a small learning rate for the backbone.
# - *Many examples, or a task that needs other features*: frozen features cost accuracy.
#   Train the head first, then everything (``Freeze_Train``, then unfreeze). The frozen
#   phase is short and cheap, and the result depends on the second one and its rate:
#   :doc:`unfreeze_gradually`.
# - *No pretrained weights*: don't freeze. Random features stay random. Leave out
#   ``freeze_bn()``, too: :doc:`batch_norm_with_small_batches`.
#
# In the table, all numbers are accuracies on new data. The pretrained backbone knows
# whether two of its inputs have the same sign. The task ``close`` asks for just this,
# with 100 examples. The task ``other`` asks for it of two other inputs, with 5000.


def examples(count, task):
    x = torch.randn(count, 6)
    known, also_known, unknown = ((x[:, i] * x[:, i + 1] > 0) for i in (0, 2, 4))
    if task == "pretraining":
        return x, known.long() + 2 * also_known.long()
    return x, (known if task == "close" else unknown).long()


def fit(body, top, data, rate):
    body.requires_grad_(rate > 0)
    groups = [{"params": body.parameters(), "lr": rate}, {"params": top.parameters()}]
    optimizer, (x, y) = torch.optim.Adam(groups, lr=0.01), data
    for _ in range(200 if top.out_features == 2 else 400):
        chosen = torch.randint(len(x), (64,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(top(body(x[chosen])), y[chosen]).backward()
        optimizer.step()


hidden = nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()
random = nn.Sequential(*hidden)
pretrained = copy.deepcopy(random)
fit(pretrained, nn.Linear(64, 4), examples(10000, "pretraining"), 0.005)
backbones = {"pretrained": pretrained, "random": random}
reached = {}
print(f"{'':16}close  other")
for name, rate in (
    ("pretrained", 0),
    ("pretrained", 0.005),
    ("random", 0),
    ("random", 0.005),
):
    for task, count in (("close", 100), ("other", 5000)):
        body, top = copy.deepcopy(backbones[name]), nn.Linear(64, 2)
        fit(body, top, examples(count, task), rate)
        x, y = examples(1000, task)
        with torch.no_grad():
            hits = top(body(x)).argmax(1) == y
        reached[name, rate > 0, task] = hits.float().mean().item()
    close, other = (reached[name, rate > 0, task] for task in ("close", "other"))
    print(f"{name:11}{'all' if rate else 'head':5}{close:.2f}   {other:.2f}")
best = reached["pretrained", False, "close"]
assert best > 0.85
assert best > reached["random", True, "close"]
assert best > reached["random", False, "close"] + 0.1
assert reached["pretrained", False, "other"] < 0.65
for name in backbones:
    assert reached[name, True, "other"] > 0.85
    assert reached[name, True, "other"] > reached[name, False, "other"] + 0.1

# %%
# Why not all layers, why only the last ones? Can the two stages be one?
# ----------------------------------------------------------------------
# The early layers of a network are general, and the last ones belong to the task it was
# trained on (`measured by Yosinski et al. <https://arxiv.org/abs/1411.1792>`__). So for
# a new task on similar data, the last ones mostly gain most from training. If the
# inputs themselves look different (noise, another sensor), it can be the first ones
# (`Lee et al. <https://arxiv.org/abs/2210.11466>`__). Below the first layer that
# trains, nothing is kept for the backward pass. All layers at a small rate can be as
# good or better, with enough data. Which it is for you, only a validation on your data
# shows.
#
# A random head sends random gradients into a backbone that trains with it. `Kumar et
# al. <https://arxiv.org/abs/2202.10054>`__ found that head first, then all, was better
# on average than either alone, above all on data that differs from the training data.
# One run with a small rate for the backbone that is warmed up serves the same purpose
# (:doc:`accuracy_falls_after_unfreezing`). With many images and long training, a
# detector reached the same from random weights as from pretrained ones, see `He et al.
# <https://arxiv.org/abs/1811.08883>`__.
#
# If you changed the backbone, load what fits, as above, and freeze only that. If a new
# layer is in front of loaded ones, these get inputs that they were not trained on: then
# train them, too, at a small rate.
mine = nn.Sequential(OrderedDict(stem=nn.Linear(4, 4), extra=nn.Linear(4, 4)))
mine.fc = nn.Linear(4, 2)
result = mine.load_state_dict(fitting, strict=False)
for name, parameter in mine.named_parameters():
    parameter.requires_grad_(name in result.missing_keys)
trains = [name for name, p in mine.named_parameters() if p.requires_grad]
print(*trains)
assert trains == ["extra.weight", "extra.bias", "fc.weight", "fc.bias"]

# %%
# Why can't I call ``backward()``?
# --------------------------------
# Because everything was frozen after the new head was in. The head is frozen with the
# rest, and no parameter is left that requires a gradient.
model.requires_grad_(False)
try:
    model(images).sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("backward() ran with everything frozen")
model.head.requires_grad_(True)

# %%
# What if I forget ``eval()``?
# ----------------------------
# ``requires_grad_()`` sets parameters, not buffers. In training mode one forward
# changes the running statistics, and the same image has other features afterwards.
model.load_state_dict(start)
features = model.backbone.eval()(images)
model.train()(images)
print(changed())
assert changed() == [f"backbone.{name}" for name, _ in backbone.named_buffers()]
assert not model.backbone.eval()(images).allclose(features)

# %%
# Do I need ``no_grad()``? Can I compute the features once?
# ---------------------------------------------------------
# Neither the backbone nor its input requires a gradient, so autograd records nothing in
# it, with ``no_grad()`` or without. In ``eval()`` this backbone computes the same
# features for the same image, up to rounding. Compute them once, and the head learns
# from them as before. :doc:`/gallery/recipes/feature_cache` says when that fails.
assert features.grad_fn is None


def train_head(forward):
    model.load_state_dict(start)
    model.eval()
    optimizer, losses = torch.optim.AdamW(model.head.parameters(), lr=0.05), []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(forward(), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


losses = train_head(lambda: model(images))
model.load_state_dict(start)
features = model.backbone(images)
cached_losses = train_head(lambda: model.head(features))
torch.testing.assert_close(cached_losses, losses)
assert losses[-1] < losses[0] / 2

# %% tags=["hide-input"]
# The loss while the head learns. Line: every step runs the frozen backbone. Diamonds:
# it ran once, before the first step, and its features were stored. No difference.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(losses, "C0", lw=2, label="model(images)")
ax.plot(cached_losses, "C3D", mfc="none", mew=1.5, label="model.head(features)")
ax.set(xlabel="step", ylabel="loss", xticks=range(0, 21, 5), ylim=0)
ax.legend()
plt.show()

# %%
# Are pretrained encoders frozen by default? Train only the decoder
# -----------------------------------------------------------------
# No: loading weights freezes nothing, with ``load_state_dict()`` and with an option
# such as ``weights=`` or ``encoder_weights="imagenet"``. (A few things that freeze are
# at the end of this page.) For a segmentation network, an autoencoder or a captioner:
# freeze ``model.encoder`` after the weights are loaded, give the optimizer only what
# trains, and call ``model.encoder.eval()`` after each ``model.train()``. Then count.
# A segmentation head is often a part of its own beside the decoder. It must train, too:
# so freeze the encoder, instead of all but the decoder.
unet = nn.ModuleDict(
    {
        "encoder": nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)),
        "decoder": nn.Conv2d(4, 4, 3, padding=1),
        "segmentation_head": nn.Conv2d(4, 2, 1),
    }
)
pretrained = copy.deepcopy(unet["encoder"].state_dict())
unet["encoder"].load_state_dict(pretrained)
assert all(p.requires_grad for p in unet.parameters())
unet["encoder"].requires_grad_(False)
optimizer = torch.optim.AdamW(p for p in unet.parameters() if p.requires_grad)
unet.train()
unet["encoder"].eval()
mask = unet["segmentation_head"](unet["decoder"](unet["encoder"](images)))
mask.square().mean().backward()
optimizer.step()
for name, part in unet.items():
    trains = sum(p.numel() for p in part.parameters() if p.requires_grad)
    print(f"{name:18}{trains:4} of {sum(p.numel() for p in part.parameters())} train")
    assert (trains == 0) == (name == "encoder")
state = unet["encoder"].state_dict()
assert all(state[name].equal(pretrained[name]) for name in state)
assert unet["decoder"].weight.grad.any()

# %%
# A detector is too slow to train: which layers do I freeze?
# ----------------------------------------------------------
# The backbone, or only its first layers; neck and head train. The lines are the same.
# Freeze before the optimizer and DDP are made, and switch the frozen batch norms to
# ``eval()`` after each ``train()``. Work is saved at the input, where the backward pass
# ends at the first layer that trains. Many detectors have an option for it, such as
# ``frozen_stages`` or ``freeze_at``: :doc:`/gallery/frameworks/options_that_freeze`.
model.requires_grad_(True).train()
model.backbone[:2].requires_grad_(False).eval()
frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
print(frozen, len(optimizer.param_groups[0]["params"]))
assert {name.split(".")[1] for name in frozen} == {"0", "1"}
assert len(frozen) == len(optimizer.param_groups[0]["params"]) == 4
assert model.backbone[1].training is False
assert model.backbone[:2](images).grad_fn is None

# %%
# Freeze the features extractor of stable-baselines3
# --------------------------------------------------
# The features extractor is a module of the policy:
#
# - PPO and A2C: ``model.policy.features_extractor`` (with
#   ``share_features_extractor=False`` also ``vf_features_extractor``).
# - SAC and TD3: ``model.policy.actor.features_extractor``.
# - DQN: ``model.policy.q_net.features_extractor``.
#
# The critic of SAC and TD3 and all target networks have an extractor of their own by
# default: load and freeze each. (Read in `policies.py
# <https://github.com/DLR-RM/stable-baselines3/blob/master/stable_baselines3/common/policies.py>`__
# of 2026 and, for DQN, in `its policies
# <https://github.com/DLR-RM/stable-baselines3/blob/master/stable_baselines3/dqn/policies.py>`__,
# not run here; the cell below imitates it.) What else to mind:
#
# - Load the pretrained weights after ``PPO(...)``. Loaded in the constructor of the
#   extractor, they are lost: with ``ortho_init=True``, the default of PPO and A2C, the
#   policy then initializes all ``Linear`` and ``Conv2d`` of the extractor.
# - Freeze with ``requires_grad_(False)``. The optimizer exists by then, and skips
#   parameters without a gradient. ``PPO.load()`` does not freeze: freeze again.
# - SB3 calls ``train()`` on the whole policy before each update. If the extractor has
#   batch norm or dropout, override its ``train()``.
# - To train it again, call ``requires_grad_(True)``.
#
# If it is always frozen, compute the features in a wrapper of the environment, in
# ``eval()`` and under ``no_grad()``. Then the replay or rollout buffer holds features,
# and the extractor runs once for each observation.


class Extractor(nn.Sequential):
    def train(self, mode=True):
        return super().train(False)


extractor = Extractor(nn.Linear(4, 8), nn.BatchNorm1d(8))
policy = nn.Sequential(extractor, nn.Linear(8, 2))
pretrained = {name: value.clone() for name, value in extractor.state_dict().items()}
optimizer = torch.optim.Adam(policy.parameters(), lr=0.1)
extractor.requires_grad_(False)


def orthogonal(module):
    if isinstance(module, nn.Linear):
        nn.init.orthogonal_(module.weight)


policy.apply(orthogonal)
print("after the initialization:", extractor[0].weight.equal(pretrained["0.weight"]))
assert not extractor[0].weight.equal(pretrained["0.weight"])
extractor.load_state_dict(pretrained)
before = policy[1].weight.clone()
policy.train()(torch.randn(16, 4)).square().sum().backward()
optimizer.step()
state = extractor.state_dict()
print("after a step:", all(state[name].equal(pretrained[name]) for name in state))
assert all(state[name].equal(pretrained[name]) for name in state)
assert not policy[1].weight.equal(before)

# %% tags=["hide-input"]
# Where it ends
# -------------
# - An embedding with ``max_norm`` rewrites its frozen weight, in ``eval()``, too
#   (:doc:`/gallery/still-moves/other_buffers_that_move`).
# - Batch norm that keeps no running statistics uses those of the batch in ``eval()``,
#   too: the features of an image depend on the other images.
# - Some new layers are frozen: ``nn.Embedding.from_pretrained``.
# - On MPS, Apple's GPUs, a layer norm that trains behind a frozen backbone got wrong
#   gradients, without an error (`issue 183825
#   <https://github.com/pytorch/pytorch/issues/183825>`__ of May 2026, with a `repair
#   <https://github.com/pytorch/pytorch/pull/183893>`__; read there, not run). Compare
#   the gradients of one step with those on the CPU.
table = nn.Embedding.from_pretrained(torch.ones(2, 2), max_norm=1.0).eval()
assert not table.weight.requires_grad
table(torch.tensor([0, 1]))
assert not table.weight.equal(torch.ones(2, 2))
norm = nn.BatchNorm2d(3, track_running_stats=False).eval()
assert not norm(images)[:2].allclose(norm(images[:2]))

# %%
# Related: :doc:`unfreeze_gradually`, :doc:`did_my_freeze_work`,
# :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`. Source:
# ``requires_grad_`` in :torch:`torch.nn.Module`.
