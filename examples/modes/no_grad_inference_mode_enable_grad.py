"""
enable_grad() undoes no_grad(), but not inference_mode()
========================================================

The innermost mode decides whether an operation is recorded, with one exception:
``enable_grad()`` has no effect inside ``inference_mode()``. There, use
``inference_mode(False)``.
"""

# %%
import torch

w = torch.ones(2, requires_grad=True)
with torch.no_grad(), torch.enable_grad():
    print("no_grad, enable_grad:", (w * 2).requires_grad)
    assert (w * 2).requires_grad
with torch.inference_mode(), torch.enable_grad():
    print("inference_mode, enable_grad:", (w * 2).requires_grad)
    assert torch.is_grad_enabled()
    assert not (w * 2).requires_grad
with torch.inference_mode(), torch.inference_mode(False):
    print("inference_mode, (False):", (w * 2).requires_grad)
    assert (w * 2).requires_grad

# %%
# What does each mode do?
# -----------------------
# Without a mode, autograd records this product, and ``enable_grad()`` changes nothing.
# Under ``no_grad()`` the product is an ordinary tensor without a history. Under
# ``inference_mode()`` it is an *inference tensor*: it has no version counter either.
from itertools import product

functions = torch.enable_grad, torch.no_grad, torch.inference_mode
modes = {f"{function.__name__}()": function for function in functions}


def kind(result):
    without = "inference" if result.is_inference() else "constant"
    return "recorded" if result.requires_grad else without


print(f"{'default':18}{kind(w * 2)}")
for name, mode in modes.items():
    with mode():
        print(f"{name:18}{kind(w * 2)}")
assert kind(w * 2) == "recorded"

# %%
# Why does ``enable_grad()`` not work inside ``inference_mode()``?
# ----------------------------------------------------------------
# Autograd has two switches. ``enable_grad()``, ``no_grad()`` and ``set_grad_enabled()``
# set *grad mode* alone. ``inference_mode()`` also turns on *inference mode*, and while
# that is on, setting grad mode has no effect. ``inference_mode(False)`` turns inference
# mode off and grad mode on, so it also undoes a ``no_grad()`` around it.
nested = {}
for outer, inner in product(modes, repeat=2):
    with modes[outer](), modes[inner]():
        nested[outer, inner] = kind(w * 2)
assert nested["no_grad()", "enable_grad()"] == "recorded"
assert nested["inference_mode()", "enable_grad()"] == "inference"
with torch.no_grad(), torch.inference_mode(False):
    assert kind(w * 2) == "recorded"

# %% tags=["hide-input"]
# The same product under an outer mode (row) and an inner one (column). Open: recorded.
# Dashed: without a history. Hatched: an inference tensor, in each field with
# ``inference_mode()``.
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
# no_grad() or inference_mode(): which is faster, and which needs less memory?
# ----------------------------------------------------------------------------
# In both, autograd saves nothing for a backward pass, and that is what takes memory: it
# is the same for both. ``inference_mode()`` also leaves out the version counters and
# the tracking of views. That is a little time for each operation, which you may notice
# with many small ones on the CPU, and hardly with large ones on a GPU. Measure it.
#
# The results are the same numbers. Use ``no_grad()`` if a result comes back to
# training: features that you cache, targets of a teacher, a rollout, a buffer or a
# cache that a module fills in its first forward. From ``inference_mode()`` these raise
# an error later: :doc:`inference_tensors_bite_later`. Neither of the two calls
# ``eval()``.
model = torch.nn.Sequential(
    torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
)
counts, outputs = [], []
for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
    saved = []
    with mode(), torch.autograd.graph.saved_tensors_hooks(saved.append, id):
        outputs.append(model(torch.ones(3, 2)))
    counts.append(len(saved))
    print(f"{mode.__name__:15} saved tensors: {len(saved)}")
assert counts[0] > counts[1] == counts[2] == 0
assert outputs[1].equal(outputs[2])
assert model.training

# %%
# I forgot ``with``, or the parentheses
# -------------------------------------
# Alone on a line, ``torch.no_grad()`` does nothing. ``set_grad_enabled(False)`` alone
# on a line does switch recording off, until you turn it on again or leave the block of
# a grad mode around it. The end of another block, such as autocast, does not.
torch.no_grad()
assert torch.is_grad_enabled()
torch.set_grad_enabled(False)
assert kind(w * 2) == "constant"
torch.set_grad_enabled(True)
with torch.no_grad():
    torch.set_grad_enabled(True)
    torch.set_grad_enabled(False)
