"""
``Trying to backward through the graph a second time``
======================================================

``backward()`` frees the tensors that its part of the graph has saved, and a second
backward pass needs them. Add losses that share a forward pass. In a training loop, find
the result of an earlier step that the loss still depends on.
"""

# %%
import torch

weight = torch.ones(2, requires_grad=True)
features = weight.exp()
# Wrong: the first backward() frees what the second one needs.
features.sum().backward()
try:
    features.mean().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the graph was still there")
# Right: a new forward pass, and one backward() for both losses.
weight.grad = None
features = weight.exp()
(features.sum() + features.mean()).backward()
print(weight.grad)
assert weight.grad.allclose(1.5 * weight.exp())

# %%
# A state is passed from one step to the next
# -------------------------------------------
# Through the state, the loss of the second step depends on the first step, whose graph
# has been freed. ``detach()`` the state between the steps.
state = torch.zeros(2)
# Wrong: the state keeps the graph of the step before.
state = (state + weight).tanh()
state.sum().backward()
state = (state + weight).tanh()
try:
    state.sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the second step did not reach the first")
# Right: each step begins with a state that has no graph.
for _ in range(2):
    state = (state.detach() + weight).tanh()
    state.sum().backward()

# %%
# LSTM, GRU: ``hidden`` of the last batch goes into the next one
# --------------------------------------------------------------
# Detach it between the batches. The hidden state of an LSTM is a tuple of two tensors,
# ``(h, c)``, and both need it; that of a GRU or an RNN is one tensor. If the batches
# have nothing to do with each other, leave ``hidden`` out: each call then begins with
# zeros.
lstm, batches = torch.nn.LSTM(2, 3), torch.ones(3, 4, 1, 2)


def train(between):
    hidden = None
    for x in batches:
        output, hidden = lstm(x, hidden)
        output.sum().backward()
        hidden = between(hidden)


try:
    # Wrong: the state with its graph.
    train(lambda hidden: hidden)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the state had no graph")
assert message.startswith("Trying to backward through the graph a second time")
# Right: both tensors without it.
train(lambda hidden: tuple(tensor.detach() for tensor in hidden))
# Right, for batches that are independent.
train(lambda hidden: None)
print(lstm.weight_hh_l0.grad.shape)
assert lstm.weight_hh_l0.grad.any()

# %%
# The state is inside a module: reset it after each step
# ------------------------------------------------------
# Nothing in your loop is passed on, but a module keeps a tensor with a graph in an
# attribute: the membrane potential of a spiking neuron, a memory, a cache. So the next
# batch continues the graph of the last one, and ``retain_graph=True`` does not cut it.
# Reset or detach this attribute after each step. With spikingjelly, call
# ``functional.reset_net(net)``, or ``functional.detach_net(net)`` to keep the values
# (`source
# <https://github.com/fangwei123456/spikingjelly/blob/master/spikingjelly/activation_based/functional/net_config.py>`__,
# read, not run). In a module of your own, look for tensors with a ``grad_fn`` among its
# attributes and buffers.


