"""The questions of readers that the guide is judged by."""

import tomllib
from collections import Counter
from pathlib import Path

from gradguide_site.project import CHINESE, LANGUAGES

from .pages import NAMES

QUESTIONS = tomllib.loads(
    Path(__file__).with_name("questions.toml").read_text("utf-8")
)["question"]


def test_there_are_enough_questions():
    """Half of them are Chinese, and a third are errors as they are pasted."""
    assert len(QUESTIONS) >= 100
    assert len({question["text"] for question in QUESTIONS}) == len(QUESTIONS)
    languages = Counter(question["language"] for question in QUESTIONS)
    assert languages.keys() == {language.tag for language in LANGUAGES}
    assert languages[CHINESE.tag] >= len(QUESTIONS) / 2
    kinds = Counter(question["kind"] for question in QUESTIONS)
    assert kinds["error"] >= len(QUESTIONS) / 3


def test_each_question_has_a_source_and_existing_pages():
    """A question that is answered names its page."""
    for question in QUESTIONS:
        assert question["source"].startswith("https://"), question
        assert question["answered"] in {"yes", "partly", "no"}, question
        assert question["pages"] or question["answered"] == "no", question
        for language in LANGUAGES:
            pages = {f"{page}.html" for page in question["pages"]}
            assert pages <= {str(name) for name in NAMES[language]}, question
