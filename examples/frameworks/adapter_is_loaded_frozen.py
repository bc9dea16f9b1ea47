"""
A loaded LoRA adapter is frozen: train it further, or merge it
==============================================================

``PeftModel.from_pretrained()`` and ``load_adapter()`` of the library peft load an
adapter for inference: pass ``is_trainable=True`` to train it. Also here: what
``merge_and_unload()`` changes, and why results differ before and after merging.
"""

# %%
import tempfile

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model


def base():
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 1))


folder, lora = tempfile.TemporaryDirectory(), LoraConfig(r=2, target_modules=["0"])
get_peft_model(base(), lora).save_pretrained(folder.name)
# Wrong: loaded for inference. Right: loaded to be trained further.
wrong = PeftModel.from_pretrained(base(), folder.name)
right = PeftModel.from_pretrained(base(), folder.name, is_trainable=True)
for model in (wrong, right):
    print(sorted(n for n, p in model.named_parameters() if p.requires_grad))
    assert model(torch.ones(2, 4)).requires_grad == (model is right)

# %%
# In the wrong form nothing is trainable, so ``backward()`` raises an error. ``train()``
# is no cure: it only takes back the ``eval()`` that ``from_pretrained()`` has called,
# too. With activation checkpointing there may be no error, and nothing trains:
# :doc:`checkpointing_with_adapters`. If the adapter was made with ``bias="all"`` or
# ``"lora_only"``, there is no error either: the biases of the base stay trainable.
print(wrong.training, right.training)
assert (wrong.training, right.training) == (False, True)
try:
    wrong.train()(torch.ones(2, 4)).sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the adapter was trainable")

with tempfile.TemporaryDirectory() as other:
    biased = LoraConfig(r=2, target_modules=["0"], bias="all")
    get_peft_model(base(), biased).save_pretrained(other)
    loaded = PeftModel.from_pretrained(base(), other)
names = [n for n, p in loaded.named_parameters() if p.requires_grad]
print(names)
assert len(names) == 2
assert all(name.endswith(".bias") for name in names)

# %%
# ``modules_to_save`` is trainable in spite of ``is_trainable=False``
# -------------------------------------------------------------------
# In peft 0.17.1, the copies of ``modules_to_save`` are trainable after
# ``from_pretrained(..., is_trainable=False)``, and after ``load_adapter()`` the active
# adapter is, too. In 0.18.0 all of them are frozen (`mended in September 2025
# <https://github.com/huggingface/peft/pull/2765>`__; both versions were run). If you
# can't upgrade, call ``requires_grad_(False)`` on the model after the last of these
# calls, and print what is trainable.
with tempfile.TemporaryDirectory() as other:
    with_head = LoraConfig(r=2, target_modules=["0"], modules_to_save=["1"])
    get_peft_model(base(), with_head).save_pretrained(other)
    loaded = PeftModel.from_pretrained(base(), other, is_trainable=False)
    loaded.load_adapter(other, "second")
copies = [p for n, p in loaded.named_parameters() if ".modules_to_save." in n]
print(len(copies), any(p.requires_grad for p in loaded.parameters()))
assert len(copies) == 4
assert not any(p.requires_grad for p in loaded.parameters())

# %%
# The saved configuration has ``inference_mode=True``. A new adapter that is made from
# it is frozen, too, and has none of the saved weights.
config = PeftConfig.from_pretrained(folder.name)
print(config.inference_mode)
assert config.inference_mode
assert not any(p.requires_grad for p in get_peft_model(base(), config).parameters())
assert not lora.inference_mode

# %%
# ``trainable params: 0``, ``trainable%: 0.0000``: is that normal?
# ----------------------------------------------------------------
# In inference, export and merging it is: the adapter is loaded for them, and the number
# says nothing about whether it was trained (`the answer of the author of LLaMA-Factory
# <https://github.com/hiyouga/ChatGLM-Efficient-Tuning/issues/396>`__). In a training it
# is not: the loss stays as it is, or ``backward()`` raises an error. The causes, each
# with its cure:
#
# - ``from_pretrained()`` without ``is_trainable=True``: pass it.
# - ``LoraConfig(inference_mode=True)``, for example copied from a saved
#   ``adapter_config.json``: leave it out.
# - ``requires_grad_(False)`` or ``prepare_model_for_kbit_training()`` after
#   ``get_peft_model()``: call it before. A projector that is unfrozen afterwards trains
#   alone, without an error: :doc:`options_that_freeze`.
# - peft before 0.8.0 with another ``adapter_name`` than ``default``: upgrade (`an issue
#   <https://github.com/huggingface/peft/issues/1410>`__, read).
# - No layer has a name from ``target_modules``, so there is no adapter at all: see the
#   next section.
#
# A ``grad_norm`` above 0 is no proof. In `an issue of TRL
# <https://github.com/huggingface/trl/issues/6700>`__ of 2026, ``GRPOTrainer`` made an
# empty optimizer for an adapter that was loaded frozen, and saved the same bytes as
# before. Count after the trainer has been made.