class Neuron(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.v = torch.nn.Parameter(torch.ones(2)), torch.zeros(2)

    def forward(self, x):
        self.v = (self.v + self.weight * x).tanh()
        return self.v

    def reset(self):
        self.v = torch.zeros(2)


neuron = Neuron()
neuron(1.0).sum().backward()
for name, module in neuron.named_modules():
    held = vars(module) | dict(module.named_buffers(recurse=False))
    kept = [key for key, value in held.items() if getattr(value, "grad_fn", None)]
    print(repr(name), kept)
assert kept == ["v"]
try:
    # Wrong: the neuron still has the state of the last batch.
    neuron(1.0).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the state had no graph")
assert message.startswith("Trying to backward through the graph a second time")
# Right: each batch begins with a new state.
for _ in range(2):
    for module in neuron.modules():
        if hasattr(module, "reset"):
            module.reset()
    neuron(1.0).sum().backward()

# %%
# The model caches its input or a table: rotary ``freqs``, GNN; ``.grad`` is then None
# ------------------------------------------------------------------------------------
# A module computes a table once, with gradients on, and keeps it:
# ``self.cached_freqs``, the preprocessed graph of a GNN, the features of the classes, a
# function under ``lru_cache``. From the second step on, the loss leads into the graph
# of the first. What to do depends on whether something behind the table is trained:
#
# - *Nothing*: keep it without a graph. Compute it under ``no_grad()`` or ``detach()``
#   it, best as a buffer (``register_buffer``).
# - *A parameter, or an input that you optimise*, such as learned frequencies or the
#   edge weights of an attack: compute it in each forward, or clear the cache after each
#   step. Some caches are on only in ``train()``: there is often an option, such as
#   ``cached=False``. If you called ``train()`` only for dropout or batch norm, call it
#   on these modules alone.
#
# With ``retain_graph=True`` the error goes away, or becomes ``modified by an inplace
# operation`` after ``step()``, and the gradient goes to what the table was computed
# from in the first step: a tensor that you make anew in each step has ``.grad`` None,
# and a parameter that learns gets a gradient of old values.


class Cached(torch.nn.Module):
    def __init__(self, way):
        super().__init__()
        self.layer, self.way, self.table = torch.nn.Linear(2, 2), way, None

    def forward(self, edges):
        if self.table is None or self.way == "each time":
            self.table = edges / edges.sum(1, keepdim=True)
        if self.way == "detach()":
            self.table = self.table.detach()
        return self.table @ self.layer(torch.eye(2))


def two_steps(way, **options):
    module, seen = Cached(way), []
    for _ in range(2):
        edges = torch.ones(2, 2, requires_grad=True)
        try:
            module(edges).square().sum().backward(**options)
        except RuntimeError as error:
            seen.append(str(error)[:48])
        else:
            seen.append("None" if edges.grad is None else "a gradient")
    assert module.layer.weight.grad.any()
    return seen


found = {
    "kept": two_steps("kept"),
    "retain_graph": two_steps("kept", retain_graph=True),
    "each time": two_steps("each time"),
    "detach()": two_steps("detach()"),
}
for way, seen in found.items():
    print(f"{way:14}{seen}")
assert found["kept"][1].startswith("Trying to backward through the graph a second")
assert found["retain_graph"] == ["a gradient", "None"]
assert found["each time"] == ["a gradient"] * 2
assert found["detach()"] == ["None"] * 2
frequencies = torch.nn.Parameter(torch.ones(2))
squares = frequencies * frequencies
squares.sum().backward(retain_graph=True)
torch.optim.SGD([frequencies], lr=0.1).step()
try:
    squares.sum().backward(retain_graph=True)
except RuntimeError as error:
    text = str(error)
else:
    raise AssertionError("the old values were kept")
assert "modified by an inplace operation" in text

# %%
# ``reset_net()`` between two forward passes, and one ``backward()`` after them
# -----------------------------------------------------------------------------
# For two inputs that have nothing to do with each other, you may reset between their
# forward passes, add the losses, and call ``backward()`` once. The reset gives the
# attribute another tensor. What was computed before keeps its graph, and both passes
# get their gradient. Reset again before the next step.
#
# Do not reset between two parts of one sequence: the second part needs the state, and
# the gradient through it. If the loss contains the state itself, compute it before the
# reset. A reset of your own has to assign a new tensor: one in place, such as
# ``self.v.zero_()``, leads to :doc:`modified_by_an_inplace_operation`.


def passes(*, reset):
    neuron.reset()
    neuron.zero_grad()
    loss = neuron(1.0).sum()
    reset()
    (loss + neuron(2.0).sum()).backward()
    return neuron.weight.grad


def alone(x):
    neuron.reset()
    return torch.autograd.grad(neuron(x).sum(), neuron.weight)[0]


both = passes(reset=neuron.reset)
print(both, passes(reset=lambda: None))
assert both.allclose(alone(1.0) + alone(2.0))
assert not both.allclose(passes(reset=lambda: None))


def reset_in_place():
    neuron.v.zero_()


try:
    # Wrong: the reset writes into what the first pass has saved.
    passes(reset=reset_in_place)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the reset changed nothing that was saved")
assert "has been modified by an inplace operation" in message

# %%
# Only with gradient checkpointing
# --------------------------------
# With ``use_reentrant=True``, each block has a backward of its own. The blocks share a
# tensor with a graph, and the first one frees it, although you call ``backward()``
# once. Pass ``use_reentrant=False``
# (:doc:`/gallery/beyond/checkpointing_frozen_layers`).
#
# Something is computed before the loop
# -------------------------------------
# Move it into the loop. ``retain_graph=True`` makes the error go away and hides the
# cause: here the gradient stays at ``exp(1)``, that of the first weight, in each step.


def train(*, before, retain_graph=None):
    weight = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    features, gradients = weight.exp(), []
    for _ in range(3):
        if not before:
            features = weight.exp()
        optimizer.zero_grad()
        features.sum().backward(retain_graph=retain_graph)
        gradients.append(round(weight.grad.item(), 2))
        optimizer.step()
    return gradients


# Wrong: the features are computed once, before the loop.
try:
    train(before=True)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("nothing was saved before the loop")
# Wrong, too: the graph of the first weight is kept.
hidden = train(before=True, retain_graph=True)
# Right: the features are computed in each step.
right = train(before=False)
print(hidden, right)
assert hidden == [2.72, 2.72, 2.72]
assert right[0] == 2.72
assert right[2] < right[1] < right[0]

# %%
# The second batch fails: the weights are the result of an update (``meta_model``)
# --------------------------------------------------------------------------------
# Meta-Weight-Net, MAML, learned loss weights: the inner update ``w - lr * gradient``
# with ``create_graph=True`` gives weights that are not leaves. They carry the graph of
# their batch. If the next batch begins with them (the ``meta_model`` is used in place
# of the real model, or a module keeps them), its loss goes back into that graph, which
# has been freed. ``retain_graph=True`` in the last call does not help if another
# ``backward()`` or ``grad()`` of the same batch has freed it. If all of them keep it,
# the graph becomes longer with each batch.
#
# In each batch, begin with the real model: make the ``meta_model`` anew, and give it
# the weights by ``meta_model.load_state_dict(model.state_dict())``, which carry no
# graph. Use it only to compute the weights of the samples, and detach these. The loss
# for which you call the last ``backward()`` and ``step()`` comes from the real model.
inputs = torch.tensor([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0]])
targets = torch.tensor([[1.0], [0.0], [2.0]])


