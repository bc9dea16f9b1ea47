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
# ``nn.Embedding.from_pretrained()`` is frozen by default
# -------------------------------------------------------
# If frozen embeddings are all that the loss depends on, nothing is left to train. They
# may stay frozen as soon as the loss depends on one trainable parameter: a projection
# or an MLP behind the embeddings, or a second embedding that trains, such as that of
# the users in a recommender. ``freeze=False`` trains the pretrained vectors themselves.
# To test a pipeline with frozen embeddings only, leave out ``backward()`` and the
# optimizer.
vectors, words = torch.randn(5, 2), torch.tensor([[1, 2]])
frozen = torch.nn.Embedding.from_pretrained(vectors)
tuned = torch.nn.Embedding.from_pretrained(vectors.clone(), freeze=False)
projection, users = torch.nn.Linear(2, 2), torch.nn.Embedding(1, 2)
losses = {
    # Wrong: the frozen embedding alone.
    "alone": frozen(words).square().sum(),
    # Right: something that trains takes part in the loss.
    "projection": projection(frozen(words)).square().sum(),
    "users": (users.weight * frozen(words)).sum(),
    "freeze=False": tuned(words).square().sum(),
}
for name, loss in losses.items():
    print(f"{name:13}", loss.requires_grad)
    assert loss.requires_grad == (name != "alone")
    if loss.requires_grad:
        loss.backward()
assert frozen.weight.grad is None
for trained in (projection, users, tuned):
    assert trained.weight.grad.any()

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
# Fine-tuning with LoRA, PEFT, ``Trainer``: ``gradient_checkpointing``, frozen input
# ----------------------------------------------------------------------------------
# The base is frozen, so the output of its embedding requires no gradient. A reentrant
# checkpoint looks at this input only, and what it returns requires no gradient either,
# although the adapters inside are trainable. Each of these is enough:
#
# - ``TrainingArguments(gradient_checkpointing=True,
#   gradient_checkpointing_kwargs={"use_reentrant": False})``;
# - ``model.enable_input_require_grads()``, which lets the output of the embedding
#   require a gradient. ``prepare_model_for_kbit_training()``, for a base in 4 or 8
#   bits, calls it for you;
# - ``gradient_checkpointing=False``, which needs more memory.
#
# If the error stays without checkpointing, nothing is trainable:
# ``model.print_trainable_parameters()`` shows 0. Then the adapter was loaded without
# ``is_trainable=True`` (:doc:`/gallery/frameworks/adapter_is_loaded_frozen`), the
# ``LoraConfig`` has ``inference_mode=True``, ``merge_and_unload()`` has removed the
# adapter, or ``model.requires_grad_(False)`` came after ``get_peft_model()``. The
# mechanism in plain PyTorch, with a trainable block behind a frozen embedding:
from torch.utils.checkpoint import checkpoint

embedding, block = torch.nn.Embedding(5, 2).requires_grad_(False), torch.nn.Linear(2, 2)
ids = torch.tensor([1, 2])


def requires_grad(**how):
    return checkpoint(block, embedding(ids), **how).requires_grad


# Wrong: a reentrant checkpoint. Right: one that is not.
found = [requires_grad(use_reentrant=True), requires_grad(use_reentrant=False)]
# Right, too: what enable_input_require_grads() does.
hook = embedding.register_forward_hook(lambda *args: args[2].requires_grad_())
found.append(requires_grad(use_reentrant=True))
hook.remove()
print(found)
assert found == [False, True, True]

# %%
# BAdam, ``BlockOptimizer``: an optimizer that trains one block at a time
# -----------------------------------------------------------------------
# Such an optimizer freezes all parameters but those of the active block, from the
# moment when it is made, and the embedding is usually among the frozen ones. So the
# case above is yours, even without LoRA: with ``gradient_checkpointing=True``, call
# ``model.enable_input_require_grads()`` or pass ``"use_reentrant": False`` (BAdam was
# not run; `the question <https://github.com/Ledzy/BAdam/issues/2>`__).
#
# Without checkpointing, look at what is active. BAdam compares prefixes with the names
# of ``named_parameters()``: pass the names of the model that is trained, after peft, a
# wrapper or ``torch.compile`` has changed them. A prefix that no name contains trains
# nothing, for as long as it is active (read in `its source
# <https://github.com/Ledzy/BAdam/blob/main/src/badam/block_optim.py>`__, not run). In
# plain PyTorch:
blocks = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(3))
model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(5, 2), "layers": blocks})


def has_graph(active, *, use_reentrant):
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(active in name)
    hidden = model["embed"](torch.tensor([1, 2]))
    for layer in model["layers"]:
        hidden = checkpoint(layer, hidden, use_reentrant=use_reentrant)
    return hidden.requires_grad


