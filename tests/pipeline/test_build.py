"""What is built again and what isn't, and what is the same each time."""

import re
import shutil

import pytest
from bs4 import BeautifulSoup


def scripts_run(output):
    """Return the scripts that a build ran, with their language."""
    return sorted(
        re.findall(r"^\[(\S+)\] script \d+ of \d+: (\w+)\.py$", output, re.MULTILINE)
    )


def outputs(page):
    return [
        block.get_text()
        for block in BeautifulSoup(page, "lxml").select(".sphx-glr-script-out pre")
    ]


def test_a_build_runs_every_script_in_both_languages_and_says_so(tiny):
    """It names the language and the script, and counts."""
    shutil.rmtree(tiny.project.built)
    output = tiny.build()
    assert scripts_run(output) == [
        ("en", "one"),
        ("en", "two"),
        ("zh-CN", "one"),
        ("zh-CN", "two"),
    ]
    assert "[en] script 2 of 2: two.py" in output
    assert str(tiny.site) in output


def test_with_nothing_changed_no_script_runs(tiny):
    """And no page is read again."""
    tiny.build()
    output = tiny.build()
    assert scripts_run(output) == []
    assert re.findall(r"(\d+) of \d+ pages to read", output) == ["0", "0"]


def test_an_edited_script_runs_in_both_languages_and_no_other(tiny):
    """Its neighbour's page stays as it is."""
    tiny.build()
    with tiny.edited("examples/chapter/one.py", "print(result.grad)", "print(1234)"):
        assert scripts_run(tiny.build()) == [("en", "one"), ("zh-CN", "one")]
        for language in ("en", "zh-cn"):
            assert (
                "1234" in outputs(tiny.page(f"{language}/gallery/chapter/one.html"))[0]
            )
    tiny.build()


def test_a_changed_translation_touches_its_own_page_only(tiny):
    """In the other language nothing is read, run or written."""
    tiny.build()
    before = tiny.contents()
    po = "docs/locale/zh_CN/LC_MESSAGES/examples/chapter/one.po"
    with tiny.edited(po, "译文 A claim.", "断言。"):
        assert scripts_run(tiny.build()) == [("zh-CN", "one")]
        after = tiny.contents()
    changed = {name for name in before if before[name] != after.get(name)}
    assert "zh-cn/gallery/chapter/one.html" in changed
    assert "断言。" in tiny.page("zh-cn/gallery/chapter/one.html")
    assert not [name for name in changed if name.startswith("en/")]
    assert "zh-cn/gallery/chapter/two.html" not in changed
    tiny.build()


def test_a_changed_translation_of_a_page_runs_no_script(tiny):
    """Sphinx reads that page again, and only that."""
    tiny.build()
    with tiny.edited(
        "docs/locale/zh_CN/LC_MESSAGES/index.po", "译文 Some words.", "几句话。"
    ):
        output = tiny.build()
        assert scripts_run(output) == []
        assert "[zh-CN] 1 of 4 pages to read" in output.replace("of 5", "of 4")
        assert "几句话。" in tiny.page("zh-cn/index.html")
    tiny.build()


def test_a_removed_script_takes_its_page_with_it(tiny):
    """Nothing of it is left on the site."""
    script = tiny.root / "examples/chapter/two.py"
    with tiny.edited("examples/chapter/GALLERY_HEADER.rst", "   two\n", ""):
        source = script.read_text("utf-8")
        script.unlink()
        try:
            tiny.translate()
            tiny.build()
            assert not [name for name in tiny.contents() if "two" in name]
        finally:
            script.write_text(source, "utf-8")
    tiny.translate()
    tiny.build()


def test_warnings_are_shown_as_the_reader_meets_them(tiny):
    """With the script's name and line, in each script, whichever ran before it."""
    for name, title in (("one", "first"), ("two", "second")):
        output = "".join(outputs(tiny.page(f"en/gallery/chapter/{name}.html")))
        assert "True torch.float32" in output, title
        assert f"{name}.py:19: UserWarning: The .grad attribute" in output
        assert f"{name}.py:20: UserWarning: Converting a tensor" in output
        assert "/" not in output.replace("github.com/pytorch/pytorch/pull/30531", "")


def test_a_script_prints_the_same_alone_first_and_last(tiny):
    """The page doesn't depend on what ran before its script."""
    header = "examples/chapter/GALLERY_HEADER.rst"
    shown = []
    for order in ("   one\n   two", "   two\n   one"):
        with tiny.edited(header, "   one\n   two", order):
            for made in tiny.project.built.rglob("*.py.md5"):
                made.unlink()
            tiny.build("en")
            shown.append(outputs(tiny.page("en/gallery/chapter/one.html")))
    alone = next(tiny.project.built.glob("source/en/gallery/chapter/one.py.md5"))
    alone.unlink()
    assert scripts_run(tiny.build("en")) == [("en", "one")]
    shown.append(outputs(tiny.page("en/gallery/chapter/one.html")))
    assert shown[0] == shown[1] == shown[2]
    tiny.build()


def test_anchors_are_the_english_ones(tiny):
    """A link to a section works in both languages."""
    for language in ("en", "zh-cn"):
        page = BeautifulSoup(tiny.page(f"{language}/gallery/chapter/one.html"), "lxml")
        assert page.select("section#the-first-page section#a-section")


def test_two_clean_builds_give_the_same_bytes(tiny):
    """The site depends on the commit, not on the day or the run."""
    sites = []
    for _ in range(2):
        shutil.rmtree(tiny.project.built)
        tiny.build()
        sites.append(tiny.contents())
    first, second = sites
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] != second[name]]


@pytest.mark.parametrize("name", ["en/gallery/chapter/one.html", "zh-cn/index.html"])
def test_every_page_names_its_twins(tiny, name):
    """With hreflang, for both languages and the default; and says its own."""
    page = BeautifulSoup(tiny.page(name), "lxml")
    twins = {
        link["hreflang"]: link["href"]
        for link in page.select("link[rel=alternate][hreflang]")
    }
    assert set(twins) == {"en", "zh-CN", "x-default"}
    path = name.partition("/")[2]
    assert twins["en"] == twins["x-default"] == f"{tiny.project.address}en/{path}"
    assert twins["zh-CN"] == f"{tiny.project.address}zh-cn/{path}"
    assert page.html["lang"] == {"en": "en", "zh-cn": "zh-CN"}[name.partition("/")[0]]
