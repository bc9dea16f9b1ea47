"""
``'NoneType' object has no attribute 'zero_'``
==============================================

Also ``'data'``, ``'norm'``, ``'shape'`` or ``'clamp_'``: your loop reads ``p.grad`` of
a parameter that is frozen, unused, or not yet reached by ``backward()``. Skip those
whose ``.grad`` is None. The functions of PyTorch do.
"""

# %%
import torch

model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
model[0].requires_grad_(False)
model(torch.ones(1, 2)).sum().backward()
try:
    for p in model.parameters():
        # Wrong: the gradient of a frozen parameter is None.
        p.grad.zero_()
except AttributeError as error:
    print(f"AttributeError: {error}")
else:
    raise AssertionError("every parameter has a gradient")
for p in model.parameters():
    # Right: skip it.
    if p.grad is not None:
        p.grad.zero_()
print([p.grad is None for p in model.parameters()])
assert not model[1].weight.grad.any()

# %%
# Clipping and zeroing that skip None
# -----------------------------------
# ``clip_grad_norm_``, ``clip_grad_value_``, ``zero_grad()`` and the optimizers, except
# ``LBFGS``, skip such parameters. ``zero_grad()`` itself sets each gradient to None,
# since PyTorch 2.0. So a loop that reads ``p.grad.data`` after it, and before
# ``backward()``, fails for every parameter. For what LBFGS does with them, see
# :doc:`lbfgs_doesnt_support_per_parameter_options`.
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.ones(1, 2)).sum().backward()
norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
torch.nn.utils.clip_grad_value_(model.parameters(), clip_value=0.1)
optimizer.step()
print(model[1].bias.grad)
assert norm > 0.5
assert model[1].bias.grad.item() <= 0.1 + 1e-6

optimizer.zero_grad()
try:
    model[1].bias.grad.data.zero_()
except AttributeError as error:
    message = str(error)
else:
    raise AssertionError("zero_grad() keeps the tensor")
assert message == "'NoneType' object has no attribute 'data'"
optimizer.zero_grad(set_to_none=False)
model(torch.ones(1, 2)).sum().backward()
optimizer.zero_grad(set_to_none=False)
assert model[1].bias.grad.tolist() == [0]

# %%
# An optimizer of your own
# ------------------------
# Skip None in ``step()``, so that parameters can be frozen later. Don't put zeros in
# its place: weight decay and momentum then move a frozen parameter.


class Descent(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, weight_decay=0.1):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                change = p.grad + group["weight_decay"] * p
                p.sub_(change, alpha=group["lr"])


before = [p.detach().clone() for p in model.parameters()]
model(torch.ones(1, 2)).sum().backward()
Descent(model.parameters()).step()
moved = [not p.equal(old) for p, old in zip(model.parameters(), before, strict=True)]
print(moved)
assert moved == [False, False, True, True]
model[0].weight.grad = torch.zeros(2, 2)
Descent(model.parameters()).step()
assert not model[0].weight.equal(before[0])

# %%
# The gradient should be there
# ----------------------------
# Then find the cause: a result instead of a leaf, ``detach()``, a layer that the
# forward pass does not use, or an input without ``requires_grad``.
# :py:func:`gradguide.explain` names it. On an input, ``x.grad.data.zero_()`` fails if
# ``x`` does not require a gradient, or before the first ``backward()``.
x = torch.ones(2)
assert x.grad is None
x.requires_grad_().sum().backward()
x.grad.data.zero_()
assert x.grad.tolist() == [0, 0]

# %%
# FGSM, PGD, saliency map: ``image.grad.data`` of an image
# --------------------------------------------------------
# ``image.grad`` is None in ``torch.sign(image.grad.data)``. Make the image ready first:
# device, dtype, ``unsqueeze()``, normalisation. Call ``requires_grad_()`` last, and
# pass this very tensor to the network. The causes:
#
# - ``requires_grad`` was set earlier. ``.to(device)``, ``unsqueeze()`` and arithmetic
#   return a new tensor, which is not a leaf, and the gradient goes to the old one. A
#   ``.to()`` that changes nothing returns the tensor itself, so such code runs on the
#   CPU and fails on the GPU.
# - The network got another tensor: a copy from ``torch.tensor(...)``, ``detach()`` or a
#   transform of the data.
# - In a loop, the image of the second step is the result of the first one. Detach it.
#
# Reading ``.grad`` of a result shows the warning
# :doc:`the_grad_attribute_of_a_tensor_that_is_not_a_leaf`. If the network got a copy,
# there is no warning. ``autograd.grad(loss, image)`` also accepts a result, and if the
# loss does not depend on the image, it raises an error in place of None.
import warnings

device_and_dtype = {"device": "cpu", "dtype": torch.float64}
network, picture = torch.nn.Linear(4, 3).double(), torch.rand(4)
label = torch.tensor([1])


def gradient_of(image, given=None):
    given = image if given is None else given
    torch.nn.functional.cross_entropy(network(given), label).backward()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return image.grad


# Wrong: requires_grad is set before the conversion and unsqueeze().
early = picture.clone().requires_grad_().to(**device_and_dtype).unsqueeze(0)
# Wrong: the network gets a copy.
copied = picture[None].to(**device_and_dtype).requires_grad_()
# Right: last, and this tensor goes into the network.
image = picture[None].to(**device_and_dtype).detach().requires_grad_()
found = {
    "early": gradient_of(early),
    "copy": gradient_of(copied, copied.detach()),
    "last": gradient_of(image),
}
for name, grad in found.items():
    print(f"{name:6}", None if grad is None else grad.shape)
    assert (grad is None) == (name != "last")
