"""The site: from the sources to a published folder, one room for each concern.

The rooms import each other in one direction, in this order:

``translation``  finds the prose of scripts and puts its translation in its place
``running``      stages a source tree for each language and lets Sphinx run its scripts
``errors``       finds the messages that the scripts printed and explains them
``pages``        what is added to each page
``search``       the search index, and what asks it
``publish``      makes a site of the pages, checks it, and replaces the old one
``commands``     what nox calls: build, serve, translate, linkcheck

The package is also the Sphinx extension that ``conf.py`` names. It sets up each module
that adds something to Sphinx, and makes Sphinx write all pages anew when one of its
files or the date has changed, as Sphinx does for a setting or a template.
"""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent

EXTENSIONS = (
    *("errors.messages", "errors.outputs"),
    *("pages.chinese_lines", "pages.light_pages", "pages.markdown_twins"),
    *("pages.page_bar", "pages.page_metadata", "pages.tags"),
    *("pages.torch_links", "pages.twins"),
    "publish.book_pages",
    "running.notebooks",
    "search.search_page",
    *("translation.english_anchors", "translation.untranslated"),
)


def folders(name: str) -> list[Path]:
    """Return the folders of this name, one in each room that has one."""
    return sorted(HERE.glob(f"*/{name}"))


def setup(app: Sphinx) -> dict[str, bool]:
    digest = hashlib.sha256(os.environ.get("SOURCE_DATE_EPOCH", "").encode())
    for path in sorted(HERE.rglob("*.py")):
        digest.update(path.read_bytes())
    for name in EXTENSIONS:
        import_module(f"{__name__}.{name}").setup(app)
    app.add_config_value("extensions_digest", digest.hexdigest(), "env", types=[str])
    return {"parallel_read_safe": True, "parallel_write_safe": True}
