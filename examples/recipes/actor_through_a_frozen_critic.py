"""
The actor does not learn: its loss must go through the critic
=============================================================

With ``detach()`` before the critic, the actor gets no gradient and the critic gets one,
without an error. Freeze the critic during the actor's step: the gradient goes through.
"""

# %%
# What gets a gradient from the actor's loss?
# -------------------------------------------
import torch
from torch import nn

torch.manual_seed(0)
actor, critic = nn.Linear(3, 1), nn.Linear(4, 1)
states = torch.randn(8, 3)
for frozen in (False, True):
    actor.zero_grad()
    critic.zero_grad()
    critic.requires_grad_(not frozen)
    actions = actor(states).tanh()
    if not frozen:
        actions = actions.detach()
    (-critic(torch.cat([states, actions], 1))).mean().backward()
    reached = [network.weight.grad is not None for network in (actor, critic)]
    print("frozen:  " if frozen else "detach():", *reached)
    assert reached == [frozen, not frozen]

# %%
# The whole loop: two critics, both frozen for the actor
# ------------------------------------------------------
# The agent moves on a line and should stay at 0, as in
# :doc:`target_network_and_advantage`. This is the loop of SAC: the action is drawn with
# ``rsample()``, through which a gradient passes, the smaller of two estimates counts,
# and an entropy term keeps the policy from becoming certain too early.
import copy


def network(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, outputs))


def draw(states):
    mean, log_std = actor(states).chunk(2, 1)
    policy = torch.distributions.Normal(mean, log_std.clamp(-3, 1).exp())
    actions = policy.rsample()
    return actions, policy.log_prob(actions)


def smaller(critics, states, actions):
    inputs = torch.cat([states, actions], 1)
    return torch.min(*(critic(inputs) for critic in critics))


actor, critics = network(1, 2), nn.ModuleList([network(2, 1), network(2, 1)])
targets = copy.deepcopy(critics).requires_grad_(False)
actor_optimizer = torch.optim.Adam(actor.parameters(), lr=0.003)
critic_optimizer = torch.optim.Adam(critics.parameters(), lr=0.01)
for _ in range(300):
    states = 2 * torch.rand(64, 1) - 1
    with torch.no_grad():
        actions, _ = draw(states)
        next_states = states + actions
        next_actions, log_prob = draw(next_states)
        soft = smaller(targets, next_states, next_actions) - 0.02 * log_prob
        wanted = 0.9 * soft - next_states.square()

    inputs = torch.cat([states, actions], 1)
    critic_loss = sum((critic(inputs) - wanted).square().mean() for critic in critics)
    critic_optimizer.zero_grad()
    critic_loss.backward()
    critic_optimizer.step()

    critics.requires_grad_(False)
    actions, log_prob = draw(states)
    actor_loss = (0.02 * log_prob - smaller(critics, states, actions)).mean()
    actor_optimizer.zero_grad()
    actor_loss.backward()
    actor_optimizer.step()
    critics.requires_grad_(True)

    with torch.no_grad():
        for old, new in zip(targets.parameters(), critics.parameters(), strict=True):
            old.lerp_(new, 0.05)

places = torch.tensor([[-0.8], [0.0], [0.8]])
with torch.no_grad():
    reached = (places + actor(places)[:, :1]).flatten()
print([round(place, 1) + 0 for place in reached.tolist()])
assert reached.abs().max() < 0.3

# %%
# DDPG, MADDPG: why does the code not multiply the two gradients?
# ---------------------------------------------------------------
# The policy gradient of the paper is a product: the gradient of Q by the action, times
# the gradient of the action by the actor's weights. That is the chain rule, and
# ``backward()`` applies it. So ``actor_loss = -critic(...).mean()`` is the whole code,
# as long as the action is not detached. The minus is there because the optimizer
# descends, and Q should grow.
states = 2 * torch.rand(64, 1) - 1
actions = actor(states)[:, :1]
value = smaller(critics, states, actions).mean()
weight = actor[0].weight
(q_by_action,) = torch.autograd.grad(value, actions, retain_graph=True)
(product,) = torch.autograd.grad(
    actions, weight, grad_outputs=q_by_action, retain_graph=True
)
(by_backward,) = torch.autograd.grad(value, weight)
torch.testing.assert_close(product, by_backward)
assert product.any()

