"""
``Inference tensors cannot be saved for backward``
==================================================

A tensor that was computed under ``inference_mode()`` stays an inference tensor outside,
and a recorded operation has to save it. ``clone()`` it outside the block, or compute it
under ``no_grad()``.
"""

# %%
import torch

head = torch.nn.Linear(2, 1)
with torch.inference_mode():
    features = torch.ones(4, 2) * 2
# Wrong: the layer has to save the inference tensor.
try:
    head(features)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an inference tensor was saved")
# Right: clone() outside of the block makes an ordinary tensor.
head(features.clone()).sum().backward()
print(head.weight.grad)
assert head.weight.grad.tolist() == [[8.0, 8.0]]

# %%
# Compute it under no_grad()
# --------------------------
# This needs no copy. ``detach()`` is no cure, and neither is a ``clone()`` inside the
# block: both return an inference tensor again.

# Wrong: both are inference tensors.
with torch.inference_mode():
    copy = features.clone()
print(features.detach().is_inference(), copy.is_inference())
assert features.detach().is_inference()
assert copy.is_inference()
# Right: a tensor from no_grad() is an ordinary one.
with torch.no_grad():
    features = torch.ones(4, 2) * 2
head(features).sum().backward()
print(features.is_inference())
assert not features.is_inference()

# %%
# I never wrote inference_mode()
# ------------------------------
# A framework did. Lightning's ``validate()``, ``test()`` and ``predict()`` run under
# it; the validation inside ``fit()`` runs under ``no_grad()``
# (:doc:`/gallery/frameworks/lightning_gradient_in_test`). A tensor that is made there
# and kept, in an attribute or a buffer for example, raises this error in a later
# ``fit()``. Pass ``Trainer(inference_mode=False)``, or clone the tensor where training
# uses it. This finds the attributes and buffers of a model that are inference tensors:
head.cache = features.clone()
with torch.inference_mode():
    head.table = head.cache * 2
kept = [
    f"{name}.{key}".strip(".")
    for name, module in head.named_modules()
    for key, value in [*vars(module).items(), *module.named_buffers(recurse=False)]
    if isinstance(value, torch.Tensor) and value.is_inference()
]
print(kept)
assert kept == ["table"]


