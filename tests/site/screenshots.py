"""Take pictures of the main pages for a reviewer to look at.

``screenshots.py [FOLDER]``: each page in both languages, light and dark, at 390 and
1280 px.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import sys
import threading
from itertools import product
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs/_build/html"
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
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(SITE)
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser, args=["--no-sandbox"]
        )
        for scheme, width in product(("light", "dark"), (390, 1280)):
            tab = chromium.new_page(
                color_scheme=scheme, viewport={"width": width, "height": 900}
            )
            for url, page in product(("en", "zh-cn"), PAGES):
                tab.goto(f"http://127.0.0.1:{server.server_port}/{url}/{page}.html")
                name = f"{url}-{page.replace('/', '-')}-{scheme}-{width}.png"
                tab.screenshot(path=folder / name, full_page=True)
                print(folder / name)
        chromium.close()
    server.shutdown()


if __name__ == "__main__":
    main(Path(*sys.argv[1:]) if sys.argv[1:] else ROOT / "docs/_build/screenshots")
