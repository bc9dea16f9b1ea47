"""
torch.tensor(t) cuts the gradient, torch.asarray(t) can freeze t
================================================================

For a copy without a gradient, write ``t.detach().clone()``. For a copy through which
the gradient passes, write ``t.clone()``.
"""

# %%
# "To copy construct from a tensor, it is recommended to use ..."
# ---------------------------------------------------------------
# ``torch.tensor(t)`` cuts the graph: here, ``backbone`` gets no gradient.
import torch

torch.manual_seed(0)
backbone, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
features = backbone(torch.ones(1, 2))
wrong = torch.tensor(features)
head(wrong).sum().backward()
print("torch.tensor(t):", backbone.weight.grad)
assert backbone.weight.grad is None
right = features.clone()
head(right).sum().backward()
print("t.clone():", backbone.weight.grad)
assert backbone.weight.grad.any()

# %%
# Does ``requires_grad=True`` help?
# ---------------------------------
# No. The copy is a new leaf: the gradient ends in its ``.grad``. What ``torch.tensor``
# returns is equal to ``t.detach().clone()`` (:torch:`torch.tensor`).
backbone.zero_grad()
leaf = torch.tensor(features, requires_grad=True)
head(leaf).sum().backward()
assert leaf.grad is not None
assert backbone.weight.grad is None
same = features.detach().clone()
assert wrong.equal(same)
assert not wrong.requires_grad
assert wrong.stride() == same.stride()

# %%
# Which function copies, and which cuts?
# --------------------------------------
# ``new_tensor`` cuts and copies as ``torch.tensor`` does, but it converts to the dtype
# and the device of the tensor whose method it is. ``as_tensor`` returns the tensor
# itself, or a recorded copy if the dtype or device must change. ``asarray`` does what
# its arguments say. Without ``requires_grad``, the gradient passes, and a warning says
# so (:since:`2.12`; before, ``asarray`` cut it and gave no warning).
copies = {
    "torch.tensor(t)": wrong,
    "t.new_tensor(t)": features.new_tensor(features),
    "as_tensor(t)": torch.as_tensor(features),
    "as_tensor(t, dtype=float64)": torch.as_tensor(features, dtype=torch.float64),
    "asarray(t)": torch.asarray(features),
    "asarray(t, copy=True)": torch.asarray(features, copy=True),
    "asarray(t, requires_grad=False)": torch.asarray(features, requires_grad=False),
}
shared = {way: copy.data_ptr() == features.data_ptr() for way, copy in copies.items()}
recorded = {way: copy.grad_fn is not None for way, copy in copies.items()}
assert list(shared.values()) == [False, False, True, False, True, False, True]
needs = "before PyTorch 2.12, asarray cuts the gradient"
assert list(recorded.values()) == [False, False, True, True, True, True, False], needs
assert copies["as_tensor(t)"] is features
assert copies["asarray(t)"] is features
assert features.requires_grad
double = torch.ones(1, dtype=torch.float64)
assert features.new_tensor(double).dtype == torch.float32

# %% tags=["hide-input"]
# Left: ``t``. Right: the result. One long band: one memory. Two squares: a copy. An
# arrow is a gradient that gets back to ``t``, a dashed line with a cross is a cut.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for y, way in enumerate(copies):
    for band in [[0, 1]] if shared[way] else [[0, 0], [1, 1]]:
        ax.plot(band, [y, y], "s-", c="lightgray", lw=20, ms=20, mew=0)
    if recorded[way]:
        ax.annotate("", (0, y), (1, y), arrowprops={"arrowstyle": "->", "lw": 2})
    else:
        ax.plot([0, 0.5, 1], [y, y, y], "C2--x", markevery=[1], lw=2, ms=10, mew=3)
ax.set_yticks(range(len(copies)), copies)
ax.set_xticks([])
ax.tick_params(length=0)
ax.set_frame_on(False)
ax.margins(0.15)
ax.invert_yaxis()
plt.show()

# %%
# Do ``.cpu()``, ``.cuda()`` and ``.to(device)`` cut the graph?
# -------------------------------------------------------------
# No. Moving a tensor is differentiable: if the loss is computed on the CPU, the
# gradient goes back to the GPU, also with ``loss.cuda()`` after it. The same holds for
# ``.float()``, ``.half()`` and ``.double()``. What cuts is ``.detach()``, ``.data``,
# ``.numpy()``, ``.item()``, ``.tolist()``, ``torch.tensor()`` and a conversion to
# integers. ``meta`` stands for another device here.
output = backbone(torch.ones(1, 2))
for moved in (output.cpu(), output.to("meta"), output.double(), output.half()):
    assert moved.requires_grad
for left in (output.detach(), output.data, output.int(), output > 0):
    assert not left.requires_grad
backbone.zero_grad()
loss = output.cpu().double().square().sum().float()
loss.backward()
print(output.to("meta").grad_fn.name(), backbone.weight.grad is not None)
assert backbone.weight.grad.any()

