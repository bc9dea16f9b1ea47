"""
Modified by an inplace operation: only if the value was saved
=============================================================

Not every change in place is an error. Autograd complains if the value that you wrote
over is one that a gradient needs, and only then.
"""

# %%
# The error
# ---------
# ``exp`` saves its result, since that is its own derivative. Writing to the result
# spoils it.
import torch
from torch import nn

x = torch.ones(3, requires_grad=True)
y = x.exp()
y.add_(1)
try:
    y.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("exp did not need its result")

# %%
# How does it know? Each tensor counts the writes to its memory, and a node notes the
# count when it saves.
print(y._version)
assert y._version == 1

# %%
# Are changes in place forbidden?
# -------------------------------
# It is often said. Multiplying by a number saves the number, ``sin`` saves its input,
# ``relu`` saves its result. So the same ``add_`` on the result is fine after the first
# two and an error after the third.
operations = {
    "x * 2": lambda x: x * 2,
    "x + 1": lambda x: x + 1,
    "x.sin()": torch.sin,
    "x.exp()": torch.exp,
    "x.relu()": torch.relu,
    "x.sigmoid()": torch.sigmoid,
}
fails = {}
for code, operation in operations.items():
    result = operation(x)
    result.add_(1)
    try:
        result.sum().backward()
    except RuntimeError:
        fails[code] = True
    else:
        fails[code] = False
    print(f"{code:12}", "error" if fails[code] else "ok")
assert [code for code in fails if fails[code]] == ["x.exp()", "x.relu()", "x.sigmoid()"]

# %%
# I change nothing in place, why the error?
# -----------------------------------------
# ``optimizer.step()`` does: it writes to the weights. A backward through a forward from
# before ``step()`` needs the old ones. Run the forward again, or step after both
# backwards. ``AsStrided`` is the transposed weight, which a linear layer saves.
head = nn.Linear(3, 1)
optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
score = head(x).sum()
score.backward(retain_graph=True)
optimizer.step()
try:
    score.square().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("step() did not write to the weights")

# %%
# Which line was it?
# ------------------
# The message has no line. ``set_detect_anomaly`` has one: it records where each
# operation was called, and warns with the call whose backward failed. It is slow, so
# switch it on for the search only.
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with torch.autograd.set_detect_anomaly(True):
        y = x + 1
        loss = y.square().sum()
        y.mul_(2)
        try:
            loss.backward()
        except RuntimeError as error:
            message = str(error)
        else:
            raise AssertionError("square did not need its input")
traceback = str(caught[-1].message).splitlines()
(line,) = [line.strip() for line in traceback if "square" in line]
print(line)
assert line == "loss = y.square().sum()"
assert "output 0 of Mul" in message

# %%
# That line saved its input or its result, and something below it wrote there. Look for
# a name that ends in an underscore, ``+=``, ``y[0] = ...``, ``inplace=True``, and
# ``optimizer.step()``. If it saved an input, the message names the write: this one says
# ``output 0 of Mul``, for ``mul_``.

# %% tags=["hide-input"]
# Square: ``add_(1)`` on the result of this operation is fine. Cross: the operation had
# saved its result, and ``backward()`` raises.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
for code, failed in fails.items():
    square = {"marker": "s", "fc": "none", "ec": "C0"}
    look = {"marker": "x", "c": "C2"} if failed else square
    ax.scatter(code, "RuntimeError" if failed else "ok", s=200, lw=2, **look)
ax.margins(0.12, 0.5)
plt.show()

# %%
# Write ``y = y + 1`` in place of ``y += 1``, or ``clone()`` before you write. Don't
# write through ``.data``: it counts no write, and the gradient is wrong without an
# error.
#
# Related: :doc:`backward_twice`, :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
# Source: :torch:`Autograd mechanics
# <notes/autograd.html#in-place-operations-with-autograd>`.
