"""Faults that a reader meets in a browser only."""

from __future__ import annotations

from tests.faults.checks import PAGE, Check, browser, site
from tests.faults.fault import Append, Fault, Replace, fault

ABOUT = "docs/_build/html/en/about.html"
STYLE = "docs/_build/html/en/_static/gradguide.css"
BODY = '<article role="main" id="furo-main-content">'
POLICY = 'http-equiv="Content-Security-Policy"'
AXE = browser("test_accessibility.py::test_axe_finds_no_fault", "index-en")
VISIT = browser(
    "test_visits.py::test_a_page_fits_a_phone_and_asks_nobody_else", "en/about.html"
)
NAMES = site(PAGE, "en/about.html")
KEYBOARD = browser("test_accessibility.py::test_the_keyboard_is_never_trapped")
SEARCH = browser("test_search.py::test_everything_works_from_the_keyboard")

TRAP = """
document.addEventListener("keydown", (event) => {
  if (document.activeElement.closest("article")) event.preventDefault();
});
"""


def styled(kind: str, name: str, check: Check, words: str, rule: str) -> Fault:
    """Return a fault in the style sheet."""
    return fault(kind, name, check, words, Append(STYLE, f"\n{rule}\n"))


def added(kind: str, name: str, check: Check, words: str, markup: str) -> Fault:
    """Return a fault in a page that begins with some other markup."""
    return fault(kind, name, check, words, Replace(ABOUT, BODY, BODY + markup))


# A fault reads better as a few full lines than as one for each argument.
# fmt: off
FAULTS = (
    fault("a request to another host",
        "en/about.html has no policy, and a picture from elsewhere", VISIT,
        "example.org", Replace(ABOUT, POLICY, 'name="policy"'),
        Replace(ABOUT, BODY, f'{BODY}<img src="https://example.org/x.png" alt="x">')),
    added("a request to another host",
        "the policy of en/about.html keeps a script from elsewhere out", VISIT,
        "example.org", '<script src="https://example.org/x.js"></script>'),
    added("a policy error", "en/about.html has a script in itself", VISIT,
        "Content Security Policy", "<script>document.title = document.title</script>"),
    styled("low contrast in the dark", "text is dark grey in the dark",
        AXE, "color-contrast",
        "@media (prefers-color-scheme: dark) { article p { color: #444; } }"),
    styled("a sideways scroll on a phone", "a page is at least 600 pixels wide",
        VISIT, "assert 600 == 390", "body { min-width: 600px; }"),
    styled("a sideways scroll on a phone", "paragraphs are at least 600 pixels wide",
        VISIT, "assert ['<p>", "article p { min-width: 600px; }"),
    added("a missing alternative text", "a picture of en/about.html has none", NAMES,
        "no alt: ", '<img src="_static/favicon.svg">'),
    fault("a keyboard trap", "no key leads out of the text", KEYBOARD,
        "assert [", Append("docs/_build/html/en/_static/scrolling.js", TRAP)),
    fault("a search that finds nothing", "queries are looked for backwards", SEARCH,
        "assert 'search-field' == 'search-title'",
        Replace("docs/_build/html/en/_static/search/words.js",
            "const text = messageIn(query);",
            'const text = [...messageIn(query)].reverse().join("");')),
)
# fmt: on