def shown(model):
    model.print_trainable_parameters()
    return model.get_nb_trainable_parameters()[0]


options = {"r": 2, "target_modules": ["0"]}
later = get_peft_model(base(), lora)
later.requires_grad_(False)
copied = get_peft_model(base(), LoraConfig(**options, inference_mode=True))
assert [shown(model) for model in (wrong, copied, later)] == [0, 0, 0]
assert shown(get_peft_model(base(), LoraConfig(**options))) == 16

# %%
# LoRA: 0 trainable parameters, since ``target_modules`` matches no layer
# -----------------------------------------------------------------------
# The base is frozen and no adapter was made. peft raises an error then
# (:doc:`/reference/errors/not_found_in_the_base_model`), but LoRA code of a tool of its
# own may go on. The causes: names of another architecture, such as ``q_proj`` for
# CodeGen; a list that arrives as one string, ``"[q_proj,v_proj]"``; a search for linear
# layers of one class, such as the 8-bit one of bitsandbytes, in a model that was loaded
# without it; or ``all``, which is a word of some tools. In peft it is ``all-linear``.
#
# Print the names of the linear layers, pass them as a list, and look at
# ``print_trainable_parameters()``. Here, the names that CodeGen has:
names = ["qkv_proj", "out_proj", "fc_in", "fc_out"]
block = torch.nn.ModuleDict({name: torch.nn.Linear(4, 4) for name in names})
linear = [n for n, m in block.named_modules() if isinstance(m, torch.nn.Linear)]
print(linear)
for unmatched in (["q_proj", "v_proj"], "[qkv_proj,out_proj]", "all"):
    try:
        get_peft_model(block, LoraConfig(target_modules=unmatched))
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError("a layer was found")
    assert "not found in the base model" in message
assert shown(get_peft_model(block, LoraConfig(r=2, target_modules=linear))) == 64

# %%
# Several adapters: the active one is trainable
# ---------------------------------------------
# - ``add_adapter()`` and ``load_adapter()`` add a frozen adapter, and the active one
#   stays what it is.
# - ``load_adapter(..., is_trainable=True)`` leaves two adapters trainable, if the first
#   one was. Only the active one takes part in the forward pass.
# - ``set_adapter()`` makes its adapter trainable, even if it was loaded frozen, and
#   freezes the others. With ``inference_mode=True`` it freezes them all.
# - ``set_requires_grad()`` changes one adapter and does not make it the active one.


def trainable(model):
    names = [n.split(".")[-2] for n, p in model.named_parameters() if p.requires_grad]
    return sorted(set(names))


model = PeftModel.from_pretrained(base(), folder.name, "first", is_trainable=True)
model.load_adapter(folder.name, "second")
found = {"load_adapter()": trainable(model)}
model.load_adapter(folder.name, "third", is_trainable=True)
found["load_adapter(is_trainable=True)"] = trainable(model)
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad])
model(torch.ones(2, 4)).sum().backward()
assert all(
    (p.grad is None) == (".first." not in n) for n, p in model.named_parameters()
)
assert model.active_adapters == ["first"]
model.set_adapter("second")
found["set_adapter()"] = trainable(model)
held = {id(p) for p in optimizer.param_groups[0]["params"]}
model.set_adapter("second", inference_mode=True)
found["set_adapter(inference_mode=True)"] = trainable(model)
model.set_requires_grad("third")
found["set_requires_grad()"] = trainable(model)
for call, names in found.items():
    print(f"{call:34}{names}")
assert list(found.values()) == [
    ["first"],
    ["first", "third"],
    ["second"],
    [],
    ["third"],
]
assert model.active_adapters == ["second"]

