"""Find the browser for the tests. As a program, say which it is, or how to get one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
"""What the browser is called on the PATH."""

SHELLS = ("headless_shell", "chrome-headless-shell")
"""What it is called where Playwright has fetched it."""

HINT = (
    "Install Chromium, on Debian the packages chromium and fonts-noto-cjk, or Chrome, "
    "and run again."
)


def find() -> str | None:
    """Return the path of the system's browser, or of the one Playwright has fetched."""
    fetched = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", os.devnull))
    found = [
        *filter(None, map(shutil.which, NAMES)),
        *(str(path) for path in sorted(fetched.glob("*/*/*")) if path.stem in SHELLS),
    ]
    return found[0] if found else None


def fetch() -> None:
    """Let Playwright fetch a headless browser, where that works.

    On a machine without the libraries that the browser needs, it is removed again.
    """
    install = [sys.executable, "-m", "playwright", "install", "--only-shell"]
    quiet: dict[str, Any] = {"stdout": DEVNULL, "stderr": DEVNULL}
    try:
        subprocess.check_call([*install, "chromium"], timeout=300, **quiet)
        subprocess.check_call([find() or "", "--version"], timeout=60, **quiet)
    except (OSError, subprocess.SubprocessError):
        shutil.rmtree(os.environ["PLAYWRIGHT_BROWSERS_PATH"], ignore_errors=True)


def main() -> None:
    """Find or fetch a browser and print its path; in CI, a missing one is an error."""
    if find() is None and "PLAYWRIGHT_BROWSERS_PATH" in os.environ:
        fetch()
    browser = find()
    if browser is None and "CI" in os.environ:
        sys.exit(f"No browser. {HINT}")
    print(browser or f"No browser: its tests will be left out. {HINT}")


if __name__ == "__main__":
    main()
