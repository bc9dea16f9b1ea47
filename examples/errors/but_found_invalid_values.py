"""
``Expected parameter … to satisfy the constraint … but found invalid values``
=============================================================================

A distribution got nan, or a standard deviation that is not positive. With nan, the
mistake was in the step *before*: its gradient was nan, and ``step()`` wrote nan into
all weights. Find what made the first nan; here it is 0 divided by 0.
"""

# %%
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
obs, actions = torch.randn(2, 3), torch.tensor([0, 1])
rewards = torch.tensor([1.0, 1.0])
for name in ("wrong", "right"):
    policy = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    # Wrong: all rewards are equal, and their std() is 0.
    spread = rewards.std() + (0 if name == "wrong" else 1e-8)
    advantage = (rewards - rewards.mean()) / spread
    log_prob = Categorical(logits=policy(obs)).log_prob(actions)
    (-log_prob * advantage).mean().backward()
    optimizer.step()
    try:
        Categorical(logits=policy(obs))
        print("right: no error")
    except ValueError as error:
        print(f"ValueError: {error}")
    assert policy.weight.isnan().any() == (name == "wrong")

# %%
# The observation is fine, and the network returns nan: stop at the first nan
# ---------------------------------------------------------------------------
# Once a weight is nan, each output that uses it is nan, so the line that raises is not
# the cause. Check the gradients before each step: ``clip_grad_norm_(...,
# error_if_nonfinite=True)`` raises while the weights are still good. Then
# ``torch.autograd.set_detect_anomaly(True)`` names the operation:
# :doc:`/reference/errors/returned_nan_values_in_its_0th_output`. If the weights and the
# observation are finite and the output is not, the numbers overflow: a learning rate
# that is too large, rewards or observations that are not scaled, ``float16``.
policy = nn.Linear(3, 2)
(policy(obs).log_softmax(1)[:, 0] * float("nan")).sum().backward()
try:
    nn.utils.clip_grad_norm_(policy.parameters(), 1.0, error_if_nonfinite=True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the gradient was finite")
print(message.partition(",")[0])
assert "non-finite" in message
assert policy.weight.isfinite().all()

# %%
# What makes the first nan in an actor?
# -------------------------------------
# - *Advantages are normalised* over equal rewards without ``+ 1e-8``, or over a single
#   sample, whose ``std()`` is nan in any case: skip that batch.
# - *The logarithm of a probability that is 0*: ``torch.log(probs)``. Give the logits to
#   ``Categorical(logits=...)``, and take its ``log_prob()``.
# - *A mask of actions that excludes all of them*: ``softmax`` of nothing but ``-inf``
#   is nan. Let one action be allowed, or mask with ``-1e9`` (in ``float16`` with
#   ``-1e4``). Don't multiply probabilities of 0 by logarithms of 0 for the entropy.
# - *A ratio that overflows*: ``exp(new - old)`` with ``old`` from another network, or
#   many steps ago. Clamp the difference before ``exp()``.
minus_inf, zero, one = float("-inf"), torch.tensor(0.0), torch.tensor(1.0)
pairs = {
    "0 / 0": (zero / zero, zero / (zero + 1e-8)),
    "log(0)": (zero.log(), torch.tensor([0.0, -99.0]).log_softmax(0)[1]),
    "all masked": (
        torch.full((2,), minus_inf).softmax(0)[0],
        torch.full((2,), -1e9).softmax(0)[0],
    ),
    "0 * log(0)": (zero * zero.log(), torch.special.xlogy(zero, zero)),
    "exp(200)": ((200 * one).exp(), (200 * one).clamp(max=20).exp()),
}
for name, (wrong, right) in pairs.items():
    print(f"{name:11}{wrong.item():<6}{right.isfinite().item()}")
    assert not wrong.isfinite()
    assert right.isfinite()

# %%
# ``constraint GreaterThan(lower_bound=0.0)``: the standard deviation is not positive
# -----------------------------------------------------------------------------------
# A linear layer also returns negative numbers and 0. Let it return the logarithm, and
# take ``exp()``, or use ``softplus(x) + 1e-4``. ``abs()`` and ``relu()`` can give 0.
# ``validate_args=False`` only removes the message: the ``log_prob()`` is nan.
from torch.distributions import Normal

raw = torch.tensor([-0.5])
try:
    Normal(torch.zeros(1), raw)
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("a negative standard deviation was accepted")
print(message[message.index("constraint GreaterThan") :].splitlines()[0])
assert Normal(torch.zeros(1), raw.exp()).log_prob(torch.zeros(1)).isfinite()
softened = nn.functional.softplus(raw) + 1e-4
assert Normal(torch.zeros(1), softened).log_prob(torch.zeros(1)).isfinite()
unchecked = Normal(torch.zeros(1), raw, validate_args=False)
assert unchecked.log_prob(torch.zeros(1)).isnan()

# %%
# ``Expected value argument … to be within the support``
# ------------------------------------------------------
# Here the parameters are good, and the *action* that ``log_prob()`` gets is nan, or one
# that the distribution can't draw: an index of ``-1`` or ``n``, or a value outside of a
# ``Uniform`` or ``Beta``. Print the smallest and the largest action of the buffer.
for distribution, action in (
    (Categorical(logits=torch.zeros(2)), torch.tensor(2)),
    (Normal(0.0, 1.0), torch.tensor(float("nan"))),
):
    try:
        distribution.log_prob(action)
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError("an impossible action has a probability")
    end = message[message.index("to be within the support") :].split(" (")[0]
    print(message.split(" (")[0], "…", end)
    assert end == "to be within the support"

# %%
# ``probability tensor contains either inf, nan or element < 0``: ``generate()``
# ------------------------------------------------------------------------------
# ``multinomial()`` says it in this way, and on a GPU as a ``device-side assert`` (not
# run here). Language models raise it in ``generate(do_sample=True)``. The reasons are
# the same: weights that a training step has made nan, or logits that overflow in
# ``float16``. For those, load the model in ``bfloat16`` or ``float32``. Greedy decoding
# only hides it: it raises nothing, and always takes the same token.
overflowed = torch.tensor([60000.0, 1.0], dtype=torch.float16) * 2
try:
    overflowed.softmax(0).float().multinomial(1)
except RuntimeError as error:
    message = str(error).replace("`", "")
else:
    raise AssertionError("a probability was nan")
print(message)
assert message == "probability tensor contains either inf, nan or element < 0"
wide = torch.tensor([60000.0, 1.0], dtype=torch.bfloat16) * 2
assert wide.softmax(0).isfinite().all()

# %%
# Read on: :doc:`/reference/errors/returned_nan_values_in_its_0th_output`,
# :doc:`/gallery/recipes/target_network_and_advantage`.