# %%
# ``load_adapter(is_trainable=True)``: the second adapter is frozen, the first trains
# -----------------------------------------------------------------------------------
# Call ``set_adapter("second")`` after ``load_adapter()``: the second adapter is then
# active and trainable, and the first one frozen. Print the names that require a
# gradient, and make the optimizer only then. The cause: ``load_adapter()`` does
# not change which adapter is active, even with ``is_trainable=True``.
#
# - In peft 0.20 and before, it makes the *active* adapter trainable. If the first one
#   was loaded frozen, the first one becomes trainable, the second one stays frozen, and
#   an optimizer that is made now updates the wrong adapter, without an error.
# - Since 0.21, the second one is trainable. But the forward pass uses the first one, so
#   the second one gets no gradient. This is run below; 0.15.1, 0.18.0, 0.19.1 and
#   0.20.0 were run by hand (reported in `issue 3580
#   <https://github.com/huggingface/peft/issues/3580>`__).
model = PeftModel.from_pretrained(base(), folder.name, "first")
model.load_adapter(folder.name, "second", is_trainable=True)
# Wrong: train now.
found = trainable(model), model.active_adapters
assert found == (["second"], ["first"])
assert not model(torch.ones(2, 4)).requires_grad
print(*found)
# Right: first make it the active one.
model.set_adapter("second")
print(trainable(model), model.active_adapters)
assert trainable(model) == model.active_adapters == ["second"]
model(torch.ones(2, 4)).sum().backward()
assert model.base_model.model[0].lora_B["second"].weight.grad.any()

# %%
# An optimizer that was made before ``set_adapter()`` doesn't get the parameters of the
# adapter that is trainable now. Load all adapters, call ``set_adapter()``, and make the
# optimizer last.
second = [p for n, p in model.named_parameters() if ".second." in n]
print(len(second), len(held & {id(p) for p in second}))
assert len(second) == 2
assert not held & {id(p) for p in second}

# %%
# Train two adapters in one loss: only the last one gets a gradient
# -----------------------------------------------------------------
# ``set_adapter()`` before each forward pass freezes the adapter of the pass before, and
# ``backward()`` gives a parameter that is frozen by then no gradient
# (:doc:`/gallery/graph/the_flag_is_read_twice`). Unfreeze both after the last forward
# pass, by ``set_requires_grad()`` or, in peft before 0.18, by ``requires_grad_(True)``
# on their parameters. Give the optimizer both from the start: a list of what is
# trainable has only the active one.
#
# If the loss is a sum with one term for each adapter, call ``backward()`` after each
# term, before the next ``set_adapter()``. With activation checkpointing, only
# ``backward()`` after each term is right. The layers are computed again in
# ``backward()``, with the adapter that is active then, so with one ``backward()`` for
# the sum, the gradient of the other adapter is wrong, without an error.
from torch.utils.checkpoint import checkpoint


def gradients(*, unfreeze, backward_after_each=False, use_checkpoint=False):
    torch.manual_seed(0)
    model = get_peft_model(base(), lora, adapter_name="first")
    model.add_adapter("second", lora)
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p)
    losses = []
    for name in ("first", "second"):
        model.set_adapter(name)
        x = torch.ones(2, 4)
        y = checkpoint(model, x, use_reentrant=False) if use_checkpoint else model(x)
        losses.append(y.square().sum())
        if backward_after_each:
            losses[-1].backward()
    if unfreeze:
        model.set_requires_grad(["first", "second"])
    if not backward_after_each:
        sum(losses).backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def same(one, other):
    return all(torch.allclose(one[name], other[name]) for name in one)


last, both = gradients(unfreeze=False), gradients(unfreeze=True)
each = gradients(unfreeze=False, backward_after_each=True)
print([sorted({n.split(".")[-2] for n in found}) for found in (last, both, each)])
assert len(last) == 2
assert all(".second." in name for name in last)
assert len(both) == len(each) == 4
assert same(both, each)

again = gradients(unfreeze=True, use_checkpoint=True)
each = gradients(unfreeze=False, backward_after_each=True, use_checkpoint=True)
print(same(both, again), same(both, each))
assert not same(both, again)
assert same(both, each)

