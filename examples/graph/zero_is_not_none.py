"""
The weight moves although its gradient is zero: zero is not None
================================================================

Adam, momentum and weight decay can move a weight whose gradient is zero. They skip it
if ``.grad`` is None: leave a term out of the loss instead of multiplying it by 0.
"""

# %%
# Both weights train for one step. Then one is multiplied by 0, the other left out.
import torch
from torch import nn

zero, left_out = (nn.Parameter(torch.ones(1)) for _ in range(2))
optimizer = torch.optim.Adam([zero, left_out], lr=0.1)
(zero + left_out).sum().backward()
optimizer.step()
before = zero.item(), left_out.item()
optimizer.zero_grad()
(0 * zero).sum().backward()
optimizer.step()
print(zero.grad, f"{zero.item() - before[0]:.3f}")
print(left_out.grad, f"{left_out.item() - before[1]:.3f}")
assert zero.item() < before[0]
assert left_out.item() == before[1]

# %%
# Which optimizers move it?
# -------------------------
# A weight trains for one step. Then its gradient is None, or zero, for one more step.
optimizers = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD, momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "SGD, weight_decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1),
    "RMSprop, momentum": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "Adam, fused": lambda p: torch.optim.Adam(p, lr=0.1, fused=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1),
}


def drift(make_optimizer, gradient):
    weight = nn.Parameter(torch.ones(1))
    optimizer = make_optimizer([weight])
    weight.grad = torch.ones(1)
    optimizer.step()
    before = weight.item()
    weight.grad = gradient
    optimizer.step()
    return weight.item() - before


drifts = {}
for name, make_optimizer in optimizers.items():
    drifts[name] = drift(make_optimizer, torch.zeros(1))
    print(f"{name:18} None: {drift(make_optimizer, None)}  zero: {drifts[name]:.4f}")
    assert drift(make_optimizer, None) == 0
still = [name for name, moved in drifts.items() if moved == 0]
assert still == ["SGD", "Adagrad", "RMSprop"]

# %% tags=["hide-input"]
# How far each optimizer moves the weight in one step with a gradient of zero. Three
# don't move it, the others do. With None, none of these does.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.4, 3), layout="constrained")
ax.barh(
    list(drifts), [-moved for moved in drifts.values()], fc="none", ec="C0", hatch="//"
)
ax.set_xlabel("|step()|, grad = 0")
ax.invert_yaxis()
plt.show()

# %%
# Momentum and Adam's averages still hold the gradient of the step before. Weight decay
# adds a multiple of the weight, and a gradient of zero is enough for it. Adam without
# weight decay does not move a weight whose gradients have all been zero (but with
# ``eps=0`` it divides zero by zero, and the weight becomes NaN).
fresh = nn.Parameter(torch.ones(1))
optimizer = torch.optim.Adam([fresh], lr=0.1)
fresh.grad = torch.zeros(1)
optimizer.step()
assert fresh.item() == 1
torch.optim.Adam([fresh], lr=0.1, eps=0.0).step()
assert fresh.isnan()

# %%
# Where zeros come from
# ---------------------
# A loss with the weight 0, a clamp beyond its bounds, a mask, an inactive ReLU and
# ``zero_grad(set_to_none=False)`` give zeros. ``detach()`` gives None: use it for a
# term that you want to log but not to train on.
x = torch.tensor([2.0], requires_grad=True)
mask = torch.tensor([True])
for term in (x * 0, x.clamp(max=1), x.masked_fill(mask, 0), (-x).relu()):
    x.grad = None
    term.sum().backward()
    assert x.grad.item() == 0
torch.optim.SGD([x]).zero_grad(set_to_none=False)
assert x.grad.item() == 0
x.grad = None
other = torch.ones(1, requires_grad=True)
(other + x.detach()).sum().backward()
print(x.grad)
assert x.grad is None

