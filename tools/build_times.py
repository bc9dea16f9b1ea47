"""Measure builds: both languages, no change, one script edited, English alone.

*English alone* is ``sphinx-build`` on the English pages, without a book, a search index
or checks. It is the minimum that a guide in one language would need. Clean builds are
made three times, and the fastest counts, because other processes make a build slower.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gradguide_site.project import ENGLISH, Project
from gradguide_site.running.sphinx_builds import settings
from gradguide_site.running.stage import stage

ROOT = Path(__file__).parents[1]
ROUNDS = 3


def build(project: Project) -> tuple[float, str]:
    """Build the site as nox does; return the seconds and the output of the build."""
    command = [sys.executable, "-m", "gradguide_site", "--root", str(project.root)]
    environment = os.environ | {"PYTHONPATH": str(project.docs)}
    # A pipe would stay open until the server of processes, too, has ended.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        start = time.perf_counter()
        both = {"stdout": output, "stderr": output}
        code = subprocess.call([*command, "build"], env=environment, **both)
        seconds = time.perf_counter() - start
        output.seek(0)
        text = output.read()
    if code:
        sys.exit(text)
    return seconds, text


def english_alone(project: Project) -> float:
    """Build the English pages with ``sphinx-build``; return the seconds."""
    source = project.staged(ENGLISH)
    stage(project, ENGLISH, source)
    code = os.pathsep.join([str(project.docs), str(project.root / "src")])
    values = settings(project, ENGLISH) | {"nitpicky": 1}  # as a command line has it
    options = [f"-D{name}={value}" for name, value in values.items()]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-b", "html", *options, ".", "../alone"],
        cwd=source,
        env=os.environ | {"PYTHONPATH": code, "MPLBACKEND": "agg"},
        check=True,
    )
    return time.perf_counter() - start


def main() -> None:
    """Measure builds of a copy of the checkout, and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "checkout")
        ignored = shutil.ignore_patterns("_build", ".*", "tests", "__pycache__")
        shutil.copytree(ROOT, root, ignore=ignored)
        project = Project(root)
        both, alone = [], []
        for _ in range(ROUNDS):
            shutil.rmtree(project.built, ignore_errors=True)
            alone.append(english_alone(project))
            shutil.rmtree(project.built)
            seconds, printed = build(project)
            both.append(seconds)
        unchanged, _ = build(project)
        script = project.examples / project.scripts()[0]
        script.write_text(script.read_text("utf-8") + "print(1)\n", "utf-8")
        edited, _ = build(project)
        pages = len(list(project.site.rglob("*.html")))
    memory = max(map(int, re.findall(r"(\d+) MB", printed)))
    print(f"{'pages':34}{pages:6}")
    print(f"{'both languages, clean':34}{min(both):6.1f} s")
    print(f"{'both languages, nothing changed':34}{unchanged:6.1f} s")
    print(f"{'both languages, one script edited':34}{edited:6.1f} s")
    print(f"{'English alone, clean':34}{min(alone):6.1f} s")
    print(f"{'both languages / English alone':34}{min(both) / min(alone):6.2f}")
    print(f"{'memory of one language, at most':34}{memory:6} MB")


if __name__ == "__main__":
    main()
