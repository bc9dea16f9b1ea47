"""
``Error(s) in loading state_dict``: ``Missing key(s)``, ``size mismatch``
=========================================================================

The names or the shapes in the file are not those of the model. Print both, and rename:
often a prefix such as ``module.`` has to go. If only the head is new, leave the old one
out. ``strict=False`` with wrong names raises nothing and loads nothing.
"""

# %%
import torch
from torch import nn

model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
saved = nn.DataParallel(model).state_dict()
new = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
try:
    # Wrong: the names in the file begin with "module.".
    new.load_state_dict(saved)
except RuntimeError as error:
    print("RuntimeError:", " ".join(str(error).split()))
else:
    raise AssertionError("the names were those of the model")
# Right: without the prefix.
plain = {name.removeprefix("module."): value for name, value in saved.items()}
print(new.load_state_dict(plain))
assert all(map(torch.equal, new.parameters(), model.parameters()))

# %%
# Which keys are missing, and which are unexpected?
# -------------------------------------------------
# ``Missing key(s)`` are names of the model that the file does not have, ``Unexpected
# key(s)`` are names of the file that the model does not have. If a layer is in both
# lists, it has two names:
#
# - ``module.`` comes from ``DataParallel``, ``DistributedDataParallel`` and
#   ``AveragedModel``, ``_orig_mod.`` from ``torch.compile``. Take it away from the
#   names, or save the inner model: ``wrapped.module.state_dict()``,
#   ``compiled._orig_mod.state_dict()``. If the model that loads is wrapped and the file
#   is not, load into ``wrapped.module``.
# - ``model.`` or ``net.`` in a checkpoint of Lightning is the attribute that holds your
#   network. The names are in ``checkpoint["state_dict"]``.
# - ``base_model.model.`` comes from ``get_peft_model()``. Load an adapter with
#   ``PeftModel.from_pretrained(model, path)``.
# - ``epoch``, ``optimizer``, ``model``: the file is a dictionary with more than the
#   weights. Load its part: ``checkpoint["model"]``.
# - ``parametrizations.weight.original0`` and no ``weight``: ``weight_norm()`` was
#   applied to one of the two models. Apply it to the other one before loading, too.
prefixes = {}
for wrap in (
    nn.DataParallel,
    torch.optim.swa_utils.AveragedModel,
    lambda model: torch.compile(model, backend="eager"),
):
    wrapped = wrap(model)
    first = next(name for name in wrapped.state_dict() if name.endswith("0.weight"))
    prefixes[type(wrapped).__name__] = first.removesuffix("0.weight")
print(prefixes)
assert list(prefixes.values()) == ["module.", "module.", "_orig_mod."]
normed = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
assert "weight" not in normed.state_dict()
assert "parametrizations.weight.original0" in normed.state_dict()

# %%
# ``strict=False`` loads what fits by name
# ----------------------------------------
# It returns both lists, and with a wrong prefix all names are in them: the model keeps
# its random weights, and no error is raised. So look at what it returns. It is right if
# you saved only a part, such as the parameters that train: load the pretrained weights
# first, then the part, and see that no key is unexpected.
new = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
before = new[0].weight.detach().clone()
# Wrong: the prefix is still there, and nothing is loaded.
keys = new.load_state_dict(saved, strict=False)
print(len(keys.missing_keys), len(keys.unexpected_keys))
assert (len(keys.missing_keys), len(keys.unexpected_keys)) == (4, 4)
assert new[0].weight.equal(before)
# Right: only the head was saved.
head = {name: value for name, value in plain.items() if name.startswith("1.")}
keys = new.load_state_dict(head, strict=False)
print(keys.missing_keys, keys.unexpected_keys)
assert keys.unexpected_keys == []
assert new[1].weight.equal(model[1].weight)

# %%
# ``size mismatch for``: a head with another number of classes
# ------------------------------------------------------------
# ``strict=False`` does not help against it. Leave out what has another shape, and train
# what was not loaded. Or build the model as it was saved, load, and then replace the
# head. Libraries do it for you: ``from_pretrained(..., num_labels=3,
# ignore_mismatched_sizes=True)`` in transformers, and ``create_model(name,
# num_classes=3, pretrained=True)`` in `timm
# <https://huggingface.co/docs/timm/quickstart>`__ (not run here). For an embedding
# whose vocabulary has grown, load first, and call ``resize_token_embeddings()``
# afterwards.
new = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
try:
    # Wrong: the head in the file has one output, this one has three.
    new.load_state_dict(plain, strict=False)
except RuntimeError as error:
    message = " ".join(str(error).split())
else:
    raise AssertionError("the shapes were the same")
print(message)
assert "size mismatch for 1.weight" in message
# Right: only what fits, and the rest is trained.
own = new.state_dict()
fits = {n: value for n, value in plain.items() if value.shape == own[n].shape}
keys = new.load_state_dict(fits, strict=False)
for name, parameter in new.named_parameters():
    parameter.requires_grad_(name in keys.missing_keys)
print(keys.missing_keys)
assert [p.requires_grad for p in new.parameters()] == [False, False, True, True]
assert new[0].weight.equal(model[0].weight)

