"""Measure the build, all in one run: both languages, again, one edit, English alone.

English alone is plain sphinx-gallery: ``sphinx-build`` on the same scripts and pages.
It makes pages, and no book, no search index and no checks: so the pages of both
languages are measured alone, too.
Each clean build is made three times, in turn, and the fastest counts: whatever else the
machine does only adds to a time.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from pipeline import sphinx
from pipeline.build import build
from pipeline.project import ENGLISH, LANGUAGES, Project
from pipeline.site import make
from pipeline.stage import stage

ROOT = Path(__file__).parents[2]
ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that a piece of work takes; its output is not shown."""
    begun = time.perf_counter()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        work()
    return time.perf_counter() - begun


def english_alone(project: Project) -> None:
    """Build the English tree alone, without translations."""
    source = project.built / "source" / "alone"
    stage(project, ENGLISH, source)
    process = sphinx.start(project, "html", source, project.built / "alone", "-n")
    said, _ = process.communicate()
    if process.returncode:
        sys.exit(said)


def pages_of_both(project: Project) -> None:
    """Build the trees of both languages at the same time, and nothing of them."""
    for language in LANGUAGES:
        stage(project, language, project.staged(language))
    build(project, LANGUAGES)


def main() -> None:
    """Work on a copy of the checkout, and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "checkout")
        shutil.copytree(
            ROOT,
            root,
            ignore=shutil.ignore_patterns("_build", ".*", "tests"),
        )
        project = Project(root)
        both, pages, alone = [], [], []
        for _ in range(ROUNDS):
            shutil.rmtree(project.built, ignore_errors=True)
            alone.append(seconds(lambda: english_alone(project)))
            shutil.rmtree(project.built)
            pages.append(seconds(lambda: pages_of_both(project)))
            shutil.rmtree(project.built)
            both.append(seconds(lambda: make(project)))
        unchanged = seconds(lambda: make(project))
        script = project.examples / project.scripts()[0]
        script.write_text(script.read_text("utf-8") + "print(1)\n", "utf-8")
        edited = seconds(lambda: make(project))
    print(f"{'both languages, clean':32}{min(both):6.1f} s")
    print(f"{'both languages, nothing changed':32}{unchanged:6.1f} s")
    print(f"{'both languages, one script':32}{edited:6.1f} s")
    print(f"{'both languages, pages, clean':32}{min(pages):6.1f} s")
    print(f"{'English alone, clean':32}{min(alone):6.1f} s")
    print(f"{'both / English alone':32}{min(both) / min(alone):6.2f}")
    print(f"{'pages of both / English alone':32}{min(pages) / min(alone):6.2f}")


if __name__ == "__main__":
    main()
