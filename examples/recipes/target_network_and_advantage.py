"""
The target follows the prediction: detach the target and the advantage
======================================================================

A target that the learning network computes itself can turn the gradient around if it is
left in the graph: detach it. With a separate target network, it only costs time and
memory. In a policy gradient, detach the advantage, too.
"""

# %%
# A value of 2 times the state, a reward of 1, a discount of 0.9. The prediction, 2, is
# below the target, 6.4, so ``theta`` should grow, and the gradient be negative.
import torch

theta = torch.tensor(2.0, requires_grad=True)
state, next_state, reward, discount = 1.0, 3.0, 1.0, 0.9


def gradient(target):
    theta.grad = None
    (theta * state - target).square().backward()
    return round(theta.grad.item(), 2)


whole = gradient(reward + discount * theta * next_state)
cut = gradient((reward + discount * theta * next_state).detach())
print("whole:", whole, " detached:", cut)
assert whole == 14.96
assert cut == -8.8

# %% tags=["hide-input"]
# Why does the gradient turn around?
# ----------------------------------
# With the target in the graph, a step also moves the target, and here faster than the
# prediction: the next state is three times as large. Both come closer to each other if
# ``theta`` becomes smaller, so that is what the gradient asks for.
#
# The prediction of 2 is below the target of 6.4. A step against the gradient raises it
# with the detached target, and lowers it without.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
rate = 0.02
for y, (name, grad) in enumerate({"detach()": cut, "without": whole}.items()):
    style = {"detach()": "C0", "without": "C2"}[name]
    arrow = {"arrowstyle": "->", "ec": style, "lw": 2}
    ax.annotate("", (2 - rate * grad, y), (2, y), arrowprops=arrow)
    ax.scatter(2, y, s=150, marker="s", fc="none", ec=style, lw=2)
    ax.scatter(6.4, y, s=150, marker="D", fc="none", ec="C3", lw=2)
ax.set_yticks([0, 1], ["detach()", "without"])
ax.set(xlabel="value", xlim=(1, 7), ylim=(1.5, -0.5))
plt.show()

# %%
# The whole training loop
# -----------------------
# The agent moves on a line and should stay at 0: its reward is minus the square of the
# place that it reaches. This is DDPG: the critic learns from targets that are made
# under ``no_grad()``, and the actor :doc:`through the frozen critic
# <actor_through_a_frozen_critic>`. Two copies of the networks make the targets, and
# follow slowly.
import copy

from torch import nn

torch.manual_seed(0)

actor = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 1), nn.Tanh())
critic = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
slow_actor, slow_critic = (
    copy.deepcopy(network).requires_grad_(False) for network in (actor, critic)
)
actor_optimizer = torch.optim.Adam(actor.parameters(), lr=0.003)
critic_optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)


def value(critic, states, actions):
    return critic(torch.cat([states, actions], 1))


for _ in range(300):
    states = 2 * torch.rand(64, 1) - 1
    with torch.no_grad():
        actions = actor(states) + 0.3 * torch.randn(64, 1)
        next_states = states + actions
        rewards = -next_states.square()
        next_values = value(slow_critic, next_states, slow_actor(next_states))
        targets = rewards + 0.9 * next_values

    critic_loss = nn.functional.mse_loss(value(critic, states, actions), targets)
    critic_optimizer.zero_grad()
    critic_loss.backward()
    critic_optimizer.step()

    critic.requires_grad_(False)
    actor_loss = -value(critic, states, actor(states)).mean()
    actor_optimizer.zero_grad()
    actor_loss.backward()
    actor_optimizer.step()
    critic.requires_grad_(True)

    with torch.no_grad():
        for slow, fast in ((slow_actor, actor), (slow_critic, critic)):
            for old, new in zip(slow.parameters(), fast.parameters(), strict=True):
                old.lerp_(new, 0.05)

places = [-0.8, 0.0, 0.8]
with torch.no_grad():
    moves = actor(torch.tensor(places)[:, None]).flatten().tolist()
