"""
detach() and no_grad() are not the same
=======================================

They can give the same numbers. They differ in what still trains, in what autograd
saves, in what forward mode sees, and in how far they reach.
"""

# %%
# Where they agree: two of three terms are cut, once with each.
from concurrent.futures import ThreadPoolExecutor

import torch
from torch.autograd import forward_ad, graph

x = torch.tensor([1.0, 2.0], requires_grad=True)
y1 = x**2
y2 = y1 * 2
y3 = x**5
y2 = y2.detach()
y3 = y3.detach()
y4 = y1 + y2 + y3
print(y1, y1.requires_grad)
print(y2, y2.requires_grad)
print(y3, y3.requires_grad)
print(y4, y4.requires_grad)
y4.backward(torch.ones(y4.shape))
print(x.grad)

y1 = x**2
with torch.no_grad():
    y2 = y1 * 2
    y3 = x**5
(gradient,) = torch.autograd.grad((y1 + y2 + y3).sum(), x)
assert gradient.equal(x.grad)

# %%
# Does the layer still train?
# ---------------------------
# Detach what goes into a layer, and the layer trains. Run the layer under
# ``no_grad()``, and it does not: its own weights are inside the block.
layer = torch.nn.Linear(2, 2)
output = layer(x.detach())
with torch.no_grad():
    output_no_grad = layer(x)
assert output.requires_grad
assert not output_no_grad.requires_grad

# %%
# Does it save memory?
# --------------------
# By the time ``detach()`` runs, autograd has saved three tensors for ``backward()``, so
# the peak is no lower. They are freed once nothing holds the undetached result. Under
# ``no_grad()`` none is saved.
#
# The detached tensor itself costs nothing: it has the memory of ``x``.
saved, saved_no_grad = [], []
with graph.saved_tensors_hooks(saved.append, lambda _: None):
    layer(x).tanh().detach()
with torch.no_grad(), graph.saved_tensors_hooks(saved_no_grad.append, lambda _: None):
    layer(x).tanh()
print(len(saved), len(saved_no_grad))
assert len(saved) == 3
assert not saved_no_grad
assert x.detach().data_ptr() == x.data_ptr()

# %%
# What does forward mode see?
# ---------------------------
# ``detach()`` drops the tangent (:torch:`torch.Tensor.detach`). ``no_grad()`` does not
# apply to forward mode (:torch:`torch.no_grad`).
with forward_ad.dual_level():
    dual = forward_ad.make_dual(torch.ones(2), torch.full((2,), 7.0))
    tangent = forward_ad.unpack_dual((dual * 2).detach()).tangent
    with torch.no_grad():
        tangent_no_grad = forward_ad.unpack_dual(dual * 2).tangent
print(tangent, tangent_no_grad)
assert tangent is None
assert tangent_no_grad.tolist() == [14.0, 14.0]

# %%
# How far does it reach?
# ----------------------
# ``detach()`` reaches one tensor. ``no_grad()`` reaches all that runs in the block, in
# its own thread and in no other.
with torch.no_grad(), ThreadPoolExecutor(1) as other_thread:
    here = x * 2
    elsewhere = other_thread.submit(lambda: x * 2).result()
assert elsewhere.requires_grad
assert not here.requires_grad

# %% tags=["hide-input"]
# Square: present. Cross: absent. ``saved`` is what autograd saved, ``tangent`` what
# forward mode sees. Only ``x.grad`` is the same for both.
import matplotlib.pyplot as plt

square = {"marker": "s", "fc": "none", "ec": "C0"}
cross = {"marker": "x", "c": "C2"}
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for fact, with_detach, with_no_grad in [
    ("x.grad", True, gradient.equal(x.grad)),
    ("layer.weight.grad", output.requires_grad, output_no_grad.requires_grad),
    ("saved", bool(saved), bool(saved_no_grad)),
    ("tangent", tangent is not None, tangent_no_grad is not None),
]:
    ax.scatter("detach()", fact, s=300, lw=2, **square if with_detach else cross)
    ax.scatter("no_grad()", fact, s=300, lw=2, **square if with_no_grad else cross)
ax.margins(0.5, 0.2)
ax.invert_yaxis()
plt.show()

# %%
# Detach the tensor that no gradient may pass. Use ``no_grad()`` where nothing needs a
# gradient at all.
#
# Related: :doc:`no_grad_stops_recording`, :doc:`detach_cuts_one_tensor`,
# :doc:`which_one_do_i_need`.
