"""Build the site: from the sources to a folder that can be published.

The modules are grouped by topic. A package imports only from those above it:

``translation``  finds the prose of scripts and replaces it with its translation
``running``      lays out a source tree for each language and runs Sphinx on it
``errors``       finds the errors and warnings that scripts printed and explains them
``pages``        adds to each page: metadata, the page bar, anchors, Markdown, downloads
``search``       makes the search index; has the scripts that search it
``publish``      assembles the finished pages into a site, checks and publishes it
``commands``     the commands of nox: build, serve, translate, linkcheck

This package is also the Sphinx extension that ``conf.py`` names. It sets up each module
in ``EXTENSIONS``. It makes Sphinx rewrite all pages when the code of this package, the
record of other versions or the date of the build has changed, which Sphinx itself does
only for settings and templates.
"""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Sphinx takes a while to import
    from sphinx.application import Sphinx

HERE = Path(__file__).parent

EXTENSIONS = (
    *("errors.listing", "errors.messages", "errors.outputs"),
    *("pages.chinese_lines", "pages.code_links", "pages.english_anchors"),
    *("pages.folded_code", "pages.light_pages", "pages.markdown_twins"),
    *("pages.notebooks", "pages.page_bar", "pages.page_metadata", "pages.pictures"),
    *("pages.tags", "pages.torch_links", "pages.versions"),
    *("publish.book_pages", "search.search_page", "translation.untranslated"),
)


def folders(name: str) -> list[Path]:
    """Return the folder of this name in each package that has one."""
    return sorted(HERE.glob(f"*/{name}"))


def digest_of_code() -> bytes:
    """Return a digest of the modules of this package."""
    digest = hashlib.sha256()
    for path in sorted(HERE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def setup(app: Sphinx) -> dict[str, bool]:
    digest = hashlib.sha256(os.environ.get("SOURCE_DATE_EPOCH", "").encode())
    digest.update(digest_of_code() + (HERE.parent / "versions.json").read_bytes())
    for name in EXTENSIONS:
        import_module(f"{__name__}.{name}").setup(app)
    app.add_config_value("extensions_digest", digest.hexdigest(), "env", types=[str])
    return {"parallel_read_safe": True, "parallel_write_safe": True}