reached = [place + move for place, move in zip(places, moves, strict=True)]
print(places, "->", [round(place, 1) for place in reached])
assert max(map(abs, reached)) < 0.3

# %%
# A target network is a detached estimate that stands still
# ---------------------------------------------------------
# In DQN, a copy of the network makes the targets and is updated from time to time.
# Between two updates the same state has the same target, while the network learns.
network = nn.Linear(1, 1)
target_network = copy.deepcopy(network).requires_grad_(False)
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
states = torch.ones(4, 1)
targets = []
for _ in range(3):
    target = reward + discount * target_network(next_state * states)
    targets.append(target)
    optimizer.zero_grad()
    nn.functional.mse_loss(network(states), target).backward()
    optimizer.step()
assert torch.equal(targets[0], targets[2])
assert not torch.equal(target_network.weight, network.weight)
target_network.load_state_dict(network.state_dict())
assert torch.equal(target_network.weight, network.weight)
assert not target_network.weight.requires_grad

# %%
# DQN without ``detach()`` on the target: does the target network learn?
# ----------------------------------------------------------------------
# No. It is not in the optimizer and shares no parameter with the network that learns,
# whose gradient is the same with or without ``detach()``. That is why such code trains.
# But each ``backward()`` also goes through the target network and adds to its
# ``.grad``, which no optimizer reads: time and memory for nothing. Compute the target
# under ``no_grad()``, or freeze the target network.
#
# It does make a difference if the optimizer holds the target network, for example
# because it is a part of the same module and you passed ``agent.parameters()``: then
# the target is trained towards the prediction.
print(f"{'optimizer':10}{'detach':8}{'weight':9}{'moved':7}has .grad")
for everything in (False, True):
    weights = {}
    for detach in (True, False):
        torch.manual_seed(0)
        agent = nn.ModuleDict({"network": nn.Linear(1, 1), "target": nn.Linear(1, 1)})
        slow = agent["target"].weight
        start = slow.item()
        held = agent if everything else agent["network"]
        optimizer = torch.optim.SGD(held.parameters(), lr=0.1)
        for _ in range(2):
            target = reward + discount * agent["target"](next_state * states)
            target = target.detach() if detach else target
            optimizer.zero_grad()
            nn.functional.mse_loss(agent["network"](states), target).backward()
            optimizer.step()
        weights[detach] = agent["network"].weight.item()
        moved, has_gradient = slow.item() != start, slow.grad is not None
        name = "agent" if everything else "network"
        row = f"{weights[detach]:<9.2f}{moved!s:7}{has_gradient}"
        print(f"{name:10}{detach!s:8}{row}")
        assert moved == (everything and not detach)
        assert has_gradient != detach
    assert (abs(weights[True] - weights[False]) < 1e-6) != everything

# %%
# Double DQN does not converge: does a second ``detach()`` help, at the best action?
# ----------------------------------------------------------------------------------
# No. ``detach()`` at the end of the target cuts off all that the target was computed
# from, both networks included. And the index from ``argmax`` is an integer, which has
# no gradient in any case. A second ``detach()`` before it changes no gradient; if a run
# with it is better, that was chance: compare several seeds. Compute the whole target
# under ``no_grad()``, which also saves the graph. Only the prediction must not be
# detached. If it does not converge, look elsewhere: ``1 - done``, the network that
# chooses (the one that learns) and the one that evaluates (the target network), how
# often that is updated, the shapes, the learning rate.
online, slow = nn.Linear(2, 3), nn.Linear(2, 3)
seen, following, taken = torch.randn(8, 2), torch.randn(8, 2), torch.randint(3, (8, 1))


def of_double_dqn(way):
    with torch.set_grad_enabled(way != "no_grad()"):
        q_values = online(following)
        if way == "twice":
            q_values = q_values.detach()
        best = q_values.argmax(1, keepdim=True)
        assert not best.requires_grad
        target = reward + discount * slow(following).gather(1, best)
    target = target if way == "no_grad()" else target.detach()
    loss = nn.functional.mse_loss(online(seen).gather(1, taken), target)
    online.zero_grad()
    slow.zero_grad()
    loss.backward()
    assert slow.weight.grad is None
    return online.weight.grad


