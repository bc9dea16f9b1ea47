"""
``is not differentiable with respect to argument``
==================================================

An argument for which PyTorch has no derivative requires a gradient: a ``target``, a
class ``weight``, or a running mean. Pass ``argument.detach()``, or write the formula
yourself if the argument should train. For ``target``, check the order of the arguments.
"""

# %%
import torch
import torch.nn.functional as F

scores = torch.zeros(2, 3, requires_grad=True)
labels = torch.tensor([0, 2])
weight = torch.ones(3, requires_grad=True)
try:
    # Wrong: the class weights require a gradient.
    F.cross_entropy(scores, labels, weight=weight)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the weight has a derivative")
# Right: they are a constant.
loss = F.cross_entropy(scores, labels, weight=weight.detach())
loss.backward()
print(f"{loss:.4f}", weight.grad)
assert scores.grad is not None
assert weight.grad is None

# %%
# The weights should train
# ------------------------
# Multiply the losses yourself. The gradient of a factor is a sum of losses, which is
# never negative, so without another term the factors fall and fall.
losses = F.cross_entropy(scores, labels, reduction="none")
(weight[labels] * losses).mean().backward()
print(weight.grad)
assert weight.grad[0] > 0
assert weight.grad[1] == 0

# %%
# Which arguments?
# ----------------
# Among them are the weights of four losses, one target, and the running statistics of
# batch norm. Keep such tensors in buffers, not in parameters.
x = scores
calls = {
    "cross_entropy": lambda: F.cross_entropy(x, labels, weight=weight),
    "multi_margin_loss": lambda: F.multi_margin_loss(x, labels, weight=weight),
    "binary_cross_entropy": lambda: F.binary_cross_entropy(
        x.sigmoid(), torch.ones(2, 3), weight=weight
    ),
    "bce_with_logits": lambda: F.binary_cross_entropy_with_logits(
        x, torch.ones(2, 3), pos_weight=weight
    ),
    "soft_margin_loss": lambda: F.soft_margin_loss(torch.ones(3), weight),
    "batch_norm": lambda: F.batch_norm(x, weight, torch.ones(3)),
}
arguments = {}
for name, call in calls.items():
    try:
        call()
    except RuntimeError as error:
        _, arguments[name], _ = str(error).rsplit("'", 2)
    else:
        raise AssertionError(f"{name} has this derivative")
    print(f"{name:22}{arguments[name]}")
assert list(arguments.values()) == [
    "weight",
    "weight",
    "weight",
    "pos_weight",
    "target",
    "running_mean",
]

# %%
# Target and input are swapped
# ----------------------------
# In most losses of today the target may require a gradient, so the wrong order raises
# no error. ``binary_cross_entropy`` gives another value, and the gradient still arrives
# at the prediction.
prediction, target = torch.tensor([0.9]).requires_grad_(), torch.tensor([0.6])
right = F.binary_cross_entropy(prediction, target)
wrong = F.binary_cross_entropy(target, prediction)
print(f"{right:.2f} {wrong:.2f}")
assert wrong.requires_grad
assert not right.isclose(wrong)

# %%
# ``nn criterions don't compute the gradient w.r.t. targets`` (PyTorch 0.4)
# -------------------------------------------------------------------------
# ``AssertionError: nn criterions don't compute the gradient w.r.t. targets - please
# mark these tensors as not requiring gradients`` (quoted from `a style transfer
# <https://github.com/rrmina/fast-neural-style-pytorch/issues/5>`__, not run): in these
# versions the second argument of a loss, the target, must not require a gradient.
# ``MSELoss()(generated, content.detach())`` has the right order, with the result that
# trains first. Compute the content features under ``no_grad()``, or detach them.
#
# The order matters for the error, not for the value: ``MSELoss``, ``L1Loss`` and
# ``SmoothL1Loss`` are symmetric. Today they give a gradient to both arguments. So a
# target that has a graph, such as the output of a teacher or of a target network,
# raises no error and is pulled towards the prediction. Keep detaching it.
# ``binary_cross_entropy`` and ``kl_div`` are not symmetric.
generated, content = torch.tensor([0.3, 0.5]), torch.tensor([0.6, 0.6])
generated.requires_grad_()
content.requires_grad_()
losses = torch.nn.MSELoss(), torch.nn.L1Loss(), torch.nn.SmoothL1Loss()
for loss in losses:
    assert loss(generated, content) == loss(content, generated)
    both = torch.autograd.grad(loss(generated, content), (generated, content))
    print(type(loss).__name__, *[grad.tolist() for grad in both])
    assert both[0].equal(-both[1])
# Right: the target is a constant, in either place.
for pair in ((generated, content.detach()), (content.detach(), generated)):
    generated.grad = None
    losses[0](*pair).backward()
    assert generated.grad.allclose(generated.detach() - content.detach())
assert content.grad is None
one = F.kl_div(generated, content, reduction="sum")
assert not one.isclose(F.kl_div(content, generated, reduction="sum"))

# %%
# In older versions the text is ``the derivative for 'target' is not implemented``
# (`issue 56683 <https://github.com/pytorch/pytorch/issues/56683>`__ of 2021, for
# ``binary_cross_entropy``, and `issue 3933
# <https://github.com/pytorch/pytorch/issues/3933>`__ of 2017, for ``smooth_l1_loss``,
# where the arguments were in the wrong order; quoted, not run). ``the derivative for
# 'index' is not implemented`` means that an index requires a gradient (`DenseFusion 41
# <https://github.com/j96w/DenseFusion/issues/41>`__, not run).
#
# Read on: :doc:`/gallery/graph/what_drops_the_graph`.
