"""Builds small models of the package transformers from their configs alone."""

from collections.abc import Callable

import torch
import transformers
from torch import Tensor, nn

Made = tuple[transformers.PreTrainedModel, Callable[[], Tensor]]
Make = Callable[[], Made]

SIZE = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
}
TEXT = {"vocab_size": 31, "max_position_embeddings": 16}
PICTURE = {"image_size": 8, "patch_size": 4}


def words() -> Tensor:
    return torch.randint(3, 31, (2, 6))


def gpt2_config(**options: object) -> transformers.GPT2Config:
    size = {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 16}
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return transformers.GPT2Config(vocab_size=31, **size, **special, **options)


def gpt2() -> Made:
    model = transformers.GPT2LMHeadModel(gpt2_config())
    x = words()
    return model, lambda: model(input_ids=x, labels=x).loss


def llama() -> Made:
    config = transformers.LlamaConfig(**SIZE, **TEXT, num_key_value_heads=1)
    model = transformers.LlamaForCausalLM(config)
    x = words()
    return model, lambda: model(input_ids=x, labels=x).loss


def mixtral() -> Made:
    config = transformers.MixtralConfig(
        **(SIZE | TEXT),
        num_key_value_heads=1,
        num_local_experts=4,
        output_router_logits=True,
    )
    model = transformers.MixtralForCausalLM(config)
    x = words()
    return model, lambda: model(input_ids=x, labels=x).loss


def mamba() -> Made:
    config = transformers.MambaConfig(
        num_hidden_layers=2, hidden_size=32, vocab_size=31, state_size=4
    )
    model = transformers.MambaForCausalLM(config)
    x = words()
    return model, lambda: model(input_ids=x, labels=x).loss


def bert() -> Made:
    config = transformers.BertConfig(**SIZE, **TEXT, num_labels=3)
    model = transformers.BertForSequenceClassification(config)
    x, y = words(), torch.tensor([0, 2])
    return model, lambda: model(input_ids=x, labels=y).loss


def t5() -> Made:
    size = {"num_layers": 2, "d_model": 32, "d_kv": 16, "d_ff": 48, "num_heads": 2}
    config = transformers.T5Config(**size, vocab_size=31, decoder_start_token_id=0)
    model = transformers.T5ForConditionalGeneration(config)
    x, y = words(), words()
    return model, lambda: model(input_ids=x, labels=y).loss


def vit() -> Made:
    config = transformers.ViTConfig(**SIZE, **PICTURE, num_labels=3)
    model = transformers.ViTForImageClassification(config)
    x, y = torch.randn(2, 3, 8, 8), torch.tensor([0, 2])
    return model, lambda: model(pixel_values=x, labels=y).loss


def clip() -> Made:
    text = SIZE | TEXT | {"bos_token_id": 1, "eos_token_id": 2}
    config = transformers.CLIPConfig(
        text_config=text, vision_config=SIZE | PICTURE, projection_dim=16
    )
    model = transformers.CLIPModel(config)
    x, y = words(), torch.randn(2, 3, 8, 8)
    return model, lambda: model(input_ids=x, pixel_values=y, return_loss=True).loss


def whisper() -> Made:
    both = {"layers": 2, "ffn_dim": 48, "attention_heads": 2}
    config = transformers.WhisperConfig(
        **{f"encoder_{name}": number for name, number in both.items()},
        **{f"decoder_{name}": number for name, number in both.items()},
        d_model=32,
        vocab_size=31,
        num_mel_bins=4,
        max_source_positions=6,
        max_target_positions=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    model = transformers.WhisperForConditionalGeneration(config)
    x, y = torch.randn(2, 4, 12), words()
    return model, lambda: model(input_features=x, labels=y).loss


def wav2vec2(layerdrop: float = 0) -> Made:
    """Return a model that masks its input, and may leave out layers by chance."""
    config = transformers.Wav2Vec2Config(
        **SIZE,
        vocab_size=31,
        conv_dim=(8, 8),
        conv_stride=(2, 2),
        conv_kernel=(3, 3),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        mask_time_length=2,
        layerdrop=layerdrop,
    )
    model = transformers.Wav2Vec2ForCTC(config)
    x, y = torch.randn(2, 90), words()
    return model, lambda: model(input_values=x, labels=y).loss


class LoRA(nn.Module):
    """A linear layer and a correction of low rank, which starts as zero."""

    def __init__(self, inner: nn.Linear) -> None:
        super().__init__()
        self.inner = inner
        self.down = nn.Linear(inner.in_features, 2, bias=False)
        self.up = nn.Linear(2, inner.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + self.up(self.down(x))


def lora() -> Made:
    """Return a frozen model in which only adapters train."""
    model, loss = llama()
    model.requires_grad_(requires_grad=False)
    for layer in model.model.layers:
        layer.self_attn.q_proj = LoRA(layer.self_attn.q_proj)
        layer.self_attn.v_proj = LoRA(layer.self_attn.v_proj)
    return model, loss


ALL = [gpt2, llama, mixtral, mamba, bert, t5, vit, clip, whisper, wav2vec2, lora]
