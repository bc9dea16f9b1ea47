"""
model.requires_grad = False freezes nothing, without an error
=============================================================

The line makes a new attribute, which autograd does not read. The same goes for a typo
such as ``p.require_grad``. To freeze, call the method ``requires_grad_(False)``.
"""

# %%
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))
model.requires_grad = False
print("wrong:", [p.requires_grad for p in model.parameters()])
assert all(p.requires_grad for p in model.parameters())

model.requires_grad_(False)
print("right:", [p.requires_grad for p in model.parameters()])
assert not any(p.requires_grad for p in model.parameters())

# %%
# Why is there no error?
# ----------------------
# A tensor has a property named ``requires_grad``. A module has only the method
# ``requires_grad_()``, with an underscore at its end. So the wrong line gives the
# module a plain attribute, as Python allows, which even reads back as False.
assert isinstance(torch.Tensor.requires_grad, type(torch.Tensor.is_leaf))
assert not hasattr(nn.Module, "requires_grad")
assert vars(model)["requires_grad"] is False

# %%
# Which spellings freeze, and which only look like it?
# ----------------------------------------------------
# Each line runs on a new model. A line with ``p`` runs for each ``p`` of
# ``model.parameters()``. Some lines differ from the right one by a letter. ``==``
# compares. ``p.data``, ``p.detach()`` and ``state_dict()`` return another tensor, with
# its own ``requires_grad``. ``eval()`` is for layers such as dropout and batch norm.
lines = [
    "model.requires_grad_(False)",
    "p.requires_grad = False",
    "p.requires_grad_(False)",
    "model.requires_grad = False",
    "model[0].requires_grad = False",
    "p.require_grad = False",
    "p.required_grad = False",
    "p.requires_grad == False",
    "p.requires_grad_ = False",
    "p.data.requires_grad = False",
    "p.detach().requires_grad_(False)",
    "model.state_dict()['0.bias'].requires_grad = False",
    "model.eval()",
]
frozen = {}
for line in lines:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))
    for p in model.parameters():  # noqa: B007 (the line uses it)
        exec(line)  # noqa: S102 (it is one of the lines above)
    frozen[line] = [not p.requires_grad for p in model.parameters()]
    print(f"{sum(frozen[line])} of 4  {line}")
assert [sum(flags) for flags in frozen.values()] == [4] * 3 + [0] * 10

# %% tags=["hide-input"]
# How many of the four parameters each line freezes. The three at the top work.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for line, flags in frozen.items():
    works = all(flags)
    look = {"fc": "none", "ec": "C1", "hatch": "////"} if works else {"color": "C2"}
    ax.barh(line, sum(flags), lw=2, **look)
    if not works:
        ax.plot(0.1, line, "C2x", ms=8, mew=2)
ax.set(xlabel="frozen", xticks=range(5))
ax.invert_yaxis()
plt.show()

# %%
# layer.trainable = False, stop_gradient, freeze(): what it is called in PyTorch
# ------------------------------------------------------------------------------
# A line from another framework raises no error, either: a module takes any attribute.
#
# - Keras ``layer.trainable = False``: ``layer.requires_grad_(False)``. In Keras this
#   also switches batch norm to inference. Here ``layer.eval()`` does that:
#   :doc:`/gallery/still-moves/frozen_batch_norm_still_moves`.
# - PaddlePaddle ``p.stop_gradient = True``: ``p.requires_grad_(False)``, with the
#   opposite value. In MindSpore it is ``p.requires_grad = False``, as here.
# - TensorFlow ``tf.stop_gradient(x)``, JAX ``jax.lax.stop_gradient(x)``:
#   ``x.detach()``. In JAX, optax leaves parameters out by ``optax.set_to_zero``.
# - MLX ``module.freeze()``: ``module.requires_grad_(False)``. fastai ``learn.freeze()``
#   does this to all layer groups but the last, and leaves out their batch norm.
# - Lightning: only a ``LightningModule`` has ``freeze()``, which also calls ``eval()``.
net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
net.trainable = net[0].trainable = False
net[0].stop_gradient = net[0].weight.stop_gradient = True
print("wrong:", [p.requires_grad for p in net.parameters()])
assert all(p.requires_grad for p in net.parameters())
assert not hasattr(net, "freeze")
net.requires_grad_(False).eval()
print("right:", [p.requires_grad for p in net.parameters()])
assert not any(p.requires_grad for p in net.parameters())
assert not net[1].training

# %%
# ``for p in params: p.requires_grad = False`` has no effect: the generator is used up
# ------------------------------------------------------------------------------------
# ``model.parameters()``, ``filter()`` and ``itertools.chain()`` can be read once. If
# the optimizer has read ``params``, the loop afterwards runs over nothing, without an
# error. Make a list of it. This is a line of SAC and TD3 code: ``q_params =
# itertools.chain(q1.parameters(), q2.parameters())``. There, freezing the critics only
# saves time: in the actor's step only the actor's optimizer steps, and the gradients of
# the critics are cleared before their own. To freeze a module, call
# ``requires_grad_(False)`` on it, and no list is needed.
import itertools

q1, q2 = nn.Linear(4, 1), nn.Linear(4, 1)
for collect in (iter, list):  # wrong, right
    q_params = collect(itertools.chain(q1.parameters(), q2.parameters()))
    torch.optim.Adam(q_params)
    for p in q_params:
        p.requires_grad = False
    still = [p.requires_grad for p in (*q1.parameters(), *q2.parameters())]
    print(f"{collect.__name__:5}", still)
    assert still == [collect is iter] * 4

# %%
# 'bool' object is not callable
# -----------------------------
# ``requires_grad_ = False`` freezes nothing and hides the method, on a parameter and on
# a module. The next call of ``requires_grad_(False)`` fails. ``del`` brings it back.
for owner in (model, model[0].weight):
    owner.requires_grad_ = False
    try:
        owner.requires_grad_(False)
    except TypeError as error:
        message = str(error)
    else:
        raise AssertionError("the method is still there")
    assert message == "'bool' object is not callable"
    assert model[0].weight.requires_grad
    del owner.requires_grad_
model.requires_grad_(False)
assert not model[0].weight.requires_grad

# %%
# Where it ends
# -------------
# Two neighbours of these lines behave otherwise. ``state_dict(keep_vars=True)`` returns
# the parameters themselves, so a line with it freezes. ``model.parameters()`` is a
# generator, to which Python adds no attribute, so a line with it raises an error.
model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))
model.state_dict(keep_vars=True)["0.bias"].requires_grad = False
print([name for name, p in model.named_parameters() if not p.requires_grad])
assert not model[0].bias.requires_grad
try:
    model.parameters().requires_grad = False
except AttributeError as error:
    message = str(error)
else:
    raise AssertionError("a generator has attributes")
assert "generator" in message

# %%
# After freezing, print the names of the parameters that still require a gradient.
# Source: ``requires_grad_`` in :torch:`torch.nn.Module`.
#
# Related: :doc:`freeze_by_name`, :doc:`did_my_freeze_work`,
# :doc:`/gallery/three-ways/filter_parameters_into_the_optimizer`.
