"""Tests which names a pattern matches, and the error where it matches none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradguide import freeze, unfreeze

from .nets import Net, everything, flags

NAMES = st.sampled_from(
    ["layer1", "layer10", "layer2", "head", "0", "1", "weight", "bias", "*", "?", "[0-"]
)
PATTERNS = st.lists(
    st.one_of(
        st.text(max_size=300),
        st.text("*?[]!-.abe", max_size=300),
        st.lists(NAMES, max_size=4).map(".".join),
    ),
    max_size=6,
)


def test_everything() -> None:
    """Without patterns, all parameters are frozen."""
    model = Net()
    frozen = freeze(model)
    assert frozen.names == tuple(name for name, _ in model.named_parameters())
    assert frozen.stats == ("layer1.1", "layer2.1")
    assert not any(flags(model).values())


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("layer1", ("layer1.0.*", "layer1.1.*")),
        ("head.bias", ("head.bias",)),
        ("head.*", ("head.*",)),
        ("layer?.0.bias", ("layer1.0.bias", "layer2.0.bias")),
        ("layer[2-9]", ("layer2.0.*",)),
        ("*ead", ("head.*",)),
    ],
)
def test_pattern(pattern: str, names: tuple[str, ...]) -> None:
    """A name or a glob is a parameter, or all of a module, but not of ``layer10``."""
    model = Net()
    expected = [n.replace("*", part) for n in names for part in ("weight", "bias")]
    assert freeze(model, pattern).names == tuple(dict.fromkeys(expected))
    assert [n for n, on in flags(model).items() if not on] == list(
        dict.fromkeys(expected)
    )


def test_order_of_names() -> None:
    """Names come in the model's order, once, whatever the order of the patterns."""
    frozen = freeze(Net(), "head", "head.bias", "layer10", "*.bias")
    assert frozen.names[:2] == ("layer1.0.bias", "layer1.1.bias")
    assert frozen.names[-2:] == ("head.weight", "head.bias")
    assert len(set(frozen.names)) == len(frozen.names)


def test_tied_parameters() -> None:
    """Tied parameters are one, under the first name, however they are named."""
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    assert freeze(model, "1").names == ("0.weight",)
    assert unfreeze(model, "1.weight", "0.weight") == ("0.weight",)


def test_equal_values_are_not_tied() -> None:
    """Parameters are compared by identity, never by value."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].load_state_dict(model[0].state_dict())
    freeze(model, "0")
    assert model[1].weight.requires_grad


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("layer7", "; did you mean 'layer1', 'layer2', 'layer10'?"),
        ("head.wieght", "; did you mean 'head.weight'?"),
        ("", "; its parts are 'layer1', 'layer10', 'layer2', 'head', 'relu'"),
        ("relu", ": it is a ReLU without any; name another part"),
    ],
)
def test_no_match(pattern: str, hint: str) -> None:
    """A pattern that matches nothing names the nearest, and nothing is frozen."""
    model = Net()
    model.relu = nn.ReLU()
    with pytest.raises(ValueError, match=r"^freeze: ") as caught:
        freeze(model, "layer1", pattern)
    message = f"freeze: {pattern!r} matches no parameter of Net{hint}"
    assert str(caught.value) == message
    assert all(flags(model).values())


def test_no_match_in_nothing() -> None:
    """A module without parts says so."""
    with pytest.raises(ValueError, match="'x' matches no parameter of ReLU, which has"):
        freeze(nn.ReLU(), "x")
    assert freeze(nn.ReLU()).names == ()


def test_wrong_types() -> None:
    """An argument of a wrong type is refused with the call to write."""
    model = Net()
    with pytest.raises(TypeError, match=r"freeze: expected a torch\.nn\.Module, got"):
        freeze(model.parameters())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got list; unpack a list of names: freeze"):
        freeze(model, ["head"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got Linear; call unfreeze on that module"):
        unfreeze(model, model.head)  # type: ignore[arg-type]


@settings(max_examples=settings.default.max_examples // 2)
@given(PATTERNS, st.booleans())
def test_any_pattern(patterns: list[str], stats: bool) -> None:
    """Any text either freezes exactly the parameters it names or changes nothing."""
    model = Net()
    before = everything(model)
    try:
        frozen = freeze(model, *patterns, stats=stats)
    except ValueError:
        assert everything(model) == before
        return
    assert [n for n, on in flags(model).items() if not on] == list(frozen.names)
    assert sorted(frozen.names) == sorted(set(unfreeze(model, *patterns)))
    assert all(flags(model).values())
    frozen.undo()
    assert everything(model) == before
