"""Faults of the Chinese: in the catalogues, and on finished pages."""

from __future__ import annotations

from tests.faults.checks import (
    INSPECTION,
    PAGE,
    SOURCES,
    STAGE,
    TRANSLATE,
    Check,
    pytest,
    site,
)
from tests.faults.fault import Fault, Replace, fault

SCRIPT = "examples/three-ways/detach_cuts_one_tensor.py"
PO = "docs/locale/zh_CN/LC_MESSAGES/examples/three-ways/detach_cuts_one_tensor.po"
NAME = "detach_cuts_one_tensor"
TITLE = 'msgid "detach() returns a second tensor: no gradient, the same memory"\n'
CHINESE_TITLE = 'msgstr "detach() 返回另一个张量：不传梯度，但共享内存"\n'
TYPOGRAPHY = pytest(
    f"tests/pipeline/test_catalogues.py::test_the_chinese_is_set_as_chinese[{NAME}]"
)
MARKS = pytest(
    f"{SOURCES}::test_the_chinese_says_what_is_cut_and_has_one_kind_of_marks[{NAME}]"
)
GLOSSARY = pytest(f"{SOURCES}::test_a_term_has_one_translation[{NAME}]")
CHINESE_PAGE = site(PAGE, "zh-cn/about.html")


def catalogue(
    kind: str, name: str, words: str, old: str, new: str, check: Check = STAGE
) -> Fault:
    """Return a fault in the catalogue of a script."""
    return fault(f"a translation {kind}", name, check, words, Replace(PO, old, new))


# A fault reads better as a few full lines than as one for each argument.
# fmt: off
FAULTS = (
    catalogue("that is missing",
        "the title of detach_cuts_one_tensor.py isn't in its catalogue",
        "not in the catalogue: 'detach() returns a ", TITLE + CHINESE_TITLE, ""),
    catalogue("that is empty", "the title of detach_cuts_one_tensor.py has no Chinese",
        "not translated: 'detach() returns a ", CHINESE_TITLE, 'msgstr ""\n'),
    catalogue("that is fuzzy",
        "the title of detach_cuts_one_tensor.py is marked for a person to look at",
        "fuzzy: check it and remove the mark: 'detach() returns a ", TITLE,
        f"#, fuzzy\n{TITLE}"),
    fault("a translation that is stale",
        "a comment of detach_cuts_one_tensor.py says something else in English", STAGE,
        "not in the catalogue: 'Both share one memory",
        Replace(SCRIPT, "Both share one storage", "Both share one memory")),
    fault("a translation that is stale",
        "a paragraph of about.md says something else in English", TRANSLATE,
        "about.po: fuzzy: check it and remove the mark: 'A fact is twice checked",
        Replace("docs/about.md", "A fact is first", "A fact is twice")),
    catalogue("that breaks markup", "a literal is written without its backticks",
        "markup differs from the English (lost ``z.detach()``)", "``z.detach()`` 返回",
        "z.detach() 返回"),
    fault("a translation that breaks markup", "a backtick shows on zh-cn/about.html",
        INSPECTION, "zh-cn/about.html: markup shows",
        Replace("docs/_build/html/zh-cn/about.html", "每一页", "`每一页`")),
    catalogue("that alters code",
        "three quotes end the docstring, and a statement follows",
        "a translation changes its code", CHINESE_TITLE,
        CHINESE_TITLE.replace("共享", r"共享\"\"\"; x = 1; \"\"\"")),
    catalogue("against the glossary", "a leaf tensor is called 叶节点",
        "叶节点 is written 叶子张量", "只有叶子张量", "只有叶节点", GLOSSARY),
    catalogue("with half-width punctuation", "a comma of the title", "但共享内存",
        CHINESE_TITLE, CHINESE_TITLE.replace("，", ","), TYPOGRAPHY),
    catalogue("that does not say what is cut", "detach_() cuts, and nothing is cut",
        "切断这个张量自己, in: ", "切断这个张量自己的计算历史", "切断这个张量自己",
        MARKS),
    catalogue("with other quotes", "a word of the title has corner brackets",
        "「, in: detach()", CHINESE_TITLE, CHINESE_TITLE.replace("内存", "「内存」"),
        MARKS),
    fault("Chinese on an English page", "a paragraph of en/about.html", INSPECTION,
        "en/about.html: Chinese text: '每一页都是脚本",
        Replace("docs/_build/html/en/about.html", "<p>Each page of the ",
            "<p>每一页都是脚本。</p><p>Each page of the ")),
    fault("English on a Chinese page", "a paragraph of zh-cn/about.html", CHINESE_PAGE,
        "nobody has written the Chinese",
        Replace("docs/_build/html/zh-cn/about.html",
            '<article role="main" id="furo-main-content">',
            '<article role="main" id="furo-main-content">'
            "<p>Here nobody has written the Chinese of a whole paragraph.</p>")),
    fault("English on a Chinese page", "zh-cn/about.html says that it is English",
        INSPECTION, "zh-cn/about.html: its lang is not zh-CN",
        Replace("docs/_build/html/zh-cn/about.html",
            '<html class="no-js" lang="zh-CN"', '<html class="no-js" lang="en"')),
)
# fmt: on
