"""What the gallery is made of: its scripts, and the introductions of its chapters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gradguide_site.project import (
    ENGLISH,
    GALLERY,
    SCRIPTS,
    Language,
    PipelineError,
    Project,
)
from gradguide_site.translation import catalogues, rest, scripts


@dataclass(frozen=True)
class Source:
    """A script or an introduction, in English.

    Attributes:
        path: Its place below ``examples``.
        text: What it says.
    """

    path: Path
    text: str

    @property
    def name(self) -> str:
        """How a person finds it in the repository."""
        return (SCRIPTS / self.path).as_posix()

    @property
    def catalogue(self) -> Path:
        """Where its translation is, below the catalogues of a language."""
        return SCRIPTS / self.path.with_suffix(".po")

    @property
    def page(self) -> str:
        """The name of its page, as Sphinx spells it."""
        is_script = self.path.suffix == ".py"
        stem = self.path.with_suffix("") if is_script else self.path.with_name("index")
        return (GALLERY / stem).as_posix()

    def messages(self) -> list[str]:
        """Return what there is to translate, in order."""
        if self.path.suffix == ".py":
            return scripts.messages(self.text, self.name)
        return rest.messages(self.text.split("\n"))

    def headings(self) -> list[str]:
        """Return its section titles, in order."""
        if self.path.suffix == ".py":
            return scripts.headings(self.text, self.name)
        return rest.headings(self.text.split("\n"))

    def translated(self, gettext: rest.Translate) -> str:
        """Return it with other prose, line for line."""
        if self.path.suffix == ".py":
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
    """Return every script and introduction in a language, by its place.

    Args:
        project: The checkout, which has the catalogues.
        sources: The scripts and introductions.
        language: The language; English is what stands there.
        strict: Whether a message without translation is an error; otherwise it stays
            in English.

    Raises:
        PipelineError: A catalogue is malformed or, with ``strict``, incomplete.
    """
    if language == ENGLISH:
        return {source.path: source.text.encode() for source in sources}
    found, missing = {}, []
    for source in sources:
        path = project.catalogues(language) / source.catalogue
        catalogue = catalogues.read(path, language)
        shown = path.relative_to(project.root)
        missing += catalogues.problems(shown, catalogue, source.messages())
        text = source.translated(partial(catalogues.gettext, catalogue))
        found[source.path] = text.encode()
    if missing and strict:
        raise PipelineError(
            "\n".join(map(str, missing))
            + f"\n{len(missing)} messages have no {language.code} translation that can "
            "be used. Run `nox -s translate`, fill them in, and build again."
        )
    return found
