"""Make the search index of each language from its finished pages.

Pagefind cuts Chinese into words by the sentence around them, and can't cut a query in
the same way: 报错 finds one page of ten. So both are cut at every Chinese character and
inside identifiers: the pages here, with an invisible space, the query in ``search.js``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lxml import etree, html

from .project import LANGUAGES, Language, PipelineError

CUT = re.compile(
    r"(?<=[\u4e00-\u9fff])(?=\S)|(?<=\S)(?=[\u4e00-\u9fff])"
    r"|(?<=[_.()=\[\],:/])(?=\w)"
)
"""Between Chinese characters, and inside names such as ``torch.no_grad``."""

INVISIBLE_SPACE = "\u200b"
NOT_SEARCHED = ".headerlink, .page-bar"


def index(site: Path) -> None:
    """Write an index into the folder of each language.

    Raises:
        PipelineError: Pagefind can't make it.
    """
    with TemporaryDirectory() as folder:
        processes = [
            _start(site / language.url, Path(folder), language)
            for language in LANGUAGES
        ]
        for process in processes:
            said, _ = process.communicate()
            if process.returncode:
                raise PipelineError(f"Pagefind can't make the search index:\n{said}")


def _start(pages: Path, folder: Path, language: Language) -> subprocess.Popen[str]:
    """Start Pagefind on a copy of the pages, cut for it."""
    for page in pages.rglob("*.html"):
        copy = folder / language.url / page.relative_to(pages)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(_prepared(page))
    command = [
        *(sys.executable, "-m", "pagefind"),
        *("--site", str(folder / language.url)),
        *("--output-path", str(pages / "pagefind")),
        *("--exclude-selectors", NOT_SEARCHED),
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _prepared(page: Path) -> bytes:
    """Return a page with its text cut, and each section's anchor on its heading."""
    tree = html.parse(page, html.HTMLParser(encoding="utf-8"))
    for element in tree.getroot().iter(etree.Element):
        section = element.getparent()
        if element.tag in {"h1", "h2", "h3"} and section is not None:
            element.set("id", section.get("id", ""))
        if element.tag not in {"script", "style"} and element.text:
            element.text = CUT.sub(INVISIBLE_SPACE, element.text)
        if element.tail:
            element.tail = CUT.sub(INVISIBLE_SPACE, element.tail)
    return etree.tostring(tree, encoding="utf-8", method="html")
