"""Say what the build is doing: which step, which script, how many of how many."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx_gallery.utils import get_md5sum

from gradguide_site.running.pages_of_all import PROGRESS

_begun = count(1)


def announce(gallery_conf: dict[str, str], script: str) -> None:
    """Say that a script is about to run; called by sphinx-gallery before each one."""
    _say(f"script {next(_begun)} of {gallery_conf['scripts_to_run']}: {script}")


def _count_scripts(app: Sphinx) -> None:
    source, made = Path(app.srcdir, "examples"), Path(app.srcdir, "gallery")
    scripts = list(source.glob("*/*.py"))
    stale = [
        script
        for script in scripts
        if not (record := made / f"{script.relative_to(source)}.md5").exists()
        or record.read_text() != get_md5sum(script, mode="t")
    ]
    app.config.sphinx_gallery_conf["scripts_to_run"] = len(stale)
    _say(f"{len(stale)} of {len(scripts)} scripts to run")


def _reading(app: Sphinx, env: BuildEnvironment, docnames: Sequence[str]) -> None:
    _say(f"{len(docnames)} of {len(env.found_docs)} pages to read")


def _writing(app: Sphinx, env: BuildEnvironment) -> None:
    _say("writing pages")


def _say(text: str) -> None:
    """Print a line, past sphinx-gallery's capture of what scripts print."""
    print(PROGRESS + text, file=sys.__stdout__, flush=True)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _count_scripts, priority=100)  # before they run
    app.connect("env-before-read-docs", _reading)
    app.connect("env-updated", _writing)