# %%
# With a leaf, look for the gradient in the right place: what ``.to()`` returns for
# another device or dtype is not a leaf, and the gradient is in the ``.grad`` of the
# original. Call ``requires_grad_()`` after moving an input. The parameters that
# ``module.to()`` moves stay leaves.
original = torch.ones(2, requires_grad=True)
moved = original.to(torch.float64)
moved.sum().backward()
assert not moved.is_leaf
assert original.grad.tolist() == [1, 1]
assert all(p.is_leaf for p in torch.nn.Linear(2, 1).to("meta").parameters())

# %%
# How asarray freezes a weight
# ----------------------------
# The warning advises ``requires_grad=False``. On a result, that detaches. On a leaf,
# ``asarray`` returns the leaf itself and sets its ``requires_grad``: False freezes your
# weight, and True makes your data require a gradient
# (`issue 170819 <https://github.com/pytorch/pytorch/issues/170819>`_). Detach first.
array = torch.asarray(head.weight, requires_grad=False)
print(array is head.weight, head.weight.requires_grad)
assert array is head.weight
assert not head.weight.requires_grad
data = torch.ones(2)
assert torch.asarray(data, requires_grad=True) is data
assert data.requires_grad

head.requires_grad_(True)
array = torch.asarray(head.weight.detach())
assert array.data_ptr() == head.weight.data_ptr()
assert not array.requires_grad
assert head.weight.requires_grad

# %%
# Rotation matrix: ``theta.grad`` is None after ``torch.tensor([[cos, -sin], ...])``
# ----------------------------------------------------------------------------------
# ``torch.tensor`` reads numbers, from tensors in a list as well, and so do
# ``torch.Tensor`` and ``torch.FloatTensor``. With ``requires_grad=True`` the matrix is
# a new leaf, and ``theta`` still gets no gradient. Put the elements together with
# ``torch.stack``, or assign them to elements of a tensor of zeros: both are recorded.
# The same holds for affine and camera matrices, quaternions, polynomials and any other
# tensor that is made of learned numbers.
theta = torch.tensor(0.5, requires_grad=True)
cos, sin = theta.cos(), theta.sin()
for wrong in (
    torch.tensor([[cos, -sin], [sin, cos]], requires_grad=True),
    torch.Tensor([[cos, -sin], [sin, cos]]).requires_grad_(),
    torch.FloatTensor([[cos, -sin], [sin, cos]]).requires_grad_(),
):
    wrong.sum().backward()
    assert wrong.grad is not None
    assert theta.grad is None
stacked = torch.stack([cos, -sin, sin, cos]).reshape(2, 2)  # right
filled = torch.zeros(2, 2)
filled[0, 0], filled[0, 1], filled[1, 0], filled[1, 1] = cos, -sin, sin, cos  # right
for matrix in (stacked, filled):
    (gradient,) = torch.autograd.grad(matrix.sum(), theta, retain_graph=True)
    print(matrix.grad_fn.name(), gradient)
    assert matrix.equal(wrong)
    assert torch.allclose(gradient, -2 * sin)

# %%
# A batch of angles, of shape ``(N,)``, gives matrices of shape ``(N, 2, 2)`` with
# ``dim=-1``. And make the matrix in ``forward()``. If ``__init__()`` computes it from
# the parameter, it keeps its first value, and the second ``backward()`` raises ``Trying
# to backward through the graph a second time``.


def rotations(angles):
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos, -sin, sin, cos], dim=-1).reshape(-1, 2, 2)


class Rotation(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.angle = torch.nn.Parameter(torch.tensor([0.5]))
        self.made_once = rotations(self.angle)  # wrong

    def forward(self, x):
        return x @ rotations(self.angle)[0].T  # right


module, points = Rotation(), torch.ones(3, 2)
for _ in range(2):
    module(points).square().sum().backward()
assert module.angle.grad is not None
assert rotations(torch.zeros(4)).equal(torch.eye(2).expand(4, 2, 2))
(points @ module.made_once[0].T).sum().backward()
try:
    (points @ module.made_once[0].T).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the matrix of __init__() was used twice")
assert "backward through the graph a second time" in message

# %%
# Where it ends
# -------------
# ``asarray`` does not change the leaf if it has to copy: with ``copy=True``, or for
# another dtype. From a list of tensors, ``as_tensor`` makes a tensor without a graph,
# as ``torch.tensor`` does: to let the gradients pass, use ``torch.stack``.
for change in ({"copy": True}, {"dtype": torch.float64}):
    assert not torch.asarray(head.weight, requires_grad=False, **change).requires_grad
    assert head.weight.requires_grad
losses = [head(features).sum(), head(features).mean()]
assert torch.tensor(losses).grad_fn is None
assert torch.as_tensor(losses).grad_fn is None
assert torch.stack(losses).grad_fn is not None

# %%
# Write ``t.to(torch.float64)`` to convert: the gradient passes. Keep ``torch.tensor``
# for lists and numbers.
#
# Related: :doc:`clone_and_detach`, :doc:`logging_a_loss`,
# :doc:`/gallery/three-ways/freeze_before_or_after_the_optimizer`.