once = of_double_dqn("once")
same = {way: of_double_dqn(way).equal(once) for way in ("twice", "no_grad()")}
print(same)
assert all(same.values())
assert once.any()

# %%
# In SAC, the target has the action and the log-probability of the current actor in it.
# Without ``detach()``, the critic's loss then gives the actor a gradient.
policy = torch.distributions.Normal(actor(states), 0.1)
next_actions = policy.rsample()
target = -0.2 * policy.log_prob(next_actions)
target = target + value(slow_critic, states, next_actions)
actor.zero_grad()
nn.functional.mse_loss(value(critic, states, states), target).backward()
assert actor[0].weight.grad is not None
actor.zero_grad()

# %%
# REINFORCE: why is ``-log_prob * G`` used as a loss?
# ---------------------------------------------------
# The policy gradient is the mean of ``G`` times the gradient of ``log_prob``. Autograd
# needs a loss to compute it, so you write one whose gradient it is: a surrogate loss.
# ``G`` is a constant there, so the derivative of ``-log_prob * G`` is ``-G`` times that
# of ``log_prob``. The minus is there because the optimizer descends. The value of the
# loss says nothing about the policy. Detach ``G`` if it comes from a network. Don't
# detach ``log_prob``: the whole gradient comes through it.
logits = torch.randn(4, 3, requires_grad=True)
chosen, G = torch.tensor([0, 2, 1, 2]), torch.tensor([1.0, -2.0, 0.5, 3.0])
log_prob = torch.distributions.Categorical(logits=logits).log_prob(chosen)
(by_hand,) = torch.autograd.grad(
    log_prob, logits, grad_outputs=-G / len(G), retain_graph=True
)
(of_loss,) = torch.autograd.grad((-log_prob * G).mean(), logits)
torch.testing.assert_close(of_loss, by_hand)
assert of_loss.any()
assert not (-log_prob.detach() * G).mean().requires_grad

# %%
# The advantage is a weight, not a path for gradients
# ---------------------------------------------------
# With a policy gradient, the actor's loss multiplies the log-probability with the
# advantage: how much better it went than the critic expected. Without ``detach()`` that
# loss trains the critic, too, and the return has no part in that gradient. It raises
# the estimate wherever the log-probability is negative, as for discrete actions.
log_probs = torch.tensor([-0.5, -1.0], requires_grad=True)
values = torch.tensor([0.3, 0.8], requires_grad=True)
returns = torch.tensor([1.0, 0.0])
(-log_probs * (returns - values)).mean().backward()
print("critic, without detach():", values.grad)
assert values.grad.tolist() == [-0.25, -0.5]
log_probs.grad = values.grad = None
(-log_probs * (returns - values).detach()).mean().backward()
print("critic, with detach():   ", values.grad)
assert values.grad is None
assert log_probs.grad is not None

# %%
# The critic has a loss of its own, and there the *return* is the constant.
(values - returns).square().mean().backward()
assert values.grad is not None

# %%
# Actor-critic got worse after I swapped the two updates
# ------------------------------------------------------
# Each optimizer clears only its own network. If ``actor_optimizer.zero_grad()`` got
# lost, each step of the actor uses the sum of all its gradients so far. And after the
# critic's step, the critic estimates something else: compute the TD error once, before
# both updates. Then their order makes no difference, as long as both networks share no
# layer.
before, after, rewards = torch.randn(8, 2), torch.randn(8, 2), torch.randn(8)
actions = torch.randint(2, (8,))


def two_updates(order=("critic", "actor"), *, clears=True, once=True):
    torch.manual_seed(0)
    networks = nn.ModuleDict({"actor": nn.Linear(2, 2), "critic": nn.Linear(2, 1)})
    optimizers = {
        name: torch.optim.SGD(network.parameters(), lr=0.1)
        for name, network in networks.items()
    }

    def td_error():
        with torch.no_grad():
            target = rewards + 0.9 * networks["critic"](after).squeeze(1)
        return target - networks["critic"](before).squeeze(1)

    for _ in range(2):
        error = td_error()
        for name in order:
            if not once:
                error = td_error()
            if name == "critic":
                loss = error.square().mean()
            else:
                chosen = networks["actor"](before).log_softmax(1)[range(8), actions]
                loss = -(chosen * error.detach()).mean()
            if clears or name == "critic":
                optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
    return networks["actor"].weight.detach()


