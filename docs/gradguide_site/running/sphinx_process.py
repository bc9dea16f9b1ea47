"""Start Sphinx on a staged tree, and make what it says fit for a person."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from gradguide_site.project import GALLERY, SCRIPTS, Language, Project

Process = subprocess.Popen[str]

REPORT = "Versions"
SUMMARY = "Here is a summary of the problems"


def start(
    project: Project, builder: str, source: Path, output: Path, *options: str
) -> Process:
    """Start a builder of Sphinx; what it says comes through ``stdout``.

    Args:
        project: The checkout that has the extensions.
        builder: Its name, such as ``html``.
        source: The staged tree.
        output: Where to write.
        *options: More options of ``sphinx-build``.
    """
    command = [
        *(sys.executable, "-m", "sphinx"),
        *("-b", builder),
        "-q",  # its own progress is not what a person wants to know
        *("-d", str(project.built / "doctrees" / source.name)),
        *options,
        *(str(source), str(output)),
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
        cwd=source,  # sphinx-gallery's paths are relative to it
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def settings(project: Project, language: Language) -> tuple[str, ...]:
    """Return what is set for each language.

    It is the same for every builder: another setting would make Sphinx read all pages
    again.
    """
    return (
        "-n",  # a reference that leads nowhere is a warning
        *("-D", f"language={language.code}"),
        *("-D", f"html_baseurl={project.address}{language.url}/"),
        *("-D", f"version={project.metadata['version']}"),
        *("-D", f"epub_uid={identifier(language)}"),
    )


def identifier(language: Language) -> str:
    """Return what a library knows the book in a language by."""
    return f"gradguide-{language.tag}"


def complaints(lines: Iterable[str], source: Path) -> Iterator[str]:
    """Yield what Sphinx complains of, in as few lines as say it.

    Files are named as they are in the repository, where a person can correct them.
    """
    staged = str(source) + os.sep
    said = [line.rstrip() for line in lines if line.strip()]
    for line in _without_repeats(_without_report(said)):
        yield (
            line.replace(f"{staged}{GALLERY}{os.sep}", f"{GALLERY}/")
            .replace(f"{staged}{SCRIPTS}{os.sep}", f"{SCRIPTS}/")
            .replace(staged, "docs/")
        )


def _without_report(lines: Sequence[str]) -> Sequence[str]:
    """Leave of Sphinx's report on an exception only the exception itself."""
    if REPORT not in lines:
        return lines
    start, end = lines.index(REPORT), len(lines)
    for number, line in enumerate(lines):
        if line.startswith("The full traceback"):
            end = number
    way = " " * 5  # the lines that lead to the exception are indented more than it
    error = takewhile(lambda line: not line.startswith(way), reversed(lines[start:end]))
    return [*lines[:start], *(line.strip() for line in reversed(list(error)))]


def _without_repeats(lines: Iterable[str]) -> Iterator[str]:
    """Leave out the summary in which sphinx-gallery repeats each script that failed."""
    repeats = False
    for line in lines:
        rule = set(line) == {"-"}
        repeats = SUMMARY in line or (repeats and not rule)
        if not repeats and not rule:
            yield line
