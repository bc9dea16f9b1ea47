"""What is indexed is cut into words, and looks as it did when it is shown."""

import re

import pytest

from gradguide_site.search import index as search


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("冻结参数", "冻结 结参 参数 数"),
        ("冻结 BatchNorm", "冻结 结 BatchNorm"),
        ("冻结BatchNorm层", "冻结 结 BatchNorm 层"),
        ("参数，再", "参数 数 ， 再"),
        ("torch.no_grad()", "torch. no_grad()"),
        ("zero_grad(set_to_none=True)", "zero_grad( set_to_none= True)"),
        ("can't", "can' t"),
        ("two words", "two words"),
    ],
)
def test_a_word_stands_between_spaces(text, words):
    """Chinese in pairs, names without what is around them."""
    assert search.cut(text).replace("|~", "") == words


@pytest.mark.parametrize(
    "text", ["冻结参数，再用 F.dropout(x)。", "a|b ~c", "`x`：[3, 4]", "（见「叶子」）"]
)
def test_a_cut_text_can_be_put_together(text):
    """As search/excerpts.js does it."""
    pairs = re.sub(
        rf"([{search.CHARACTER}])[{search.CHARACTER}]\|~ ", r"\1", search.cut(text)
    )
    assert pairs.replace("|~ ", "") == text