model = get_peft_model(base(), lora, adapter_name="first")
model.add_adapter("second", lora)
# Wrong: one adapter. Right: both.
of_one = [p for p in model.parameters() if p.requires_grad]
of_both = [p for name, p in model.named_parameters() if "lora_" in name]
assert (len(of_one), len(of_both)) == (2, 4)

# %%
# ``disable_adapter()`` unfreezes the adapter when it ends
# --------------------------------------------------------
# Training methods with a reference model, such as DPO, compute the output of the base
# inside ``with model.disable_adapter()``. Every adapter is frozen in this block. So
# ``backward()`` must not run there: a loss from outside gives the adapter no gradient,
# without an error.
#
# When the block ends, the active adapter becomes trainable, even if it was loaded
# frozen or frozen by hand.
loss = right(torch.ones(2, 4)).sum()
with right.disable_adapter():
    loss.backward()
print([p.grad for p in right.parameters() if p.requires_grad])
assert all(p.grad is None for p in right.parameters())

print(trainable(wrong))
assert trainable(wrong) == []
with wrong.disable_adapter():
    reference = wrong(torch.ones(2, 4))
print(trainable(wrong))
assert trainable(wrong) == ["default"]
# Freeze it again:
wrong.set_adapter("default", inference_mode=True)
assert trainable(wrong) == []

# %%
# DPO, GRPO with LoRA: the reference is the base model, and the KL does not start at 0
# ------------------------------------------------------------------------------------
# Inside ``with model.disable_adapter()``, a model with LoRA is its frozen base, unless
# its biases train (``bias="all"``) or a batch norm was in ``train()`` (run apart). This
# is the reference, and no second model is needed. Run it under ``no_grad()``. In TRL,
# pass ``ref_model=None`` with a ``peft_config`` (read in `an issue
# <https://github.com/huggingface/trl/issues/624>`__, not run). With both, TRL refuses:
# ``You passed both a ref_model and a peft_config``. If the model has an adapter
# already, leave out the ``peft_config``. The newer text for that is ``You passed a
# `PeftModel` instance together with a `peft_config` to the trainer``.
#
# If you go on with an adapter that was trained before, by supervised fine-tuning (SFT),
# the base is the wrong reference: the KL begins above 0 and pulls the policy back to
# the base. Check that it is about 0 in the first step, without dropout. The cures:
#
# - Merge the SFT adapter, ``merge_and_unload()``, and train a new one on the result.
# - Load it a second time as ``"ref"``, frozen. Switch to it with ``set_adapter("ref")``
#   under ``no_grad()``, and back before the next ``backward()``, too: until then the
#   policy is frozen and gets no gradient, without an error. TRL does this itself if it
#   gets a ``PeftModel`` without ``target_parameters``: DPO, and GRPO and RLOO since
#   `pull request 4723 <https://github.com/huggingface/trl/pull/4723>`__. Before, GRPO
#   took the base (read, not run).
# - ``beta=0.0``, the default of GRPO in TRL: then no reference is used, and no ``kl``
#   is logged.
x, plain = torch.ones(2, 4), base()
expected = plain(x)
policy = get_peft_model(plain, lora)
torch.nn.init.ones_(policy.base_model.model[0].lora_B["default"].weight)
with torch.no_grad(), policy.disable_adapter():
    reference = policy(x)
assert reference.equal(expected)
assert not policy(x).equal(expected)
assert not reference.requires_grad
assert policy(x).requires_grad


# %%
# The KL in the first step, with an SFT adapter and two references:
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))


def kl(policy_logits, reference_logits):
    new, old = policy_logits.log_softmax(1), reference_logits.log_softmax(1)
    return (new.exp() * (new - old)).sum(1).mean().item()


sft = get_peft_model(network(), lora)
torch.nn.init.ones_(sft.base_model.model[0].lora_B["default"].weight)
with tempfile.TemporaryDirectory() as sft_folder:
    sft.save_pretrained(sft_folder)
    policy = PeftModel.from_pretrained(network(), sft_folder, is_trainable=True)
    policy.load_adapter(sft_folder, "ref")
at_start = {}
with torch.no_grad():
    with policy.disable_adapter():
        reference = policy(x)
    at_start["base"] = kl(policy(x), reference)
    policy.set_adapter("ref")
    reference = policy(x)
    policy.set_adapter("default")
