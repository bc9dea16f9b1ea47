"""A script is translated without touching its code."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradguide_site.project import PipelineError
from gradguide_site.translation import scripts

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
    """It does in prose cells and in the docstring."""
    translated = scripts.translate(SCRIPT, chinese, "s.py").split("\n")
    assert translated[2] == "=" * len("译「A title」") + "=" * 3
    assert f"# {'-' * 15}" in translated


def test_the_headings_are_those_of_the_prose():
    """A comment that is no prose has no headings."""
    assert scripts.headings(SCRIPT, "s.py") == ["A title", "A section"]


REMARK = st.text("ab 中#%=-`'\"", max_size=20)
CODE = st.sampled_from(
    ["x = 1", 's = "#"', "def f():\n    pass", "t = '''\n#\n'''", ""]
)


@given(st.lists(st.tuples(CODE, REMARK, st.booleans()), max_size=6), REMARK)
def test_any_script_keeps_its_code(parts, translation):
    """No code, comment and translation make another program of it."""
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


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('"""Title"""\nx = (\n', r"bad\.py, line 2"),
        ("x = 1\n", "it has no docstring"),
        ('"""\nTitle\n=====\n"""\nx = 1\n', "changes its code"),
    ],
)
def test_a_script_that_cannot_be_translated_is_refused(source, reason):
    """So is a translation that would end the docstring and become code."""
    with pytest.raises(PipelineError, match=reason):
        scripts.translate(source, lambda _: '标题"""; y = 2; """', "bad.py")
