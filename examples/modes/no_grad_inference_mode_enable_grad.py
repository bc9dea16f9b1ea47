"""
enable_grad() undoes no_grad(), but not inference_mode()
========================================================

Of nested modes the innermost wins, with one exception: inside ``inference_mode()``
nothing is recorded, even where ``torch.is_grad_enabled()`` says True.
"""

# %%
# What does each mode do?
# -----------------------
# Without a mode, autograd records. ``enable_grad()`` turns on what is on already. Under
# ``no_grad()`` the result is an ordinary tensor without a history. Under
# ``inference_mode()`` it is an *inference tensor*.
from itertools import product

import torch

w = torch.ones(2, requires_grad=True)
functions = torch.enable_grad, torch.no_grad, torch.inference_mode
modes = {f"{function.__name__}()": function for function in functions}


def kind(result):
    without = "inference" if result.is_inference() else "constant"
    return "recorded" if result.requires_grad else without


print(f"{'default':18}{kind(w * 2)}")
for name, mode in modes.items():
    with mode():
        print(f"{name:18}{kind(w * 2)}")

# %%
# I forgot ``with``, or the parentheses
# -------------------------------------
# Alone on a line, ``torch.no_grad()`` does nothing. ``set_grad_enabled(False)`` alone
# on a line does switch recording off, until you turn it on again.
torch.no_grad()
assert torch.is_grad_enabled()
torch.set_grad_enabled(False)
assert kind(w * 2) == "constant"
torch.set_grad_enabled(True)
try:
    with torch.no_grad:
        pass
except TypeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a class served as a context manager")

# %%
# Why does ``enable_grad()`` not work inside ``inference_mode()``?
# ----------------------------------------------------------------
# Autograd has two switches. ``enable_grad()``, ``no_grad()`` and ``set_grad_enabled()``
# set *grad mode* alone. ``inference_mode()`` also turns on *inference mode*, and while
# that is on, grad mode has no say. The way out is ``inference_mode(False)``. It turns
# grad mode on as well, so it even undoes a ``no_grad()`` around it.
nested = {}
for outer, inner in product(modes, repeat=2):
    with modes[outer](), modes[inner]():
        nested[outer, inner] = kind(w * 2)
assert nested["no_grad()", "enable_grad()"] == "recorded"
assert nested["inference_mode()", "enable_grad()"] == "inference"
with torch.inference_mode(), torch.enable_grad():
    print(f"{torch.is_grad_enabled()=}, {kind(w * 2)=}")
    assert torch.is_grad_enabled()
for mode in (torch.inference_mode, torch.no_grad):
    with mode(), torch.inference_mode(False):
        assert kind(w * 2) == "recorded"

# %% tags=["hide-input"]
# The same product under an outer mode (row) and an inner one (column). Open: recorded.
# Dashed: without a history. Hatched: an inference tensor, wherever ``inference_mode()``
# is on.
import matplotlib.pyplot as plt

looks = {"recorded": {"ec": "C0"}, "constant": {"ec": "C2", "ls": "--"}}
looks["inference"] = {"ec": "C1", "hatch": "////"}
_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for (outer, inner), result in nested.items():
    left = list(modes).index(inner) - 0.45
    ax.barh(outer, 0.9, 0.75, left, fc="none", lw=2, **looks[result])
ax.set_xticks(range(3), modes)
ax.tick_params(length=0)
ax.set(frame_on=False, xlim=(-0.5, 2.5), xlabel="inner", ylabel="outer")
ax.invert_yaxis()
plt.show()

# %%
# Evaluate under ``no_grad()``, or under the faster ``inference_mode()`` where no result
# comes back to training. Where one piece of code trains and evaluates, use
# ``set_grad_enabled(training)``.
#
# Related: :doc:`/gallery/three-ways/no_grad_stops_recording`,
# :doc:`/gallery/three-ways/which_one_do_i_need`. Source: :torch:`Locally disabling
# gradient computation <notes/autograd.html#locally-disable-grad-doc>`.