at_start["ref"] = kl(policy(x), reference)
assert trainable(policy) == policy.active_adapters == ["default"]
print({name: round(value, 3) for name, value in at_start.items()})
loss = policy(x).sum()
policy.set_adapter("ref")
loss.backward()  # Wrong: the policy is frozen now.
assert all(p.grad is None for p in policy.parameters())
assert at_start["base"] > 0.01
assert at_start["ref"] < 1e-6

# %%
# The output equals that of the base
# ----------------------------------
# By default, ``lora_B`` starts at zero, and then the adapter changes nothing. Look at
# every ``lora_B`` after loading:
#
# - If all are zero, the adapter is at its start: no step had changed it when it was
#   saved, it is a new one from ``get_peft_model()``, which loads nothing, or its
#   weights were not loaded, because their names don't fit the model. Then peft warns of
#   *missing adapter keys*.
# - If they are not zero, the weights are there. ``model.get_model_status()`` tells
#   whether the adapter is enabled and active. If it is, the training was too weak, or
#   dropout is on: :doc:`lora_for_inference`.
import warnings


class Renamed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = base()

    def forward(self, x):
        return self.net(x)


fresh = get_peft_model(base(), lora)
torch.nn.init.ones_(fresh.base_model.model[0].lora_B["default"].weight)
fresh.save_pretrained(folder.name)
for plain in (base(), Renamed()):
    expected = plain(x)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = PeftModel.from_pretrained(plain, folder.name)
    zero = all(not p.any() for n, p in loaded.named_parameters() if "lora_B" in n)
    print(zero, loaded(x).equal(expected), len(caught))
    assert zero == loaded(x).equal(expected) == isinstance(plain, Renamed)
    missing = any("missing adapter keys" in str(w.message) for w in caught)
    assert missing == zero
    assert loaded.get_model_status().enabled
    assert loaded.get_model_status().active_adapters == ["default"]
    with loaded.disable_adapter():
        assert not loaded.get_model_status().enabled
        assert loaded(x).equal(expected)

# %%
# ``Found missing adapter keys while loading the checkpoint``
# -----------------------------------------------------------
# The adapter was *not* loaded, or only in part: the listed weights are those of a new
# adapter, and the model answers like the base. Don't go on. Compare the names in the
# file with those in the message:
#
# - The part before ``layers`` differs: the base was loaded by another class, or by
#   another version of transformers that names its modules in another way, as happens
#   with vision-language models. Load it as in the training, or rename the keys.
# - Training and loading name the adapter differently, and the name is contained in
#   ``lora_``, such as ``adapter_name="lora"``: choose another one (`issue 2699
#   <https://github.com/huggingface/peft/issues/2699>`__, read).
# - The file has no such weights, or empty ones: it was saved under ZeRO-3 or FSDP
#   without gathering.
from peft import get_peft_model_state_dict, set_peft_model_state_dict

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    PeftModel.from_pretrained(Renamed(), folder.name)
told = [str(w.message).split(":")[0] for w in caught]
print(*told)
assert told == ["Found missing adapter keys while loading the checkpoint"]
state = get_peft_model_state_dict(fresh)
loaded = get_peft_model(Renamed(), LoraConfig(r=2, target_modules=["net.0"]))
print([name for name in state if "lora_B" in name])
print([name for name, _ in loaded.named_parameters() if "lora_B" in name])
# Right: the keys get the names of this model.
renamed = {name.replace("model.0.", "model.net.0."): w for name, w in state.items()}
assert not set_peft_model_state_dict(loaded, renamed).unexpected_keys
assert all(p.any() for n, p in loaded.named_parameters() if "lora_B" in n)

# %%
# ``merge_and_unload()`` changed nothing
# --------------------------------------
# After merging, the parameters are the same as those of the original model. There are
# three usual causes:
#
# - Every ``lora_B`` is zero, as above: zero was added. Look at it before you merge.
# - You compare the model with itself. Merging writes into the weights of the base, and
#   returns the base. Compare with a copy from before, or with a base that you load
#   again.
# - The base has 16 bits, and its dtype rounds a very small adapter away:
#   :doc:`/gallery/recipes/lora_by_hand`.
#
# Only the layers in ``target_modules`` and ``modules_to_save`` change. ``unload()``
# doesn't merge: it takes the adapter away.
import copy

