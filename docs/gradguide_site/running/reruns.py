"""Decide which scripts run again: those that would print or draw something else now.

sphinx-gallery runs a script again when its text has changed since it last went well.
That is not enough: it may have failed since, and PyTorch may be another.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from gradguide_site.project import GALLERY, Project

RECORD = "{}.runs.json"
"""Beside the tree of a language: the fingerprint of each script's last run."""

PACKAGES = ("torch", "numpy", "matplotlib", "sphinx-gallery")
RUNNERS = ("fresh_start.py", "figures.py", "figures.mplstyle")
"""The extensions that decide what a script prints and draws."""


def forget_outdated(
    project: Project, tree: Path, scripts: Mapping[Path, bytes]
) -> None:
    """Remove what sphinx-gallery has made of scripts that have to run again.

    Args:
        project: The checkout.
        tree: The staged tree in which they ran.
        scripts: Every script as it is going to be staged.
    """
    _forget_removed(tree, scripts)
    record = tree.with_name(RECORD.format(tree.name))
    before = json.loads(record.read_text()) if record.exists() else {}
    versions = "".join(map(importlib.metadata.version, PACKAGES)).encode()
    now = {
        path.as_posix(): _fingerprint(project, versions + text)
        for path, text in scripts.items()
    }
    for script, fingerprint in now.items():
        if before.get(script) != fingerprint:
            _forget_run(tree / GALLERY / script)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(now, indent=1))


def _fingerprint(project: Project, script: bytes) -> str:
    """Return a digest of all that decides what a script prints and draws."""
    digest = hashlib.sha256(sys.version.encode() + script)
    parts = [Path(__file__).with_name(name) for name in RUNNERS]
    if b"gradguide" in script:
        parts += sorted((project.root / "src").rglob("*.py"))
    for path in parts:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _forget_run(made: Path) -> None:
    """Remove the record of a run, and its pictures, which may say that it failed."""
    made.with_name(f"{made.name}.md5").unlink(missing_ok=True)
    picture = re.compile(rf"sphx_glr_{re.escape(made.stem)}_(?:\d+|thumb)\.\w+")
    for path in made.parent.glob("images/**/*"):
        if picture.fullmatch(path.name):
            path.unlink()


def _forget_removed(tree: Path, scripts: Mapping[Path, bytes]) -> None:
    """Remove what was made of a chapter that has lost a script."""
    gallery = tree / GALLERY
    for made in gallery.glob("*/*.py"):
        if made.relative_to(gallery) not in scripts:
            shutil.rmtree(made.parent, ignore_errors=True)
