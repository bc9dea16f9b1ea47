"""
Camera poses and Gaussians that don't train: NeRF and 3D Gaussian splatting
===========================================================================

A camera pose gets a gradient only if rays or points are computed from it in *each*
step, with a graph, and if the renderer passes a gradient on to them. Freeze the field
or the splats with ``requires_grad_(False)``, not with ``no_grad()``.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
field = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
field.requires_grad_(False)
pose, points = nn.Parameter(torch.zeros(3)), torch.randn(32, 3)
with torch.no_grad():  # wrong: made once, in the data set or under no_grad()
    rays = points + pose
try:
    field(rays).sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the pose was reached")
field(points + pose).sum().backward()  # right
print(pose.grad is not None)
assert pose.grad.any()

# %%
# Freeze the NeRF and optimize only the camera pose: the whole loop
# -----------------------------------------------------------------
# A pose has six numbers: a rotation vector and a translation. The matrix is computed
# from them in each step, with ``torch.matrix_exp()``. If you optimize the 3 by 4
# matrix itself, it does not stay a rotation: it begins to scale and shear.


def transform(rotation, translation, points):
    zero = torch.zeros(())
    x, y, z = rotation
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    return points @ torch.matrix_exp(skew).T + translation


true_pose = torch.tensor([0.1, -0.2, 0.1]), torch.tensor([0.2, 0.1, -0.1])
wanted = field(transform(*true_pose, points))
rotation, translation = (nn.Parameter(torch.zeros(3)) for _ in range(2))
before = field[0].weight.clone()
optimizer = torch.optim.Adam([rotation, translation], lr=0.02)
losses = []
for _ in range(100):
    loss = (field(transform(rotation, translation, points)) - wanted).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print("the loss is below 1% of the first:", losses[-1] < 0.01 * losses[0])
assert losses[-1] < 0.01 * losses[0]
assert field[0].weight.equal(before)
assert field[0].weight.grad is None

# %%
# If poses *and* scene are trained, all of them can move together without a change of
# the images. Keep one camera fixed, and give the poses a small rate of their own: in
# ``simple_trainer.py`` of `gsplat
# <https://github.com/nerfstudio-project/gsplat/blob/main/examples/simple_trainer.py>`__,
# ``pose_opt_lr`` is ``1e-5``, with a weight decay of ``1e-6``.
#
# ``directions = R @ directions`` in the loop: backward through the graph a second time
# -------------------------------------------------------------------------------------
# The line overwrites the rays, so those of the second step depend on those of the first
# one, whose graph is freed. It also applies the pose again in each step. With a
# translation alone, ``origins = origins + pose``, there is no error, because a sum
# saves nothing: the pose is added twice, then three times, and its gradient is counted
# as often. Keep the rays of the data set as they are, and give the result another name.
# (`A report from nerfstudio
# <https://github.com/nerfstudio-project/nerfstudio/issues/2552>`__.)
origins, directions = torch.randn(2, 32, 3)
rotation, pose = nn.Parameter(torch.eye(3)), nn.Parameter(torch.ones(3))
turned, moved = directions, origins
try:
    for _ in range(2):
        turned = turned @ rotation.T  # wrong
        field(turned).square().sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the first graph was still there")
for _ in range(2):
    turned = directions @ rotation.T  # right
    field(turned).square().sum().backward()
print(message.split(" (", maxsplit=1)[0])
assert message.startswith("Trying to backward through the graph a second time")
for _ in range(3):
    moved = moved + pose  # wrong, without an error
    pose.grad = None
    moved.sum().backward()
print("after 3 steps:", *pose.grad.tolist(), "instead of", len(moved))
torch.testing.assert_close(moved.detach(), origins + 3)
assert pose.grad.tolist() == [3 * len(moved)] * 3

# %%
# A CUDA ray marcher, hash grid or rasterizer: ``pose.grad`` stays None
# ---------------------------------------------------------------------
# Many kernels have a backward for the colours and the features, and none for rays,
# camera or view matrix: it returns None there. Then ``backward()`` runs without an
# error, even if the pose is all that trains, and its ``.grad`` is None. Look into the
# ``backward()`` of the ``torch.autograd.Function``. Either take a renderer with this
# gradient (``gsplat`` has it for ``viewmats``), or move the *scene* by the inverse of
# the pose, in PyTorch, before the kernel: its gradient by the positions exists.
# (`torch-ngp <https://github.com/ashawkey/torch-ngp/issues/119>`__ lacks it, `SplaTAM
# <https://github.com/spla-tam/SplaTAM/issues/28>`__ moves the scene; read, not run.)


class Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, means, colours, camera):
        ctx.save_for_backward(means, colours, camera)
        return ((means - camera).square().sum(1) * colours).sum()

    @staticmethod
    def backward(ctx, gradient):
        means, colours, camera = ctx.saved_tensors
        offset = means - camera
        of_means = gradient * 2 * offset * colours[:, None]
        return of_means, gradient * offset.square().sum(1), None  # none for the camera


means, colours = torch.randn(5, 3), nn.Parameter(torch.rand(5))
camera = nn.Parameter(torch.tensor([0.1, 0.2, 0.3]))
Rasterize.apply(means, colours.detach(), camera).backward()  # wrong
assert camera.grad is None
Rasterize.apply(means, colours, camera).backward()  # wrong
print("camera:", camera.grad, " colours:", colours.grad is not None)
assert camera.grad is None
assert colours.grad is not None
Rasterize.apply(means - camera, colours, torch.zeros(3)).backward()  # right
expected = ((means - camera).square().sum(1) * colours).sum()
(expected,) = torch.autograd.grad(expected, camera)
torch.testing.assert_close(camera.grad, expected)

# %%
# Freeze some Gaussians: ``xyz[mask].requires_grad_(False)`` does not do it
# -------------------------------------------------------------------------
# ``requires_grad`` belongs to the whole parameter. ``xyz[mask]`` is a copy: on it the
# call raises ``you can only change requires_grad flags of leaf variables``, and under
# ``no_grad()`` it does nothing. Setting the rows of ``.grad`` to zero is not enough
# once Adam has seen a gradient: its average goes on moving them. That is also why
# Gaussians that are not in the image of this step move. What holds:
#
# - a frozen tensor and a parameter, joined for each rendering, with ``torch.cat()``,
# - or writing the old rows back after ``step()``,
# - for those outside of the image, an optimizer that updates the visible rows only:
#   ``visible_adam`` of gsplat, ``sparse_adam`` of 3DGS (not run).
#
# Densification and opacity reset write to Gaussians without any gradient: leave the
# frozen ones out of them, too.


def frozen_rows_move(way):
    torch.manual_seed(0)
    xyz, mask = nn.Parameter(torch.randn(6, 3)), torch.arange(6) < 3
    if way == "torch.cat()":
        frozen, xyz = xyz.detach()[mask], nn.Parameter(xyz.detach()[~mask])
    old = xyz.detach().clone()
    optimizer = torch.optim.Adam([xyz], lr=0.01)
    for step in range(3):
        optimizer.zero_grad()
        both = torch.cat([frozen, xyz]) if way == "torch.cat()" else xyz
        both.square().sum().backward()
        if step > 0 and way == "xyz[mask]":
            with torch.no_grad():
                xyz[mask].requires_grad_(False)
        if step > 0 and way == "grad[mask] = 0":
            xyz.grad[mask] = 0
        if step == 0 and way != "torch.cat()":
            optimizer.step()
            old = xyz.detach().clone()
            continue
        optimizer.step()
        if way == "written back":
            with torch.no_grad():
                xyz[mask] = old[mask]
    assert not xyz[-1].equal(old[-1])
    return way != "torch.cat()" and not xyz[mask].equal(old[mask])


moves = {
    way: frozen_rows_move(way)
    for way in ("xyz[mask]", "grad[mask] = 0", "written back", "torch.cat()")
}
for way, value in moves.items():
    print(f"{way:15} the frozen rows move: {value}")
assert list(moves.values()) == [True, True, False, False]
try:
    nn.Parameter(torch.ones(2, 3))[:1].requires_grad_(False)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a result was frozen")
assert "you can only change requires_grad flags of leaf variables" in message

# %%
# ``viewspace_point_tensor.grad`` is None: ``'NoneType' object is not subscriptable``
# -----------------------------------------------------------------------------------
# Densification of 3DGS reads the gradient by the points on the screen,
# ``screenspace_points = torch.zeros_like(xyz, requires_grad=True) + 0``. That is a
# result, so it needs ``retain_grad()``, and the ``try ... except: pass`` around that
# call hides an error. Its gradient is None if
#
# - ``retain_grad()`` was left out,
# - the loss was computed from another rendering than the one whose
#   ``viewspace_points`` you read, as with two cameras or a second ``render()``,
# - the rendering ran under ``no_grad()``, or its output was detached,
# - the rasterizer did not get the tensor as ``means2D``, or returns no gradient for it.


def render(xyz, *, retain=True):
    screenspace_points = torch.zeros_like(xyz, requires_grad=True) + 0
    if retain:
        screenspace_points.retain_grad()
    return (xyz + screenspace_points).square().sum(), screenspace_points


xyz = nn.Parameter(torch.randn(4, 3))
loss, points_2d = render(xyz)
other_points = render(xyz)[1]
loss.backward()
print("right:", points_2d.grad is not None, " other rendering:", other_points.grad)
assert points_2d.grad.any()
try:
    other_points.grad[:, :2]
except TypeError as error:
    print(error)
else:
    raise AssertionError("the other rendering had a gradient")
loss, points_2d = render(xyz, retain=False)
loss.backward()
assert not points_2d.retains_grad

# %%
# ``z_samples.detach()``, ``weights.detach()``: why does NeRF code detach there?
# ------------------------------------------------------------------------------
# - *Positions of the fine samples* (``z_samples.detach()``): the coarse network chooses
#   where to sample, and learns from its own colour loss. Without ``detach()`` it also
#   gets the gradient of the fine loss by the positions.
# - *Weights in a semantic, feature or normal loss* (``weights.detach()``): the labels
#   train the new head, and do not bend the geometry. Leave it out if they should.
# - *Weights of the fine network in the loss of a proposal network* (mip-NeRF 360): the
#   proposal follows them, and not the other way round.
# - *The pose* must not be detached, nor the points that are computed from it.
#
# To train colours alone on a finished geometry, freeze the network of the density. Then
# the gradient by the pose still passes.
density, semantic = nn.Linear(3, 1), nn.Linear(3, 4)
samples, labels = torch.randn(8, 5, 3), torch.arange(8) % 4
for detach in (False, True):
    density.zero_grad()
    semantic.zero_grad()
    weights = density(samples).softmax(1)
    if detach:
        weights = weights.detach()
    logits = (weights * semantic(samples)).sum(1)
    nn.functional.cross_entropy(logits, labels).backward()
    reached = [part.weight.grad is not None for part in (density, semantic)]
    print(f"{detach=!s:5} density, semantic: {reached}")
    assert reached == [not detach, True]

# %%
# Related: :doc:`replacing_parameters` (densification and Adam's state),
# :doc:`/gallery/detach/copying_a_tensor` (rotation matrices),
# :doc:`/gallery/graph/retain_grad`, :doc:`optimise_the_input`.
