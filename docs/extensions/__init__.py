"""What the site adds to Sphinx and sphinx-gallery: one concern per file.

The package is the extension that ``conf.py`` names: it sets up every module that has
something to set up, in the order of their names. And it lets Sphinx make all pages
anew when one of its files has changed, as Sphinx does by itself for a setting or a
template.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
        name = f"{__name__}.{path.stem}"
        if path.stem != "__init__" and hasattr(import_module(name), "setup"):
            app.setup_extension(name)
    app.add_config_value("extensions_digest", digest.hexdigest(), "env", types=[str])
    return {"parallel_read_safe": True, "parallel_write_safe": True}
