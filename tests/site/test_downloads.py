"""The downloads of a script: they run as they are, and both languages have one code."""

import ast
import re
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path

import nbclient
import nbformat
import pytest

from gradguide_site.project import CHINESE, ENGLISH, LANGUAGES

from . import running
from .pages import EVERY_LANGUAGE, HAN, PROJECT, SITE, download, read_script
from .running import normalised, unordered

SCRIPTS = PROJECT.scripts()
EVERY_SCRIPT = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)

FRESH = {"freezing_under_ddp", "leaf_or_not", "freeze_by_name"}
"""They get a new interpreter: one starts processes, one warns, one needs the module."""

NOTEBOOKS = [(ENGLISH, "graph/leaf_or_not"), (CHINESE, "freezing/freeze_by_name")]
"""They run in a kernel: one warns, one needs the module and prints an error."""


def needs_module(script):
    """Whether a script is about the module."""
    return b"gradguide" in (PROJECT.examples / script).read_bytes()


def code(source):
    """Return the code of a script with its positions, without the docstring."""
    tree = ast.parse(source)
    del tree.body[0]
    return ast.dump(tree, include_attributes=True)


@pytest.fixture(scope="module")
def run():
    """Run a script in a fork of a process that has or has not the module."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running.server(running.environment(module=module)))
            for module in (False, True)
        ]
        yield lambda script, path: servers[needs_module(script)](path)


@EVERY_SCRIPT
def test_a_script_prints_what_its_page_shows(script, run, tmp_path):
    """It runs alone, without the site's settings; it sees the module if it needs it."""
    path = tmp_path / script.name
    path.write_bytes(download(ENGLISH, script, ".py").read_bytes())
    if script.stem in FRESH:
        done = subprocess.run(
            [sys.executable, path.name],
            cwd=tmp_path,
            env=running.environment(module=needs_module(script)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        exit_code, printed = str(done.returncode), done.stdout
    else:
        exit_code, printed = run(script, path)
    assert exit_code == "0", printed
    outputs = read_script(ENGLISH, script).outputs
    shown = "\n".join(output.strip("\n") for output in outputs)
    assert unordered(normalised(printed)) == unordered(normalised(shown))


@EVERY_SCRIPT
def test_both_languages_offer_the_same_code(script):
    """The English download is the source; the Chinese one differs in its words only."""
    source = (PROJECT.examples / script).read_bytes()
    assert download(ENGLISH, script, ".py").read_bytes() == source
    assert code(download(CHINESE, script, ".py").read_bytes()) == code(source)


@EVERY_LANGUAGE
@EVERY_SCRIPT
def test_a_notebook_holds_the_script_and_prose_in_its_language(language, script):
    """Its cells have the script's code, and the links in its prose lead somewhere."""
    source = download(language, script, ".py").read_text("utf-8")
    cells = nbformat.read(download(language, script, ".ipynb"), 4).cells
    codes = [cell.source for cell in cells if cell.cell_type == "code"]
    assert all(cell.strip() in source for cell in codes)
    tree = ast.parse(source)
    del tree.body[0]
    assert ast.dump(ast.parse("\n".join(codes))) == ast.dump(tree)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert bool(HAN.search(prose)) == (language == CHINESE)
    assert not re.search(r":\w+:`", prose)
    own = f"{PROJECT.address}{language.url}/"
    for name in re.findall(rf"\({re.escape(own)}([^)#]+)(?:#[^)]*)?\)", prose):
        assert (SITE / language.url / name).exists()


@pytest.mark.parametrize(("language", "name"), NOTEBOOKS)
def test_a_notebook_prints_what_its_page_shows(language, name, tmp_path):
    """A real Jupyter kernel runs it, cell by cell."""
    script = Path(f"{name}.py")
    notebook = nbformat.read(download(language, script, ".ipynb"), 4)
    place = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(notebook, timeout=120, resources=place)
    client.execute(env=running.environment(module=needs_module(script)))
    cells = []
    for cell in notebook.cells:
        printed = [o.text for o in cell.get("outputs", []) if o.output_type == "stream"]
        if printed:
            cells.append(_without_names(normalised("".join(printed))))
    shown = read_script(language, script).outputs
    shown = [_without_names(normalised(output)) for output in shown]
    assert list(map(unordered, cells)) == list(map(unordered, shown))


def _without_names(text):
    """A kernel names the cell and its line where Python names the script."""
    text = re.sub(r"^\w+\.py:\d+: ", "", text, flags=re.MULTILINE)
    return re.sub(r"\b\w+\.py:\d+", "", text)


@pytest.mark.parametrize("chapter", sorted({path.parent.name for path in SCRIPTS}))
def test_the_archive_of_a_chapter_holds_its_scripts_and_notebooks(chapter):
    """All of them are there, in the language of the page, with the same bytes."""
    scripts = [path for path in SCRIPTS if path.parent.name == chapter]
    for language in LANGUAGES:
        singles = {
            f"{chapter}/{path.stem}{suffix}": download(
                language, path, suffix
            ).read_bytes()
            for path in scripts
            for suffix in (".py", ".ipynb")
        }
        with zipfile.ZipFile(download(language, scripts[0], ".zip")) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == singles
