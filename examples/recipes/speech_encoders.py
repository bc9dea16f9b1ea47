"""
wav2vec 2.0, HuBERT, Whisper: only blanks, WER 1.0, and what to freeze
======================================================================

Freeze the convolutions, keep the encoder frozen for the first steps, and then train it
at a small rate. A rate that is right for a new head can destroy a pretrained encoder,
and CTC then predicts only blanks.
"""

# %%
import torch
from torch import nn

torch.manual_seed(0)
layers = nn.Sequential(nn.Linear(8, 8), nn.Dropout(), nn.Linear(8, 8))
parts = {"feature_extractor": nn.Conv1d(1, 8, 4, stride=2), "layers": layers}
encoder = nn.ModuleDict(parts)  # as in transformers, with fewer layers
model = nn.ModuleDict({"wav2vec2": encoder, "lm_head": nn.Linear(8, 5)})
trains = {}
for call, part in (
    ("no call", None),
    ("freeze_feature_encoder()", encoder.feature_extractor),
    ("freeze_base_model()", encoder),
):
    model.requires_grad_(True)
    if part is not None:
        part.requires_grad_(False)
    trains[call] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{call:25}{trains[call]:4} parameters train")
assert list(trains.values()) == [229, 189, 45]

# %%
# - ``freeze_feature_encoder()`` of transformers (``freeze_feature_extractor()`` in old
#   versions) freezes the convolutions at the input. It is the usual choice for
#   fine-tuning: they are general, and cost much memory.
# - ``freeze_base_model()`` freezes all but the head. For classification that can be
#   enough; a CTC head on a frozen wav2vec 2.0 that was never fine-tuned for text is
#   mostly poor.
# - Whisper has ``freeze_encoder()``, and no ``freeze_feature_encoder()``, see below.
#
# The loss stays at 2.9, WER is 1.0 and the output is empty: only blanks
# ----------------------------------------------------------------------
# In the first hundreds of steps that is normal: a CTC model first learns to predict
# blanks, and the loss has a plateau there. If it stays, these are the causes:
#
# - *The encoder trains at the rate of the head.* Reports: at ``1e-4`` for the encoder
#   the loss stayed at 2.9 to 3.1, and the same with a frozen encoder learned
#   (SpeechBrain `1410 <https://github.com/speechbrain/speechbrain/issues/1410>`__ and
#   `2067 <https://github.com/speechbrain/speechbrain/issues/2067>`__). Take a smaller
#   rate for the encoder, a warm-up, and freeze it for the first steps.
# - *All is frozen but the head*, and the encoder has no idea of letters: unfreeze it.
# - *The labels are wrong*: padding must be ``-100`` (in transformers) or cut off, the
#   blank's index must be the same in loss and decoder, and letters must exist in the
#   vocabulary.
# - *The sound is not as in pretraining*: 16 kHz, normalized or not.
#
# So watch the share of blanks in the predictions beside the loss. Below, the same head
# is trained on features that tell the letters apart, and on features that say nothing,
# as those of an encoder that was destroyed, or never heard speech.


