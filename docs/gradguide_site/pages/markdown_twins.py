"""Write each page as Markdown, too: ``page.md`` beside ``page.html``.

Language models and people in a terminal read Markdown more easily than HTML.
``publish.llms`` lists these files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter
from sphinx.application import Sphinx

NOT_CONVERTED = (
    ".headerlink, .page-bar, .tags, .sphx-glr-thumbnail-title, script, style, button"
)
LANGUAGE = re.compile(r"highlight-(\w+)")
FENCED = re.compile(r"(^```\w*\n.*?^```$)", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"</?span\b[^>]*>")
"""The mark-up of Pygments: many elements that Markdown has no use for."""
PAGE = re.compile(r"^(?!\w+:|(?:\.\./)*search\.html)(.*)\.html(?=$|#)")


def convert(body: str) -> str:
    """Return the HTML of an article as Markdown that links to other Markdown files."""
    soup = BeautifulSoup(SPAN.sub("", body), "lxml")
    for element in soup.select(NOT_CONVERTED):
        element.decompose()
    for link in soup.select("a[href]"):
        link["href"] = PAGE.sub(r"\1.md", str(link["href"]))
    converter = MarkdownConverter(
        heading_style="atx",
        code_language_callback=_language,
        escape_underscores=False,
        escape_asterisks=False,
    )
    parts = FENCED.split(converter.convert_soup(soup))
    parts[::2] = [re.sub(r"\n{3,}", "\n\n", prose) for prose in parts[::2]]
    return "".join(parts).strip() + "\n"


def _language(block: Any) -> str:
    """Return the language of a code block, from the class that Sphinx has given it."""
    for parent in block.parents:
        if match := LANGUAGE.search(" ".join(parent.get("class", ()))):
            names = {"default": "python", "output": "text"}
            return names.get(match[1], match[1].lower())
    return ""


def _write(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if doctree and app.builder.name == "html":
        twin = Path(app.outdir, f"{page}.md")
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.write_text(convert(context["body"]), "utf-8")


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _write)
