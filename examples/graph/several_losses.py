"""
Several losses: a shared weight gets the sum of the gradients, a head only its own
==================================================================================

Each loss sends its gradient to the parameters that it depends on. At a shared parameter
the gradients add up. ``detach()`` the input of an auxiliary head, and its loss no
longer reaches what is shared.
"""

# %% tags=["hide-input"]
# A shared layer with two heads, and a function that prints norms of gradients.
import torch
from torch import nn

torch.manual_seed(0)
shared, head, auxiliary = nn.Linear(3, 4), nn.Linear(4, 1), nn.Linear(4, 1)
weights = [shared.weight, head.weight, auxiliary.weight]
features = shared(torch.randn(8, 3))


def gradients(name, loss):
    found = torch.autograd.grad(
        loss, weights, retain_graph=True, materialize_grads=True
    )
    print(f"{name:10}", *(f"{gradient.norm():<6.2f}" for gradient in found))
    return found


# %%
first = head(features).square().mean()
second = auxiliary(features).square().mean()
detached = auxiliary(features.detach()).square().mean()

print("loss       shared head   auxiliary")
one, two = gradients("first", first), gradients("second", second)
both = gradients("both", first + second)
cut = gradients("detached", first + detached)
torch.testing.assert_close(both[0], one[0] + two[0])
assert not one[2].any()
assert not two[1].any()
assert cut[0].equal(one[0])
assert cut[2].equal(two[2])

# %%
# Do several losses interfere with each other in ``backward()``?
# --------------------------------------------------------------
# In the shared parameters they do: that is what an auxiliary loss is for. The optimizer
# sees only the sum. If the cosine of two gradients is negative, the losses conflict: a
# small step of plain SGD along one of them makes the other loss larger. You can
#
# - multiply the auxiliary loss by a weight, which scales its gradient in the shared
#   part and in its own head, or learn the weights
#   (:doc:`/gallery/recipes/losses_with_parameters`),
# - detach the input of the auxiliary head: it learns to read the features, and does not
#   change them.
#
# A weight of 0 does not remove a loss: its gradient is 0, not None, and a loss that is
# inf or nan can make the shared gradient nan. Leave the loss out of the sum.
weighted = torch.autograd.grad(first + 0.4 * second, weights, retain_graph=True)
torch.testing.assert_close(weighted[0], one[0] + 0.4 * two[0])
torch.testing.assert_close(weighted[2], 0.4 * two[2])

w = torch.tensor([1.0, 0.0], requires_grad=True)
for target in ([0.0, 1.0], [2.0, 1.0]):
    goal, other = torch.tensor(target), torch.tensor([0.0, 0.0])
    pair = [(w - goal).square().sum(), (w - other).square().sum()]
    steps = [torch.autograd.grad(loss, w)[0] for loss in pair]
    cosine = nn.functional.cosine_similarity(*steps, dim=0).item()
    stepped = (w - 0.01 * steps[0] - other).square().sum()
    print(f"cosine {cosine:.2f}, the other loss: {pair[1]:.2f} -> {stepped:.2f}")
    assert (cosine < 0) == (stepped > pair[1]).item()

layer = nn.Linear(1, 1)
broken = layer(torch.tensor([float("inf")])).sum()
(layer(torch.ones(1)).sum() + 0 * broken).backward()
print(layer.weight.grad)
assert layer.weight.grad.isnan()
layer.weight.grad = None
(0 * layer(torch.ones(1)).sum()).backward()
assert layer.weight.grad.item() == 0

# %%
# Actor and critic share nothing: may I add their losses?
# -------------------------------------------------------
# Yes. ``loss = action_loss + coef * value_loss`` gives each of the two networks the
# gradient of its own loss alone, and one backward equals two. One optimizer that holds
# both networks then takes the same steps as two, because most optimizers treat each
# element, or each parameter, for itself. The advantage must be detached
# (:doc:`/gallery/recipes/target_network_and_advantage`), or the actor's loss reaches
# the critic.
#
# Not the same are
#
# - ``clip_grad_norm_()`` over both networks: it computes one norm, so a large gradient
#   of the critic shrinks the one of the actor. Clip each network for itself,
# - LBFGS, whose step depends on all parameters that it holds,
# - a ``GradScaler`` with one optimizer: an inf in one network skips the step of both.
#
# If nothing is shared, ``coef`` is, in SGD without weight decay, the same as another
# learning rate of the critic. In Adam and AdamW it has nearly no effect (unless you
# clip, or Adam has a ``weight_decay``), since they divide by the size of the gradient.
optim = torch.optim


