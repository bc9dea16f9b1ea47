"""Make a PDF of the page that has everything on one sheet of A4, to pass on.

Its text is that of the finished page. The Latin fonts are those of matplotlib, embedded.
The Chinese font is one that every reader of PDF replaces by its own, so the build needs
no font of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from importlib.metadata import version
from pathlib import Path

from lxml.html import HtmlElement
from matplotlib import get_data_path
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Table,
    XPreformatted,
)

from gradguide_site.pages.finished_pages import parse
from gradguide_site.project import Language, PipelineError, Project

PAGE = "start/card"
PDF = "card.pdf"

FONTS = {"Sans": "DejaVuSans", "Bold": "DejaVuSans-Bold", "Mono": "DejaVuSansMono"}
SONG = "STSong-Light"
WIDE = re.compile("[\u2e80-\u9fff\uff00-\uffef“”…—]+")
"""Characters of the Chinese font."""

MARGIN, GAP, TITLE = 8 * mm, 14, 20
COLUMN = (A4[0] - 2 * MARGIN - GAP) / 2
SIDES = ("left", "right", "top", "bottom")
SIZE = 7.4
TEXT = ParagraphStyle("p", fontName="Sans", fontSize=SIZE, leading=1.3 * SIZE)
CODE = ParagraphStyle(
    "pre",
    TEXT,
    fontName="Mono",
    fontSize=6.9,
    leading=8.5,
    backColor="#f2f2f2",
    borderPadding=(1, 3, 2),
    leftIndent=3,
    spaceBefore=3,
    spaceAfter=4,
)


def _heading(size: float) -> ParagraphStyle:
    return ParagraphStyle(
        "h",
        TEXT,
        fontName="Bold",
        fontSize=size,
        leading=1.25 * size,
        textColor="#1a56b0",
        spaceBefore=0.4 * size,
    )


STYLES = {"h1": _heading(14), "h2": _heading(10), "h3": _heading(7.8), "p": TEXT}


def add_card(project: Project, language: Language) -> None:
    """Write the PDF beside the page, if the guide has this page.

    Raises:
        PipelineError: The text needs more than one sheet.
    """
    page = project.pages(language) / f"{PAGE}.html"
    if not page.exists():
        return
    for name, file in FONTS.items():
        registerFont(TTFont(name, Path(get_data_path(), f"fonts/ttf/{file}.ttf")))
    registerFontFamily("Sans", "Sans", "Bold", "Sans", "Bold")
    registerFont(UnicodeCIDFont(SONG))
    (section,) = parse(page).xpath("//article[@role='main']/section")
    title, *parts = _parts(section)
    torch = version("torch").partition("+")[0]
    foot = f"{project.address}{language.url}/{PAGE}.html · PyTorch {torch}"
    document = BaseDocTemplate(
        str(page.with_name(PDF)),
        pagesize=A4,
        pageTemplates=PageTemplate(frames=_frames()),
        title=title.getPlainText(),
        author=project.metadata["name"],
        lang=language.tag,
        invariant=1,  # no date: equal pages give an equal file
    )
    document.build([title, FrameBreak(), *parts, Paragraph(foot, TEXT)])
    if document.page != 1:
        raise PipelineError(f"{PAGE} needs {document.page} sheets of A4: shorten it.")


def _frames() -> list[Frame]:
    """Return the place of the title, and two columns below it."""
    width, height = A4[0] - 2 * MARGIN, A4[1] - 2 * MARGIN
    padding = dict.fromkeys((f"{side}Padding" for side in SIDES), 0)
    places = [
        (MARGIN, MARGIN + height - TITLE, width, TITLE),
        (MARGIN, MARGIN, COLUMN, height - TITLE),
        (MARGIN + COLUMN + GAP, MARGIN, COLUMN, height - TITLE),
    ]
    return [Frame(*place, **padding) for place in places]


def _parts(section: HtmlElement) -> Iterator[Flowable]:
    """Yield what a section of the page holds; the smallest are kept together."""
    for child in section:
        if child.tag == "section":
            parts = list(_parts(child))
            yield from [KeepTogether(parts)] if child.find("h3") is not None else parts
        elif child.tag in STYLES and not child.xpath(f".//a[@href='{PDF}']"):
            yield _paragraph(child, STYLES[child.tag])
        elif child.tag == "div":
            if cells := [row.findall("td") for row in child.iter("tr") if row.find("td") is not None]:
                yield _table(cells)
            else:
                yield XPreformatted(escape(child.text_content().rstrip()), CODE)


def _table(rows: list[list[HtmlElement]]) -> Table:
    style = [("LINEBELOW", (0, 0), (-1, -1), 0.3, "#c8c8c8")]
    for side in SIDES:
        padding = 1.5 if side in ("top", "bottom") else 0
        style.append((f"{side.upper()}PADDING", (0, 0), (-1, -1), padding))
    style.append(("VALIGN", (0, 0), (-1, -1), "TOP"))
    cells = [[_paragraph(cell, TEXT) for cell in row] for row in rows]
    return Table(cells, (0.38 * COLUMN, 0.62 * COLUMN), style=style, spaceBefore=3)


def _paragraph(element: HtmlElement, style: ParagraphStyle) -> Paragraph:
    text = _markup(element)
    wrap = "CJK" if WIDE.search(text) else None
    return Paragraph(text, ParagraphStyle(style.name, style, wordWrap=wrap))


def _markup(element: HtmlElement) -> str:
    """Return the text of an element with the fonts that its parts need."""
    if "headerlink" in element.get("class", ""):
        return ""
    pieces = [_text(element.text)]
    for child in element:
        pieces += [_markup(child), _text(child.tail)]
    text = "".join(pieces)
    font = {"code": '<font name="Mono" size="6.9">{}</font>', "strong": "<b>{}</b>"}
    return font.get(element.tag, "{}").format(text)


def _text(text: str | None) -> str:
    found = " ".join(escape(text or "").split(" "))
    return WIDE.sub(rf'<font name="{SONG}">\g<0></font>', found)
