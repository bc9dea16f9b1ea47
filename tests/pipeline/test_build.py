"""What is built again and what is not, and what is the same in every build."""

import re
import shutil

from bs4 import BeautifulSoup

from gradguide_site.__main__ import main
from gradguide_site.project import ENGLISH

PO = "docs/locale/zh_CN/LC_MESSAGES"
RUN = re.compile(r"^\[(\S+)\] running (\w+)\.py$", re.MULTILINE)
READ = re.compile(r"^\[(\S+)\] updating environment: (.*)$", re.MULTILINE)


def scripts_run(output):
    """Return the scripts that a build ran, with their language."""
    return sorted(RUN.findall(output))


def outputs(page):
    """Return what a script printed, as its page shows it."""
    blocks = BeautifulSoup(page, "lxml").select(".sphx-glr-script-out pre")
    return [block.get_text() for block in blocks]


def checked(page):
    """Return what the bar of a page says about the versions it was checked with."""
    return BeautifulSoup(page, "lxml").select_one(".page-bar .checked").get_text()


def test_two_clean_builds_run_every_script_and_give_the_same_bytes(tiny):
    """The site depends on the commit, not on the day or the run."""
    sites = []
    for _ in range(2):
        shutil.rmtree(tiny.project.built)
        output = tiny.build()
        assert scripts_run(output) == [
            ("en", "a_tensor"),
            ("en", "one"),
            ("en", "two"),
            ("zh-CN", "a_tensor"),
            ("zh-CN", "one"),
            ("zh-CN", "two"),
        ]
        sites.append(tiny.contents())
    first, second = sites
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] != second[name]]


def test_with_nothing_changed_nothing_is_done(tiny, capsys):
    """The command says so, and where the site is."""
    tiny.build()
    before = tiny.places()
    assert main(["--root", str(tiny.root), "build"]) == 0
    output = capsys.readouterr().out
    assert "Nothing has changed since the last build." in output
    assert str(tiny.site) in output
    assert not RUN.search(output)
    assert tiny.places() == before


def test_without_a_record_of_the_last_build_no_page_is_read_again(tiny):
    """Sphinx and sphinx-gallery see for themselves that nothing has changed."""
    tiny.build()
    before = tiny.contents()
    (tiny.project.built / "built-from.txt").unlink()
    output = tiny.build()
    assert scripts_run(output) == []
    assert {done for _, done in READ.findall(output)} == {
        "0 added, 0 changed, 0 removed"
    }
    assert tiny.contents() == before


def test_an_edited_script_runs_in_both_languages_and_no_other_does(tiny):
    """Both pages show what it prints now."""
    tiny.build()
    with tiny.edited("examples/chapter/one.py", "print(result.grad)", "print(1234)"):
        assert scripts_run(tiny.build()) == [("en", "one"), ("zh-CN", "one")]
    for language in ("en", "zh-cn"):
        assert "1234" in outputs(tiny.page(f"{language}/gallery/chapter/one.html"))[0]


def test_without_a_package_its_scripts_do_not_run_and_their_pages_say_so(tiny):
    """They run as soon as it is installed; the other pages are as before."""
    tiny.build()
    old = "import torch\n"
    with tiny.edited("examples/chapter/one.py", old, f"{old}import absent_package\n"):
        output = tiny.build()
        assert scripts_run(output) == []
        assert "chapter/one.py does not run: absent_package not installed." in output
        for language in ("en", "zh-cn"):
            page = tiny.page(f"{language}/gallery/chapter/one.html")
            assert "Not run: absent_package not installed" in checked(page)
            assert outputs(page) == []
            other = tiny.page(f"{language}/gallery/chapter/two.html")
            assert "Not run" not in checked(other)
    assert scripts_run(tiny.build()) == [("en", "one"), ("zh-CN", "one")]
    assert outputs(tiny.page("en/gallery/chapter/one.html"))


def test_the_page_of_an_error_whose_script_lacks_a_package_has_no_message(tiny):
    """It is an error if a script that ran printed no message, and only then."""
    edits = [
        tiny.edited(f"examples/{name}.py", old, f"import absent_package\n{old}")
        for name, old in (
            ("chapter/one", "import torch\n"),
            ("chapter/two", "import torch\n"),
            ("errors/a_tensor", "print(1)\n"),
        )
    ]
    with edits[0], edits[1]:
        assert "no script printed a message of this name" in tiny.fail()
        with edits[2]:
            tiny.build()