for filled in (False, True):
    plain = base()
    before = copy.deepcopy(plain)
    model = get_peft_model(plain, lora)
    if filled:
        torch.nn.init.ones_(model.base_model.model[0].lora_B["default"].weight)
    merged = model.merge_and_unload()
    # Wrong: both are the same object.
    same = [
        merged is plain,
        all(map(torch.equal, merged.parameters(), plain.parameters())),
    ]
    # Right: the copy from before.
    old = before.state_dict()
    changed = [n for n, value in merged.state_dict().items() if not value.equal(old[n])]
    print(filled, same, changed)
    assert same == [True, True]
    assert changed == (["0.weight"] if filled else [])
unloaded = get_peft_model(merged, lora).unload()
assert unloaded is merged

# %%
# After ``merge_adapter()`` the adapter gets no gradient
# ------------------------------------------------------
# ``requires_grad`` is True, ``trainable params`` is as before, and still ``backward()``
# raises an error, or every ``.grad`` of the adapter is None. A merged layer computes
# with its base weight alone, so the adapter takes no part in the loss. Call
# ``unmerge_adapter()`` before you train on. It often comes from a merging in between:
# for an evaluation, for a copy of the weights, or for generation in RL. Another message
# of this kind is ``Adapter cannot be set when the model is merged``: ``set_adapter()``
# then takes the merging back by itself.
model = get_peft_model(base(), lora)
model.merge_adapter()
merged_loss = model(torch.ones(2, 4)).sum()
print(model.get_nb_trainable_parameters()[0], merged_loss.requires_grad)
assert model.get_nb_trainable_parameters()[0] == 16
assert not merged_loss.requires_grad
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.set_adapter("default")
print(caught[0].message)
assert "Adapter cannot be set when the model is merged" in str(caught[0].message)
model.merge_adapter()
model.unmerge_adapter()
model(torch.ones(2, 4)).sum().backward()
assert model.base_model.model[0].lora_B["default"].weight.grad.any()

# %%
# ``AutoModelForCausalLM.from_pretrained()`` on an adapter folder
# ---------------------------------------------------------------
# The result equals that of the merged model, although the folder has only the adapter.
# That is right: if peft is installed, transformers finds ``adapter_config.json``, loads
# the base that ``base_model_name_or_path`` names there, and puts the adapter into it.
# Merged or not, the output is the same up to rounding. The base has to be where it was.
# Loaded like this, everything is frozen: to train the adapter further, use
# ``PeftModel.from_pretrained(base, folder, is_trainable=True)``.
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
warnings.simplefilter("ignore", FutureWarning)
small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
config, ids = LlamaConfig(vocab_size=31, num_hidden_layers=1, **small), torch.ones(1, 3)
with tempfile.TemporaryDirectory() as of_base, tempfile.TemporaryDirectory() as of_lora:
    LlamaForCausalLM(config).save_pretrained(of_base)
    plain = AutoModelForCausalLM.from_pretrained(of_base)
    expected = plain(ids.long()).logits
    trained = get_peft_model(plain, LoraConfig(task_type="CAUSAL_LM"))
    for name, p in trained.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(p)
    trained.save_pretrained(of_lora)
    loaded = AutoModelForCausalLM.from_pretrained(of_lora)
    plain = AutoModelForCausalLM.from_pretrained(of_base)
    merged = PeftModel.from_pretrained(plain, of_lora).merge_and_unload()
    further = AutoModelForCausalLM.from_pretrained(of_base)
    further = PeftModel.from_pretrained(further, of_lora, is_trainable=True)
output = loaded(ids.long()).logits
close = torch.allclose(output, merged(ids.long()).logits, atol=1e-4)
print(type(loaded).__name__, close, output.equal(expected))
assert close
assert not torch.allclose(output, expected, atol=1e-4)
assert not any(p.requires_grad for p in loaded.parameters())
assert trainable(further) == ["default"]

# %%
# ``load_state_dict()`` of ``adapter_model.safetensors``: missing, unexpected, mismatch
# -------------------------------------------------------------------------------------
# The names in the file lack the name of the adapter: ``lora_A.weight`` in the file is
# ``lora_A.default.weight`` in the model. So ``load_state_dict()`` finds nothing, and
# with ``strict=False`` it raises no error and loads nothing. Use
# ``PeftModel.from_pretrained()``, or ``set_peft_model_state_dict()`` for a model that
# has its adapter already, and see that ``unexpected_keys`` is empty. Many missing keys
# are normal: they are the base, which is not in the file.
#
# ``size mismatch for ... lora_A.default.weight``: the model was made with another
# ``r``, or on a base of another size. Take the ``LoraConfig`` from the file, as
# ``from_pretrained()`` does. A shape such as ``torch.Size([0])`` in the checkpoint is
# that of a training with DeepSpeed ZeRO-3 that did not gather the weights: the file is
# empty.
from safetensors.torch import load_file

