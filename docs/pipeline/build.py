"""Run Sphinx on the tree of every language at the same time, and say how it goes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from .project import GALLERY, SCRIPTS, Language, PipelineError, Project

PROGRESS = "progress: "
"""What a line begins with that is meant for whoever runs the build."""

SUMMARY = "Here is a summary of the problems"

ADVICE = "The site of the last good build is unchanged."


def build(
    project: Project, languages: Sequence[Language], *, strict: bool = True
) -> None:
    """Build the pages of each language from its staged tree.

    Args:
        project: The checkout.
        languages: The languages, each with its tree staged.
        strict: Whether a warning of Sphinx is an error.

    Raises:
        PipelineError: A script failed, or Sphinx has warned; it names the script or
            page and the line.
    """
    processes = [_start(project, language, strict=strict) for language in languages]
    try:
        with ThreadPoolExecutor(len(processes)) as threads:
            outputs = list(threads.map(_follow, languages, processes))
    finally:
        for process in processes:
            process.terminate()  # does nothing to one that has ended
    complaints: dict[str, Language] = {}  # one that both languages share, once
    for language, lines in zip(languages, outputs, strict=True):
        for line in _readable(project, language, lines):
            complaints.setdefault(line, language)
    shown = [f"[{language.tag}] {line}" for line, language in complaints.items()]
    if any(process.returncode for process in processes):
        raise PipelineError("\n".join([*shown, f"\nThe build failed. {ADVICE}"]))
    print(*shown, sep="\n", end="\n" if shown else "")


def _start(
    project: Project, language: Language, *, strict: bool
) -> subprocess.Popen[str]:
    command = [
        *(sys.executable, "-m", "sphinx"),
        *("-b", "html"),
        "-q",  # its own progress is not what a person wants to know
        "-n",  # a reference that leads nowhere is a warning
        *(("-W", "--keep-going") if strict else ()),  # warnings are errors; show all
        *("-D", f"language={language.code}"),
        *("-D", f"html_baseurl={project.address}{language.url}/"),
        *("-d", str(project.doctrees(language))),
        str(project.staged(language)),
        str(project.pages(language)),
    ]
    environment = os.environ | {
        "MPLBACKEND": "agg",
        "PYTHONHASHSEED": "0",
        # where the extensions are, and the module that pages are about
        "PYTHONPATH": os.pathsep.join([str(project.docs), str(project.root / "src")]),
        "PYTHONUTF8": "1",
        "SOURCE_DATE_EPOCH": str(project.epoch),
    }
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=environment,
    )


def _follow(language: Language, process: subprocess.Popen[str]) -> list[str]:
    """Print the progress of a process; return everything else that it says."""
    assert process.stdout is not None
    others = []
    for line in process.stdout:
        if line.startswith(PROGRESS):
            print(
                f"[{language.tag}] {line.removeprefix(PROGRESS).rstrip()}", flush=True
            )
        elif line.strip():
            others.append(line.rstrip())
    process.wait()
    return others


def _readable(
    project: Project, language: Language, lines: Iterable[str]
) -> Iterable[str]:
    """Name files as they are in the repository, where a person can correct them."""
    staged = str(project.staged(language)) + os.sep
    repeats = False
    for line in lines:
        # At its end sphinx-gallery repeats what it has said of scripts that failed.
        repeats = SUMMARY in line or (repeats and set(line) != {"-"})
        if not repeats and set(line) != {"-"}:
            yield (
                line.replace(f"{staged}{GALLERY}{os.sep}", f"{GALLERY}/")
                .replace(f"{staged}{SCRIPTS}{os.sep}", f"{SCRIPTS}/")
                .replace(staged, "docs/")
            )
