"""Make a PDF of the page that has everything on one sheet of A4, to share.

Its text is the text of the finished page. The Latin fonts come with matplotlib, and the
PDF contains them. For the Chinese font the PDF has only the name: each PDF viewer shows
a font of its own in its place. So the build needs no font of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from importlib.metadata import version
from pathlib import Path

from lxml.html import HtmlElement
from reportlab import platypus
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont

from gradguide_site.pages.finished_pages import parse
from gradguide_site.project import Language, PipelineError, Project

PAGE = "start/card"
PDF = "card.pdf"

FONTS = {"Sans": "DejaVuSans", "Bold": "DejaVuSans-Bold", "Mono": "DejaVuSansMono"}
CHINESE_FONT = "STSong-Light"
WIDE = re.compile("[\u2e80-\u9fff\uff00-\uffef“”…—]+")
"""Characters that are set in the Chinese font."""

MARGIN, GAP, TITLE = 8 * mm, 5 * mm, 7 * mm
COLUMN = (A4[0] - 2 * MARGIN - GAP) / 2
SIDES = ("left", "right", "top", "bottom")


def _style(font: str, size: float, leading: float, **more: object) -> ParagraphStyle:
    measures = {"fontSize": size, "leading": leading * size}
    return ParagraphStyle(font, fontName=font, **measures, **more)


STYLES = {
    "h1": _style("Bold", 14, 1.2, textColor="#1a56b0"),
    "h2": _style("Bold", 10, 1.3, textColor="#1a56b0", spaceBefore=3),
    "h3": _style("Bold", 7.8, 1.3, textColor="#1a56b0", spaceBefore=3),
    "p": _style("Sans", 7.4, 1.3),
    "th": _style("Bold", 7.4, 1.3),
    "td": _style("Sans", 7.4, 1.3),
    "pre": _style(
        "Mono",
        6.9,
        1.23,
        backColor="#f2f2f2",
        borderPadding=(1, 3, 2),
        leftIndent=3,
        spaceBefore=3,
        spaceAfter=4,
    ),
}
"""The style of each element of the page that the PDF shows."""


def add_card(project: Project, language: Language) -> None:
    """Write the PDF beside its page, if there is such a page.

    Raises:
        PipelineError: The text needs more than one sheet.
    """
    page = project.pages(language) / f"{PAGE}.html"
    if not page.exists():
        return
    from matplotlib import get_data_path  # it takes a while to import

    for name, file in FONTS.items():
        registerFont(TTFont(name, Path(get_data_path(), f"fonts/ttf/{file}.ttf")))
    registerFontFamily("Sans", normal="Sans", bold="Bold")
    registerFont(UnicodeCIDFont(CHINESE_FONT))
    (section,) = parse(page).xpath("//article[@role='main']/section")
    title, *parts = _parts(section)
    torch = version("torch").partition("+")[0]
    source = f"{project.address}{language.url}/{PAGE}.html, PyTorch {torch}"
    document = platypus.BaseDocTemplate(
        str(page.with_name(PDF)),
        pagesize=A4,
        pageTemplates=platypus.PageTemplate(frames=_frames()),
        title=title.getPlainText(),
        author=project.metadata["name"],
        lang=language.tag,
        invariant=1,  # no date: equal pages give an equal file
    )
    source = platypus.Paragraph(source, STYLES["p"])
    document.build([title, platypus.FrameBreak(), *parts, source])
    if document.page != 1:
        raise PipelineError(f"{PAGE} needs {document.page} sheets of A4: shorten it.")


def _frames() -> list[platypus.Frame]:
    """Return the places of the title and of the two columns below it."""
    width, height = A4[0] - 2 * MARGIN, A4[1] - 2 * MARGIN - TITLE
    places = [(MARGIN, MARGIN + height, width, TITLE)]
    places += [
        (left, MARGIN, COLUMN, height) for left in (MARGIN, MARGIN + COLUMN + GAP)
    ]
    padding = {f"{side}Padding": 0 for side in SIDES}
    return [platypus.Frame(*place, **padding) for place in places]


def _parts(section: HtmlElement) -> Iterator[platypus.Flowable]:
    """Yield the elements of a section. A section with an ``h3`` is kept together."""
    for child in section:
        if child.tag == "section":
            parts = list(_parts(child))
            together = child.find("h3") is not None
            yield from [platypus.KeepTogether(parts)] if together else parts
        elif rows := child.xpath(".//tr"):
            yield _table(rows)
        elif child.find(".//pre") is not None:
            code = escape(child.text_content().rstrip())
            yield platypus.XPreformatted(code, STYLES["pre"])
        elif child.tag in STYLES and not child.xpath(f".//a[@href='{PDF}']"):
            yield _paragraph(child)


def _table(rows: list[HtmlElement]) -> platypus.Table:
    everywhere = ((0, 0), (-1, -1))
    style = [("VALIGN", *everywhere, "TOP"), ("LINEBELOW", *everywhere, 0.3, "#c8c8c8")]
    for side, points in zip(SIDES, (0, 0, 1.5, 1.5), strict=True):
        style.append((f"{side.upper()}PADDING", *everywhere, points))
    cells = [[_paragraph(cell) for cell in row] for row in rows]
    return platypus.Table(cells, (0.38 * COLUMN, 0.62 * COLUMN), style=style)


def _paragraph(element: HtmlElement) -> platypus.Paragraph:
    text = _markup(element)
    wrap = "CJK" if WIDE.search(text) else None
    style = ParagraphStyle("", STYLES[str(element.tag)], wordWrap=wrap)
    return platypus.Paragraph(text, style)


def _markup(element: HtmlElement) -> str:
    """Return the text of an element, with the fonts of its parts."""
    if element.get("class") == "headerlink":
        return ""
    pieces = [_text(element.text)]
    for child in element:
        pieces += [_markup(child), _text(child.tail)]
    fonts = {"code": '<font name="Mono" size="6.9">{}</font>', "strong": "<b>{}</b>"}
    return fonts.get(str(element.tag), "{}").format("".join(pieces))


def _text(text: str | None) -> str:
    return WIDE.sub(rf'<font name="{CHINESE_FONT}">\g<0></font>', escape(text or ""))