def trained(make, *, together, clip=None, coef=0.5):
    torch.manual_seed(0)
    actor, critic = (
        nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)) for _ in range(2)
    )
    state, returns = torch.randn(16, 3), torch.randn(16, 1)
    parts = [list(actor.parameters()), list(critic.parameters())]
    groups = [parts[0] + parts[1]] if together else parts
    optimizers = [make(group) for group in groups]

    def closure():
        value = critic(state)
        advantage = (returns - value).detach()
        action_loss = -(advantage * actor(state).sigmoid().log()).mean()
        value_loss = coef * (returns - value).square().mean()
        total = action_loss + value_loss
        for optimizer in optimizers:
            optimizer.zero_grad()
        for loss in [total] if together else [action_loss, value_loss]:
            loss.backward()
        for group in groups if clip else []:
            nn.utils.clip_grad_norm_(group, clip)
        return total

    for _ in range(3):
        for optimizer in optimizers:
            optimizer.step(closure)
    return nn.utils.parameters_to_vector(parts[0] + parts[1]).detach()


def same(make, **options):
    ways = [trained(make, together=together, **options) for together in (True, False)]
    return torch.allclose(*ways)


MAKE = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "LBFGS": lambda p: optim.LBFGS(p, lr=0.1),
}
print(f"{'':9}as two optimizers  with clipping  5 times coef")
for name, make in MAKE.items():
    coefs = [trained(make, together=True, coef=coef) for coef in (0.5, 2.5)]
    distance = (coefs[0] - coefs[1]).abs().max().item()
    row = [same(make), same(make, clip=0.1)]
    print(f"{name:9}{row[0]!s:19}{row[1]!s:15}{distance:.3f}")
    assert row == [name != "LBFGS", False]
    assert (distance < 1e-3) == (name in {"RMSprop", "Adam", "AdamW"})

scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
for together in (True, False):
    fine, broken = (nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [[fine, broken]] if together else [[fine], [broken]]
    optimizers = [optim.SGD(group, lr=0.1) for group in groups]
    scaler.scale(fine.sum() + broken.sum() * float("inf")).backward()
    for optimizer in optimizers:
        scaler.step(optimizer)
    scaler.update()
    assert (fine.item() == 1) == together
    assert broken.item() == 1

# %%
# PPO with a value head on the same model (``v_head``): is the critic trained?
# ----------------------------------------------------------------------------
# Yes. In TRL's ``AutoModelForCausalLMWithValueHead``, which LLaMA-Factory uses for PPO,
# actor and critic are one language model with a second head, and the critic is not
# frozen: only the reward model and the reference model are not trained at all (`source
# <https://github.com/huggingface/trl/blob/v0.11.4/trl/models/modeling_value_head.py>`__,
# not run here). The loss is ``policy_loss + vf_coef * value_loss``, and one
# ``backward()`` trains what is shared and trainable (with LoRA, the adapters) by both
# losses, and ``v_head`` by the value loss alone. To see it, look at these three after
# one step: ``v_head`` requires a gradient, is in the optimizer, and has changed. A
# critic with a model of its own must be given to an optimizer, too.
torch.manual_seed(0)
base = nn.Linear(3, 8).requires_grad_(False)
adapter, lm_head, v_head = nn.Linear(3, 8), nn.Linear(8, 5), nn.Linear(8, 1)
lm_head.requires_grad_(False)
actor_critic = nn.ModuleDict(
    {"base": base, "adapter": adapter, "lm_head": lm_head, "v_head": v_head}
)
trainable = [p for p in actor_critic.parameters() if p.requires_grad]
optimizer = optim.AdamW(trainable, lr=0.01)
tokens, returns = torch.randn(16, 3), torch.randn(16)
hidden_states = base(tokens) + adapter(tokens)
value = v_head(hidden_states).squeeze(1)
log_probs = lm_head(hidden_states).log_softmax(1)[:, 0]
parts = {
    "policy": -((returns - value).detach() * log_probs).mean(),
    "value": (returns - value).square().mean(),
}
reaches = {}
for name, loss in parts.items():
    found = torch.autograd.grad(
        loss, [adapter.weight, v_head.weight], retain_graph=True, allow_unused=True
    )
    reaches[name] = [gradient is not None for gradient in found]
    print(f"{name:7} adapter, v_head: {reaches[name]}")
assert reaches == {"policy": [True, False], "value": [True, True]}
before = {name: p.detach().clone() for name, p in actor_critic.named_parameters()}
(parts["policy"] + 0.1 * parts["value"]).backward()
optimizer.step()
moved = {n for n, p in actor_critic.named_parameters() if not p.equal(before[n])}
print(sorted(moved))
assert moved == {f"{m}.{p}" for m in ("adapter", "v_head") for p in ("weight", "bias")}

# %%
# Five losses: one backward or five?
# ----------------------------------
# The gradients are the same. One ``sum(losses).backward()`` passes through the shared
# part once. With five calls, all but the last need ``retain_graph=True`` if the losses
# share a forward (:doc:`backward_twice`). Call ``zero_grad()`` before the first and
# ``step()`` after the last. A ``zero_grad()`` in between deletes the gradients of the
# losses before it.
outputs = nn.Linear(4, 5)
targets = torch.randn(8, 5)


def five():
    return list((outputs(shared(torch.ones(8, 3))) - targets).square().mean(0))


sum(five()).backward()
once = shared.weight.grad.clone()
kept = {}
for clear in (False, True):
    shared.zero_grad()
    losses = five()
    for loss in losses:
        if clear:
            shared.zero_grad()
        loss.backward(retain_graph=loss is not losses[-1])
    kept[clear] = torch.allclose(shared.weight.grad, once, atol=1e-6)
print(kept)
assert kept == {False: True, True: False}

# %%
# ``loss + other.detach().item()``: does this term train anything?
# ----------------------------------------------------------------
# No. ``item()``, ``float()`` and ``detach()`` make a constant of it. A constant that is
# added shifts the value that you log, and changes no gradient. To train the term, write
# ``loss + weight * other``, and use ``item()`` for the log alone. From then on the
# results differ, because the term did nothing before. As a factor, a constant does
# count: it scales the gradient.
loss, other = head(features).square().mean(), auxiliary(features).square().mean()
(alone,) = torch.autograd.grad(loss, shared.weight, retain_graph=True)
changes = {}
for code, total in {
    "loss + other.item()": loss + other.item(),
    "loss + other.detach()": loss + other.detach(),
    "loss + 0.4 * other": loss + 0.4 * other,
    "loss * other.detach()": loss * other.detach(),
}.items():
    (found,) = torch.autograd.grad(total, shared.weight, retain_graph=True)
    changes[code] = not found.equal(alone)
    print(f"{code:22} changes the gradient: {changes[code]}")
assert list(changes.values()) == [False, False, True, True]
(found,) = torch.autograd.grad(loss * other.detach(), shared.weight)
torch.testing.assert_close(found, alone * other.item())

# %%
# Loss 1 for the encoder only, loss 2 for the decoder only
# --------------------------------------------------------
# A loss reaches everything that it is computed from. Two optimizers do not change that:
# ``loss_1.backward()`` also fills ``.grad`` of the decoder, and the decoder's optimizer
# applies it together with the gradient of loss 2. So decide it where you call
# ``backward()``:
#
# - *only what comes after*: give the decoder ``code.detach()``.
# - *only what comes before*, through the decoder:
#   ``loss.backward(inputs=list(encoder.parameters()))``; leave out what is frozen in
#   the encoder, which raises an error. ``manual_backward()`` of Lightning and
#   ``backward()`` of Accelerate hand ``inputs=`` on (read, not run).
# - *nothing in this part, from any loss*: freeze it.
#
# Call ``zero_grad()`` of all optimizers first, and ``step()`` of all after the last
# ``backward()``. A ``step()`` in between can raise :doc:`inplace_modified`.
encoder, decoder = nn.Linear(3, 2), nn.Linear(2, 3)
data = torch.randn(8, 3)


def reached_by(way):
    encoder.zero_grad()
    decoder.zero_grad()
    code = encoder(data)
    if way == "detach()":
        decoder(code.detach()).square().mean().backward()
    else:
        only = {"inputs": list(encoder.parameters())} if way == "inputs=" else {}
        decoder(code).square().mean().backward(**only)
    return [part.weight.grad is not None for part in (encoder, decoder)]


for way in ("backward()", "detach()", "inputs="):
    print(f"{way:11} encoder, decoder:", reached_by(way))
assert reached_by("backward()") == [True, True]
assert reached_by("detach()") == [False, True]
assert reached_by("inputs=") == [True, False]

both = []
for separate in (False, True):
    optimizers = [optim.SGD(part.parameters(), lr=0.1) for part in (encoder, decoder)]
    for optimizer in optimizers:
        optimizer.zero_grad()
    code = encoder(data)
    only = {"inputs": list(encoder.parameters())} if separate else {}
    decoder(code).square().mean().backward(**only)  # loss 1, for the encoder
    (decoder(code.detach()) - data).square().mean().backward()  # loss 2
    both.append(decoder.weight.grad)
(of_loss_2,) = torch.autograd.grad(
    (decoder(encoder(data).detach()) - data).square().mean(), decoder.weight
)
print([gradient.allclose(of_loss_2) for gradient in both])
assert not both[0].allclose(of_loss_2)
assert both[1].allclose(of_loss_2)

# %%
# Does the loss of an intermediate layer also train the layers after it? Distillation
# -----------------------------------------------------------------------------------
# No. A loss on the output of layer 2, as in distillation of hidden states, a deep
# supervision or an auxiliary loss, trains the embedding and layers 1 and 2. It is not
# computed from layers 3 and 4, and their ``.grad`` stays None. It does not matter that
# ``total_loss.backward()`` is called on one number: the graph of the sum still leads
# through each term for itself.
#
# If the later layers change all the same, look at ``p.grad`` before the step. If it is
# not None, another term of the sum reaches them, also one with the factor 0. Then the
# gradient is zero, and with it weight decay or an old momentum moves them. Or they
# share their weights with earlier ones, as the layers of ALBERT do.
x, teacher_states = torch.randn(16, 4), torch.randn(16, 4)
chain_losses = {
    "layer 2": lambda states: (states[2] - teacher_states).square().mean(),
    "layer 4": lambda states: states[4].square().mean(),
}
sums = {
    "layer 2": lambda one, _: one,
    "layer 2 + 0 * layer 4": lambda one, last: one + 0 * last,
    "layer 2 + layer 4": lambda one, last: one + last,
}
outcome = {}
for name, add in sums.items():
    chain = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))
    optimizer = optim.AdamW(chain.parameters(), lr=0.01, weight_decay=0.1)
    before, states = [layer.weight.detach().clone() for layer in chain], [x]
    for layer in chain:
        states.append(layer(states[-1]).tanh())
    add(*(loss(states) for loss in chain_losses.values())).backward()
    optimizer.step()
    has_gradient = [layer.weight.grad is not None for layer in chain]
    moved = [not p.weight.equal(old) for p, old in zip(chain, before, strict=True)]
    outcome[name] = has_gradient, moved
    print(f"{name:22} .grad: {has_gradient}\n{'':22} moved: {moved}")
