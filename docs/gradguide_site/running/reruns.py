"""Make scripts run again if their outputs or figures may have changed.

sphinx-gallery runs a script again only when its text differs from that of the last
successful run. But the script may have failed in between, or PyTorch may have been
updated.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from gradguide_site.project import Project, chapters, page_of
from gradguide_site.running import packages

RECORD = "{}.runs.json"
"""The file beside a source tree that holds the digest of each script's last run."""

PACKAGES = ("torch", "numpy", "matplotlib", "sphinx-gallery")
"""Packages that affect every script, besides those that it imports."""

RUNNERS = (
    *("fresh_start.py", "figures.py", "figures.mplstyle", "../chinese.py"),
    "../pages/static/script.svg",  # the picture of a script without a figure
)
"""Files of this package that affect what a script prints and draws."""


def forget_outdated(
    project: Project, tree: Path, scripts: Mapping[Path, bytes]
) -> None:
    """Remove the results of outdated runs from a source tree.

    sphinx-gallery then runs these scripts again. ``scripts`` has the new content of all
    scripts.
    """
    _forget_removed(tree, scripts)
    record = tree.with_name(RECORD.format(tree.name))
    old = json.loads(record.read_text()) if record.exists() else {}
    new = {path.as_posix(): _digest(project, text) for path, text in scripts.items()}
    for script in scripts:
        if old.get(script.as_posix()) != new[script.as_posix()]:
            _forget_run(tree / page_of(script).with_suffix(script.suffix))
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(new, indent=1))


def _digest(project: Project, script: bytes) -> str:
    """Return a digest of everything that affects what a script prints and draws."""
    used = packages.versions([*PACKAGES, *packages.imported(script.decode())])
    digest = hashlib.sha256(f"{sys.version}{used}".encode() + script)
    code = [Path(__file__).parent / name for name in RUNNERS]
    if b"gradguide" in script:
        code += sorted((project.root / "src").rglob("*.py"))
    for path in code:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _forget_run(script: Path) -> None:
    """Remove the checksum of a script, and its pictures, which may show a failure.

    A thumbnail that a run draws as before stays as it is, so that the lists of pages,
    which show it, are not read again. Only that of a failure is no SVG.
    """
    script.with_name(f"{script.name}.md5").unlink(missing_ok=True)
    name = re.escape(f"sphx_glr_{script.stem}_")
    picture = re.compile(rf"{name}(?:\d+\.\w+|thumb\.(?!svg).+)")
    for path in script.parent.glob("images/**/*"):
        if picture.fullmatch(path.name):
            path.unlink()


def _forget_removed(tree: Path, scripts: Mapping[Path, bytes]) -> None:
    """Remove the generated pages of each chapter from which a script was removed."""
    written = {tree / page_of(script) for script in scripts}
    for folder in chapters(tree):
        if {path.with_suffix("") for path in folder.glob("*.py")} - written:
            shutil.rmtree(folder, ignore_errors=True)