# %%
# Garbage output after loading a P-tuning checkpoint, a prompt or a projector
# ---------------------------------------------------------------------------
# A checkpoint of P-tuning v2 for ChatGLM holds only the prefix encoder, since the rest
# is frozen. If you load its ``pytorch_model.bin`` as if it were the model, the language
# model stays random. If you build the model without ``pre_seq_len``, the prefix is not
# used. If you load into ``prefix_encoder`` and leave ``transformer.prefix_encoder.`` in
# the names, ``strict=False`` loads nothing. The model then answers with garbage, or as
# before the training. Load in this order:
#
# - First make the configuration with the options of the training, the same
#   ``pre_seq_len`` and the same ``prefix_projection``:
#   ``AutoConfig.from_pretrained(base, pre_seq_len=128, ...)``.
# - Then load the original ChatGLM with this configuration. The prefix encoder is
#   reported as newly initialised, which is right.
# - Last, take ``transformer.prefix_encoder.`` away from the names, and call
#   ``model.transformer.prefix_encoder.load_state_dict(...)`` with the default
#   ``strict=True``. After that comes ``half()``, ``prefix_encoder.float()`` and
#   ``eval()``.
#
# It is the same for each checkpoint with only the trained part: the base first, then
# the part, strictly into its own module, and one output compared with the one before
# saving. ChatGLM was not run here, its `web_demo.py
# <https://github.com/THUDM/ChatGLM-6B/blob/main/ptuning/web_demo.py>`__ was read; the
# code below has its names.


class PrefixModel(nn.Module):
    def __init__(self, pre_seq_len):
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.layer = nn.Linear(2, 2)
        self.transformer.prefix_encoder = nn.Embedding(pre_seq_len, 2)

    def forward(self, x):
        prefix = self.transformer.prefix_encoder.weight.mean(0)
        return self.transformer.layer(x + prefix)


part, x = "transformer.prefix_encoder.", torch.ones(1, 2)
trained = PrefixModel(pre_seq_len=3)
base = trained.transformer.layer.state_dict()  # the original weights, frozen
checkpoint = {n: v for n, v in trained.state_dict().items() if n.startswith(part)}
print([*checkpoint])
# Wrong: the checkpoint alone, so the layer stays random.
alone = PrefixModel(pre_seq_len=3)
keys = alone.load_state_dict(checkpoint, strict=False)
print(keys.missing_keys)
assert keys.missing_keys == ["transformer.layer.weight", "transformer.layer.bias"]
assert not alone(x).allclose(trained(x))
# Wrong: the prefix of the names stays, and nothing is loaded.
loaded = PrefixModel(pre_seq_len=3)
loaded.transformer.layer.load_state_dict(base)
keys = loaded.transformer.prefix_encoder.load_state_dict(checkpoint, strict=False)
assert keys.unexpected_keys == [*checkpoint]
assert not loaded(x).allclose(trained(x))
# Right: the base, then the part without its prefix, strictly.
prefix = {name.removeprefix(part): value for name, value in checkpoint.items()}
print(loaded.transformer.prefix_encoder.load_state_dict(prefix))
assert loaded(x).equal(trained(x))

# %%
# What loading does not change
# ----------------------------
# - ``requires_grad``: frozen parameters are in the file like all others, and what was
#   frozen when it was saved trains after loading, unless you freeze it again
#   (:doc:`/gallery/beyond/saving_and_copying`).
# - The parameters are the same objects as before, so an optimizer that was made earlier
#   goes on with them. With ``assign=True`` they are others: make the optimizer after
#   loading.
# - Buffers count as keys, too: ``running_mean`` is missing if the file comes from a
#   model without batch norm. A buffer with ``persistent=False`` is not in the file.
# - The state of the optimizer has its own errors:
#   :doc:`parameter_group_that_doesnt_match_the_size`.
parameter = new[0].weight
new.load_state_dict(own)
assert new[0].weight is parameter
assert not parameter.requires_grad
new.load_state_dict(own, assign=True)
assert new[0].weight is not parameter
layer = nn.Linear(2, 1)
layer.register_buffer("kept", torch.zeros(1))
layer.register_buffer("left_out", torch.zeros(1), persistent=False)
print([*layer.state_dict()])
assert [*layer.state_dict()] == ["weight", "bias", "kept"]

# %%
# ``'collections.OrderedDict' object has no attribute 'eval'``, ``'parameters'``
# ------------------------------------------------------------------------------
# ``torch.load()`` returned the weights, a dictionary, and no model: only this was
# saved. Build the model first, then load. ``Expected state_dict to be dict-like`` is
# the reverse: ``load_state_dict()`` got a path, or a whole model. And
# ``load_state_dict()`` returns the lists of keys, not the model, so ``model =
# model.load_state_dict(...)`` ends in ``'_IncompatibleKeys' object has no attribute``.
weights = nn.Linear(2, 1).state_dict()
empty = nn.Linear(2, 1)
wrong = {
    "weights.eval": lambda: weights.eval,
    "load_state_dict(path)": lambda: empty.load_state_dict("model.pt"),
    "load_state_dict(model)": lambda: empty.load_state_dict(empty),
    "load_state_dict().eval()": lambda: empty.load_state_dict(weights).eval(),
}
for code, run in wrong.items():
    try:
        run()
    except (AttributeError, TypeError) as error:
        message = str(error)
    else:
        raise AssertionError(f"{code} ran")
    print(f"{code:26}{message}")
assert message == "'_IncompatibleKeys' object has no attribute 'eval'"
# Right: the model, its weights, and its mode.
loaded = nn.Linear(2, 1)
loaded.load_state_dict(weights)
loaded.requires_grad_(False).eval()
assert loaded.weight.equal(weights["weight"])

# %%
# Read on: :doc:`/gallery/beyond/saving_and_copying`,
# :doc:`/gallery/freezing/freeze_by_name`.
