"""
Watch a real training step to find the parameters that it did not train
=======================================================================

Put one iteration of your own loop under ``with gradguide.watch() as report:``. The
report says which parameters trained, and for the others why not, and at which line.
"""

# %%
import torch
from torch import nn

# Install it: pip install git+https://github.com/gradguide/gradguide
import gradguide

body, head = nn.Linear(4, 8), nn.Linear(8, 1)
parameters = [*body.parameters(), *head.parameters()]
optimizer = torch.optim.SGD(parameters, lr=0.1)
x = torch.ones(2, 4)
with gradguide.watch() as report:
    loss = head(body(x).detach()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(report)
assert {row.name for row in report.problems} == {"body.weight", "body.bias"}

# %%
# Several optimizers, and a tensor in no module
# ---------------------------------------------
# Without ``detach()`` all four parameters train. The next example is right, too: one
# method that returns nothing and uses two optimizers. The critic of this agent trains
# the encoder. The actor reads the features detached, so that its loss doesn't change
# what the critic reads: that is often more stable
# (:doc:`/gallery/recipes/actor_through_a_frozen_critic`). It draws actions by
# ``rsample()``, through which the gradient of the critic reaches ``actor`` and
# ``log_std``.
with gradguide.watch() as report:
    head(body(x)).square().mean().backward()
    optimizer.step()
assert not report.problems

torch.manual_seed(0)


class Agent:
    def __init__(self):
        self.encoder, self.actor = nn.Linear(4, 8), nn.Linear(8, 2)
        self.critic = nn.Linear(10, 1)
        self.log_std = torch.zeros(2, requires_grad=True)
        sees = [*self.encoder.parameters(), *self.critic.parameters()]
        self.sees = torch.optim.Adam(sees)
        self.acts = torch.optim.Adam([*self.actor.parameters(), self.log_std])

    def value(self, features, actions):
        return self.critic(torch.cat([features, actions], dim=1))

    def act(self, features):
        mean, deviation = self.actor(features), self.log_std.exp()
        return torch.distributions.Normal(mean, deviation).rsample()

    def update(self, states, actions, returns):
        features = self.encoder(states)
        critic_loss = (self.value(features, actions) - returns).square().mean()
        self.sees.zero_grad()
        critic_loss.backward()
        self.sees.step()

        features = features.detach()
        actor_loss = -self.value(features, self.act(features)).mean()
        self.acts.zero_grad()
        actor_loss.backward()
        self.acts.step()


batch = torch.randn(16, 4), torch.randn(16, 2), torch.randn(16, 1)
agent = Agent()
with gradguide.watch() as report:
    agent.update(*batch)
print(report)
assert not report.problems

# %%
# What does the report say about sample()?
# ----------------------------------------
# ``sample()`` looks like ``rsample()`` and runs under ``no_grad()``. ``backward()`` of
# ``actor_loss`` raises no error, because it still reaches the critic. The actor gets no
# gradient from it. The report names the line of ``sample()``.


class Sampling(Agent):
    def act(self, features):
        mean, deviation = self.actor(features), self.log_std.exp()
        return torch.distributions.Normal(mean, deviation).sample()


agent = Sampling()
with gradguide.watch() as broken:
    agent.update(*batch)
print(broken)
rows = {row.name: row for row in broken.problems}
assert set(rows) == {"agent.actor.weight", "agent.actor.bias", "agent.log_std"}
assert {row.verdict for row in broken.problems} == {"cut"}
line = Sampling.act.__code__.co_firstlineno + 2
assert rows["agent.log_std"].where.endswith(f":{line}")

# %% tags=["hide-input"]
# :py:func:`gradguide.explain` doesn't fit here. There is no single model and no
# function that returns the loss, and it takes one optimizer.
#
# What the step did to each network and to ``log_std``. Above, with ``rsample()``, all
# train (open squares). Below, with ``sample()``, the actor and ``log_std`` are cut
# (dashed, with a cross).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.2), layout="constrained")
looks = {"trains": {"ec": "C0"}, "cut": {"ec": "C2", "ls": "--"}}
for way, one in {"sample()": broken, "rsample()": report}.items():
    for name, verdict, *_ in one:
        place = name.split(".")[1], way
        ax.scatter(*place, s=300, marker="s", fc="none", **looks[verdict])
        if verdict == "cut":
            ax.scatter(*place, s=100, marker="x", c="C2")
ax.margins(0.15, 0.4)
ax.tick_params(length=0)
ax.set_frame_on(False)
plt.show()

# %%
# Can it watch each call of a training step?
# ------------------------------------------
# As a decorator, ``watch`` observes the first three calls and prints the report to
# stderr. Later calls run as if it were not there. In ``float32`` all three parameters
# train. In ``bfloat16`` the update of a weight near 1 is rounded away, so the weight of
# the norm stays ``still``, although it gets a gradient and the optimizer holds it. Keep
# the weights in ``float32`` and compute under ``torch.autocast``.
import io
from contextlib import redirect_stderr


def make_step(dtype):
    model = nn.Sequential(nn.RMSNorm(8), nn.Linear(8, 1)).to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    @gradguide.watch(model)
    def step(inputs, targets):
        loss = (model(inputs) - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


reports = []
for dtype in (torch.float32, torch.bfloat16):
    step = make_step(dtype)
    with redirect_stderr(io.StringIO()) as stderr:
        for _ in range(5):
            step(torch.randn(16, 8, dtype=dtype), torch.randn(16, 1, dtype=dtype))
    reports.append(stderr.getvalue())
    print(dtype, reports[-1], sep="\n")
assert "3 of 3 parameters train" in reports[0]
assert "rounded away" in reports[1]

# %%
# Where it ends
# -------------
# - The block needs a forward, a backward and a step. Without a step the verdicts are
#   ``unknown``, and those are not in ``problems``.
# - It finds the networks and tensors that the iteration uses. To have a model, an
#   optimizer or a tensor reported even if the iteration does not use it, pass it:
#   ``watch(model, optimizer)``.
# - It watches one process. Put it where the training runs, such as into the function
#   that ``mp.spawn`` calls.
# - What other threads and TorchScript do to a parameter is ``unknown``.
# - Compiled code runs without compilation in the block. Its results are then equal up
#   to rounding.
with gradguide.watch() as report:
    head(body(x)).square().mean().backward()
assert {row.verdict for row in report} == {"unknown"}
assert not report.problems

spare = nn.Linear(2, 1)
with gradguide.watch(spare) as report:
    head(body(x)).square().mean().backward()
    optimizer.step()
print(report)
assert {row.name for row in report} >= {"spare.weight", "spare.bias"}

# %%
# ``problems`` holds the rows that you should act on, so
# ``assert not report.problems`` is a test of a training step.
#
# Related: :doc:`one_command_for_your_script`, :doc:`why_is_my_gradient_none`,
# :doc:`/gallery/recipes/target_network_and_advantage`.
