"""
``grad can be implicitly created only for scalar outputs``
==========================================================

The loss has several elements, or none, and without an argument ``backward()`` needs
exactly one. Reduce the loss with ``mean()`` or ``sum()``, or pass a gradient of the
shape of the loss.
"""

# %%
import torch

prediction = torch.tensor([1.0, 2.0], requires_grad=True)
# Wrong: the loss has one element for each example.
loss = prediction.square()
try:
    loss.backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the loss had one element")
# Right: the mean has one element.
loss = prediction.square().mean()
loss.backward()
print(prediction.grad)
assert prediction.grad.tolist() == [1, 2]

# %%
# Where a loss with several elements comes from
# ---------------------------------------------
# The loss function has ``reduction="none"``, or the network itself returns the loss
# and is wrapped in ``DataParallel``, as below.
target = torch.zeros(2)
# Wrong: no reduction.
loss = torch.nn.functional.mse_loss(prediction, target, reduction="none")
print(loss.shape)
assert loss.numel() == 2
# Right: the default, the mean.
loss = torch.nn.functional.mse_loss(prediction, target)
loss.backward()
assert loss.shape == ()

# %%
# Several GPUs: ``loss.mean()``, also in adversarial training (FGM, PGD)
# ----------------------------------------------------------------------
# If the network computes the loss itself, ``model(**inputs)[0]`` under
# :torch:`torch.nn.DataParallel` is a vector with one loss for each GPU (``n_gpu > 1``).
# Take the mean of each loss before its ``backward()``: ``loss.mean().backward()``, and
# so ``loss_adv.mean().backward()``. Under ``DistributedDataParallel``, with one process
# for each GPU, the loss is a scalar, and the gradients are averaged. There ``mean()``
# changes nothing (the code below stands for two GPUs and runs on a CPU). The warning
# ``Was asked to gather along dimension 0, but all input tensors were scalars; will
# instead unsqueeze and return a vector`` says the same: each GPU returned one number.
# It is harmless if you take the mean (read in the `source
# <https://github.com/pytorch/pytorch/blob/main/torch/nn/parallel/_functions.py>`__, not
# run).
#
# FGM calls ``backward()`` twice before one ``step()``, without ``zero_grad()`` between
# them, so ``.grad`` is the sum of both gradients. Restore the embedding before the
# step.
embedding, classifier = torch.nn.Embedding(4, 2), torch.nn.Linear(2, 1)
weight = embedding.weight
optimizer = torch.optim.SGD([weight, *classifier.parameters()], lr=0.1)


def losses():  # as of DataParallel: one for each of two GPUs
    return classifier(embedding(torch.tensor([1, 2])).tanh()).square().flatten()


assert losses().shape == (2,)
losses().mean().backward()
clean = classifier.bias.grad.clone()
noise = 0.5 * weight.grad / (weight.grad.norm() + 1e-12)
saved = weight.detach().clone()
with torch.no_grad():
    weight.add_(noise)
loss_adv = losses().mean()
loss_adv.backward(retain_graph=True)
(adversarial,) = torch.autograd.grad(loss_adv, classifier.bias)
with torch.no_grad():
    weight.copy_(saved)
assert classifier.bias.grad.allclose(clean + adversarial)
optimizer.step()
optimizer.zero_grad()

# %%
# FGM: which ``emb_name``, and why is ``param.grad`` None?
# --------------------------------------------------------
# ``attack(emb_name="word_embeddings")`` looks for this text in the names of the
# parameters. Print ``model.named_parameters()`` to see them: in BERT it is
# ``bert.embeddings.word_embeddings.weight``, in a model of your own whatever the
# attribute is called. A name that fits nothing raises no error, and the attack does
# nothing, so check that exactly one parameter was found. Under ``DataParallel`` and DDP
# each name begins with ``module.``, which a search for a part of the name allows.
#
# The weight of an ``nn.Embedding`` is a leaf, so its ``.grad`` is kept, whatever layers
# you put on top. It is None
#
# - before ``loss.backward()``, and after ``zero_grad()`` (before PyTorch 2.0 it is 0
#   there): the order is ``backward()``, ``attack()``, second ``backward()``,
#   ``restore()``, ``step()``, ``zero_grad()``;
# - if the embedding is frozen: require its gradient, leave it out of the optimizer, and
#   call ``model.zero_grad()``, since ``optimizer.zero_grad()`` does not reach it;
# - if its output was detached or computed under ``no_grad()``;
# - if the name belongs to an embedding that this batch does not use, for example the
#   one of a second network.
#
# The output of the embedding is not a leaf; only there ``retain_grad()`` is needed.


class Classifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.word_embeddings = torch.nn.Embedding(4, 2)
        self.unused_embeddings = torch.nn.Embedding(4, 2)
        self.head = torch.nn.Linear(2, 1)

    def forward(self, ids):
        return self.head(self.word_embeddings(ids).tanh()).square().mean()


model, ids = Classifier(), torch.tensor([1, 2])
found = {
    part: [name for name, _ in model.named_parameters() if part in name]
    for part in ("emb.", "embeddings", "word_embeddings")
}
print(found)
assert [len(names) for names in found.values()] == [0, 2, 1]


def has_gradient(*, after_backward=True, frozen=False, name="word_embeddings"):
    weight = getattr(model, name).weight
    model.zero_grad()
    weight.requires_grad_(not frozen)
    loss = model(ids)
    if after_backward:
        loss.backward()
    weight.requires_grad_()
    return weight.grad is not None


# Wrong: before backward(), frozen, another embedding.
assert not has_gradient(after_backward=False)
assert not has_gradient(frozen=True)
assert not has_gradient(name="unused_embeddings")
# Right: after backward(), for a leaf that the loss depends on.
assert has_gradient()
assert model.word_embeddings.weight.is_leaf
model.zero_grad()
assert model.word_embeddings.weight.grad is None

# %%
# Pass a gradient
# ---------------
# A gradient of ones gives the same as ``sum()``. Its shape has to be that of the loss.
# ``autograd.grad`` raises the same error, and takes the gradient as ``grad_outputs``.
prediction.grad = None
loss = prediction.square()
loss.backward(torch.ones_like(loss))
print(prediction.grad)
(of_sum,) = torch.autograd.grad(prediction.square().sum(), prediction)
assert prediction.grad.equal(of_sum)

# %%
# If the gradient has another shape than the loss, the error is ``Mismatch in shape:
# grad_output[0] has a shape of …``. A loss of shape ``()`` takes ``torch.tensor(1.0)``,
# not ``torch.ones(1)``; ``loss.backward()`` without an argument is the same.
loss = prediction.square().sum()
try:
    loss.backward(torch.ones(1))
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the shapes were the same")
print(message)
assert message.startswith("Mismatch in shape: grad_output[0] has a shape of")

# %%
# A loss with one element
# -----------------------
# Its shape does not matter: ``(1, 1)`` works, too. An empty tensor raises, for example
# the loss of a batch of which a mask leaves nothing. Skip such a batch.
prediction[:1].reshape(1, 1).backward()
# Wrong: no element is left.
loss = prediction.square()[prediction > 5]
try:
    loss.backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("an element was left")
# Right: an empty loss is skipped.
if loss.numel():
    loss.mean().backward()
assert loss.numel() == 0

# %%
# Read on: :doc:`/gallery/three-ways/no_grad_stops_recording`.
