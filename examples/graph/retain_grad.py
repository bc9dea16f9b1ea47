"""
Why .grad of an activation is None: retain_grad() keeps it
==========================================================

A backward does not store the gradient of a result. Call ``retain_grad()`` on the result
before ``backward()``, or name it in ``autograd.grad``.
"""

# %%
# Both tensors are results of the same operation. One of them retains its gradient.
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
wrong, right = x * 2, x * 2
right.retain_grad()
(wrong**2 + right**2).sum().backward()
none, gradient = wrong.grad, right.grad
print(none, gradient)
assert none is None
assert gradient.tolist() == [4, 8]
assert not wrong.retains_grad
assert right.retains_grad

# %%
# After the backward it is too late: nothing is computed again, and there is no error.
# A further backward through the same graph fills it.
late = x * 2
loss = (late**2).sum()
loss.backward(retain_graph=True)
late.retain_grad()
assert late.grad is None
loss.backward()
assert late.grad.tolist() == [4, 8]

# %%
# Without retain_grad()
# ---------------------
# ``autograd.grad`` returns the gradients of the tensors that you name, leaves or
# results. ``x.grad`` stays None.
hidden, x.grad = x * 2, None
of_hidden, of_x = torch.autograd.grad((hidden**2).sum(), [hidden, x])
print(of_hidden, of_x)
assert of_hidden.tolist() == [4, 8]
assert of_x.tolist() == [8, 16]
assert x.grad is None

# %%
# The gradient of a layer's output: call retain_grad() in a forward hook
# ----------------------------------------------------------------------
# Inside a ``Sequential``, a ResNet or a BERT, you have no variable for the result. A
# forward hook gets it: call ``retain_grad()`` there, keep the output, and read its
# ``.grad`` after ``backward()``. If the layer returns a tuple, take the tensor out, as
# in ``output[0]``. The outputs that you keep hold the graph of this batch: clear them.
#
# The hook raises the error below under ``no_grad()``. It does so, too, if the network
# is frozen up to this layer: then let the input require a gradient. If the next layer
# is ``nn.ReLU(inplace=True)``, you get the gradient of its result.
from torch import nn

torch.manual_seed(0)
model, images = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), x.detach()
outputs = {}


def keep(name):
    def hook(_module, _inputs, output):
        output.retain_grad()
        outputs[name] = output

    return hook


# In your network: "layer4.1", "encoder.layer.5", as named_modules() lists them.
handles = [
    model.get_submodule(name).register_forward_hook(keep(name)) for name in ("0", "1")
]
model(images).sum().backward()
for name, output in outputs.items():
    print(name, output.grad)
assert outputs["1"].grad.allclose(model[2].weight[0])
for mode, is_frozen in ((torch.no_grad, False), (torch.enable_grad, True)):
    model.requires_grad_(not is_frozen)
    try:
        with mode():
            model(images)
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("there was a gradient to keep")
    assert message.startswith("can't retain_grad")
model(images.clone().requires_grad_()).sum().backward()
assert outputs["0"].grad is not None
for handle in handles:
    handle.remove()
outputs.clear()


# %%
# ``hidden_states[i].grad`` or ``attentions[i].grad`` is None in spite of retain_grad()
# -------------------------------------------------------------------------------------
# The gradient must come *through* the tensor on which you call it. A model may compute
# with one tensor and return another one, such as a transposed copy for the output: from
# it, no path leads to the loss. ``retain_grad()`` raises no error, and ``.grad`` stays
# None. Take the tensor that the next layer reads, with the hook from above. To tell the
# two apart, ask ``autograd.grad``: for the copy it raises
# :doc:`/reference/errors/appears_to_not_have_been_used_in_the_graph`.
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 3), nn.Linear(3, 1)

    def forward(self, tokens):
        hidden = self.first(tokens)
        return self.last(hidden).sum(), hidden.T, hidden


loss, wrong, right = Encoder()(torch.ones(4, 2))
wrong.retain_grad()
right.retain_grad()
loss.backward()
print(wrong.grad, right.grad.shape)
assert wrong.grad is None
assert right.grad.shape == (4, 3)

# %%
# In transformers, ask for both, and keep them before ``backward()``:
# ``outputs = model(**inputs, output_hidden_states=True, output_attentions=True)``, then
# ``outputs.hidden_states[i].retain_grad()``. Load the model with
# ``attn_implementation="eager"``, or there are no attentions. Do not call it through a
# pipeline or ``generate()``, which run under ``no_grad()``. Since `pull request 8747
# <https://github.com/huggingface/transformers/pull/8747>`__, most models return the
# tensors themselves; it names the exceptions (not run on this page).

# %%
# RuntimeError: can't retain_grad
# -------------------------------
# A tensor that requires no gradient has none to keep. Either the graph was cut before
# it, or none of the tensors that it was computed from requires a gradient.
try:
    hidden.detach().retain_grad()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("there was a gradient to keep")

# %% tags=["hide-input"]
# From the left: the norm of the gradient of the leaf ``x``, of a result with
# ``retain_grad()``, and of one without it, where there is none.
import matplotlib.pyplot as plt

(x * 2).square().sum().backward()
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
heights = [x.grad.norm().item(), gradient.norm().item()]
ax.bar(["x", "hidden.retain_grad()"], heights, fc="none", ec="C0")
ax.scatter("hidden", 0, marker="x", s=120, lw=2, c="C2", clip_on=False)
ax.set_ylabel(".grad.norm()")
plt.show()

# %% tags=["hide-input"]
# Where it ends
# -------------
# - On a leaf that requires a gradient, ``retain_grad()`` does nothing: a backward fills
#   its ``.grad`` anyway. On a frozen leaf it raises the error from above.
# - ``autograd.grad`` fills the ``.grad`` of a result that retains it, too, if the
#   gradient passes through it. ``backward(inputs=)`` fills that of a result you name.
# - Change the tensor in place after ``retain_grad()``, and the gradient is that of the
#   changed value. Assign to the same name, and it stays with the old tensor.
x.retain_grad()
assert not x.retains_grad
frozen = torch.ones(2)
try:
    frozen.retain_grad()
except RuntimeError as error:
    message = str(error)
assert "can't retain_grad" in message

hidden, x.grad = x * 2, None
hidden.retain_grad()
torch.autograd.grad((hidden**2).sum(), x)
assert hidden.grad.tolist() == [4, 8]
assert x.grad is None
hidden = x * 2
(hidden**2).sum().backward(inputs=[hidden])
assert hidden.grad.tolist() == [4, 8]

hidden = x * 2
hidden.retain_grad()
hidden.mul_(3)
(hidden**2).sum().backward()
assert hidden.grad.tolist() == [12, 24]
old = hidden = x * 2
hidden.retain_grad()
hidden = hidden * 3
(hidden**2).sum().backward()
assert old.grad.tolist() == [36, 72]
assert not hidden.retains_grad

# %%
# To look at a gradient or change it as it passes, register a hook.
#
# Related: :doc:`leaf_or_not`, :doc:`gradients_of_some_inputs`,
# :doc:`/gallery/modes/hooks_and_custom_functions`. Source:
# :torch:`torch.Tensor.retain_grad`.
