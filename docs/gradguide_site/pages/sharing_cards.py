"""Draw the picture that is shown where somebody shares a link to a page.

The title in the page's language, its chapter, and the signs of the site's figures: what
trains, what is frozen, where it is cut, the loss.
"""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from sphinx.application import Sphinx

from gradguide_site.chinese import CHARACTER

FONT = "zhplot/fonts/NotoSansSC-Regular.ttf"  # of a package that we don't import
DRAWN_BY = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
SIZE = (1200, 630)  # what the services that show such pictures ask for
MARGIN = 90
INK, QUIET, PAPER = "#1a1c1e", "#5f6368", "#ffffff"
TRAINS, FROZEN, CUT, LOSS = "#2a6fdb", "#6b7280", "#d1495b", "#b7791f"
STEP, HALF = 120, 26  # between two signs of the row, and half the side of one
TITLE_SIZES = (72, 64, 56, 48)  # the largest that fits in
TITLE_LINES = 4

PIECE = re.compile(rf"(?:[{CHARACTER}][，。：；！？、）」]*|[^\s{CHARACTER}]+)\s*")
"""What a line can be broken after: a Chinese character, or a word."""


def draw(title: str, chapter: str, font: Path, target: Path) -> None:
    """Draw a card and save it as PNG, unless it is there already.

    Args:
        title: The claim of the page; set in at most four lines.
        chapter: What the page belongs to.
        font: A font file that has the characters of both.
        target: The file to write.
    """
    recipe = f"{title}\n{chapter}\n{DRAWN_BY}"
    if target.exists() and _recipe(target) == recipe:
        return
    image = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(image)
    small = ImageFont.truetype(font, 34)
    pen.text((MARGIN, 70), "gradguide", QUIET, small)
    for size in TITLE_SIZES:
        large = ImageFont.truetype(font, size)
        lines = _lines(title, large, SIZE[0] - 2 * MARGIN)
        if len(lines) <= TITLE_LINES:
            break
    for number, line in enumerate(lines[:TITLE_LINES]):
        place = (MARGIN, 150 + number * size * 1.3)
        pen.text(place, line, INK, large, stroke_width=1)
    pen.text((MARGIN, SIZE[1] - 105), chapter, QUIET, small)
    _draw_signs(pen, SIZE[0] - MARGIN - 3 * STEP - HALF, 92)
    target.parent.mkdir(parents=True, exist_ok=True)
    info = PngInfo()
    info.add_text("Comment", recipe.encode("unicode_escape").decode())
    image.quantize(64, Image.Quantize.FASTOCTREE).save(
        target, pnginfo=info, optimize=True
    )


def _recipe(card: Path) -> str | None:
    """Return what a card was drawn of, which it carries as its comment."""
    with Image.open(card) as image:
        return image.info.get("Comment", "").encode().decode("unicode_escape")


def _lines(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text into lines that are no wider than so many pixels."""
    lines = [""]
    for piece in PIECE.findall(text):
        if font.getlength((lines[-1] + piece).rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += piece
    return lines


def _draw_signs(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """Draw a row that the gradient goes through from the right, from the loss.

    It passes a frozen layer, reaches one that trains, and stops at a cut.
    """
    for number in (1, 2):
        start, stop = x + number * STEP + HALF, x + (number + 1) * STEP - HALF
        pen.line((start, y, stop, y), LOSS, 5)
    for start in range(x + HALF, x + STEP - HALF, 18):
        pen.line((start, y, start + 9, y), CUT, 5)
    for slope in (1, -1):
        middle = x + STEP // 2
        pen.line((middle - 16, y - 16 * slope, middle + 16, y + 16 * slope), CUT, 7)
    for place, colour in ((x, CUT), (x + STEP, TRAINS), (x + 2 * STEP, FROZEN)):
        box = (place - HALF, y - HALF, place + HALF, y + HALF)
        pen.rectangle(box, PAPER, colour, 5)
    left, top, side = x + 2 * STEP - HALF, y - HALF, 2 * HALF
    for offset in range(13, side, 13):
        pen.line((left, top + offset, left + offset, top), FROZEN, 3)
        pen.line((left + offset, top + side, left + side, top + offset), FROZEN, 3)
    x += 3 * STEP
    diamond = [(x, y - 32), (x + 32, y), (x, y + 32), (x - 32, y)]
    pen.polygon(diamond, PAPER, LOSS, 5)


def _draw_all(app: Sphinx, exception: Exception | None) -> None:
    """Draw a card for each page, with the title that it has in the page's language."""
    if exception or app.builder.name != "html":
        return
    titles, folder = app.env.titles, Path(app.outdir, "_static", "cards")
    font = Path(str(distribution("zhplot").locate_file(FONT)))
    for page, title in titles.items():
        above = str(PurePosixPath(page).parent / "index")
        chapter = titles[above].astext() if above in titles else ""
        is_own = chapter == title.astext()
        draw(title.astext(), "" if is_own else chapter, font, folder / f"{page}.png")


def setup(app: Sphinx) -> None:
    app.connect("build-finished", _draw_all)