right = two_updates()
same = {
    "actor first": two_updates(("actor", "critic")).equal(right),
    "TD error twice": two_updates(once=False).allclose(right),
    "actor not cleared": two_updates(clears=False).allclose(right),
}
print(same)
assert list(same.values()) == [True, False, False]

# %%
# Is ``detach()`` inside ``no_grad()`` superfluous?
# -------------------------------------------------
# Yes. Under ``torch.no_grad()`` the target has no graph that ``detach()`` could cut.
# The parameters of the target network still have ``requires_grad=True``, because the
# block does not change them. They are not updated, because no gradient reaches them
# through the target and no optimizer holds them. Only a tensor that was computed
# outside of the block keeps its graph inside.
target_network = nn.Linear(2, 1)
outside = target_network(torch.ones(2))
with torch.no_grad():
    target = target_network(torch.ones(2))
    assert all(p.requires_grad for p in target_network.parameters())
    assert outside.requires_grad
    print(target.requires_grad, target.detach().equal(target), outside.requires_grad)
assert not target.requires_grad
assert target.grad_fn is None
assert target.detach().data_ptr() == target.data_ptr()

# %%
# The ratio is always 1 and the loss is 0: where does the gradient come from?
# ---------------------------------------------------------------------------
# GRPO and PPO multiply the advantage with the ratio of the new and the old probability.
# In the first update after sampling, both policies are the same, so it is often written
# ``exp(log_prob - log_prob.detach())``. The value is 1. But the detached part is a
# constant, so the derivative of the ratio is that of ``log_prob``: this is the policy
# gradient. Advantages that sum to zero make a loss of 0, and each of them still weighs
# the gradient of its own sample. Here the better of two actions is learned, and every
# loss is 0: watch the reward, not the loss.
torch.manual_seed(0)
logits = torch.zeros(2, requires_grad=True)
optimizer = torch.optim.SGD([logits], lr=1.0)
losses = []
for _ in range(30):
    policy = torch.distributions.Categorical(logits=logits)
    actions = policy.sample((8,))
    rewards = (actions == 1).float()
    advantages = rewards - rewards.mean()
    log_prob = policy.log_prob(actions)
    ratio = (log_prob - log_prob.detach()).exp()
    assert (ratio == 1).all()
    loss = -(ratio * advantages).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(abs(loss.item()))
chance = logits.softmax(0)[1].item()
print(f"largest loss: {max(losses):.1f}, probability: 0.5 -> {chance:.2f}")
assert max(losses) < 1e-6
assert chance > 0.8

# %%
# Without the ``detach()``, the difference is 0 in value and in gradient. And with it,
# the ratio is 1 in each update: for several updates with the same samples, store
# ``log_prob.detach()`` when you sample. Only then does the ratio change, and clipping
# can stop the gradient.
log_prob = torch.tensor([-0.5, -1.0], requires_grad=True)
advantages = torch.tensor([1.0, -1.0])


def policy_gradient(ratio):
    clipped = ratio.clamp(0.8, 1.2)
    loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
    return torch.autograd.grad(loss, log_prob)[0].tolist()


stored = log_prob.detach() - 1.0
ratios = {
    "without detach()": (log_prob - log_prob).exp(),
    "its own value": (log_prob - log_prob.detach()).exp(),
    "stored, 1 lower": (log_prob - stored).exp(),
}
found = {name: policy_gradient(ratio) for name, ratio in ratios.items()}
for name, gradient_of_ratio in found.items():
    print(f"{name:17}", [round(value, 2) for value in gradient_of_ratio])
assert found["without detach()"] == [0, 0]
assert found["its own value"] == [-0.5, 0.5]
assert found["stored, 1 lower"][0] == 0
assert found["stored, 1 lower"][1] > 1