# Wrong: reentrant. Right: not reentrant. Wrong: a name that does not occur.
found = [
    has_graph("layers.2.", use_reentrant=True),
    has_graph("layers.2.", use_reentrant=False),
    has_graph("decoder.block.2.", use_reentrant=False),
]
print(found)
assert found == [False, True, False]

# %%
# It trains with one dataset, and with my own dataset it raises
# -------------------------------------------------------------
# Compare the two runs first: the number of trainable parameters, and the options for
# freezing and checkpointing (see above). If they are the same, it is a batch. Walk
# through the dataset, without training, until ``loss.requires_grad`` is False, and look
# at this batch:
#
# - It does not reach the part that trains. If only the projector of the images trains
#   and the batch has text alone, everything in this loss is frozen.
# - It has no target, after a filter or because a column has another name, and the code
#   puts a constant in the place of the loss
#   (:doc:`/gallery/three-ways/backward_without_a_graph`).
#
# Leave such a batch out, or add ``0 * projector(zeros).sum()`` to its loss. Labels that
# are all -100 are another problem: the mean is nan, but has a graph. (With
# ``num_items_in_batch``, which the ``Trainer`` passes, transformers divides a sum by
# the labels of all accumulated batches, and the loss is 0 if another of them has
# labels.) Without any labels, many models return None:
# :doc:`nonetype_object_has_no_attribute`.
words = torch.nn.Embedding(5, 2).requires_grad_(False)
projector, scores = torch.nn.Linear(3, 2), torch.nn.Linear(2, 5).requires_grad_(False)


def loss_of(batch):
    hidden = words(batch["ids"])
    if "image" in batch:
        hidden = hidden + projector(batch["image"])
    if not len(batch["labels"]):
        return torch.tensor(0.0)
    return torch.nn.functional.cross_entropy(scores(hidden), batch["labels"])


ids, none = torch.tensor([1, 2]), torch.tensor([], dtype=torch.int64)
image = {"image": torch.ones(2, 3)}
dataset = {
    "image": {"ids": ids, "labels": ids, **image},
    "text alone": {"ids": ids, "labels": ids},
    "no labels": {"ids": ids, "labels": none, **image},
    "labels of -100": {"ids": ids, "labels": torch.tensor([-100, -100]), **image},
}
losses = {name: loss_of(batch) for name, batch in dataset.items()}
for name, loss in losses.items():
    print(f"{name:15}", loss.requires_grad, loss.isnan().item())
assert [loss.requires_grad for loss in losses.values()] == [True, False, False, True]
assert losses["labels of -100"].isnan()
left_out, hidden = torch.tensor([-100, -100]), scores(torch.ones(2, 2))
assert not torch.nn.functional.cross_entropy(hidden, left_out, reduction="sum")
# Right: each loss depends on the projector.
loss = losses["text alone"] + 0 * projector(torch.zeros(1, 3)).sum()
loss.backward()
assert loss.item() == losses["text alone"].item()
assert not projector.weight.grad.any()

# %%
# Transfer learning: the new head was replaced and then frozen, too
# -----------------------------------------------------------------
# Freeze first, then put in the new head: a new layer is trainable. In the other order,
# the loop over ``model.parameters()`` freezes the head with the rest. The error also
# comes if the new layer got a name that the forward pass does not call: ``model.fc =
# ...`` on a VGG only adds a layer. In `torchvision
# <https://github.com/pytorch/vision/tree/main/torchvision/models>`__ (read, not run)
# the head is ``fc`` in ResNet, Inception and GoogLeNet, ``classifier[6]`` in VGG and
# AlexNet, ``classifier[1]`` in MobileNetV2 and EfficientNet, ``classifier`` in
# DenseNet, ``heads.head`` in ViT, ``head`` in Swin. ``print(model)`` shows it.


class VGG(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Linear(2, 2)
        self.classifier = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(2, 1))

    def forward(self, x):
        return self.classifier(self.features(x))


# Wrong: the head is frozen with the rest.
frozen = VGG()
frozen.classifier[1] = torch.nn.Linear(2, 3)
frozen.requires_grad_(False)
# Wrong: the forward pass does not call fc.
unused = VGG().requires_grad_(False)
unused.fc = torch.nn.Linear(2, 3)
# Right: freeze, then replace what is called.
model = VGG().requires_grad_(False)
model.classifier[1] = torch.nn.Linear(2, 3)
found = [net(x).requires_grad for net in (frozen, unused, model)]
print(found, model(x).shape[1], unused(x).shape[1])
assert found == [False, False, True]
assert (model(x).shape[1], unused(x).shape[1]) == (3, 1)

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