# %%
# A weight of zero behind a layer gives it zeros, too: ``gamma``, the weight of the norm
# at the end of a residual branch, which ``zero_init_residual`` of `torchvision
# <https://pytorch.org/vision/stable/_modules/torchvision/models/resnet.html>`__ makes
# zero, or ``B`` of LoRA. From the second step on the gradient arrives, because
# ``gamma`` has changed. If ``gamma`` is frozen, the layers before it in the branch
# never learn.
for is_frozen in (False, True):
    torch.manual_seed(0)
    layer, norm, data = nn.Linear(4, 4), nn.LayerNorm(4), torch.randn(8, 4)
    nn.init.zeros_(norm.weight).requires_grad_(not is_frozen)
    optimizer = torch.optim.SGD([*layer.parameters(), *norm.parameters()], lr=0.1)
    reached = []
    for _ in range(3):
        optimizer.zero_grad()
        (data + norm(layer(data))).square().sum().backward()
        reached.append(layer.weight.grad.any().item())
        optimizer.step()
    print(f"frozen={is_frozen}: {reached}")
    assert reached == [False, not is_frozen, not is_frozen]


# %%
# All ``gamma`` of a BatchNorm are 0 (pruned): do the layers before it still learn?
# ---------------------------------------------------------------------------------
# In a plain chain they do not. With ``gamma`` at 0 the output of the layer no longer
# depends on its input. So everything before it gets a gradient of exactly zero, not
# None, and the part behind it sees a constant: retraining (fine-tuning) does not
# converge. If ``beta`` is 0 as well and a ReLU follows, ``gamma`` itself has no
# gradient, and the layer never comes back. With another ``beta``, ``gamma`` gets one,
# and comes back unless you hold it at 0. Around a residual block, the gradient takes
# the shortcut (skip connection), and the layers before the block learn.
#
# So keep some channels in each layer without a shortcut, and remove whole blocks only
# where there is one. To hold some ``gamma`` at 0, multiply by the mask after each
# ``step()``: with the gradient alone masked, an optimizer that still has momentum from
# before moves them.
class Chain(nn.Module):
    def __init__(self, *, shortcut):
        super().__init__()
        self.before, self.conv = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
        self.bn, self.head, self.shortcut = nn.BatchNorm2d(4), nn.Linear(4, 2), shortcut

    def forward(self, images):
        x = self.before(images)
        y = self.bn(self.conv(x))
        return self.head((x + y if self.shortcut else y).relu().mean((2, 3)))


learning = {}
for shortcut, beta in ((False, 0.0), (False, 0.1), (True, 0.0)):
    torch.manual_seed(0)
    net = Chain(shortcut=shortcut)
    nn.init.zeros_(net.bn.weight)
    nn.init.constant_(net.bn.bias, beta)
    nn.functional.cross_entropy(
        net(torch.randn(6, 3, 4, 4)), torch.arange(6) % 2
    ).backward()
    found = [
        net.get_parameter(f"{name}.weight").grad for name in ("before", "conv", "bn")
    ]
    learning[shortcut, beta] = [gradient.any().item() for gradient in found]
    print(f"{shortcut=!s:5} {beta=} before, conv, gamma: {learning[shortcut, beta]}")
assert learning[False, 0.0] == [False, False, False]
assert learning[False, 0.1] == [False, False, True]
assert learning[True, 0.0] == [True, False, True]

# %%
# The gradient of my own ``nn.Parameter`` is ``tensor(0.)``, and it never changes
# -------------------------------------------------------------------------------
# It is in the graph, or the gradient would be None. But it is multiplied by something
# that is zero: the state of an RNN or of a spiking neuron in its first step, a feature
# that is always 0, a mask. With ``v + (x - v) / 2 + a * v`` and ``v = 0`` at the start,
# ``a`` has no effect in the first step. Let the network run for several steps before
# ``backward()``, and reset the state before each sample and not before each step. In
# spikingjelly, ``step_mode="s"`` is one step for each call, so call it for each time
# step, or use ``"m"`` (see `its basic concepts
# <https://github.com/fangwei123456/spikingjelly/blob/0.0.0.0.14/docs/source/activation_based/basic_concept.rst>`__,
# not run here).
slopes = []
for time_steps in (1, 2, 3):
    a, v = nn.Parameter(torch.tensor(0.0)), torch.zeros(())
    for _ in range(time_steps):
        v = v + (1 - v) / 2 + a * v
    v.backward()
    slopes.append(a.grad.item())
