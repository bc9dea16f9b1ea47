"""Build the pages of every language at the same time, and say how it goes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from gradguide_site.running import sphinx_process as sphinx
from gradguide_site.project import Language, PipelineError, Project

PROGRESS = "progress: "
"""What a line begins with that is meant for whoever runs the build."""


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
    with ThreadPoolExecutor(len(processes)) as threads:
        try:
            outputs = list(threads.map(_follow, languages, processes))
        finally:
            for process in processes:
                process.terminate()  # does nothing to one that has ended
    complaints: dict[str, Language] = {}  # one that both languages share, once
    for language, lines in zip(languages, outputs, strict=True):
        for line in sphinx.complaints(lines, project.staged(language)):
            complaints.setdefault(line, language)
    shown = [f"[{language.tag}] {line}" for line, language in complaints.items()]
    if any(process.returncode for process in processes):
        raise PipelineError(
            "\n".join(shown)
            + "\n\nThe build failed. The site of the last good build is unchanged."
        )
    print(*shown, sep="\n", end="\n" if shown else "")


def _start(project: Project, language: Language, *, strict: bool) -> sphinx.Process:
    return sphinx.start(
        project,
        "html",
        project.staged(language),
        project.pages(language),
        *(("-W", "--keep-going") if strict else ()),  # warnings are errors; show all
        *sphinx.settings(project, language),
    )


def _follow(language: Language, process: sphinx.Process) -> list[str]:
    """Print the progress of a process; return everything else that it says."""
    others = []
    with process:
        for line in process.stdout or ():
            if line.startswith(PROGRESS):
                said = line.removeprefix(PROGRESS)
                print(f"[{language.tag}] {said}", end="", flush=True)
            else:
                others.append(line)
    return others