def test_the_page_of_an_error_ends_with_the_message_and_where_it_is_printed(tiny):
    """A heading says what the messages are; the table of contents has it, too."""
    tiny.build()
    for language, title in (
        ("en", "The message in each version"),
        ("zh-cn", "译文 The message in each version"),
    ):
        page = tiny.page(f"{language}/reference/errors/a_tensor.html")
        soup = BeautifulSoup(page, "lxml")
        (section,) = soup.select("article section > section:last-child#messages")
        assert section.h2.find(string=True) == title
        assert section.pre.get_text().startswith("UserWarning: The .grad attribute")
        assert len(section.select("p a .doc")) == 2
        assert soup.select_one('.toc-tree a[href="#messages"]').get_text() == title


def test_a_changed_translation_of_a_script_changes_its_own_page_only(tiny):
    """The English files keep their bytes, and so does the page beside it."""
    tiny.build()
    before = tiny.contents()
    with tiny.edited(f"{PO}/examples/chapter/one.po", "译文 A claim.", "断言。"):
        assert scripts_run(tiny.build()) == [("zh-CN", "one")]
    after = tiny.contents()
    changed = {name for name in before if before[name] != after.get(name)}
    assert "断言。" in tiny.page("zh-cn/gallery/chapter/one.html")
    assert not [name for name in changed if name.startswith("en/")]
    assert "zh-cn/gallery/chapter/two.html" not in changed


def test_a_changed_translation_of_a_page_runs_no_script(tiny):
    """Sphinx reads that page again, and no other."""
    tiny.build()
    with tiny.edited(f"{PO}/index.po", "译文 Some words.", "几句话。"):
        output = tiny.build()
    assert scripts_run(output) == []
    assert ("zh-CN", "0 added, 1 changed, 0 removed") in READ.findall(output)
    assert "几句话。" in tiny.page("zh-cn/index.html")


def test_a_removed_script_takes_its_page_with_it(tiny):
    """No file of the site has its name."""
    script = tiny.root / "examples/chapter/two.py"
    source = script.read_text("utf-8")
    with tiny.edited("examples/chapter/GALLERY_HEADER.rst", "   two\n", ""):
        script.unlink()
        try:
            tiny.fill_in()
            tiny.build()
            assert not [name for name in tiny.contents() if "two" in name]
        finally:
            script.write_text(source, "utf-8")
    tiny.fill_in()


def test_warnings_are_shown_as_the_reader_meets_them(tiny):
    """Each script shows them with its name and line, whichever script ran before it."""
    tiny.build()
    for name in ("one", "two"):
        output = "".join(outputs(tiny.page(f"en/gallery/chapter/{name}.html")))
        assert "True tensor([0.4963, 0.7682])" in output  # the seed is 0
        assert f"{name}.py:19: UserWarning: The .grad attribute" in output
        assert f"{name}.py:20: UserWarning: Converting a tensor" in output
        assert "/" not in output.replace("github.com/pytorch/pytorch/pull/30531", "")


def test_anchors_are_the_english_ones(tiny):
    """So a link to a section works in both languages."""
    tiny.build()
    for language in ("en", "zh-cn"):
        page = BeautifulSoup(tiny.page(f"{language}/gallery/chapter/one.html"), "lxml")
        assert page.select("section#the-first-page section#a-section")


def test_a_script_prints_the_same_alone_first_and_last(tiny):
    """What ran before a script does not show on its page."""
    shown = []
    for order in ("   one\n   two", "   two\n   one"):
        with tiny.edited(
            "examples/chapter/GALLERY_HEADER.rst", "   one\n   two", order
        ):
            tiny.forget_runs()
            ran = re.findall(r"\[en\] running (\w+)", tiny.build("en"))
        assert ran == [*order.split(), "a_tensor"]
        shown.append(outputs(tiny.page("en/gallery/chapter/one.html")))
    (tiny.project.staged(ENGLISH) / "gallery/chapter/one.py.md5").unlink()
    assert scripts_run(tiny.build("en")) == [("en", "one")]
    shown.append(outputs(tiny.page("en/gallery/chapter/one.html")))
    assert shown[0] == shown[1] == shown[2]
