"""Tell the templates where each page is in every language."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.osutil import relative_uri

from gradguide_site.project import ENGLISH, LANGUAGES, language


def _add_twins(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Add the list ``twins`` to the context of a page, and correct ``language``."""
    own = language(app.config.language)
    target = app.builder.get_target_uri(pagename)
    published = app.config.html_baseurl.removesuffix(f"{own.url}/")
    context["twins"] = [
        {
            "tag": twin.tag,
            "name": twin.name,
            "link": relative_uri(f"{own.url}/{target}", f"{twin.url}/{target}"),
            "address": f"{published}{twin.url}/{target}",
            "is_default": twin == ENGLISH,
            "is_here": twin == own,
        }
        for twin in LANGUAGES
    ]
    context["language"] = own.tag  # Sphinx's own spelling is not that of HTML


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _add_twins)