# %%
# PPO: the ratio is not 1 in the first update, or clips everything at once
# ------------------------------------------------------------------------
# Before the first step on fresh samples, the new log-probability must equal the stored
# one, so print the largest ``abs(ratio - 1)``. If it is not about 0, both were not
# computed in the same way:
#
# - dropout or batch norm is in training mode in one of them: use ``eval()`` in both, or
#   a policy without them,
# - the buffer stores the clipped action, and ``log_prob`` belongs to the one before
#   clipping: store the action that was drawn, and clip only for the environment,
# - the observations are normalised with statistics that were updated in between,
# - the shapes differ, or the samples were shuffled without the log-probabilities.
torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Dropout(0.5), nn.Linear(32, 1))
seen = torch.randn(16, 4)


def log_prob_of(acted, mode):
    mean = policy.train(mode)(seen)
    return torch.distributions.Normal(mean, 1.0).log_prob(acted)


with torch.no_grad():
    drawn = torch.distributions.Normal(policy.eval()(seen), 1.0).sample()
    stored = log_prob_of(drawn, mode=False)
    largest = {
        "dropout": log_prob_of(drawn, mode=True) - stored,
        "clipped action": log_prob_of(drawn.clamp(-1, 1), mode=False) - stored,
        "the same way": log_prob_of(drawn, mode=False) - stored,
    }
for name, difference in largest.items():
    off = (difference.exp() - 1).abs().max().item()
    print(f"{name:15}{off > 0.01}")
    assert (off > 0.01) == (name != "the same way")

# %%
# The target network never changes, or changes with every step: deepcopy it
# -------------------------------------------------------------------------
# ``target = network`` and ``copy.copy(network)`` share the weights with the network, so
# the target moves with it. ``copy.deepcopy()`` or a second network with
# ``load_state_dict(network.state_dict())`` does not. And the update has to be written
# into the target: ``old = ...`` in a loop only gives a name to a new tensor, and if the
# target loads its own ``state_dict()``, nothing happens. Here, the network goes from 0
# to 1, and a soft update with ``tau=0.05`` should bring the target to 0.05.


def soft(target, network, tau=0.05):
    with torch.no_grad():
        for old, new in zip(target.parameters(), network.parameters(), strict=True):
            old.copy_((1 - tau) * old + tau * new)


def only_named(target, network):
    for old, new in zip(target.parameters(), network.parameters(), strict=True):
        old = 0.95 * old + 0.05 * new  # noqa: PLW2901


ways = {
    "deepcopy": (copy.deepcopy, soft),
    "target = network": (lambda network: network, soft),
    "copy.copy": (copy.copy, soft),
    "old = ...": (copy.deepcopy, only_named),
    "loads itself": (
        copy.deepcopy,
        lambda target, _: target.load_state_dict(target.state_dict()),
    ),
    "tau on the wrong side": (
        copy.deepcopy,
        lambda target, network: soft(target, network, tau=0.95),
    ),
}
reached = {}
for name, (make, update) in ways.items():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    target_network = make(network)
    nn.init.ones_(network.weight)
    update(target_network, network)
    reached[name] = round(target_network.weight.item(), 2)
    print(f"{name:22}{reached[name]}")
assert list(reached.values()) == [0.05, 1, 1, 0, 0, 0.95]