assert outcome.pop("layer 2") == 2 * ([True, True, False, False],)
assert list(outcome.values()) == 2 * [2 * ([True] * 4,)]

# %%
# ``detach()`` on the side outputs of BDCN: does it freeze the backbone (VGG)?
# ----------------------------------------------------------------------------
# No. ``o1 = s1.detach()`` is a second tensor, for the loss of another scale. ``s1``
# itself keeps its graph, and its own loss trains the side branch and the backbone below
# it. The loss of ``p2 = s2 + o1`` takes ``o1`` as a given prediction, and trains only
# what ``s2`` adds to it. It still reaches the early layers of the backbone, through the
# features that ``s2`` was computed from.
#
# Without ``detach()``, the loss of a scale would also train the side branches whose
# outputs it adds: these get the sum of several losses, and one backward keeps and runs
# more of the graph. It is a choice of the paper, not an error either way. A frozen
# backbone is ``vgg.requires_grad_(False)``.
#
# The same ``detach()`` stands between the stages of models that refine a prediction:
# ``new_reference_points.detach()`` in the decoder of Deformable DETR and DAB-DETR, or
# the depth of the coarse level in CasMVSNet. Each stage is trained by its own loss, the
# next one corrects a given value. The authors found it better (`DAB-DETR
# <https://github.com/IDEA-Research/DAB-DETR/issues/46>`__, `CasMVSNet
# <https://github.com/alibaba/cascade-stereo/issues/9>`__, read), and each stage needs a
# loss of its own for it.
stage_1, stage_2 = nn.Linear(3, 4), nn.Linear(4, 4)  # the backbone
side_1, side_2 = nn.Linear(4, 1), nn.Linear(4, 1)
names = {"stage 1": stage_1, "stage 2": stage_2, "side 1": side_1, "side 2": side_2}
edges = torch.randn(16, 1)


