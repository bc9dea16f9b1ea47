"""Build the site twice from nothing, and compare every byte of both.

EPUBs, zips, figures and the search index are among the files. The second build is made
in a folder of another name, since the path of a checkout must not be on the site.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gradguide_site.project import Project

ROOT = Path(__file__).parents[1]


def site(root: Path) -> dict[str, bytes]:
    """Build a copy of the checkout; return every file of its site."""
    ignored = shutil.ignore_patterns("_build", ".nox", ".venv", "__pycache__")
    shutil.copytree(ROOT, root, ignore=ignored)
    command = [sys.executable, "-m", "gradguide_site", "--root", str(root), "build"]
    subprocess.run(command, check=True)
    folder = Project(root).site
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main() -> int:
    """Print the files that differ, or how many are the same; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        first = site(Path(folder, "first"))
        second = site(Path(folder, "the second 第二"))
    names = sorted(first.keys() | second.keys())
    differ = [name for name in names if first.get(name) != second.get(name)]
    print(*differ, sep="\n")
    print(f"{len(names)} files, {len(differ)} differ")
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
