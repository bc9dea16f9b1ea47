"""Tests the report on real models with a known mistake, and the line of it."""

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 as everyone writes it
import transformers
from torch import Tensor, nn

from gradguide import freeze
from tests.module.scenarios import (
    DROPPED,
    NEVER,
    Built,
    Scenario,
    Scenarios,
    check,
)

from .models import (
    PICTURE,
    SIZE,
    TEXT,
    bert,
    clip,
    gpt2,
    gpt2_config,
    llama,
    lora,
    t5,
    whisper,
    words,
)

scenario = Scenarios()
BASE = "base.*"


class Classifier(nn.Module):
    """A pretrained base and a new head, as one writes it by hand."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.head = nn.Linear(32, 3)


def bert_classifier(*, pooler: bool = False) -> tuple[Classifier, Tensor, Tensor]:
    config = transformers.BertConfig(**SIZE, **TEXT)
    base = transformers.BertModel(config, add_pooling_layer=pooler)
    return Classifier(base), words(), torch.tensor([0, 2])


def vit_classifier() -> tuple[Classifier, Tensor, Tensor]:
    config = transformers.ViTConfig(**SIZE, **PICTURE)
    base = transformers.ViTModel(config, add_pooling_layer=False)
    return Classifier(base), torch.randn(2, 3, 8, 8), torch.tensor([0, 2])


@scenario({BASE: ("cut", "detach()")})
def detached_hidden_states() -> Built:
    model, x, y = bert_classifier()

    def loss() -> Tensor:
        features = model.base(input_ids=x).last_hidden_state.detach()  # here
        return F.cross_entropy(model.head(features[:, 0]), y)

    return model, loss


@scenario({BASE: ("cut", "no_grad")})
def base_under_no_grad() -> Built:
    model, x, y = vit_classifier()

    def loss() -> Tensor:
        with torch.no_grad():  # here
            features = model.base(x).last_hidden_state
        return F.cross_entropy(model.head(features.mean(1)), y)

    return model, loss


@scenario({BASE: ("cut", "inference_mode")})
def base_under_inference_mode() -> Built:
    model, x, y = vit_classifier()

    def loss() -> Tensor:
        with torch.inference_mode():  # here
            features = model.base(x).last_hidden_state
        return F.cross_entropy(model.head(features.mean(1).clone()), y)

    return model, loss


@scenario({BASE: ("frozen", "")})
def frozen_base() -> Built:
    model, x, y = vit_classifier()
    freeze(model, "base")
    return model, lambda: F.cross_entropy(model.head(model.base(x)[0][:, 0]), y)


@scenario({"base.pooler.*": DROPPED})
def pooler_whose_result_is_dropped() -> Built:
    model, x, y = bert_classifier(pooler=True)
    return model, lambda: F.cross_entropy(model.head(model.base(x)[0][:, 0]), y)


@scenario({"base.encoder.layer.1.*": DROPPED})
def head_on_an_early_layer() -> Built:
    model, x, y = bert_classifier()

    def loss() -> Tensor:
        states = model.base(input_ids=x, output_hidden_states=True).hidden_states
        return F.cross_entropy(model.head(states[1][:, 0]), y)

    return model, loss


@scenario({"transformer.wpe.weight": ("cut", "detach()")})
def tied_embedding_before_a_cut() -> Built:
    """The tied embedding is the last layer as well, and trains there."""
    model, loss = gpt2()
    cut = lambda *call: call[2].detach()  # noqa: E731  # here
    model.transformer.drop.register_forward_hook(cut)
    return model, loss


@scenario({"transformer.w?e.weight": ("cut", "detach()")})
def embedding_of_its_own_before_a_cut() -> Built:
    model = transformers.GPT2LMHeadModel(gpt2_config(tie_word_embeddings=False))
    x = words()
    cut = lambda *call: call[2].detach()  # noqa: E731  # here
    model.transformer.drop.register_forward_hook(cut)
    return model, lambda: model(input_ids=x, labels=x).loss


@scenario({"transformer.wte.weight": ("frozen", "")})
def frozen_head_that_is_tied() -> Built:
    model, loss = gpt2()
    freeze(model, "lm_head")
    return model, loss


@scenario({"encoder.*": ("cut", "detach()")})
def detached_encoder() -> Built:
    model, _ = t5()
    x, y = words(), words()

    def loss() -> Tensor:
        states = model.encoder(input_ids=x).last_hidden_state.detach()  # here
        return model(encoder_outputs=(states,), labels=y).loss

    return model, loss


@scenario({"decoder.*": NEVER})
def encoder_alone() -> Built:
    model, _ = t5()
    x = words()
    return model, lambda: model.encoder(input_ids=x).last_hidden_state.square().sum()


@scenario({"model.encoder.*": ("frozen", "")})
def frozen_encoder() -> Built:
    model, loss = whisper()
    model.freeze_encoder()
    return model, loss


@scenario({"vision_model.*": NEVER, "visual_*": NEVER, "logit_scale": NEVER})
def text_alone() -> Built:
    model, _ = clip()
    x = words()
    return model, lambda: model.get_text_features(x).pooler_output.square().sum()


@scenario({"writer.*": ("cut", "argmax() is not differentiable")})
def judge_of_chosen_words() -> Built:
    writer, judge = gpt2()[0], bert()[0]
    model = nn.ModuleDict({"writer": writer, "judge": judge})
    x, y = words(), torch.tensor([0, 2])

    def loss() -> Tensor:
        chosen = model["writer"](input_ids=x).logits.argmax(-1)  # here
        return model["judge"](input_ids=chosen, labels=y).loss

    return model, loss


@scenario({})
def reward_of_written_words() -> Built:
    """Writing needs no gradient, reading what was written does."""
    model, _ = gpt2()
    x = words()

    def loss() -> Tensor:
        y = model.generate(x, max_new_tokens=3, do_sample=True)
        return model(input_ids=y, labels=y).loss * (y == 3).sum()

    return model, loss


@scenario({"reference.*": ("frozen", "")})
def preference_over_a_reference() -> Built:
    policy = llama()[0]
    reference = copy.deepcopy(policy).requires_grad_(requires_grad=False)
    model = nn.ModuleDict({"policy": policy, "reference": reference})
    x = words()

    def loss() -> Tensor:
        with torch.no_grad():
            usual = model["reference"](input_ids=x, labels=x).loss
        return -F.logsigmoid(model["policy"](input_ids=x, labels=x).loss - usual)

    return model, loss


@scenario({"*.inner.*": ("frozen", ""), "*.down.*": ("cut", "detach()")})
def adapter_with_a_cut_inside() -> Built:
    model, loss = lora()
    for name, parameter in model.named_parameters():
        parameter.requires_grad = ".inner." not in name
    for layer in model.model.layers:
        down = layer.self_attn.q_proj.down, layer.self_attn.v_proj.down
        for linear in down:
            cut = lambda *call: call[2].detach()  # noqa: E731  # here
            linear.register_forward_hook(cut)
    return model, loss


@scenario({"*": ("frozen", "")})
def adapter_frozen_with_the_rest() -> Built:
    model, loss = lora()
    model.requires_grad_(requires_grad=False)
    return model, loss


@pytest.mark.parametrize("scenario", scenario, ids=lambda s: s.code.__name__)
def test_scenario(scenario: Scenario) -> None:
    """Each parameter gets the right verdict, reason and line."""
    check(scenario)
