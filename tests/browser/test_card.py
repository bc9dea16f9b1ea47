"""The card on paper."""

from io import BytesIO

import pypdf

from gradguide_site.publish.card import PAGE
from tests.site.pages import EVERY_LANGUAGE


@EVERY_LANGUAGE
def test_the_card_prints_on_one_sheet(language, open_page):
    """It is A4, whatever paper the printer has, and nothing is cut off."""
    tab = open_page(f"{language.url}/{PAGE}.html")
    printed = tab.pdf(prefer_css_page_size=True, print_background=True)
    (sheet,) = pypdf.PdfReader(BytesIO(printed)).pages
    assert [round(float(edge)) for edge in sheet.mediabox[2:]] == [595, 842]
    text = "".join(sheet.extract_text().split())
    code = tab.locator("article pre").all_text_contents()
    assert len(code) > 10
    assert [it for it in code if "".join(it.split()) not in text] == []
