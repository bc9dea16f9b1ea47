"""Build the site from its sources, step by step."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from tempfile import TemporaryFile

from filelock import FileLock, Timeout

from gradguide_site.project import LANGUAGES, Language, PipelineError, Project
from gradguide_site.publish import assemble
from gradguide_site.publish.book import add_book, book
from gradguide_site.publish.card import add_card
from gradguide_site.publish.inspection import inspect
from gradguide_site.publish.llms import add_list
from gradguide_site.running import packages
from gradguide_site.running.sphinx_builds import PROCESSES, Build, Job, prepare, run
from gradguide_site.running.stage import files, stage
from gradguide_site.search.index import FOLDER, index

NOT_SOURCES = {"_build", "__pycache__"}
"""Folders that have no sources."""


def build(
    project: Project,
    languages: Sequence[Language] = LANGUAGES,
    *,
    strict: bool = True,
    with_index: bool = True,
) -> None:
    """Build the site, unless it is up to date. Other languages keep their pages.

    With ``strict``, missing translations and warnings are errors. Otherwise the site is
    a draft, without the books. Without ``with_index``, an existing search index stays
    as it is.

    Raises:
        PipelineError: The build failed; the last good site is unchanged.
    """
    project.built.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=project.built):
        pass  # raises an error that names the folder if it is not writable
    try:
        with FileLock(project.built / "build.lock", timeout=0):
            assemble.recover(project)
            _build(project, languages, strict=strict, with_index=with_index)
    except Timeout:
        raise PipelineError(
            f"another build is at work in {project.built}: wait for it, or end it."
        ) from None


def _build(
    project: Project, languages: Sequence[Language], *, strict: bool, with_index: bool
) -> None:
    record = project.built / "built-from.txt"
    sources = _digest(project, strict=strict, with_index=with_index)
    if project.site.exists() and record.exists() and record.read_text() == sources:
        print("Nothing has changed since the last build.")
        return
    record.unlink(missing_ok=True)
    for script in project.scripts():
        if absent := packages.missing(project.examples / script):
            print(f"{script} does not run: {', '.join(absent)} not installed.")
    prepare()
    for language in languages:
        stage(project, language, project.staged(language), strict=strict)
        _forget_removed_pages(project, language)
    _require_other_languages(project, languages)
    jobs = [
        _job(project, language, with_book=strict, with_index=with_index)
        for language in languages
    ]
    try:
        run(jobs, strict=strict)
    except PipelineError as error:
        raise PipelineError(
            f"{error}\n\n"
            "The build failed. The site of the last good build is unchanged."
        ) from None
    with ProcessPoolExecutor(mp_context=PROCESSES) as pool:
        inspection = pool.submit(inspect, project) if strict else None
        new = assemble.assemble(project)
        if inspection is not None:
            inspection.result()
    assemble.publish(new, project.site)
    if set(languages) == set(LANGUAGES):
        record.write_text(sources)


def _job(
    project: Project, language: Language, *, with_book: bool, with_index: bool
) -> Job:
    builds = [Build("html", project.pages(language), {})]
    if with_book:
        builds.append(book(project, language))
    made = {"with_book": with_book, "with_index": with_index}
    finish = partial(_finish, project, language, **made)
    return Job(project, language, project.staged(language), builds, finish)


def _finish(
    project: Project, language: Language, *, with_book: bool, with_index: bool
) -> None:
    """Make what is made from the finished pages of a language."""
    if with_index or not (project.pages(language) / FOLDER).exists():
        index(project, language)
    add_list(project, language)
    add_card(project, language)
    if with_book:
        add_book(project, language)


def _digest(project: Project, **options: bool) -> str:
    """Return a digest of the sources, settings and packages of the site."""
    used = packages.versions(project.packages)
    settings = (sys.version, used, project.epoch, project.address, options)
    digest = hashlib.sha256(repr(settings).encode())
    for folder in (project.docs, project.examples, project.root / "src"):
        for path in files(folder, NOT_SOURCES):
            name = f"{folder.name}/{path.as_posix()}"
            digest.update(name.encode() + (folder / path).read_bytes())
    digest.update((project.root / "pyproject.toml").read_bytes())
    return digest.hexdigest()


def _require_other_languages(project: Project, languages: Sequence[Language]) -> None:
    for language in LANGUAGES:
        if language not in languages and not project.pages(language).exists():
            raise PipelineError(
                f"{language.code} has not been built yet: build all languages first."
            )


def _forget_removed_pages(project: Project, language: Language) -> None:
    """Delete the HTML of a language if it has a page without a source.

    Sphinx never removes pages that it has written.
    """
    source, pages = project.staged(language), project.pages(language)
    for page in pages.rglob("*.html"):
        document = source / page.relative_to(pages)
        has_source = any(document.with_suffix(s).exists() for s in (".md", ".rst"))
        if not has_source and page.name != "search.html":
            shutil.rmtree(pages)
            shutil.rmtree(book(project, language).output, ignore_errors=True)
            return
