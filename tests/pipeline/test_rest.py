"""Prose in reStructuredText is found and replaced, and nothing else is touched."""

from itertools import chain

import pytest
from docutils.utils import column_width
from hypothesis import given
from hypothesis import strategies as st

from gradguide_site.project import PipelineError
from gradguide_site.translation import rest


def lines(text):
    return text.strip("\n").split("\n")


def chinese(message):
    return f"译文：{message}"


def rewritten(text, translate=chinese):
    return "\n".join(rest.rewrite(lines(text), translate))


WORDS = st.text(st.sampled_from("ab 中，。`*()12\"'_<")).map(lambda text: f"a{text}b")
BLOCK = st.one_of(
    WORDS.map(lambda text: [text]),
    st.lists(WORDS, min_size=2, max_size=4),
    WORDS.map(lambda text: [text, "=" * len(text) * 2 + "=="]),
    WORDS.map(lambda text: [f"- {text}"]),
    st.tuples(WORDS, WORDS).map(lambda pair: [f"- {pair[0]}", f"  {pair[1]}"]),
    WORDS.map(lambda text: [f".. {text}", f"   {text}"]),
).map(lambda lines: [*lines, ""])
TEXT = st.lists(BLOCK, max_size=5).map(lambda blocks: list(chain.from_iterable(blocks)))


@given(TEXT)
def test_without_a_translation_every_text_stays_as_it_is(text):
    """A translation that returns its message changes no character."""
    assert rest.rewrite(text, lambda message: message) == text


@given(TEXT, st.text("中文译 ，。a", min_size=1, max_size=60))
def test_a_translation_never_changes_the_number_of_lines(text, translation):
    """Whatever the translator writes, line 12 stays line 12."""
    assert len(rest.rewrite(text, lambda _: translation)) == len(text)


@given(TEXT)
def test_each_message_is_offered_once_and_in_order(text):
    """What ``messages`` lists is what ``rewrite`` asks for."""
    asked = []
    rest.rewrite(text, lambda message: asked.append(message) or message)
    assert rest.messages(text) == [m for m in asked if rest.has_words(m)]


@given(st.text("中文，。 a``", min_size=1, max_size=200), st.integers(1, 6))
def test_wrapping_loses_nothing_and_keeps_to_its_lines(text, count):
    """Joined with the spaces it was broken at, a wrapped text is the text."""
    text = " ".join(text.split())
    wrapped = rest.wrap(text, count)
    assert len(wrapped) <= count
    assert "".join(wrapped).replace(" ", "") == text.replace(" ", "")


def test_wrapping_never_breaks_inline_markup():
    """A role with spaces in it stays on one line."""
    link = ":torch:`Autograd mechanics <notes/autograd.html>`"
    assert any(link in line for line in rest.wrap(f"见 {link} 这一页的说明文字。", 2))


def test_a_paragraph_is_one_message_on_as_many_lines():
    """Its lines are joined with spaces, and the translation fills the same lines."""
    text = "one two\nthree\n\nfour"
    assert rest.messages(lines(text)) == ["one two three", "four"]
    assert rewritten(text).split("\n")[3] == "译文：four"


def test_a_rule_below_a_title_is_as_wide_as_the_title():
    """A Chinese character takes two columns."""
    title, rule = rewritten("Title\n=====", lambda _: "标题 x").split("\n")
    assert column_width(title) == len(rule) == 6


def test_a_paragraph_may_begin_like_a_rule():
    """Dashes with words behind them are prose."""
    assert rest.messages(["--- and more"]) == ["--- and more"]
    assert rest.messages(["... until it ends"]) == ["... until it ends"]


@pytest.mark.parametrize(
    "text",
    [
        ".. note:: words",
        ".. code-block:: python\n\n   x = 1",
        ".. _target:",
        "like this::\n\n   x = 1",
        ">>> print(1)",
        "=== ===\nA   B\n=== ===",
        "+---+\n| a |\n+---+",
        "| line",
        ":field: value",
        "term\n   its definition",
        "  an indented line",
        "1. first",
        "* item",
        "=====\nTitle\n=====",
        "-----",
    ],
)
def test_markup_that_no_translation_is_known_for_is_refused(text):
    """The error quotes the line and says what may be used."""
    with pytest.raises(PipelineError, match="Use titles, paragraphs, lists"):
        rest.messages(lines(text))


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("- one\n  more\n- two", ["one more", "two"]),
        ("- one\n\n  more", ["one", "more"]),
        (".. a comment\n   goes on\n\nwords", ["words"]),
        ("=== 1", []),
    ],
)
def test_each_kind_of_block_gives_its_messages(text, messages):
    """Markup stays out of the messages; what holds no word is none."""
    assert rest.messages(lines(text)) == messages


def test_the_headings_are_the_titles_in_order():
    """Paragraphs and rules are no headings."""
    text = "Title\n=====\n\nwords\n\nSection\n-------\n"
    assert rest.headings(lines(text)) == ["Title", "Section"]
