"""
"does not require grad": backward() got a loss without a record
===============================================================

``backward()`` needs a result that was recorded, or a leaf that requires a gradient.
Walk back from the loss to the line that loses the record, and repair that line. Don't
silence the error with ``loss.requires_grad_()``: no parameter gets a gradient then.
"""

# %%
# "element 0 of tensors does not require grad and does not have a grad_fn"
# ------------------------------------------------------------------------
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
prediction = 2.0 * x
loss = prediction.detach().sum()  # wrong: the record is lost here
try:
    loss.backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("backward() ran without a record")
loss = prediction.sum()  # right
loss.backward()
print(x.grad)
assert x.grad.tolist() == [2.0, 2.0]

# %%
# What does the error mean?
# -------------------------
# ``y`` does not require a gradient itself (*does not require grad*), and it is not the
# result of a recorded operation (*does not have a grad_fn*). *Element 0* is the first
# tensor that ``backward()`` was given.
y = torch.tensor([3.0, 4.0], requires_grad=False)
y1 = 2.0 * x + 2.0 * y
messages = []
for tensors in ([y], [y1, y]):
    try:
        torch.autograd.backward(tensors, [torch.ones(2)] * len(tensors))
    except RuntimeError as error:
        messages.append(str(error))
assert [message[:9] for message in messages] == ["element 0", "element 1"]
assert not y.requires_grad
assert y.grad_fn is None

# %%
# In training code that tensor is the loss. Either all parameters that it is computed
# from are frozen, or the record was lost on the way. ``y1`` has its record. These five
# have none:
frozen = torch.nn.Linear(2, 1).requires_grad_(False)
losses = [frozen(y), y1.detach(), y1.argmax(), y1 > 0, torch.no_grad()(y1.sum)()]
assert y1.grad_fn is not None
assert all(loss.grad_fn is None for loss in losses)

# %%
# A prompt for a frozen language model (PLM): ``model.parameters()`` doesn't help
# -------------------------------------------------------------------------------
# To hand a frozen parameter to the optimizer doesn't unfreeze it: the optimizer accepts
# it, and skips it, because it has no gradient. A template that is only text has no
# parameters. With a frozen model, nothing is left to train. A prefix or a soft prompt
# is made of parameters, so the same script runs with it. Count those that train, and
# unfreeze a part of the model, or take a prompt that trains. In OpenPrompt,
# ``ManualTemplate`` with ``freeze_plm=True`` is this case; ``freeze_plm=False`` trains
# the model (`source
# <https://github.com/thunlp/OpenPrompt/blob/main/openprompt/pipeline_base.py>`__, not
# run). More: :doc:`/gallery/frameworks/lora_freeze_or_a_prompt`.
words = torch.nn.Embedding(5, 2)
plm = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 5))
model = torch.nn.ModuleDict({"words": words, "plm": plm}).requires_grad_(False)
soft_prompt = torch.nn.Parameter(torch.zeros(1, 2))


def loss_with(*prompt):
    return plm(torch.cat([*prompt, words(torch.tensor([1, 2]))])).logsumexp(1).sum()


optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # wrong: all of them are frozen
print(sum(p.requires_grad for p in model.parameters()), loss_with().requires_grad)
assert not loss_with().requires_grad
with_prompt = loss_with(soft_prompt)  # right: a prompt that trains
plm[2].requires_grad_(True)  # right, too: a part of the model, before the forward
unfrozen = loss_with()
for loss, parameter in ((with_prompt, soft_prompt), (unfrozen, plm[2].weight)):
    loss.backward()
    assert parameter.grad.any()
print([name for name, p in model.named_parameters() if p.requires_grad])
assert plm[0].weight.grad is None
before = plm[0].weight.clone()
optimizer.step()
assert plm[0].weight.equal(before)

# %%
# Does ``loss.requires_grad_()`` help?
# ------------------------------------
# The error goes away, and no parameter gets a gradient: the loss is now a leaf, and
# ``backward()`` fills the ``.grad`` of the loss alone.
layer = torch.nn.Linear(2, 1)
loss = layer(x).detach().sum().requires_grad_()
loss.backward()
print(loss.grad, layer.weight.grad)
assert loss.grad == 1.0
assert layer.weight.grad is None

