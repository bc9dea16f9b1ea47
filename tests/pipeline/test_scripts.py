"""A script is translated without touching its code."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradguide_site.project import PipelineError
from gradguide_site.translation import scripts

EXAMPLES = Path(__file__).parents[2] / "examples"

SCRIPT = '''"""
A title
=======

The claim, on
two lines.
"""

# %%
# Prose with ``code # and a hash`` in it.
#
# A section
# ---------
# - one
# - two
import math

text = "# no comment"  # a remark behind code
url = """
# no comment either
"""  # behind the end of a string
# a remark of its own,
# on two lines
if text:
    # an indented remark
    value = math.pi  # type: ignore

# sphinx_gallery_thumbnail_number = 1
'''


def chinese(message):
    return f"译「{message}」" if any(map(str.isalpha, message)) else message


def without_docstring(source):
    tree = ast.parse(source)
    del tree.body[0]
    return ast.dump(tree, include_attributes=True)


def test_comments_and_docstring_are_the_messages():
    """Comments that programs read, and hashes in strings, are not among them."""
    assert scripts.messages(SCRIPT, "s.py") == [
        "A title",
        "The claim, on two lines.",
        "Prose with ``code # and a hash`` in it.",
        "A section",
        "one",
        "two",
        "a remark behind code",
        "behind the end of a string",
        "a remark of its own, on two lines",
        "an indented remark",
    ]


def test_the_code_stays_line_by_line():
    """Everything but the docstring has the same place in both languages."""
    translated = scripts.translate(SCRIPT, chinese, "s.py")
    assert without_docstring(translated) == without_docstring(SCRIPT)
    assert translated.count("\n") == SCRIPT.count("\n")
    assert 'text = "# no comment"  # 译「a remark behind code」' in translated
    assert "# sphinx_gallery_thumbnail_number = 1" in translated
    assert "value = math.pi  # type: ignore" in translated


def test_the_rule_below_a_translated_title_fits_it():
    """In prose cells and in the docstring."""
    translated = scripts.translate(SCRIPT, chinese, "s.py").split("\n")
    assert translated[2] == "=" * len("译「A title」") + "=" * 3
    assert f"# {'-' * 15}" in translated


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.py")), ids=lambda p: p.stem)
def test_every_script_survives_translation(path):
    """The real scripts: identity changes nothing, translation no code."""
    source = path.read_text("utf-8")
    assert scripts.translate(source, str, path.name) == source
    translated = scripts.translate(source, chinese, path.name)
    assert without_docstring(translated) == without_docstring(source)


def test_the_headings_are_those_of_the_prose():
    """A comment that is no prose has no headings."""
    assert scripts.headings(SCRIPT, "s.py") == ["A title", "A section"]


REMARK = st.text("ab 中#%=-`'\"", max_size=20)
CODE = st.sampled_from(
    ["x = 1", 's = "#"', "def f():\n    pass", "t = '''\n#\n'''", ""]
)


@given(st.lists(st.tuples(CODE, REMARK, st.booleans()), max_size=6), REMARK)
def test_any_script_keeps_its_code(parts, translation):
    """Random code and comments, a random translation: never another program."""
    body = [
        f"{code}  # {remark}" if trailing and code and "\n" not in code
        else f"# {remark}\n{code}"
        for code, remark, trailing in parts
    ]  # fmt: skip
    source = '"""\nTitle\n=====\n"""\n' + "\n".join(body) + "\n"
    assert scripts.translate(source, str, "s.py") == source
    try:
        translated = scripts.translate(source, lambda _: translation, "s.py")
    except PipelineError:
        assert '"' in translation or "'" in translation  # refused, not written
    else:
        assert without_docstring(translated) == without_docstring(source)


def test_a_syntax_error_names_the_script_and_the_line():
    """The message says where to look."""
    with pytest.raises(PipelineError, match=r"bad\.py, line 2"):
        scripts.translate('"""Title"""\nx = (\n', str, "bad.py")


def test_a_script_without_docstring_is_refused():
    """A page needs a title; the error says how to give it one."""
    with pytest.raises(PipelineError, match="it has no docstring"):
        scripts.translate("x = 1\n", str, "bare.py")


def test_a_translation_that_would_end_the_docstring_is_refused():
    """Three quotes in a catalogue can't become code."""
    source = '"""\nTitle\n=====\n"""\nx = 1\n'
    with pytest.raises(PipelineError, match="changes its code"):
        scripts.translate(source, lambda _: '标题"""; y = 2; """', "s.py")