# %%
# MADDPG: ``detach()`` the actions of the other agents?
# -----------------------------------------------------
# A central critic gets the actions of all agents, and only one agent is updated. With
# or without ``detach()``, its gradient is the same. Without it, the policies of the
# others collect a gradient, too: that is no mistake if each one calls ``zero_grad()``
# before its own ``backward()``. Compute their actions under ``no_grad()``: it saves
# work, and nothing has to be cleared. Actions from the replay buffer have no graph
# anyway.
#
# If the agents share a policy, the gradient does depend on it: without ``detach()``, it
# also has the part that comes through the actions of the others.


def two_agents(*, detach, shared=False):
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    critic.requires_grad_(False)
    one, other = nn.Linear(1, 1), nn.Linear(1, 1)
    seen = torch.randn(16, 2)
    mine, theirs = seen.split(1, dim=1)
    action, their_action = one(mine), (one if shared else other)(theirs)
    if detach:
        their_action = their_action.detach()
    (-critic(torch.cat([seen, action, their_action], 1))).mean().backward()
    return one.weight.grad, other.weight.grad


left, detached = two_agents(detach=False), two_agents(detach=True)
print("the same gradient:", left[0].allclose(detached[0]))
print("the other agent:  ", left[1] is not None, detached[1] is not None)
torch.testing.assert_close(left[0], detached[0])
assert left[1].any()
assert detached[1] is None
left, detached = (two_agents(detach=way, shared=True) for way in (False, True))
assert not left[0].allclose(detached[0])

# %%
# With discrete actions, a one-hot of ``argmax`` has no gradient. For the other agents
# that is as good as ``detach()``. The agent that is updated needs a gradient:
# ``gumbel_softmax(..., hard=True)``, as in :doc:`straight_through_and_vq`.
logits = torch.zeros(4, 3, requires_grad=True)
assert not nn.functional.one_hot(logits.argmax(1), 3).requires_grad
assert nn.functional.gumbel_softmax(logits, hard=True).requires_grad

# %%
# What is left in the critic's ``.grad`` if I don't freeze it?
# ------------------------------------------------------------
# The gradient of ``-Q``, and a step against it raises every estimate. If
# ``zero_grad()`` comes directly before the critic's ``backward()``, as above, it is
# thrown away. If it comes after ``step()``, as in many loops, it is added to the
# critic's own. Here all rewards are zero, so each estimate should be near zero.


def estimate(*, freeze, clear_first):
    torch.manual_seed(0)
    actor, critic = nn.Linear(1, 1), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    for _ in range(200):
        states = torch.randn(64, 1)
        inputs = torch.cat([states, actor(states)], 1)
        if clear_first:
            optimizer.zero_grad()
        critic(inputs.detach()).square().mean().backward()
        optimizer.step()
        if not clear_first:
            optimizer.zero_grad()
        critic.requires_grad_(not freeze)
        (-critic(inputs)).mean().backward()
        critic.requires_grad_(True)
    return round(critic(inputs).mean().item(), 1) + 0


for freeze, clear_first in ((False, False), (False, True), (True, False)):
    mean = estimate(freeze=freeze, clear_first=clear_first)
    print(f"{freeze=} {clear_first=}: {mean}")
    assert mean == (0.5 if not freeze and not clear_first else 0)


# %%
# May I use ``no_grad()`` around the critic instead?
# --------------------------------------------------
# No. The critic's operations are then not recorded, and the way to the actor ends
# there. If the loss is the critic's value alone, ``backward()`` raises an error. With
# an entropy term it runs, and that term alone trains the actor.
def without_recording(states, actions):
    with torch.no_grad():
        return smaller(critics, states, actions)


actions, log_prob = draw(states)
try:
    (-without_recording(states, actions)).mean().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the critic was recorded")
