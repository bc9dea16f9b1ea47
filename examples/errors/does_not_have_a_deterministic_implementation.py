"""
``does not have a deterministic implementation``
================================================

``torch.use_deterministic_algorithms(True)`` forbids operations whose result can differ
from run to run. ``warn_only=True`` allows them with a warning.
"""

# %%
import warnings

import torch

x, index = torch.zeros(3), torch.tensor([0, 2])
torch.use_deterministic_algorithms(True)
try:
    # Wrong: put_() is not deterministic.
    x.put_(index, torch.ones(2))
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("it was deterministic")
# Right: only warn.
torch.use_deterministic_algorithms(True, warn_only=True)
with warnings.catch_warnings(record=True, action="always") as caught:
    x.put_(index, torch.ones(2))
print(len(caught), x)
assert x.tolist() == [1, 0, 1]
torch.use_deterministic_algorithms(False)

# %%
# upsample_bilinear2d_backward_out_cuda, in backward(): which operations?
# -----------------------------------------------------------------------
# On a GPU it is mostly a ``..._backward_...``, and the error comes from
# ``loss.backward()``. The list is in the documentation of
# :torch:`torch.use_deterministic_algorithms`. In threads it is mostly the backward of
# ``nn.Upsample`` and ``interpolate`` (bilinear, bicubic, trilinear), of
# ``grid_sample``, of adaptive pooling, of ``ReflectionPad`` and of ``CTCLoss``
# (`pytorch 107999 <https://github.com/pytorch/pytorch/issues/107999>`__, `pytorch 83392
# <https://github.com/pytorch/pytorch/issues/83392>`__; not run here, since these errors
# come on GPUs). What helps:
#
# - ``warn_only=True``. The result can then differ in the last digits.
# - A newer PyTorch, for bilinear and trilinear upsampling: ``interpolate`` takes
#   another way if the switch is on in the forward pass (read in 2.13). Or
#   ``mode="nearest"``, or ``ConvTranspose2d``.
# - Switch it off around ``loss.backward()``. Around the forward pass it does not help,
#   because the operation runs in ``backward()``.
# - YOLO: ``deterministic=False``, Lightning: ``Trainer(deterministic="warn")`` (read,
#   not run).


class Upsample(torch.autograd.Function):
    """Like bilinear upsampling on a GPU: only its backward is forbidden."""

    @staticmethod
    def forward(_ctx, x):
        return x.repeat_interleave(2)

    @staticmethod
    def backward(_ctx, gradient):
        result = torch.zeros(len(gradient) // 2)
        return result.put_(torch.arange(len(result)), gradient.view(-1, 2).sum(1))


def raises(switched_off_in, weight):
    torch.use_deterministic_algorithms(switched_off_in != "forward")
    out = Upsample.apply(weight)
    torch.use_deterministic_algorithms(switched_off_in != "backward")
    try:
        out.sum().backward()
    except RuntimeError as error:
        return "does not have a deterministic implementation" in str(error)
    finally:
        torch.use_deterministic_algorithms(False)
    return False


weight = torch.ones(2, requires_grad=True)
found = {where: raises(where, weight) for where in ("nowhere", "forward", "backward")}
print(found)
assert found == {"nowhere": True, "forward": True, "backward": False}

# %%
# It comes only after unfreezing, or only in training
# ---------------------------------------------------
# The backward of the operation runs only if its input requires a gradient. While all
# layers before the upsampling are frozen, nothing is raised. When the first of them is
# unfrozen, the error comes. Under ``no_grad()``, in an evaluation, it never does.


def trains(frozen):
    body, head = (
        torch.ones(2, requires_grad=not frozen),
        torch.ones(4, requires_grad=True),
    )
    torch.use_deterministic_algorithms(True)
    try:
        (Upsample.apply(body) * head).sum().backward()
    except RuntimeError:
        return False
    finally:
        torch.use_deterministic_algorithms(False)
    return head.grad is not None


print(trains(frozen=True), trains(frozen=False))
assert trains(frozen=True)
assert not trains(frozen=False)

# %%
# ``CUBLAS_WORKSPACE_CONFIG=:4096:8`` is asked for by another message of the same
# switch: set it before the process starts (read, not run).
#
# Read on: :doc:`/gallery/still-moves/dropout_is_not_a_gradient`.