def blanks_and_loss(*, informative):
    torch.manual_seed(0)
    targets = torch.randint(1, 5, (8, 4))
    letters = torch.stack([targets, torch.zeros_like(targets)], 2).flatten(1)
    features = nn.functional.one_hot(letters, 6).float()  # a letter, a pause, ...
    head = nn.Linear(6, 5)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    lengths = torch.full((8,), 8), torch.full((8,), 4)
    for _ in range(60):
        log_probs = head(features * informative).log_softmax(2)
        loss = nn.functional.ctc_loss(log_probs.transpose(0, 1), targets, *lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (log_probs.argmax(2) == 0).float().mean().item(), loss.item()


for informative in (True, False):
    share, loss = blanks_and_loss(informative=informative)
    print(f"{informative=!s:5} blanks {share:.0%}, the loss stays high: {loss > 0.8}")
    assert (share == 1) == (loss > 0.8) != informative

# %%
# CTC loss is inf or nan, ``zero_infinity=True``: some samples train nothing
# --------------------------------------------------------------------------
# The loss is infinite if a sample has fewer frames behind the encoder than letters
# (plus one for each doubled letter), and the gradient is NaN. ``zero_infinity=True``
# makes loss *and* gradient of this sample zero, so it trains nothing, without a
# message. Count such samples and drop them, or reduce the stride of the encoder.
targets = torch.tensor([[1, 2, 3, 4]])
frames, letters = torch.tensor([3]), torch.tensor([4])
results = {}
for zero_infinity in (False, True):
    logits = torch.zeros(3, 1, 5, requires_grad=True)
    loss = nn.functional.ctc_loss(
        logits.log_softmax(2), targets, frames, letters, zero_infinity=zero_infinity
    )
    loss.backward()
    results[zero_infinity] = loss.item(), logits.grad.sum().item()
    print(f"{zero_infinity=}: loss, gradient:", *results[zero_infinity])
assert results[True] == (0, 0)
assert results[False][0] == float("inf")
assert results[False][1] != 0

# %%
# ``freeze_finetune_updates``: the encoder is frozen for the first N steps
# ------------------------------------------------------------------------
# fairseq (and AV-HuBERT) runs the encoder under ``no_grad()`` until then (`source
# <https://github.com/facebookresearch/fairseq/blob/main/fairseq/models/wav2vec/wav2vec2_asr.py>`__,
# read, not run). The encoder is in the optimizer from the start: without a gradient,
# its parameters are skipped. In a loop of your own it is one line, and the optimizer
# needs no change when the encoder joins. But ``no_grad()`` does not switch off dropout,
# masking or LayerDrop: the frozen encoder still draws them. That is a choice: it is
# augmentation. For the same features each time, call ``encoder.eval()``.


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature_extractor = nn.Conv1d(1, 8, 4, stride=2)
        self.layers = nn.Sequential(nn.Linear(8, 8), nn.Dropout(), nn.Linear(8, 8))

    def forward(self, sound):
        return self.layers(self.feature_extractor(sound).transpose(1, 2))


encoder, lm_head = Encoder(), nn.Linear(8, 5)
optimizer = torch.optim.AdamW([*encoder.parameters(), *lm_head.parameters()], lr=0.01)
sound, freeze_updates, moved_in = torch.randn(4, 1, 20), 3, []
for step in range(5):
    before = encoder.layers[0].weight.detach().clone()
    with torch.set_grad_enabled(step >= freeze_updates):
        hidden = encoder(sound)
    optimizer.zero_grad()
    lm_head(hidden).square().mean().backward()
    optimizer.step()
    moved_in.append(not encoder.layers[0].weight.equal(before))
print("the encoder moves:", moved_in)
assert moved_in == [False] * 3 + [True] * 2
with torch.no_grad():
    assert not encoder(sound).equal(encoder(sound))
    encoder.eval()
    assert encoder(sound).equal(encoder(sound))

# %%
# Whisper: freeze the encoder or the decoder?
# -------------------------------------------
# ``freeze_encoder()`` freezes the whole encoder, so that only the decoder trains.
# ``freeze_feature_encoder()`` is a method of wav2vec 2.0 and HuBERT for their
# convolutions alone. Whisper's two convolutions are a part of its encoder, and its
# classes do not have this method (transformers 5), so a script that calls it without
# defining it raises an ``AttributeError``. To freeze them alone, call
# ``requires_grad_(False)`` on ``conv1`` and ``conv2`` of ``model.model.encoder``.
#
# - *Encoder frozen* (``model.freeze_encoder()``): a common choice if the sound is
#   ordinary and language, vocabulary or style of the text is new. The features can then
#   be computed once (:doc:`feature_cache`), unless you augment the sound.
# - *Decoder frozen*: if the sound is new (noise, children, telephone) and the text is
#   ordinary.
# - *Both*, at a small rate such as ``1e-5``, if there are some hours of data; or LoRA.
#
# ``proj_out`` shares its weight with the embedding of the decoder: freezing the decoder
# freezes it, too, and unfreezing ``proj_out`` unfreezes the embedding (as in
# `distil-whisper <https://github.com/huggingface/distil-whisper/pull/126>`__). Only one
# of the two can't be trained without untying them:
# :doc:`/gallery/freezing/tied_weights`.
decoder, proj_out = nn.Embedding(10, 8), nn.Linear(8, 10, bias=False)
proj_out.weight = decoder.weight
decoder.requires_grad_(False)
print("proj_out trains:", proj_out.weight.requires_grad)
assert not proj_out.weight.requires_grad
proj_out.requires_grad_(True)
assert decoder.weight.requires_grad

# %%
# A weighted sum of the layers of a frozen encoder (SUPERB, s3prl): it does not learn
# -----------------------------------------------------------------------------------
# The encoder may run under ``no_grad()``, the weighted sum must not. If the sum is a
# part of the encoder's ``forward()``, ``no_grad()`` around it, or ``detach()`` on its
# result, cuts the layer weights off as well, without an error, because the head still
# trains. Take all hidden states (``output_hidden_states=True``) and sum them outside.
layer_weights, head = nn.Parameter(torch.zeros(3)), nn.Linear(8, 2)
layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)]).requires_grad_(False)


def hidden_states(x):
    states = []
    for layer in layers:
        x = layer(x).tanh()
        states.append(x)
    return torch.stack(states)


def weighted(states):
    return torch.einsum("l,lbd->bd", layer_weights.softmax(0), states)


x = torch.randn(4, 8)
learns = {}
for way in ("sum under no_grad()", "sum outside"):
    layer_weights.grad = None
    with torch.no_grad():
        states = hidden_states(x)
        features = weighted(states)
    if way == "sum outside":
        features = weighted(states)
    head(features).square().sum().backward()
    learns[way] = layer_weights.grad is not None
    print(f"{way:20} the layer weights get a gradient: {learns[way]}")
assert list(learns.values()) == [False, True]

# %%
# Related: :doc:`/gallery/frameworks/what_trainer_trains`,
# :doc:`/gallery/freezing/unfreeze_gradually`,
# :doc:`/gallery/freezing/accuracy_falls_after_unfreezing`,
# :doc:`/gallery/freezing/parametrized_and_lazy_layers` (``pos_conv_embed`` has weight
# norm).