entropy = 0.02 * log_prob.mean()
loss = entropy - without_recording(states, actions).mean()
parameters = list(actor.parameters())
both = torch.autograd.grad(loss, parameters, retain_graph=True)
alone = torch.autograd.grad(entropy, parameters)
assert any(gradient.any() for gradient in alone)
assert all(map(torch.equal, both, alone))

# %%
# Both losses first, and then both steps?
# ---------------------------------------
# The critic's step overwrites weights that the actor's ``backward()`` needs. Compute
# the actor's loss after the critic's step. (A loss from log-probabilities does not go
# through the critic. There, compute the TD error once, before both steps:
# :doc:`target_network_and_advantage`.)
actions, _ = draw(states)
actor_loss = -smaller(critics, states, actions).mean()
critic_optimizer.step()
try:
    actor_loss.backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("step() did not write to the weights")

# %%
# SAC's temperature: ``alpha_loss`` without ``detach()`` trains the actor
# -----------------------------------------------------------------------
# The loss of ``log_alpha`` compares the entropy with its target. There,
# ``log_prob`` is a constant: without ``detach()``, the same loss gives the actor a
# gradient. In the actor's loss, alpha is the constant. And compute
# ``log_alpha.exp()`` in each step: computed once before the loop, it keeps its first
# value if it is detached, and if not, the second step raises ``Trying to backward
# through the graph a second time``.
log_alpha = torch.tensor(-1.0, requires_grad=True)
target_entropy = -1.0
_, log_prob = draw(states)
for detach in (False, True):
    excess = log_prob + target_entropy
    if detach:
        excess = excess.detach()
    alpha_loss = -(log_alpha.exp() * excess).mean()
    of_alpha, of_actor = torch.autograd.grad(
        alpha_loss, [log_alpha, actor[0].weight], retain_graph=True, allow_unused=True
    )
    print(f"{detach=}: alpha {of_alpha is not None}, actor {of_actor is not None}")
    assert of_alpha != 0
    assert (of_actor is None) == detach

# %%
# Many implementations use ``log_alpha`` in place of ``log_alpha.exp()`` in this loss.
# Both gradients have the same sign, and the second one is alpha times the first.
excess = (log_prob + target_entropy).detach()
(plain,) = torch.autograd.grad(-(log_alpha * excess).mean(), log_alpha)
torch.testing.assert_close(of_alpha, log_alpha.detach().exp() * plain)

alpha_optimizer = torch.optim.Adam([log_alpha], lr=0.1)
alpha = log_alpha.exp()
try:
    for _ in range(2):
        alpha_optimizer.zero_grad()
        # Wrong: alpha was computed before the loop.
        (-(alpha * excess).mean()).backward()
        alpha_optimizer.step()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("exp() saved nothing")
assert message.startswith("Trying to backward through the graph a second time")
for _ in range(2):
    # Right: alpha is computed in each step.
    alpha = log_alpha.exp()
    alpha_optimizer.zero_grad()
    (-(alpha * excess).mean()).backward()
    alpha_optimizer.step()
actor_loss = (log_alpha.exp().detach() * log_prob).mean()
(left,) = torch.autograd.grad(actor_loss, log_alpha, allow_unused=True)
assert left is None

# %%
# SAC: alpha falls to 0, or grows without end. Is that normal?
# ------------------------------------------------------------
# Alpha falls as long as the entropy of the policy is above ``target_entropy``, and
# grows as long as it is below. So a slow fall at the beginning is normal: a fresh
# policy is nearly random. The value itself says nothing. Plot ``-log_prob.mean()``
# beside ``target_entropy``: both should meet.
#
# - *It grows without end*: the target can't be reached. With discrete actions the
#   entropy is at most ``log(n)``, 0.69 for two. Choose a positive target below that.
#   With two actions, ``0.98 * log(n)`` was too high, and 0.7 or 0.8 of the maximum
#   worked (`a report
#   <https://github.com/p-christ/Deep-Reinforcement-Learning-Algorithms-with-PyTorch/issues/54>`__).
#   Or the sign of the loss is wrong.
# - *It falls to 0*: the policy is random enough without it, or the target is too low.
#   ``-action_dim`` is meant for continuous actions between -1 and 1. The entropy of
#   discrete actions is never below 0, so with a negative target alpha only falls.
# - *It does not move*: ``log_alpha`` is in no optimizer, or alpha was computed once,
#   before the loop.
import math