model = get_peft_model(base(), lora)
torch.nn.init.ones_(model.base_model.model[0].lora_B["default"].weight)
with tempfile.TemporaryDirectory() as other:
    model.save_pretrained(other)
    state = load_file(f"{other}/adapter_model.safetensors")
print(*state)
empty = get_peft_model(base(), lora)
keys = empty.load_state_dict(state, strict=False)  # wrong: loads nothing
assert keys.unexpected_keys == list(state)
assert not empty.base_model.model[0].lora_B["default"].weight.any()
keys = set_peft_model_state_dict(empty, state)
print(keys.unexpected_keys, len(keys.missing_keys))
assert not keys.unexpected_keys
assert empty.base_model.model[0].lora_B["default"].weight.all()
try:
    set_peft_model_state_dict(
        get_peft_model(base(), LoraConfig(r=4, target_modules=["0"])), state
    )
except RuntimeError as error:
    message = str(error).splitlines()[1].strip()
else:
    raise AssertionError("another rank was loaded")
print(message)
assert message.startswith("size mismatch for base_model.model.0.lora_A.default.weight")

# %%
# ``Already found a `peft_config` attribute in the model``
# --------------------------------------------------------
# ``get_peft_model()`` was called twice: by hand and by a trainer with ``peft_config``,
# in a cell that ran again, or on a model that was loaded with an adapter. The second
# call puts a new adapter, which changes nothing yet, in the place of the first one:
# what it has learnt is lost in each layer of the new configuration. To train the old
# adapter further, leave out the second call. To keep it and to add a new one, call
# ``merge_and_unload()`` first.
model = get_peft_model(base(), lora)
torch.nn.init.ones_(model.base_model.model[0].lora_B["default"].weight)
expected = model(x)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    again = get_peft_model(model, lora)
print(*[str(w.message)[:56] for w in caught], sep="\n")
assert any("Already found a `peft_config`" in str(w.message) for w in caught)
kept = again(x).allclose(expected)
# Right: merge, then add.
model = get_peft_model(base(), lora)
torch.nn.init.ones_(model.base_model.model[0].lora_B["default"].weight)
expected = model(x)
right_again = get_peft_model(model.merge_and_unload(), lora)
print(kept, right_again(x).allclose(expected))
assert not kept
assert right_again(x).allclose(expected)

# %%
# After ``merge_and_unload()`` nothing is trainable
# -------------------------------------------------
# The merged model stays as peft has frozen it, but for what was in
# ``modules_to_save``, and ``unload()`` leaves it frozen, too.
# To train all of it, call ``requires_grad_(True)``. For a second stage with LoRA, call
# ``get_peft_model()`` on the merged model: the new adapter is trainable. Then make the
# optimizer.
#
# Without merging or ``unload()``, peft warns ``You are trying to modify a model with
# PEFT for a second time``. It writes into the base itself, so the layers of the first
# call are still there, and in a notebook a configuration with fewer
# ``target_modules`` seems to have no effect (`issue 2295
# <https://github.com/huggingface/peft/issues/2295>`__).


def trained_layers(model):
    named = model.named_parameters()
    return sorted({n.split(".lora_")[0][-1] for n, p in named if p.requires_grad})


everywhere = LoraConfig(r=2, target_modules=["0", "1"])
only_first = LoraConfig(r=2, target_modules=["0"])
merged = get_peft_model(base(), everywhere).merge_and_unload()
print([name for name, p in merged.named_parameters() if p.requires_grad])
assert not any(p.requires_grad for p in merged.parameters())
merged.requires_grad_(True)
second = trained_layers(get_peft_model(merged, only_first))
plain = base()
get_peft_model(plain, everywhere)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    mixed = trained_layers(get_peft_model(plain, only_first))
print(second, mixed, str(caught[0].message).split(". ")[0], sep="\n")
assert "modify a model with PEFT for a second time" in str(caught[0].message)
assert (second, mixed) == (["0"], ["0", "1"])

