"""Catalogues are merged without loss, judged, and those of the guide are complete."""

import re
from pathlib import Path

import autocorrect_py
import pytest
from babel.messages import Catalog
from hypothesis import given
from hypothesis import strategies as st

from gradguide_site.commands.translate import translate
from gradguide_site.project import CHINESE, PipelineError, Project
from gradguide_site.translation import catalogues

ROOT = Path(__file__).parents[2]
PO = sorted(Project(ROOT).catalogues(CHINESE).rglob("*.po"))


def catalogue(messages, **flags):
    made = Catalog(locale="zh_CN")
    for message, translation in messages.items():
        made.add(message, translation, **flags)
    return made


def reasons(message, translation, **flags):
    made = catalogue({message: translation}, **flags)
    problems = catalogues.problems(Path("x.po"), made, [message])
    return [problem.reason for problem in problems]


def test_a_merge_keeps_what_is_translated_and_drops_what_is_gone():
    """The order is that of the source."""
    merged = catalogues.merge(catalogue({"one": "一", "two": "二"}), ["three", "one"])
    kept = [(message.id, message.string or "") for message in merged if message.id]
    assert kept == [("three", ""), ("one", "一")]


def test_a_message_that_was_reworded_keeps_its_translation_as_fuzzy():
    """A person looks at it; until then it counts as missing."""
    old = "A frozen layer lets the gradient through."
    new = "A frozen layer lets a gradient through."
    merged = catalogues.merge(catalogue({old: "冻结的层让梯度通过。"}), [new])
    assert merged[new].string == "冻结的层让梯度通过。"
    assert merged[new].fuzzy
    assert catalogues.gettext(merged, new) == new


@given(
    st.dictionaries(st.text('ab "\\\n`', min_size=1), st.text('中文"\\\n'), max_size=5)
)
def test_what_is_written_is_what_is_read(tmp_path_factory, messages):
    """So are quotes, backslashes and line ends, with the same bytes each time."""
    path = tmp_path_factory.mktemp("po") / "x.po"
    path.write_bytes(catalogues.text(catalogue(messages), CHINESE))
    again = catalogues.read(path, CHINESE)
    assert {m.id: m.string for m in again if m.id} == messages
    assert catalogues.text(again, CHINESE) == path.read_bytes()


@pytest.mark.parametrize(
    ("message", "translation"),
    [
        ("see ``x``", "见 ``y``"),
        ("see ``x``", "见 x"),
        ("see :doc:`page`", "见 :doc:`other`"),
        ("see [words](page.md)", "见[文字](other.md)"),
        ("made by %(name)s", "由 %(nom)s 制作"),
    ],
)
def test_markup_that_differs_from_the_english_is_a_problem(message, translation):
    """It may be a literal, a role, the target of a link or a placeholder."""
    (reason,) = reasons(message, translation)
    assert reason.startswith("markup differs from the English (lost ")


@pytest.mark.parametrize(
    ("message", "translation"),
    [
        ("see ``x`` and ``y``", "``y`` 和 ``x``"),
        ("see :torch:`the notes <notes/a.html>`", "见 :torch:`说明 <notes/a.html>`"),
        ("see [words](page.md)", "见[文字](page.md)"),
    ],
)
def test_the_words_of_a_link_are_translated_and_markup_may_move(message, translation):
    """What a reader sees is Chinese; where it leads is the same."""
    assert reasons(message, translation) == []


def test_what_is_not_translated_or_fuzzy_is_a_problem():
    """The reason says what to do."""
    assert reasons("words", "") == ["not translated"]
    (reason,) = reasons("words", "文字", flags=["fuzzy"])
    assert reason.startswith("fuzzy")
    (problem,) = catalogues.problems(Path("x.po"), Catalog(), ["words"])
    assert str(problem) == "x.po: not in the catalogue: 'words'"


@pytest.mark.parametrize("broken", ['msgid "a\nmsgstr "b"\n', "nonsense\n", '"a"\n'])
def test_a_malformed_catalogue_is_named_with_its_line(tmp_path, broken):
    """So a translator can correct it."""
    path = tmp_path / "broken.po"
    path.write_text(broken)
    with pytest.raises(PipelineError, match=r"broken\.po.*Correct the catalogue"):
        catalogues.read(path, CHINESE)


def test_the_catalogues_of_the_guide_are_complete_and_up_to_date(capsys):
    """``nox -s translate`` would change nothing and finds nothing missing."""
    translate(Project(ROOT), check=True)
    assert re.search(r"(\d+) of \1 messages translated", capsys.readouterr().out)


ROLE = re.compile(r"\{\w+\}`([^`<]+?)(?: <[^`>]+>)?`")
"""A link in Markdown. Between two of them, autocorrect takes the text for code."""


@pytest.mark.parametrize("path", PO, ids=lambda path: path.stem)
def test_the_chinese_is_set_as_chinese(path):
    """It has full-width punctuation, spaces beside Latin letters, and no 您."""
    for message in catalogues.read(path, CHINESE):
        if message.id:
            text = ROLE.sub(r"\1", message.string)
            assert autocorrect_py.format(text) == text
            assert "您" not in message.string