print(slopes)
assert slopes[:2] == [0, 0.5]
assert slopes[2] > 0

# %%
# ``word_embeddings.weight.grad`` is all zeros, and the other layers have gradients
# ---------------------------------------------------------------------------------
# An embedding has a gradient only in the rows that were looked up, and ``print()``
# shows only the first and the last three rows of a large table. (If an output layer
# shares the weight, it adds a gradient to each row.) Look at the rows of your tokens:
# ``weight.grad[ids.unique()]``, or ask which rows are not zero. If these rows are zero
# as well,
#
# - the token is the ``padding_idx``, whose lookup gives no gradient,
# - or the values are too small for half precision, as behind a ``softmax``. Compute the
#   loss from the logits (``cross_entropy``) and in float32, or scale it with a
#   ``GradScaler``.
#
# If ``.grad`` is None, the path to the embedding is cut, or it is frozen.
vocabulary = nn.Embedding(2000, 4, padding_idx=700)
ids = torch.tensor([[700, 801, 802, 801]])
vocabulary(ids).square().sum().backward()
print(vocabulary.weight.grad)
found = vocabulary.weight.grad.abs().sum(1).nonzero().flatten()
print(ids.unique().tolist(), found.tolist())
assert not vocabulary.weight.grad[:3].any()
assert not vocabulary.weight.grad[-3:].any()
assert found.tolist() == [801, 802]
# A shared output layer gives the row of padding_idx a gradient, too.
output_layer = nn.Linear(4, 2000, bias=False)
output_layer.weight = vocabulary.weight
output_layer(vocabulary(ids)).logsumexp(-1).sum().backward()
assert vocabulary.weight.grad[700].any()
# The same gradient in half precision and in float32:
small = {}
for dtype in (torch.float16, torch.float32):
    scores = torch.tensor([0.0, 20.0], dtype=dtype, requires_grad=True)
    scores.softmax(0)[0].backward()
    small[dtype] = scores.grad[0].item()
print(small)
assert small[torch.float16] == 0 < small[torch.float32]

# %%
# All gradients are zero, not None, and nothing trains: which layer stops them?
# -----------------------------------------------------------------------------
# If only the embedding shows zeros, see the section above. Otherwise ask for the
# gradient of each layer's output. The layer that stops it is the first one
# from the end whose own output has a gradient, while that of the layer before has
# none. These are the usual ones:
#
# - *A softmax over one value* is always 1. For one output, remove it, and use
#   ``BCEWithLogitsLoss``.
# - *A saturated sigmoid or softmax* gives exactly 0 or 1. Remove it, use
#   ``BCEWithLogitsLoss`` or ``CrossEntropyLoss`` on the logits, and normalise the
#   input.
# - *A dead ReLU*: all of its inputs are negative, often after a step that was too
#   large, or because it is the last layer. Leave it out at the end. Elsewhere, use
#   ``LeakyReLU`` or ``GELU``, and a smaller learning rate.
# - *Two layers in a row that are initialised with zeros*: only the bias of the second
#   one gets a gradient. Initialise only the second one with zeros.


def have_gradients(model, criterion):
    outputs = {}

    def keep(name):
        return lambda _module, _inputs, output: outputs.update({name: output})

    handles = [
        m.register_forward_hook(keep(name)) for name, m in model.named_children()
    ]
    loss = criterion(model(inputs), labels)
    for handle in handles:
        handle.remove()
    gradients = torch.autograd.grad(loss, list(outputs.values()))
    return [gradient.any().item() for gradient in gradients]


def linear(bias):
    layer = nn.Linear(4, 1)
    nn.init.constant_(layer.weight, 0.1)
    nn.init.constant_(layer.bias, bias)
    return layer


