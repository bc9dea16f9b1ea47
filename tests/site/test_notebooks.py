"""A downloaded notebook runs as it is, in a real kernel, and reads as its page does."""

import re

import nbclient
import nbformat
import pytest

from .conftest import PROJECT
from .downloads import SCRIPTS, download, environment, normalised, unordered


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