assert torch.is_grad_enabled()
with torch.autocast("cpu"):
    torch.set_grad_enabled(False)
assert not torch.is_grad_enabled()
torch.set_grad_enabled(True)
try:
    with torch.no_grad:
        pass
except TypeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("a class served as a context manager")

# %%
# Training breaks after loading another model: ``torch.hub.load``, an import
# --------------------------------------------------------------------------
# ``loss.backward()`` worked, then you load a second model, and it raises ``element 0 of
# tensors does not require grad``, although all parameters require a gradient. Print
# ``torch.is_grad_enabled()`` after the load. If it is False, the code that you called
# has a ``torch.set_grad_enabled(False)`` alone on a line, and recording stays off in
# your thread. Call ``torch.set_grad_enabled(True)`` after the load, or load inside
# ``with torch.enable_grad():``, which restores the mode at its end. If the other model
# switches recording off in each forward, put the same ``with`` around its call. To find
# the line, print ``is_grad_enabled()`` after each import and each call. In a package of
# your own, use ``no_grad()`` as a context or a decorator.
#
# silero-vad did so when it loaded its model, which broke `a training like this
# <https://github.com/snakers4/silero-vad/issues/192>`__, until `a pull request of June
# 2024 <https://github.com/snakers4/silero-vad/pull/467>`__ (read, not run).
import threading


def load():  # somebody else's code
    torch.set_grad_enabled(False)
    return torch.nn.Linear(2, 2).eval()


other = load()
enabled, of_thread = [torch.is_grad_enabled()], []
thread = threading.Thread(target=lambda: of_thread.append(torch.is_grad_enabled()))
thread.start()
thread.join()
try:
    model(torch.ones(3, 2)).sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the loss had a graph")
torch.set_grad_enabled(True)
with torch.enable_grad():
    other = load()
enabled.append(torch.is_grad_enabled())
print(enabled, of_thread)
assert enabled == [False, True]
assert of_thread == [True]
assert all(p.requires_grad for p in [*model.parameters(), *other.parameters()])
model(torch.ones(3, 2)).sum().backward()

# %%
# Where it ends
# -------------
# - A view of an ordinary tensor is an ordinary tensor, even under ``inference_mode()``.
#   So is the result of an in-place operation on it.
# - ``create_graph=True`` turns grad mode on for the backward pass. The gradient then
#   has a history under ``no_grad()``, but not under ``inference_mode()``.
# - ``torch.func.grad`` inside a mode computes its gradient under both (:since:`2.12`;
#   before, it gave zeros under ``inference_mode()``).
for mode, kind_of_gradient in (
    (torch.no_grad, "recorded"),
    (torch.inference_mode, "inference"),
):
    cube = (w**3).sum()
    with mode():
        assert not w[:1].is_inference()
        (gradient,) = torch.autograd.grad(cube, w, create_graph=True)
        assert kind(gradient) == kind_of_gradient
        of_square = torch.func.grad(lambda v: (v**2).sum())(torch.ones(2))
        assert of_square.any(), "before PyTorch 2.12, zeros under inference_mode()"
        assert of_square.tolist() == [2.0, 2.0]
x = torch.ones(2)
with torch.inference_mode():
    assert not x.mul_(2).is_inference()

# %%
# Evaluate under ``no_grad()``. Use ``inference_mode()``, which also leaves out the
# version counters, where no result comes back to training. Where one piece of code
# trains and evaluates, use ``set_grad_enabled(training)``.
with torch.no_grad():
    assert (w * 2)._version == 0
with torch.inference_mode():
    try:
        (w * 2)._version
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("an inference tensor has a version counter")
assert "do not track version counter" in message

# %%
# Related: :doc:`/gallery/three-ways/no_grad_stops_recording`,
# :doc:`inference_tensors_bite_later`,
# :doc:`/gallery/three-ways/which_one_do_i_need`. Source: :torch:`Locally disabling
# gradient computation <notes/autograd.html#locally-disable-grad-doc>`.