inputs, labels = torch.ones(2, 4), torch.tensor([[1.0], [0.0]])
bce, logits = nn.BCELoss(), nn.BCEWithLogitsLoss()
cases = {
    "softmax of one value": (nn.Sequential(linear(0), nn.Softmax(1)), bce),
    "saturated sigmoid": (nn.Sequential(linear(200), nn.Sigmoid()), bce),
    "dead ReLU": (nn.Sequential(linear(-9), nn.ReLU()), nn.MSELoss()),
    "logits": (nn.Sequential(linear(200)), logits),
    "LeakyReLU": (nn.Sequential(linear(-9), nn.LeakyReLU()), nn.MSELoss()),
}
table = {name: have_gradients(*case) for name, case in cases.items()}
for name, found in table.items():
    print(f"{name:21}", found)
assert [found[0] for found in table.values()] == [False, False, False, True, True]
assert all(found[-1] for found in table.values())
both = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 1))
for parameter in both.parameters():
    nn.init.zeros_(parameter)
nn.MSELoss()(both(inputs), labels).backward()
with_gradient = [name for name, p in both.named_parameters() if p.grad.any()]
assert with_gradient == ["1.bias"]

# %%
# Trained on one class only, such as normal samples only: all gradients are zero
# ------------------------------------------------------------------------------
# The graph is connected, but for this class the loss is flat. With labels
# or masks that are all 0, these have a gradient of exactly zero:
#
# - a term that is multiplied by the label or the mask, such as Dice without a
#   smoothing constant, or the sum over an empty mask (its mean is NaN);
# - a hinge, a triplet or a contrastive loss whose margin is kept by all samples;
# - cross-entropy or focal loss that is saturated: to answer *normal* every time is the
#   optimum, so the gradient becomes smaller until it is rounded to zero.
#
# Print each term with its value and its gradient to the features, as here. If all are
# zero, add abnormal samples, or make some (CutPaste, noise, a texture pasted in, with
# its mask). If you have none, take a loss for one class, such as the distance to a
# centre (Deep SVDD) or the reconstruction error. A loss that stays at 0 is no
# success: test with one abnormal sample. If the gradients are None, it is another
# mistake: the path is cut, or the layer is frozen.


def terms(features, mask):
    score = features.sigmoid()
    logit = nn.functional.binary_cross_entropy_with_logits
    return {
        "Dice": 1 - 2 * (score * mask).sum() / (score.sum() + mask.sum()),
        "masked sum": score[mask.bool()].sum(),
        "label * distance": (mask * features.square()).mean(),
        "hinge": (features + 2).relu().mean(),
        "saturated BCE": logit(features * 100, mask),
        "one class": (features - 0.5).square().mean(),
    }


normal = torch.full((4,), -3.0, requires_grad=True)
zero = {}
for name, mask in (("normal", torch.zeros(4)), ("abnormal", torch.eye(4)[0])):
    zero[name] = []
    for term, value in terms(normal, mask).items():
        (gradient,) = torch.autograd.grad(value, normal, retain_graph=True)
        print(f"{name:9}{term:17}{value:7.2f}  gradient: {gradient.any().item()}")
        zero[name] += [] if gradient.any() else [term]
assert zero["normal"] == [*terms(normal, mask)][:5]
assert zero["abnormal"] == ["hinge"]

# %%
# ``nn.DataParallel``: zeros for a layer that ``forward()`` does not use
# ----------------------------------------------------------------------
# Freeze the layer that is unused, leave it out of the optimizer, or train with
# ``DistributedDataParallel``. On several GPUs, ``nn.DataParallel`` gives such a layer
# zeros, not None. So weight decay changes the layer, and so does momentum from earlier
# steps in which the layer was used. The cause: ``DataParallel`` copies all
# parameters by one custom function, whose ``backward`` gets zeros for each output that
# the loss does not depend on (`source
# <https://github.com/pytorch/pytorch/blob/main/torch/nn/parallel/_functions.py>`__ and
# `a report <https://github.com/pytorch/pytorch/issues/23938>`__; read, not run on
# GPUs). Such a function, on the CPU:


class Copies(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *parameters):
        return tuple(p.clone() for p in parameters)

    @staticmethod
    def backward(ctx, *gradients):
        return gradients


