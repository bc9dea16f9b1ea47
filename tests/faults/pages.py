"""Faults of a finished page: its links, its twin, its pictures, its size."""

from __future__ import annotations

from pathlib import Path

from tests.faults.checks import INSPECTION, PAGE, Check, site
from tests.faults.fault import Edit, Fault, Remove, Replace, fault

HTML = "docs/_build/html"
LEAF = "gallery/graph/leaf_or_not.html"
CARDS = "gallery/index.html"
ENGLISH_LEAF = site(PAGE, f"en/{LEAF}")
CHINESE_LEAF = site(PAGE, f"zh-cn/{LEAF}")
FILES = site(
    "test_site.py::test_both_languages_have_the_same_files_and_as_much_to_search"
)
THUMBNAILS = site("test_site.py::test_the_gallery_shows_a_picture_of_each_page")
BALLAST = "".join(f"<!-- {number**7:x} -->" for number in range(9000))


def inspected(kind: str, name: str, words: str, *edits: Edit) -> Fault:
    """Return a fault that the inspection at the end of each build sees."""
    return fault(kind, name, INSPECTION, words, *edits)


def edited(
    kind: str, name: str, check: Check, words: str, page: str, old: str, new: str
) -> Fault:
    """Return a fault in a page of the finished site."""
    return fault(kind, name, check, words, Replace(f"{HTML}/{page}", old, new))


# A fault reads better as a few full lines than as one for each argument.
# fmt: off
FAULTS = (
    inspected("a dead link", "en/about.html leads to a page that isn't there",
        "en/about.html: gallery/nowhere.html leads nowhere",
        Replace(f"{HTML}/en/about.html", '"gallery/index.html"',
            '"gallery/nowhere.html"')),
    inspected("a dead anchor", "en/about.html leads to a section that isn't there",
        "gallery/index.html#nowhere has no such section",
        Replace(f"{HTML}/en/about.html", '"gallery/index.html"',
            '"gallery/index.html#nowhere"')),
    inspected("an anchor in one language only",
        "a section of zh-cn/about.html has another id",
        "about.html: the anchors differ: ['how-a-page-is-made', 'how-it-is-made']",
        Replace(f"{HTML}/zh-cn/about.html", "how-a-page-is-made",
            "how-it-is-made")),
    inspected("an output in one language only",
        "zh-cn/gallery/graph/leaf_or_not.html shows another value",
        "gallery/graph/leaf_or_not.html: the output differs",
        Replace(f"{HTML}/zh-cn/{LEAF}", '<span class="go">',
            '<span class="go">? ')),
    edited("a dead twin",
        "en/gallery/graph/leaf_or_not.html names the Chinese home page as its twin",
        ENGLISH_LEAF, "the twins are wrong", f"en/{LEAF}",
        f'zh-cn/{LEAF}">\n    <link rel="alternate" hreflang="x-default"',
        'zh-cn/index.html">\n    <link rel="alternate" hreflang="x-default"'),
    edited("a dead language switch",
        "that of en/gallery/graph/leaf_or_not.html leads to the Chinese home page",
        ENGLISH_LEAF, "the switches of language lead to", f"en/{LEAF}",
        f'class="language-link" href="../../../zh-cn/{LEAF}"',
        'class="language-link" href="../../../zh-cn/index.html"'),
    inspected("a dead language switch",
        "that of zh-cn/about.html leads to a page that isn't there",
        "zh-cn/about.html: ../en/nowhere.html leads nowhere",
        Replace(f"{HTML}/zh-cn/about.html",
            'class="language-link" href="../en/about.html"',
            'class="language-link" href="../en/nowhere.html"')),
    inspected("a page in one language only", "zh-cn/about.html is not there",
        "about.html: only in en", Remove(f"{HTML}/zh-cn/about.html")),
    edited("a download in one language only",
        "zh-cn/gallery/graph/leaf_or_not.html offers no script", CHINESE_LEAF,
        "the bar leads to ['leaf_or_not.md'", f"zh-cn/{LEAF}",
        '<a class="reference internal" href="leaf_or_not.py">',
        '<a class="reference internal" href="leaf_or_not.md">'),
    fault("a download in one language only",
        "the notebook of zh-cn/gallery/graph/leaf_or_not.html is not there", FILES,
        "leaf_or_not.ipynb",
        Remove(f"{HTML}/zh-cn/gallery/graph/leaf_or_not.ipynb")),
    fault("a search entry in one language only",
        "one file of the Chinese index is not there", FILES,
        ".pf_fragment", Remove(f"{HTML}/zh-cn/pagefind/fragment/*")),
    inspected("a machine's path",
        "en/about.html names the home folder of whoever built it",
        f"en/about.html names {Path.home()}",
        Replace(f"{HTML}/en/about.html", "How a page is made",
            f"{Path.home()}/guide")),
    edited("an oversized page",
        "zh-cn/gallery/graph/leaf_or_not.html has 260 KB of comments", CHINESE_LEAF,
        "bytes in", f"zh-cn/{LEAF}", "</article>", BALLAST + "</article>"),
    edited("a missing thumbnail", "a card of the gallery has the empty picture",
        THUMBNAILS, "endswith", f"en/{CARDS}", "sphx_glr_leaf_or_not_thumb.svg",
        "no_image.png"),
    edited("a missing alternative text",
        "the figure of en/gallery/graph/leaf_or_not.html has none", ENGLISH_LEAF,
        "the text of a figure is", f"en/{LEAF}", 'leaf_or_not_001.svg" alt="',
        'leaf_or_not_001.svg" alt="" title="'),
)
# fmt: on