# %%
# The actor's loss is always about 0, and nothing is learned: ``(64, 1)`` and ``(64,)``
# -------------------------------------------------------------------------------------
# Print the shapes of log-probability and advantage: they must be the same. A critic
# returns ``(64, 1)``, ``log_prob()`` of a ``Categorical`` has ``(64,)``, and the
# product of both is ``(64, 64)``: each action is paired with each advantage. Its mean
# is the product of two means. If the advantages are normalised, theirs is 0, and the
# gradient vanishes up to rounding, without an error. Write ``critic(obs).squeeze(-1)``.
#
# In the critic's loss the same shapes pull each value to the mean of all returns:
# ``mse_loss`` warns (``Using a target size ... that is different to the input size``),
# and ``(returns - values).square()`` does not. With several continuous actions,
# ``log_prob()`` of a ``Normal`` has one column for each: sum them,
# ``log_prob(a).sum(-1)``.
torch.manual_seed(0)
policy, seen, taken = nn.Linear(3, 2), torch.randn(64, 3), torch.randint(2, (64,))
advantages = torch.randn(64, 1)
advantages = (advantages - advantages.mean()) / advantages.std()
log_prob = torch.distributions.Categorical(logits=policy(seen)).log_prob(taken)
sizes = {}
for name, advantage in (("wrong", advantages), ("right", advantages.squeeze(-1))):
    loss = -(log_prob * advantage).mean()
    (slope,) = torch.autograd.grad(loss, policy.weight, retain_graph=True)
    sizes[name] = slope.norm().item()
    print(name, tuple((log_prob * advantage).shape), sizes[name] > 1e-6)
assert sizes["wrong"] < 1e-6
assert sizes["right"] > 0.1

# %%
# Entropy bonus: plus or minus, and why has it no effect?
# -------------------------------------------------------
# Minus: ``loss = policy_loss + value_loss - 0.01 * entropy``, because the optimizer
# descends, and the entropy should grow. With a plus, it falls faster than without the
# term. It has no effect if the entropy is the one that you stored when you sampled: it
# was computed under ``no_grad()``, or it is a number, and adds a constant. Compute it
# in the update, from the same distribution as the new ``log_prob``. The entropy of a
# ``Normal`` whose standard deviation does not depend on the state trains that standard
# deviation alone, and not the network of the mean.
#
# It is normal that the entropy falls slowly while the agent learns. If it is near 0
# after a few updates, the policy has stopped to explore: raise the coefficient, or
# lower the learning rate.
logits = torch.tensor([2.0, 0.0], requires_grad=True)
with torch.no_grad():
    stored = torch.distributions.Categorical(logits=logits).entropy()
moved = {}
for name in ("- entropy", "+ entropy", "- stored"):
    policy = torch.distributions.Categorical(logits=logits)
    # The term beside it is 0 here, so that the bonus acts alone.
    rest = 0 * policy.log_prob(torch.tensor(0))
    bonus = {"- entropy": -1, "+ entropy": 1}.get(name, 0) * policy.entropy()
    (slope,) = torch.autograd.grad(rest + bonus - (name == "- stored") * stored, logits)
    after = torch.distributions.Categorical(logits=logits - slope).entropy()
    moved[name] = round((after - stored).item(), 2) + 0
    print(f"{name:10}{moved[name]:+.2f}")
assert moved["- entropy"] > 0 > moved["+ entropy"]
assert moved["- stored"] == 0

# %%
# Is it normal that the loss of an RL agent rises, or does not fall?
# ------------------------------------------------------------------
# Yes: these losses do not measure how good the agent is. Watch the return of an
# episode. What each curve says:
#
# - *Policy loss (PPO, A2C, REINFORCE)*: around 0 with normalised advantages, up and
#   down. Its value means nothing.
# - *Actor loss of DDPG, TD3, SAC*: ``-Q``, plus the entropy term in SAC. It falls below
#   0 and goes on falling while the returns grow. If it falls without an end and the
#   returns do not grow, the critic overestimates: look at the target, at ``1 - done``
#   and at the second critic.
# - *Value loss, loss of DQN*: it often rises at first, because returns and targets grow
#   with a better agent. It grows with the square of the rewards, as below, so scale
#   them, and do not compare it between tasks.
# - *All gradients zero, or a loss that stays exactly the same over many updates*: that
#   is a mistake. See the shapes and the entropy above, ``detach()`` of ``log_prob``,
#   and :doc:`/gallery/graph/what_drops_the_graph`.
#
# PPO also tells you the size of its steps: the approximate KL divergence between old
# and new policy. `Spinning Up
# <https://spinningup.openai.com/en/latest/algorithms/ppo.html>`__ stops an update early
# by it, and calls 0.01 or 0.05 a usual ``target_kl``.
truth = torch.tensor([1.0, 2.0, 3.0])
losses = [(scale * truth - scale * 0.9 * truth).square().mean() for scale in (1, 10)]
ratio = (losses[1] / losses[0]).item()
print(f"rewards times 10: value loss times {ratio:.0f}")
assert abs(ratio - 100) < 0.1