# %%
# Only some batches fail, or ``'float' object has no attribute 'backward'``
# -------------------------------------------------------------------------
# If a batch has no box, no mask or no positive pair, code often puts a constant in the
# place of the loss: ``0``, ``sum([])``, ``torch.tensor(0.0)``. Write
# ``outputs.sum() * 0`` instead. It has a graph, and each parameter before ``outputs``
# gets a gradient of zero, so under DDP this process takes part like the others. In a
# single process you can also leave out ``backward()`` and ``step()`` for this batch.
#
# - ``torch.zeros((), requires_grad=True)`` hides the error: no parameter gets a
#   gradient, and under DDP the others wait for it.
# - ``loss.item()`` and ``float(loss)`` are numbers. Keep them for the log.
# - The mean over an empty selection is nan. Divide the sum by ``count.clamp(min=1)``.
layer, boxes = torch.nn.Linear(2, 1), []
outputs = layer(torch.ones(3, 2))
for constant in (sum(boxes), outputs.sum().item()):  # wrong
    try:
        constant.backward()
    except AttributeError as error:
        print(error)
    else:
        raise AssertionError("a number has a backward")
loss = outputs.sum() * 0  # right
loss.backward()
print(layer.weight.grad)
assert not layer.weight.grad.any()
torch.zeros((), requires_grad=True).backward()
positive = torch.zeros(3, 1, dtype=torch.bool)
empty, count = layer(torch.ones(3, 2))[positive], positive.sum()
print(empty.mean().item(), (empty.sum() / count.clamp(min=1)).item())
assert empty.mean().isnan()
assert empty.sum() / count.clamp(min=1) == 0

# %%
# A gradient of zero is not None: momentum, weight decay and Adam still move the weights
# in this step (:doc:`/gallery/graph/zero_is_not_none`). And if ``outputs`` has an inf
# or a nan, its product with 0 is nan.

# %%
# "Only Tensors of floating point and complex dtype can require gradients"
# ------------------------------------------------------------------------
# Integer tensors are often said to have no ``requires_grad``. They have it, and it is
# False. Setting it to True fails. The error has three wordings, and the last one does
# not mention complex tensors.
a = torch.tensor([1, 2])
assert a.requires_grad is False
wordings = set()
for request in (
    lambda: torch.tensor([3, 4], requires_grad=True),
    lambda: setattr(a, "requires_grad", True),
    a.requires_grad_,
):
    try:
        request()
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")
        wordings.add(str(error))
    else:
        raise AssertionError("an integer tensor requires a gradient")
assert len(wordings) == 3

# %%
# Write ``[3.0, 4.0]`` instead of ``[3, 4]``. Then ``a + b`` is recorded, and ``a``
# stays as it is. Floating and complex dtypes can have ``requires_grad=True``.
b = torch.tensor([3.0, 4.0], requires_grad=True)
c = a + b
print(a.requires_grad)
assert not a.requires_grad
assert c.requires_grad
dtypes = ["bool", "int32", "int64", "float16", "bfloat16", "float32", "complex64"]
can = {}
for name in dtypes:
    tensor = torch.zeros(1, dtype=getattr(torch, name))
    try:
        can[name] = tensor.requires_grad_().requires_grad
    except RuntimeError:
        can[name] = False
    assert can[name] == (tensor.is_floating_point() or tensor.is_complex())

# %% tags=["hide-input"]
# The dtypes that can have ``requires_grad=True`` (square), and those that raise an
# error (cross).
import matplotlib.pyplot as plt

square, cross = {"marker": "s", "fc": "none", "ec": "C0"}, {"marker": "x", "c": "C2"}
_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for name in dtypes:
    ax.scatter(int(can[name]), name, s=150, lw=2, **square if can[name] else cross)
ax.set(xticks=[0, 1], xticklabels=["RuntimeError", "requires_grad=True"])
ax.margins(0.4, 0.1)
plt.show()

# %%
# Where it ends
# -------------
# - A leaf that requires a gradient needs no record: its gradient is what you pass.
# - One recorded term is enough for ``backward()``. The terms without a record are
#   constants then, and there is no error.
x.grad = None
x.backward(torch.tensor([1.0, 1.0]))
assert x.grad_fn is None
assert x.grad.tolist() == [1.0, 1.0]
x.grad = None
(2.0 * x + (3.0 * x).detach()).sum().backward()
assert x.grad.tolist() == [2.0, 2.0]

# %%
# Walk back from the loss until ``requires_grad`` is True: the record is lost in the
# line after it. If it is True for the parameters alone, print
# ``torch.is_grad_enabled()``. If it is False for these, too, unfreeze what must train.
#
# Related: :doc:`what_requires_grad_records`, :doc:`detach_cuts_one_tensor`,
# :doc:`no_grad_stops_recording`, :doc:`/gallery/graph/what_drops_the_graph`.
