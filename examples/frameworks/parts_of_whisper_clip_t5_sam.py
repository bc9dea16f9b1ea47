"""
Whisper, CLIP, T5, BERT, SAM: freeze the encoder, and look at the weights it shares
===================================================================================

A part of a model from transformers is frozen by ``requires_grad_(False)`` on it. The
part may share a weight with the other half, and then that is frozen, too. What is
outside of both halves stays trainable.
"""

# %%
import torch
import transformers

transformers.logging.set_verbosity_error()
torch.manual_seed(0)
config = transformers.T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=1, vocab_size=31)


def frozen_names(model):
    return [name for name, p in model.named_parameters() if not p.requires_grad]


# Wrong: the embedding is shared, so the decoder's input is frozen, too.
wrong = transformers.T5ForConditionalGeneration(config)
wrong.encoder.requires_grad_(False)
# Right: the layers of the encoder only.
right = transformers.T5ForConditionalGeneration(config)
right.encoder.block.requires_grad_(False)
right.encoder.final_layer_norm.requires_grad_(False)
print("shared.weight" in frozen_names(wrong), "shared.weight" in frozen_names(right))
assert "shared.weight" in frozen_names(wrong)
assert "shared.weight" not in frozen_names(right)

# %%
# ``shared`` is the embedding of encoder and decoder, and in T5 1.0 (not in 1.1 and mT5)
# the output layer as well. In the right form it trains, so the frozen encoder has a
# trainable input: it is recorded, and keeps activations. If you freeze to save memory,
# freeze ``shared`` as well. BART, mBART and Pegasus share in the same way.
ids = torch.tensor([[3, 4, 5]])
for model in (wrong, right):
    hidden = model.encoder(input_ids=ids).last_hidden_state
    print(hidden.requires_grad)
    assert hidden.requires_grad == (model is right)

# %%
# Whisper: freeze the encoder or the decoder, and what about ``proj_out``?
# ------------------------------------------------------------------------
# - ``model.freeze_encoder()`` freezes the encoder. Its position embedding is frozen
#   from the start. It sets no mode: its dropout, if the configuration has any, stays on
#   in ``train()``.
# - ``model.model.decoder.requires_grad_(False)`` freezes the output layer as well:
#   ``proj_out`` shares the weight of ``decoder.embed_tokens``.
# - ``freeze_feature_encoder()`` belongs to Wav2Vec2 and its relatives: Whisper has no
#   such method.
#
# Should the encoder be frozen? It saves memory, and is worth a try if language and
# sound are known and only words are new (names, medicine). For a language that Whisper
# has not seen, or new sound (noise, telephone, children), train it, too: on Pashto,
# freezing two of the six encoder layers of ``whisper-base`` made the word error rate
# worse by 15 points, LoRA by 33 (`a comparison <https://arxiv.org/abs/2604.06507>`__).
# `The blog about fine-tuning Whisper
# <https://huggingface.co/blog/fine-tune-whisper>`__ trains all weights at ``1e-5``.
# Measure the error rate on your own recordings.
sizes = {"d_model": 16, "vocab_size": 31, "pad_token_id": 0, "num_mel_bins": 4}
sizes |= {"max_source_positions": 8, "max_target_positions": 8}
for side in ("encoder", "decoder"):
    sizes |= {f"{side}_layers": 1, f"{side}_attention_heads": 2, f"{side}_ffn_dim": 32}


def whisper():
    return transformers.WhisperForConditionalGeneration(
        transformers.WhisperConfig(**sizes)
    )


by_method, by_decoder = whisper(), whisper()
print(frozen_names(by_method))
assert frozen_names(by_method) == ["model.encoder.embed_positions.weight"]
by_method.freeze_encoder()
by_decoder.model.decoder.requires_grad_(False)
parts = [
    {name.split(".")[1] for name in frozen_names(m)} for m in (by_method, by_decoder)
]
print(
    parts[0], by_method.model.encoder.training, by_decoder.proj_out.weight.requires_grad
)
assert parts[0] == {"encoder"}
assert by_method.model.encoder.training
assert not by_decoder.proj_out.weight.requires_grad
assert not hasattr(by_method, "freeze_feature_encoder")

# %%
# CLIP: freeze the text encoder, the image encoder or both
# --------------------------------------------------------
# ``text_model`` and ``vision_model`` do not contain everything. With both frozen, the
# two projections and ``logit_scale`` still train. Freeze them by name if only a module
# of your own should train.
#
# - *A new kind of image* (medicine, satellites): freeze the text encoder, and train the
#   image encoder at a small rate: compare ``1e-5`` and ``1e-6``.
# - *A strong image encoder and new texts*: freeze the image encoder, and train the text
#   encoder, as `LiT <https://arxiv.org/abs/2111.07991>`__ does.
# - *Few images*: freeze both and train a linear head, prompts or small adapters. Full
#   fine-tuning costs robustness on other data (`Wortsman et al.
#   <https://arxiv.org/abs/2109.01903>`__).
#
# In the package ``clip`` of OpenAI, the image encoder is ``model.visual``. The text
# encoder is no module of its own: freeze ``transformer``, ``token_embedding``,
# ``positional_embedding``, ``ln_final`` and ``text_projection``. On a GPU,
# ``clip.load()`` gives weights in float16: call ``model.float()`` before you train
# (from `its source <https://github.com/openai/CLIP/blob/main/clip/model.py>`__, not
# run).
half = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
half["num_hidden_layers"] = 1
clip = transformers.CLIPModel(
    transformers.CLIPConfig(
        text_config=half | {"vocab_size": 31, "max_position_embeddings": 8},
        vision_config=half | {"image_size": 8, "patch_size": 4},
        projection_dim=8,
    )
)
clip.text_model.requires_grad_(False)
clip.vision_model.requires_grad_(False)
left = [name for name, p in clip.named_parameters() if p.requires_grad]
print(*left)
assert left == ["logit_scale", "visual_projection.weight", "text_projection.weight"]