def reached_by_scale(*, detach, scale):
    low = stage_1(torch.ones(16, 3))
    s1, s2 = side_1(low), side_2(stage_2(low.tanh()))
    o1 = s1.detach() if detach else s1
    prediction = {1: s1, 2: s2 + o1}[scale]
    found = torch.autograd.grad(
        (prediction - edges).square().mean(),
        [part.weight for part in names.values()],
        allow_unused=True,
    )
    pairs = zip(names, found, strict=True)
    return [name for name, gradient in pairs if gradient is not None]


for detach in (True, False):
    for scale in (1, 2):
        by_scale = reached_by_scale(detach=detach, scale=scale)
        print(f"{detach=!s:6} loss {scale}:", ", ".join(by_scale))
        assert ("side 1" in by_scale) == (scale == 1 or not detach)
        assert "stage 1" in by_scale

# %%
# A regularization term (L1, L2) on some layers only
# --------------------------------------------------
# Build the term from the parameters of these layers, add it to the loss, and call
# ``backward()`` once. The gradient of the last layer is that of the cross entropy
# alone, because the term does not depend on it. If weight decay is all you want, give
# the optimizer two parameter groups, each with a ``weight_decay`` of its own.
#
# If the term is computed behind the last layer, say from its output, it does depend on
# it. Then name the parameters that the term should reach:
# ``term.backward(inputs=earlier, retain_graph=True)``, and then ``loss.backward()``.
net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
x, labels = torch.randn(16, 3), torch.arange(16) % 2
earlier = [p for name, p in net.named_parameters() if not name.startswith("2.")]
last = list(net[2].parameters())


def gradients_of_net(way):
    net.zero_grad()
    output = net(x)
    loss = nn.functional.cross_entropy(output, labels)
    if way == "of the weights":
        loss = loss + 0.1 * sum(p.abs().sum() for p in earlier)
    elif way == "of the output":
        loss = loss + 0.1 * output.square().mean()
    elif way == "of the output, inputs=earlier":
        term = 0.1 * output.square().mean()
        term.backward(inputs=earlier, retain_graph=True)
    loss.backward()
    return [[p.grad.clone() for p in group] for group in (earlier, last)]


without = gradients_of_net("no term")
for way, reached in {
    "of the weights": [True, False],
    "of the output": [True, True],
    "of the output, inputs=earlier": [True, False],
}.items():
    changed = [
        not all(map(torch.equal, new, old))
        for new, old in zip(gradients_of_net(way), without, strict=True)
    ]
    print(f"{way:30} earlier: {changed[0]!s:5}  last: {changed[1]}")
    assert changed == reached

# %%
# Sparse training: ``weight.grad.data.add_(s * torch.sign(weight.data))`` is an L1 term
# -------------------------------------------------------------------------------------
# Code that adds ``s * sign(w)`` to the gradient of a batch norm is right. The penalty
# is the sum of ``s * |w|``, where the papers write lambda and gamma for ``s`` and
# ``w``, and ``|w|`` is ``w * sign(w)``. The derivative is ``s * sign(w)``: ``w`` itself
# is gone, as the derivative of ``3 * w`` is 3. It does the same as ``loss + s *
# w.abs().sum()``, because an optimizer sees only ``.grad``. (``LBFGS`` with
# ``strong_wolfe`` also reads the loss.) At 0, both have the derivative 0. The logged
# loss lacks the term.
#
# Add it between ``backward()`` and ``step()``, before you clip the gradients, with a
# ``GradScaler`` after ``unscale_()``, and with gradient accumulation once for each
# ``step()``. Leave out ``.data``, and write it under ``torch.no_grad()``. Here
# ``gamma`` stands for the weights of a batch norm, and the loss does not need its
# second channel:


