"""What a reader takes home runs as it is, and prints what its page shows."""

import os
import re
import subprocess
import sys
import zipfile

import nbclient
import nbformat
import pytest
from bs4 import BeautifulSoup

from pipeline.project import LANGUAGES

from .conftest import PROJECT

SCRIPTS = [
    pytest.param(language, path, id=f"{language.url}/{path.stem}")
    for language in LANGUAGES
    for path in PROJECT.scripts()
]


def download(page_of, site, language, script, suffix):
    """Return the file behind a link below the title of a page."""
    name = f"gallery/{script.with_suffix('.html').as_posix()}"
    page = page_of(language, name)
    (link,) = [
        a["href"]
        for a in page.soup.select("ul.page-bar a.internal")
        if a["href"].endswith(suffix)
    ]
    return page, (site / language.url / name).parent.joinpath(link).resolve()


def normalised(text):
    """Take out what differs between machines: folders, and PyTorch's build paths."""
    text = re.sub(r"(?<=Triggered internally at )\S*/(?=\w+\.\w+:\d+\.\))", "", text)
    text = re.sub(r"^\S*/(?=\w+\.py:\d+: )", "", text, flags=re.MULTILINE)
    return text.strip()


def environment(script):
    """Return what a reader has: the module only where the page is about it."""
    own = {"PYTHONPATH": str(PROJECT.root / "src")}
    is_about_module = b"gradguide" in (PROJECT.examples / script).read_bytes()
    clean = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    return clean | {"MPLBACKEND": "agg"} | (own if is_about_module else {})


@pytest.mark.parametrize(("language", "script"), SCRIPTS)
def test_a_script_prints_what_its_page_shows(language, script, page_of, site, tmp_path):
    """In a process of its own, without the module and without the site's settings."""
    page, source = download(page_of, site, language, script, ".py")
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    done = subprocess.run(
        [sys.executable, copy.name],
        cwd=tmp_path,
        env=environment(script),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    shown = "\n".join(output.strip("\n") for output in page.outputs)
    printed = "\n".join(line for line in done.stdout.split("\n"))
    assert unordered(normalised(printed)) == unordered(normalised(shown))


def unordered(text):
    """Return the lines: a pipe doesn't keep stderr and stdout in their order."""
    return sorted(line.rstrip() for line in text.split("\n") if line.strip())


@pytest.mark.parametrize(("language", "script"), SCRIPTS)
def test_a_notebook_prints_what_its_page_shows(
    language, script, page_of, site, tmp_path
):
    """In a real Jupyter kernel, cell by cell."""
    page, source = download(page_of, site, language, script, ".ipynb")
    notebook = nbformat.read(source, 4)
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=environment(script))
    cells = []
    for cell in notebook.cells:
        printed = [o.text for o in cell.get("outputs", []) if o.output_type == "stream"]
        if printed:
            cells.append(_without_names(normalised("".join(printed))))
    shown = [_without_names(normalised(output)) for output in page.outputs]
    assert list(map(unordered, cells)) == list(map(unordered, shown))


def _without_names(text):
    """A kernel names the cell and its line where Python names the script."""
    text = re.sub(r"^\w+\.py:\d+: ", "", text, flags=re.MULTILINE)
    return re.sub(r"\b\w+\.py:\d+", "", text)


@pytest.mark.parametrize(("language", "script"), SCRIPTS)
def test_the_prose_of_a_notebook_is_in_its_language(language, script, page_of, site):
    """And its links are links."""
    _, source = download(page_of, site, language, script, ".ipynb")
    prose = "\n".join(
        cell.source
        for cell in nbformat.read(source, 4).cells
        if cell.cell_type == "markdown"
    )
    assert not re.search(r":\w+:`", prose)
    own = f"{PROJECT.address}{language.url}/"
    for page in re.findall(rf"\({re.escape(own)}([^)#]+)(?:#[^)]*)?\)", prose):
        assert (site / language.url / page).exists()
    assert bool(re.search("[一-鿿]", prose)) == (language.code == "zh_CN")


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.url)
def test_the_archive_of_a_chapter_holds_its_scripts_and_notebooks(
    language, page_of, site
):
    """All of them, in the language of the page."""
    for chapter in {path.parent for path in PROJECT.scripts()}:
        scripts = [path for path in PROJECT.scripts() if path.parent == chapter]
        _, source = download(page_of, site, language, scripts[0], ".zip")
        assert source.name == f"{chapter.name}.zip"
        with zipfile.ZipFile(source) as archive:
            expected = {
                f"{chapter.name}/{path.stem}{suffix}"
                for path in scripts
                for suffix in (".py", ".ipynb")
            }
            assert set(archive.namelist()) == expected
            for path in scripts:
                _, single = download(page_of, site, language, path, ".py")
                member = archive.read(f"{chapter.name}/{path.name}")
                assert member == single.read_bytes()


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.url)
def test_the_labels_of_the_downloads_are_in_the_language(language, page_of):
    """sphinx-gallery's own are English everywhere."""
    script = PROJECT.scripts()[0]
    page = page_of(language, f"gallery/{script.with_suffix('.html').as_posix()}")
    (labels,) = page.soup.select("ul.page-bar")
    assert bool(re.search("[一-鿿]", labels.get_text())) == (language.code == "zh_CN")
    assert not page.soup.select(".sphx-glr-download-link-note, .sphx-glr-footer")
    assert isinstance(page.soup, BeautifulSoup)