used, unused = (nn.Parameter(torch.ones(1)) for _ in range(2))
copies = Copies.apply(used, unused)
copies[0].sum().backward()
print(used.grad, unused.grad)
assert unused.grad.item() == 0
unused.requires_grad_(False).grad = None
Copies.apply(used, unused)[0].sum().backward()
assert unused.grad is None

# %%
# Gradient NaN although torch.where masks the NaN in the output, or I multiply by 0
# ---------------------------------------------------------------------------------
# Multiplying by 0 does not switch a branch off. The derivative of ``sqrt`` at 0 is
# infinite, and 0 times infinity is NaN. ``torch.where`` computes both branches and
# sends 0 into the one that was not taken: the output is masked, and its gradient is NaN
# all the same, as it is for a division by 0.
y = torch.tensor([0.0], requires_grad=True)
(of_product,) = torch.autograd.grad((y.sqrt() * 0).sum(), y)
(of_where,) = torch.autograd.grad(torch.where(y > 0, y.sqrt(), 0.0).sum(), y)
print(of_product, of_where)
assert of_product.isnan()
assert of_where.isnan()

# %%
# So mask the input of the operation, not only its output: two ``torch.where``, one
# before and one behind.
safe = torch.where(y > 0, y, 1.0).sqrt()
(of_safe,) = torch.autograd.grad(torch.where(y > 0, safe, 0.0).sum(), y)
assert of_safe.item() == 0
top = torch.ones(1, requires_grad=True)
(of_output,) = torch.autograd.grad(torch.where(y == 0, 0.0, top / y).sum(), y)
divided = top / torch.where(y == 0, 1.0, y)
(of_input,) = torch.autograd.grad(torch.where(y == 0, 0.0, divided).sum(), y)
print(of_output, of_input)
assert of_output.isnan()
assert of_input.item() == 0


# %% tags=["hide-input"]
# Where it ends
# -------------
# - LBFGS does not skip None. It puts zeros in its place and updates all parameters that
#   it holds from its history. Build a new one without the weight that must not move.
# - A weight can change without an optimizer: an embedding with ``max_norm`` rescales
#   its rows in the forward.
def minimise(optimizer):
    def closure():
        optimizer.zero_grad()
        loss = ((frozen * trained - 3) ** 2).sum()
        loss.backward()
        return loss

    before = frozen.detach().clone()
    optimizer.step(closure)
    return (frozen - before).abs().max().item()


frozen, trained = (nn.Parameter(torch.ones(2)) for _ in range(2))
lbfgs = torch.optim.LBFGS([frozen, trained], lr=0.05, max_iter=2)
minimise(lbfgs)
frozen.requires_grad_(False).grad = None
moved = minimise(lbfgs)
print(frozen.grad, f"{moved:.5f}")
assert frozen.grad is None
assert moved > 0
assert minimise(torch.optim.LBFGS([trained], lr=0.05)) == 0

classes = [c for c in vars(torch.optim).values() if isinstance(c, type)]
for optimizer_class in classes:
    if optimizer_class in (torch.optim.Optimizer, torch.optim.LBFGS):
        continue
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = optimizer_class([weight], lr=0.1)
    is_sparse = optimizer_class is torch.optim.SparseAdam
    weight.grad = torch.ones(2, 2).to_sparse() if is_sparse else torch.ones(2, 2)
    optimizer.step()
    before, weight.grad = weight.detach().clone(), None
    assert before.tolist() != [[1, 1], [1, 1]]
    optimizer.step()
    assert weight.equal(before)

embedding = nn.Embedding(2, 2, max_norm=0.1).requires_grad_(False)
before = embedding.weight.clone()
embedding(torch.tensor([0]))
assert embedding.weight.grad is None
assert not embedding.weight.equal(before)

# %%
# With these two exceptions, an optimizer of ``torch.optim`` does not move a weight
# whose ``.grad`` is None. To get None, leave the branch out of the loss with ``if``.
#
# Related: :doc:`gradients_accumulate`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`,
# :doc:`/gallery/still-moves/stale_gradients`. Source:
# :torch:`torch.optim.Optimizer.zero_grad`.
