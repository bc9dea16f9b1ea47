"""
``element 0 of tensors does not require grad and does not have a grad_fn``
==========================================================================

The loss has no graph: no tensor that it depends on requires a gradient, or a call on
the way dropped the graph. Unfreeze what should train, or remove that call.
``loss.requires_grad_()`` only hides the error: no parameter gets a gradient.
"""

# %%
import torch

layer, x = torch.nn.Linear(2, 1), torch.ones(1, 2)
# Wrong: item() returns a number, which has no graph.
loss = torch.tensor(layer(x).sum().item())
try:
    loss.backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the loss had a graph")
# Right: the loss is a result of the layer.
loss = layer(x).sum()
loss.backward()
print(layer.weight.grad)
assert layer.weight.grad.tolist() == [[1.0, 1.0]]

# %%
# Everything is frozen
# --------------------
# If all parameters are frozen and the data requires no gradient, no operation is
# recorded. Unfreeze what should train, and run the forward pass again.
layer.requires_grad_(False)
# Wrong: the layer is frozen.
loss = layer(x).sum()
print(loss.requires_grad)
assert not loss.requires_grad
# Right: the layer is unfrozen before the forward pass.
layer.requires_grad_(True)
loss = layer(x).sum()
loss.backward()
print(loss.requires_grad)
assert loss.requires_grad

# %%
# Everything is frozen because a name matches nothing
# ---------------------------------------------------
# Code that freezes all and unfreezes by name leaves nothing trainable if no name
# matches. The names differ from model to model. Print those of ``named_modules()``, and
# correct yours. ``--only_optimize_lora`` of DeepSpeed-Chat is such a case: with a wrong
# ``--lora_module_name``, no adapter is made (read in `an issue
# <https://github.com/deepspeedai/DeepSpeed/issues/3339>`__, not run).
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
print([name for name, _ in net.named_modules()])
# The first prefix is wrong, the second one is right.
for prefix in ("layers.1.", "1."):
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith(prefix))
    trained = [name for name, p in net.named_parameters() if p.requires_grad]
    print(prefix, trained, net(x).requires_grad)
    assert bool(trained) == net(x).requires_grad == (prefix == "1.")

# %%
# Which calls drop the graph
# --------------------------
# ``detach()``, ``.data``, ``item()``, ``tolist()``, ``numpy()`` and
# ``torch.tensor(...)`` do, and so do operations that have no gradient, such as
# ``argmax`` and comparisons. Under ``no_grad()`` and ``inference_mode()``, operations
# are not recorded. Print ``requires_grad`` line by line: where it turns from True to
# False, the graph is dropped. :py:func:`gradguide.explain` looks for this line.
output = layer(x)
with torch.no_grad():
    unrecorded = layer(x)
with torch.inference_mode():
    inference = layer(x)
results = {
    "layer(x)": output,
    "detach()": output.detach(),
    "data": output.data,
    "argmax()": output.argmax(),
    "output > 0": output > 0,
    "no_grad()": unrecorded,
    "inference_mode()": inference,
}
for name, result in results.items():
    print(f"{name:17}", result.requires_grad)
    assert result.requires_grad == (name == "layer(x)")

# %%
# Image features are written into ``hidden_states.data``
# ------------------------------------------------------
# ``hidden_states.data[i] = features`` copies the numbers only. The way from the
# features to the loss is cut. If everything else is frozen, the loss has no graph, and
# otherwise the vision part gets no gradient, without an error. The write through
# ``.data`` is often there to get rid of
# :doc:`leaf_variable_that_requires_grad_is_being_used_in_an_in_place_operation`. Clone
# first instead, and assign without ``.data``. ``masked_scatter()``, ``torch.where()``
# and ``torch.cat()`` keep the graph, too.
embedding = torch.nn.Embedding(5, 2).requires_grad_(False)
visual, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1).requires_grad_(False)
ids, images = torch.arange(3), torch.ones(2, 2)
hidden_states = embedding(ids)
# Wrong: .data takes the numbers without their graph.
hidden_states.data[1:] = visual(images)
cut = head(hidden_states).sum()
# A new head: no error, and still no gradient.
torch.nn.Linear(2, 1)(hidden_states).sum().backward()
assert visual.bias.grad is None
# Right: a clone, and an assignment that is recorded.
hidden_states = embedding(ids).requires_grad_().clone()
hidden_states[1:] = visual(images)
right = head(hidden_states).sum()
# Right, too: a mask of the places of the images.
mask = torch.tensor([[False], [True], [True]])
scattered = head(embedding(ids).masked_scatter(mask, visual(images))).sum()
print(cut.requires_grad, right.requires_grad, scattered.requires_grad)
assert not cut.requires_grad
for loss in (right, scattered):
    visual.zero_grad()
    loss.backward()
    assert visual.bias.grad.allclose(2 * head.weight[0])