# %%
# ``lora_B`` is still zero after the training
# -------------------------------------------
# The first step changes each ``lora_B`` whose gradient is not zero. If all stay zero,
# look at the number of trainable parameters and at ``.grad`` after ``backward()``:
#
# - Nothing is trainable, as above, or the optimizer has other parameters.
# - A reentrant checkpoint gives the adapters no gradient:
#   :doc:`checkpointing_with_adapters`.
# - Only the file is wrong: DeepSpeed ZeRO-3 shards the parameters, and they have to be
#   gathered before they are saved. A file that is far too small shows it. Upgrade to
#   transformers 5, or set ``stage3_gather_16bit_weights_on_model_save`` in the
#   configuration of DeepSpeed (read in `an issue
#   <https://github.com/huggingface/trl/issues/4416>`__, not run).
model = get_peft_model(base(), lora)
grown = model.base_model.model[0].lora_B["default"].weight
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
before = grown.norm().item()
model(x).sum().backward()
optimizer.step()
print(model.get_nb_trainable_parameters()[0], before, grown.norm().item() > 0)
assert model.get_nb_trainable_parameters()[0] == 16
assert before == 0
assert grown.norm() > 0

# %%
# There is no adapter after freeze or full fine-tuning
# ----------------------------------------------------
# Then no adapter path can be chosen, and ``PeftModel.from_pretrained()`` raises ``Can't
# find 'adapter_config.json'``. Only LoRA and other methods of peft make an adapter.
# Freezing some layers and training the others, such as ``finetuning_type: freeze`` or
# ``full`` in LLaMA-Factory, saves the whole model. The output folder *is* the model:
# pass it as the model path. Nothing has to be merged or exported (`the answer of its
# author <https://github.com/hiyouga/LlamaFactory/issues/3193>`__, read). Everything in
# the loaded model is trainable.
tuned = LlamaForCausalLM(config)
tuned.model.requires_grad_(False)
with tempfile.TemporaryDirectory() as output:
    tuned.save_pretrained(output)
    try:
        # Wrong: taken for an adapter.
        PeftModel.from_pretrained(tuned, output)
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError("there was an adapter")
    # Right: it is the model.
    loaded = LlamaForCausalLM.from_pretrained(output)
assert message.startswith("Can't find 'adapter_config.json'")
assert all(map(torch.equal, loaded.parameters(), tuned.parameters()))
print(len([p for p in loaded.parameters() if p.requires_grad]))
assert all(p.requires_grad for p in loaded.parameters())

# %% tags=["hide-input"]
# Where it ends
# -------------
# - None of these calls changes parameters of the base outside the adapters: what you
#   unfreeze there by hand stays trainable.
# - ``requires_grad_(True)`` on the whole model makes the base trainable, too.
# - ``set_adapter()`` leaves one thing trainable: the ``modules_to_save`` of another
#   adapter that was loaded with ``is_trainable=True``, if the adapter that it is called
#   with was active before.
# - All this was run with LoRA.
head = right.base_model.model[1].weight.requires_grad_()
right.add_adapter("second", lora)
assert trainable(right) == ["1", "default"]
right.set_adapter("second")
assert trainable(right) == ["1", "second"]
with right.disable_adapter():
    assert head.requires_grad
assert head.requires_grad
wrong.requires_grad_(True)
assert all(p.requires_grad for p in wrong.parameters())

lora = LoraConfig(r=2, target_modules=["0"], modules_to_save=["1"])
get_peft_model(base(), lora).save_pretrained(folder.name)
model = PeftModel.from_pretrained(base(), folder.name, "first", is_trainable=True)
model.load_adapter(folder.name, "second", is_trainable=True)
model.set_adapter("first")
left = [n for n, p in model.named_parameters() if ".second." in n and p.requires_grad]
assert len(left) == 2
assert all(".modules_to_save." in name for name in left)
model.set_adapter("second")
model.set_adapter("first")
assert trainable(model) == ["first"]
folder.cleanup()

# %%
# Pass ``is_trainable=True``, and print the trainable names before the first step.
#
# Related: :doc:`what_trainer_trains`, :doc:`/gallery/recipes/lora_by_hand`,
# :doc:`/gallery/freezing/did_my_freeze_work`.