# %%
# A function of the model is decorated with ``@torch.inference_mode()``
# ---------------------------------------------------------------------
# The backbone's method for features, or a ``with`` block inside a ``forward()``, runs
# in the mode, and the head behind it has to save what comes out. In the depth model of
# DINOv2, `a reader removed such a decorator
# <https://github.com/facebookresearch/dinov2/issues/472>`__ (not run). To find it, give
# each module a forward hook: the first output that ``is_inference()`` is behind the
# place. A decorated function also has an attribute ``__wrapped__``, but a ``with``
# block or a ``functools.partial`` has not. Only without the decorator the backbone gets
# gradients. ``no_grad()`` in its place, or a ``clone()`` of the output, trains the head
# alone, which is enough if the backbone is frozen.
class Backbone(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

    @torch.inference_mode()
    def get_features(self, x):
        return self.layer(x)


class Depth(torch.nn.Module):
    def __init__(self, mend):
        super().__init__()
        self.backbone, self.head = Backbone(), torch.nn.Conv1d(2, 1, 1)
        self.mend = mend

    def forward(self, x):
        return self.head(self.mend(self.backbone, x)[..., None])


def original(backbone, x):
    return backbone.get_features(x)


def clone(backbone, x):
    return backbone.get_features(x).clone()


def without_decorator(backbone, x):
    return Backbone.get_features.__wrapped__(backbone, x)


found = {}
for mend in (original, clone, without_decorator):
    model, inference = Depth(mend), []
    for name, module in model.named_modules():
        module.register_forward_hook(
            lambda _module, _inputs, output, name=name, inference=inference: (
                inference.append(name) if output.is_inference() else None
            )
        )
    try:
        model(torch.ones(1, 2)).sum().backward()
        trained = [n for n, p in model.named_parameters() if p.grad is not None]
    except RuntimeError as error:
        trained = str(error).split(". ")[0]
    found[mend.__name__] = trained
    print(f"{mend.__name__:18}", inference, trained)
    assert (inference == ["backbone.layer"]) == (mend is not without_decorator)
head = ["head.weight", "head.bias"]
assert found["original"] == "Inference tensors cannot be saved for backward"
assert found["clone"] == head
assert found["without_decorator"] == [
    "backbone.layer.weight",
    "backbone.layer.bias",
    *head,
]

# %%
# GRPO, PPO: the rollout ran under ``inference_mode()``
# -----------------------------------------------------
# The rollout makes tokens, masks, old log-probabilities and advantages, and the
# training step computes with them. Put the rollout under ``no_grad()``, in your own
# code and in functions that you call, or clone all of its tensors behind it.
# ``requires_grad_()`` on them is no cure.
#
# With ``GRPOTrainer`` of TRL and ``num_iterations`` above 1, upgrade to TRL 0.16 or
# newer. Before, it computed the old log-probabilities with the training model under
# ``inference_mode()``, and `now under no_grad()
# <https://github.com/huggingface/trl/pull/2987>`__ (read, not run). If the traceback
# ends inside the model, for example in a norm, no clone of the rollout helps: something
# in the model was made in that mode and stayed there, such as a cache. A parameter
# whose ``.data`` is set there, as DeepSpeed ZeRO-3 does when it gathers, is itself an
# inference tensor until ``.data`` is set again outside.
torch.manual_seed(0)
policy = torch.nn.Embedding(3, 3)


def rollout(mode):
    with mode():
        tokens = torch.tensor([[0, 1]])
        old = policy(tokens).log_softmax(-1).gather(2, tokens[..., None])
        return tokens, old, torch.tensor(2.0)


def step(tokens, old, advantage):
    policy.zero_grad()
    new = policy(tokens).log_softmax(-1).gather(2, tokens[..., None])
    ((new - old).exp() * advantage).mean().backward()
    return policy.weight.grad.any().item()


try:
    # Wrong: the tokens are inference tensors.
    step(*rollout(torch.inference_mode))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the tokens were saved")
assert message.startswith("Inference tensors cannot be saved for backward")
# Right: under no_grad(), or all tensors cloned.
clones = [tensor.clone() for tensor in rollout(torch.inference_mode)]
print(step(*rollout(torch.no_grad)), step(*clones))
assert step(*rollout(torch.no_grad))
assert step(*clones)
# A parameter whose data were set in the block.
weight = torch.nn.Parameter(torch.empty(0))
with torch.inference_mode():
    weight.data = torch.ones(2)
print(weight.is_inference())
assert weight.is_inference()
weight.data = weight.data.clone()
assert not weight.is_inference()

# %%
# A layer was built under inference_mode()
# ----------------------------------------
# Its parameters are inference tensors. Some layers raise this error, for example a
# convolution. ``nn.Linear`` raises it only if its input requires a gradient. If not,
# there is no error, and its weight gets no gradient. Build the model outside of the
# block, or make a deep copy outside.
import copy

x = torch.ones(1, 1, 4)
# Wrong: the parameters are inference tensors.
with torch.inference_mode():
    layer = torch.nn.Conv1d(1, 1, 1)
    linear = torch.nn.Linear(4, 1)
try:
    layer(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an inference tensor was saved")
linear(x).sum().backward()
assert linear.weight.grad is None
try:
    linear(x.clone().requires_grad_())
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an inference tensor was saved")
assert message.startswith("Inference tensors cannot be saved for backward")
# Right: a deep copy has ordinary parameters.
layer = copy.deepcopy(layer)
layer(x).sum().backward()
print(layer.weight.grad.shape)
assert not layer.weight.is_inference()

# %%
# Read on: :doc:`/gallery/modes/inference_tensors_bite_later`.
