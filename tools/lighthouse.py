"""Check the main pages with Lighthouse, as a phone on a slow network loads them.

The server compresses the site, as a host would. Both programs are run by npm's ``npx``,
in the versions below. ``python -m tools.lighthouse [PAGE ...]`` checks these pages.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

from tests.browser.executable import find

SITE = Path(__file__).parents[1] / "docs/_build/html"
LIGHTHOUSE, SERVE = "lighthouse@12.8.2", "serve@14.2.7"
PAGES = (
    "",
    "gallery/",
    "gallery/three-ways/through_or_blocked",
    "reference/api",
)
PERFECT = 100
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
FLAGS = "--chrome-flags=--headless=new --no-sandbox"


def judge(address: str) -> tuple[dict[str, int], list[str]]:
    """Return the scores of a page, at most 100, and the audits that lowered them."""
    categories = f"--only-categories={','.join(CATEGORIES)}"
    command = ["npx", "--yes", LIGHTHOUSE, address, "--quiet", FLAGS, categories]
    result = subprocess.run(
        [*command, "--output=json"],
        env=os.environ | {"CHROME_PATH": find() or ""},
        stdout=subprocess.PIPE,
        check=True,
    )
    report = json.loads(result.stdout)
    by_name = report["categories"]
    scores = {name: round(100 * by_name[name]["score"]) for name in CATEGORIES}
    counted = {
        audit["id"]
        for name in CATEGORIES
        if scores[name] < PERFECT
        for audit in by_name[name]["auditRefs"]
        if audit["weight"]
    }
    audits = [report["audits"][name] for name in sorted(counted)]
    return scores, [_fault(audit) for audit in audits if audit["score"] != 1]


def _fault(audit: dict[str, Any]) -> str:
    """Return the title of a failed audit and the elements or values that failed it."""
    items = audit.get("details", {}).get("items", [])[:5]
    elements = [item["node"]["snippet"] for item in items if "node" in item]
    return "\n    ".join([audit["title"], *(elements or map(json.dumps, items))])


def main(pages: list[str]) -> int:
    """Print a table; return 1 if a score is not 100."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listen = f"tcp://127.0.0.1:{port}"
    server = subprocess.Popen(
        ["npx", "--yes", SERVE, "--listen", listen, "--no-clipboard", str(SITE)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    perfect = True
    try:
        _wait_for(port)
        print(f"{'':46}", *(f"{name:>15}" for name in CATEGORIES))
        for language, page in product(("en", "zh-cn"), pages):
            scores, faults = judge(f"http://127.0.0.1:{port}/{language}/{page}")
            perfect = perfect and set(scores.values()) == {PERFECT}
            print(f"{language}/{page:40}", *(f"{s:15}" for s in scores.values()))
            for fault in faults:
                print(" ", fault)
    finally:
        server.terminate()
    return not perfect


def _wait_for(port: int) -> None:
    """Wait for the server, at most a minute, because npx may have to download it."""
    for _ in range(240):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.25)
    sys.exit("the server did not start: is npm here, and the registry in reach?")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(PAGES)))
