"""
``cannot register a hook on a tensor that doesn't require gradient``
====================================================================

The tensor gets no gradient: everything before it is frozen, or it was computed under
``no_grad()``. Let the input of the frozen network require a gradient. In an evaluation,
register the hook only ``if output.requires_grad``.
"""

# %%
import torch
from torch import nn

frozen = nn.Linear(2, 2).requires_grad_(False)
gradients = []
try:
    # Wrong: neither the layer nor its input requires a gradient.
    frozen(torch.ones(1, 2)).register_hook(gradients.append)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the output requires a gradient")
# Right: the input requires one.
output = frozen(torch.ones(1, 2).requires_grad_())
output.register_hook(gradients.append)
output.sum().backward()
print(gradients)
assert gradients[0].tolist() == [[1, 1]]

# %%
# GradCAM does not work with a frozen backbone
# --------------------------------------------
# Grad-CAM needs the gradient of the feature maps, and none of a weight, so the backbone
# may stay frozen. Let the image require a gradient, also for a finished tool, and ask
# ``autograd.grad`` for the maps alone: no ``.grad`` is written, and the result is that
# of a network that is not frozen.


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
        self.head = nn.Linear(2, 3)

    def forward(self, image):
        return self.head(self.features(image).mean((2, 3)))


def grad_cam(model, image, target):
    maps = []
    hook = model.features.register_forward_hook(lambda *args: maps.append(args[2]))
    try:
        scores = model(image.detach().requires_grad_())
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(scores[0, target], maps)
    weights = gradient.mean((2, 3), keepdim=True)
    return (weights * maps[0].detach()).sum(1).relu()


torch.manual_seed(0)
model, image = Network().eval(), torch.rand(1, 1, 6, 6)
trainable = grad_cam(model, image, target=1)
frozen = grad_cam(model.requires_grad_(False), image, target=1)
print(frozen.shape, frozen.equal(trainable))
assert frozen.any()
assert frozen.equal(trainable)
assert image.grad is None

# %%
# Under ``no_grad()``, ``requires_grad_()`` of the image does not help, because nothing
# is recorded. Switch recording on for this call with ``enable_grad()``.
with torch.no_grad():
    assert not model(image.requires_grad_()).requires_grad
    with torch.enable_grad():
        assert grad_cam(model, image, target=1).equal(trainable)

# %%
# It runs alone, but not in a ComfyUI node or a server: ``inference_mode()``
# --------------------------------------------------------------------------
# Such a program calls your code under ``torch.inference_mode()`` (`reported for ComfyUI
# <https://github.com/Comfy-Org/ComfyUI/issues/4246>`__, not run). ``enable_grad()``
# does not undo that. Write ``with torch.inference_mode(False):`` around your code,
# which records again, and do three things inside it:
#
# - ``clone()`` the image. What comes from outside is an inference tensor.
# - Load the model there. If it was loaded outside, its weights are inference tensors,
#   too, and the next error is :doc:`inference_tensors_cannot_be_saved_for_backward`. A
#   ``copy.deepcopy()`` inside gives ordinary weights, which ``requires_grad_()`` does
#   not.
# - ``detach()`` what you return.
import copy

with torch.inference_mode():
    image, loaded_outside = image.detach() * 1, Network().eval()
    # Wrong: enable_grad().
    with torch.enable_grad():
        assert not model(image).requires_grad
    with torch.inference_mode(False):
        # Right: the image is cloned, and the model was loaded outside of the mode.
        assert grad_cam(model, image.clone(), target=1).equal(trainable)
        # Wrong: the weights are inference tensors.
        try:
            grad_cam(loaded_outside, image.clone(), target=1)
        except RuntimeError as error:
            message = str(error)
        else:
            raise AssertionError("inference tensors were saved")
        # Right: a deep copy inside.
        copied = copy.deepcopy(loaded_outside)
        copied.load_state_dict(model.state_dict())
        print(message)
        print(grad_cam(copied, image.clone(), target=1).equal(trainable))
        assert grad_cam(copied, image.clone(), target=1).equal(trainable)
assert message.startswith("Inference tensors cannot be saved for backward")


# %%
# A forward hook that registers a hook
# ------------------------------------
# It stays on the model, and the next evaluation under ``no_grad()`` raises the error.
# Ask for ``requires_grad`` first, or remove the forward hook when the picture is done.


def unconditional(_module, _inputs, output):
    output.register_hook(gradients.append)


def conditional(_module, _inputs, output):
    if output.requires_grad:
        output.register_hook(gradients.append)


layer = nn.Linear(2, 2)
for hook in (unconditional, conditional):
    handle = layer.register_forward_hook(hook)
    layer(torch.ones(1, 2))
    try:
        with torch.no_grad():
            layer(torch.ones(1, 2))
        outcome = "works"
    except RuntimeError as error:
        outcome = str(error)[:22]
    handle.remove()
    print(f"{hook.__name__}: {outcome}")
    assert (outcome == "works") == (hook is conditional)

# %%
# - ``register_post_accumulate_grad_hook`` raises the same text for a frozen parameter,
#   and ``post accumulate grad hooks cannot be registered on non-leaf tensors`` for a
#   result.
# - Parameters that were frozen *after* the hook was registered raise nothing. In later
#   forward passes the hook does not run. If the forward pass came before the freezing,
#   it runs, although ``.grad`` stays None.
try:
    torch.ones(2).register_post_accumulate_grad_hook(print)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a tensor without a gradient took a hook")
assert message == "cannot register a hook on a tensor that doesn't require gradient"
try:
    layer(torch.ones(1, 2)).register_post_accumulate_grad_hook(print)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a result took a hook that only leaves have")
assert message.endswith("cannot be registered on non-leaf tensors")
ran = []
layer.weight.register_hook(ran.append)
recorded = layer(torch.ones(1, 2)).sum()
layer.weight.requires_grad_(False)
layer(torch.ones(1, 2)).sum().backward()
assert not ran
recorded.backward()
assert len(ran) == 1
assert layer.weight.grad is None
assert layer.bias.grad is not None

# %%
# Read on: :doc:`/gallery/modes/hooks_that_fail`.
