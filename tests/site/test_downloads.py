"""The archive of a chapter, and the links that lead to every download."""

import re
import zipfile

import pytest
from bs4 import BeautifulSoup

from gradguide_site.project import LANGUAGES

from .conftest import PROJECT
from .downloads import download


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
