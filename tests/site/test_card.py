"""The card as a PDF, which readers share."""

import pypdf

from gradguide_site.publish.card import PAGE, PDF

from .pages import EVERY_LANGUAGE, read

SHOWN = "self::h1 or self::h2 or self::h3 or self::p or self::pre"


@EVERY_LANGUAGE
def test_the_card_is_one_sheet_with_the_text_of_its_page(language):
    """Only the paragraph that offers the PDF itself is left out."""
    page = read(language, f"{PAGE}.html")
    pdf = pypdf.PdfReader(page.target(PDF))
    (sheet,) = pdf.pages
    assert sheet.mediabox[2:] == [595.2756, 841.8898]  # A4
    assert pdf.root_object["/Lang"] == language.tag
    text = "".join(sheet.extract_text().split())
    shown = page.tree.xpath(f"//article//*[{SHOWN}]")
    missing = [
        words
        for words in ("".join(it.text_content().strip("¶#").split()) for it in shown)
        if words not in text
    ]
    (offer,) = page.tree.xpath(f"//article//p[.//a[@href='{PDF}']]")
    assert missing == ["".join(offer.text_content().split())]


@EVERY_LANGUAGE
def test_the_card_needs_no_font_of_the_machine(language):
    """It contains its Latin fonts; viewers know the name of the Chinese one."""
    pdf = pypdf.PdfReader(read(language, f"{PAGE}.html").target(PDF))
    fonts = [font.get_object() for font in pdf.pages[0]["/Resources"]["/Font"].values()]
    away = {font["/BaseFont"] for font in fonts if "/FontDescriptor" not in font}
    assert away <= {"/STSong-Light", "/Helvetica"}
