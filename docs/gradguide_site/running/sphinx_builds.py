"""Run Sphinx on source trees at the same time, each in a process of its own.

The processes are forked from a server process that has imported PyTorch and Sphinx.
Each process sends its progress, and at the end its warnings, through a pipe.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import count
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gradguide_site.project import (
    ERRORS,
    GALLERY,
    SCRIPTS,
    Language,
    PipelineError,
    Project,
)

if TYPE_CHECKING:  # Sphinx takes half a second to import
    from sphinx.application import Sphinx

CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
PROCESSES: Any = multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")
PRELOADED = [
    *("bs4", "furo", "lxml.html", "markdownify", "matplotlib.backends.backend_svg"),
    *("matplotlib.pyplot", "myst_parser.sphinx_", "numpy", "sphinx.application"),
    *("sphinx_design", "sphinx_gallery.gen_gallery", "torch", "torch._dynamo"),
    "gradguide_site.__main__",  # each process imports the module that was started
]

PROGRESS = ("running ", "updating environment: ")
"""The beginning of each line of Sphinx's output that is printed as progress."""

SECONDS = int(os.environ.get("GRADGUIDE_SCRIPT_SECONDS", "60"))
"""How long a script may run. This limit does not stop one that waits outside Python."""

SILENCE = 5 * SECONDS
"""How long the builds may show no progress; writing all pages shows none."""

SUMMARY = "Here is a summary of the problems"
"""A line of sphinx-gallery, after which it repeats the errors of all scripts."""


class Build(NamedTuple):
    """A run of a Sphinx builder."""

    builder: str
    output: Path
    settings: dict[str, Any]


def _nothing() -> None:
    """Do nothing after the builds."""


@dataclass(frozen=True)
class Job:
    """Builds of one source tree, which run one after the other in one process.

    ``finish`` is called there after the last build.
    """

    project: Project
    language: Language
    source: Path
    builds: Sequence[Build]
    finish: Callable[[], None] = _nothing


class _Result(NamedTuple):
    warnings: list[str]
    failed: bool


def settings(project: Project, language: Language) -> dict[str, Any]:
    """Return the settings of Sphinx for a language.

    Every builder gets the same settings, because Sphinx would read all pages again
    after a change.
    """
    return {
        "nitpicky": True,  # a reference that leads nowhere is a warning
        "language": language.code,
        "html_baseurl": f"{project.address}{language.url}/",
        "version": project.metadata["version"],
        "epub_uid": f"gradguide-{language.tag}",
    }


def prepare() -> None:
    """Start the process that the others fork from; it imports in the background."""
    os.environ["PYTHONHASHSEED"] = "0"  # Python reads it when a process starts
    if CAN_FORK:
        PROCESSES.set_forkserver_preload(PRELOADED)
        forkserver.ensure_running()


def run(jobs: Sequence[Job], *, strict: bool = True) -> None:
    """Run jobs at the same time; print their progress and warnings.

    Raises:
        PipelineError: A build failed or, with ``strict``, Sphinx gave a warning. The
            text names each script or page and the line.
    """
    results = list(_results(jobs))
    warnings = {  # a warning of several languages is shown once
        warning: language
        for language, result in reversed(results)
        for warning in result.warnings
    }
    lines = [f"[{language.tag}] {warning}" for warning, language in warnings.items()]
    if any(result.failed for _, result in results) or (strict and lines):
        raise PipelineError("\n".join(lines))
    for line in lines:
        print(line)


def _results(jobs: Sequence[Job]) -> Iterator[tuple[Language, _Result]]:
    """Start a process for each job, print its progress, and yield its result."""
    prepare()
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
            ready: list[Any] = wait(list(waiting), SILENCE)
            if not ready:
                tags = ", ".join(job.language.tag for job in waiting.values())
                raise PipelineError(
                    f"[{tags}] no progress in {SILENCE} s, so the build was stopped."
                    " Does the last script wait for a process, a lock or a network?"
                )
            for receiver in ready:
                language = waiting[receiver].language
                try:
                    message = receiver.recv()
                except EOFError:
                    reason = "Python crashed; is it a script's fault?"
                    message = _Result([reason], failed=True)
                if isinstance(message, str):
                    print(f"[{language.tag}] {message}", flush=True)
                else:
                    del waiting[receiver]
                    yield language, message
        for process in processes:
            process.join(2)  # it releases its locks, which Python would warn of
    finally:
        for process in processes:
            process.terminate()  # has no effect on a process that has ended


def _work(job: Job, sender: Connection) -> None:
    """Run the builds of a job in this process; send its progress, then its result."""
    from sphinx.errors import SphinxError
    from sphinx.util.console import disable_colour  # type: ignore[attr-defined]

    os.chdir(job.source)  # the paths of sphinx-gallery are relative to it
    sys.path[:0] = code = [str(job.project.docs), str(job.project.root / "src")]
    os.environ |= {
        "HF_HUB_OFFLINE": "1",  # scripts download nothing
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",  # for processes that a script starts, as torchrun does
        "PYTHONPATH": os.pathsep.join(code),  # for processes that a script starts
        "SOURCE_DATE_EPOCH": str(job.project.epoch),
    }
    disable_colour()
    warnings, failed = StringIO(), True
    try:
        for build in job.builds:
            _build(job, build, _Progress(sender.send), warnings)
        job.finish()
        failed = False
    except (SphinxError, PipelineError) as error:
        warnings.write(f"{error}\n")
    except Exception:  # noqa: BLE001 (the parent process reports it)
        warnings.write(traceback.format_exc())
    sender.send(f"{len(job.builds)} builds, {_peak_memory()} MB at most")
    sender.send(_Result(list(_readable(warnings.getvalue(), job.source)), failed))


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
    """Collect garbage only after every 200 pages.

    The document trees of a page are cyclic garbage of about 5 MB. With the thresholds
    of Python, the search for garbage takes a quarter of the time of a build.
    """
    gc.disable()
    pages = count(1)

    def collect(*_: object) -> None:
        if next(pages) % 200 == 0:
            gc.collect()

    app.connect("doctree-read", collect)
    app.connect("html-page-context", collect)


def _peak_memory() -> int:
    """Return the peak memory of this process in MB."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


class _Progress(StringIO):
    """A stream that sends each line that begins with an element of ``PROGRESS``.

    Where Sphinx takes the terminal for one with colours, as with ``CI`` set, it ends
    some lines with a carriage return only.
    """

    def __init__(self, send: Callable[[str], None]) -> None:
        super().__init__()
        self._send = send
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = re.split("[\r\n]", self._line + text)
        for line in lines:
            if line.startswith(PROGRESS):
                self._send(line)
        return len(text)


def _readable(warnings: str, source: Path) -> Iterator[str]:
    """Yield the warnings of Sphinx, without those that sphinx-gallery repeats.

    Paths of staged files are replaced by their paths in the repository.
    """
    staged = str(source) + os.sep
    in_summary = False
    for line in filter(None, map(str.rstrip, warnings.splitlines())):
        is_rule = set(line) == {"-"}  # the end of the summary
        in_summary = SUMMARY in line or (in_summary and not is_rule)
        if not in_summary and not is_rule:
            yield (
                line.replace(f"{staged}{GALLERY}{os.sep}", f"{GALLERY}/")
                .replace(f"{staged}{SCRIPTS}{os.sep}", f"{SCRIPTS}/")
                .replace(f"{staged}{ERRORS}{os.sep}", f"{SCRIPTS}/{ERRORS}/")
                .replace(staged, "docs/")
            )
