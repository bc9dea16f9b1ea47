"""
In a GAN, detach the fake for the discriminator only
====================================================

``detach()`` freezes nothing: it only keeps the gradient of *one loss* from reaching the
generator. Don't use it in the generator's own step, or the generator never learns.
"""

# %%
# A GAN in small: ``z`` is the generated image, ``y`` a weight of the discriminator,
# ``z2`` its output and ``y1`` the loss. The loss reaches ``y`` and not ``z``. (``z2``
# is a result: its ``.grad`` is None in any case, and reading it draws a warning.)
import torch

y = torch.tensor([3.0, 4.0], requires_grad=True)
z = torch.tensor([3.0, 2.0], requires_grad=True)
z1 = z.detach()
z2 = z1 + y
y1 = torch.sum(3 * z2)
y1.backward()
print(z2, z2.requires_grad)
print(y.grad)
print(z2.grad)
print(z1.grad)
assert y.grad.tolist() == [3.0, 3.0]
assert z.grad is None

# %%
# Does ``detach()`` freeze the generator?
# ---------------------------------------
# No, though it is often said. ``z`` still requires a gradient, and a loss that comes
# by another path reaches it. (The original article calls the method ``fetch``; a tensor
# has none of that name.)
torch.sum(2 * z).backward()
assert z.grad.tolist() == [2.0, 2.0]
assert not hasattr(z, "fetch")

# %%
# Why does my generator not learn?
# --------------------------------
# Five steps that people write. With label 0 the discriminator learns to call the fake a
# fake. With label 1 the generator learns to have it called real.
torch.manual_seed(0)
generator = torch.nn.Linear(2, 2)
discriminator = torch.nn.Linear(2, 1)
noise = torch.ones(8, 2)


def reached(*, label, detach, frozen):
    generator.zero_grad()
    discriminator.zero_grad()
    discriminator.requires_grad_(not frozen)
    fake = generator(noise)
    verdict = discriminator(fake.detach() if detach else fake)
    loss = torch.nn.BCEWithLogitsLoss()(verdict, torch.full((8, 1), label))
    loss.backward()
    return [net.weight.grad is not None for net in (generator, discriminator)]


for label, detach, frozen, expected in [
    (0.0, True, False, [False, True]),  # right
    (0.0, False, False, [True, True]),  # one too many, for the generator
    (1.0, True, False, [False, True]),  # the bug: none for the generator
    (1.0, False, False, [True, True]),  # one too many, for the discriminator
    (1.0, False, True, [True, False]),  # right, and the generator's is the same
]:
    before = generator.weight.grad
    result = reached(label=label, detach=detach, frozen=frozen)
    print(f"{label=} {detach=!s:5} {frozen=!s:5} [generator, discriminator]: {result}")
    assert result == expected
assert torch.equal(generator.weight.grad, before)

# %% tags=["hide-input"]
# The two right ones. For the discriminator the path is cut (top). For the generator the
# gradient goes *through* the frozen discriminator (bottom).
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
box = {"s": 1200, "marker": "s", "fc": "none", "lw": 2}
ax.scatter([0, 1, 0], [1, 1, 0], ec="C0", **box)
ax.scatter(1, 0, ec="C1", hatch="////", **box)
ax.scatter([2, 2], [0, 1], ec="C3", **box | {"marker": "D"})
ax.plot([0.15, 0.5, 0.85], [1, 1, 1], "C2--x", markevery=[1], lw=2, ms=12, mew=3)
arrow = {"arrowstyle": "->", "ec": "C3", "lw": 2}
for x, y in [(1, 1), (1, 0), (0, 0)]:
    ax.annotate("", (x + 0.15, y), (x + 0.8, y), arrowprops=arrow)
for place, name in enumerate(("generator", "discriminator", "loss")):
    ax.text(place, 1.3, name, ha="center")
ax.text(0.5, 0.75, "detach()", ha="center")
ax.margins(0.15, 0.35)
ax.axis("off")
plt.show()

# %%
# In the discriminator's step, detach the fake. In the generator's, freeze the
# discriminator (:torch:`Module.requires_grad_ <generated/torch.nn.Module.html>`) and
# unfreeze it afterwards. Either way, call ``zero_grad()`` before each step to clear any
# gradients you didn't need.
#
# Related: :doc:`through_or_blocked`, :doc:`detach_cuts_one_tensor`,
# :doc:`which_one_do_i_need`.
