"""Save each figure of a script as SVG, with a text alternative in the page's language.

The text alternative is the paragraph above the code that draws the figure.
"""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import Any

from sphinx.util import logging
from sphinx_gallery.scrapers import matplotlib_scraper

from gradguide_site.chinese import join_lines

ALT = re.compile(r"(?<=:alt: ).*")
MARKUP = re.compile(r":[\w-]+:(?=`)|`|\*(?=\S)|(?<=\S)\*|<[^>]*>(?=`)")

logger = logging.getLogger(__name__)


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the open figures and return the reStructuredText that shows them."""
    rest = matplotlib_scraper(
        block, block_vars, gallery_conf, format="svg", metadata={"Date": None}
    )
    if not rest.strip():
        return rest
    source = Path(block_vars["src_file"]).read_text("utf-8").splitlines()
    alternative = _paragraph_above(source, block.lineno)
    if not alternative:
        logger.warning(
            "%s, line %d: this cell draws; say above it what the figure shows.",
            block_vars["src_file"],
            block.lineno,
            type="figures",
        )
    return ALT.sub(lambda _: alternative, rest)


def _paragraph_above(source: list[str], line: int) -> str:
    """Return the last paragraph of the prose above a line, without its markup."""
    above = [text.removeprefix("#").strip() for text in reversed(source[: line - 1])]
    above = above[next((n for n, text in enumerate(above) if text), 0) :]
    paragraph = list(takewhile(lambda text: text and not text.startswith("%%"), above))
    return MARKUP.sub("", join_lines("\n".join(reversed(paragraph)))).replace("\n", " ")
