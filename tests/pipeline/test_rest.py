"""Prose in reStructuredText is found and replaced, and nothing else is touched."""

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


LINE = st.text(
    st.sampled_from("ab 中，。``*`:-=~.|+>#()12\\\"'_<"), max_size=30
) | st.sampled_from(
    [
        *("", "   ", "====", "---", "=== ===", "+---+", "- item", "  indented"),
        *(".. note:: words", ".. code-block:: python", "   :class: tip", "| line"),
        *("ends with::", ">>> 1 + 1", "* - cell", "1. first", ":field: value"),
    ]
)


@given(st.lists(LINE, max_size=12))
def test_without_a_translation_every_text_stays_as_it_is(text):
    """A translation that returns its message changes no character."""
    assert rest.rewrite(text, lambda message: message) == text


@given(st.lists(LINE, max_size=12), st.text("中文译 ，。a", min_size=1, max_size=60))
def test_a_translation_never_changes_the_number_of_lines(text, translation):
    """Whatever the translator writes, line 12 stays line 12."""
    table = "\n"

    def translate(message):
        return message if table in message else translation

    assert len(rest.rewrite(text, translate)) == len(text)


@given(st.lists(LINE, max_size=12))
def test_each_message_is_offered_once_and_in_order(text):
    """What ``messages`` lists is what ``rewrite`` asks for."""
    asked = []
    rest.rewrite(text, lambda message: asked.append(message) or message)
    assert rest.messages(text) == [m for m in asked if rest.says_something(m)]


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


def test_the_rules_of_a_title_are_as_wide_as_the_title():
    """A Chinese character takes two columns; a rule above gets the width, too."""
    title, rule = rewritten("Title\n=====", lambda _: "标题 x").split("\n")
    assert column_width(title) == len(rule) == 6
    assert rewritten("=====\nTitle\n=====", lambda _: "标题") == "====\n标题\n===="


def test_nested_directives_are_translated_to_their_depth():
    """The words of an admonition in an admonition are found, options are not."""
    text = """
.. note:: Outer words
   go on.

   .. list-table:: Table title
      :header-rows: 1

      * - Cell one
        - Cell two, which
          goes on
"""
    assert rest.messages(lines(text)) == [
        "Outer words go on.",
        "Table title",
        "Cell one",
        "Cell two, which goes on",
    ]
    assert "      * - 译文：Cell one" in rewritten(text)
    assert "      :header-rows: 1" in rewritten(text)


def test_a_table_is_one_message_with_its_lines():
    """A translator sees the columns, and keeps them."""
    text = "=====  =====\nA      B\n=====  =====\none    two\n=====  ====="
    assert rest.messages(lines(text)) == [text]
    translated = text.replace("one  ", "一   ")
    assert rewritten(text, lambda _: translated) == translated


def test_a_table_with_another_number_of_lines_is_refused():
    """The error names the table and says what to do."""
    with pytest.raises(PipelineError, match="keep one line for each line"):
        rest.rewrite(lines("+---+\n| a |\n+---+"), lambda _: "一行")


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("- one\n  more\n- two", ["one more", "two"]),
        ("1. one\n2. two", ["one", "two"]),
        ("term\n   what it is", ["term", "what it is"]),
        (":field: value", ["value"]),
        ("| line one\n| line two", ["line one", "line two"]),
        (".. _target:\n\nwords", ["words"]),
        (".. a comment\n   goes on\n\nwords", ["words"]),
        ("=== 1 ===", []),
        ("--- and more", ["--- and more"]),  # no rule, as words follow
        ("... until it ends", ["... until it ends"]),
        ("before\n\n----\n\nafter", ["before", "after"]),
        (".. code-block:: python\n\n   x = 'words'", []),
        ("Like this::\n\n    more words", ["Like this::"]),
        ('>>> print("words")\nwords', []),
    ],
)
def test_each_kind_of_block_gives_its_messages(text, messages):
    """Code and markup stay out of the messages; a block without words gives none."""
    assert rest.messages(lines(text)) == messages


def test_the_headings_are_the_titles_in_order():
    """Paragraphs and rules are no headings."""
    text = "Title\n=====\n\nwords\n\nSection\n-------\n\n----\n"
    assert rest.headings(lines(text)) == ["Title", "Section"]
