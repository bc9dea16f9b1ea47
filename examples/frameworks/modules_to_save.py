"""
A new head with LoRA: name it in modules_to_save, or it is neither trained nor saved
====================================================================================

``get_peft_model()`` freezes everything outside the adapters, a new head, too. What
``modules_to_save`` names is copied, trained and saved with the adapter.
"""

# %%
import warnings

from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from transformers import BertConfig, BertForSequenceClassification

warnings.simplefilter("ignore", FutureWarning)
small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
bert = BertConfig(vocab_size=31, num_hidden_layers=1, num_labels=3, **small)
options = {"r": 2, "target_modules": ["query"]}
wrong = LoraConfig(**options)
right = LoraConfig(**options, modules_to_save=["classifier"])
for lora in (wrong, right):
    model = get_peft_model(BertForSequenceClassification(bert), lora)
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    saved = [n for n in get_peft_model_state_dict(model) if "classifier" in n]
    print(any("classifier" in name for name in trained), saved)
    assert bool(saved) == any("classifier" in name for name in trained)
    assert bool(saved) == (lora is right)

# %%
# The head in the model is now a wrapper with two layers: ``original_module``, which is
# frozen, and the copy that is trained and that the forward pass uses. With
# ``task_type="SEQ_CLS"`` you need not name it: peft adds ``classifier`` and ``score``.
# A head with another name you still have to name.
head = model.base_model.model.classifier
print([n for n, p in head.named_parameters() if p.requires_grad])
assert not head.original_module.weight.requires_grad
assert head.modules_to_save["default"].weight.requires_grad
named = LoraConfig(**options, task_type="SEQ_CLS")
model = get_peft_model(BertForSequenceClassification(bert), named)
print(named.modules_to_save)
assert named.modules_to_save == ["classifier", "score"]
assert "base_model.model.classifier.weight" in get_peft_model_state_dict(model)
other = BertForSequenceClassification(bert)
other.head = other.classifier
del other.classifier
named = LoraConfig(**options, task_type="SEQ_CLS")
assert not get_peft_model(other, named).base_model.model.head.weight.requires_grad

# %%
# Two mistakes that raise no error
# --------------------------------
# - A name in ``modules_to_save`` that no module has: nothing is copied.
# - A head that you unfreeze by hand after ``get_peft_model()``: it is trained, but not
#   saved in the file of the adapter. After loading, its weights are random again.
typo = LoraConfig(**options, modules_to_save=["clasifier"])
for lora in (typo, wrong):
    model = get_peft_model(BertForSequenceClassification(bert), lora)
    if lora is wrong:
        model.base_model.model.classifier.requires_grad_(True)
    trained = model.base_model.model.classifier.weight.requires_grad
    saved = any("classifier" in name for name in get_peft_model_state_dict(model))
    print(trained, saved)
    assert trained == (lora is wrong)
    assert not saved

# %%
# ``modules_to_save`` has ``requires_grad=False``: its weights are not changing
# -----------------------------------------------------------------------------
# Something froze the copy after peft had made it, often a loop that freezes everything
# without ``lora`` in its name. Print what is trainable after the last call that wraps
# or freezes the model. ``modules_to_save.default`` has to be there,
# ``original_module`` not. Unfreeze the copy before the trainer makes its optimizer.
#
# In unsloth, ``FastModel.get_peft_model()`` froze the copies in this way. Since
# September 2025 it unfreezes them at the end, so upgrade (`issue 3327
# <https://github.com/unslothai/unsloth/issues/3327>`__ and its source, read and not
# run). For Llama and similar models, ``FastLanguageModel`` takes no other names than
# ``lm_head`` and ``embed_tokens``: ``Only 'lm_head' and 'embed_tokens' is allowed``.
model = get_peft_model(BertForSequenceClassification(bert), right)
for name, p in model.named_parameters():
    # Wrong: this freezes the copy of the head, too.
    p.requires_grad_("lora_" in name)