def step_of_alpha(target, entropy):
    log_alpha = torch.zeros(1, requires_grad=True)
    log_probability = torch.tensor(-entropy)
    loss = -(log_alpha.exp() * (log_probability + target).detach()).mean()
    loss.backward()
    return "falls" if log_alpha.grad > 0 else "grows"


most = math.log(2)  # the entropy of two equal actions
table = {
    "0.7 * log(2), random policy": step_of_alpha(0.7 * most, most),
    "0.7 * log(2), sure policy": step_of_alpha(0.7 * most, 0.1),
    "above log(2), random policy": step_of_alpha(1.0, most),
    "-2, sure policy": step_of_alpha(-2.0, 0.0),
}
for name, way in table.items():
    print(f"{name:28}{way}")
assert list(table.values()) == ["falls", "grows", "grows", "falls"]

# %%
# ``log_std.clamp(-20, 2)`` and ``tanh``: the actor's gradient is zero, actions stick
# -----------------------------------------------------------------------------------
# Outside of its bounds, ``clamp()`` has a gradient of exactly zero. If one large step
# has pushed ``log_std`` out for all states, no gradient brings it back. Map it into the
# bounds with ``tanh`` instead: the gradient becomes small, but not zero, unless the
# value is very far out. It is similar with the action: if the mean is far from 0,
# ``tanh(mean)`` is 1, its gradient vanishes, and every action is the largest or the
# smallest. Scale the inputs, initialise the last layer with small weights, clip the
# gradient, and lower the learning rate of the actor.
outside = torch.tensor([5.0], requires_grad=True)
low, high = -20.0, 2.0
bounded = {
    "clamp": outside.clamp(low, high),
    "tanh": low + (high - low) * (outside.tanh() + 1) / 2,
}
slopes = {}
for name, value_of in bounded.items():
    (slope,) = torch.autograd.grad(value_of.sum(), outside)
    slopes[name] = slope.item()
    print(f"{name:6}{slopes[name]:.4f}")
assert slopes["clamp"] == 0 < slopes["tanh"]
far = torch.tensor([3.0, 30.0], requires_grad=True)
far.tanh().sum().backward()
print([round(value, 3) for value in far.grad.tolist()])
assert far.grad[0] > 0.005
assert far.grad[1] == 0

# %%
# A shared features extractor: updated by the actor's or the critic's loss?
# -------------------------------------------------------------------------
# - *PPO, A2C*: by both. There is one loss, ``policy_loss + vf_coef * value_loss``, with
#   one ``backward()`` and one optimizer, so the shared extractor gets the sum of both
#   gradients, and that is meant. ``vf_coef`` sets how much the critic counts.
# - *SAC, TD3, DDPG*: by one of the two. There are two losses, two optimizers and two
#   steps, which would pull the same weights to and fro, and the actor's loss alone has
#   no reason to keep the features good for Q. Detach the features in the other loss.
#
# Which one is a choice. With ``share_features_extractor=True``, stable-baselines3
# leaves the extractor to the actor: its ``ContinuousCritic`` computes the features
# without recording, and the critic's optimizer does not hold them. By default, the two
# don't share in its SAC and TD3: each has its own extractor, trained by its own loss.
# (Read in the `issues 2006 <https://github.com/DLR-RM/stable-baselines3/issues/2006>`__
# and `425 <https://github.com/DLR-RM/stable-baselines3/issues/425>`__ and in the
# source, not run.) DrQ and RAD do the reverse: the critic trains the encoder, and the
# actor detaches it. With images that is the better choice if you are free, see below.
extractor, pi, value = nn.Linear(1, 4), nn.Linear(4, 1), nn.Linear(4, 1)