# %%
# A3C: ``ensure_shared_grads``, and the gradient grows with each step
# -------------------------------------------------------------------
# Each worker of A3C computes gradients on a local copy and hands them to the shared
# model, whose parameters are in the optimizer. Much code returns if ``shared.grad`` is
# not None, and otherwise lets it point to ``local.grad``. That relied on
# ``zero_grad()`` filling both with zeros, in place. Since PyTorch 2.0 it sets
# ``shared.grad`` to None, nothing clears ``local.grad``, and each step applies the sum
# of all gradients so far, without an error. Call ``local.zero_grad()`` in the worker,
# and assign the gradient in each step. Without handing it over, the shared model has no
# gradient and never moves.


def handed_over(clears_local, steps=4):
    shared = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(shared.parameters(), lr=0.01)
    local, found = copy.deepcopy(shared), []
    for _ in range(steps):
        local.load_state_dict(shared.state_dict())
        optimizer.zero_grad()
        if clears_local:
            local.zero_grad()
        local(torch.ones(1, 1)).sum().backward()
        for mine, theirs in zip(local.parameters(), shared.parameters(), strict=True):
            theirs.grad = mine.grad
        found.append(shared.weight.grad.item())
        optimizer.step()
    return found


for clears_local in (False, True):
    print(f"{clears_local=}:", handed_over(clears_local))
assert handed_over(clears_local=False) == [1, 2, 3, 4]
assert handed_over(clears_local=True) == [1, 1, 1, 1]

# %%
# Where it ends
# -------------
# - The sign of the log-probability decides. The log-density of a narrow Gaussian policy
#   is positive, and the same mistake then lowers each estimate.
# - An action from ``sample()`` has no gradient, so nothing can go through the critic:
#   use the log-probability and the advantage. SAC uses ``rsample()``.
# - Residual-gradient methods follow the gradient of the whole, 14.96 above, on purpose.
# - In SAC the actor's loss also has an entropy term. With detached actions that term
#   alone trains the actor.
# - A frozen critic with batch norm or dropout also needs a decision about ``eval()``:
#   its statistics move in the actor's step.
policy = torch.distributions.Normal(torch.zeros(2), torch.tensor(0.1))
log_density = policy.log_prob(torch.tensor([0.01, 0.02]))
values.grad = None
(-log_density * (returns - values)).mean().backward()
assert (log_density > 0).all()
assert (values.grad > 0).all()

mean = torch.zeros(2, requires_grad=True)
policy = torch.distributions.Normal(mean, 0.1)
assert policy.rsample().requires_grad
assert not policy.sample().requires_grad

std = torch.tensor(0.1, requires_grad=True)
policy = torch.distributions.Normal(torch.zeros(4, 1), std)
actions = policy.rsample()
entropy_term = 0.2 * policy.log_prob(actions).mean()
loss = entropy_term - value(critic, states, actions.detach()).mean()
(both,) = torch.autograd.grad(loss, std, retain_graph=True)
(alone,) = torch.autograd.grad(entropy_term, std)
assert alone != 0
assert both == alone

frozen = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1)).requires_grad_(False)
value(frozen, states, actor(states))
assert frozen[0].running_mean.any()

# %%
# Detach what is a target or a weight, in the line that uses it. Sources: `Continuous
# control with deep reinforcement learning <https://arxiv.org/abs/1509.02971>`__,
# `Reinforcement Learning (DQN) Tutorial
# <https://docs.pytorch.org/tutorials/intermediate/reinforcement_q_learning.html>`__,
# `Asynchronous Methods for Deep Reinforcement Learning
# <https://arxiv.org/abs/1602.01783>`__.
#
# Related: :doc:`actor_through_a_frozen_critic`, :doc:`ema_teacher`,
# :doc:`stop_gradient_in_siamese_networks`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