head = model.base_model.model.classifier
frozen = [name for name, p in head.named_parameters() if not p.requires_grad]
# Right: unfreeze the copies.
for name, p in model.named_parameters():
    if ".modules_to_save." in name:
        p.requires_grad_(True)
trained = [name for name, p in head.named_parameters() if p.requires_grad]
print(len(frozen), trained)
assert len(frozen) == 4
assert trained == ["modules_to_save.default.weight", "modules_to_save.default.bias"]
assert any("classifier" in name for name in get_peft_model_state_dict(model))

# %%
# A reward model or ``SEQ_CLS`` with LoRA: after loading, the scores are random
# -----------------------------------------------------------------------------
# The new head, ``score``, was neither trained nor saved, because the adapter was made
# without a ``task_type``. Each loading draws another head, and transformers says that
# ``score.weight`` is newly initialized. Take ``SEQ_CLS``, or name the head in
# ``modules_to_save``. With the wrong type, ``CAUSAL_LM``, peft raises ``object has no
# attribute 'prepare_inputs_for_generation'``. An adapter that was saved without the
# head can't be repaired: train again.
#
# - A ``v_head`` of TRL, for PPO, lies outside of the ``PeftModel``. It trains, and is
#   saved in another file than the adapter. In LLaMA-Factory this file is
#   ``value_head.safetensors`` (`callbacks.py
#   <https://github.com/hiyouga/LLaMA-Factory/blob/main/src/llamafactory/train/callbacks.py>`__,
#   read, not run). Loading a reward model as ``AutoModelForCausalLM`` drops the head.
# - A head of random values can take a larger rate than the adapters, in a group of its
#   own.
import tempfile

import torch
from peft import PeftModel
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

reward_config = LlamaConfig(vocab_size=31, num_hidden_layers=1, num_labels=1, **small)
reward_config.pad_token_id = 0
base = LlamaForSequenceClassification(reward_config).state_dict()
del base["score.weight"]
ids = torch.tensor([[3, 4, 5]])


def reward_model():
    model = LlamaForSequenceClassification(reward_config)
    model.load_state_dict(base, strict=False)  # the head stays random
    return model


for task in (None, "SEQ_CLS"):
    lora = LoraConfig(r=2, target_modules=["q_proj"], task_type=task)
    model = get_peft_model(reward_model(), lora).eval()
    head = [p for n, p in model.named_parameters() if "score" in n and p.requires_grad]
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        loaded = PeftModel.from_pretrained(reward_model(), folder).eval()
    same = torch.allclose(model(ids).logits, loaded(ids).logits, atol=1e-6)
    print(task, len(head), same)
    assert len(head) == same == (task == "SEQ_CLS")
try:
    get_peft_model(reward_model(), LoraConfig(task_type="CAUSAL_LM"))
except AttributeError as error:
    message = str(error)
else:
    raise AssertionError("a classifier was taken for a language model")
print(message.split("' ", 1)[1])
assert message.endswith("object has no attribute 'prepare_inputs_for_generation'")

# %%
# ``Some weights of ... were not initialized``: ``['score.weight']``, with LoRA
# -----------------------------------------------------------------------------
# At inference with LoRA: ``Some weights of MistralForSequenceClassification were not
# initialized from the model checkpoint and are newly initialized: ['score.weight']``
# comes while the *base* is loaded, whose file has no head. The adapter comes after it:
# if its file has the head, ``PeftModel.from_pretrained()`` puts it in, and the warning
# is harmless. Look into the file: with ``SEQ_CLS`` or ``modules_to_save=["score"]`` in
# the training, ``score.weight`` is there. If it is not, the head is random, and the
# results are another in each run: train again. transformers 5 prints a table with
# ``MISSING`` in place of the sentence. For BERT, the name is ``classifier.weight``.
#
# If you merge and save the model, its folder has the head, and no warning comes.
from safetensors.torch import load_file
from transformers.utils import logging