def of_extractor(policy_features, value_features):
    policy_loss = pi(policy_features(states)).mean()
    loss = policy_loss + 0.5 * value(value_features(states)).mean()
    return torch.autograd.grad(loss, extractor.weight)[0]


def detached(states):
    return extractor(states).detach()


both = of_extractor(extractor, extractor)
from_actor = of_extractor(extractor, detached)
from_critic = of_extractor(detached, extractor)
print(both.allclose(from_actor + from_critic), both.allclose(from_actor))
assert both.allclose(from_actor + from_critic)
assert not both.allclose(from_actor)

# %%
# Where it ends
# -------------
# - ``backward(inputs=...)`` with the parameters of the actor leaves the critic's
#   ``.grad`` alone without any freezing, and gives the actor the same gradient.
# - If actor and critic share an encoder, freezing the critic freezes the encoder in the
#   actor's step. To train it by both losses, freeze the critic's head only. Agents that
#   learn from images often leave it to the critic, and detach the features in the
#   actor's step: its gradient would change the features from which the critic
#   estimates. Their authors found that more stable (`rad 4
#   <https://github.com/MishaLaskin/rad/issues/4>`__, `drq 2
#   <https://github.com/denisyarats/drq/issues/2>`__). Detach the features, not the
#   actions.
# - An action from ``sample()`` has no gradient. Nothing then comes through the critic,
#   and the policy needs another loss: :doc:`target_network_and_advantage`.
# - With ``fused=True``, a step between the two losses raises no error, and the gradient
#   is wrong.
gradients = []
for freeze in (True, False):
    torch.manual_seed(1)
    actor.zero_grad()
    critics.zero_grad()
    critics.requires_grad_(not freeze)
    actor_loss = -smaller(critics, states, draw(states)[0]).mean()
    actor_loss.backward(inputs=None if freeze else parameters)
    assert all(p.grad is None for p in critics.parameters())
    gradients.append(actor[0].weight.grad.clone())
assert gradients[0].any()
assert torch.equal(*gradients)

encoder, head = nn.Linear(1, 4), nn.Linear(5, 1)
policy = nn.Linear(4, 1)
for part, reaches in ((nn.ModuleList([encoder, head]), False), (head, True)):
    encoder.requires_grad_(True)
    part.requires_grad_(False)
    features = encoder(states)
    (-head(torch.cat([features, policy(features)], 1))).mean().backward()
    assert policy.weight.grad is not None
    assert (encoder.weight.grad is not None) == reaches
encoder.zero_grad()
policy.zero_grad()
features = encoder(states).detach()
(-head(torch.cat([features, policy(features)], 1))).mean().backward()
assert policy.weight.grad is not None
assert encoder.weight.grad is None

with torch.no_grad():
    assert not torch.distributions.Normal(0.0, 1.0).sample().requires_grad
mean = torch.zeros(1, requires_grad=True)
assert not torch.distributions.Normal(mean, 1.0).sample().requires_grad
assert torch.distributions.Normal(mean, 1.0).rsample().requires_grad

critic = network(2, 1)
inputs = torch.ones(4, 2, requires_grad=True)
(right,) = torch.autograd.grad(critic(inputs).sum(), inputs)
loss = critic(inputs).sum()
critic(inputs.detach()).sum().backward()
torch.optim.SGD(critic.parameters(), lr=0.1, fused=True).step()
(wrong,) = torch.autograd.grad(loss, inputs)
assert not torch.allclose(wrong, right)

# %%
# Freeze what the gradient goes through, and detach what is a constant. Sources:
# `Continuous control with deep reinforcement learning
# <https://arxiv.org/abs/1509.02971>`__, `Soft Actor-Critic Algorithms and Applications
# <https://arxiv.org/abs/1812.05905>`__.
#
# Related: :doc:`target_network_and_advantage`, :doc:`gan_training`,
# :doc:`/gallery/three-ways/through_or_blocked`,
# :doc:`/gallery/graph/gradients_of_some_inputs`.
