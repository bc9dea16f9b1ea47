"""Warn of each message on a page, or in a docstring, that has no translation.

Warnings are errors in this build: a page is complete in a language, or it isn't built.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.nodes import extract_messages

from gradguide_site.chinese import CHINESE
from gradguide_site.project import language
from gradguide_site.translation import catalogues

logger = logging.getLogger(__name__)


def _warn(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    own = language(app.config.language)
    if app.config.language == "en" or docname.startswith("gallery/"):
        return  # scripts are translated before Sphinx sees them
    place = Path("locale", own.code, "LC_MESSAGES", f"{docname}.po")
    catalogue = catalogues.read(Path(app.srcdir, place), own)
    for node, message in extract_messages(doctree):
        if not node.get("translated") and not CHINESE.search(message):
            for problem in catalogues.problems(place, catalogue, [message]):
                logger.warning("%s", problem, location=node, type="untranslated")


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _warn)
