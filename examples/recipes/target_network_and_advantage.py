"""
Detach the target and the advantage
===================================

In reinforcement learning a network is trained on its own estimates. Without
``detach()`` the target moves towards the prediction, and the critic learns from the
actor's loss.
"""

# %%
# The target moves with the prediction
# ------------------------------------
# A value of 2 times the state, a reward of 1, a discount of 0.9. The temporal
# difference should move the prediction towards the target. With the target in the
# graph, the gradient has the other sign here: it makes ``theta`` smaller, which lowers
# the target faster than the prediction.
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
# A target network is a detached estimate that stands still
# ---------------------------------------------------------
# A copy of the network makes the targets, and is updated from time to time. Between two
# updates the same state has the same target, whatever the network learns.
import copy

network = torch.nn.Linear(1, 1)
target_network = copy.deepcopy(network).requires_grad_(False)
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
states = torch.ones(4, 1)
targets = []
for _ in range(3):
    target = reward + discount * target_network(next_state * states)
    targets.append(target)
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(network(states), target).backward()
    optimizer.step()
assert torch.equal(targets[0], targets[2])
target_network.load_state_dict(network.state_dict())
assert torch.equal(target_network.weight, network.weight)
assert not target_network.weight.requires_grad

# %%
# The advantage is a weight, not a path for gradients
# ---------------------------------------------------
# The actor's loss multiplies the log-probability with how much better it went than
# expected. The expectation comes from the critic. Without ``detach()`` the actor's loss
# teaches the critic, too: to raise each estimate, whatever the return was, because a
# log-probability is negative.
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
# Detach what is a target or a weight, in the line that uses it. Sources: `Reinforcement
# Learning (DQN) Tutorial
# <https://docs.pytorch.org/tutorials/intermediate/reinforcement_q_learning.html>`__,
# `Asynchronous Methods for Deep Reinforcement Learning
# <https://arxiv.org/abs/1602.01783>`__.
#
# Related: :doc:`ema_teacher`, :doc:`stop_gradient_in_siamese_networks`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
