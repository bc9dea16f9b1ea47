"""Build the site twice from scratch and compare all files.

The files include EPUBs, zip archives, figures and the search index. The second build
runs in a folder of another name, because the path must not affect the site.
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
    """Print the files that differ, and how many; return the exit code."""
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
