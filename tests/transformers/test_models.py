"""Tests the report on real models, sound ones and some with a known mistake."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gradguide import changed, explain, freeze, graph, saved
from gradguide._report.report import Report
from tests.module.scenarios import agree, line_of

from .models import (
    ALL,
    Make,
    bert,
    lora,
    mamba,
    wav2vec2,
    words,
)

every_model = pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
# PyTorch warns of a checkpoint whose input needs no gradient, which is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")


def parameters(report: Report) -> dict[str, str]:
    return {row.name: row.verdict for row in report if row.kind == "parameter"}


def everything(model: nn.Module) -> list[object]:
    """Return all that must be as before; gradients by value and by identity."""
    generator = np.random.get_state(legacy=False)["state"]
    return [
        {name: t.tolist() for name, t in model.state_dict().items()},
        {name: p.requires_grad for name, p in model.named_parameters()},
        {name: id(p.grad) for name, p in model.named_parameters()},
        [p.grad.tolist() for p in model.parameters() if p.grad is not None],
        [module.training for module in model.modules()],
        (torch.get_rng_state().tolist(), random.getstate()),
        (generator["key"].tolist(), generator["pos"]),
    ]


@every_model
@pytest.mark.parametrize("train", [True, False])
def test_sound(make: Make, train: bool) -> None:
    """Sound models train whole, and nothing of them is changed."""
    model, loss = make()
    model.train(train)
    for parameter in list(model.parameters())[::2]:
        parameter.grad = torch.randn_like(parameter)
    before = everything(model)
    with changed(model) as names:
        report = explain(model, loss)
    assert names == []
    assert everything(model) == before
    problems = [(row.name, row.verdict) for row in report.problems]
    masks = "wav2vec2.masked_spec_embed"  # only in training
    assert problems == ([(masks, "unused")] if make is wav2vec2 and not train else [])
    agree(model, loss, parameters(report))


@pytest.mark.parametrize(
    "make", [make for make in ALL if make is not mamba], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention(make: Make, attention: str) -> None:
    """Parameters train with each implementation of attention."""
    model, loss = make()
    model.set_attn_implementation(attention)
    report = explain(model, loss)
    assert report.problems == ()
    agree(model, loss, parameters(report))


@every_model
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision(make: Make, dtype: torch.dtype) -> None:
    """Under autocast parameters train, also after a forward under no_grad."""
    model, loss = make()

    def mixed() -> Tensor:
        with torch.autocast("cpu", dtype):
            with torch.no_grad():
                loss()
            return loss()

    report = explain(model, mixed)
    assert report.problems == ()
    agree(model, mixed, parameters(report))


@every_model
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoint(make: Make, reentrant: bool) -> None:
    """Parameters in a checkpoint train or, if it is reentrant, are unknown."""
    model, loss = make()
    kwargs = {"use_reentrant": reentrant}
    model.activation_checkpointing_enable(activation_checkpointing_kwargs=kwargs)
    report = explain(model, loss)
    if reentrant:
        assert {row.verdict for row in report.problems} <= {"unknown", "unused"}
        for row in report.problems:
            if row.verdict == "unknown":
                assert row.why == "reentrant checkpoint"
    else:
        assert report.problems == ()
    agree(model, loss, parameters(report))


Forward = Callable[..., object]
Cut = Callable[[Forward], Forward]


def detached(forward: Forward) -> Forward:
    def cut(*args: object, **kwargs: object) -> object:
        result = forward(*args, **kwargs)
        first, *others = (result,) if isinstance(result, Tensor) else result
        first = first.detach()  # here
        return first if isinstance(result, Tensor) else (first, *others)

    return cut


def without_gradients(forward: Forward) -> Forward:
    def cut(*args: object, **kwargs: object) -> object:
        with torch.no_grad():  # here
            return forward(*args, **kwargs)

    return cut


@every_model
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("cut", "why"), [(detached, "detach()"), (without_gradients, "no_grad")]
)
def test_cut_layer(
    make: Make, place: int, cut: Callable[..., object], why: str
) -> None:
    """A cut layer and all layers before it are reported, with the line."""
    model, loss = make()
    model.eval()  # no layer is left out by chance
    layers = next(m for m in model.modules() if isinstance(m, nn.ModuleList))
    layers[place].forward = cut(layers[place].forward)
    report = explain(model, loss)
    cuts = [row for row in report.problems if row.verdict != "unused"]
    assert cuts
    for row in cuts:
        at = row.where.partition(" in ")[0]
        assert (row.verdict, row.why, at) == ("cut", why, line_of(cut))
    agree(model, loss, parameters(report))


@settings(max_examples=100)
@given(
    st.sampled_from(ALL),
    st.sets(st.integers(0, 100), max_size=5),
    st.sampled_from([None, False, True]),
    st.sampled_from([None, detached, without_gradients]),
    st.booleans(),
)
def test_frozen_parts(
    make: Make,
    parts: set[int],
    reentrant: bool | None,
    cut: Cut | None,
    train: bool,
) -> None:
    """With random parts frozen and cut, each verdict agrees with a real backward."""
    torch.manual_seed(0)
    model, loss = make()
    model.train(train)
    if reentrant is not None:
        kwargs = {"use_reentrant": reentrant}
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=kwargs)
    if len(parts) % 2:
        model.disable_input_require_grads()
    names = [n for n, m in model.named_modules() if n and list(m.parameters())]
    freeze(model, *(names[part % len(names)] for part in parts or {0}))
    if cut is not None:
        lists = [m for m in model.modules() if isinstance(m, nn.ModuleList)]
        layer = lists[len(parts) % len(lists)][0]
        layer.forward = cut(layer.forward)
    report = explain(model, loss)
    verdicts = parameters(report)
    assert reentrant or "unknown" not in verdicts.values()
    assert {row.kind for row in report} == {"parameter"}
    value = loss()
    if not value.requires_grad:
        assert "trains" not in verdicts.values()
        return
    assert saved(value, model).bytes >= 0
    assert str(graph(value, model)).startswith("loss ()")
    for name, verdict in parameters(explain(model, value)).items():
        if "unknown" not in {verdict, verdicts[name]}:
            assert (verdict == "trains") == (verdicts[name] == "trains"), name
    agree(model, lambda: value, verdicts)


@every_model
def test_picture(make: Make) -> None:
    """The graph of a real model is drawn, with its loss on top."""
    model, loss = make()
    picture = graph(loss(), model, depth=5)._repr_svg_()
    assert picture is not None
    assert "loss ()" in picture


@pytest.mark.parametrize("seed", range(10))
def test_layers_left_out_by_chance(seed: int) -> None:
    """The report holds for the next run, which draws the same random numbers."""
    torch.manual_seed(seed)
    model, loss = wav2vec2(layerdrop=0.5)
    report = explain(model, loss)
    for row in report.problems:
        assert row[:3] == (row.name, "unused", "never read in the forward")
        assert row.name.startswith("wav2vec2.encoder.layers.")
    agree(model, loss, parameters(report))


def test_adapter() -> None:
    """In an adapter whose second factor is zero, the first gets a gradient of zero."""
    model, loss = lora()
    report = explain(model, loss, gradients=True)
    names = {row.name for row in report if row.verdict != "frozen"}
    assert {name.split(".")[-2] for name in names} == {"down", "up"}
    zero = {row.name for row in report.problems if row.verdict == "zero"}
    assert zero == {name for name in names if ".down." in name}
    assert len(zero) == len(report.problems) == 4


def test_adapter_in_reentrant_checkpoint() -> None:
    """A checkpoint whose input needs no gradient cuts off the adapters inside."""
    model, loss = lora()
    kwargs = {"use_reentrant": True}
    model.activation_checkpointing_enable(activation_checkpointing_kwargs=kwargs)
    report = explain(model, loss)
    unknown = [row.why for row in report if row.verdict == "unknown"]
    assert unknown == ["reentrant checkpoint"] * 8
    assert not report.problems
    model.disable_input_require_grads()
    report = explain(model, loss)
    assert len(report.problems) == 8
    for row in report.problems:
        assert row[1:3] == ("cut", "reentrant checkpoint")
        assert row.where.startswith("modeling_layers.py:")
    assert not loss().requires_grad


def test_head_made_after_the_optimizer() -> None:
    """A new head is nothing that the optimizer knows; embeddings stay what they are."""
    model, _ = bert()
    optimizer = torch.optim.AdamW(model.parameters())
    model.resize_token_embeddings(40)
    model.classifier = nn.Linear(32, 5)
    model.num_labels = model.config.num_labels = 5
    x, y = words(), torch.tensor([0, 4])
    report = explain(model, lambda: model(input_ids=x, labels=y).loss, optimizer)
    new = [row.name for row in report if row.verdict == "not in optimizer"]
    assert new == ["classifier.weight", "classifier.bias"]
    gone = [row.numel for row in report.problems if row.kind == "optimizer"]
    assert gone == [3 * 32, 3]
    assert len(report.problems) == 4
