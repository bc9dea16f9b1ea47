"""Run Sphinx on source trees at the same time, each in a process of its own.

The processes are forked from one that has already imported PyTorch and Sphinx. Each
sends its progress and its complaints through a pipe.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import count
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gradguide_site.project import GALLERY, SCRIPTS, Language, PipelineError, Project

if TYPE_CHECKING:  # Sphinx takes half a second to import
    from sphinx.application import Sphinx

CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
PROCESSES: Any = multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")
PRELOADED = [
    *("furo", "matplotlib.pyplot", "myst_parser.sphinx_", "numpy"),
    *("sphinx.application", "sphinx_design", "sphinx_gallery.gen_gallery", "torch"),
]

SHOWN = ("running ", "updating environment: ")
"""What a line of Sphinx begins with if it tells a person how far the build is."""

SUMMARY = "Here is a summary of the problems"
"""What sphinx-gallery begins its repetition of all failed scripts with."""


class Build(NamedTuple):
    """One run of a builder of Sphinx."""

    builder: str
    output: Path
    settings: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """Builds from one source tree, one after the other in the same process."""

    project: Project
    language: Language
    source: Path
    builds: Sequence[Build]


class _Result(NamedTuple):
    complaints: list[str]
    failed: bool


def settings(project: Project, language: Language) -> dict[str, Any]:
    """Return what is set for a language.

    It is the same for every builder: another setting would make Sphinx read all pages
    again.
    """
    return {
        "nitpicky": True,  # a reference that leads nowhere is a warning
        "language": language.code,
        "html_baseurl": f"{project.address}{language.url}/",
        "version": project.metadata["version"],
        "epub_uid": f"gradguide-{language.tag}",
    }


def run(jobs: Sequence[Job], *, strict: bool = True) -> None:
    """Run jobs at the same time and print their progress.

    Args:
        jobs: What to build.
        strict: Whether a warning is an error; otherwise it is printed.

    Raises:
        PipelineError: A build failed or, with ``strict``, Sphinx has warned; the text
            names each script or page and the line.
    """
    results = list(_results(jobs))
    complaints = {  # one that both languages share is shown once
        complaint: language
        for language, result in reversed(results)
        for complaint in result.complaints
    }
    shown = [f"[{language.tag}] {text}" for text, language in complaints.items()]
    if any(result.failed for _, result in results) or (strict and shown):
        raise PipelineError("\n".join(shown))
    print(*shown, sep="\n", end="\n" if shown else "")


def _results(jobs: Sequence[Job]) -> Iterator[tuple[Language, _Result]]:
    """Start a process for each job, print what they send, and yield their results."""
    os.environ["PYTHONHASHSEED"] = "0"  # an interpreter reads it when it starts
    PROCESSES.set_forkserver_preload(PRELOADED)
    waiting: dict[Any, Job] = {}
    processes = []
    try:
        for job in jobs:
            receiver, sender = PROCESSES.Pipe(duplex=False)
            processes.append(PROCESSES.Process(target=_work, args=(job, sender)))
            processes[-1].start()
            sender.close()
            waiting[receiver] = job
        while waiting:
            ready: list[Any] = wait(list(waiting))
            for receiver in ready:
                language = waiting[receiver].language
                try:
                    message = receiver.recv()
                except EOFError:
                    message = _Result(
                        ["the process ended without a result"], failed=True
                    )
                if isinstance(message, str):
                    print(f"[{language.tag}] {message}", flush=True)
                else:
                    del waiting[receiver]
                    yield language, message
    finally:
        for process in processes:
            process.terminate()  # does nothing to one that has ended


def _work(job: Job, sender: Connection) -> None:
    """Run the builds of a job in this process; send lines, and a result at the end."""
    from sphinx.errors import SphinxError
    from sphinx.util.console import disable_colour  # type: ignore[attr-defined]

    os.chdir(job.source)  # sphinx-gallery's paths are relative to it
    sys.path[:0] = code = [str(job.project.docs), str(job.project.root / "src")]
    os.environ |= {
        "MPLBACKEND": "agg",
        "PYTHONPATH": os.pathsep.join(code),  # for processes that a script starts
        "SOURCE_DATE_EPOCH": str(job.project.epoch),
    }
    disable_colour()
    warnings, failed = StringIO(), False
    try:
        for build in job.builds:
            _build(job, build, _Lines(sender.send), warnings)
    except (SphinxError, PipelineError) as error:
        warnings.write(f"{error}\n")
        failed = True
    except Exception:  # noqa: BLE001 (whatever it is, it is shown)
        warnings.write(traceback.format_exc())
        failed = True
    sender.send(f"{len(job.builds)} builds, {_peak_memory()} MB at most")
    complaints = _readable(warnings.getvalue(), job.source)
    sender.send(_Result(list(complaints), failed))


def _build(job: Job, build: Build, status: StringIO, warnings: StringIO) -> None:
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    source = str(job.source)
    with patch_docutils(source), docutils_namespace():
        app = Sphinx(
            srcdir=source,
            confdir=source,
            outdir=build.output,
            doctreedir=job.project.built / "doctrees" / job.source.name,
            buildername=build.builder,
            confoverrides=settings(job.project, job.language) | build.settings,
            status=status,
            warning=warnings,
        )
        _collect_garbage_rarely(app)
        app.build()


def _collect_garbage_rarely(app: Sphinx) -> None:
    """Collect garbage after every 200 pages instead of all the time.

    The trees of a page are cyclic garbage of some 5 MB. To search for it as often as
    Python does takes a quarter of the time of a build.
    """
    gc.disable()
    pages = count(1)

    def collect(*_: object) -> None:
        if next(pages) % 200 == 0:
            gc.collect()

    app.connect("doctree-read", collect)
    app.connect("html-page-context", collect)


def _peak_memory() -> int:
    """Return the largest amount of memory that this process has had, in MB."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


class _Lines(StringIO):
    """A stream that sends each line that tells how far a build is."""

    def __init__(self, send: Callable[[str], None]) -> None:
        super().__init__()
        self._send = send
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.startswith(SHOWN):
                self._send(line)
        return len(text)


def _readable(warnings: str, source: Path) -> Iterator[str]:
    """Yield the lines of Sphinx's warnings, without what sphinx-gallery repeats.

    Files are named as they are in the repository, where a person can correct them.
    """
    staged = str(source) + os.sep
    repeats = False
    for line in filter(None, map(str.rstrip, warnings.splitlines())):
        rule = set(line) == {"-"}
        repeats = SUMMARY in line or (repeats and not rule)
        if not repeats and not rule:
            yield (
                line.replace(f"{staged}{GALLERY}{os.sep}", f"{GALLERY}/")
                .replace(f"{staged}{SCRIPTS}{os.sep}", f"{SCRIPTS}/")
                .replace(staged, "docs/")
            )