def each_loss(weight):
    return (inputs @ weight - targets).square().mean(1)


def batches_done(*, made_anew, retain_graph=None):
    real = torch.ones(2, 1, requires_grad=True)
    of_samples = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([real, of_samples], lr=0.1)
    meta, done = real, 0
    for _ in range(3):
        if made_anew:
            meta = real.detach().requires_grad_()
        # The inner update, with a graph to the weights of the samples.
        loss = (of_samples.sigmoid() * each_loss(meta)).mean()
        (gradient,) = torch.autograd.grad(loss, meta, create_graph=True)
        meta = meta - 0.1 * gradient
        try:
            (of_samples.grad,) = torch.autograd.grad(
                each_loss(meta)[:1].sum(), of_samples, retain_graph=retain_graph
            )
        except RuntimeError as error:
            return done, str(error).split(" (")[0]
        # The real update: the real model, weights of samples without a graph.
        loss = (of_samples.sigmoid().detach() * each_loss(real)).mean()
        (real.grad,) = torch.autograd.grad(loss, real)
        optimizer.step()
        done += 1
    return done, "right"


for made_anew in (False, True):
    print(made_anew, *batches_done(made_anew=made_anew))
failed = "Trying to backward through the graph a second time"
assert batches_done(made_anew=False) == (1, failed)
assert batches_done(made_anew=True) == (3, "right")