logging.disable_progress_bar()
verbosity = logging.get_verbosity()
logging.set_verbosity_error()
kind, how = LlamaForSequenceClassification, {"output_loading_info": True}
lora = LoraConfig(r=2, target_modules=["q_proj"], task_type="SEQ_CLS")
with tempfile.TemporaryDirectory() as folder:
    of_base, of_lora, of_merged = (f"{folder}/{n}" for n in ("base", "lora", "merged"))
    LlamaForCausalLM(reward_config).save_pretrained(of_base)
    trained = get_peft_model(kind.from_pretrained(of_base, num_labels=1), lora).eval()
    trained.save_pretrained(of_lora)
    # While the base is loaded, the head is missing ...
    plain, info = kind.from_pretrained(of_base, num_labels=1, **how)
    heads = [plain.score.weight.detach().clone()]
    # ... and the adapter puts it in.
    loaded = PeftModel.from_pretrained(plain, of_lora).eval()
    saved = load_file(f"{of_lora}/adapter_model.safetensors")
    in_file = [name for name in saved if "score" in name]
    merged = loaded.merge_and_unload()
    merged.save_pretrained(of_merged)
    heads.append(merged.score.weight)
    _, info_merged = kind.from_pretrained(of_merged, **how)
logging.set_verbosity(verbosity)
right = [head.equal(saved[in_file[0]]) for head in heads]
print(sorted(info["missing_keys"]), in_file, right)
assert set(info["missing_keys"]) == {"score.weight"}
assert in_file == ["base_model.model.score.weight"]
assert right == [False, True]
assert not info_merged["missing_keys"]
# %%
# No new tokens: do ``embed_tokens`` and ``lm_head`` have to be trained?
# ----------------------------------------------------------------------
# Mostly not. With an unchanged vocabulary, leave them out of ``modules_to_save``: for a
# format, a style or new facts, adapters in the linear layers suffice. Train them for a
# new language or for tokens that the model hardly knows. (`Chinese-LLaMA-Alpaca
# <https://github.com/ymcui/Chinese-LLaMA-Alpaca/issues/456>`__ trained them, as it had
# added Chinese tokens.) They are large: in Llama 2 7B, 262 million values, which make
# the file of the adapter larger by 0.5 GB in 16 bits. Training them with Adam in
# float32 takes 16 bytes for each value, 4 GB.
#
# In millions of values: LoRA alone, with the two modules, and with 100 new rows.
linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
both_ends = ["embed_tokens", "lm_head"]
new_rows = {"embed_tokens": list(range(100)), "lm_head": list(range(100))}
counts = []
for others_train in (
    {},
    {"modules_to_save": both_ends},
    {"trainable_token_indices": new_rows},
):
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1))
        model = get_peft_model(
            model, LoraConfig(r=8, target_modules=linear, **others_train)
        )
    trainable = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
    adapters = 32 * sum(n for name, n in trainable.items() if "lora_" in name)
    rest = sum(n for name, n in trainable.items() if "lora_" not in name)
    counts.append((adapters + rest) / 1e6)
print([round(count) for count in counts])
assert [round(count) for count in counts] == [20, 282, 21]

# %%
# A smaller learning rate for ``embed_tokens`` and ``lm_head``
# ------------------------------------------------------------
# They are trained whole, so a rate for LoRA is too large for them. `unsloth
# <https://docs.unsloth.ai/basics/continued-pretraining>`__ recommends a rate that is 2
# to 10 times smaller, its ``embedding_learning_rate``. With the ``Trainer``, pass an
# optimizer with two groups.
lora = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=both_ends)
model = get_peft_model(
    LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **small)), lora
)
groups = {True: [], False: []}
for name, p in model.named_parameters():
    if p.requires_grad:
        groups["modules_to_save" in name].append(p)