def scale_of_an_unused_channel(make, s, where="after unscale_"):
    torch.manual_seed(0)
    x, gamma = torch.randn(32, 2), nn.Parameter(torch.ones(2))
    optimizer = make([gamma])
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)

    def add_the_penalty():
        with torch.no_grad():
            gamma.grad += s * gamma.sign()

    for _ in range(10):
        optimizer.zero_grad()
        loss = ((gamma * x)[:, 0] - x[:, 0]).square().mean()
        if where == "in the loss":
            loss = loss + s * gamma.abs().sum()
        scaler.scale(loss).backward()
        if where == "before unscale_":
            add_the_penalty()
        scaler.unscale_(optimizer)
        if where == "after unscale_":
            add_the_penalty()
        scaler.step(optimizer)
        scaler.update()
    return gamma[1].item()


def sgd(parameters):
    return optim.SGD(parameters, lr=0.1, momentum=0.9)


def adam(parameters):
    return optim.Adam(parameters, lr=0.01)


by_place = {}
for where in ("in the loss", "after unscale_", "before unscale_"):
    by_place[where] = scale_of_an_unused_channel(sgd, 0.2, where)
    print(f"{where:16}{by_place[where]:.3f}")
assert abs(by_place["in the loss"] - by_place["after unscale_"]) < 1e-5
assert by_place["in the loss"] < 0.5
assert by_place["before unscale_"] > 0.999

# %%
# Sparse training: the weights of batch norm hardly change
# --------------------------------------------------------
# Above, the last line shows one cause: in mixed precision, the penalty was added too
# early, and divided by the scale of the loss. Other causes:
#
# - *Too few steps.* With SGD, the penalty needs about ``(1 - momentum) / (lr * s)``
#   steps to bring a weight from 1 to 0: 10,000 with 0.9, 0.1 and ``1e-4``, the defaults
#   of `Network Slimming
#   <https://github.com/Eric-mingjie/network-slimming/blob/master/main.py>`__. 128
#   images in batches of 16 give 800 in 100 epochs. Raise ``s``, up to the point where
#   the accuracy suffers, or train longer. The schedule of ``lr`` counts, too.
# - *Adam.* It divides by the size of the gradient, so a step is about ``lr`` at most,
#   and once ``s`` outweighs the gradient of the loss, a larger ``s`` makes no step
#   longer (see below). From 1 to 0 it needs about ``1 / lr`` steps. Take SGD, or write
#   the L1 as a shrinkage after ``step()``.
# - *The wrong weights.* The average (EMA) lags behind. Skipped batch norms, such as
#   those before a shortcut, keep their values.
# - *The wrong place.* ``zero_grad()`` deletes a penalty that was added after ``step()``
#   or before ``zero_grad()``.
# - *An* ``s`` *that falls*, such as ``sr * (1 - 0.9 * epoch / epochs)`` in `yolov5prune
#   <https://github.com/midasklr/yolov5prune/blob/3ef7adcf2f5e0db4a29d065007b8473642a0a364/train_sparsity.py>`__
#   (read, not run).
#
# Hardly a weight becomes exactly 0: it oscillates around 0 by about a step, or two with
# momentum, so prune below a threshold. Shrinkage by ``lr * s`` after the step gives
# exact zeros, but momentum does not speed it up: with 0.9, take ten times the ``s`` for
# the same time.
by_size = {
    (make.__name__, s): scale_of_an_unused_channel(make, s)
    for make, sizes in ((sgd, (0.02, 0.2)), (adam, (0.1, 10.0)))
    for s in sizes
}
for (name, s), scale in by_size.items():
    print(f"{name:5}{s=:<7}{scale:.3f}")
assert by_size["sgd", 0.02] > 0.9
assert by_size["sgd", 0.2] < 0.5
assert abs(by_size["adam", 0.1] - by_size["adam", 10.0]) < 1e-3
assert 0.89 < by_size["adam", 0.1] < 0.91

gamma, amount = torch.tensor([0.8, 0.002]), 0.1 * 0.05  # lr * s
gamma = gamma.sign() * (gamma.abs() - amount).clamp(min=0)
print(gamma)
assert gamma[1] == 0
assert 0.7 < gamma[0] < 0.8

# %%
# Related: :doc:`gradients_accumulate`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`,
# :doc:`/gallery/recipes/two_optimizers`,
# :doc:`/gallery/recipes/actor_through_a_frozen_critic`.