# %%
# PPO: several epochs over one rollout
# ------------------------------------
# The log-probabilities and values of the rollout, and the advantages that are computed
# from them, still have their graph. In the first epoch the gradient of the old
# log-probability cancels that of the new one, so the ratio trains nothing. The second
# epoch raises, and ``retain_graph=True`` usually leads to another error,
# :doc:`modified_by_an_inplace_operation`. Collect the rollout under ``no_grad()``, or
# detach what you store, and compute only the new log-probabilities and values in each
# epoch.
torch.manual_seed(0)
hidden, out = torch.nn.Linear(2, 8), torch.nn.Linear(8, 3)
policy = torch.nn.Sequential(hidden, torch.nn.Tanh(), out)
states, actions = torch.randn(16, 2), torch.randint(3, (16,))
advantages = torch.randn(16)


def log_probability():
    return torch.distributions.Categorical(logits=policy(states)).log_prob(actions)


def epochs(before, **options):
    optimizer, gradients = torch.optim.SGD(policy.parameters(), lr=0.1), []
    for _ in range(2):
        ratio = (log_probability() - before).exp()
        loss = -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
        optimizer.zero_grad()
        try:
            loss.backward(**options)
        except RuntimeError as error:
            print(f"RuntimeError: {error}")
            break
        gradients.append(out.bias.grad.abs().sum().item())
        optimizer.step()
    return gradients


# Wrong: the old log-probability has a graph.
for options in ({}, {"retain_graph": True}):
    gradients = epochs(log_probability(), **options)
    print(gradients)
    assert len(gradients) == 1
    assert gradients[0] < 1e-6
# Right: the rollout is collected under no_grad().
with torch.no_grad():
    before = log_probability()
gradients = epochs(before)
print(len(gradients))
assert len(gradients) == 2
assert min(gradients) > 1e-3

# %%
# Two networks share a result
# ---------------------------
# The backward pass of the discriminator also goes through the generator, and frees its
# graph. Give the discriminator the detached result.
generator, discriminator = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
# Wrong: the first pass goes through both networks.
fake = generator(torch.ones(1, 2)).tanh()
discriminator(fake).sum().backward()
try:
    discriminator(fake).sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the generator was not reached")
# Right: the first pass ends at the discriminator.
fake = generator(torch.ones(1, 2)).tanh()
discriminator(fake.detach()).sum().backward()
discriminator(fake).sum().backward()

# %%
# If the error stays although you pass ``fake.detach()`` to the discriminator, look for
# another use of ``fake`` in its loss. Usually it is the gradient penalty of WGAN-GP
# (``cal_gradient_penalty`` in pix2pix and CycleGAN): it needs ``fake.detach()``, too.
# :doc:`/gallery/recipes/gan_training` has both versions.

# %%
# If you need two backward passes
# -------------------------------
# Pass ``retain_graph=True`` to each backward pass through this graph except the last.
weight.grad = None
features = weight.exp()
features.sum().backward(retain_graph=True)
features.mean().backward()
print(weight.grad)
assert weight.grad.allclose(1.5 * weight.exp())

# %%
# In other versions, as quoted in issues: ``Trying to backward through the graph a
# second time, but the buffers have already been freed. Specify retain_graph=True when
# calling backward the first time.`` (PyTorch 0.4.0, `PyTorch-GAN 6
# <https://github.com/eriklindernoren/PyTorch-GAN/issues/6>`__), and ``Trying to
# backward through the graph a second time, but the saved intermediate results have
# already been freed.`` (PyTorch 1.7.1, `instant-nerf 2
# <https://github.com/JonathonLuiten/instant-nerf-pytorch/issues/2>`__).

# %%
# Read on: :doc:`/gallery/graph/backward_twice`.