optimizer = torch.optim.AdamW(
    [{"params": groups[False]}, {"params": groups[True], "lr": 2e-5}], lr=2e-4
)
rates = [(group["lr"], len(group["params"])) for group in optimizer.param_groups]
print(rates)
assert rates == [(2e-4, 2), (2e-5, 2)]

# %%
# New tokens: train their rows of the embedding
# ---------------------------------------------
# After ``resize_token_embeddings()``, the new rows are frozen with random values.
# ``trainable_token_indices`` trains and saves these rows alone, and
# ``modules_to_save=["embed_tokens"]`` the whole embedding. The output layer ``lm_head``
# has new rows, too, and stays frozen if it does not share its weight.
options = {"r": 2, "target_modules": ["q_proj"]}


def llama(*, tied):
    config = LlamaConfig(vocab_size=31, num_hidden_layers=1, **small)
    config.tie_word_embeddings = tied
    model = LlamaForCausalLM(config)
    model.resize_token_embeddings(33, mean_resizing=False)
    return model


def others(model):
    parameters = model.named_parameters()
    trained = {n: p for n, p in parameters if p.requires_grad and "lora_" not in n}
    return {n.split("model.")[-1]: tuple(p.shape) for n, p in trained.items()}


rows = LoraConfig(**options, trainable_token_indices=[31, 32])
whole = LoraConfig(**options, modules_to_save=["embed_tokens"])
for lora in (LoraConfig(**options), rows, whole):
    print(others(get_peft_model(llama(tied=False), lora)))
assert others(get_peft_model(llama(tied=False), LoraConfig(**options))) == {}
assert list(others(get_peft_model(llama(tied=False), rows)).values()) == [(2, 16)]
assert list(others(get_peft_model(llama(tied=False), whole)).values()) == [(33, 16)]

# %%
# size mismatch for base_model.model.model.embed_tokens: loading an adapter
# -------------------------------------------------------------------------
# The training has added tokens, and the base that you load has its old number of rows.
# Resize the base before ``PeftModel.from_pretrained()``, to the number of rows in the
# message (often ``len(tokenizer)``; padding to a multiple can make it larger). TRL's
# ``setup_chat_format()`` adds tokens, too. There is no option such as ``strict=False``,
# and skipping the rows would lose what was trained.
#
# No error is worse: if the embedding is not in the file, the adapter also loads into a
# base that was not resized. The new tokens have no row there, and after resizing a
# random one. Name the embedding in ``modules_to_save``, or its rows in
# ``trainable_token_indices``, when you train.


def old():
    return LlamaForCausalLM(LlamaConfig(vocab_size=31, num_hidden_layers=1, **small))


with tempfile.TemporaryDirectory() as folder:
    get_peft_model(llama(tied=False), whole).save_pretrained(folder)
    try:
        PeftModel.from_pretrained(old(), folder)  # wrong: 31 rows
    except RuntimeError as error:
        message = str(error).splitlines()[1].strip()
    else:
        raise AssertionError("33 rows were loaded into 31")
    print(message)
    assert message.startswith("size mismatch for base_model.model.model.embed_tokens")
    resized = old()
    resized.resize_token_embeddings(33, mean_resizing=False)
    loaded = PeftModel.from_pretrained(resized, folder)
    print(loaded.get_input_embeddings().weight.shape[0])
    assert loaded.get_input_embeddings().weight.shape[0] == 33
    # No error, and no row of a new token: they were not saved.
    get_peft_model(llama(tied=False), LoraConfig(**options)).save_pretrained(folder)
    loaded = PeftModel.from_pretrained(old(), folder)
    assert loaded.get_input_embeddings().weight.shape[0] == 31

