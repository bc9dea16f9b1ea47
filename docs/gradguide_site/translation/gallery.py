"""Read and translate the sources of the gallery: scripts and introductions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from gradguide_site.project import (
    ENGLISH,
    SCRIPTS,
    Language,
    PipelineError,
    Project,
    page_of,
)
from gradguide_site.translation import catalogues, rest, scripts


@dataclass(frozen=True)
class Source:
    """A script, or the introduction of a chapter or of the gallery, in English.

    Attributes:
        path: Its path, relative to ``examples``.
        text: Its content.
    """

    path: Path
    text: str

    @property
    def is_script(self) -> bool:
        return self.path.suffix == ".py"

    @property
    def name(self) -> str:
        """The path of the file in the repository, for error messages."""
        return (SCRIPTS / self.path).as_posix()

    @property
    def catalogue(self) -> Path:
        """The path of its catalogue, relative to the catalogues of a language."""
        return SCRIPTS / self.path.with_suffix(".po")

    @property
    def page(self) -> str:
        """The name that Sphinx gives to its page."""
        path = self.path if self.is_script else self.path.with_name("index")
        return page_of(path).as_posix()

    def messages(self) -> list[str]:
        """Return the messages to translate, in order."""
        if self.is_script:
            return scripts.messages(self.text, self.name)
        return rest.messages(self.text.split("\n"))

    def headings(self) -> list[str]:
        """Return its section titles, in order."""
        if self.is_script:
            return scripts.headings(self.text, self.name)
        return rest.headings(self.text.split("\n"))

    def translated(self, gettext: rest.Translate) -> str:
        """Return the text with its messages translated; lines keep their numbers."""
        if self.is_script:
            return scripts.translate(self.text, gettext, self.name)
        return "\n".join(rest.rewrite(self.text.split("\n"), gettext))


def sources(project: Project) -> list[Source]:
    """Read every script and introduction of the gallery."""
    return [
        Source(path, (project.examples / path).read_text("utf-8"))
        for path in [*project.scripts(), *project.headers()]
    ]


def translated(
    project: Project, sources: Iterable[Source], language: Language, *, strict: bool
) -> dict[Path, bytes]:
    """Return the content of every script and introduction in a language, by path.

    Without ``strict``, messages without translation stay in English.

    Raises:
        PipelineError: A catalogue is malformed or, with ``strict``, incomplete.
    """
    if language == ENGLISH:
        return {source.path: source.text.encode() for source in sources}
    contents, missing = {}, []
    for source in sources:
        path = project.catalogues(language) / source.catalogue
        catalogue = path.read_bytes() if path.exists() else b""
        contents[source.path], problems = _translation(
            source, path.relative_to(project.root), catalogue, language
        )
        missing += problems
    if missing and strict:
        raise PipelineError(
            "\n".join(map(str, missing))
            + f"\n{len(missing)} messages have no {language.code} translation that can "
            "be used. Run `nox -s translate`, fill them in, and build again."
        )
    return contents


@cache  # for ``serve``, which stages all sources again after each save
def _translation(
    source: Source, path: Path, catalogue: bytes, language: Language
) -> tuple[bytes, list[catalogues.Problem]]:
    """Return a source in a language, and what its catalogue lacks."""
    catalog = catalogues.parse(path, catalogue, language)
    text = source.translated(partial(catalogues.gettext, catalog))
    return text.encode(), catalogues.problems(path, catalog, source.messages())