assert (early.is_leaf, image.is_leaf) == (False, True)
assert image.to("cpu") is image
# Right, for the next step: the result is detached first.
attacked = image + 0.1 * image.grad.sign()
assert gradient_of(attacked) is None
attacked = attacked.detach().requires_grad_()
assert gradient_of(attacked) is not None

# %%
# For the complete code of FGSM and PGD, see :doc:`/gallery/recipes/optimise_the_input`.

# %%
# Grad-CAM of a detector: ``'NoneType' object has no attribute 'shape'``
# ----------------------------------------------------------------------
# The gradient of the target layer is None, not zero. Its hook was not called, because
# ``backward()`` of the score does not reach the output of this layer:
#
# - It belongs to another branch. The score of a class does not depend on the layers
#   that only the boxes use.
# - The result is cut behind it: ``detach()``, ``.data``, or a forward pass under
#   ``no_grad()`` or ``inference_mode()``, as in most ``predict()`` methods.
# - Everything up to it is frozen, and the image requires no gradient:
#   :doc:`cannot_register_a_hook_on_a_tensor` has a whole Grad-CAM for this case.
#
# Choose a layer that the score depends on, and call the network itself, with gradients
# enabled and an image that requires one. Take the score before ``argmax`` and before
# the non-maximum suppression (NMS): labels and indices have no graph, so ``backward()``
# raises :doc:`element_0_of_tensors_does_not_require_grad`.


class Detector(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone, self.neck = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        self.box_tower, self.boxes = torch.nn.Linear(2, 2), torch.nn.Linear(2, 4)
        self.classes = torch.nn.Linear(2, 3)

    def forward(self, image):
        features = self.neck(self.backbone(image))
        return self.boxes(self.box_tower(features)), self.classes(features)


def gradient_at(layer, image, *, is_recorded=True):
    found = [None]

    def keep(_module, _inputs, output):
        if output.requires_grad:
            output.register_hook(found.append)

    with layer.register_forward_hook(keep), torch.set_grad_enabled(is_recorded):
        _, classes = detector(image)
    if classes.requires_grad:
        classes[0, 1].backward()
    return found[-1]


detector, image = Detector().requires_grad_(False), torch.ones(1, 2)
wanted = image.clone().requires_grad_()
found = {
    "another branch": gradient_at(detector.box_tower, wanted),
    "no_grad()": gradient_at(detector.neck, wanted, is_recorded=False),
    "frozen": gradient_at(detector.neck, image),
    "right": gradient_at(detector.neck, wanted),
}
try:
    len(found["another branch"].shape)
except AttributeError as error:
    message = str(error)
else:
    raise AssertionError("the branch had a gradient")
for name, grad in found.items():
    print(f"{name:15}", None if grad is None else grad.shape)
    assert (grad is None) == (name != "right")
assert message == "'NoneType' object has no attribute 'shape'"

# %%
# The object itself is None, not its gradient
# -------------------------------------------
# ``'NoneType' object has no attribute 'grad'``: the code that should store the object
# never ran. Often it is an attention map, stored by a hook or by a method that you
# patched, in a model that computes its attention elsewhere. The fused
# ``scaled_dot_product_attention()`` returns no map. Let the model compute it in steps.
# In the library transformers, load it with ``attn_implementation="eager"``: ``sdpa``,
# the default of many models, and flash attention do not return a map, and do not call a
# method that you patched in the code for ``eager`` (`source
# <https://github.com/huggingface/transformers/blob/main/src/transformers/integrations/sdpa_attention.py>`__,
# not run here).


class Attention(torch.nn.Module):
    def __init__(self, eager):
        super().__init__()
        self.eager, self.map = eager, None

    def forward(self, q, k, v):
        if not self.eager:
            return torch.nn.functional.scaled_dot_product_attention(q, k, v)
        self.map = (q @ k.mT).softmax(-1)
        self.map.retain_grad()
        return self.map @ v


q = torch.ones(1, 3, 2, requires_grad=True)
fused, eager = Attention(eager=False), Attention(eager=True)
for attention in (fused, eager):
    attention(q, q, q).sum().backward()
try:
    # Wrong: this map was never computed.
    fused.map.grad.norm()
except AttributeError as error:
    message = str(error)
else:
    raise AssertionError("the fused attention has a map")
print(message)
print(eager.map.grad.shape)  # right
assert message == "'NoneType' object has no attribute 'grad'"
assert eager.map.grad.shape == (1, 3, 3)

# %%
# A hook on ``out_proj`` of ``nn.MultiheadAttention`` never runs either: the attention
# reads the weight of this layer and does not call it. So count the calls of a hook
# before you look for a gradient. ``loss.requires_grad_(True)`` only hides that the
# graph is cut: :doc:`/gallery/graph/the_fix_that_breaks`.
attention, calls = torch.nn.MultiheadAttention(2, 1), []
for name, module in attention.named_modules():
    module.register_forward_hook(lambda *_, name=name: calls.append(name))
attention(q, q, q)
print(calls)
assert calls == [""]

# %%
# Read on: :doc:`/gallery/diagnose/why_is_my_gradient_none`,
# :doc:`/gallery/graph/zero_is_not_none`.