# %%
# ``embed_tokens`` and ``lm_head`` in ``target_modules``
# ------------------------------------------------------
# There, the weight stays frozen, and a matrix of low rank beside it is trained. That
# can adapt words that the model knows. New rows are random, so train them in full, by
# ``trainable_token_indices`` or ``modules_to_save``. The file of the adapter has the
# whole frozen weight, too: when it saves, peft warns that it sets
# ``save_embedding_layers``.
targets = LoraConfig(r=2, target_modules=["embed_tokens", "lm_head"])
model = get_peft_model(llama(tied=False), targets)
names = [name for name, p in model.named_parameters() if p.requires_grad]
print([name.split("model.")[-1] for name in names])
assert others(model) == {}
assert len(names) == 4
assert all("lora_" in name for name in names)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    saved = get_peft_model_state_dict(model)
assert any("save_embedding_layers" in str(w.message) for w in caught)
frozen = [tuple(w.shape) for name, w in saved.items() if "base_layer" in name]
print(frozen)
assert frozen == [(33, 16)] * 2

# %%
# Train only the embedding, without LoRA
# --------------------------------------
# After ``resize_token_embeddings()``, freeze everything and unfreeze both ends. If
# ``lm_head`` shares its weight, that is one parameter. All its rows train. For the new
# rows alone: :doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`. LLaMA-Factory
# has ``freeze_extra_modules``, and beside LoRA ``additional_target`` (read in
# its source, not run).
for tied in (False, True):
    model = llama(tied=tied).requires_grad_(False)
    model.get_input_embeddings().requires_grad_(True)
    model.get_output_embeddings().requires_grad_(True)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    print(trained)
    assert trained == ["model.embed_tokens.weight", "lm_head.weight"][: 2 - tied]

# %%
# ``lm_head`` requires a gradient again after ``resize_token_embeddings()``
# -------------------------------------------------------------------------
# Freeze after the resizing, and make the optimizer last: this is right in every
# version. Up to transformers 4.35, ``resize_token_embeddings()`` put a new embedding
# and a new ``lm_head`` into the model, both trainable, even if you had frozen the old
# ones. With shared weights, the two names are one tensor. So there ``lm_head`` was
# trained, if the optimizer had it and nothing masked its gradient.
#
# Since 4.36, ``requires_grad`` stays what it was (`pull request 26865
# <https://github.com/huggingface/transformers/pull/26865>`__; the sources of both
# versions were read). A model that you freeze before stays frozen, its new rows, too.
# A layer that you replace yourself is trainable again in every version.
for tied in (False, True):
    model = llama(tied=tied).requires_grad_(False)
    head = model.lm_head.weight
    # Frozen before: it stays frozen. An optimizer from before has the old head.
    model.resize_token_embeddings(35, mean_resizing=False)
    kept = [name for name, p in model.named_parameters() if p.requires_grad]
    assert (model.lm_head.weight is head) == tied
    # New layers by hand are trainable, as those of older versions were.
    model.set_input_embeddings(torch.nn.Embedding(35, 16))
    model.set_output_embeddings(torch.nn.Linear(16, 35, bias=False))
    model.tie_weights()
    new = [name for name, p in model.named_parameters() if p.requires_grad]
    # Right: frozen last.
    model.requires_grad_(False)
    print(kept, new)
    assert kept == []
    assert new == ["model.embed_tokens.weight", "lm_head.weight"][: 2 - tied]
    assert not any(p.requires_grad for p in model.parameters())

# %%
# Shared weights: pass ``ensure_weight_tying=True``
# -------------------------------------------------
# With ``tie_word_embeddings``, the embedding and ``lm_head`` have one weight.
# ``modules_to_save`` copies only the module that you name, so ``lm_head`` stays as it
# was, and peft warns. With ``ensure_weight_tying=True``, both use one copy.
# ``trainable_token_indices`` keeps the rows shared without it.
ids = torch.tensor([[3, 31, 32]])
for tie in (False, True):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        lora = LoraConfig(
            **options, modules_to_save=["embed_tokens"], ensure_weight_tying=tie
        )
        model = get_peft_model(llama(tied=True), lora)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trainable, lr=1.0)
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    network = model.base_model.model
    embedding = network.model.embed_tokens.modules_to_save["default"].weight
    head = getattr(network.lm_head, "modules_to_save", {"default": network.lm_head})
    same = embedding.equal(head["default"].weight)
    print(tie, same, head["default"].weight.requires_grad)
    assert same == head["default"].weight.requires_grad == tie
    assert any("ensure_weight_tying" in str(w.message) for w in caught) == (not tie)

