"""All steps in their order: from the sources to the site."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from tempfile import TemporaryFile

from filelock import FileLock, Timeout

from gradguide_site.project import LANGUAGES, Language, PipelineError, Project
from gradguide_site.publish import assemble
from gradguide_site.publish.book import add_book, book
from gradguide_site.publish.inspection import inspect
from gradguide_site.running.sphinx_builds import Build, Job, run
from gradguide_site.running.stage import stage
from gradguide_site.search import index


def build(
    project: Project, languages: Sequence[Language] = LANGUAGES, *, strict: bool = True
) -> None:
    """Build the site, unless it was built from the same sources before.

    Args:
        project: The checkout.
        languages: Build only these anew; pages of others stay as they are.
        strict: Whether missing translations and warnings are errors. If not, the site
            is a draft, without the books.

    Raises:
        PipelineError: It can't be built; the last good site is unchanged.
    """
    project.built.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=project.built):
        pass  # an error here says best that nobody may write there
    try:
        with FileLock(project.built / "build.lock", timeout=0):
            assemble.recover(project)
            _build(project, languages, strict=strict)
    except Timeout:
        raise PipelineError(
            f"another build is at work in {project.built}: wait for it, or end it."
        ) from None


def _build(project: Project, languages: Sequence[Language], *, strict: bool) -> None:
    record = project.built / "built-from.txt"
    sources = _fingerprint(project, strict=strict)
    if project.site.exists() and record.exists() and record.read_text() == sources:
        print("Nothing has changed since the last build.")
        return
    record.unlink(missing_ok=True)
    for language in languages:
        stage(project, language, project.staged(language), strict=strict)
        _forget_removed_pages(project, language)
    _require_others(project, languages)
    jobs = [_job(project, language, with_book=strict) for language in languages]
    try:
        run(jobs, strict=strict)
    except PipelineError as error:
        raise PipelineError(
            f"{error}\n\n"
            "The build failed. The site of the last good build is unchanged."
        ) from None
    for language in languages if strict else ():
        add_book(project, language)
    new = assemble.assemble(project)
    with ThreadPoolExecutor() as threads:  # Pagefind is a process of its own
        indexing = threads.submit(index.index, new)
        if strict:
            inspect(project)
        indexing.result()
    assemble.publish(new, project.site)
    if set(languages) == set(LANGUAGES):
        record.write_text(sources)


def _job(project: Project, language: Language, *, with_book: bool) -> Job:
    builds = [Build("html", project.pages(language), {})]
    if with_book:
        builds.append(book(project, language))
    return Job(project, language, project.staged(language), builds)


def _fingerprint(project: Project, *, strict: bool) -> str:
    """Return a digest of all that the site is made of."""
    packages = sorted(f"{found.name} {found.version}" for found in distributions())
    others = (sys.version, packages, project.epoch, project.address, strict)
    digest = hashlib.sha256(repr(others).encode())
    for folder in (project.docs, project.examples, project.root / "src"):
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(project.root).parts
            if path.is_file() and not {"_build", "__pycache__"}.intersection(parts):
                digest.update("/".join(parts).encode() + path.read_bytes())
    digest.update((project.root / "pyproject.toml").read_bytes())
    return digest.hexdigest()


def _require_others(project: Project, languages: Sequence[Language]) -> None:
    for language in LANGUAGES:
        if language not in languages and not project.pages(language).exists():
            raise PipelineError(
                f"{language.code} has not been built yet: build all languages first."
            )


def _forget_removed_pages(project: Project, language: Language) -> None:
    """Begin the HTML of a language anew if it has a page whose source is gone.

    Sphinx never removes a page that it has written.
    """
    source, pages = project.staged(language), project.pages(language)
    for page in pages.rglob("*.html"):
        document = source / page.relative_to(pages)
        made = page.name == "search.html" or "_static" in page.parts
        if not made and not any(
            document.with_suffix(suffix).exists() for suffix in (".md", ".rst")
        ):
            shutil.rmtree(pages)
            shutil.rmtree(book(project, language).output, ignore_errors=True)
            return