# %%
# A method of a library: ``generate()``, ``encode()``, SAM2's predictor
# ---------------------------------------------------------------------
# You wrote no ``no_grad()``, but the library did. Methods for inference are decorated
# with it, and their output has no graph, whatever ``requires_grad`` says. Such a
# function has an attribute ``__wrapped__``, which other decorators leave, too, and
# ``inspect.getsource`` shows which one it is, or a ``with`` block inside.
# :py:func:`gradguide.explain` names the line of your code that calls it.
import inspect

from torch.optim.swa_utils import update_bn

from gradguide import explain


class Predictor:
    def __init__(self, model):
        self.model = model

    @torch.no_grad()
    def predict(self, x):
        return self.model(x)


predictor = Predictor(layer)
# Wrong: the method for inference.
loss = predictor.predict(x).sum()
# Right: the network that it calls.
right = predictor.model(x).sum()
print(loss.requires_grad, right.requires_grad)
print(hasattr(predictor.predict, "__wrapped__"), hasattr(layer.forward, "__wrapped__"))
print(inspect.getsource(update_bn).splitlines()[0])
report = explain(layer, lambda: predictor.predict(x).sum())
print(report)
assert (loss.requires_grad, right.requires_grad) == (False, True)
assert hasattr(predictor.predict, "__wrapped__")
assert not hasattr(layer.forward, "__wrapped__")
assert inspect.getsource(update_bn).startswith("@torch.no_grad()")
assert "no_grad at" in str(report)

# %%
# What to call instead (read in their sources, not run):
#
# - ``generate()`` of transformers: ``model(**inputs)``, whose logits have a graph. The
#   sampled tokens are integers and have none in any case (`transformers 3720
#   <https://github.com/huggingface/transformers/issues/3720>`__).
# - ``encode()`` of sentence-transformers: ``model(features)["sentence_embedding"]``
#   with ``features = model.tokenize(texts)`` (`sentence-transformers 274
#   <https://github.com/huggingface/sentence-transformers/issues/274>`__). ``encode()``
#   also puts the model into ``eval()``.
# - ``set_image()`` and ``predict()`` of SAM2's predictor: ``forward_image``,
#   ``sam_prompt_encoder`` and ``sam_mask_decoder`` of ``predictor.model`` (`SAM2
#   <https://github.com/facebookresearch/sam2/blob/main/sam2/sam2_image_predictor.py>`__).
#   It is not enough to remove one decorator: ``predict()`` has none and calls
#   ``_predict()``, which has, and returns NumPy arrays.

# %%
# Why requires_grad_() on the loss does not help
# ----------------------------------------------
# The loss becomes a leaf. ``backward()`` fills the ``.grad`` of the loss, and no
# parameter gets a gradient.
layer.zero_grad()
loss = layer(x).detach().sum().requires_grad_()
loss.backward()
print(loss.grad, layer.weight.grad)
assert loss.grad == 1
assert layer.weight.grad is None

# %%
# A reentrant checkpoint behind a frozen layer
# --------------------------------------------
# Its result requires no gradient if none of its inputs does, although the layer inside
# is trainable. PyTorch warns. Pass ``use_reentrant=False``.
from torch.utils.checkpoint import checkpoint

# Wrong: a reentrant checkpoint.
loss = checkpoint(layer, x, use_reentrant=True).sum()
assert not loss.requires_grad
# Right: a checkpoint that is not reentrant.
loss = checkpoint(layer, x, use_reentrant=False).sum()
loss.backward()
print(layer.weight.grad)
assert layer.weight.grad is not None

# %%
# Read on: :doc:`/gallery/graph/what_drops_the_graph`.