model = get_peft_model(llama(tied=True), rows)
((name, shape),) = others(model).items()
head = model.base_model.model.lm_head
before = head(torch.ones(16))
torch.nn.init.ones_(model.get_parameter("base_model.model.model." + name))
changed = (head(torch.ones(16)) != before).nonzero().flatten().tolist()
print(shape, changed)
assert changed == [31, 32]


# %%
# Train a norm, a bare ``nn.Parameter`` or the base itself beside LoRA
# --------------------------------------------------------------------
# - A module, such as a norm: name it in ``modules_to_save``.
# - A bare ``nn.Parameter``, such as a scale or a class token: ``modules_to_save`` finds
#   modules only, and this name is ignored without an error. Unfreeze it after
#   ``get_peft_model()``.
# - The base, with the adapter frozen or not: unfreeze it by name, also after
#   ``get_peft_model()``.
#
# What you unfreeze by hand is not in the file of the adapter. Save it as well, and load
# it into the model after ``from_pretrained()``.
class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.norm = torch.nn.Linear(4, 4), torch.nn.LayerNorm(4)
        self.scale = torch.nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.norm(self.linear(x)) * self.scale


lora = LoraConfig(r=2, target_modules=["linear"], modules_to_save=["norm", "scale"])
model = get_peft_model(Scaled(), lora)
scale = model.get_parameter("base_model.model.scale")
print(scale.requires_grad)
assert not scale.requires_grad
assert model.base_model.model.norm.modules_to_save["default"].weight.requires_grad
scale.requires_grad_(True)
torch.nn.init.constant_(scale, 2.0)
by_hand = {"base_model.model.scale": scale.detach()}
with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)
    loaded = PeftModel.from_pretrained(Scaled(), folder, is_trainable=True)
x = torch.ones(2, 4)
assert not loaded(x).allclose(model(x))
loaded.load_state_dict(by_hand, strict=False)
loaded.get_parameter("base_model.model.scale").requires_grad_(True)
print(loaded(x).allclose(model(x)))
assert loaded(x).allclose(model(x))

# %%
# Where it ends
# -------------
# - A copy in ``modules_to_save`` keeps the dtype of the base
#   (:doc:`dtype_of_base_and_adapter`), and ``print_trainable_parameters()`` counts the
#   frozen original beside it (:doc:`what_trainer_trains`).
# - A name matches every module whose full name ends with it: ``"dense"`` copies all
#   modules of that name.
# - A wrong name in ``target_modules`` does raise an error, if no module matches:
#   :doc:`/reference/errors/not_found_in_the_base_model`.
dense = LoraConfig(r=2, target_modules=["query"], modules_to_save=["dense"])
model = get_peft_model(BertForSequenceClassification(bert), dense)
copies = [n for n, _ in model.named_modules() if n.endswith("modules_to_save.default")]
assert len(copies) == 4

try:
    get_peft_model(
        BertForSequenceClassification(bert), LoraConfig(target_modules=["quary"])
    )
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("a wrong name in target_modules was accepted")
assert message.startswith("Target modules {'quary'} not found in the base model")

# %%
# Print the names of what is trainable and of what is in the file before you train.
#
# Related: :doc:`adapter_is_loaded_frozen`, :doc:`/gallery/freezing/tied_weights`,
# :doc:`/gallery/freezing/freeze_some_rows_of_an_embedding`.
