"""Warn of each message of a page or a docstring that has no translation.

Because the build treats warnings as errors, no page is published half translated.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.nodes import extract_messages

from gradguide_site.chinese import CHINESE
from gradguide_site.project import ENGLISH, is_generated, language
from gradguide_site.translation import catalogues

logger = logging.getLogger(__name__)


def _warn(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    page_language = language(app.config.language)
    # The pages of the gallery are made of scripts that are translated already.
    if page_language == ENGLISH or is_generated(PurePosixPath(docname)):
        return
    path = Path("locale", page_language.code, "LC_MESSAGES", f"{docname}.po")
    catalogue = catalogues.read(Path(app.srcdir, path), page_language)
    for node, message in extract_messages(doctree):
        if not node.get("translated") and not CHINESE.search(message):
            for problem in catalogues.problems(path, catalogue, [message]):
                logger.warning("%s", problem, location=node, type="untranslated")


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _warn)
