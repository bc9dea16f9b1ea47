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
    """Chinese is cut into pairs, and a name is cut from what is around it."""
    assert search.cut(text).replace("|~", "") == words


@pytest.mark.parametrize(
    "text", ["冻结参数，再用 F.dropout(x)。", "a|b ~c", "`x`：[3, 4]", "（见「叶子」）"]
)
def test_a_cut_text_can_be_put_together(text):
    """The test does what ``search/excerpts.js`` does."""
    pairs = re.sub(
        rf"([{search.CHARACTER}])[{search.CHARACTER}]\|~ ", r"\1", search.cut(text)
    )
    assert pairs.replace("|~ ", "") == text


def test_a_page_is_found_by_the_words_of_links_to_it(tmp_path):
    """They say what a reader sees. Its title and its own links add nothing."""
    pages = {
        "index.html": '<h1>Start</h1><a href="a/page.html#part">It still  trains</a>'
        '<a href="a/page.html">Spelt wrong</a><a href="https://a.org">elsewhere</a>',
        "a/page.html": '<h1>Spelt wrong</h1><a href="#part">a part</a>'
        '<a href="../index.html">the way back</a>',
    }
    for name, text in pages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"<article>{text}</article>")
    links = search._links({name: search._article(tmp_path / name) for name in pages})
    assert links == {"a/page.html": {"It still trains"}, "index.html": {"the way back"}}
