"""Take pictures of the main pages for a reviewer to look at.

``python -m tools.screenshots [FOLDER]``: each page in both languages, light and dark,
at 390 and 1280 px.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

from playwright.sync_api import sync_playwright
from tests.browser.executable import HINT, find
from tests.browser.server import serve

BUILT = Path(__file__).parents[1] / "docs/_build"
PAGES = (
    "index",
    "start/tour",
    "gallery/index",
    "gallery/three-ways/through_or_blocked",
    "gallery/three-ways/detach_cuts_one_tensor",
    "reference/api",
    "search",
)


def main(folder: Path) -> None:
    """Write a PNG for each page, language, colour scheme and width."""
    browser = find() or sys.exit(f"No browser. {HINT}")
    folder.mkdir(parents=True, exist_ok=True)
    with serve(BUILT / "html") as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser, args=["--no-sandbox"]
        )
        for scheme, width in product(("light", "dark"), (390, 1280)):
            tab = chromium.new_page(
                color_scheme=scheme, viewport={"width": width, "height": 900}
            )
            for url, page in product(("en", "zh-cn"), PAGES):
                tab.goto(f"{address}{url}/{page}.html")
                name = f"{url}-{page.replace('/', '-')}-{scheme}-{width}.png"
                tab.screenshot(path=folder / name, full_page=True)
                print(folder / name)
        chromium.close()


if __name__ == "__main__":
    main(Path(*sys.argv[1:]) if sys.argv[1:] else BUILT / "screenshots")
