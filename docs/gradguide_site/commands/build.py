"""All steps in their order: from the sources to the site."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile

from filelock import FileLock, Timeout

from gradguide_site.publish import assemble as finish
from gradguide_site.search import index as search
from gradguide_site.publish.book import make_books
from gradguide_site.running.pages_of_all import build
from gradguide_site.publish.inspection import inspect
from gradguide_site.project import LANGUAGES, Language, PipelineError, Project
from gradguide_site.running.stage import stage


def make(
    project: Project, languages: Sequence[Language] = LANGUAGES, *, strict: bool = True
) -> None:
    """Build the site.

    Args:
        project: The checkout.
        languages: Build only these anew; pages of others stay as they are.
        strict: Whether missing translations and warnings are errors. If not, the site
            is a draft.

    Raises:
        PipelineError: It can't be built; the last good site is unchanged.
    """
    project.built.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=project.built):
        pass  # an error here says best that nobody may write there
    try:
        with FileLock(project.built / "build.lock", timeout=0):
            finish.recover(project)
            for language in languages:
                stage(project, language, project.staged(language), strict=strict)
                _forget_removed_pages(project, language)
            _require_others(project, languages)
            build(project, languages, strict=strict)
            make_books(project, languages, strict=strict)
            new = finish.assemble(project)
            with ThreadPoolExecutor() as threads:  # Pagefind is a process of its own
                indexing = threads.submit(search.index, new)
                if strict:
                    inspect(project)
                indexing.result()
            finish.publish(new, project.site)
    except Timeout:
        raise PipelineError(
            f"another build is at work in {project.built}: wait for it, or end it."
        ) from None


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
            return
