"""
``Output 0 of Split is a view and is being modified inplace``
=============================================================

The tensor comes from ``split()``, ``chunk()``, ``unbind()`` or a loop over a tensor,
and is changed by ``+=``, ``relu_()`` or ``inplace=True``. Write ``a = a + 1`` instead
of ``a += 1``.
"""

# %%
import torch

x = torch.ones(4, requires_grad=True)
a, b = (2 * x).chunk(2)
try:
    # Wrong: a is one of several views of the same memory.
    a += 1
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a view of several was changed")
# Right: a new tensor.
a = a + 1
(a * b).sum().backward()
print(x.grad)
assert x.grad.tolist() == [4, 4, 6, 6]

# %%
# ``t.sub_(m)`` in a loop over a tensor
# -------------------------------------
# ``for t, m in zip(image, mean)`` makes views with ``unbind()``. There, ``t = t - m``
# raises no error, but it only renames ``t``: the result is lost, and ``image`` stays as
# it was. Compute on the whole tensor, or collect the results with ``torch.stack()``. If
# you need no gradient, let the loop change ``image.detach().clone()``.
mean, std = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 4.0])
image = torch.full((3, 2, 2), 5.0, requires_grad=True)
try:
    # Wrong: t is one of several views.
    for t, m, s in zip(image, mean, std, strict=True):
        t.sub_(m).div_(s)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a view of several was changed")
assert message.startswith("Output 0 of Unbind")
# Wrong: the results are lost.
for t, m, s in zip(image, mean, std, strict=True):
    t = (t - m) / s  # noqa: PLW2901 (the mistake)
print(image[:, 0, 0].tolist())
assert (image == 5).all()
# Right: the whole tensor, or the results of the loop in a new one.
whole = (image - mean[:, None, None]) / std[:, None, None]
channels = zip(image, mean, std, strict=True)
stacked = torch.stack([(t - m) / s for t, m, s in channels])
print(whole[:, 0, 0].tolist())
assert whole.equal(stacked)
assert whole[:, 0, 0].tolist() == [4, 1.5, 0.5]
stacked.sum().backward()
assert image.grad[:, 0, 0].tolist() == [1, 0.5, 0.25]
copy = image.detach().clone()
for t, m, s in zip(copy, mean, std, strict=True):
    t.sub_(m).div_(s)
assert copy.equal(whole)

# %%
# What else counts, and what does not
# -----------------------------------
# - ``nn.ReLU(inplace=True)``, ``clamp_()`` and the like change in place, too.
# - A slice may be changed: ``h[:2] += 1`` writes into ``h``, and autograd follows.
# - Changing ``h`` itself is allowed, but then ``a`` can't be used: *its base or another
#   view of its base has been modified inplace*.
# - Nothing is raised if no gradient is needed, as behind frozen layers. So the error
#   can come when you unfreeze.
# - If only the value that you write requires a gradient, and the tensor that was split
#   does not, the message begins with ``A view was created in no_grad mode``:
#   :doc:`a_view_was_created_in_no_grad_mode`.
for change in (torch.nn.ReLU(inplace=True), lambda view: view.clamp_(max=1)):
    for view in (torch.split(2 * x, 2)[0], torch.unbind(2 * x.view(2, 2))[0]):
        try:
            change(view)
        except RuntimeError as error:
            message = str(error)
        else:
            raise AssertionError("a view of several was changed")
        assert "is a view and is being modified inplace" in message

h = 2 * x
h[:2] += 1
assert h.tolist() == [3, 3, 2, 2]
h = 2 * x
a, _ = h.chunk(2)
h += 1
try:
    a * 2
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a view of a changed base was used")
assert "its base or another view of its base has been modified inplace" in message

a, _ = torch.zeros(4).chunk(2)
try:
    a += x[:2]
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a view of several was changed")
assert message.startswith("A view was created in no_grad mode")

layer = torch.nn.Linear(2, 4)
for frozen in (True, False):
    a, b = layer.requires_grad_(not frozen)(torch.ones(1, 2)).chunk(2, dim=1)
    try:
        a *= 2
        raises = False
    except RuntimeError:
        raises = True
    print(f"frozen={frozen}: {raises}")
    assert raises != frozen

# %%
# ``Output 0 of BackwardHookFunction``
# ------------------------------------
# The layer has a full backward hook, and the next one works in place, such as
# ``nn.ReLU(inplace=True)``. Set ``inplace`` to False while the hook is there. A custom
# function that returns a view raises the same, with its own name.


def gradient_norms(inplace):
    network = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU(inplace))
    norms = []
    network[0].register_full_backward_hook(
        lambda _module, _inputs, outputs: norms.append(outputs[0].norm().item())
    )
    network(x[None]).sum().backward()
    return norms


try:
    # Wrong: the layer behind the hook writes into its input.
    gradient_norms(inplace=True)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the output of a hooked layer was changed")
# Right: it returns a new tensor.
print(len(gradient_norms(inplace=False)))
assert len(gradient_norms(inplace=False)) == 1


class Flatten(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return x.view(-1)


try:
    Flatten.apply(2 * x).add_(1)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a view of a custom function was changed")
name, _, rest = message.removeprefix("Output 0 of ").partition(" ")
assert name in {"Flatten", "FlattenBackward"}  # the latter up to PyTorch 2.12
assert rest.startswith("is a view and is being modified inplace")

# %%
# Older versions, quoted and not run: ``Output 0 of SplitBackward is a view`` (`SA-SSD
# 98 <https://github.com/skyhehe123/SA-SSD/issues/98>`__, 2022), ``SplitBackward0``
# (`OpenNMT-py 2303 <https://github.com/OpenNMT/OpenNMT-py/issues/2303>`__, 2023). In
# 2020 it was a warning: ``Inplace operators on such views are being deprecated and will
# be forbidden starting from version 1.8`` (`issue 46820
# <https://github.com/pytorch/pytorch/issues/46820>`__).
#
# Read on: :doc:`/gallery/graph/inplace_modified`,
# :doc:`/gallery/modes/hooks_that_fail`.
