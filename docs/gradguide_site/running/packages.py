"""Find the packages that a script imports, and whether they are installed.

Chapter *frameworks* needs packages that are a dependency group of their own. Without
them the site builds, too: these scripts do not run, and their pages say so.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

IMPORT = re.compile(
    r"^ *(?:import (?=[\w.]+(?: as \w+)?$)|from (?=[\w.]+ import ))(\w+)", re.MULTILINE
)


def imported(script: str) -> list[str]:
    """Return the packages that a script imports, without Python's own, sorted."""
    return sorted(set(IMPORT.findall(script)) - sys.stdlib_module_names)


def missing(script: Path) -> list[str]:
    """Return the packages that a script imports and that are not installed."""
    packages = imported(script.read_text("utf-8"))
    return [package for package in packages if find_spec(package) is None]


def versions(packages: Sequence[str]) -> list[tuple[str, str]]:
    """Return the version of each package; it is empty if none is installed."""
    return [(package, _version(package)) for package in packages]


def filename_pattern(*folders: str) -> str:
    """Return the pattern of the scripts that sphinx-gallery runs, below some folders.

    It excludes the scripts that import a package that is not installed.
    """
    scripts = (path for folder in folders for path in Path(folder).rglob("*.py"))
    excluded = [
        re.escape(f"{path.parent.name}/{path.name}")
        for path in sorted(scripts)
        if missing(path)
    ]
    return rf"^(?!.*(?:{'|'.join(excluded)})$).*\.py$" if excluded else r"\.py$"


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