# %%
# SAM: train only the mask decoder, and compute each image once
# -------------------------------------------------------------
# Freeze ``vision_encoder`` and ``prompt_encoder`` and train ``mask_decoder``. The image
# encoder is by far the largest part. With all of it frozen, its output for an image is
# the same for every box and every epoch: compute it once, under ``no_grad()``, and pass
# ``image_embeddings``. That holds without augmentation.
#
# In the package ``segment_anything`` the parts are called ``image_encoder``,
# ``prompt_encoder`` and ``mask_decoder``. Its ``SamPredictor`` and ``model.forward()``
# run under ``no_grad()``, so call the three parts yourself (from `its source
# <https://github.com/facebookresearch/segment-anything/blob/main/segment_anything/modeling/sam.py>`__,
# not run). If the frozen encoder does not fit your images, as with satellites or
# microscopes, put LoRA into its ``qkv``, or train it at a smaller rate.
vision = {"hidden_size": 16, "output_channels": 8, "num_hidden_layers": 1}
vision |= {"num_attention_heads": 2, "image_size": 32, "patch_size": 8, "mlp_dim": 32}
vision |= {"window_size": 2, "global_attn_indexes": [0], "num_pos_feats": 4}
prompts = {"hidden_size": 8, "image_size": 32, "patch_size": 8}
decoder = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
decoder |= {"mlp_dim": 16, "iou_head_hidden_dim": 8, "attention_downsample_rate": 1}
sam = transformers.SamModel(
    transformers.SamConfig(
        vision_config=vision,
        prompt_encoder_config=prompts | {"mask_input_channels": 4},
        mask_decoder_config=decoder,
    )
)
sam.requires_grad_(False)
sam.mask_decoder.requires_grad_(True)
image = torch.randn(1, 3, 32, 32)
with torch.no_grad():
    embeddings = sam.get_image_embeddings(image)
for box in ([2.0, 2.0, 10.0, 10.0], [5.0, 5.0, 20.0, 20.0]):
    boxes = {"input_boxes": torch.tensor([[box]]), "multimask_output": False}
    once = sam(image_embeddings=embeddings, **boxes).pred_masks
    again = sam(pixel_values=image, **boxes).pred_masks
    once.square().mean().backward()
    print(tuple(once.shape), torch.allclose(once, again, atol=1e-5))
    assert torch.allclose(once, again, atol=1e-5)
reached = {n.split(".")[0] for n, p in sam.named_parameters() if p.grad is not None}
print(reached)
assert reached == {"mask_decoder"}

# %%
# BERT: freeze all of it, or how many layers?
# -------------------------------------------
# - *All frozen, a head on top*: fast, and the features can be computed once. The
#   accuracy is often clearly lower, because the pretrained output was not made for your
#   task. Give the head ``1e-3``: with ``2e-5`` it hardly learns.
# - *The last quarter trained*: with it, `Lee et al. <https://arxiv.org/abs/1911.03090>`__
#   reached 90% of the quality of full fine-tuning.
# - *All trained*, at ``2e-5`` to ``5e-5``: the usual choice, if the memory suffices.
#
# Freeze from the input on: embeddings, then the first layers. Then nothing below the
# first trainable layer is kept for ``backward()``. Gaps, such as every second layer,
# save far less.
bert = transformers.BertForSequenceClassification(
    transformers.BertConfig(**half | {"num_hidden_layers": 4}, vocab_size=31)
)
layers = bert.bert.encoder.layer


def recorded(model):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor
    ):
        model(input_ids=ids)
    return len(kept)


everything = recorded(bert)
bert.bert.requires_grad_(False)
only_head = recorded(bert)
layers[3].requires_grad_(True)
last = recorded(bert)
layers[3].requires_grad_(False)
layers[0].requires_grad_(True)
first = recorded(bert)
print(only_head < last < first <= everything, last < everything / 2 < first)
assert only_head < last < first <= everything
assert last < everything / 2 < first

# %%
# Print the frozen names after the last freeze. A name that you did not expect is
# mostly a shared weight: :doc:`/gallery/freezing/tied_weights`.
#
# Related: :doc:`what_trainer_trains`, :doc:`/gallery/freezing/freeze_by_name`,
# :doc:`lora_reaches_the_vision_tower`, :doc:`/gallery/recipes/feature_cache`.
